"""What a full read of stays means for those that are known: absence is not cancellation.

A calendar feed, or a platform's whole list, shows the stays that are there and says nothing of those that are gone.
A good read that no longer shows a stay counts against it; it is taken for cancelled when three good reads over half an
hour agree and it has not begun. A guest in the house is never locked out by absence: a person is told. A read that is
broken, or that loses too much at once, changes nothing at all and is counted by itself.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any

from lockbridge.domain.stay import StayStatus

READS_TO_BE_GONE = 3
TIME_TO_BE_GONE = timedelta(minutes=30)
FEW = 4
"""Of fewer stays than these more than half may leave at once: two cancellations are no broken feed."""
BAD_READS_TO_ALARM = 3
"""Reads in a row that failed, made no sense or were not believed, until somebody hears of it. A good one ends it."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Absence:
    """How many good reads in a row have not shown a stay, and when the first of them was (UTC)."""

    count: int
    since: datetime

    def agreed(self, now: datetime) -> bool:
        """Whether that is often and long enough to believe it."""
        return self.count >= READS_TO_BE_GONE and now - self.since >= TIME_TO_BE_GONE


@dataclass(frozen=True, slots=True)
class KnownStay:
    """A stay that an earlier read showed. The days are local to the property."""

    key: str
    arrival: date
    departure: date
    opens_at: datetime
    """When its guest can be in the house (UTC): when the access window opens."""
    status: StayStatus = StayStatus.CONFIRMED
    """CANCELLED, with an ``absence``: taken for cancelled because no read shows it."""
    absence: Absence | None = None
    seen_as: str = ""
    """Of what it looked like when it was last written down: the ``mark`` of then."""

    def awaited(self, today: date) -> bool:
        """Whether a whole read must show it: somebody's stay that is not over. On its last day it may be gone."""
        return self.status not in {StayStatus.CANCELLED, StayStatus.BLOCKED} and self.departure > today


@dataclass(frozen=True, slots=True)
class Shown:
    """A stay as the read shows it. ``mark`` is equal for equal content (see :func:`fingerprint`)."""

    arrival: date
    departure: date
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """One good read, whole: what it shows by key, and keys that are there but could not be understood."""

    shown: Mapping[str, Shown]
    unclear: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a good read changes. Every key stands in at most one of the first four."""

    upserts: tuple[str, ...] = ()
    """New, changed or back again: to be written down as the read shows them."""
    absences: Mapping[str, Absence] = field(default_factory=dict)
    """Not shown: how often by now. Nothing else changes for them."""
    gone: tuple[str, ...] = ()
    """Taken for cancelled from now on; keep the absence they have, so that they can come back."""
    started_missing: Mapping[str, Absence] = field(default_factory=dict)
    """Not shown often enough, but begun: nothing is revoked, somebody should hear of it. Their absence goes on."""
    back: tuple[str, ...] = ()
    """Those of ``upserts`` that were absent: their absence ends."""
    first_arrivals: Mapping[str, date] = field(default_factory=dict)
    """Those of ``upserts`` that keep the arrival they had: the feed trims a stay in progress to what is left of it."""


def reconcile(known: Sequence[KnownStay], read: Read, now: datetime, today: date) -> Verdict:
    """What to do about a good read that nothing speaks against (:func:`suspicious`). ``today`` is the property's.

    The order of anything does not matter. A stay that is over may leave, and is not taken up when it is new.
    """
    by_key = {stay.key: stay for stay in known}
    upserts = sorted(key for key, shown in read.shown.items() if _to_write(by_key.get(key), shown, today))
    missing = {
        stay.key: _once_more(stay, now)
        for stay in sorted(known, key=lambda stay: stay.key)
        if stay.key not in read.shown and stay.key not in read.unclear and _may_be_missed(stay, today)
    }
    agreed = {key for key, absence in missing.items() if absence.agreed(now)}
    begun = {key for key in agreed if by_key[key].opens_at <= now and by_key[key].awaited(today)}
    return Verdict(
        upserts=tuple(upserts),
        absences={key: absence for key, absence in missing.items() if key not in agreed},
        gone=tuple(key for key in missing if key in agreed - begun),
        started_missing={key: absence for key, absence in missing.items() if key in begun},
        back=tuple(key for key in upserts if key in by_key and by_key[key].absence is not None),
        first_arrivals={
            key: by_key[key].arrival
            for key in upserts
            if key in by_key and _trimmed(by_key[key], read.shown[key], today)
        },
    )


def unchanged(known: Sequence[KnownStay], now: datetime, today: date) -> Verdict:
    """What it means that the feed is as it was at the last good read: what was absent then is absent once more."""
    as_it_was = (stay for stay in known if stay.absence is None)
    shown = {stay.key: Shown(stay.arrival, stay.departure, stay.seen_as) for stay in as_it_was}
    return reconcile(known, Read(shown), now, today)


def suspicious(known: Sequence[KnownStay], read: Read, today: date) -> str | None:
    """Why a read that could be understood is not believed, in words for people; None: it is.

    Nothing at all while a stay is current or coming; or more than half of at least four that the last good read showed.
    """
    awaited = [stay for stay in known if stay.awaited(today)]
    there = read.shown.keys() | set(read.unclear)
    if awaited and not there:
        return f"it shows nothing at all, and {_stays(len(awaited))} should be there"
    were_there = [stay for stay in awaited if stay.absence is None]
    lost = sum(stay.key not in there for stay in were_there)
    if len(were_there) >= FEW and lost * 2 > len(were_there):
        return f"it has lost {lost} of {_stays(len(were_there))} at once"
    return None


def _stays(count: int) -> str:
    return f"{count} stays" if count != 1 else "1 stay"


def _to_write(stay: KnownStay | None, shown: Shown, today: date) -> bool:
    if stay is None:
        return shown.departure >= today
    return stay.absence is not None or stay.seen_as != shown.mark


def _may_be_missed(stay: KnownStay, today: date) -> bool:
    return stay.awaited(today) or (stay.status is StayStatus.BLOCKED and stay.departure > today)


def _once_more(stay: KnownStay, now: datetime) -> Absence:
    if stay.absence is None:
        return Absence(1, now)
    return Absence(stay.absence.count + 1, stay.absence.since)


def _trimmed(stay: KnownStay, shown: Shown, today: date) -> bool:
    """A feed that trims stays in progress does so by its own clock, for which it may be tomorrow already."""
    return stay.arrival <= today and stay.arrival < shown.arrival <= today + _DAY and today < shown.departure


def overlaps(stays: Mapping[str, Shown]) -> list[tuple[str, str]]:
    """Stays of one property that share a night, each with the one before that lasts longest; by arrival.

    Back to back – one ends on the day the next begins – is normal.
    """
    found = []
    last = ""
    for key in sorted(stays, key=lambda key: (stays[key].arrival, stays[key].departure, key)):
        if last and stays[key].arrival < stays[last].departure:
            found.append((last, key))
        if not last or stays[key].departure > stays[last].departure:
            last = key
    return found


def fingerprint(content: Any) -> str:
    """A mark of a dataclass instance that is equal for equal content, also in another process.

    Who knows most of the content can guess the rest from it: store it under a key (``Vault.index``), not as it is.
    """
    said = tuple(getattr(content, each.name) for each in fields(content))
    return blake2b(repr(said).encode(errors="surrogatepass"), digest_size=16).hexdigest()
