"""From a stay to the codes that are wanted on doors: which digits, which name, which window, on which locks.

``decide`` is the whole of it: it is told a chain of stays of one guest (R44; usually one stay), the property with its
locks, and what was decided before, and says what shall hold from now on. It is run again whenever anything changes –
dates, property, matching, settings, a phone number – and says nothing new when nothing new follows.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from lockbridge.domain import naming
from lockbridge.domain.code import CodeKind, Pin, Window
from lockbridge.domain.health import first_watch
from lockbridge.domain.ids import CodeId, LockId, PlacementId, PropertyId, StayId
from lockbridge.domain.lock import Lock
from lockbridge.domain.naming import NameChoice, choose_name
from lockbridge.domain.pins import NoCommonLength, PinChoice, PinMode, PinReason, PinSpace, choose_pin, refusal
from lockbridge.domain.placement import Ended, Phase, Placement, PlacementState, spec_for
from lockbridge.domain.settings import CodeSettings
from lockbridge.domain.stay import (
    GuestIdentity,
    StaySpan,
    StayStatus,
    access_window,
    chain_window,
    push_time,
    removal_after_cancellation,
    removal_time,
)

HOUR = timedelta(hours=1)
DELETION_DELAY = timedelta(hours=24)
"""How long a finished code keeps its digits taken on its lock (R10, R29)."""

NO_FREE_PIN = "no free PIN is left on the property's locks"


@dataclass(frozen=True, slots=True)
class PropertyFacts:
    """What booking needs of a property: its clock, its usual times, its settings and its locks."""

    id: PropertyId
    zone: str
    country: str | None
    check_in: time
    check_out: time
    settings: CodeSettings
    locks: tuple[Lock, ...]


@dataclass(frozen=True, slots=True)
class Booked:
    """One reservation as booking sees it. Times of day are local; None means the property's usual ones."""

    id: StayId
    status: StayStatus
    arrival: date
    departure: date
    check_in: time | None
    check_out: time | None
    guest_name: str | None
    reservation_code: str
    guest: GuestIdentity
    created_at: datetime
    cancelled_at: datetime | None
    code: CodeId | None
    several_stays: bool = False
    """The same guest has another live stay that is not part of this one (R14)."""

    def window(self, place: PropertyFacts) -> Window:
        """When this stay may open the doors (R16). Raises ``ValueError`` when it ends before it begins."""
        return access_window(
            self.arrival,
            self.check_in or place.check_in,
            self.departure,
            self.check_out or place.check_out,
            place.zone,
            place.settings.buffers,
        )

    def opens(self, place: PropertyFacts) -> datetime:
        """When the final check looks at it (R24): the window's start, or check-in itself where the host says so."""
        starts = self.window(place).starts
        return starts if place.settings.final_check_includes_buffer else starts + place.settings.buffers.before


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided earlier: the chain's code and its live placements.

    ``told`` are the placements whose digits the guest knows.
    """

    code: CodeId
    pin: Pin | None
    name: str
    placements: tuple[Placement, ...] = ()
    told: frozenset[PlacementId] = frozenset()


@dataclass
class LockBook:
    """Which digits and names are taken on one lock; decisions of the same run are written into it as they are made."""

    lock: Lock
    index: Callable[[Pin], Hashable]
    pins: dict[Hashable, list[tuple[Window, CodeId]]] = field(default_factory=dict)
    strange_pins: set[Hashable] = field(default_factory=set)
    names: dict[str, set[CodeId]] = field(default_factory=dict)
    strange_names: set[str] = field(default_factory=set)
    held_length: int | None = None
    first_fours: frozenset[str] = frozenset()

    def pin_taken(self, pin: Pin, window: Window, code: CodeId) -> bool:
        """Whether the digits are somebody else's on this lock in a window that counts (R10)."""
        key = self.index(pin)
        return key in self.strange_pins or self._theirs(key, window, code)

    def _theirs(self, key: Hashable, window: Window, code: CodeId) -> bool:
        apart = self.lock.capabilities.holds_same_pin_apart
        return any(
            other != code and not (apart and not theirs.overlaps(window, margin=DELETION_DELAY))
            for theirs, other in self.pins.get(key, ())
        )

    def name_taken(self, name: str, code: CodeId) -> bool:
        """Whether another code on this lock, ours or not, bears the name."""
        folded = name.casefold()
        return folded in self.strange_names or bool(self.names.get(folded, set()) - {code})

    def enter(self, pin: Pin | None, name: str, window: Window, code: CodeId) -> None:
        """Write a decision down, so that the next one sees it."""
        if pin is not None:
            self.pins.setdefault(self.index(pin), []).append((window, code))
            self.first_fours |= {pin.digits[:4]}
            self.held_length = self.held_length or len(pin.digits)
        self.names.setdefault(name.casefold(), set()).add(code)

    def misfit(self, pin: Pin, window: Window, code: CodeId, *, ours: bool = False) -> str | None:
        """Why the code cannot have these digits on this lock, without digits; None when it can.

        ``ours``: the code is planned here already, so that its own beginning is among those in use.
        """
        space = self.space(window, code)
        if ours:
            space = replace(space, first_fours=frozenset())
        if len(pin.digits) not in space.lengths:
            return "the lock takes PINs of another length"
        return refusal(pin, space.rules) or space.conflict(pin)

    def collides(self, pin: Pin, window: Window, code: CodeId) -> bool:
        """Whether another code of ours has, or will have, the digits on this lock in a window that counts."""
        return self._theirs(self.index(pin), window, code)

    def space(self, window: Window, code: CodeId) -> PinSpace:
        """This lock's say in the choice of digits."""
        return PinSpace(
            self.lock.name,
            self.lock.capabilities.pin_rules,
            lambda pin: self.pin_taken(pin, window, code),
            self.held_length,
            self.first_fours,
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall hold from now on for one chain of stays.

    ``pin`` and ``name`` are set when they were chosen in this run; ``added`` placements have no id yet (0);
    ``changed`` are earlier placements with a new wish. ``again_at`` is when to decide again by itself.
    """

    code: CodeId
    window: Window
    pin: PinChoice | None = None
    name: NameChoice | None = None
    added: tuple[Placement, ...] = ()
    changed: tuple[Placement, ...] = ()
    waiting_until: datetime | None = None
    """Waiting for the guest's phone number until then (R9)."""
    trouble: str | None = None
    """Why no code can be made – for all locks or for one –, in words for the host. The rest holds nevertheless."""
    apart: tuple[tuple[LockId, PinChoice], ...] = ()
    """Locks that get digits of their own in this run, since the guest knows those of the others (R11)."""


def decide(
    chain: Sequence[Booked],
    place: PropertyFacts,
    before: Decided,
    books: Mapping[LockId, LockBook],
    below: Callable[[int], int],
    now: datetime,
) -> Decision:
    """What shall hold for the confirmed stays of one guest. ``below(n)`` draws uniformly from 0 to n-1.

    ``before.code`` is the code's id, new or old. Raises ``ValueError`` when a stay's times make no window.
    """
    window = _window(chain, place)
    if window.over(now):
        return Decision(before.code, window, changed=tuple(_finished(before.placements, window, now)))
    waits_until = _waits_for_phone(chain, place, before, window, now)
    if waits_until is not None:
        return Decision(before.code, window, waiting_until=waits_until)
    if not place.locks:
        return Decision(before.code, window, changed=tuple(_left_behind(before.placements, now)))
    pin, trouble = _pin(chain, place, before, books, window, below, now)
    name = _name(chain, place, before, books) if not before.name else None
    chosen = pin.pin if pin else before.pin
    settled = replace(before, pin=chosen, name=name.name if name else before.name)
    wishes = _Wishes(chain, place, settled, books, window, below, now, fresh=pin is not None)
    wishes.gather()
    trouble = trouble or "; ".join(wishes.troubles) or None
    return Decision(
        before.code,
        window,
        pin,
        name,
        tuple(wishes.added),
        tuple(wishes.changed),
        trouble=trouble,
        apart=tuple(wishes.apart),
    )


def _window(chain: Sequence[Booked], place: PropertyFacts) -> Window:
    spans = [StaySpan(stay.id, stay.arrival, stay.departure, stay.guest, stay.window(place)) for stay in chain]
    return chain_window(spans)


def span(stay: Booked, place: PropertyFacts) -> StaySpan:
    """The stay as R44 sees it."""
    return StaySpan(stay.id, stay.arrival, stay.departure, stay.guest, stay.window(place))


def _waits_for_phone(
    chain: Sequence[Booked], place: PropertyFacts, before: Decided, window: Window, now: datetime
) -> datetime | None:
    """Until when to wait for a missing phone number (R9): never past the push time, never once there is a PIN."""
    settings = place.settings
    if before.pin is not None or settings.pin_mode is not PinMode.PHONE or _phone(chain) is not None:
        return None
    lead = max((lock.capabilities.lead for lock in place.locks if not lock.capabilities.chooses_pin), default=None)
    if lead is None:
        return None
    until = min(chain[0].created_at + timedelta(minutes=settings.phone_wait_minutes), window.starts - lead)
    return until if until > now else None


def _phone(chain: Sequence[Booked]) -> str | None:
    return next((stay.guest.phone for stay in chain if stay.guest.phone), None)


def _pin(
    chain: Sequence[Booked],
    place: PropertyFacts,
    before: Decided,
    books: Mapping[LockId, LockBook],
    window: Window,
    below: Callable[[int], int],
    now: datetime,
) -> tuple[PinChoice | None, str | None]:
    """Digits for all locks of the stay (R2), or None when those decided before still stand; and what went wrong."""
    spaces = [books[lock.id].space(window, before.code) for lock in place.locks if not lock.capabilities.chooses_pin]
    if before.pin is not None and (not spaces or not _to_be_replaced(place, before, books, window, now)):
        return None, None
    if not spaces:
        return (PinChoice(None, PinReason.PROVIDER_CHOOSES) if place.locks and not before.placements else None), None
    mode = place.settings.pin_mode if before.pin is None else PinMode.RANDOM
    try:
        choice = choose_pin(mode, _phone(chain), place.country, place.settings.pin_length, spaces, below)
    except NoCommonLength as error:
        return None, str(error) if before.pin is None else None
    if before.pin is None:
        return choice, None if choice.pin else NO_FREE_PIN
    return (replace(choice, reason=PinReason.REPLACED) if choice.pin else None), None


def _to_be_replaced(
    place: PropertyFacts, before: Decided, books: Mapping[LockId, LockBook], window: Window, now: datetime
) -> bool:
    """Whether the digits are in the way on some lock and can still be replaced on all of them (R11).

    They cannot once the guest knows them, or is in the house with them: then only the lock they do not fit differs.
    """
    if before.told or any(one.confirmed and _stays_in_house(one, window, now) for one in before.placements):
        return False
    on_lock = {placement.lock: placement for placement in before.placements}
    return before.pin is not None and any(
        not lock.capabilities.chooses_pin
        and not _fits(before.pin, on_lock.get(lock.id), books[lock.id], window, before.code, now)
        for lock in place.locks
    )


def _stays_in_house(earlier: Placement, window: Window, now: datetime) -> bool:
    return earlier.in_house(now) and window.holds(now)


def _fits(pin: Pin, earlier: Placement | None, entries: LockBook, window: Window, code: CodeId, now: datetime) -> bool:
    """Whether the digits can be used on this lock. Those that are on it already give way to our own codes only."""
    if earlier is None or earlier.pin != pin:
        return entries.misfit(pin, window, code) is None
    if _stays_in_house(earlier, window, now):
        return True
    if earlier.confirmed:
        return not entries.collides(pin, window, code)
    return entries.misfit(pin, window, code, ours=True) is None


def _name(
    chain: Sequence[Booked], place: PropertyFacts, before: Decided, books: Mapping[LockId, LockBook]
) -> NameChoice:
    first = chain[0]
    mine = [books[lock.id] for lock in place.locks]
    by_hand = bool(first.guest_name) and any(str(first.guest_name).casefold() in book.strange_names for book in mine)
    return choose_name(
        first.guest_name,
        first.reservation_code,
        [lock.capabilities.name_rules for lock in place.locks],
        taken=lambda name: any(book.name_taken(name, before.code) for book in mine),
        several_stays=first.several_stays,
        made_by_hand=by_hand,
    )


@dataclass(slots=True)
class _Wishes:
    """One placement for each lock of the property; those on other locks end (R3, R4, R19)."""

    chain: Sequence[Booked]
    place: PropertyFacts
    settled: Decided
    books: Mapping[LockId, LockBook]
    window: Window
    below: Callable[[int], int]
    now: datetime
    fresh: bool
    """The digits were chosen in this run, for all locks; else each lock keeps those it has."""
    added: list[Placement] = field(default_factory=list)
    changed: list[Placement] = field(default_factory=list)
    apart: list[tuple[LockId, PinChoice]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def gather(self) -> None:
        on_lock = {placement.lock: placement for placement in self.settled.placements}
        for lock in self.place.locks:
            self._wish(lock, on_lock.pop(lock.id, None))
        self.changed.extend(_left_behind(on_lock.values(), self.now))

    def _wish(self, lock: Lock, earlier: Placement | None) -> None:
        pin = None if lock.capabilities.chooses_pin else self._digits(lock, earlier)
        if pin is None and not lock.capabilities.chooses_pin and earlier is None:
            return
        opens = self.chain[0].opens(self.place)
        if earlier is None:
            wished = _new(lock, self._named(lock, pin), self.window, opens, self.now)
            self.added.append(wished)
        else:
            wished = rewish(earlier, lock, self.window, opens, self.now, pin=pin or earlier.pin)
            if wished == earlier:
                return
            self.changed.append(wished)
        self.books[lock.id].enter(wished.pin, wished.name, self.window, self.settled.code)

    def _digits(self, lock: Lock, earlier: Placement | None) -> Pin | None:
        """The stay's digits; digits of its own for a lock they do not fit, None where there are none left."""
        kept = earlier.pin if earlier is not None and not self.fresh else None
        pin, entries = kept or self.settled.pin, self.books[lock.id]
        if pin is None or _fits(pin, earlier, entries, self.window, self.settled.code, self.now):
            return pin
        choice = self._other(entries)
        if choice.pin is None:
            self.troubles.append(f"{NO_FREE_PIN}: {lock.name}" if not choice.detail else choice.detail)
            return None
        self.apart.append((lock.id, choice))
        return choice.pin

    def _other(self, entries: LockBook) -> PinChoice:
        space, length = entries.space(self.window, self.settled.code), self.place.settings.pin_length
        try:
            choice = choose_pin(PinMode.RANDOM, None, None, length, [space], self.below)
        except NoCommonLength as error:
            return PinChoice(None, PinReason.EXHAUSTED, str(error))
        return replace(choice, reason=PinReason.REPLACED) if choice.pin else replace(choice, detail="")

    def _named(self, lock: Lock, pin: Pin | None) -> Decided:
        """What is decided, with the name this lock can take (R14)."""
        first, entries = self.chain[0], self.books[lock.id]
        choice = choose_name(
            self.settled.name,
            first.reservation_code,
            [lock.capabilities.name_rules],
            taken=lambda name: entries.name_taken(name, self.settled.code),
        )
        return replace(self.settled, pin=pin, name=choice.name)


def _new(lock: Lock, settled: Decided, window: Window, opens: datetime, now: datetime) -> Placement:
    capabilities = lock.capabilities
    return Placement(
        id=PlacementId(0),
        code=settled.code,
        lock=lock.id,
        kind=CodeKind.GUEST,
        pin=None if capabilities.chooses_pin else settled.pin,
        name=settled.name,
        window=window,
        push_at=push_time(window, capabilities.lead, now),
        remove_at=removal_time(window, keeps_windows=capabilities.keeps_windows),
        made_at=now,
        watch_at=first_watch(window, opens, now),
    )


def rewish(
    earlier: Placement,
    lock: Lock,
    window: Window,
    opens: datetime,
    now: datetime,
    *,
    pin: Pin | None,
    name: str | None = None,
) -> Placement:
    """The placement with a new wish. If the lock would now be asked otherwise, it is no longer confirmed."""
    capabilities = lock.capabilities
    wished = replace(
        earlier,
        pin=earlier.pin if capabilities.chooses_pin else pin,
        name=earlier.name if name is None else name,
        window=window,
        push_at=push_time(window, capabilities.lead, earlier.made_at),
        remove_at=removal_time(window, keeps_windows=capabilities.keeps_windows),
        ended=None,
    )
    if wished == earlier:
        return earlier
    same_spec = spec_for(wished, capabilities) == spec_for(earlier, capabilities) and earlier.ended is None
    waits = wished.phase(now) is Phase.EARLY and not capabilities.keeps_windows
    unsettled = wished if same_spec and not waits else _reopened(wished)
    return replace(unsettled, watch_at=first_watch(window, opens, now))


def _reopened(placement: Placement) -> Placement:
    """Not confirmed any more. One whose removal was accepted is on its way off and is put back when it is gone."""
    placement = replace(placement, failures=0, waits=0, looks=0)
    if placement.asked is None:
        return replace(placement, state=PlacementState.MADE, hold_until=None)
    if placement.state is PlacementState.REMOVING:
        return replace(placement, hold_until=None)
    asked_at = None if placement.confirmed else placement.asked_at
    return replace(placement, state=PlacementState.ASKED, asked_at=asked_at, hold_until=None)


def ended(placement: Placement, why: Ended, now: datetime, at: datetime | None = None) -> Placement:
    """The placement to be taken off its lock at ``at`` (default: now), and why."""
    return replace(placement, ended=why, remove_at=at or now, watch_at=None, hold_until=None)


def _finished(placements: Iterable[Placement], window: Window, now: datetime) -> Iterable[Placement]:
    """A stay whose (new) window is over already: its placements get that window and end with it."""
    for placement in placements:
        remove_at = max(window.ends or now, min(placement.remove_at or now, now))
        if placement.ended is None and placement.window != window:
            yield replace(ended(placement, Ended.SUPERSEDED, now, remove_at), window=window)


def _left_behind(placements: Iterable[Placement], now: datetime) -> Iterable[Placement]:
    """The property has no lock any more: what is on its former ones comes off (R4)."""
    return (ended(placement, Ended.UNMATCHED, now) for placement in placements if placement.ended is None)


def cancelled(placement: Placement, cancelled_at: datetime) -> Placement:
    """A cancelled stay's code comes off at once if it works or soon would, else 24 h later (R30)."""
    if placement.ended is not None:
        return placement
    return ended(placement, Ended.CANCELLED, cancelled_at, removal_after_cancellation(placement.window, cancelled_at))


def revoked(placement: Placement, now: datetime) -> Placement:
    """A code that the host takes back comes off at once, whatever it was to wait for."""
    return placement if placement.ended is Ended.REVOKED else ended(placement, Ended.REVOKED, now)


def wants_code(stay: Booked) -> bool:
    """Whether the reservation is one that gets a code: only a confirmed one does."""
    return stay.status is StayStatus.CONFIRMED


def loses_code(stay: Booked) -> bool:
    """Whether it loses the code it has: cancelled or turned into a block. Unknown and pending never revoke."""
    return stay.status in (StayStatus.CANCELLED, StayStatus.BLOCKED)


def explain(decision: Decision) -> list[str]:
    """What was chosen and why, in sentences for the history (R15, R40), without digits."""
    said = []
    if decision.pin is not None:
        said.append(f"PIN: {decision.pin.reason.value}" + (f" ({decision.pin.detail})" if decision.pin.detail else ""))
    if decision.name is not None:
        said.append(f"name: {naming.explain(decision.name)}")
    said.extend(f"PIN of lock {lock}: {choice.reason.value}" for lock, choice in decision.apart)
    return said
