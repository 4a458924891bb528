"""The guided start: from nothing to a code on a lock, one step at a time; each can be left and resumed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, LockId, PropertyId
from lockbridge.domain.messages import GuestMessage
from lockbridge.domain.people import Right
from lockbridge.domain.rules import ACCESS_CODE
from lockbridge.domain.start import Step, StepName, next_step
from lockbridge.platforms import generic
from lockbridge.services import Services
from lockbridge.storage import hosts, locks
from lockbridge.storage.hosts import LockAppRow, PropertyRow
from lockbridge.storage.locks import LockRow
from lockbridge.web.console.messages import when_of
from lockbridge.web.console.once import show_once, shown_once
from lockbridge.web.desk import Connecting, Desk, NotHere, Seeing
from lockbridge.workflows import connect, foretell, hearing, rules, start, writing
from lockbridge.workflows.connect import BadInput, NewProperty
from lockbridge.workflows.explain import StayView
from lockbridge.workflows.hearing import Hearing

router = APIRouter()
TEMPLATE = "console/start/start.html"
DONE = "done"


@dataclass(frozen=True, slots=True)
class Ground:
    """What the steps are taken on."""

    steps: Sequence[Step]
    apps: Sequence[LockAppRow]
    locks: Sequence[LockRow]
    places: Sequence[PropertyRow]
    pairs: Sequence[tuple[PropertyId, LockId]]
    hearings: Sequence[Hearing]
    sources: Mapping[Any, str]
    test: StayView | None

    @property
    def matched(self) -> Sequence[tuple[str, str]]:
        """Which lock opens which property, by name."""
        places = {row.id: row.name for row in self.places}
        names = {row.id: row.name for row in self.locks}
        return [(places[place], names[lock]) for place, lock in self.pairs if lock in names]


def _ground(connection: Connection, services: Services, desk: Desk) -> Ground:
    places = hosts.properties_of_host(connection, desk.host)
    return Ground(
        start.steps_of(connection, desk.host),
        hosts.lock_apps_of_host(connection, services.vault, desk.host),
        locks.locks_of_host(connection, desk.host),
        places,
        hosts.matches_of_host(connection, desk.host),
        hearing.of_host(connection, services, desk.host),
        hearing.source_names(connection, services, desk.host),
        start.test_stay(connection, services, desk.host, desk.now),
    )


@router.get("/start")
async def show(desk: Seeing, step: str = "") -> Response:
    """The steps, and what is to be done for the one that is next or was chosen."""
    ground = await desk.services.database.ask(_ground, desk.services, desk)
    return await _page(desk, ground, _chosen(ground.steps, step))


def _chosen(steps: Sequence[Step], wanted: str) -> Step | None:
    """The step that was asked for, else the next; None: there is nothing more to do."""
    if wanted == DONE:
        return None
    return next((step for step in steps if step.name == wanted), None) or next_step(steps)


async def _page(desk: Desk, ground: Ground, chosen: Step | None, *, status: int = 200, **more: Any) -> Response:
    shown = {
        "part": "start",
        "ground": ground,
        "chosen": chosen,
        "done": sum(step.done for step in ground.steps),
        "error": "",
        "typed": {},
        "once": shown_once(desk) if desk.may(Right.CONNECT) else None,
        "platforms": desk.services.platforms,
        "own": generic.KEY,
        "words": None,
        "following": _following(ground.steps, chosen),
    }
    if chosen is not None and chosen.name is StepName.MESSAGES:
        shown["words"] = await _words(desk)
    return desk.page(TEMPLATE, {**shown, **more}, status=status)


def _following(steps: Sequence[Step], chosen: Step | None) -> str:
    """Where one goes on to from a step that is done."""
    found = next_step(steps, chosen.name) if chosen is not None else None
    return found.name.value if found is not None else DONE


async def _again(desk: Desk, name: StepName, *, error: str, **more: Any) -> Response:
    """The step once more, with what was wrong."""
    ground = await desk.services.database.ask(_ground, desk.services, desk)
    chosen = _chosen(ground.steps, name.value)
    return await _page(desk, ground, chosen, status=422, error=error, **more)


def _on(desk: Desk, said: str, step: StepName | None = None) -> Response:
    """On with the start; to a step, or to whichever is next."""
    return desk.go(f"{desk.base}/start" + (f"?step={step.value}" if step is not None else ""), said)


# ---------------------------------------------------------------------------------------------------------- leaving


@router.post("/start/later/{step}")
async def leave(desk: Connecting, step: str) -> Response:
    """Leave a step for later; the next one is shown."""
    name = _step(step)
    await start.put_off(desk.services, desk.host, name)
    steps = await desk.services.database.ask(start.steps_of, desk.host)
    following = next_step(steps, name)
    return desk.go(f"{desk.base}/start?step={following.name.value if following else DONE}")


@router.post("/start/resume/{step}")
async def resume(desk: Connecting, step: str) -> Response:
    """Come back to a step that was left."""
    name = _step(step)
    await start.take_up(desk.services, desk.host, name)
    return _on(desk, "", name)


def _step(name: str) -> StepName:
    if name not in set(StepName):
        raise NotHere
    return StepName(name)


@router.post("/start/no-reminder")
async def no_reminder(desk: Connecting) -> Response:
    """Show no reminder of open steps any more."""
    await start.want_no_reminder(desk.services, desk.host)
    return desk.go(desk.base, "Today does not remind of the guided start any more.")


# ------------------------------------------------------------------------------------------------------ properties


@router.post("/start/property")
async def add_property(desk: Connecting) -> Response:
    """Add a property with what is needed; the rest can be said later."""
    new = NewProperty(desk.text("name"), desk.text("zone"))
    try:
        await connect.add_property(desk.services, desk.host, new, [], desk.now)
    except BadInput as error:
        typed = {"name": desk.text("name"), "zone": desk.text("zone")}
        return await _again(desk, StepName.PROPERTIES, error=str(error), typed=typed)
    await desk.note("added the property", new.name)
    return _on(desk, f"{new.name} is added.", StepName.PROPERTIES)


# --------------------------------------------------------------------------------------------------------- bookings


@router.post("/start/address")
async def make_address(desk: Connecting) -> Response:
    """Make a webhook address for a system of one's own; the step shows it and waits for the first webhook."""
    address = await hearing.add_address(desk.services, desk.host, generic.KEY, None, desk.now)
    await desk.note("made a webhook address", generic.HOOK.title)
    return show_once(desk, _on(desk, "", StepName.BOOKINGS), address, given=False)


@router.post("/start/test-booking")
async def send_test_booking(desk: Connecting) -> Response:
    """Have a test booking come in as a real one would."""
    number = PropertyId(desk.number("place"))
    try:
        await start.send_test_booking(desk.services, desk.host, number, desk.person.email, desk.now)
    except BadInput as error:
        return await _again(desk, StepName.BOOKINGS, error=str(error))
    await desk.note("sent a test booking")
    return _on(desk, "A test booking is on its way; its code goes to the lock within a minute.", StepName.BOOKINGS)


@router.post("/start/test-booking/cancel")
async def cancel_test_booking(desk: Connecting) -> Response:
    """Take the test booking back: its code comes off the locks."""
    try:
        await start.cancel_test_booking(desk.services, desk.host, desk.now)
    except BadInput as error:
        return await _again(desk, StepName.BOOKINGS, error=str(error))
    await desk.note("took back the test booking")
    return _on(desk, "The test booking is cancelled; its code comes off the lock.", StepName.BOOKINGS)


# --------------------------------------------------------------------------------------------------------- messages


async def _words(desk: Desk) -> dict[str, Any]:
    """What a guest is told first, and when: as an invented one would read it."""
    held = {each.rule.name: each.rule for each in await rules.rules_of(desk.services, desk.host, None)}
    rule = held[ACCESS_CODE]
    text = await desk.services.database.ask(_access_code, desk.services, desk.host, desk.row.language, desk)
    return {"when": when_of(rule), "enabled": rule.enabled, "text": text, "template": rule.template}


def _access_code(connection: Connection, services: Services, host: HostId, language: str, desk: Desk) -> Any:
    written = writing.opened(connection, services, host, GuestMessage.ACCESS_CODE.value, language)
    return foretell.draft(connection, services, host, written, None, desk.now)


@router.post("/start/looks-right")
async def looks_right(desk: Connecting) -> Response:
    """The messages are as they should be."""
    await start.messages_look_right(desk.services, desk.host)
    steps = await desk.services.database.ask(start.steps_of, desk.host)
    following = next_step(steps)
    return desk.go(f"{desk.base}/start?step={following.name.value if following else DONE}")
