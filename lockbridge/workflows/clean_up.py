"""Forgetting what need not be known any more (R45), and closing alarms that end by themselves."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, StayId
from lockbridge.domain.messages import HostAlarm
from lockbridge.storage import codes, guest_links, inbox, journal, notes, outbox, stays, uploads
from lockbridge.storage.journal import Entry
from lockbridge.workflows.ports import Tools, transact

PAGE = 500
UPLOADS_KEPT = timedelta(days=1)
"""A sheet that nobody has imported by then is forgotten: it names guests."""


@dataclass(frozen=True, slots=True)
class Erased:
    """How much was erased."""

    pins: int = 0
    guests: int = 0


async def clean_up(tools: Tools, now: datetime) -> Erased:
    """Erase digits and guests whose time is over, page by page."""
    pins = guests = 0
    while page := await transact(tools, partial(_erase_pins, tools=tools, now=now)):
        pins += page
    while page := await transact(tools, partial(_erase_guests, tools=tools, now=now)):
        guests += page
    await transact(tools, partial(_erase_quoted, before=now - tools.policy.pin_retention))
    await transact(tools, partial(_erase_words, tools=tools, now=now))
    await transact(tools, partial(uploads.forget_before, before=now - UPLOADS_KEPT))
    await transact(tools, lambda c: journal.close_stale_alarms(c, ("bad_signature", "guest_at_door"), now))
    return Erased(pins, guests)


def _erase_pins(connection: Connection, tools: Tools, now: datetime) -> int:
    erased = codes.erase_pins(connection, now - tools.policy.pin_retention, now, PAGE)
    outbox.erase_texts(connection, set(codes.stays_of_codes(connection, erased).values()))
    return len(erased)


def _erase_quoted(connection: Connection, before: datetime) -> None:
    """Digits that stand elsewhere: what people read about keypads, and what lock apps' clouds wrote of their codes."""
    outbox.erase_texts_of(connection, HostAlarm.KEYPAD_WORK.value, before)
    notes.forget_unwanted(connection, before)
    inbox.erase_hints(connection, before)


def _erase_guests(connection: Connection, tools: Tools, now: datetime) -> int:
    erased = stays.erase_guests(connection, now - tools.policy.guest_retention, now, PAGE)
    outbox.erase_texts(connection, erased)
    guest_links.erase(connection, erased)
    return len(erased)


def _erase_words(connection: Connection, tools: Tools, now: datetime) -> None:
    """What names guests elsewhere: webhooks as they came, e-mails to hosts, codes that are on no lock any more."""
    before = now - tools.policy.guest_retention
    inbox.erase_bodies(connection, before)
    outbox.erase_facts(connection, before)
    journal.erase_facts(connection, before)
    codes.erase_names(connection)


async def erase_guest(tools: Tools, host: HostId, stay: StayId, now: datetime) -> bool:
    """Erase one guest at once, on request; the history keeps what was decided, not about whom."""
    return await transact(tools, lambda c: _erase_one(c, host, stay, now))


def _erase_one(connection: Connection, host: HostId, stay: StayId, now: datetime) -> bool:
    if not stays.erase_guest(connection, host, stay, now):
        return False
    outbox.erase_texts(connection, [stay])
    guest_links.erase(connection, [stay])
    codes.erase_names(connection)
    journal.write(connection, [Entry(now, host, "erased", "the guest's data was erased on request", stay)])
    return True
