"""Stays: the list one searches, the page of one stay, and everything one can do to it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Path
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, LockId, PropertyId, StayId
from lockbridge.domain.people import Right
from lockbridge.domain.placement import Placement
from lockbridge.domain.status import Shown, Status, shown, together
from lockbridge.domain.stay import StayStatus
from lockbridge.services import Services
from lockbridge.storage import finding, hosts, stays
from lockbridge.storage.finding import Cursor, Found, Page, Wanted, When
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.stays import StayRow
from lockbridge.web.console import previewing, stay_page
from lockbridge.web.console.previewing import Proposal
from lockbridge.web.desk import Connecting, Desk, NotHere, RunningStays, Seeing, local_path
from lockbridge.workflows import clean_up, guest, properties, reservations, stay_actions
from lockbridge.workflows.connect import BadInput

router = APIRouter()

Chosen = TypeVar("Chosen", bound=StrEnum)
StayNumber = Annotated[int, Path(ge=1, lt=2**63)]
LONGEST_SEARCH = 100
SHORTEST_REASON = 10
"""Letters of the reason that support gives for looking at digits."""
LONGEST_REASON = 500


# ----------------------------------------------------------------------------------------------------------- the list


@dataclass(frozen=True, slots=True)
class Line:
    """A stay in the list, and how its code stands."""

    stay: Found
    code: Shown | None
    doors: int
    ready: int
    """On how many of them the code is set."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the list can be narrowed to."""

    places: Sequence[PropertyRow]
    platforms: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address of the list says."""

    q: str = ""
    when: str = ""
    property: str = ""
    status: str = ""
    platform: str = ""
    problems: str = ""
    after: str = ""
    before: str = ""

    def wanted(self) -> Wanted:
        """Which stays are meant; what is no choice of a filter narrows nothing."""
        return Wanted(
            " ".join(self.q.split())[:LONGEST_SEARCH],
            _choice(When, self.when) or When.OPEN,
            PropertyId(int(self.property)) if _is_number(self.property) else None,
            _choice(StayStatus, self.status),
            self.platform[:LONGEST_SEARCH],
            bool(self.problems),
        )

    def cursor(self) -> Cursor | None:
        """From where on the page is wanted."""
        return _cursor(self.before, back=True) or _cursor(self.after)


def _choice(kind: type[Chosen], text: str) -> Chosen | None:
    return kind(text) if text in set(kind) else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19  # noqa: PLR2004 - a 64-bit number


def _cursor(text: str, *, back: bool = False) -> Cursor | None:
    day, _, number = text.partition(".")
    if not _is_number(number):
        return None
    try:
        return Cursor(date.fromisoformat(day), StayId(int(number)), back)
    except ValueError:
        return None


@router.get("/stays")
async def list_stays(desk: Seeing) -> Response:
    """A page of the host's stays, narrowed by words and filters."""
    known = {name: text for name, text in desk.request.query_params.items() if name in Asked.__dataclass_fields__}
    asked = Asked(**known)
    wanted = asked.wanted()
    ask = desk.services.database.ask
    page, choices = await ask(_page_of, desk.services, desk.host, wanted, asked.cursor(), desk.now)
    context = {
        "part": "stays",
        "wanted": wanted,
        "narrowed": wanted != Wanted(when=When.ALL),
        "lines": [_line(found, desk.now) for found in page.stays],
        "choices": choices,
        "titles": dict(choices.platforms),
        "before": _link(desk, wanted, "before", page.before),
        "after": _link(desk, wanted, "after", page.after),
    }
    return desk.page("console/stays/list.html", context)


def _page_of(
    connection: Connection, services: Services, host: HostId, wanted: Wanted, at: Cursor | None, now: datetime
) -> tuple[Page, Choices]:
    keys = finding.platforms(connection, host)
    titles = [(key, services.platforms[key].title if key in services.platforms else key) for key in keys]
    page = finding.search(connection, host, wanted, at, now)
    return page, Choices(hosts.properties_of_host(connection, host), titles)


def _link(desk: Desk, wanted: Wanted, name: str, at: Cursor | None) -> str:
    if at is None:
        return ""
    fields = {
        "q": wanted.words,
        "when": wanted.when.value,
        "property": wanted.property or "",
        "status": wanted.status.value if wanted.status else "",
        "platform": wanted.platform,
        "problems": "yes" if wanted.troubled else "",
        name: str(at),
    }
    return f"{desk.base}/stays?{urlencode({key: value for key, value in fields.items() if value})}"


def _line(found: Found, now: datetime) -> Line:
    lines = [shown(each, now, backup_given=each.lock in found.helped) for each in _latest(found.placements)]
    wanted = [line for line in lines if line.status not in (Status.REMOVED, Status.REMOVING)] or lines
    ready = sum(1 for line in wanted if line.status in (Status.SET, Status.SCHEDULED))
    return Line(found, together(wanted), len(wanted), ready)


def _latest(placements: Sequence[Placement]) -> list[Placement]:
    """Of each lock the last one: a code may have been there before."""
    return list({each.lock: each for each in placements}.values())


# ----------------------------------------------------------------------------------------------------------- one stay


@router.get("/stays/{stay}")
async def show_stay(desk: Seeing, stay: StayNumber, show: str = "") -> Response:
    """A stay; with ``show``, for those who may see them, with digits and contacts: that is written down."""
    digits = bool(show) and desk.may(Right.SEE_PINS)
    if digits:
        await _there(desk, stay)
        await desk.note("looked at the code of", f"stay {stay}")
    return await _page(desk, stay, digits=digits)


@router.post("/stays/{stay}/reveal")
async def reveal(desk: Seeing, stay: StayNumber) -> Response:
    """The stay with digits and contacts, this once, for support that says why: the owner reads it."""
    desk.need(Right.REVEAL)
    await _there(desk, stay)
    why = " ".join(desk.text("why").split())[:LONGEST_REASON]
    if len(why) < SHORTEST_REASON:
        error = f"say in at least {SHORTEST_REASON} letters why you need the code: the owner reads it"
        return await _page(desk, stay, error=error)
    await desk.note("revealed the code of", f"stay {stay}", why)
    return await _page(desk, stay, digits=True)


async def _there(desk: Desk, stay: int) -> StayRow:
    """The stay. Raises NotHere when it is not this host's."""
    found = await desk.services.database.ask(stays.get, desk.services.vault, desk.host, StayId(stay))
    if found is None:
        raise NotHere
    return found


async def _page(desk: Desk, stay: int, *, digits: bool = False, error: str = "") -> Response:
    ask = desk.services.database.ask
    links = digits and desk.may(Right.SEE_PINS)
    seen = await ask(stay_page.look, desk.services, desk.host, StayId(stay), desk.now, digits=digits, links=links)
    if seen is None:
        raise NotHere
    typed = {name: desk.text(name) or getattr(seen.view.stay, f"host_{name}") for name in ("check_in", "check_out")}
    places = [] if seen.view.place else await ask(hosts.properties_of_host, desk.host)
    context = {"part": "stays", "seen": seen, "stay": seen.view.stay, "typed": typed, "error": error, "places": places}
    return desk.page("console/stays/show.html", context, status=422 if error else 200)


# ------------------------------------------------------------------------------------------------ what one does to it

Act = Callable[[StayId, datetime], Awaitable[str]]


async def _do(desk: Desk, stay: int, act: Act, what: str) -> Response:
    """Do it, write down who did, and say what came of it where the form was: at ``back``, or on the stay's page."""
    await _there(desk, stay)
    back = desk.text("back")
    try:
        said = await act(StayId(stay), desk.now)
    except BadInput as error:
        if back:
            return desk.go(_back(desk, stay), f"{_sentence(str(error))}", trouble=True)
        return await _page(desk, stay, error=_sentence(str(error)))
    await desk.note(what, f"stay {stay}")
    return desk.go(_back(desk, stay), said)


@router.post("/stays/{stay}/property")
async def say_which_property(desk: Connecting, stay: StayNumber) -> Response:
    """Say which property it is in: from then on that name of its platform is known, and stays under it get codes."""
    row = await _there(desk, stay)
    mine = await desk.services.database.ask(hosts.properties_of_host, desk.host)
    place = next((each for each in mine if str(each.id) == desk.text("property")), None)
    if place is None:
        raise NotHere
    change = properties.naming(desk.host, place.id, row.platform, row.property_ref, desk.now)
    title, back = f"{row.property_ref} is {place.name}", f"{desk.base}/stays/{stay}"
    said = f"{place.name}, from now on. The code follows within a minute."
    deed, about = "noted a platform's name of", f"property {place.id}"
    try:
        return await previewing.decide(desk, Proposal(change, title, back, said, deed, about, "stays", zone=place.zone))
    except BadInput as error:
        return await _page(desk, stay, error=_sentence(str(error)))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _back(desk: Desk, stay: int, otherwise: str = "") -> str:
    return local_path(desk.text("back"), otherwise or f"{desk.base}/stays/{stay}")


@router.post("/stays/{stay}/try-again")
async def try_again(desk: RunningStays, stay: StayNumber) -> Response:
    """Attend to its locks now."""
    return await _do(desk, stay, partial(stay_actions.try_again, desk.services, desk.host), "tried again")


@router.post("/stays/{stay}/give-backup")
async def give_backup(desk: RunningStays, stay: StayNumber) -> Response:
    """Give it a backup code on one lock."""
    lock = LockId(int(desk.text("lock"))) if _is_number(desk.text("lock")) else LockId(0)

    async def act(key: StayId, now: datetime) -> str:
        why = f"{desk.who} gave it"
        return await stay_actions.give_backup(desk.services, desk.host, key, lock, now, why=why)

    return await _do(desk, stay, act, "gave a backup code to")


@router.post("/stays/{stay}/reissue")
async def reissue(desk: RunningStays, stay: StayNumber) -> Response:
    """Give it other digits."""
    return await _do(desk, stay, partial(stay_actions.reissue, desk.services, desk.host), "re-issued the code of")


@router.post("/stays/{stay}/restore")
async def restore(desk: RunningStays, stay: StayNumber) -> Response:
    """Take a revocation back."""
    return await _do(desk, stay, partial(stay_actions.restore, desk.services, desk.host), "restored the code of")


@router.post("/stays/{stay}/revoke")
async def revoke(desk: RunningStays, stay: StayNumber) -> Response:
    """Take its code off every lock now; asked once more where the form did not say that it is meant."""
    if not desk.checked("sure"):
        return await _ask(desk, stay, "revoke")
    return await _do(desk, stay, partial(stay_actions.revoke, desk.services, desk.host), "revoked the code of")


@router.post("/stays/{stay}/times")
async def set_times(desk: RunningStays, stay: StayNumber) -> Response:
    """Give it other times of day."""
    begins, ends = desk.text("check_in"), desk.text("check_out")

    async def act(key: StayId, now: datetime) -> str:
        return await stay_actions.set_times(desk.services, desk.host, key, begins, ends, now)

    return await _do(desk, stay, act, "changed the times of")


_WORDS = {"confirm": StayStatus.CONFIRMED, "cancel": StayStatus.CANCELLED, "follow": None}
_DECIDED = {
    "confirm": "The stay counts as booked, whatever its sources say: it gets its code.",
    "cancel": "The stay counts as cancelled, whatever its sources say: its code is taken away.",
    "follow": "The stay follows what its sources say again.",
}


@router.post("/stays/{stay}/decide")
async def decide(desk: RunningStays, stay: StayNumber) -> Response:
    """The host's own word on it: confirm, cancel, or follow its sources again."""
    word = desk.text("word")

    async def act(key: StayId, now: datetime) -> str:
        if word not in _WORDS:
            msg = "say whether to confirm the stay, to cancel it, or to follow its sources"
            raise BadInput(msg)
        await reservations.decide(desk.services, desk.host, key, _WORDS[word], now)
        return _DECIDED[word]

    return await _do(desk, stay, act, f"decided ({word}) about" if word in _WORDS else "decided about")


@router.post("/stays/{stay}/erase")
async def erase(desk: RunningStays, stay: StayNumber) -> Response:
    """Erase its guest; asked once more where the form did not say that it is meant."""
    if not desk.checked("sure"):
        return await _ask(desk, stay, "erase")

    async def act(key: StayId, now: datetime) -> str:
        await clean_up.erase_guest(desk.services, desk.host, key, now)
        return "The guest's name, contacts and messages are erased. The history keeps what was decided, not about whom."

    return await _do(desk, stay, act, "erased the guest of")


@router.post("/stays/{stay}/guest-link")
async def make_link(desk: RunningStays, stay: StayNumber) -> Response:
    """Make the link to the guest's page, where there is none, and show it: who has it sees the code."""
    await _there(desk, stay)
    await guest.link(desk.services, desk.host, StayId(stay), desk.now)
    await desk.note("made a guest link for", f"stay {stay}")
    return desk.go(f"{desk.base}/stays/{stay}?show=1#guest-page")


@router.post("/stays/{stay}/guest-link/revoke")
async def revoke_link(desk: RunningStays, stay: StayNumber) -> Response:
    """Have the guest's link lead nowhere."""

    async def act(key: StayId, now: datetime) -> str:
        gone = await guest.revoke_link(desk.services, desk.host, key, now)
        return "The guest's link leads nowhere any more." if gone else "There was no guest link."

    return await _do(desk, stay, act, "withdrew the guest link of")


async def _ask(desk: Desk, stay: int, what: str) -> Response:
    """Whether it is meant: for browsers without JavaScript, and forms that came without the tick."""
    row = await _there(desk, stay)
    context = {"part": "stays", "stay": row, "what": what, "back": _back(desk, stay)}
    return desk.page("console/stays/sure.html", context)
