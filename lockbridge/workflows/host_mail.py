"""Telling hosts what begins and what is over: what comes together goes out as one e-mail, and each by webhook."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from secrets import token_bytes
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId
from lockbridge.domain.messages import HostAlarm, gravity, message_key
from lockbridge.domain.retry import wait_for
from lockbridge.domain.rules import By
from lockbridge.messaging.channel import SendError, SendLater, SendRefused
from lockbridge.messaging.render import Text
from lockbridge.signatures import standard_secret
from lockbridge.storage import hosts, outbox
from lockbridge.storage.hosts import HostHook, HostRow
from lockbridge.storage.outbox import MessageRow, Sent
from lockbridge.workflows import deliver, notebook
from lockbridge.workflows.ports import Tools, transact

MOST_POSTINGS = 8
"""How often a webhook is tried that the host's system does not take."""


@dataclass(frozen=True, slots=True)
class Mail:
    """Alarms that go to one host as one e-mail – or one that goes by webhook."""

    host: HostRow
    messages: Sequence[MessageRow]

    @property
    def key(self) -> str:
        """Under which it goes out; the same when it is tried again, whatever else has become due (R38)."""
        said = self.messages[0].told.get("group")
        return str(said) if said else self.messages[0].key if len(self.messages) == 1 else self._together

    @property
    def _together(self) -> str:
        return message_key("host", "several", *(message.id for message in self.messages))


def load(connection: Connection, tools: Tools, messages: Sequence[MessageRow]) -> list[Mail]:
    """These alarms as the e-mails in which they go out."""
    owners = {host: hosts.get_host(connection, tools.vault, host) for host in {each.host for each in messages}}
    groups: dict[tuple[HostId, object], list[MessageRow]] = defaultdict(list)
    for message in messages:
        groups[message.host, _goes_with(message)].append(_fresh(connection, tools, message))
    return [Mail(owner, group) for (host, _), group in groups.items() if (owner := owners[host]) is not None]


def _goes_with(message: MessageRow) -> object:
    """What makes two alarms of a host one e-mail: due together and not tried before, or tried together before."""
    if message.channel == By.WEBHOOK or message.kind == HostAlarm.KEYPAD_WORK:
        return message.id
    return message.told.get("group", "")


def _fresh(connection: Connection, tools: Tools, message: MessageRow) -> MessageRow:
    if message.kind != HostAlarm.KEYPAD_WORK:
        return message
    return replace(message, facts=notebook.facts(connection, tools.vault, message.host, message.facts["app"]))


async def send(tools: Tools, mail: Mail, now: datetime) -> None:
    """Send one e-mail or webhook to a host, or note why not."""
    texts = {message.id: _text(tools, message) for message in mail.messages}
    if mail.messages[0].channel == By.WEBHOOK:
        await _post(tools, mail, mail.messages[0], texts[mail.messages[0].id], now)
    elif mail.messages[0].kind == HostAlarm.KEYPAD_WORK and not mail.messages[0].facts["work"]:
        await transact(tools, lambda c: _drop(c, mail, "cancelled", "everything was done meanwhile"))
    elif mail.host.email is None:
        await transact(tools, lambda c: _drop(c, mail, "refused", "no e-mail address is known"))
    else:
        await _mail(tools, mail, mail.host.email, texts, now)


def _text(tools: Tools, message: MessageRow) -> Text:
    console = f"{tools.policy.public_url}/console/{message.host}"
    return tools.renderer.render_host(HostAlarm(message.kind), {**message.facts, "console": console})


async def _mail(tools: Tools, mail: Mail, to: str, texts: dict[Any, Text], now: datetime) -> None:
    ordered = sorted(mail.messages, key=lambda message: (gravity(HostAlarm(message.kind)), message.id))
    said = [texts[message.id] for message in ordered]
    whole = said[0] if len(said) == 1 else tools.renderer.render_several(said)
    key, ids = mail.key, [message.id for message in mail.messages]
    await transact(tools, lambda c: outbox.note_group(c, ids, key))
    try:
        await tools.channel.send(deliver.email(tools, to, f"{mail.host.id}:{key}", whole, now))
    except SendRefused as error:
        reason = str(error)
        await transact(tools, lambda c: _drop(c, mail, "refused", reason))
    except SendError as error:
        asked, reason = error.retry_after if isinstance(error, SendLater) else None, str(error)
        await transact(tools, lambda c: _later(c, mail, now + wait_for(mail.messages[0].attempts, asked), reason))
    else:
        await transact(tools, lambda c: _sent(c, tools, mail, texts, By.EMAIL, now))


async def _post(tools: Tools, mail: Mail, message: MessageRow, text: Text, now: datetime) -> None:
    said = {"subject": text.subject, "text": text.text, "facts": dict(message.facts), "host": mail.host.id}
    payload = {"type": f"alarm.{message.kind}", "timestamp": f"{message.created_at:%Y-%m-%dT%H:%M:%SZ}", "data": said}
    try:
        await deliver.post(tools, mail.host.hook, f"{message.host}:{message.key}", payload, now)
    except SendError as error:
        asked, reason = error.retry_after if isinstance(error, SendLater) else None, str(error)
        if isinstance(error, SendRefused) or message.attempts + 1 >= MOST_POSTINGS:
            await transact(tools, lambda c: _drop(c, mail, "refused", reason))
        else:
            await transact(tools, lambda c: _later(c, mail, now + wait_for(message.attempts, asked), reason))
    else:
        await transact(tools, lambda c: _sent(c, tools, mail, {message.id: text}, By.WEBHOOK, now))


def _drop(connection: Connection, mail: Mail, state: str, why: str) -> None:
    for message in mail.messages:
        outbox.note_dropped(connection, message.id, state, why)


def _later(connection: Connection, mail: Mail, again: datetime, reason: str) -> None:
    for message in mail.messages:
        outbox.note_later(connection, message.id, "waiting", again, reason)


def _sent(connection: Connection, tools: Tools, mail: Mail, texts: dict[Any, Text], way: By, now: datetime) -> None:
    for message in mail.messages:
        text = texts[message.id]
        sent = Sent(f"{text.subject}\n\n{text.text}", way.value, message.told)
        outbox.note_sent(connection, tools.vault, message.id, sent, now)


# -------------------------------------------------------------------------------------------------------- the webhook


async def set_hook(tools: Tools, host: HostId, url: str | None) -> str | None:
    """Have a host told by webhook, too, from now on; what it is signed with, to be shown once. None: no longer.

    Raises ValueError for an address that is none, or sends what it tells in the clear.
    """
    if url is None:
        await transact(tools, lambda c: hosts.set_hook(c, tools.vault, host, None))
        return None
    if not re.fullmatch(r"https://[^\s/?#@]+(?:[/?][^\s#]*)?", url):
        msg = "this is no address webhooks can be sent to: write it like https://example.com/hooks/lockbridge"
        raise ValueError(msg)
    secret = standard_secret(token_bytes(32))
    await transact(tools, lambda c: hosts.set_hook(c, tools.vault, host, HostHook(url, secret)))
    return secret
