"""E-mail over SMTP, with errors told apart by what the sender does next."""

import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from enum import StrEnum

import aiosmtplib

from lockbridge.messaging.channel import ChannelNotSetUp, Email, SendError, SendLater, SendRefused, SendUnknown

__all__ = ["ChannelNotSetUp", "Email", "Mailer", "Security", "SendError", "SendLater", "SendRefused", "SendUnknown"]

GREYLISTED = frozenset({450, 451, 452})
GREYLIST_PAUSE = timedelta(minutes=5)
AUTHENTICATION_CODES = frozenset({530, 534, 535, 538})

_LOCAL_PART = re.compile(r"(?!\.)(?!.*\.\.)[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f-\x9f]{1,64}(?<!\.)")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")

_LOST = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPConnectError, aiosmtplib.SMTPTimeoutError, OSError)


class _Wire(EmailPolicy):
    """Writes subjects so that no space is lost between two encoded words, which Python's own folding does (3.11)."""

    def fold_binary(self, name: str, value: str) -> bytes:
        if name != "Subject" or value.isascii():
            return super().fold_binary(name, value)
        encoded = Header(str(value), "utf-8", header_name=name).encode(linesep=self.linesep)
        return f"{name}: {encoded}{self.linesep}".encode("ascii")


_WIRE = _Wire(linesep="\r\n")
_WIRE_UTF8 = _WIRE.clone(utf8=True)


class Security(StrEnum):
    """How the connection to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailer:
    """One mail server. ``sender`` is ``a@b`` or ``Name <a@b>``; ``timeout`` is in seconds, for each step of the talk.

    ``tls`` replaces the default TLS context (the system's certificate authorities, host name checked).
    Raises ValueError when ``sender`` is not an address.
    """

    host: str
    port: int
    sender: str
    security: Security = Security.NONE
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if _address(parseaddr(self.sender)[1]) is None:
            msg = f"the sender of e-mails is not an e-mail address: {self.sender!r}"
            raise ValueError(msg)

    async def send(self, email: Email) -> None:
        """Hand the e-mail over. Returning means the mail server has accepted it.

        Raises SendLater, SendUnknown or SendRefused.
        """
        to = _address(email.to)
        if to is None:
            msg = "the recipient's address is not an e-mail address"
            raise SendRefused(msg)
        utf8 = not to.addr_spec.isascii()
        message = self._message(email, to).as_bytes(policy=_WIRE_UTF8 if utf8 else _WIRE)
        async with self._connected() as client:
            await self._envelope(client, to.addr_spec, utf8=utf8)
            await _hand_over(client, message)

    async def check(self) -> None:
        """Connect, protect and log in as for an e-mail, then leave. Raises SendLater."""
        async with self._connected():
            pass

    def _sender(self) -> Address:
        name, address = parseaddr(self.sender)
        bare = _address(address) or Address()
        return Address(display_name=name, username=bare.username, domain=bare.domain)

    def _message(self, email: Email, to: Address) -> EmailMessage:
        message = EmailMessage(policy=_WIRE)
        message["From"] = self._sender()
        message["To"] = to
        message["Subject"] = " ".join(email.subject.split())
        message["Date"] = format_datetime(email.date)
        message["Message-ID"] = email.message_id
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(email.text, cte="quoted-printable")
        if email.html is not None:
            message.add_alternative(email.html, subtype="html", cte="quoted-printable")
        return message

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        client = self._client()
        try:
            await _connect(client)
            yield client
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
        finally:
            client.close()

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username or None,
            password=self.password or None,
            local_hostname=self._sender().domain,
            timeout=self.timeout,
            use_tls=self.security is Security.TLS,
            start_tls=self.security is Security.STARTTLS,
            tls_context=self.tls,
        )

    async def _envelope(self, client: aiosmtplib.SMTP, to: str, *, utf8: bool) -> None:
        encoding, options = ("utf-8", ["SMTPUTF8"]) if utf8 else ("ascii", [])
        if utf8 and not client.supports_extension("smtputf8"):
            msg = "the mail server takes no addresses with letters outside ASCII"
            raise SendRefused(msg)
        try:
            await client.mail(self._sender().addr_spec, options=options, encoding=encoding)
            await client.rcpt(to, encoding=encoding)
        except aiosmtplib.SMTPSenderRefused as refused:
            raise _refusal(_Refused.SENDER, refused.code) from None
        except aiosmtplib.SMTPResponseException as refused:
            raise _refusal(_Refused.RECIPIENT, refused.code) from None
        except _LOST:
            msg = "the connection to the mail server was lost before the text was sent"
            raise SendLater(msg) from None


async def _connect(client: aiosmtplib.SMTP) -> None:
    try:
        await client.connect()
        if client.is_ehlo_or_helo_needed:
            await client.ehlo()
    except aiosmtplib.SMTPResponseException as refused:
        raise _refusal(_Refused.US, refused.code) from None
    except _LOST as lost:
        raise _unreachable(lost) from None
    except aiosmtplib.SMTPException:
        msg = "the mail server does not offer the protection or the log-in that the settings ask for"
        raise ChannelNotSetUp(msg) from None


async def _hand_over(client: aiosmtplib.SMTP, message: bytes) -> None:
    """From here on a lost connection leaves open whether the text was accepted."""
    try:
        await client.data(message)
    except aiosmtplib.SMTPResponseException as refused:
        raise _refusal(_Refused.TEXT, refused.code) from None
    except (aiosmtplib.SMTPException, OSError):
        msg = "the connection to the mail server was lost while the text was handed over; it may have been accepted"
        raise SendUnknown(msg) from None


def _unreachable(lost: Exception) -> SendLater:
    if isinstance(lost, ssl.SSLError) or isinstance(lost.__cause__, ssl.SSLError):
        return ChannelNotSetUp("the mail server's certificate or TLS version was not accepted")
    return SendLater("the mail server cannot be reached or does not answer")


class _Refused(StrEnum):
    """What the mail server said no to."""

    US = "did not let us in"
    SENDER = "refused the sender"
    RECIPIENT = "refused the recipient"
    TEXT = "refused the text"


def _refusal(refused: _Refused, code: int) -> SendError:
    """A reply code (RFC 5321: 4xx transient, 5xx permanent) as the error that says what to do next."""
    msg = f"the mail server {refused} ({code})"
    match code // 100:
        case 4:
            return SendLater(msg, GREYLIST_PAUSE if code in GREYLISTED else None)
        case 5 if refused in {_Refused.RECIPIENT, _Refused.TEXT} and code not in AUTHENTICATION_CODES:
            return SendRefused(msg)
        case 5:
            return ChannelNotSetUp(msg)
        case _:
            return SendUnknown(msg) if refused is _Refused.TEXT else SendLater(msg)


def _address(text: str) -> Address | None:
    """The address, its domain in ASCII; None when it is no e-mail address."""
    local, _, domain = text.strip().rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if not (_LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(ascii_domain)):
        return None
    return Address(username=local, domain=ascii_domain)
