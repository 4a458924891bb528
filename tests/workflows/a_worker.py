"""A worker process for tests that kill it; its settings come from the environment. It never ends by itself."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

from lockbridge.bootstrap import build
from lockbridge.config import load
from lockbridge.worker import Worker

LEASE = timedelta(seconds=2)
"""Short, so that what a killed process held is free again soon."""
AT_ONCE = 8
"""Few, so that each death meets other locks."""


async def main() -> None:
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    services = build(load())
    policy = replace(services.policy, lease=LEASE, locks_at_once=AT_ONCE)
    Worker(replace(services, policy=policy), tick_seconds=0.1).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
