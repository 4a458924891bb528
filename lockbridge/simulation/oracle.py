"""The judge: what each door should have done, worked out from the bookings alone, against what it did.

Shares no code with the engine. It is told what platforms said (when it reached us), what was mailed, what the lock app
was asked and what became of it; it asks the doors. Its own notions: a stay's window, what a lock's own limits are,
what a person reads in a mail.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from lockbridge.simulation.world import Booking, Facts, Guest, Place

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LEAD = timedelta(minutes=10)
"""How early a lock without a clock is given a code."""
SETTLED = timedelta(minutes=10)
"""Nobody stands before a door within this time of a change to the booking: it has to reach the lock and the guest."""
RECOVERY = timedelta(minutes=20)
"""How long after a lock came back it may take until it is noticed."""
TAKEN_OVER = timedelta(minutes=2)
"""After so long others take over the locks that a process had in hand when it died (setting worker.lease_seconds)."""
HAND = timedelta(minutes=10)
"""How long after somebody changed a code in the lock app the guest may stand before the door."""


class Span(NamedTuple):
    """From one instant to another, the last not included."""

    starts: datetime
    ends: datetime

    def holds(self, at: datetime) -> bool:
        """Whether it lies within."""
        return self.starts <= at < self.ends


class Held(NamedTuple):
    """A code that a lock physically holds."""

    ref: str
    pin: str
    name: str | None
    window: Span | None
    ours: bool
    settled: bool
    """False while the lock app still has to tell the lock something about it."""


@dataclass(frozen=True, slots=True)
class LockFacts:
    """What a lock's manual says of it."""

    ref: str
    name: str
    keeps_windows: bool = True
    algorithmic: bool = False
    keeps_names: bool = True
    step: timedelta | None = None
    """Windows are rounded outwards to this step."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that the engine made on a lock and what it was answered ("ok", or the kind of the trouble)."""

    at: datetime
    verb: str
    answer: str


class Doors:
    """What the oracle asks of the physical world."""

    def opens(self, lock: str, pin: str, at: datetime) -> bool:
        """Whether the door opens for these digits then."""
        raise NotImplementedError

    def on_lock(self, lock: str, at: datetime) -> Sequence[Held]:
        """What is physically on the lock then."""
        raise NotImplementedError

    def offline_since(self, lock: str, at: datetime) -> datetime | None:
        """Since when the lock has been out of reach without a break; None: it is in reach."""
        raise NotImplementedError

    def last_offline(self, lock: str, at: datetime) -> datetime | None:
        """When the lock was last out of reach, up to an instant."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as a guest's program shows it."""

    at: datetime
    to: str
    subject: str
    text: str
    id: str


@dataclass(frozen=True, slots=True)
class Told:
    """Digits that a mail told. ``locks``: the names it gave with them; none: for every door."""

    at: datetime
    pin: str
    locks: tuple[str, ...]
    instead: bool
    """The mail said to use them instead of others: a backup."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that was not as it should be, or that needs its reason told."""

    sort: str
    at: datetime
    stay: str
    lock: str
    told: str
    why: str
    excused: bool = False

    def as_dict(self) -> dict[str, str | bool]:
        """For JSON."""
        return {
            "sort": self.sort,
            "at": self.at.isoformat(),
            "stay": self.stay,
            "lock": self.lock,
            "told": self.told,
            "why": self.why,
            "excused": self.excused,
        }


_NAMED = (
    re.compile(r"Your door code for (?P<locks>.+) at .+ has changed\."),
    re.compile(r"Type it on the keypad of (?P<locks>.+)\."),
)
_BEGINS = re.compile(r"It works from \w+, (?P<day>\d+ \w+),")
_ENDS = re.compile(r"It works now and until \w+, (?P<day>\d+ \w+),")
_DIGITS = re.compile(r"(?:(?P<lock>.*): )?(?P<pin>[0-9]{4,})")


_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _day(day: date) -> str:
    """A day as a mail names it."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def read_mail(mail: Mail) -> list[Told]:
    """What a person finds in a mail: the digits that stand on lines of their own, set apart."""
    first, _, others = mail.text.partition("The other doors open with:")
    instead = "use this one instead" in first
    about = next((about for pattern in _NAMED if (about := pattern.search(first))), None)
    named = tuple(about["locks"].split(", ")) if about else ()
    return _told(mail.at, first, named, instead=instead) + _told(mail.at, others, (), instead=False)


def _told(at: datetime, text: str, named: tuple[str, ...], *, instead: bool) -> list[Told]:
    set_apart = (line.strip() for line in text.splitlines() if line.startswith("    "))
    found = (_DIGITS.fullmatch(line) for line in set_apart)
    return [Told(at, line["pin"], (line["lock"],) if line["lock"] else named, instead) for line in found if line]


def instant(day: date, at: str, zone: str, *, end: bool) -> datetime:
    """A local time as an instant, in favour of the guest: a skipped time moves forward, a doubled one is the wider."""
    local = datetime.combine(day, time.fromisoformat(at), ZoneInfo(zone))
    both = [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
    skipped = both[0].astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None)
    return max(both) if skipped or end else min(both)


def window(place: Place, facts: Facts) -> Span:
    """When the doors of the place should open for the booking, buffers included."""
    starts = instant(facts.arrival, facts.check_in or place.check_in, place.zone, end=False)
    ends = instant(facts.departure, facts.check_out or place.check_out, place.zone, end=True)
    return Span(starts - place.before * MINUTE, ends + place.after * MINUTE)


_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def _days(facts: Facts) -> tuple[str, str, date, date]:
    return facts.place, facts.status, facts.arrival, facts.departure


def widened(span: Span, lock: LockFacts) -> Span:
    """The window with the lock's own limits: its rounding, and the lead of one without a clock."""
    if not lock.keeps_windows:
        return Span(span.starts - LEAD, span.ends)
    if lock.step is None:
        return span
    early, late = (span.starts - _EPOCH) % lock.step, (_EPOCH - span.ends) % lock.step
    return Span(span.starts - early, span.ends + late)


@dataclass(slots=True)
class Known:
    """A booking as far as it has reached us."""

    booking: Booking
    version: int = -1
    changed_at: datetime = _EPOCH
    first_at: datetime = _EPOCH
    dated_at: datetime = _EPOCH
    """When its place, its days or its status last changed."""
    past: list[Facts] = field(default_factory=list)

    @property
    def facts(self) -> Facts | None:
        """What is true now, as far as anybody told us."""
        return self.booking.versions[self.version].facts if self.version >= 0 else None


@dataclass(slots=True)
class Score:
    """The counts of the report."""

    arrivals: int = 0
    opened: int = 0
    closed: int = 0
    closed_unexplained: int = 0
    opened_outside_window: int = 0
    foreign_touched: int = 0
    duplicate_codes: int = 0
    pins_changed_after_telling: int = 0
    messages_lost: int = 0
    messages_doubled: int = 0
    engine_errors: int = 0

    @property
    def content(self) -> bool:
        """Whether nothing happened that must not happen."""
        sins = (
            self.closed_unexplained,
            self.opened_outside_window,
            self.foreign_touched,
            self.duplicate_codes,
            self.pins_changed_after_telling,
            self.messages_lost,
            self.messages_doubled,
            self.engine_errors,
        )
        return not any(sins)


class Oracle:
    """Hears everything, judges each door."""

    def __init__(
        self, places: Mapping[str, Place], locks: Mapping[str, LockFacts], doors: Doors, *, patience: timedelta
    ) -> None:
        self.places = places
        self.locks = locks
        self.doors = doors
        self.patience = patience
        """How long after a window opened its message may take."""
        self.score = Score()
        self.causes: list[Cause] = []
        self._known: dict[str, Known] = {}
        self._of_guest: dict[str, list[Known]] = defaultdict(list)
        self._told: dict[str, list[Told]] = defaultdict(list)
        self._told_on: dict[str, dict[str, str]] = defaultdict(dict)
        """Which digits were told for each lock, by booking."""
        self._mails: dict[str, Mail] = {}
        self._unsure: set[str] = set()
        self._said: dict[tuple[str, str, str], str] = {}
        self._calls: dict[str, list[Call]] = defaultdict(list)
        self._by_hand: dict[str, datetime] = {}
        self._died_at: datetime | None = None
        self._twins: Counter[tuple[str, ...]] = Counter()
        self._pins: dict[tuple[str, str], str] = {}
        self._refused: dict[str, datetime] = {}
        self._changes_seen: set[tuple[str, str, str]] = set()

    # -- what it hears ---------------------------------------------------------------------------------------------

    def delivered(self, booking: Booking, version: int, at: datetime) -> bool:
        """A platform told us a version of a booking. Whether that is news."""
        known = self._known.get(booking.ref)
        if known is None:
            known = self._known[booking.ref] = Known(booking, first_at=at)
            self._of_guest[booking.guest.email].append(known)
        if version <= known.version:
            return False
        before = known.facts
        if before is not None:
            known.past.append(before)
        known.version, known.changed_at = version, at
        if before is None or known.facts is None or _days(before) != _days(known.facts):
            known.dated_at = at
        return True

    def known(self, ref: str) -> Known:
        """The booking as far as it has reached us."""
        return self._known[ref]

    def mailed(self, mail: Mail, *, sure: bool) -> None:
        """A mail was accepted; ``sure``: and the sender was told so (or had no chance to hear it)."""
        again = self._mails.get(mail.id)
        if again is not None and mail.id not in self._unsure:
            self._sin("messages_doubled", mail.at, mail.to, "", "", f"sent twice: {mail.subject}")
        if again is None:
            content = (mail.to, mail.subject, mail.text)
            if content in self._said:
                self._sin("messages_doubled", mail.at, mail.to, "", "", f"the same words twice: {mail.subject}")
            self._said[content] = mail.id
            self._take_in(mail)
        self._mails[mail.id] = mail
        (self._unsure.discard if sure else self._unsure.add)(mail.id)

    def unsure(self, mail_id: str) -> None:
        """The sender died or lost its connection before it could note that the mail was accepted."""
        self._unsure.add(mail_id)

    def died(self, at: datetime) -> None:
        """The engine's process died in the middle of its work; another has begun."""
        self._died_at = at

    def _take_in(self, mail: Mail) -> None:
        for told in read_mail(mail):
            self._told[mail.to].insert(0, told)
            if not told.instead:
                self._compare(mail, told)

    def _compare(self, mail: Mail, told: Told) -> None:
        """Whether the guest hears other digits for a door of a stay than before."""
        spare = {earlier.pin for earlier in self._told[mail.to] if earlier.instead}
        for known in self._stays_of(mail):
            for lock in self._locks_of(known):
                if told.locks and lock.name not in told.locks:
                    continue
                before = self._told_on[known.booking.ref].get(lock.ref)
                if before not in (None, told.pin) and told.pin not in spare and before not in spare:
                    self._changed(known, lock, mail.at, before or "", "a mail told other digits")
                self._told_on[known.booking.ref][lock.ref] = told.pin

    def _stays_of(self, mail: Mail) -> list[Known]:
        """The stays a mail is about: those that begin or end on the day it names, else all of the guest's."""
        live = [known for known in self._of_guest[mail.to] if known.facts and known.facts.status == "confirmed"]
        begins, ends = _BEGINS.search(mail.text), _ENDS.search(mail.text)
        about = [
            known
            for known in live
            if known.facts
            and (
                (begins and begins["day"] == _day(known.facts.arrival))
                or (ends and ends["day"] == _day(known.facts.departure))
            )
        ]
        return about or live

    def _locks_of(self, known: Known) -> list[LockFacts]:
        return [self.locks[ref] for ref in self.places[known.facts.place].locks] if known.facts else []

    def called(self, lock: str, call: Call) -> None:
        """The engine called the lock app about a lock."""
        self._calls[lock].append(call)
        if call.answer in ("pin_taken", "pin_refused"):
            self._refused[lock] = call.at

    def wrote(self, at: datetime, lock: str, verb: str, ref: str, pin: str, *, by_us: bool, made_by_us: bool) -> None:
        """A code was made, changed or removed on a lock, by the engine or by hand."""
        before = self._pins.pop((lock, ref), None)
        if verb != "remove":
            self._pins[(lock, ref)] = pin
        if not by_us:
            if made_by_us:
                self._by_hand[lock] = at
            return
        if not made_by_us:
            self._sin("foreign_touched", at, "", lock, "", f"{verb} on a code that was made by hand")
        if verb == "update" and before not in (None, pin) and lock not in self._hand_lately(at):
            for known in self._who_was_told(lock, before or ""):
                self._changed(known, self.locks[lock], at, before or "", "the digits were changed on the lock")

    def _hand_lately(self, at: datetime) -> set[str]:
        return {lock for lock, when in self._by_hand.items() if at - when < DAY}

    def _who_was_told(self, lock: str, pin: str) -> list[Known]:
        told = (self._known[ref] for ref, on in self._told_on.items() if on.get(lock) == pin)
        return [known for known in told if self._allowed(known.booking.guest.email, lock)]

    def _changed(self, known: Known, lock: LockFacts, at: datetime, pin: str, why: str) -> None:
        """The digits a guest had been told for a lock are no longer the right ones: once for each."""
        ref = known.booking.ref
        if (ref, lock.ref, pin) in self._changes_seen:
            return
        self._changes_seen.add((ref, lock.ref, pin))
        reason = self._forced(known, lock, at)
        if reason is not None:
            self._note("pin_changed", at, ref, lock.ref, pin, f"{why}; {reason}", excused=True)
        else:
            self._sin("pins_changed_after_telling", at, ref, lock.ref, pin, why)

    def _forced(self, known: Known, lock: LockFacts, at: datetime) -> str | None:
        """Why other digits could not be helped; None: they could."""
        refused = self._refused.get(lock.ref)
        if lock.algorithmic:
            return "the provider chooses the digits"
        if refused is not None and at - refused < 2 * DAY:
            return "the lock refused the digits"
        if known.past and any(lock in self._locks_of(other) for other in self._others(known)):
            return "it followed another stay of the guest, whose code keeps the digits"
        return None

    def _others(self, known: Known) -> list[Known]:
        """The other stays of the same guest that are not cancelled."""
        theirs = self._of_guest[known.booking.guest.email]
        return [one for one in theirs if one is not known and one.facts and one.facts.status == "confirmed"]

    def broke(self, at: datetime, what: str) -> None:
        """The engine reported an error of its own."""
        self._sin("engine_errors", at, "", "", "", what)

    # -- what it judges --------------------------------------------------------------------------------------------

    def visit(self, ref: str, place_ref: str, at: datetime) -> None:
        """The guest of a booking stands before the doors of a place and types what they were told."""
        known = self._known[ref]
        guest, place = known.booking.guest, self.places[place_ref]
        spans = self._spans(guest.email, place_ref)
        if any(span.holds(at) for span in spans):
            self._arrival(known, place, at)
        else:
            for lock in place.locks:
                self._attempt(known, guest, self.locks[lock], at)

    def _spans(self, email: str, place: str) -> list[Span]:
        """When the guest may be at the place; stays that follow each other on one day are one, without a gap.

        One that was booked when the other was over follows nothing: nobody could hold the door open.
        """
        joined: list[Span] = []
        last: date | None = None
        for known, facts in sorted(self._stays_at(email, place), key=lambda stay: stay[1].arrival):
            span = window(self.places[place], facts)
            follows = facts.arrival == last and known.dated_at < joined[-1].ends
            joined.append(Span(joined.pop().starts, span.ends) if follows else span)
            last = facts.departure
        return joined

    def _stays_at(self, email: str, place: str) -> list[tuple[Known, Facts]]:
        stays = [(known, known.facts) for known in self._of_guest[email] if known.facts is not None]
        return [(known, facts) for known, facts in stays if facts.status == "confirmed" and facts.place == place]

    def _allowed(self, email: str, lock: str) -> list[Span]:
        """When the guest may open the lock, its own limits included, at whichever place it is."""
        facts = self.locks[lock]
        places = [place.ref for place in self.places.values() if lock in place.locks] if email else []
        now = [widened(span, facts) for place in places for span in self._spans(email, place)]
        return [*now, *self._irrevocable(email, places, facts)]

    def _irrevocable(self, email: str, places: Sequence[str], lock: LockFacts) -> Iterable[Span]:
        """Algorithmic codes work to the end of the window they were made for, whatever became of the stay."""
        if not lock.algorithmic:
            return
        every = [
            facts for known in self._of_guest[email] for facts in (*known.past, *([known.facts] if known.facts else []))
        ]
        stays = [facts for facts in every if facts.status == "confirmed" and facts.place in places]
        for one in stays:
            span = window(self.places[one.place], one)
            yield widened(span, lock)
            for following in stays:
                if (following.place, following.arrival) == (one.place, one.departure):
                    both = Span(span.starts, window(self.places[one.place], following).ends)
                    yield widened(both, lock)

    def _arrival(self, known: Known, place: Place, at: datetime) -> None:
        self.score.arrivals += 1
        shut = [self.locks[lock] for lock in place.locks if not self._gets_in(known.booking.guest, lock, at)]
        if not shut:
            self.score.opened += 1
            return
        self.score.closed += 1
        reasons = [(lock, *self._why_shut(known, place, lock, at)) for lock in shut]
        told = ", ".join(told.pin for told in self._told[known.booking.guest.email]) or "nothing"
        for lock, why, excused in reasons:
            self._note("closed", at, known.booking.ref, lock.ref, told, why, excused=excused)
        self.score.closed_unexplained += not all(excused for *_, excused in reasons)

    def _gets_in(self, guest: Guest, lock: str, at: datetime) -> bool:
        return any(self.doors.opens(lock, told.pin, at) for told in self._told[guest.email])

    def _why_shut(self, known: Known, place: Place, lock: LockFacts, at: datetime) -> tuple[str, bool]:
        offline = self.doors.offline_since(lock.ref, at)
        told = self._told[known.booking.guest.email]
        if offline is not None and offline <= self._earliest(known, place, lock):
            spare = self._spare(lock.ref, at)
            if spare is None:
                return f"lock offline since {offline:%d %b %H:%M} and no backup on it that nobody had", True
            return f"lock offline since {offline:%d %b %H:%M}, but a backup was on it", False
        by_hand = self._by_hand.get(lock.ref)
        if by_hand is not None and at - by_hand < HAND:
            return f"somebody changed a code of the lock in the lock app at {by_hand:%H:%M:%S}", True
        if not told:
            return f"never told any digits; {self._state(lock, at)}", False
        return f"told {len(told)} PINs, none opens; {self._state(lock, at)}", False

    def _earliest(self, known: Known, place: Place, lock: LockFacts) -> datetime:
        """From when on the code could have been put on the lock as it should be now."""
        assert known.facts is not None  # noqa: S101 - an arrival has a booking
        lead = 3 * DAY if lock.keeps_windows else LEAD
        return max(window(place, known.facts).starts - lead, known.changed_at)

    def _spare(self, lock: str, at: datetime) -> str | None:
        """Digits of ours that open the door now and that nobody was told: a backup that could have been given."""
        told = {told.pin for tellings in self._told.values() for told in tellings}
        ours = (held for held in self.doors.on_lock(lock, at) if held.ours and held.pin not in told)
        return next((held.pin for held in ours if held.window is None or held.window.holds(at)), None)

    def _state(self, lock: LockFacts, at: datetime) -> str:
        held = [code for code in self.doors.on_lock(lock.ref, at) if code.ours]
        calls = [f"{call.verb} {call.answer} {call.at:%d %H:%M:%S}" for call in self._calls[lock.ref][-4:]]
        return f"the lock holds {len(held)} codes of ours; last calls: {'; '.join(calls)}"

    def _attempt(self, known: Known, guest: Guest, lock: LockFacts, at: datetime) -> None:
        """Outside the window: none of the guest's digits may open, but for the lock's own limits."""
        if any(span.holds(at) for span in self._allowed(guest.email, lock.ref)):
            return
        for pin in dict.fromkeys(told.pin for told in self._told[guest.email]):
            if not self.doors.opens(lock.ref, pin, at):
                continue
            opening = [code for code in self.doors.on_lock(lock.ref, at) if code.pin == pin]
            if not any(code.ours for code in opening) or self._given(guest.email, pin, at):
                continue
            why, excused = self._why_open(known, lock, opening, at)
            if excused:
                self._note("opened_outside", at, known.booking.ref, lock.ref, pin, why, excused=True)
            else:
                self._sin("opened_outside_window", at, known.booking.ref, lock.ref, pin, why)

    def _given(self, email: str, pin: str, at: datetime) -> bool:
        """Whether it is a backup that was given for a stay that is not over."""
        given = any(told.pin == pin and told.instead for told in self._told[email])
        live = (known.facts for known in self._of_guest[email] if known.facts and known.facts.status == "confirmed")
        return given and any(at < window(self.places[facts.place], facts).ends for facts in live)

    def _why_open(self, known: Known, lock: LockFacts, opening: Sequence[Held], at: datetime) -> tuple[str, bool]:
        since = self._should_be_shut_since(known, lock, at)
        offline = self.doors.last_offline(lock.ref, at)
        if offline is not None and offline >= max(since, at - RECOVERY):
            return f"the lock was out of reach at {offline:%d %b %H:%M}", True
        if not all(code.settled for code in opening if code.ours):
            return "the lock app has been asked and has not reached the lock yet", True
        by_hand = self._by_hand.get(lock.ref)
        if by_hand is not None and at - by_hand < HAND:
            return f"somebody changed a code of the lock in the lock app at {by_hand:%H:%M:%S}", True
        if self._kept_failing(lock.ref, since, at):
            return f"the lock app failed on every call since {since:%d %b %H:%M:%S}", True
        if self._died_at is not None and since <= self._died_at and at <= self._died_at + TAKEN_OVER:
            return f"the process died at {self._died_at:%d %b %H:%M:%S}, and no other had taken over yet", True
        names = ", ".join(f"{code.name} {code.window}" for code in opening)
        return f"should be shut since {since:%d %b %H:%M:%S}: {names}; {self._state(lock, at)}", False

    def _should_be_shut_since(self, known: Known, lock: LockFacts, at: datetime) -> datetime:
        ends = [span.ends for span in self._allowed(known.booking.guest.email, lock.ref) if span.ends <= at]
        return max([*ends, known.changed_at, _EPOCH])

    def _kept_failing(self, lock: str, since: datetime, at: datetime) -> bool:
        """Whether the lock app did nothing it was asked since then, for two hours at most."""
        calls = [call for call in self._calls[lock][-30:] if since <= call.at <= at]
        writes = [call for call in calls if call.verb in ("update", "remove")]
        return bool(calls) and at - since < 2 * HOUR and all(call.answer != "ok" for call in writes or calls)

    # -- what it looks at now and then -----------------------------------------------------------------------------

    def check_told(self, ref: str, version: int, at: datetime) -> None:
        """Some time after a window opened: its guest must have been told something."""
        known = self._known[ref]
        if known.version != version or known.facts is None or known.facts.status != "confirmed":
            return
        if not self._told[known.booking.guest.email]:
            self._sin("messages_lost", at, ref, "", "nothing", "the window opened and no message with a code came")

    def sample(self, at: datetime) -> None:
        """Look at every lock for two codes of ours that should be one."""
        for lock in self.locks.values():
            ours = [code for code in self.doors.on_lock(lock.ref, at) if code.ours and code.settled]
            self._same_digits(lock, ours, at)
            if not lock.algorithmic:
                self._same_name(lock, ours, at)

    def _same_digits(self, lock: LockFacts, ours: Sequence[Held], at: datetime) -> None:
        for one, other in _pairs(ours, lambda code: code.pin):
            if _overlap(one, other):
                self._twin(lock, one, other, at, "two codes of ours have the same digits at the same time", least=1)

    def _same_name(self, lock: LockFacts, ours: Sequence[Held], at: datetime) -> None:
        """A code that is being replaced is there twice for a moment; for hours it is a sin."""
        for one, other in _pairs([code for code in ours if code.name], lambda code: code.name or ""):
            if _overlap(one, other):
                self._twin(lock, one, other, at, f"two codes of ours are called {one.name!r}", least=2)

    def _twin(self, lock: LockFacts, one: Held, other: Held, at: datetime, why: str, *, least: int) -> None:
        key = (lock.ref, *sorted((one.ref, other.ref)))
        self._twins[key] += 1
        if self._twins[key] == least:
            self._sin("duplicate_codes", at, "", lock.ref, one.pin, why)

    # -- how it says so --------------------------------------------------------------------------------------------

    def _sin(self, sort: str, at: datetime, stay: str, lock: str, told: str, why: str) -> None:
        setattr(self.score, sort, getattr(self.score, sort) + 1)
        self._note(sort, at, stay, lock, told, why, excused=False)

    def _note(self, sort: str, at: datetime, stay: str, lock: str, told: str, why: str, *, excused: bool) -> None:
        self.causes.append(Cause(sort, at, stay, lock, told, why, excused))


def _pairs(codes: Sequence[Held], by: Callable[[Held], str]) -> Iterable[tuple[Held, Held]]:
    groups: dict[str, list[Held]] = defaultdict(list)
    for code in codes:
        groups[by(code)].append(code)
    for group in groups.values():
        for number, one in enumerate(group):
            for other in group[number + 1 :]:
                yield one, other


def _overlap(one: Held, other: Held) -> bool:
    if one.window is None or other.window is None:
        return True
    return one.window.starts < other.window.ends and other.window.starts < one.window.ends
