"""What the page of one stay shows: asked for in one go, and put in words. Digits and contacts only where asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain import naming, pins
from lockbridge.domain.code import Pin
from lockbridge.domain.ids import HostId, LockId, StayId
from lockbridge.domain.naming import NameChoice, NameReason
from lockbridge.domain.pins import PinReason
from lockbridge.domain.status import Shown, Status
from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.domain.veil import HIDDEN, unlinked, veiled
from lockbridge.services import Services
from lockbridge.storage import guest_links, sources
from lockbridge.storage.codes import CodeRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.outbox import MessageRow
from lockbridge.storage.sources import SightingRow
from lockbridge.storage.stays import StayRow
from lockbridge.web.pages import words
from lockbridge.workflows import explain, foretell, guest
from lockbridge.workflows.explain import StayView
from lockbridge.workflows.foretell import Foretold

UNSENT = frozenset({"waiting", "held"})


@dataclass(frozen=True, slots=True)
class Door:
    """One line of Property Access. ``pin`` are the digits, or their mask; empty: there are none."""

    lock: LockId
    name: str
    pin: str
    code_name: str
    shown: Shown
    next: str
    """What happens at ``shown.next_at``; empty: nothing more that is known."""
    is_backup: bool
    may_have_backup: bool


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day of the stay, and who said so."""

    at: str
    source: str


@dataclass(frozen=True, slots=True)
class Word:
    """What another source than the one that rules says of the stay."""

    who: str
    word: SightingRow


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of the timeline. ``tone``: good, bad, or neither."""

    entry: Entry
    lock: str
    tone: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message that was sent, or that will not be."""

    row: MessageRow
    text: str
    """Empty: there is none, or it was erased."""


@dataclass(frozen=True, slots=True)
class Coming:
    """A message to come as it would read now."""

    told: Foretold
    ways: str
    text: str


@dataclass(frozen=True, slots=True)
class StayPage:
    """Everything about a stay, as its page shows it."""

    view: StayView
    digits: bool
    who: str
    """Which source rules the stay."""
    doors: Sequence[Door]
    words: Sequence[Word]
    check_in: Time
    check_out: Time
    why_pin: str
    why_name: str
    phone: str = field(repr=False)
    email: str = field(repr=False)
    history: Sequence[Happened]
    sent: Sequence[Said] = field(repr=False)
    coming: Sequence[Coming] = field(repr=False)
    link: str = field(repr=False)
    """The address of the guest's page; empty: there is none, or digits are hidden."""

    @property
    def zone(self) -> str | None:
        """The zone of its property; None: it is not known."""
        return self.view.place.zone if self.view.place else None

    @property
    def over(self) -> bool:
        """Whether it gets no code any more, so that there is nothing to do for it."""
        return self.view.stay.status in (StayStatus.CANCELLED, StayStatus.BLOCKED)


def look(
    connection: Connection,
    services: Services,
    host: HostId,
    stay: StayId,
    now: datetime,
    *,
    digits: bool,
    links: bool,
) -> StayPage | None:
    """The page of a stay; None: it is not this host's. Who has a link sees digits for as long as the stay lasts."""
    view = explain.view(connection, services, host, stay, now)
    if view is None:
        return None
    who, words = _sources(connection, services, view.stay)
    coming = foretell.foretell(connection, services, host, stay, now, rule=None, digits=digits)
    token = guest_links.of_stay(connection, services.vault, host, stay) if links else None
    return StayPage(
        view,
        digits,
        who,
        _doors(view, now, digits=digits),
        words,
        _time(view, "check_in"),
        _time(view, "check_out"),
        _why_pin(view.code),
        _why_name(view.code),
        _contact(view.stay.contact.phone, digits=digits),
        _contact(view.stay.contact.email, digits=digits),
        _history(view),
        [Said(row, _read(row.text, digits=digits, links=links)) for row in view.messages if row.state not in UNSENT],
        [_coming(each, digits=digits) for each in coming],
        guest.page_of(services, token) if token else "",
    )


def _sources(connection: Connection, services: Services, row: StayRow) -> tuple[str, list[Word]]:
    words = sources.sightings_of(connection, [row.id]).get(row.id, [])
    known = {key for key in (row.source, *(word.source for word in words)) if key is not None}
    names = {key: found.name for key, found in sources.by_ids(connection, services.vault, known).items()}
    platforms = services.platforms
    titles = {
        key: platforms[key].title for key in (row.platform, *(word.platform for word in words)) if key in platforms
    }

    def name(source: object, platform: str) -> str:
        return next((found for key, found in names.items() if key == source), titles.get(platform, platform))

    return name(row.source, row.platform), [Word(name(word.source, word.platform), word) for word in words]


# ---------------------------------------------------------------------------------------------------- Property Access


def _doors(view: StayView, now: datetime, *, digits: bool) -> list[Door]:
    helped = {line.lock for line in view.access if line.is_backup and line.shown.status is not Status.REMOVED}
    last = {line.lock: number for number, line in enumerate(view.access) if not line.is_backup}
    return [
        Door(
            line.lock,
            line.lock_name,
            _pin(line.pin, digits=digits),
            line.code_name,
            line.shown,
            _next(line.shown, now),
            line.is_backup,
            not line.is_backup and last[line.lock] == number and line.lock not in helped and _wanted(line.shown),
        )
        for number, line in enumerate(view.access)
    ]


def _pin(pin: Pin | None, *, digits: bool) -> str:
    """The digits, or as many dots: where they are hidden, not one of them is shown."""
    return "" if pin is None else pin.digits if digits else HIDDEN


def _wanted(line: Shown) -> bool:
    return line.status not in (Status.REMOVED, Status.REMOVING)


_NEXT = {
    Status.PENDING: "it goes to the lock",
    Status.SCHEDULED: "it comes off the lock",
    Status.SET: "it comes off the lock",
    Status.FAILED: "next try",
    Status.BACKUP_GIVEN: "next try with its own code",
    Status.REMOVING: "it comes off the lock",
}


def _next(line: Shown, now: datetime) -> str:
    """What happens next; something that is due is under way."""
    if line.next_at is None or line.status not in _NEXT:
        return ""
    if line.next_at > now:
        return _NEXT[line.status]
    return "it is being taken off the lock" if line.status is Status.REMOVING else "it is under way to the lock"


# -------------------------------------------------------------------------------------------------------------- facts


_FROM = {
    TimeSource.HOST: "set by you for this stay",
    TimeSource.PLANNED: "confirmed by the booking platform",
    TimeSource.INSTANT: "from the booking",
    TimeSource.RESERVATION: "from the booking",
    TimeSource.LISTING: "the usual time at the booking platform",
    TimeSource.PROPERTY: "the property's usual time",
}


def _time(view: StayView, name: str) -> Time:
    row, usual = view.stay, getattr(view.place, name) if view.place else ""
    if own := getattr(row, f"host_{name}"):
        return Time(own, _FROM[TimeSource.HOST])
    if told := getattr(row, name):
        return Time(told, _FROM[TimeSource(getattr(row, f"{name}_from") or TimeSource.RESERVATION)])
    return Time(usual, _FROM[TimeSource.PROPERTY] if usual else "not known: its property is not")


def _why_pin(code: CodeRow | None) -> str:
    if code is None or code.pin_reason not in set(PinReason):
        return ""
    return pins.explain(PinReason(code.pin_reason), code.pin_detail)


def _why_name(code: CodeRow | None) -> str:
    if code is None or code.name_reason not in set(NameReason):
        return ""
    return naming.because(NameChoice(code.name, NameReason(code.name_reason), code.name_detail))


def _contact(known: str | None, *, digits: bool) -> str:
    return "" if known is None else known if digits else HIDDEN


# ------------------------------------------------------------------------------------------------ what happened, said


_BAD = frozenset(
    {"refused", "not_confirmed", "vanished", "changed_by_hand", "cannot_take_back", "no_room", "message_refused"}
)
_GOOD = frozenset({"confirmed", "message_sent", "backup_given"})


def _history(view: StayView) -> list[Happened]:
    names = {line.lock: line.lock_name for line in view.access}
    return [
        Happened(
            entry,
            names.get(entry.lock, f"lock {entry.lock}") if entry.lock is not None else "",
            "bad" if entry.kind in _BAD else "good" if entry.kind in _GOOD else "",
        )
        for entry in view.history
    ]


def _read(text: str | None, *, digits: bool, links: bool = True) -> str:
    if text is None or (digits and links):
        return text or ""
    return unlinked(text) if digits else veiled(text)


def _coming(each: Foretold, *, digits: bool) -> Coming:
    whole = f"{each.text.subject}\n\n{each.text.text}".strip() if each.text is not None else ""
    return Coming(each, ", ".join(words(way.value) for way in each.ways), _read(whole, digits=digits))
