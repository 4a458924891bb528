"""Texts while they are written: where one begins, and sent to oneself to see how it arrives."""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId
from lockbridge.domain.messages import GuestMessage
from lockbridge.messaging.channel import SendError
from lockbridge.messaging.render import FALLBACK_LANGUAGE, Text
from lockbridge.storage import rules
from lockbridge.storage.rules import Written
from lockbridge.workflows import deliver, foretell
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import Tools


@dataclass(frozen=True, slots=True)
class Shelf:
    """A text by its name: in which languages the host wrote it, and whether one of ours has this name."""

    name: str
    own: tuple[str, ...]
    ours: tuple[str, ...]
    used_by: tuple[str, ...] = ()


def shelves(connection: Connection, tools: Tools, host: HostId) -> list[Shelf]:
    """Every text a rule can use: ours first, then those of the host alone."""
    own = rules.texts_of(connection, [host])[host]
    ours = tuple(tools.renderer.languages)
    kinds = [kind.value for kind in GuestMessage]
    mine = [name for name in own if name not in kinds]
    return [Shelf(name, tuple(own.get(name, ())), ours if name in kinds else ()) for name in (*kinds, *mine)]


def opened(connection: Connection, tools: Tools, host: HostId, name: str, language: str) -> Written:
    """The host's own text, else ours to begin with, else an empty one."""
    own = rules.texts_of(connection, [host])[host].get(name, {})
    if language in own:
        return own[language]
    if name in set(GuestMessage):
        text = tools.renderer.as_written(GuestMessage(name), language)
        return Written(name, language, text.subject, text.text)
    other = own.get(FALLBACK_LANGUAGE) or next(iter(own.values()), None)
    return Written(name, language, other.subject if other else "", other.body if other else "")


async def send_to_me(tools: Tools, host: HostId, written: Written, to: str, now: datetime) -> None:
    """Send a text to its writer, about an invented stay. Raises BadInput when it cannot be sent, UnknownShortCode."""
    found = await tools.database.ask(foretell.draft, tools, host, written, None, now)
    text = Text(f"[Test] {found.text.subject}", found.text.text, found.text.html)
    try:
        await tools.channel.send(deliver.email(tools, to, f"{host}:test:{token_hex(8)}", text, now))
    except SendError as error:
        msg = f"the test could not be sent: {error}"
        raise BadInput(msg) from error
