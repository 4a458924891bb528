"""Codes: what is on which lock for whom, or will be; the digits only for keys that may see them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from lockbridge.domain.code import CodeKind
from lockbridge.domain.ids import LockId, StayId
from lockbridge.domain.people import Scope
from lockbridge.domain.status import Status, shown
from lockbridge.domain.veil import HIDDEN
from lockbridge.storage import api_pages, locks, stays
from lockbridge.storage import codes as stored
from lockbridge.storage.api_pages import CodeFilter
from lockbridge.storage.codes import Placed
from lockbridge.web.api.calls import at, resource
from lockbridge.web.api.keys import Caller, Calling
from lockbridge.web.api.paging import Page, Pages
from lockbridge.web.api.problems import invalid, not_found
from lockbridge.web.api.shapes import LARGEST, Shown

router = resource()


class CodeShown(Shown):
    """A code on a lock, or one that is to come there."""

    id: int = Field(description="Of this code on this lock.", examples=[40])
    code_id: int = Field(description="The same on all locks of a stay.", examples=[9])
    lock_id: int = Field(examples=[5])
    lock_name: str = Field(examples=["Front door"])
    stay_id: int | None = Field(description="Whose it is; a given backup is the stay's.", examples=[12])
    kind: CodeKind
    name: str = Field(description="What it is called on the lock.", examples=["Ida Example"])
    pin: str | None = Field(description="The digits; hidden unless `reveal` is asked for.", examples=[HIDDEN])
    opens_at: datetime = Field(description="When it begins to open (UTC).")
    closes_at: datetime | None = Field(description="When it opens no more (UTC); null: it has no end.")
    status: Status
    reason: str = Field(description="Why, in words.")
    next_at: datetime | None = Field(description="When something happens next (UTC).")


class CodePage(Page[CodeShown]):
    """A page of codes."""


@dataclass(frozen=True, slots=True)
class _Found:
    placed: Placed
    stay: StayId | None
    lock_name: str


@router.get("/codes", tags=["Codes"], summary="List codes", **at(Scope.CODES_READ))
async def list_codes(
    *,
    caller: Calling,
    page: Pages,
    stay_id: Annotated[int | None, Query(ge=1, le=LARGEST, description="Of this stay.")] = None,
    lock_id: Annotated[int | None, Query(ge=1, le=LARGEST, description="On this lock.")] = None,
    kind: Annotated[CodeKind | None, Query(description="For whom they are.")] = None,
    gone: Annotated[bool, Query(description="Those that were taken off, too.")] = False,
    reveal: Annotated[
        bool, Query(description="With digits: needs the scope codes:reveal and a stay or lock. Written down.")
    ] = False,
) -> CodePage:
    """In the order in which they were made. Others' codes on the locks are not among them."""
    wanted = CodeFilter(
        None if stay_id is None else StayId(stay_id), None if lock_id is None else LockId(lock_id), kind, gone
    )
    await _check(caller, wanted, reveal=reveal)
    found = await caller.services.database.ask(_listed, caller, page.after, page.wanted, wanted)
    cut, following = page.cut(found, lambda each: each.placed.placement.id)
    if reveal:
        await _note(caller, wanted)
    return CodePage(items=[_shown(each, caller.now, reveal=reveal) for each in cut], next=following)


async def _check(caller: Caller, wanted: CodeFilter, *, reveal: bool) -> None:
    """Raises Problem for a stay or lock of somebody else, and for digits that this key may not see."""
    if reveal:
        caller.need(Scope.CODES_REVEAL)
        if wanted.stay is None and wanted.lock is None:
            msg = "digits are shown of one stay or one lock at a time: say which"
            raise invalid(msg, parameter="reveal")
    missing = await caller.services.database.ask(_missing, caller, wanted)
    if missing is not None:
        raise not_found(*missing)


def _missing(connection: Connection, caller: Caller, wanted: CodeFilter) -> tuple[int, str] | None:
    if wanted.stay is not None and stays.get(connection, caller.services.vault, caller.host, wanted.stay) is None:
        return wanted.stay, "stay"
    if wanted.lock is not None and locks.get_lock(connection, caller.host, wanted.lock) is None:
        return wanted.lock, "lock"
    return None


async def _note(caller: Caller, wanted: CodeFilter) -> None:
    about = f"stay {wanted.stay}" if wanted.stay is not None else f"lock {wanted.lock}"
    await caller.note("looked at the codes of", about)


def _listed(connection: Connection, caller: Caller, after: int, limit: int, wanted: CodeFilter) -> list[_Found]:
    numbers = dict(api_pages.placements_after(connection, caller.host, after, limit, wanted))
    found = stored.placements_by_id(connection, caller.services.vault, numbers)
    names = locks.by_ids(connection, {each.placement.lock for each in found})
    return [
        _Found(each, numbers[each.placement.id], names[each.placement.lock].name)
        for each in sorted(found, key=lambda each: each.placement.id)
    ]


def _shown(found: _Found, now: datetime, *, reveal: bool) -> CodeShown:
    placement, pin = found.placed.placement, found.placed.placement.pin
    said = shown(placement, now)
    return CodeShown(
        id=placement.id,
        code_id=placement.code,
        lock_id=placement.lock,
        lock_name=found.lock_name,
        stay_id=found.stay,
        kind=placement.kind,
        name=placement.name,
        pin=None if pin is None else pin.digits if reveal else HIDDEN,
        opens_at=placement.window.starts,
        closes_at=placement.window.ends,
        status=said.status,
        reason=said.reason,
        next_at=said.next_at,
    )
