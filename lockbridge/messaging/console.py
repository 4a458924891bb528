"""Channels without a mail server: one that prints (laptops), one that remembers (simulation, tests)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lockbridge.messaging.channel import Email, Posting, Sms


@dataclass(frozen=True, slots=True)
class ConsoleChannel:
    """Writes each e-mail, digits and all, to a callable such as ``print``."""

    write: Callable[[str], object]

    async def send(self, email: Email) -> None:
        """Write the e-mail as a person would read it."""
        self.write(f"Date: {email.date:%Y-%m-%d %H:%M %Z}\nTo: {email.to}\nSubject: {email.subject}\n\n{email.text}\n")


def _nothing(_email: Email) -> None:
    pass


@dataclass(slots=True)
class MemoryChannel:
    """Keeps what was sent, in order.

    ``before`` is called with each e-mail first and may raise a SendError: then it is not kept. ``after`` is called
    when it was kept and may raise SendUnknown: accepted, but the sender does not know.
    """

    before: Callable[[Email], None] = _nothing
    after: Callable[[Email], None] = _nothing
    sent: list[Email] = field(default_factory=list)

    async def send(self, email: Email) -> None:
        """Keep the e-mail."""
        self.before(email)
        self.sent.append(email)
        self.after(email)


@dataclass(frozen=True, slots=True)
class ConsoleSms:
    """Writes each text message, digits and all, to a callable such as ``print``."""

    write: Callable[[str], object]

    async def send(self, sms: Sms) -> None:
        """Write the text message as a person would read it."""
        self.write(f"SMS to: {sms.to}\n\n{sms.text}\n")


def _no_sms(_sms: Sms) -> None:
    pass


@dataclass(slots=True)
class MemorySms:
    """Keeps the text messages that were sent, in order; ``before`` may raise a SendError."""

    before: Callable[[Sms], None] = _no_sms
    sent: list[Sms] = field(default_factory=list)

    async def send(self, sms: Sms) -> None:
        """Keep the text message."""
        self.before(sms)
        self.sent.append(sms)


def _no_posting(_posting: Posting) -> None:
    pass


@dataclass(slots=True)
class MemoryPostings:
    """Keeps the webhooks that were sent, in order; ``before`` may raise a SendError."""

    before: Callable[[Posting], None] = _no_posting
    sent: list[Posting] = field(default_factory=list)

    async def send(self, posting: Posting) -> None:
        """Keep the webhook."""
        self.before(posting)
        self.sent.append(posting)
