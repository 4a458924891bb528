"""What is said to guests and hosts: what is due, rendered with what is true now, sent once, remembered (R34–R38)."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from secrets import token_hex
from time import monotonic

from sqlalchemy import Connection

from lockbridge.domain import rules as ruling
from lockbridge.domain.ids import MessageId, PlacementId, StayId
from lockbridge.domain.messages import GuestMessage, HostAlarm, SendAs, message_key, pins_told
from lockbridge.domain.retry import wait_for
from lockbridge.domain.rules import By, Trigger
from lockbridge.messaging.channel import ChannelNotSetUp, SendError, SendLater, SendRefused
from lockbridge.storage import codes, hosts, journal, locks, outbox
from lockbridge.storage.codes import CodeRow, Placed
from lockbridge.storage.database import StorageUnavailable
from lockbridge.storage.journal import Entry
from lockbridge.storage.outbox import MessageRow, NewMessage, Sent
from lockbridge.workflows import alarms, backup, deliver, fields, guest, host_mail, judging, rules
from lockbridge.workflows.deliver import Parcel
from lockbridge.workflows.host_mail import Mail
from lockbridge.workflows.judging import EXTRA, OPENING, Due, NotNow, Ready, Stray
from lockbridge.workflows.ports import Tools, transact

BATCH = 50
TRIES_IN_SILENCE = 5
"""After so many tries in vain the host hears that an urgent message waits."""
FRESH = timedelta(seconds=10)
"""So long what was loaded with a batch is acted upon; the rest is left to the next tick."""
LEASE = timedelta(minutes=5)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Loaded:
    """The leased messages, and when their guests were written to within the last hour."""

    mails: Sequence[Mail]
    due: Sequence[Due | Stray]
    lately: dict[StayId, list[datetime]]


async def send_due(tools: Tools, now: datetime) -> int:
    """Send the messages that are due. How many were handled."""
    lease = token_hex(8)
    claimed = await transact(tools, lambda c: outbox.claim(c, now, now + LEASE, lease, BATCH))
    if not claimed:
        return 0
    loaded, stop_at = await tools.database.ask(_load, tools, claimed, lease, now), monotonic() + FRESH.total_seconds()
    for messages, handle in _work(tools, loaded, now):
        if monotonic() > stop_at:
            break
        await _handle_safely(tools, messages, handle, now)
    await transact(tools, lambda c: outbox.let_go(c, claimed, lease))
    return len(claimed)


def _load(connection: Connection, tools: Tools, ids: Sequence[MessageId], lease: str, now: datetime) -> Loaded:
    rows = outbox.leased(connection, tools.vault, ids, lease)
    guests = [row for row in rows if not row.to_host]
    lately = outbox.sent_since(connection, {row.stay for row in guests if row.stay is not None}, now - HOUR)
    mails = host_mail.load(connection, tools, [row for row in rows if row.to_host])
    return Loaded(mails, judging.load(connection, tools, guests), lately)


Handle = Callable[[], Awaitable[None]]


def _work(tools: Tools, loaded: Loaded, now: datetime) -> list[tuple[Sequence[MessageRow], Handle]]:
    """What is to be handled, in the order in which it became due."""
    mails = [(mail.messages, lambda mail=mail: host_mail.send(tools, mail, now)) for mail in loaded.mails]
    guests = [
        ((due.message,), lambda due=due: _handle(tools, due, loaded.lately.setdefault(due.stay.id, []), now))
        if isinstance(due, Due)
        else ((due.message,), lambda due=due: _drop(tools, due))
        for due in loaded.due
    ]
    return sorted((*mails, *guests), key=lambda work: work[0][0].id)


async def _handle_safely(tools: Tools, messages: Sequence[MessageRow], handle: Handle, now: datetime) -> None:
    """One message, or what goes out with it; a mistake of ours in it stays with it, and it is tried again later."""
    try:
        await handle()
    except StorageUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one message's bug must not keep the others from being sent
        kind = type(error).__name__
        tools.log.error("a message could not be written", message=messages[0].id, kind=kind)  # noqa: TRY400 - a traceback's message may hold digits
        await transact(tools, lambda c: _our_mistake(c, messages, kind, now))


def _our_mistake(connection: Connection, messages: Sequence[MessageRow], kind: str, now: datetime) -> None:
    """Of several that were to go together, each goes alone from now on: only the one with the mistake waits."""
    for message in messages:
        again = now + wait_for(message.attempts, None) if len(messages) == 1 else now
        outbox.note_later(connection, message.id, "waiting", again, f"our mistake ({kind})")
        if message.to_host:
            outbox.note_group(connection, [message.id], message.key)


async def _drop(tools: Tools, stray: Stray) -> None:
    await transact(tools, lambda c: outbox.note_dropped(c, stray.message.id, "cancelled", stray.why))


# -------------------------------------------------------------------------------------------------------- corrections


def correct(connection: Connection, tools: Tools, placed: Sequence[Placed], code: CodeRow, now: datetime) -> None:
    """The guest was told digits that no longer hold on these locks: exactly one correction, once the new ones work."""
    if code.stay is None:
        return
    kind = GuestMessage.CORRECTION.value
    usual = [
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
    rules.happened_to(connection, tools, code.stay, Trigger.CODE_CHANGED, usual, now)
    outbox.rewrite_fields_of(connection, [code.id], now)


def correct_all(connection: Connection, tools: Tools, placements: Collection[PlacementId], now: datetime) -> None:
    """Of these placements, those whose guest was told digits that do not work there get a correction (R36)."""
    wrong = codes.told_otherwise(connection, tools.vault, placements)
    owners = codes.by_ids(connection, tools.vault, {item.placement.code for item in wrong})
    for item in wrong:
        correct(connection, tools, [item], owners[item.placement.code], now)


# -------------------------------------------------------------------------------------------------------------- send


async def _handle(tools: Tools, due: Due, lately: list[datetime], now: datetime) -> None:
    """Send, hold or drop one message. ``lately``: when its guest was written to within the last hour."""
    if due.message.channel == By.FIELD:
        await fields.write(tools, due, now)
        return
    if judging.tells_page(tools, due):
        due = replace(due, page=await guest.address(tools, due.stay.host, due.stay.id, now))
    judged = judging.judge(tools, due, now)
    if isinstance(judged, NotNow):
        await transact(tools, lambda c: _not_now(c, tools, due, judged, now))
    elif (until := _waits(tools, due, judged, lately, now)) is not None:
        await transact(tools, lambda c: outbox.note_later(c, due.message.id, "waiting", until, None))
    elif not judged.ways:
        await transact(tools, lambda c: _no_way(c, due, judged, now))
    elif await _send(tools, due, judged, now):
        lately.append(now)


def _waits(tools: Tools, due: Due, ready: Ready, lately: Sequence[datetime], now: datetime) -> datetime | None:
    """Until when a message waits for the morning or for its turn; what is urgent waits for neither."""
    if ready.urgent:
        return None
    quiet = tools.policy.quiet.until(now, due.place.zone)
    turn = lately[-tools.policy.per_stay_per_hour] + HOUR if len(lately) >= tools.policy.per_stay_per_hour else None
    moments = [moment for moment in (quiet, turn) if moment is not None]
    if not moments:
        return None
    urgent_at = due.opens - ruling.URGENT if ready.about_code and due.opens is not None else None
    return min(max(moments), urgent_at) if urgent_at is not None else max(moments)


def _no_way(connection: Connection, due: Due, ready: Ready, now: datetime) -> None:
    """Nobody to send it to. A guest's missing address is the host's to know: they may write by hand."""
    _give_up(connection, due, "no e-mail address is known", now)
    if _matters(due, ready):
        _tell_refused(connection, due, "no e-mail address of the guest is known", now)


def _matters(due: Due, ready: Ready) -> bool:
    """Whether a guest who does not get it may stand before a closed door: the host is told."""
    is_second = bool(due.message.facts.get(EXTRA)) or due.message.kind == GuestMessage.EXTENDED
    return ready.about_code and not is_second


def _not_now(connection: Connection, tools: Tools, due: Due, judged: NotNow, now: datetime) -> None:
    if judged.until is None:
        outbox.note_dropped(connection, due.message.id, "cancelled", judged.why)
        return
    outbox.note_later(connection, due.message.id, "held", judged.until, None)
    if judged.instead is SendAs.FALLBACK:
        _say_fallback(connection, due, now)
    elif judged.instead is SendAs.BACKUP:
        _give_backups(connection, tools, due, now)


def _say_fallback(connection: Connection, due: Due, now: datetime) -> None:
    if due.code is None:
        return
    kind = GuestMessage.FALLBACK.value
    key = message_key(kind, due.code.id)
    outbox.add(connection, [NewMessage(due.message.host, key, kind, now, due.stay.id, rule=due.rule.name)], now)


def _give_backups(connection: Connection, tools: Tools, due: Due, now: datetime) -> None:
    """A backup for each lock that the stay's code is not on yet, where the property has backups."""
    defaults = hosts.host_settings(connection, [due.message.host])[due.message.host]
    if not tools.policy.codes.with_overrides(defaults).with_overrides(due.place.settings).backups:
        return
    waiting = [item.placement for item in due.doors.own if not item.placement.confirmed]
    rows = locks.by_ids(connection, {placement.lock for placement in waiting})
    for placement in waiting:
        lock, why = rows[placement.lock], "the code was not on the lock when it was to be told"
        backup.give(connection, tools, due.stay, lock, placement.window, now, why=why)


async def _send(tools: Tools, due: Due, ready: Ready, now: datetime) -> bool:
    """Hand the message over by its first way, and have it go by the others, too. Whether it was accepted."""
    way, *others = ready.ways
    parcel = Parcel(
        key=f"{due.message.host}:{due.message.key}",
        text=ready.text,
        stay=due.stay,
        source=due.source,
        hook=due.hook,
        about={"message": due.message.kind, "rule": due.rule.name, "property": due.place.name},
        unsure=due.message.channel == way,
        country=due.place.country,
    )
    if others or way in (By.PLATFORM, By.SMS):
        await transact(tools, lambda c: _note_ways(c, due, way, others, now))
    try:
        await deliver.send(tools, way, parcel, now)
    except SendRefused as error:
        reason = str(error)
        await transact(tools, lambda c: _refused(c, tools, due, ready, reason, now))
    except SendError as error:
        asked, reason = error.retry_after if isinstance(error, SendLater) else None, str(error)
        again = now + wait_for(due.message.attempts, asked)
        if isinstance(error, ChannelNotSetUp) and way is By.PLATFORM:
            await transact(tools, lambda c: _shut_out(c, tools, due, ready, again, reason, now))
        else:
            await transact(tools, lambda c: _put_off(c, tools, due, ready, again, reason, now))
    else:
        await transact(tools, lambda c: _sent(c, tools, due, ready, now))
        return True
    return False


def _note_ways(connection: Connection, due: Due, way: By, others: Sequence[By], now: datetime) -> None:
    """Before the call: by which way it goes – after a crash it is looked up there – and that it goes by others too."""
    message = due.message
    outbox.note_way(connection, message.id, way.value)
    also = [
        NewMessage(
            message.host,
            f"{message.key}:{other}",
            message.kind,
            now,
            due.stay.id,
            language=message.language,
            facts={**message.facts, EXTRA: True},
            rule=message.rule,
            channel=other.value,
        )
        for other in others
    ]
    outbox.add(connection, also, now)


def _shut_out(
    connection: Connection, tools: Tools, due: Due, ready: Ready, again: datetime, reason: str, now: datetime
) -> None:
    """The platform's account refuses us: the host hears once, and what may not wait goes another way."""
    outbox.note_later(connection, due.message.id, "waiting", again, reason)
    facts = alarms.about_stay(due.stay, due.place) | {"message": _name(due), "reason": reason}
    alarms.begin(connection, due.message.host, HostAlarm.MESSAGE_REFUSED, _inbox(due), facts, now)
    if ready.urgent:
        _goes_otherwise(connection, tools, due, By.PLATFORM, reason, now)


def _put_off(
    connection: Connection, tools: Tools, due: Due, ready: Ready, again: datetime, reason: str, now: datetime
) -> None:
    """It is tried again later; what may not wait goes another way after some tries, or the host hears of it."""
    outbox.note_later(connection, due.message.id, "waiting", again, reason)
    late = due.message.attempts + 1 >= TRIES_IN_SILENCE or (due.opens is not None and now >= due.opens)
    if not (late and ready.urgent and _matters(due, ready)):
        return
    if ready.ways[0] is By.PLATFORM and _goes_otherwise(connection, tools, due, By.PLATFORM, reason, now):
        return
    _tell_refused(connection, due, reason, now)


def _inbox(due: Due) -> str:
    return f"inbox-of-source-{due.stay.source}"


def _refused(connection: Connection, tools: Tools, due: Due, ready: Ready, reason: str, now: datetime) -> None:
    """Refused for good: another way where there is one, else the host is told."""
    if _goes_otherwise(connection, tools, due, ready.ways[0], reason, now):
        return
    _give_up(connection, due, reason, now)
    if _matters(due, ready):
        _tell_refused(connection, due, reason, now)


def _give_up(connection: Connection, due: Due, reason: str, now: datetime) -> None:
    """It cannot be sent; the code itself is tried once more when the door opens: an address may be known by then."""
    is_code = due.message.kind == GuestMessage.ACCESS_CODE and not due.message.facts.get(EXTRA)
    if is_code and due.opens is not None and due.opens > now:
        outbox.note_later(connection, due.message.id, "waiting", due.opens, reason)
    else:
        outbox.note_dropped(connection, due.message.id, "refused", reason)


def _goes_otherwise(connection: Connection, tools: Tools, due: Due, way: By, reason: str, now: datetime) -> bool:
    """Have the message go the next way at once. False: there is none, or it goes by several ways anyway."""
    other = ruling.instead(way, due.rule.channel, deliver.reach(tools, due.stay, due.source))
    if other is None or due.message.facts.get(EXTRA):
        return False
    outbox.note_way(connection, due.message.id, other.value)
    outbox.note_later(connection, due.message.id, "waiting", now, None)
    why = f"the {_name(due)} message did not go {deliver.SAID[way]} ({reason}) and goes {deliver.SAID[other]}"
    journal.write(connection, [Entry(now, due.message.host, "message_refused", why, due.stay.id)])
    return True


def _name(due: Due) -> str:
    return due.message.kind.replace("_", " ")


def _tell_refused(connection: Connection, due: Due, reason: str, now: datetime) -> None:
    facts = alarms.about_stay(due.stay, due.place) | {"message": _name(due), "reason": reason}
    alarms.begin(connection, due.message.host, HostAlarm.MESSAGE_REFUSED, _about(due), facts, now)
    why = f"the {_name(due)} message was not delivered: {reason}"
    journal.write(connection, [Entry(now, due.message.host, "message_refused", why, due.stay.id)])


def _about(due: Due) -> str:
    return f"message-{due.message.id}"


def _sent(connection: Connection, tools: Tools, due: Due, ready: Ready, now: datetime) -> None:
    """Note that it was sent, and which digits the text gave away – judged from the text, not the template (R36)."""
    text, way = ready.text, ready.ways[0]
    shown = pins_told(text.text, due.doors.pins())
    told = {key: index for key, index in due.doors.indexes().items() if key in shown}
    noted = {str(key): index.hex() for key, index in told.items()}
    sent = Sent(f"{text.subject}\n\n{text.text}", way.value, noted)
    outbox.note_sent(connection, tools.vault, due.message.id, sent, now)
    codes.note_told(connection, told, now)
    _mind_the_opening(connection, due, shown, now)
    alarms.end(connection, due.message.host, HostAlarm.MESSAGE_REFUSED, _about(due), now)
    if way is By.PLATFORM:
        alarms.end(connection, due.message.host, HostAlarm.MESSAGE_REFUSED, _inbox(due), now)
    why = f"{_name(due)} sent {deliver.SAID[way]}" + ("" if told or not ready.about_code else " (no PIN in it)")
    code = due.code.id if due.code else None
    journal.write(connection, [Entry(now, due.message.host, "message_sent", why, due.stay.id, code)])


def _mind_the_opening(connection: Connection, due: Due, shown: Collection[PlacementId], now: datetime) -> None:
    """An access message without the PIN leaves it to be told when the window opens (R36)."""
    untold = due.doors.owed.difference(shown)
    if due.message.kind != GuestMessage.ACCESS_CODE or due.code is None or due.opens is None or not untold:
        return
    key = message_key(GuestMessage.ACCESS_CODE.value, due.code.id, OPENING)
    at = max(due.opens, now)
    net = NewMessage(
        due.message.host,
        key,
        GuestMessage.ACCESS_CODE.value,
        at,
        due.stay.id,
        facts={OPENING: True},
        rule=ruling.ACCESS_CODE,
    )
    outbox.add(connection, [net], now)
