"""The locks: how each is, what it holds and will hold, resync, preview, its log, and opening its door."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.capabilities import digits
from lockbridge.contract import OutcomeUnknown, ProviderError, Unreachable
from lockbridge.domain.code import CodeKind
from lockbridge.domain.ids import HostId, LockId, PlacementId
from lockbridge.domain.lock import NameRules
from lockbridge.domain.people import Right
from lockbridge.domain.placement import Placement
from lockbridge.domain.plan import Plan
from lockbridge.storage import locks, notes
from lockbridge.storage.locks import LockRow
from lockbridge.storage.vault import Vault
from lockbridge.web.background import Progress
from lockbridge.web.console.lock_chart import chart
from lockbridge.web.desk import Desk, NotHere, Resyncing, RunningStays, Seeing
from lockbridge.workflows import connect, lock_log, lock_view
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.lock_view import Listed, LockView
from lockbridge.workflows.open_door import Opening, open_door
from lockbridge.workflows.resync import resync_all

router = APIRouter()

PART = {"part": "locks"}
PAGE = 100
"""How many locks are shown at once."""
DAYS = (30, 90, 365)
"""How far back a chart may go."""
PATIENCE_SECONDS = 30
STATES = ("problems", "online", "offline", "battery", "unmatched")
RECENT = 12
"""How much of a lock's history is open at once."""
LOG_REACH = timedelta(days=14)
LOG_LENGTH = 100


@router.get("/locks")
async def list_locks(desk: Seeing, q: str = "", state: str = "", app: str = "", after: int = 0) -> Response:
    """The host's locks, those in trouble first."""
    every = await desk.services.database.ask(lock_view.listing, desk.services, desk.host)
    found = [each for each in every if _wanted(each, q.strip().casefold(), state, app)]
    start = max(after, 0)
    shown = {
        "locks": found[start : start + PAGE],
        "total": len(every),
        "found": len(found),
        "troubled": sum(1 for each in every if each.troubles),
        "apps": sorted({(each.app.id, each.app.name) for each in every}, key=lambda pair: pair[1].casefold()),
        "q": q,
        "state": state,
        "app": app,
        "before": start - PAGE if start else None,
        "next": start + PAGE if start + PAGE < len(found) else None,
        "start": start,
        "keypad_work": await _keypad_work(desk),
    }
    return desk.page("console/locks/list.html", {**PART, **shown})


def _wanted(each: Listed, text: str, state: str, app: str) -> bool:
    words = [each.row.name, *(place.name for place in each.places)]
    fits = {
        "problems": bool(each.troubles),
        "online": each.state == "online",
        "offline": each.state in {"offline", "gone"},
        "battery": each.row.low_since is not None,
        "unmatched": not each.places,
    }
    has_text = not text or any(text in word.casefold() for word in words)
    return has_text and fits.get(state, True) and app in {"", str(each.app.id)}


async def _keypad_work(desk: Desk) -> int:
    """How much there is to do at keypads, for those who do it."""
    if not desk.may(Right.KEYPAD):
        return 0
    return len(await desk.services.database.ask(notes.to_do, desk.services.vault, desk.host))


# -- resync --------------------------------------------------------------------------------------------------


@router.post("/locks/resync")
async def resync_several(desk: Resyncing) -> Response:
    """Resync the chosen locks, or all; a page shows how far that is."""
    every = await desk.services.database.ask(locks.locks_of_host, desk.host)
    wanted = set(desk.chosen("lock"))
    chosen = [row for row in every if desk.checked("all") or str(row.id) in wanted]
    if not chosen:
        return desk.go(f"{desk.base}/locks", "No lock was chosen: tick some, or resync all.", trouble=True)
    return await _resync(desk, chosen, f"Resync of {len(chosen)} locks" if len(chosen) > 1 else "")


@router.post("/locks/{lock}/resync")
async def resync_one(desk: Resyncing, lock: int) -> Response:
    """Resync one lock."""
    return await _resync(desk, [await _row(desk, lock)], "")


async def _row(desk: Desk, lock: int) -> LockRow:
    row = await desk.services.database.ask(locks.get_lock, desk.host, LockId(lock))
    if row is None:
        raise NotHere
    return row


async def _resync(desk: Desk, chosen: Sequence[LockRow], title: str) -> Response:
    async def work(progress: Progress) -> dict[str, Any]:
        services = progress.services
        reports = await resync_all(services, [row.id for row in chosen], services.clock.now, progress.say)
        told = [{"id": row.id, "name": row.name, **asdict(report)} for row, report in zip(chosen, reports, strict=True)]
        only = {"back": f"locks/{chosen[0].id}", "back_label": chosen[0].name} if len(chosen) == 1 else {}
        return {"locks": told, **only}

    title = title or f"Resync of {chosen[0].name}"
    number = await desk.site.background.start(desk.host, "resync", title, desk.who, work)
    about = f"lock {chosen[0].id}" if len(chosen) == 1 else f"{len(chosen)} locks"
    await desk.note("started a resync of", about)
    return desk.go(f"{desk.base}/tasks/{number}")


# -- one lock ------------------------------------------------------------------------------------------------


@router.get("/locks/{lock}")
async def show(desk: Seeing, lock: int, show: int = 0, days: int = 30) -> Response:
    """How the lock is, what it holds, and what can be done. ``show`` reveals one code, where one may."""
    return await _page(desk, lock, show=show, days=days)


async def _page(
    desk: Desk, lock: int, *, show: int = 0, days: int = 30, error: str = "", status: int = 200
) -> Response:
    reach = timedelta(days=days if days in DAYS else DAYS[0])
    found = await desk.services.database.ask(lock_view.view, desk.services, desk.host, LockId(lock), desk.now, reach)
    if found is None:
        raise NotHere
    revealed = await _revealed(desk, found, show)
    can = found.listed.row.capabilities
    shown = {
        "lock": found.listed.row,
        "listed": found.listed,
        "view": found,
        "zone": found.zone,
        "groups": _groups(found),
        "revealed": revealed,
        "chart": chart(found.readings, desk.now - reach, desk.now),
        "days": reach.days,
        "recent": RECENT,
        "ranges": DAYS,
        "digits": "chosen by the lock app" if can.chooses_pin else digits(can.pin_rules),
        "names": _names(can.name_rules) if can.keeps_names else "it keeps none",
        "error": error,
    }
    return desk.page("console/locks/lock.html", {**PART, **shown}, status=status)


def _names(rules: NameRules) -> str:
    return f"up to {rules.max_length} characters{', each only once' if rules.unique else ''}"


async def _revealed(desk: Desk, found: LockView, show: int) -> PlacementId | None:
    """The code whose digits are shown; that they were looked at is written down."""
    held = next((held for held in found.ours if held.placement.id == show), None)
    if held is None or not desk.may(Right.SEE_PINS):
        return None
    if held.stay is not None:
        await desk.note("looked at the code of", f"stay {held.stay}")
    else:
        await desk.note(f"looked at a {held.placement.kind.value} code on", f"lock {found.listed.row.id}")
    return PlacementId(show)


TITLES = {CodeKind.GUEST: "Guests", CodeKind.STAFF: "Staff", CodeKind.BACKUP: "Backup codes"}


def _groups(found: LockView) -> list[tuple[str, list[lock_view.Held]]]:
    """What lockbridge has put or will put on the lock, by for whom it is."""
    by_kind = ((title, [held for held in found.ours if held.placement.kind is kind]) for kind, title in TITLES.items())
    return [(title, held) for title, held in by_kind if held]


@router.post("/locks/{lock}/open")
async def open_now(desk: RunningStays, lock: int) -> Response:
    """Open the door now."""
    row = await _row(desk, lock)
    await desk.note("asked to open", f"lock {row.id}")
    try:
        await open_door(desk.services, Opening(desk.host, row.id, desk.who), desk.now)
    except BadInput as error:
        return await _page(desk, lock, error=str(error), status=422)
    except OutcomeUnknown as error:
        return await _page(desk, lock, error=f"{error}. The door may be open all the same: go and look.", status=502)
    except ProviderError as error:
        return await _page(desk, lock, error=f"The door was not opened: {error}.", status=502)
    return desk.go(f"{desk.base}/locks/{lock}", f"{row.name} is open.")


# -- what the lock app says ----------------------------------------------------------------------------------


@router.get("/locks/{lock}/preview")
async def preview(desk: Resyncing, lock: int) -> Response:
    """What a resync would do to the lock, without doing it: it is read now."""
    row, plan, problem = await _row(desk, lock), Plan(), ""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            row, plan = await connect.preview_lock(desk.services, desk.host, row.id, desk.now)
    except ProviderError as error:
        problem = str(error)
    except TimeoutError:
        problem = f"the lock app did not answer within {PATIENCE_SECONDS} s"
    placed = await desk.services.database.ask(_placed, desk.services.vault, desk.host, row.id)
    shown = {"lock": row, "plan": plan, "steps": _steps(plan, placed), "problem": problem}
    return desk.page("console/locks/preview.html", {**PART, **shown}, status=502 if problem else 200)


def _placed(connection: Connection, vault: Vault, host: HostId, lock: LockId) -> list[Placement]:
    row = locks.get_lock(connection, host, lock)
    return locks.live_placements(connection, vault, lock) if row is not None else []


DOES = {"set": "put on", "update": "correct", "remove": "take off"}


def _steps(plan: Plan, placed: Iterable[Placement]) -> list[dict[str, Any]]:
    """The plan in words: what is done to which code, and why."""
    known = {placement.id: placement for placement in placed}
    return [
        {"do": DOES[action.verb.value], "code": known.get(action.placement), "why": action.why}
        for action in plan.actions
    ]


@router.get("/locks/{lock}/log")
async def log(desk: Seeing, lock: int) -> Response:
    """What the lock's own log says: its lock app is asked now."""
    row, events, problem = await _row(desk, lock), [], ""
    since = desk.now - LOG_REACH
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            events = await lock_log.of_lock(desk.services, row, since, LOG_LENGTH)
    except (BadInput, Unreachable, ProviderError) as error:
        problem = str(error)
    except TimeoutError:
        problem = f"the lock app did not answer within {PATIENCE_SECONDS} s"
    zone = await desk.services.database.ask(lock_log.zone_of, row.id)
    shown = {"lock": row, "events": events, "problem": problem, "zone": zone, "days": LOG_REACH.days}
    return desk.page("console/locks/log.html", {**PART, **shown}, status=502 if problem else 200)
