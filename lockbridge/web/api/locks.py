"""Locks: how they are, what they hold, and setting them right."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from fastapi import Response
from pydantic import Field
from sqlalchemy import Connection

from lockbridge.domain.ids import LockId, PropertyId
from lockbridge.domain.lock import LockClass
from lockbridge.domain.people import Scope
from lockbridge.storage import api_pages, hosts
from lockbridge.storage import locks as stored
from lockbridge.storage.api_pages import Held
from lockbridge.storage.locks import LockRow
from lockbridge.web.api.calls import at, resource
from lockbridge.web.api.keys import Caller, Calling
from lockbridge.web.api.paging import Page, Pages
from lockbridge.web.api.problems import not_found
from lockbridge.web.api.shapes import LockNumber, Shown
from lockbridge.web.api.tasks import TaskShown, show
from lockbridge.web.background import Progress
from lockbridge.workflows.resync import resync

router = resource()
TAG = "Locks"


class LockState(StrEnum):
    """Whether a lock can be reached. `gone`: its lock app does not know it any more."""

    ONLINE = "online"
    OFFLINE = "offline"
    UNKNOWN = "unknown"
    GONE = "gone"


class HeldShown(Shown):
    """How many codes are on a lock."""

    ours: int = Field(description="That lockbridge put there: of guests and staff, and backups.")
    others: int = Field(description="That the last look found beside them. They are left alone.")


class LockShown(Shown):
    """A lock."""

    id: int = Field(examples=[5])
    name: str = Field(examples=["Front door"])
    lock_app_id: int = Field(description="The account that it belongs to.", examples=[1])
    lock_class: LockClass = Field(
        description="A keeps windows, B works out its codes by itself, C is a slot that is filled and cleared in time."
    )
    state: LockState
    offline_since: datetime | None = Field(description="Since when it cannot be reached (UTC).")
    battery: float | None = Field(description="From 0 to 1; null: not known.", ge=0, le=1, examples=[0.8])
    holds: HeldShown
    capacity: int = Field(description="How many codes it can hold.", examples=[100])
    can_open: bool = Field(description="Whether it can be opened from afar.")
    property_ids: list[int] = Field(description="The properties that it opens.", examples=[[3]])
    looked_at: datetime | None = Field(description="When it was last looked at (UTC).")


class LockPage(Page[LockShown]):
    """A page of locks."""


@dataclass(frozen=True, slots=True)
class _Known:
    rows: Sequence[LockRow]
    held: Mapping[LockId, Held]
    opens: Mapping[LockId, Sequence[PropertyId]]


@router.get("/locks", tags=[TAG], summary="List locks", **at(Scope.LOCKS_READ))
async def list_locks(caller: Calling, page: Pages) -> LockPage:
    """In the order in which they became known."""
    known = await caller.services.database.ask(_listed, caller, page.after, page.wanted)
    cut, following = page.cut(known.rows, lambda row: row.id)
    return LockPage(items=[_shown(row, known) for row in cut], next=following)


def _listed(connection: Connection, caller: Caller, after: int, limit: int) -> _Known:
    return _with_what_they_hold(connection, api_pages.locks_after(connection, caller.host, after, limit))


def _with_what_they_hold(connection: Connection, rows: Sequence[LockRow]) -> _Known:
    ids = [row.id for row in rows]
    opens = {lock: sorted(hosts.properties_of_lock(connection, lock)) for lock in ids}
    return _Known(rows, api_pages.held(connection, ids), opens)


@router.get("/locks/{lock}", tags=[TAG], summary="Show a lock", **at(Scope.LOCKS_READ))
async def show_lock(caller: Calling, lock: LockNumber) -> LockShown:
    """How it is, and what it holds."""
    known = await caller.services.database.ask(_one, caller, LockId(lock))
    if known is None:
        raise not_found(lock, "lock")
    return _shown(known.rows[0], known)


def _one(connection: Connection, caller: Caller, lock: LockId) -> _Known | None:
    row = stored.get_lock(connection, caller.host, lock)
    return None if row is None else _with_what_they_hold(connection, [row])


def _shown(row: LockRow, known: _Known) -> LockShown:
    holds = known.held[row.id]
    return LockShown(
        id=row.id,
        name=row.name,
        lock_app_id=row.app,
        lock_class=row.capabilities.lock_class,
        state=_state(row),
        offline_since=row.offline_since,
        battery=row.battery,
        holds=HeldShown(ours=holds.ours, others=holds.others),
        capacity=row.capabilities.max_codes,
        can_open=row.capabilities.can_open,
        property_ids=list(known.opens[row.id]),
        looked_at=row.looked_at,
    )


def _state(row: LockRow) -> LockState:
    if row.missing:
        return LockState.GONE
    return {True: LockState.ONLINE, False: LockState.OFFLINE, None: LockState.UNKNOWN}[row.online]


@router.post("/locks/{lock}/resync", status_code=202, tags=[TAG], summary="Set a lock right", **at(Scope.LOCKS_WRITE))
async def resync_lock(caller: Calling, response: Response, lock: LockNumber) -> TaskShown:
    """Reads it, puts back what is missing, corrects what is wrong, takes off what is old; others' codes stay.

    It goes on in the background: ask for the task, at `Location`.
    """
    row = await caller.services.database.ask(stored.get_lock, caller.host, LockId(lock))
    if row is None:
        raise not_found(lock, "lock")

    async def work(progress: Progress) -> Mapping[str, Any]:
        report = await resync(caller.services, row.id, caller.now, progress.say)
        told = {"id": row.id, "name": row.name, **asdict(report)}
        return {"locks": [told], "back": f"locks/{row.id}", "back_label": row.name}

    background = caller.site.background
    number = await background.start(caller.host, "resync", f"Resync of {row.name}", caller.who, work)
    await caller.note("began a resync of", f"lock {row.id}")
    response.headers["location"] = f"{caller.site.url}/api/v1/tasks/{number}"
    return await show(caller, number)
