"""The door code where the booking platform keeps it for the guest: written, read back, put right, taken away (R36)."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge.domain.code import Window
from lockbridge.domain.messages import HostAlarm, SendAs, at_send_time, pins_told
from lockbridge.domain.retry import ATTEMPTS_A_DAY, wait_for
from lockbridge.domain.rules import By
from lockbridge.domain.stay import StayStatus
from lockbridge.messaging.channel import SendError, SendLater, SendRefused
from lockbridge.platforms.contract import CodeNote
from lockbridge.storage import codes, journal, outbox
from lockbridge.storage.journal import Entry
from lockbridge.storage.outbox import Sent
from lockbridge.workflows import alarms, deliver
from lockbridge.workflows.judging import Due, NotNow, held_until
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.wording import stay_facts

SELDOM = timedelta(hours=6)
"""How often it is tried after the first attempts."""


async def write(tools: Tools, due: Due, now: datetime) -> None:
    """Bring the platform's field to what holds now, unless the code is not ready (R35)."""
    note = wanted(due, now)
    if isinstance(note, NotNow):
        await transact(tools, lambda c: _not_now(c, due, note))
        return
    if _kept(note) == (due.message.text or ""):
        await transact(tools, lambda c: _stands(c, tools, due, note, now))
        return
    try:
        await deliver.write_field(tools, due.source, due.stay, note)
    except SendRefused as error:
        reason = str(error)
        await transact(tools, lambda c: _refused(c, tools, due, reason, now))
    except SendError as error:
        asked, reason = error.retry_after if isinstance(error, SendLater) else None, str(error)
        await transact(tools, lambda c: _later(c, tools, due, asked, reason, now))
    else:
        await transact(tools, lambda c: _written(c, tools, due, note, now))


def wanted(due: Due, now: datetime) -> CodeNote | NotNow | None:
    """What is to stand in the field; None: nothing."""
    touched = bool(due.message.text) or due.message.attempts > 0 or due.message.sent_at is not None
    if due.stay.status is StayStatus.CANCELLED or not due.rule.enabled:
        return None if touched else NotNow(None, "the stay was cancelled or the rule switched off")
    if due.code is not None and due.code.closes_at is not None and due.code.closes_at <= now:
        return NotNow(None, "the stay is over")
    if due.code is None or not due.doors.own:
        return None if touched else NotNow(held_until(now, now), "no code yet")
    window = due.doors.own[0].placement.window
    send_as = at_send_time(due.rule.when_not_ready, confirmed=due.doors.ready, window=window, now=now)
    digits = stay_facts(due.stay, due.place, due.doors).smartlock_code
    if send_as is not SendAs.SEND or not digits:
        return NotNow(held_until(window.starts, now), "the code is not on the lock yet")
    return _note(due, digits, window)


def _note(due: Due, digits: str, window: Window) -> CodeNote:
    return CodeNote(digits, window.starts, window.ends or window.starts, due.place.zone)


def _kept(note: CodeNote | None) -> str:
    """What is remembered of a note: enough to tell whether another is to be written."""
    if note is None:
        return ""
    return f"{note.text}\n\n{note.opens_at:%Y-%m-%d %H:%M} – {note.closes_at:%Y-%m-%d %H:%M} UTC"


def _not_now(connection: Connection, due: Due, note: NotNow) -> None:
    if note.until is None:
        outbox.note_dropped(connection, due.message.id, "cancelled", note.why)
    else:
        outbox.note_later(connection, due.message.id, "held", note.until, None)


def _stands(connection: Connection, tools: Tools, due: Due, note: CodeNote | None, now: datetime) -> None:
    """The field says what it should: nothing was written, so the history says nothing either."""
    told = {str(key): index for key, index in due.message.told.items()}
    sent_at = due.message.sent_at or now
    outbox.note_sent(connection, tools.vault, due.message.id, Sent(_kept(note), By.FIELD.value, told), sent_at)


def _written(connection: Connection, tools: Tools, due: Due, note: CodeNote | None, now: datetime) -> None:
    """Note what stands there; the guest can read it, so it counts as told (R36)."""
    shown = pins_told(note.text, due.doors.pins()) if note is not None else set()
    indexes = {key: index for key, index in due.doors.indexes().items() if key in shown}
    told = {str(key): index.hex() for key, index in indexes.items()}
    outbox.note_sent(connection, tools.vault, due.message.id, Sent(_kept(note), By.FIELD.value, told), now)
    alone = all(telling.way is By.FIELD for telling in due.tellings)
    never = {item.placement.id for item in (*due.doors.own, *due.doors.backups) if item.told_index is None}
    codes.note_told(connection, {key: index for key, index in indexes.items() if alone or key in never}, now)
    alarms.end(connection, due.message.host, HostAlarm.FIELD_NOT_WRITTEN, _about(due), now)
    said = "the door code was written to the platform" if note else "the door code was taken off the platform"
    journal.write(connection, [_entry(due, "message_sent", said, now)])


def _about(due: Due) -> str:
    return f"stay-{due.stay.id}"


def _entry(due: Due, kind: str, why: str, now: datetime) -> Entry:
    return Entry(now, due.message.host, kind, why, due.stay.id, due.code.id if due.code else None)


def _refused(connection: Connection, tools: Tools, due: Due, reason: str, now: datetime) -> None:
    """The platform has no field for this account or stay: the host is told once for all of the account's stays."""
    outbox.note_dropped(connection, due.message.id, "refused", reason)
    journal.write(connection, [_entry(due, "message_refused", f"the door code was not written: {reason}", now)])
    _tell(connection, tools, due, f"source-{due.stay.source}", reason, now)


def _later(connection: Connection, tools: Tools, due: Due, asked: timedelta | None, reason: str, now: datetime) -> None:
    attempts = due.message.attempts + 1
    wait = wait_for(attempts, asked) if attempts < ATTEMPTS_A_DAY else max(SELDOM, asked or SELDOM)
    outbox.note_later(connection, due.message.id, "waiting", now + wait, reason)
    if attempts >= ATTEMPTS_A_DAY:
        _tell(connection, tools, due, _about(due), reason, now)


def _tell(connection: Connection, tools: Tools, due: Due, about: str, reason: str, now: datetime) -> None:
    platform = tools.platforms[due.stay.platform].title
    facts = alarms.about_stay(due.stay, due.place) | {"platform": platform, "reason": reason}
    alarms.begin(connection, due.message.host, HostAlarm.FIELD_NOT_WRITTEN, about, facts, now)
