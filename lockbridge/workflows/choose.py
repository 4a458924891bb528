"""A lock refused digits or a name: choose others and have them tried (R11, R14)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from lockbridge.domain import naming
from lockbridge.domain.naming import NameChoice, choose_name
from lockbridge.domain.pins import PinReason
from lockbridge.domain.placement import Placement, PlacementState
from lockbridge.domain.retry import ATTEMPTS_A_DAY
from lockbridge.domain.settle import Choose, NoteKind
from lockbridge.storage import codes, journal, locks, stays
from lockbridge.storage.codes import CodeRow, Placed
from lockbridge.storage.journal import Entry
from lockbridge.workflows import notify
from lockbridge.workflows.book import lock_books, other_pin
from lockbridge.workflows.ports import Tools


def anew(connection: Connection, tools: Tools, refused: Mapping[Placement, Choose], now: datetime) -> None:
    """Choose differently for these placements, in the caller's transaction."""
    known = codes.by_ids(connection, tools.vault, {placement.code for placement in refused})
    for placement, what in refused.items():
        if what is Choose.PIN:
            _pin(connection, tools, known[placement.code], placement, now)
        else:
            _name(connection, tools, known[placement.code], placement, now)


def _pin(connection: Connection, tools: Tools, code: CodeRow, placement: Placement, now: datetime) -> None:
    """Other digits: on all locks of the stay while nobody was told, else only on the lock that refused (R11)."""
    placed = codes.placements_of(connection, tools.vault, [code.id])[code.id]
    told = any(item.told for item in placed)
    alone = {placement.lock}
    everywhere = {item.placement.lock for item in placed if item.placement.ended is None}
    rows = locks.by_ids(connection, alone if told else everywhere)
    codes.guard_locks(connection, rows)
    rows = {key: row for key, row in rows.items() if not row.capabilities.chooses_pin}
    pin = other_pin(connection, tools, placement, rows)
    if pin is None:
        return
    for item in placed:
        if item.placement.lock in rows:
            codes.replace_pin(connection, tools.vault, code.host, _retried(item, placement, now), pin)
    if not told:
        codes.set_code_pin(connection, tools.vault, code.id, pin, PinReason.REPLACED.value)
    locks.poke_locks(connection, rows.keys(), now)
    where = "on this lock only: the guest knows the old one" if told else "on all locks of the stay"
    why = f"another PIN was chosen {where} ({placement.detail or placement.reason})"
    journal.write(
        connection, [Entry(now, code.host, NoteKind.PIN_CHOSEN.value, why, code.stay, code.id, placement.lock)]
    )
    if told:
        notify.correct(connection, tools, [item for item in placed if item.placement.id == placement.id], code, now)


def _retried(item: Placed, refused: Placement, now: datetime) -> Placement:
    """Tried again at once – but not for ever: after the day's attempts the usual wait holds."""
    placement = item.placement
    if placement.id == refused.id and refused.failures > ATTEMPTS_A_DAY:
        return placement
    state = PlacementState.MADE if placement.asked is None else PlacementState.ASKED
    return replace(placement, state=state, hold_until=now if placement.hold_until else None)


def _name(connection: Connection, tools: Tools, code: CodeRow, placement: Placement, now: datetime) -> None:
    """The reservation code instead of the name, or the next variant of it (R14)."""
    rows = locks.by_ids(connection, [placement.lock])
    books = lock_books(connection, tools, rows)
    refused = placement.name.casefold()
    choice = choose_name(
        None,
        _reservation_code(connection, tools, code),
        [row.capabilities.name_rules for row in rows.values()],
        taken=lambda name: name.casefold() == refused or any(b.name_taken(name, code.id) for b in books.values()),
    )
    reason = naming.NameReason.NAME_TAKEN if placement.reason == "name_taken" else naming.NameReason.REJECTED
    told = NameChoice(choice.name, reason, choice.detail)
    codes.replace_name(connection, replace(placement, name=choice.name, hold_until=_soon(placement, now)), told)
    locks.poke_locks(connection, rows.keys(), now)
    journal.write(connection, [Entry(now, code.host, "name", naming.because(told), code.stay, code.id, placement.lock)])


def _soon(placement: Placement, now: datetime) -> datetime | None:
    return placement.hold_until if placement.failures > ATTEMPTS_A_DAY else now


def _reservation_code(connection: Connection, tools: Tools, code: CodeRow) -> str:
    if code.stay is None:
        return code.name
    stay = stays.get(connection, tools.vault, code.host, code.stay)
    return stay.reservation_code if stay else code.name
