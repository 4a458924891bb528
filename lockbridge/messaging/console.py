"""Channels without a mail server: one that prints (laptops), one that remembers (simulation, tests)."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lockbridge.messaging.channel import Email


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

    ``before`` is called with each e-mail first and may raise a MailError: then it is not kept. ``after`` is called
    when it was kept and may raise MailUnknown: accepted, but the sender does not know.
    """

    before: Callable[[Email], None] = _nothing
    after: Callable[[Email], None] = _nothing
    sent: list[Email] = field(default_factory=list)

    async def send(self, email: Email) -> None:
        """Keep the e-mail."""
        self.before(email)
        self.sent.append(email)
        self.after(email)
