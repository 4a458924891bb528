"""Serve a make-believe vendor, to connect its lock app by hand: ``python -m tests.contract.vendors BRAND [PORT]``."""

import random
import sys
from datetime import UTC, datetime

import uvicorn

from providers.simulator import SimulatedLockApp
from tests.contract.vendors import BRANDS


def serve(brand: str, port: int) -> None:
    """One lock of each kind the brand has, on 127.0.0.1, until it is stopped."""
    app = SimulatedLockApp(lambda: datetime.now(UTC), random.Random())
    for number, (kind, rules) in enumerate(BRANDS[brand].rules.items(), 1):
        app.add_lock(str(number), name=f"Door {number} ({kind})", rules=rules, zone="Europe/Berlin", battery=0.8)
    answers = " ".join(
        f"--set {name}={value}" for name, value in BRANDS[brand].settings(f"http://127.0.0.1:{port}").items()
    )
    sys.stdout.write(f"connect it: lockbridge lock-app add {brand} {answers}\n")
    sys.stdout.flush()
    uvicorn.run(BRANDS[brand].serve(app), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8766)
