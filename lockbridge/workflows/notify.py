"""What is said to guests and hosts: what is due, rendered with what is true now, sent once, remembered (R34–R38)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from secrets import token_hex
from time import monotonic
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain.code import Pin
from lockbridge.domain.ids import LockId, MessageId, PlacementId, StayId
from lockbridge.domain.messages import (
    DoorCode,
    GuestMessage,
    HostAlarm,
    SendAs,
    StayFacts,
    at_send_time,
    message_id,
    message_key,
    pins_told,
)
from lockbridge.domain.retry import wait_for
from lockbridge.messaging.channel import Email, MailError, MailLater, MailRefused
from lockbridge.messaging.render import Text
from lockbridge.storage import codes, hosts, journal, locks, outbox, stays
from lockbridge.storage.codes import CodeRow, Placed
from lockbridge.storage.database import StorageUnavailable
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.journal import Entry
from lockbridge.storage.outbox import MessageRow, NewMessage
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import alarms, backup, notebook
from lockbridge.workflows.ports import Tools, transact

BATCH = 50
LEASE = timedelta(minutes=5)
RECHECK = timedelta(minutes=30)
"""How often a held message is looked at without being woken, to be safe."""


@dataclass(frozen=True, slots=True)
class Doors:
    """What the guest of a stay can type where, as far as it is decided."""

    own: Sequence[Placed]
    backups: Sequence[Placed]
    names: Mapping[LockId, str]

    @property
    def ready(self) -> bool:
        """Whether the stay's own code is confirmed on every lock it should be on."""
        return bool(self.own) and all(item.placement.confirmed for item in self.own)

    def codes(self, only: frozenset[PlacementId] | None = None) -> tuple[DoorCode, ...]:
        """What to type on each lock; ``only`` picks some placements.

        Where a backup was given and the stay's own code is not on the lock, the backup alone is what opens.
        """
        helped = {item.placement.lock for item in self.backups}
        own = [(item, False) for item in self.own if item.placement.confirmed or item.placement.lock not in helped]
        given = [(item, True) for item in self.backups]
        return tuple(
            DoorCode(self.names[item.placement.lock], item.placement.pin, is_backup, item.placement.confirmed)
            for item, is_backup in (*own, *given)
            if item.placement.pin is not None and (only is None or item.placement.id in only)
        )

    def pins(self) -> dict[PlacementId, Pin]:
        """Every PIN that a text could give away."""
        return {
            item.placement.id: item.placement.pin
            for item in (*self.own, *self.backups)
            if item.placement.pin is not None
        }


@dataclass(frozen=True, slots=True)
class Due:
    """A leased message with everything that is needed to send it."""

    message: MessageRow
    to: str | None
    stay: StayRow | None = None
    place: PropertyRow | None = None
    code: CodeRow | None = None
    doors: Doors | None = None
    repeats: bool = False
    """Another message, sent at the same time, says all that this one would."""


async def send_due(tools: Tools, now: datetime) -> int:
    """Send the messages that are due. How many were handled."""
    lease, stop_at = token_hex(8), monotonic() + LEASE.total_seconds() / 2
    claimed = await transact(tools, lambda c: outbox.claim(c, now, now + LEASE, lease, BATCH))
    if not claimed:
        return 0
    for due in await tools.database.ask(_load, tools, claimed, lease):
        if monotonic() > stop_at:
            break
        await _handle_safely(tools, due, now)
    return len(claimed)


async def _handle_safely(tools: Tools, due: Due, now: datetime) -> None:
    """One message; a mistake of ours in it stays with it, and it is tried again later."""
    try:
        await _handle(tools, due, now)
    except StorageUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one message's bug must not keep the others from being sent
        again, kind = now + wait_for(due.message.attempts, None), type(error).__name__
        tools.log.error("a message could not be written", message=due.message.id, kind=kind)  # noqa: TRY400 - a traceback's message may hold digits
        await transact(tools, lambda c: outbox.note_later(c, due.message.id, "waiting", again, f"our mistake ({kind})"))


def correct(connection: Connection, placed: Sequence[Placed], code: CodeRow, now: datetime) -> None:
    """The guest was told digits that no longer hold on these locks: exactly one correction, once the new ones work."""
    if code.stay is None:
        return
    kind = GuestMessage.CORRECTION.value
    messages = [
        NewMessage(
            item.host,
            message_key(kind, item.placement.id, f"{now:%Y%m%dT%H%M%S%f}"),
            kind,
            now,
            code.stay,
            facts={"placement": item.placement.id},
        )
        for item in placed
    ]
    outbox.add(connection, messages, now)


def correct_all(connection: Connection, tools: Tools, placements: Collection[PlacementId], now: datetime) -> None:
    """Of these placements, those whose guest was told digits that do not work there get a correction (R36)."""
    wrong = codes.told_otherwise(connection, tools.vault, placements)
    owners = codes.by_ids(connection, tools.vault, {item.placement.code for item in wrong})
    for item in wrong:
        correct(connection, [item], owners[item.placement.code], now)


# -------------------------------------------------------------------------------------------------------------- load


def _load(connection: Connection, tools: Tools, ids: Sequence[MessageId], lease: str) -> list[Due]:
    loaded = [
        _host_due(connection, tools, message) if message.to_host else _guest_due(connection, tools, message)
        for message in outbox.leased(connection, tools.vault, ids, lease)
    ]
    first: dict[StayId, MessageId] = {}
    return [replace(due, repeats=_tells_backups_again(due, first)) for due in loaded]


def _tells_backups_again(due: Due, first: dict[StayId, MessageId]) -> bool:
    """Whether an earlier message of this batch tells the stay all its backups already: two were given at once."""
    if due.stay is None or due.message.kind != GuestMessage.BACKUP_CODE:
        return False
    return first.setdefault(due.stay.id, due.message.id) != due.message.id


def _host_due(connection: Connection, tools: Tools, message: MessageRow) -> Due:
    host = hosts.get_host(connection, tools.vault, message.host)
    if message.kind == HostAlarm.KEYPAD_WORK:
        work = notebook.facts(connection, tools.vault, message.host, message.facts["app"])
        message = replace(message, facts=work)
    return Due(message, host.email if host else None)


def _guest_due(connection: Connection, tools: Tools, message: MessageRow) -> Due:
    assert message.stay is not None  # noqa: S101 - only a message to the host has no stay
    stay = stays.get(connection, tools.vault, message.host, message.stay)
    if stay is None or stay.property is None:
        return Due(message, None, stay)
    place = hosts.properties(connection, [stay.property])[stay.property]
    code = codes.by_ids(connection, tools.vault, [stay.code]).get(stay.code) if stay.code is not None else None
    return Due(message, stay.contact.email, stay, place, code, doors_of(connection, tools, stay))


def doors_of(connection: Connection, tools: Tools, stay: StayRow) -> Doors:
    """What the guest of a stay can type where."""
    placed = codes.placements_of(connection, tools.vault, [stay.code]).get(stay.code, []) if stay.code else []
    own = [item for item in placed if item.placement.ended is None]
    backups = codes.backups_given_to(connection, tools.vault, [stay.id]).get(stay.id, [])
    rows = locks.by_ids(connection, {item.placement.lock for item in (*own, *backups)})
    return Doors(own, backups, {key: row.name for key, row in rows.items()})


# -------------------------------------------------------------------------------------------------------------- send


async def _handle(tools: Tools, due: Due, now: datetime) -> None:
    """Send, hold or drop one message."""
    text = _host_text(tools, due) if due.message.to_host else _guest_text(tools, due, now)
    if isinstance(text, _NotNow):
        await transact(tools, lambda c: text.write(c, tools, due, now))
    elif due.to is None:
        await transact(tools, lambda c: _no_address(c, due, now))
    else:
        await _send(tools, due, due.to, text, now)


def _no_address(connection: Connection, due: Due, now: datetime) -> None:
    """Nobody to send it to. A guest's missing address is the host's to know: they may write by hand."""
    outbox.note_dropped(connection, due.message.id, "refused", "no e-mail address is known")
    if due.stay is not None and due.message.kind != GuestMessage.EXTENDED:
        _tell_refused(connection, due, "no e-mail address of the guest is known", now)


@dataclass(frozen=True, slots=True)
class _NotNow:
    """A message that is not sent now: held until, or dropped."""

    until: datetime | None
    why: str
    instead: SendAs = SendAs.HOLD
    """What the host wants to be said meanwhile (R35)."""

    def write(self, connection: Connection, tools: Tools, due: Due, now: datetime) -> None:
        if self.until is None:
            outbox.note_dropped(connection, due.message.id, "cancelled", self.why)
            return
        outbox.note_later(connection, due.message.id, "held", self.until, None)
        if self.instead is SendAs.FALLBACK:
            _say_fallback(connection, due, now)
        elif self.instead is SendAs.BACKUP:
            _give_backups(connection, tools, due, now)


def _say_fallback(connection: Connection, due: Due, now: datetime) -> None:
    assert due.stay is not None and due.code is not None  # noqa: S101, PT018 - there is a code that is not ready
    kind = GuestMessage.FALLBACK.value
    key = message_key(kind, due.code.id)
    outbox.add(connection, [NewMessage(due.message.host, key, kind, now, due.stay.id)], now)


def _give_backups(connection: Connection, tools: Tools, due: Due, now: datetime) -> None:
    """A backup for each lock that the stay's code is not on yet, where the property has backups."""
    assert due.stay is not None and due.place is not None and due.doors is not None  # noqa: S101, PT018 - the same
    defaults = hosts.host_settings(connection, [due.message.host])[due.message.host]
    if not tools.policy.codes.with_overrides(defaults).with_overrides(due.place.settings).backups:
        return
    waiting = [item.placement for item in due.doors.own if not item.placement.confirmed]
    rows = locks.by_ids(connection, {placement.lock for placement in waiting})
    for placement in waiting:
        lock, why = rows[placement.lock], "the code was not on the lock when it was to be told"
        backup.give(connection, tools, due.stay, lock, placement.window, now, why=why)


def _host_text(tools: Tools, due: Due) -> Text | _NotNow:
    if due.message.kind == HostAlarm.KEYPAD_WORK and not due.message.facts["work"]:
        return _NotNow(None, "everything was done meanwhile")
    return tools.renderer.render_host(HostAlarm(due.message.kind), due.message.facts)


def _guest_text(tools: Tools, due: Due, now: datetime) -> Text | _NotNow:
    """What to write to the guest now, or why not now (R35, R36)."""
    stay, place, doors = due.stay, due.place, due.doors
    if stay is None or place is None or doors is None:
        return _NotNow(None, "its stay has no property")
    if due.repeats:
        return _NotNow(None, "another message tells all backups of the stay")
    kind = GuestMessage(due.message.kind)
    if kind in (GuestMessage.ACCESS_CODE, GuestMessage.CORRECTION):
        return _code_text(tools, due, kind, now)
    if kind is GuestMessage.EXTENDED and (due.code is None or due.code.stay == stay.id):
        return _NotNow(None, "the stay does not follow another one any more")
    language = stay.language or due.message.language
    return tools.renderer.render_guest(kind, language, stay_facts(stay, place, doors))


def _code_text(tools: Tools, due: Due, kind: GuestMessage, now: datetime) -> Text | _NotNow:
    stay, place, doors, code = due.stay, due.place, due.doors, due.code
    assert stay is not None and place is not None and doors is not None  # noqa: S101, PT018 - the caller checked
    if code is None or not doors.own:
        return _NotNow(now + RECHECK, "no code yet")
    window = doors.own[0].placement.window
    if window.over(now):
        return _NotNow(None, "the stay is over")
    only = _corrected(due, doors) if kind is GuestMessage.CORRECTION else None
    if only is not None and not only:
        return _NotNow(None, "the guest knows the digits that work")
    confirmed = _confirmed(doors, only)
    send_as = at_send_time(tools.policy.when_not_ready, confirmed=confirmed, window=window, now=now)
    language = stay.language or due.message.language
    if send_as is SendAs.SEND and doors.codes(only):
        return tools.renderer.render_guest(kind, language, stay_facts(stay, place, doors, only))
    instead = send_as if kind is GuestMessage.ACCESS_CODE else SendAs.HOLD
    return _NotNow(_held_until(window.starts, now), "the code is not on the lock yet", instead)


def _held_until(opens: datetime, now: datetime) -> datetime:
    """A held message is woken by its code's confirmation; at the latest it is looked at when the window opens (R36)."""
    return min(opens, now + RECHECK) if opens > now else now + RECHECK


def _confirmed(doors: Doors, only: frozenset[PlacementId] | None) -> bool:
    chosen = [item for item in doors.own if only is None or item.placement.id in only]
    return bool(chosen) and all(item.placement.confirmed for item in chosen)


def _corrected(due: Due, doors: Doors) -> frozenset[PlacementId]:
    """The placement a correction is about, if its guest has not heard its digits yet, or believes in others."""
    facts = due.message.facts
    return frozenset(
        item.placement.id
        for item in doors.own
        if item.told_index != item.pin_index
        and (item.placement.id == facts.get("placement") or item.placement.lock == facts.get("lock"))
    )


def stay_facts(
    stay: StayRow, place: PropertyRow, doors: Doors, only: frozenset[PlacementId] | None = None
) -> StayFacts:
    """Everything a message about a stay may say."""
    return StayFacts(
        guest_name=stay.guest_name or "",
        guest_first_name=stay.guest_first_name or "",
        phone=stay.contact.phone,
        property_name=place.name,
        check_in=_wall(stay.arrival, stay.host_check_in or stay.check_in or place.check_in),
        check_out=_wall(stay.departure, stay.host_check_out or stay.check_out or place.check_out),
        zone=place.zone,
        doors=doors.codes(only),
        language=stay.language or "en",
    )


def _wall(day: date, at: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(at))


async def _send(tools: Tools, due: Due, to: str, text: Text, now: datetime) -> None:
    email = Email(
        to=to,
        subject=text.subject,
        text=text.text,
        html=text.html,
        message_id=message_id(f"{due.message.host}:{due.message.key}", tools.policy.message_domain),
        date=now,
    )
    try:
        await tools.channel.send(email)
    except MailRefused as error:
        reason = str(error)
        await transact(tools, lambda c: _refused(c, due, reason, now))
    except MailError as error:
        asked = error.retry_after if isinstance(error, MailLater) else None
        again, reason = now + wait_for(due.message.attempts, asked), str(error)
        await transact(tools, lambda c: outbox.note_later(c, due.message.id, "waiting", again, reason))
    else:
        await transact(tools, lambda c: _sent(c, tools, due, text, now))


def _refused(connection: Connection, due: Due, reason: str, now: datetime) -> None:
    outbox.note_dropped(connection, due.message.id, "refused", reason)
    if due.stay is not None:
        _tell_refused(connection, due, reason, now)


def _tell_refused(connection: Connection, due: Due, reason: str, now: datetime) -> None:
    assert due.stay is not None  # noqa: S101 - the callers checked
    facts: dict[str, Any] = {
        "message": due.message.kind.replace("_", " "),
        "guest_name": due.stay.guest_name or due.stay.reservation_code,
        "property_name": due.place.name if due.place else "",
        "check_in": f"{due.stay.arrival:%a %d %b %Y}",
        "reason": reason,
    }
    alarms.begin(connection, due.message.host, HostAlarm.MESSAGE_REFUSED, f"stay-{due.stay.id}", facts, now)
    why = f"the {facts['message']} message was not delivered: {reason}"
    journal.write(connection, [Entry(now, due.message.host, "message_refused", why, due.stay.id)])


def _sent(connection: Connection, tools: Tools, due: Due, text: Text, now: datetime) -> None:
    """Note that it was sent, and which digits the text gave away – judged from the text, not the template (R36)."""
    outbox.note_sent(connection, tools.vault, due.message.id, f"{text.subject}\n\n{text.text}", now)
    if due.stay is None or due.doors is None:
        return
    told = pins_told(text.text, due.doors.pins())
    index = {item.placement.id: item.pin_index for item in (*due.doors.own, *due.doors.backups)}
    known = {key: index[key] for key in told}
    codes.note_told(connection, {key: value for key, value in known.items() if value is not None}, now)
    why = f"{due.message.kind.replace('_', ' ')} sent by e-mail" + ("" if told else " (no PIN in it)")
    code = due.code.id if due.code else None
    journal.write(connection, [Entry(now, due.message.host, "message_sent", why, due.stay.id, code)])
