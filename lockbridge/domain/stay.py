"""When a stay's code opens and when it goes (R16–R18, R29, R30, R44). Local time lives here and nowhere else."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from lockbridge.domain.code import Window
from lockbridge.domain.ids import StayId
from lockbridge.domain.lock import Rounding

GRACE = timedelta(hours=24)
"""How long a code that does no harm stays on its lock (R29, R30)."""
SENSIBLE_YEARS = range(1970, 9000)
PHONE_IDENTIFIES = 7
"""Fewer digits than these are shared by strangers ("last 4 digits")."""


class StayStatus(StrEnum):
    """What the booking platform says about the reservation."""

    CONFIRMED = "confirmed"
    PENDING = "pending"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


class TimeSource(StrEnum):
    """Where a stay's time of day came from; the first that is known holds, the host's own word before all."""

    HOST = "host"
    """The host set it for this stay (R41)."""
    PLANNED = "planned"
    """The platform has confirmed it for this stay, over its usual times."""
    INSTANT = "instant"
    """The platform gives the moment itself, with an offset."""
    RESERVATION = "reservation"
    """A local time that stands in the reservation."""
    LISTING = "listing"
    """The usual time of the property at the platform."""
    PROPERTY = "property"
    """The usual time of the property here."""


def known_zone(name: str) -> bool:
    """Whether it is the name of an IANA time zone."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def to_utc(day: date, at: time, zone: str, *, end: bool = False) -> datetime:
    """The UTC instant of a local time in an IANA zone, in favour of the guest (R16).

    A time the clocks skip moves forward by the gap; of a time that comes twice, a start is the earlier and an end
    the later. Raises ``ValueError`` for years outside 1970–8999 and ``KeyError`` for an unknown zone.
    """
    if day.year not in SENSIBLE_YEARS:
        msg = f"{day} is not a date somebody stays on"
        raise ValueError(msg)
    local = datetime.combine(day, at.replace(tzinfo=None), tzinfo=ZoneInfo(zone))
    first = local.replace(fold=0).astimezone(UTC)
    return max(first, local.replace(fold=1).astimezone(UTC)) if end else first


def to_local(instant: datetime, zone: str) -> datetime:
    """The same instant as the property's clock shows it. Raises ``KeyError`` for an unknown zone."""
    return instant.astimezone(ZoneInfo(zone))


@dataclass(frozen=True, slots=True)
class Buffers:
    """How much earlier and later than the stay the code works; zero or more. Raises ``ValueError``."""

    before: timedelta = timedelta(0)
    after: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if min(self.before, self.after) < timedelta(0):
            msg = "a buffer cannot be negative"
            raise ValueError(msg)


def access_window(
    arrival: date, check_in: time, departure: date, check_out: time, zone: str, buffers: Buffers
) -> Window:
    """From check-in less the buffer before to check-out plus the buffer after (R16), local times in the zone.

    Raises ``ValueError`` in plain text when the check-out is not after the check-in.
    """
    starts = to_utc(arrival, check_in, zone)
    ends = to_utc(departure, check_out, zone, end=True)
    if ends <= starts or (departure, check_out) <= (arrival, check_in):
        msg = f"the check-out ({departure} {check_out:%H:%M}) is not after the check-in ({arrival} {check_in:%H:%M})"
        raise ValueError(msg)
    return Window(starts - buffers.before, ends + buffers.after)


_STEPS = {Rounding.MINUTE: timedelta(minutes=1), Rounding.HOUR: timedelta(hours=1), Rounding.DAY: timedelta(hours=1)}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def rounded(window: Window, rounding: Rounding) -> Window:
    """The smallest window of the lock app's making that contains this one (R18), in UTC.

    ``DAY``: the start at the full hour, the end a whole number of 24 h later.
    """
    if rounding is Rounding.NONE:
        return window
    step = _STEPS[rounding]
    starts = window.starts - (window.starts - _EPOCH) % step
    if window.ends is None:
        return Window(starts, None)
    if rounding is Rounding.DAY:
        return Window(starts, window.ends + (starts - window.ends) % _DAY)
    return Window(starts, window.ends + (_EPOCH - window.ends) % step)


def push_time(window: Window, lead: timedelta, made_at: datetime) -> datetime:
    """When the code is due at the lock: ``lead`` before its window opens, or at once if that is past (R17)."""
    return max(window.starts - lead, made_at)


def removal_time(window: Window, *, keeps_windows: bool) -> datetime | None:
    """When a finished code comes off its lock (R29). None for a window without end.

    24 h after the window closed, or as it closes on a lock that does not itself enforce the window.
    """
    if window.ends is None or not keeps_windows:
        return window.ends
    return window.ends + GRACE


def removal_after_cancellation(window: Window, cancelled_at: datetime) -> datetime:
    """When a cancelled code comes off its lock (R30).

    At once if its window has opened or opens within 24 h of the cancellation, else 24 h after the cancellation.
    """
    later = cancelled_at + GRACE
    return cancelled_at if window.starts <= later else later


@dataclass(frozen=True, slots=True)
class GuestIdentity:
    """What tells one guest from another; ``platform_guest`` names the platform too, so that ids do not mix."""

    phone: str | None
    email: str | None
    platform_guest: str | None

    @property
    def marks(self) -> frozenset[tuple[str, str]]:
        """The parts that identify, normalised: phone digits, e-mail in one case, platform guest."""
        digits = "".join(str(unicodedata.decimal(char)) for char in self.phone or "" if char.isdecimal())
        return frozenset(
            (kind, value)
            for kind, value in (
                ("phone", digits if len(digits) >= PHONE_IDENTIFIES else ""),
                ("email", (self.email or "").strip().casefold()),
                ("platform", (self.platform_guest or "").strip()),
            )
            if value
        )


def same_guest(one: GuestIdentity, other: GuestIdentity) -> bool:
    """Whether the two share a phone number, an e-mail address or a platform guest; what is unknown never matches."""
    return not one.marks.isdisjoint(other.marks)


@dataclass(frozen=True, slots=True)
class StaySpan:
    """One stay of a property as R44 sees it. The dates are local to the property."""

    stay: StayId
    arrival: date
    departure: date
    guest: GuestIdentity
    window: Window


def chains(spans: Sequence[StaySpan]) -> list[tuple[StaySpan, ...]]:
    """The stays of one property, each in exactly one chain, by arrival (R44).

    A stay continues a chain when it begins on the day the last one ends and its guest is one of the chain's.
    """
    found: list[list[StaySpan]] = []
    for span in sorted(spans, key=lambda span: (span.arrival, span.window.starts, span.departure, span.stay)):
        open_chain = next((chain for chain in found if _continues(span, chain)), None)
        if open_chain is None:
            found.append([span])
        else:
            open_chain.append(span)
    return [tuple(chain) for chain in found]


def _continues(span: StaySpan, chain: Sequence[StaySpan]) -> bool:
    return chain[-1].departure == span.arrival and any(same_guest(span.guest, earlier.guest) for earlier in chain)


def chain_window(chain: Sequence[StaySpan]) -> Window:
    """One window without a gap, from the first start of the chain to its last end (R44)."""
    ends = [span.window.ends for span in chain if span.window.ends is not None]
    starts = min(span.window.starts for span in chain)
    return Window(starts, max(ends) if len(ends) == len(chain) else None)
