"""How often a key may call, and how callers are told (draft-ietf-httpapi-ratelimit-headers)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge.storage import api_keys, people
from lockbridge.web.api.keys import Caller
from lockbridge.web.api.problems import Kind, Problem
from lockbridge.workflows.ports import transact

MOST = 600
WINDOW = timedelta(minutes=1)
POLICY = f'"default";q={MOST};w={int(WINDOW.total_seconds())}'
USED_EVERY = timedelta(minutes=1)
"""When a key was last used is noted so often."""


@dataclass(frozen=True, slots=True)
class Quota:
    """How many calls are left, and for how long."""

    left: int
    seconds: int

    @property
    def headers(self) -> Mapping[str, str]:
        """How callers are told."""
        return {"ratelimit-policy": POLICY, "ratelimit": f'"default";r={max(self.left, 0)};t={self.seconds}'}


async def count(caller: Caller) -> Quota:
    """Count one more call of a key."""
    made, ends = await transact(caller.services, lambda c: _count(c, caller))
    return Quota(MOST - made, max(1, round((ends - caller.now).total_seconds())))


def _count(connection: Connection, caller: Caller) -> tuple[int, datetime]:
    what, vault = f"api key {caller.key.id}", caller.services.vault
    if caller.key.used_at is None or caller.now - caller.key.used_at >= USED_EVERY:
        api_keys.used(connection, caller.key.id, caller.now)
    people.count_try(connection, vault, what, WINDOW, caller.now)
    return people.tries(connection, vault, what, WINDOW, caller.now)


def refuse_too_many(quota: Quota) -> None:
    """Raises Problem when nothing is left."""
    if quota.left < 0:
        msg = f"a key may call {MOST} times in {int(WINDOW.total_seconds())} seconds"
        raise Problem(Kind.TOO_MANY, msg, headers={"retry-after": str(quota.seconds)})
