"""What every channel has in common: what it carries, and errors that say what the sender does next.

No error holds a recipient's address or any text of the message or of the other side: they may be logged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Email:
    """One e-mail to one person. ``repr`` shows only its Message-ID and date.

    ``message_id`` comes with its angle brackets and is the same on every attempt; ``date`` is aware.
    ``html=None``: plain text only.
    """

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str | None = field(repr=False)
    message_id: str
    date: datetime


@dataclass(frozen=True, slots=True)
class Sms:
    """One text message to one phone: ``to`` in E.164 (``+34600112233``), ``text`` one paragraph.

    ``key`` is the same on every attempt. ``unsure``: it may have been handed over before; False only on the first
    attempt, which then need not look for it.
    """

    to: str = field(repr=False)
    text: str = field(repr=False)
    key: str
    unsure: bool = True


@dataclass(frozen=True, slots=True)
class Posting:
    """One webhook to somebody else's system, signed as Standard Webhooks say.

    ``key`` is its ``webhook-id``, the same on every attempt; ``payload`` becomes JSON; ``date`` is aware.
    """

    url: str = field(repr=False)
    secret: str = field(repr=False)
    key: str
    payload: Mapping[str, Any] = field(repr=False)
    date: datetime


class SendError(Exception):
    """A message was not, or perhaps not, delivered."""


class SendLater(SendError):
    """Nothing was accepted; send the same again later, not before ``retry_after`` where one is given."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ChannelNotSetUp(SendLater):
    """We are refused, not the recipient (credentials, TLS, sender, account): a person must look, then send again."""


class SendUnknown(SendError):
    """The connection was lost while the message was handed over: it may have been accepted.

    Send it again under the same key (the Message-ID of an e-mail), by which the other side can tell the two are one.
    """


class SendRefused(SendError):
    """This recipient or this text is refused for good: sending it again is of no use."""


class Channel(Protocol):
    """A way for an e-mail to its reader."""

    async def send(self, email: Email) -> None:
        """Hand the e-mail over; returning means it was accepted. Raises SendError and nothing else."""
        ...


class SmsChannel(Protocol):
    """A way for a text message to a phone."""

    async def send(self, sms: Sms) -> None:
        """Hand it over; returning means it was accepted. Raises SendError and nothing else."""
        ...


class PostingChannel(Protocol):
    """A way for a webhook to somebody else's system."""

    async def send(self, posting: Posting) -> None:
        """Deliver it; returning means it was answered with success. Raises SendError and nothing else."""
        ...
