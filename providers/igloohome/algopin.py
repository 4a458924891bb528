"""Which algoPIN to ask for: one of the vendor's kinds, a window on the hour, and a variance.

An algoPIN follows from lock, window and variance alone: asked for twice, it is the same (SDK ``igloohome-api``).

*Second code in the same hours.* The vendor remembers nothing that could be asked for and a driver remembers nothing at
all, so the variance (1 to 3) follows from the code's **name**: asking again after a lost answer, from whatever process,
tells the same digits, and codes of one lock have different names (R14). Two names meet in one variance one time in
three, and a fourth name always meets another: these guests share digits, for one door in the same hours. Nobody is
refused for it, and none of them gets in when he could not have otherwise.

*Used in time.* A code for more than 24 h must be used within 24 h of its start or it dies (Seam's guide). Therefore a
window that has begun is asked for from the current hour on: the code of a stay that was changed half-way would
otherwise be dead from the start.

*Kinds.* ``hourly`` takes 1 to 672 hours, ``daily`` 29 to 367 days with both ends at the same time of day (here in UTC):
between and beyond, the end moves outwards to the next whole day. ``permanent`` has no end; an account may not have it.
``onetime`` opens once, which is no code for a stay: it is never asked for.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from lockbridge.contract import WindowRefused
from lockbridge.domain.code import CodeSpec, Window

VARIANCES = 3
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_LONGEST_HOURLY = 672 * _HOUR
_DAILY = range(29, 368)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for an algoPIN: the kind, the window as the lock will keep it, and the request's body."""

    kind: str
    window: Window | None
    body: dict[str, object] = field(repr=False)


def asked_for(spec: CodeSpec, now: datetime) -> Asked:
    """The algoPIN for this code at this instant (UTC); its window must be on the hour.

    Raises WindowRefused for one that is over or longer than 367 days.
    """
    this_hour = now - (now - _EPOCH) % _HOUR
    body = {"variance": variance(spec.name), "accessName": spec.name}
    if spec.window is None or spec.window.ends is None:
        return Asked("permanent", None, {**body, "startDate": on_the_wire(this_hour)})
    kind, window = _kind(max(spec.window.starts, this_hour), spec.window.ends)
    dates = {"startDate": on_the_wire(window.starts), "endDate": on_the_wire(window.ends or window.starts)}
    return Asked(kind, window, {**body, **dates})


def _kind(starts: datetime, ends: datetime) -> tuple[str, Window]:
    if ends <= starts:
        msg = "the window is over"
        raise WindowRefused(msg)
    if ends - starts <= _LONGEST_HOURLY:
        return "hourly", Window(starts, ends)
    days = max(_DAILY[0], -((starts - ends) // _DAY))
    if days not in _DAILY:
        msg = f"igloohome gives out codes for {_DAILY[-1]} days at most"
        raise WindowRefused(msg)
    return "daily", Window(starts, starts + days * _DAY)


def variance(name: str) -> int:
    """1 to 3, the same for a name in every process and for ever."""
    return 1 + int.from_bytes(_digest(name)) % VARIANCES


def tag(name: str) -> str:
    """A few characters that tell names apart: two codes with the same digits need two references."""
    return _digest(name).hex()


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8).digest()


def on_the_wire(instant: datetime) -> str:
    """A date as the vendor wants it: whole seconds and an explicit offset, ``2026-07-01T15:00:00+00:00``."""
    return instant.astimezone(UTC).isoformat(timespec="seconds")
