"""What a host does to one stay: a backup, other digits, no code at all, another try, other times (R11, R25, R36, R41).

Each is told to the stay's history, takes effect on the locks at once, and says in words what came of it – without
digits, so that the words may be shown, logged and sent on.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time

from sqlalchemy import Connection

from lockbridge.domain.code import Pin, Window
from lockbridge.domain.health import first_watch
from lockbridge.domain.ids import HostId, LockId, StayId
from lockbridge.domain.messages import GuestMessage, message_key
from lockbridge.domain.pins import NoCommonLength, PinReason, PinSpace, pin_length, random_pin
from lockbridge.domain.placement import Placement, PlacementState
from lockbridge.domain.rules import Trigger
from lockbridge.domain.settings import CodeSettings
from lockbridge.domain.status import Status
from lockbridge.domain.stay import StayStatus
from lockbridge.storage import codes, hosts, journal, locks, outbox, stays
from lockbridge.storage.codes import CodeRow, Placed
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow
from lockbridge.storage.outbox import NewMessage
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import backup, book, explain, push, rules
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.judging import BACKUP_AHEAD, REISSUED
from lockbridge.workflows.ports import Tools, transact

NOT_YOURS = "this host has no such stay"
UNSENT = frozenset({"waiting", "held"})


@dataclass(frozen=True, slots=True)
class _Held:
    """A stay kept from other planners until the transaction ends, with its property."""

    row: StayRow
    place: PropertyRow


def _held(connection: Connection, tools: Tools, host: HostId, stay: StayId) -> _Held:
    """The stay, as nobody else can change it now. Raises BadInput when it is not theirs or has no property."""
    found = stays.get(connection, tools.vault, host, stay)
    if found is None:
        raise BadInput(NOT_YOURS)
    if found.property is None:
        msg = f"its property is not known here: say which property {found.property_ref!r} of {found.platform} is"
        raise BadInput(msg)
    hosts.guard_properties(connection, [found.property])
    row = stays.held(connection, tools.vault, stay)
    return _Held(row, hosts.properties(connection, [row.property or found.property])[row.property or found.property])


def _plan(connection: Connection, tools: Tools, ids: Collection[StayId], now: datetime) -> None:
    rows = stays.by_ids(connection, tools.vault, ids)
    book.book_stays(connection, tools, [(row.id, row.property) for row in rows.values()], now)


def _settings(connection: Connection, tools: Tools, place: PropertyRow) -> CodeSettings:
    chosen = hosts.host_settings(connection, [place.host])[place.host]
    return tools.policy.codes.with_overrides(chosen).with_overrides(place.settings)


def _code(connection: Connection, tools: Tools, row: StayRow) -> CodeRow | None:
    return codes.by_ids(connection, tools.vault, [row.code]).get(row.code) if row.code is not None else None


def _placed(connection: Connection, tools: Tools, row: StayRow) -> list[Placed]:
    """What of the stay's code is, or may still come to be, on locks."""
    return codes.placements_of(connection, tools.vault, [row.code]).get(row.code, []) if row.code is not None else []


def _check_live(connection: Connection, tools: Tools, held: _Held, code: CodeRow | None, now: datetime) -> None:
    """Raises BadInput for a stay that gets no code: cancelled, blocked, not confirmed, or over."""
    row = held.row
    if row.status is not StayStatus.CONFIRMED:
        msg = f"the stay is {row.status.value}: a code is for a confirmed stay only – confirm it first"
        raise BadInput(msg)
    closes_at = code.closes_at if code is not None else _window(connection, tools, held).ends
    if closes_at is not None and closes_at <= now:
        msg = "the stay is over: its code opens nothing any more"
        raise BadInput(msg)


def _mates(connection: Connection, row: StayRow) -> set[StayId]:
    """The stay, and those that share its code (R44)."""
    return {row.id, *(stays.with_code(connection, row.host, row.code) if row.code is not None else ())}


async def _attend(tools: Tools, host: HostId, stay: StayId, ids: Collection[LockId], now: datetime) -> str:
    """Attend to these locks, whatever they waited for, and say how the stay's code stands on them."""
    if ids:
        await push.attend_to(tools, ids, now)
    seen = await tools.database.ask(explain.view, tools, host, stay, now)
    lines = [] if seen is None else [line for line in seen.access if line.lock in ids and not line.is_backup]
    latest = {line.lock: line for line in lines}
    return "; ".join(f"{line.lock_name}: {_standing(line)}" for line in latest.values())


def _standing(line: explain.Access) -> str:
    reason = f" ({line.shown.reason})" if line.shown.reason and line.shown.status is not Status.REMOVING else ""
    return f"{line.shown.status}{reason}"


def _said(what: str, standing: str) -> str:
    return f"{what}. {standing}." if standing else f"{what}."


# ------------------------------------------------------------------------------------------------------ a backup code


async def give_backup(
    tools: Tools, host: HostId, stay: StayId, lock: LockId, now: datetime, *, why: str = "the host gave it"
) -> str:
    """Give the stay a backup code on a lock, and have its guest told; given already: the same one, and said so (R25).

    Raises BadInput when it cannot have one: none is ready, it is over, or too long ahead.
    """
    said = await transact(tools, lambda c: _give_backup(c, tools, host, stay, lock, now, why))
    if said is None:
        msg = "no backup code is ready on this lock: resync it, and the next ones are put on it"
        raise BadInput(msg)
    return said


def _give_backup(
    connection: Connection, tools: Tools, host: HostId, stay: StayId, lock: LockId, now: datetime, why: str
) -> str | None:
    """None: the pool is empty, and the host was told."""
    held = _held(connection, tools, host, stay)
    _check_live(connection, tools, held, _code(connection, tools, held.row), now)
    door, window = _door(connection, tools, held, lock)
    if held.row.revoked_at is not None:
        msg = "the code of this stay was revoked: issue a new one first"
        raise BadInput(msg)
    if window.starts - now > BACKUP_AHEAD:
        msg = f"a backup code opens {door.name} at once: it can be given in the 24 hours before the stay begins"
        raise BadInput(msg)
    codes.guard_locks(connection, [lock])
    if lock in _helped(connection, tools, held.row):
        return f"A backup code of {door.name} has been given to this stay already: it works until the stay ends."
    if not backup.give(connection, tools, held.row, door, window, now, why=why):
        return None
    return f"A backup code of {door.name} is given: the guest is told now, and it works until the stay ends."


def _helped(connection: Connection, tools: Tools, row: StayRow) -> set[LockId]:
    """The locks on which the stay, or one that shares its code, was given a backup (R44)."""
    given = codes.backups_given_to(connection, tools.vault, _mates(connection, row))
    return {item.placement.lock for items in given.values() for item in items if item.placement.ended is None}


def _door(connection: Connection, tools: Tools, held: _Held, lock: LockId) -> tuple[LockRow, Window]:
    """One of the stay's doors, and when the stay may open it. Raises BadInput."""
    placed = [item for item in _placed(connection, tools, held.row) if item.placement.ended is None]
    windows = {item.placement.lock: item.placement.window for item in placed}
    door = locks.get_lock(connection, held.row.host, lock) if lock in _matched(connection, held) else None
    if door is None:
        msg = "this lock is none of the stay's doors: choose one that is matched with its property"
        raise BadInput(msg)
    return door, windows.get(lock) or _window(connection, tools, held)


def _matched(connection: Connection, held: _Held) -> set[LockId]:
    return {lock for _, lock in hosts.matches(connection, [held.place.id])}


def _window(connection: Connection, tools: Tools, held: _Held) -> Window:
    """When the stay may open its doors. Raises BadInput when its times make no window."""
    facts = held.place.facts(_settings(connection, tools, held.place), ())
    try:
        return held.row.booked().window(facts)
    except ValueError as error:
        msg = f"these times make no stay: {error}"
        raise BadInput(msg) from error


# ------------------------------------------------------------------------------------------------------- other digits


async def reissue(tools: Tools, host: HostId, stay: StayId, now: datetime) -> str:
    """Other digits on all locks of the stay; who was told the old ones is sent one correction when a lock has them.

    A stay whose code was revoked has one again. Raises BadInput when it can have none.
    """
    ids, left = await transact(tools, lambda c: _reissue(c, tools, host, stay, now))
    standing = await _attend(tools, host, stay, ids, now)
    return _said("A new code was chosen", standing) + _kept("The old one", left)


def _reissue(
    connection: Connection, tools: Tools, host: HostId, stay: StayId, now: datetime
) -> tuple[set[LockId], list[str]]:
    """The locks concerned, and the names of those on which the old digits stay valid."""
    held = _held(connection, tools, host, stay)
    code = _code(connection, tools, held.row)
    _check_live(connection, tools, held, code, now)
    mates = _mates(connection, held.row)
    stays.set_revoked(connection, mates, None)
    if code is None:
        journal.write(connection, [Entry(now, host, "reissued", "a code was asked for", stay)])
    else:
        _replace_digits(connection, tools, held, code, now)
    _plan(connection, tools, mates, now)
    fresh = stays.held(connection, tools.vault, stay)
    placed = [item for item in _placed(connection, tools, fresh) if item.placement.ended is None]
    if code is not None:
        _correct(connection, tools, fresh, code, placed, now)
    rows = locks.by_ids(connection, {item.placement.lock for item in placed})
    locks.poke_locks(connection, rows, now)
    return set(rows), _left_on(connection, placed, now)


def _left_on(connection: Connection, placed: Sequence[Placed], now: datetime) -> list[str]:
    """The names of the locks that go on holding digits they were given: theirs cannot be taken back."""
    held = {
        item.placement.lock
        for item in placed
        if item.placement.asked is not None and not item.placement.window.over(now)
    }
    return [row.name for row in locks.by_ids(connection, held).values() if not row.capabilities.can_remove]


def _kept(what: str, left: Sequence[str]) -> str:
    return f" {what} stays valid on {', '.join(left)}: this lock app cannot take codes back." if left else ""


def _replace_digits(connection: Connection, tools: Tools, held: _Held, code: CodeRow, now: datetime) -> None:
    """Digits that are free on all the stay's locks, random, and none of those it had (R2, R11, R12)."""
    rows = locks.by_ids(connection, _matched(connection, held))
    codes.guard_locks(connection, rows)
    able = {key: row for key, row in rows.items() if not row.capabilities.chooses_pin}
    if rows and not able:
        names = ", ".join(row.name for row in rows.values())
        msg = f"{names}: the lock app chooses the digits itself: others cannot be asked of it"
        raise BadInput(msg)
    placed = [item for item in _placed(connection, tools, held.row) if item.placement.lock in able]
    old = {code.pin, *(item.placement.pin for item in placed)} - {None}
    window = Window(code.opens_at, code.closes_at)
    spaces = [entries.space(window, code.id) for entries in book.lock_books(connection, tools, able).values()]
    pin = _other(tools, _settings(connection, tools, held.place).pin_length, [_without(each, old) for each in spaces])
    codes.set_code_pin(connection, tools.vault, code.id, pin, PinReason.REISSUED.value)
    codes.rewish(connection, tools.vault, code.host, [_renewed(item.placement, pin, now) for item in placed])
    why = "another PIN was asked for, and chosen for all locks of the stay"
    journal.write(connection, [Entry(now, code.host, "reissued", why, held.row.id, code.id)])


def _without(space: PinSpace, old: Collection[Pin | None]) -> PinSpace:
    return replace(space, taken=lambda pin: pin in old or space.taken(pin))


def _other(tools: Tools, length: int, spaces: Sequence[PinSpace]) -> Pin:
    try:
        pin = random_pin(pin_length(length, spaces), spaces, tools.below)
    except NoCommonLength as error:
        raise BadInput(str(error)) from error
    if pin is None:
        msg = "no PIN is free on all locks of the stay"
        raise BadInput(msg)
    return pin


def _renewed(placement: Placement, pin: Pin, now: datetime) -> Placement:
    """The placement to be tried at once with these digits, and watched as if it had been made now (R24)."""
    waits = placement.state is PlacementState.REMOVING or placement.asked is not None
    state = placement.state if placement.state is PlacementState.REMOVING else PlacementState.ASKED
    watch = first_watch(placement.window, placement.window.starts, now) if placement.ended is None else None
    return replace(placement, pin=pin, state=state if waits else PlacementState.MADE, hold_until=None, watch_at=watch)


def _correct(
    connection: Connection, tools: Tools, row: StayRow, code: CodeRow, placed: Sequence[Placed], now: datetime
) -> None:
    """One correction for all doors, where the guest was told other digits; one still to go is not sent (R36)."""
    for message in outbox.of_stay(connection, tools.vault, row.host, code.stay or row.id):
        if message.facts.get(REISSUED) and message.state in UNSENT:
            outbox.note_dropped(connection, message.id, "cancelled", "another code was issued since")
    if codes.told_otherwise(connection, tools.vault, [item.placement.id for item in placed]):
        kind = GuestMessage.CORRECTION.value
        key = message_key(kind, code.id, REISSUED, f"{now:%Y%m%dT%H%M%S%f}")
        facts = {"code": code.id, REISSUED: True}
        usual = NewMessage(row.host, key, kind, now, code.stay or row.id, facts=facts)
        rules.happened_to(connection, tools, code.stay or row.id, Trigger.CODE_CHANGED, [usual], now)
    outbox.rewrite_fields_of(connection, [code.id], now)


# ------------------------------------------------------------------------------------------------------------ no code


async def revoke(tools: Tools, host: HostId, stay: StayId, now: datetime) -> str:
    """Take the stay's code, and backups it was given, off every lock now; none comes back until one is reissued.

    What was to be said to the guest is not sent. Raises BadInput when there is nothing to revoke.
    """
    ids, left = await transact(tools, lambda c: _revoke(c, tools, host, stay, now))
    return _said("The code is revoked", await _attend(tools, host, stay, ids, now)) + _kept("It", left)


def _revoke(
    connection: Connection, tools: Tools, host: HostId, stay: StayId, now: datetime
) -> tuple[set[LockId], list[str]]:
    """The locks concerned, and the names of those on which the digits stay valid."""
    found = stays.get(connection, tools.vault, host, stay)
    if found is None:
        raise BadInput(NOT_YOURS)
    if found.property is not None:
        hosts.guard_properties(connection, [found.property])
    row = stays.held(connection, tools.vault, stay)
    mates = _mates(connection, row)
    stays.set_revoked(connection, mates, now)
    why = "the host has revoked the code: it is taken off its locks now, and none is made until one is issued again"
    journal.write(connection, [Entry(now, host, "revoked", why, stay, row.code)])
    given = codes.backups_given_to(connection, tools.vault, mates)
    placed = [*_placed(connection, tools, row), *(item for items in given.values() for item in items)]
    _plan(connection, tools, mates, now)
    return {item.placement.lock for item in placed}, _left_on(connection, placed, now)


async def restore(tools: Tools, host: HostId, stay: StayId, now: datetime) -> str:
    """Take a revocation back: the stay has its code again, with the same digits. Raises BadInput where none was."""
    ids = await transact(tools, lambda c: _restore(c, tools, host, stay, now))
    return _said("The stay has its code again, with the same digits", await _attend(tools, host, stay, ids, now))


def _restore(connection: Connection, tools: Tools, host: HostId, stay: StayId, now: datetime) -> set[LockId]:
    held = _held(connection, tools, host, stay)
    if held.row.revoked_at is None:
        msg = "the code of this stay was not revoked"
        raise BadInput(msg)
    _check_live(connection, tools, held, _code(connection, tools, held.row), now)
    mates = _mates(connection, held.row)
    stays.set_revoked(connection, mates, None)
    journal.write(connection, [Entry(now, host, "restored", "the host took the revocation back", stay, held.row.code)])
    _plan(connection, tools, mates, now)
    fresh = stays.held(connection, tools.vault, stay)
    return {item.placement.lock for item in _placed(connection, tools, fresh)}


# --------------------------------------------------------------------------------------------- another try, other times


async def try_again(tools: Tools, host: HostId, stay: StayId, now: datetime) -> str:
    """Decide anew what could not be decided, and attend to the stay's locks now, whatever they waited for.

    Raises BadInput when the stay is not theirs or has no property.
    """
    ids = await transact(tools, lambda c: _try_again(c, tools, host, stay, now))
    if not ids:
        return "There is nothing to try: the stay has no code on any lock."
    return _said("Tried again", await _attend(tools, host, stay, ids, now))


def _try_again(connection: Connection, tools: Tools, host: HostId, stay: StayId, now: datetime) -> set[LockId]:
    held = _held(connection, tools, host, stay)
    journal.write(connection, [Entry(now, host, "tried_again", "another try was asked for", stay, held.row.code)])
    _plan(connection, tools, [stay], now)
    row = stays.held(connection, tools.vault, stay)
    given = codes.backups_given_to(connection, tools.vault, [stay]).get(stay, [])
    return {item.placement.lock for item in (*_placed(connection, tools, row), *given)}


async def set_times(tools: Tools, host: HostId, stay: StayId, check_in: str, check_out: str, now: datetime) -> str:
    """Other times of day for this stay alone, ``HH:MM``; empty: what the booking or the property says (R41).

    Its window follows; the booking platform is not touched. Raises BadInput.
    """
    begins, ends = _clock(check_in, "check-in"), _clock(check_out, "check-out")
    await transact(tools, lambda c: _set_times(c, tools, host, stay, begins, ends, now))
    said = [f"{what} is {at or 'at its usual time'}" for what, at in (("check-in", begins), ("check-out", ends))]
    return f"Now {' and '.join(said)}; the code follows."


def _set_times(
    connection: Connection,
    tools: Tools,
    host: HostId,
    stay: StayId,
    begins: str | None,
    ends: str | None,
    now: datetime,
) -> None:
    held = _held(connection, tools, host, stay)
    _window(connection, tools, replace(held, row=replace(held.row, host_check_in=begins, host_check_out=ends)))
    stays.set_host_times(connection, host, stay, begins, ends, now)
    why = f"the host set check-in to {begins or 'its usual time'} and check-out to {ends or 'its usual time'}"
    journal.write(connection, [Entry(now, host, "times", why, stay, held.row.code)])
    _plan(connection, tools, [stay], now)


def _clock(text: str, what: str) -> str | None:
    if not text.strip():
        return None
    try:
        return time.fromisoformat(text.strip()).replace(tzinfo=None).isoformat("minutes")
    except ValueError:
        msg = f"{text!r} is no time of day for {what}: write it like 16:00, or leave it empty for the usual one"
        raise BadInput(msg) from None
