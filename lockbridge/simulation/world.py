"""What happens in a simulation, drawn from a seed: places, locks, guests, bookings and what becomes of them.

Knows nothing of the engine: bookings are what a platform says of them, instants are aware UTC, days and times of day
are local to the place.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

ZONES = (
    ("America/New_York", "US"),
    ("Europe/Berlin", "DE"),
    ("Europe/London", "GB"),
    ("America/Los_Angeles", "US"),
    ("Australia/Sydney", "AU"),
    ("Asia/Tokyo", "JP"),
    ("Asia/Kolkata", "IN"),
    ("Australia/Lord_Howe", "AU"),
)
RULES = (
    *("standard", "nuki", "slots", "unique-names", "algorithmic", "queueing", "masked", "hourly"),
    *("standard", "first-four", "one-length", "nuki", "slots", "standard", "queueing"),
)
SHARED_RULES = ("standard", "nuki", "queueing", "hourly", "slots", "masked")
"""Street doors: of many stays, so not the locks that give out two codes for one window."""
FEWEST_SHARED = 3
"""Locks that must be left for a house with a street door."""
FIRST_NAMES = ("Ana", "Ben", "Chloé", "Dmitri", "Eve", "Fatima", "Grace", "Hiro", "Ines", "Jürgen", "Kofi", "Lin")
LAST_NAMES = ("Reyes", "Okafor", "Smith", "Müller", "Tanaka", "O'Neil", "van der Berg", "García", "Lee", "Novák")
ODD_NAMES = (
    "🏖️ Beach Crew 🌊",
    "张伟",
    "Robert'); DROP TABLE stay;--",
    "Mr. (VIP) Jones",
    "%backup_code%",
    "{{ 7 * 7 }}",
    "X" * 500,
    "1234 5678",
    "Zoë  \t Spaces",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is simulated, and from which seed."""

    stays: int
    locks: int
    days: int
    seed: int


@dataclass(frozen=True, slots=True)
class DrawnLock:
    """A lock: how its lock app names it, what kind it is, and in whose account it is."""

    ref: str
    name: str
    rules: str
    host: int


@dataclass(frozen=True, slots=True)
class Place:
    """A property. ``before`` and ``after`` are buffers in minutes; ``locks`` all must open for a guest to get in."""

    ref: str
    name: str
    host: int
    platform: str
    zone: str
    country: str
    check_in: str
    check_out: str
    before: int
    after: int
    pin_mode: str
    locks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who books; the e-mail address tells one from another."""

    key: str
    name: str
    email: str = field(repr=False)
    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a platform knows of a booking at one time. ``phone``: whether it knows the guest's number."""

    place: str
    status: str
    arrival: date
    departure: date
    check_in: str | None
    check_out: str | None
    phone: bool


@dataclass(frozen=True, slots=True)
class Version:
    """The facts as they became at an instant."""

    at: datetime
    facts: Facts


@dataclass(frozen=True, slots=True)
class Sending:
    """One webhook: which version of a booking it tells, when it arrives, and its id."""

    at: datetime
    version: int
    id: str


@dataclass(slots=True)
class Booking:
    """One reservation with everything that becomes of it."""

    ref: str
    code: str
    guest: Guest
    versions: list[Version]
    sendings: list[Sending]


@dataclass(frozen=True, slots=True)
class World:
    """Everything that was drawn. ``strangers`` are codes put on by hand: when and on which lock."""

    size: Size
    start: datetime
    end: datetime
    hosts: int
    locks: dict[str, DrawnLock]
    places: dict[str, Place]
    bookings: dict[str, Booking]
    strangers: tuple[tuple[datetime, str], ...]


def draw(size: Size) -> World:
    """The same world for the same size and seed."""
    dice = random.Random(f"world {size.seed}")  # noqa: S311 - invented data
    start = start_of(size)
    hosts = max(1, size.locks // 25)
    locks, places = _houses(dice, size, hosts)
    end = start + size.days * DAY
    bookings = _Bookings(dice, size, start, end, locks, places)
    bookings.draw()
    return World(
        size,
        start,
        end,
        hosts,
        {lock.ref: lock for lock in locks},
        {place.ref: place for place in places},
        {booking.ref: booking for booking in bookings.drawn},
        tuple(_strangers(dice, locks, start, size.days)),
    )


def start_of(size: Size) -> datetime:
    """When it begins: so that a change of the clocks, in Europe and America, lies in the middle."""
    middle = datetime(2026, 10, 29, 6, tzinfo=UTC) if size.seed % 2 else datetime(2027, 3, 21, 6, tzinfo=UTC)
    return middle - (size.days // 2) * DAY


# ------------------------------------------------------------------------------------------------------------- houses


def _houses(dice: random.Random, size: Size, hosts: int) -> tuple[list[DrawnLock], list[Place]]:
    """Houses of one to four properties; some have a street door that all its properties share."""
    locks: list[DrawnLock] = []
    places: list[Place] = []
    while len(locks) < size.locks:
        host = len(places) % hosts
        has_street_door = size.locks - len(locks) >= FEWEST_SHARED and _odds(dice, 0.3)
        shared = [_lock(locks, "Street door", host, dice.choice(SHARED_RULES))] if has_street_door else []
        for _ in range(dice.randint(2, 4) if shared else 1):
            own = min(dice.choice((1, 1, 2)), size.locks - len(locks))
            if own:
                mine = [_lock(locks, "Flat door", host, dice.choice(RULES)) for _ in range(own)]
                places.append(_place(dice, len(places), host, [*shared, *_agreeable(mine, shared, locks)]))
    return locks, places


def _odds(dice: random.Random, probability: float) -> bool:
    return dice.random() < probability


def _lock(locks: list[DrawnLock], kind: str, host: int, rules: str) -> DrawnLock:
    number = len(locks) + 1
    lock = DrawnLock(f"L{number}", f"{kind} {number}", rules, host)
    locks.append(lock)
    return lock


def _agreeable(mine: list[DrawnLock], shared: list[DrawnLock], locks: list[DrawnLock]) -> list[DrawnLock]:
    """No lock that wants all its codes of one length beside one of another length: nobody could have one PIN there."""
    kinds = {lock.rules for lock in (*mine, *shared)}
    if "one-length" not in kinds or len(kinds) == 1:
        return mine
    tame = [replace(lock, rules="standard") if lock.rules == "one-length" else lock for lock in mine]
    for lock in tame:
        locks[int(lock.ref[1:]) - 1] = lock
    return tame


def _place(dice: random.Random, number: int, host: int, locks: list[DrawnLock]) -> Place:
    zone, country = dice.choice(ZONES)
    return Place(
        ref=f"P{number + 1}",
        name=f"{dice.choice(('Beach House', 'Loft', 'Cabin', 'Garden Flat', 'Tower Room'))} {number + 1}",
        host=host,
        platform="hospitable" if _odds(dice, 0.25) else "generic",
        zone=zone,
        country=country,
        check_in=dice.choice(("15:00", "16:00", "14:30", "17:00")),
        check_out=dice.choice(("11:00", "10:00", "10:30", "12:00")),
        before=dice.choice((0, 0, 0, 30, 60)),
        after=dice.choice((0, 0, 0, 30, 120)),
        pin_mode=dice.choice(("phone", "phone", "random")),
        locks=tuple(lock.ref for lock in locks),
    )


def _strangers(
    dice: random.Random, locks: list[DrawnLock], start: datetime, days: int
) -> Iterator[tuple[datetime, str]]:
    """Up to three codes on each lock from the beginning, and now and then one more."""
    for lock in locks:
        if lock.rules == "algorithmic":
            continue
        for _ in range(dice.choice((0, 1, 1, 2, 3))):
            yield start, lock.ref
        for _ in range(days // 20):
            yield start + dice.random() * days * DAY, lock.ref


# ----------------------------------------------------------------------------------------------------------- bookings


@dataclass(slots=True)
class _Bookings:
    """Draws bookings; each property is let to one party at a time."""

    dice: random.Random
    size: Size
    start: datetime
    end: datetime
    locks: list[DrawnLock]
    places: list[Place]
    drawn: list[Booking] = field(default_factory=list)
    taken: dict[str, set[date]] = field(default_factory=dict)
    phones: set[str] = field(default_factory=set)

    def draw(self) -> None:
        while len(self.drawn) < self.size.stays:
            place, arrival, nights = self._free_nights()
            guest = self._guest()
            booking = self._book(place, arrival, nights, guest)
            departure = booking.versions[-1].facts.departure
            if _odds(self.dice, 0.06) and len(self.drawn) < self.size.stays and len(booking.versions) == 1:
                more = self.dice.randint(1, 3)
                if departure + more * DAY < self.end.date() and self._is_free(place, departure, more):
                    self._book(place, departure, more, guest)

    def _free_nights(self) -> tuple[Place, date, int]:
        """Nights nobody has; after many tries some that somebody has, on locks that can give out any number of PINs."""
        for attempt in range(1000):
            place = self.dice.choice(self.places)
            nights = self.dice.choice((1, 1, 2, 2, 3, 3, 4, 5, 7) if attempt < 50 else (1,))  # noqa: PLR2004
            arrival = self.start.date() + self.dice.randint(0, max(0, self.size.days - nights - 1)) * DAY
            if self._is_free(place, arrival, nights):
                return place, arrival, nights
        roomy = [place for place in self.places if "algorithmic" not in self._kinds(place)]
        return self.dice.choice(roomy or self.places), arrival, 1

    def _kinds(self, place: Place) -> set[str]:
        return {self.locks[int(ref[1:]) - 1].rules for ref in place.locks}

    def _is_free(self, place: Place, arrival: date, nights: int) -> bool:
        taken = self.taken.setdefault(place.ref, set())
        return not any(arrival + n * DAY in taken for n in range(nights))

    def _take(self, facts: Facts) -> None:
        taken = self.taken.setdefault(facts.place, set())
        taken.update(facts.arrival + n * DAY for n in range((facts.departure - facts.arrival).days))

    def _guest(self) -> Guest:
        number = len(self.drawn) + 1
        name = f"{self.dice.choice(FIRST_NAMES)} {self.dice.choice(LAST_NAMES)}"
        if _odds(self.dice, 0.08):
            name = self.dice.choice(ODD_NAMES)
        if number > 1 and _odds(self.dice, 0.04):
            name = self.drawn[-1].guest.name
        phone = self._phone()
        if _odds(self.dice, 0.04):
            phone = self.dice.choice(("n/a", "12", "+49 (0)", "call reception"))
        return Guest(f"G{number}", name, f"guest{number}@guests.example", phone)

    def _phone(self) -> str:
        """An invented number nobody else has: two who share one would count as one guest."""
        for _ in range(200):
            phone = f"+1 {self.dice.randint(201, 989)} 555 01{self.dice.randint(0, 99):02}"
            if _odds(self.dice, 0.4):
                phone = f"+44 7700 900{self.dice.randint(0, 999):03}"
            if phone not in self.phones:
                break
        self.phones.add(phone)
        return phone

    def _book(self, place: Place, arrival: date, nights: int, guest: Guest) -> Booking:
        number = len(self.drawn) + 1
        phone = not _odds(self.dice, 0.25)
        facts = Facts(place.ref, "confirmed", arrival, arrival + nights * DAY, None, None, phone)
        if place.platform == "hospitable":
            facts = replace(facts, check_in=place.check_in, check_out=place.check_out)
        booking = Booking(f"R{number}", f"HMX{number:05}", guest, [Version(self._booked_at(place, facts), facts)], [])
        self._take(facts)
        self._change(booking)
        booking.sendings = list(_sendings(self.dice, booking))
        self.drawn.append(booking)
        return booking

    def _booked_at(self, place: Place, facts: Facts) -> datetime:
        """Weeks ahead, days, hours – or when the window is open already."""
        opens, closes = _rough(place, facts)
        when = self.dice.random()
        if when < 0.5:  # noqa: PLR2004
            at = self.start + self.dice.random() * max(opens - self.start - DAY, HOUR)
        elif when < 0.75:  # noqa: PLR2004
            at = opens - DAY - self.dice.random() * 4 * DAY
        elif when < 0.93:  # noqa: PLR2004
            at = opens - 5 * MINUTE - self.dice.random() * 20 * HOUR
        else:
            at = opens + self.dice.random() * min(6 * HOUR, (closes - opens) / 2)
        earliest = self.start + 30 * MINUTE + self.dice.random() * 3 * HOUR
        return max(at, earliest)

    # -- what becomes of it

    def _change(self, booking: Booking) -> None:
        first = booking.versions[0]
        if not first.facts.phone and _odds(self.dice, 0.6):
            at = first.at + MINUTE + self.dice.random() * 2 * HOUR * (0.03 if _odds(self.dice, 0.5) else 1)
            booking.versions.append(Version(at, replace(first.facts, phone=True)))
        if _odds(self.dice, 0.03):
            booking.versions[0] = replace(first, facts=replace(first.facts, status="pending"))
            if len(booking.versions) == 1:
                booking.versions.append(Version(first.at + 5 * MINUTE + self.dice.random() * HOUR, first.facts))
        for _ in range(self.dice.choice((0, 0, 0, 1, 1, 2))):
            last = booking.versions[-1]
            changed = self._changed(self._place(last.facts), last)
            if changed and changed.at > last.at + 3 * timedelta(seconds=1) and changed.at < self.end:
                booking.versions.append(changed)

    def _place(self, facts: Facts) -> Place:
        return self.places[int(facts.place[1:]) - 1]

    def _changed(self, place: Place, last: Version) -> Version | None:
        if last.facts.status != "confirmed":
            return None
        opens, closes = _rough(place, last.facts)
        ahead = last.at + MINUTE, opens
        during = max(opens, last.at + MINUTE), closes - 5 * MINUTE
        kind = self.dice.choice(
            ("dates", "dates", "extend", "extend", "shorten", "move", "move", "cancel", "cancel", "times")
        )
        inside = kind in ("extend", "shorten") or (kind in ("move", "cancel") and _odds(self.dice, 0.3))
        since, until = during if inside else ahead
        if until <= since:
            return None
        at = since + self.dice.random() * (until - since)
        facts = getattr(self, f"_{kind}")(place, last.facts, at)
        if facts is None or facts == last.facts:
            return None
        self._take(facts)
        return Version(at, facts)

    def _dates(self, place: Place, facts: Facts, at: datetime) -> Facts | None:
        shift, nights = self.dice.randint(-3, 4), self.dice.randint(1, 5)
        arrival = facts.arrival + shift * DAY
        moved = replace(facts, arrival=arrival, departure=arrival + nights * DAY)
        mine = {facts.arrival + n * DAY for n in range((facts.departure - facts.arrival).days)}
        wanted = {arrival + n * DAY for n in range(nights)}
        is_ahead = _rough(place, moved)[0] > at and moved.departure < self.end.date()
        return moved if is_ahead and self._nobody_else(place, wanted - mine) else None

    def _nobody_else(self, place: Place, nights: set[date]) -> bool:
        return not nights & self.taken.setdefault(place.ref, set())

    def _extend(self, place: Place, facts: Facts, _at: datetime) -> Facts | None:
        more = self.dice.randint(1, 3)
        wanted = {facts.departure + n * DAY for n in range(more)}
        longer = replace(facts, departure=facts.departure + more * DAY)
        return longer if longer.departure < self.end.date() and self._nobody_else(place, wanted) else None

    def _shorten(self, place: Place, facts: Facts, at: datetime) -> Facts | None:
        shorter = replace(facts, departure=facts.departure - self.dice.randint(1, 2) * DAY)
        fits = shorter.departure > shorter.arrival and _rough(place, shorter)[1] > at + 5 * MINUTE
        return shorter if fits else None

    def _move(self, place: Place, facts: Facts, _at: datetime) -> Facts | None:
        nights = (facts.departure - facts.arrival).days
        for _ in range(20):
            other = self.dice.choice(self.places)
            same = (other.host, other.platform) == (place.host, place.platform) and other.ref != place.ref
            if same and self._is_free(other, facts.arrival, nights):
                return replace(facts, place=other.ref)
        return None

    def _cancel(self, _place: Place, facts: Facts, _at: datetime) -> Facts | None:
        return replace(facts, status="cancelled")

    def _times(self, place: Place, facts: Facts, _at: datetime) -> Facts | None:
        """Early check-in, late check-out; some at times that a change of the clocks skips or doubles."""
        early, late = self.dice.choice(("12:00", "13:15", "18:00")), self.dice.choice(("09:00", "13:00", "14:45"))
        if place.platform == "generic" and _odds(self.dice, 0.3):
            early, late = "02:30", "02:30"
        return replace(facts, check_in=early, check_out=late)


def _rough(place: Place, facts: Facts) -> tuple[datetime, datetime]:
    """About when the doors open and close, to draw instants around it; the oracle has its own arithmetic."""
    zone = ZoneInfo(place.zone)
    opens = datetime.combine(facts.arrival, time.fromisoformat(facts.check_in or place.check_in), zone)
    closes = datetime.combine(facts.departure, time.fromisoformat(facts.check_out or place.check_out), zone)
    return opens.astimezone(UTC) - place.before * MINUTE, closes.astimezone(UTC) + place.after * MINUTE


def _sendings(dice: random.Random, booking: Booking) -> Iterator[Sending]:
    """Each version is sent at least once – late now and then, so that a newer one comes before it – and some again."""
    for number, version in enumerate(booking.versions):
        at = version.at + timedelta(seconds=1 + 40 * dice.random())
        if _odds(dice, 0.06) and number + 1 < len(booking.versions):
            at += 5 * MINUTE + dice.random() * 3 * HOUR
        name = f"{booking.ref}-v{number}"
        yield Sending(at, number, name)
        if _odds(dice, 0.15):
            yield Sending(at + timedelta(seconds=1) + dice.random() * 2 * DAY, number, name)
        if _odds(dice, 0.08):
            yield Sending(at + timedelta(seconds=1) + dice.random() * 2 * DAY, number, f"{name}-again")


def in_order(versions: list[Version]) -> bool:
    """Whether each version is later than the one before."""
    return all(later.at > earlier.at for earlier, later in pairwise(versions))
