"""What every channel has in common: the e-mail it carries, and errors that say what the sender does next.

No error holds a recipient's address or any text of the message or of the mail server: they may be logged.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol


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


class MailError(Exception):
    """An e-mail was not, or perhaps not, delivered."""


class MailLater(MailError):
    """Nothing was accepted; send the same again later, not before ``retry_after`` where one is given."""

    def __init__(self, message: str, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class MailNotSetUp(MailLater):
    """The mail server refuses us, not the recipient (credentials, TLS, sender): a person must look, then send again."""


class MailUnknown(MailError):
    """The connection was lost while the text was handed over: it may have been accepted.

    Send it again with the same Message-ID, by which a mail system can tell the two are one.
    """


class MailRefused(MailError):
    """This recipient or this text is refused for good: sending it again is of no use."""


class Channel(Protocol):
    """A way for an e-mail to its reader."""

    async def send(self, email: Email) -> None:
        """Hand the e-mail over; returning means it was accepted. Raises MailError and nothing else."""
        ...
