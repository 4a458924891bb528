import asyncio
import contextlib
import email
import logging
import ssl
from datetime import UTC, datetime, timedelta
from email import policy
from email.header import decode_header, make_header
from ipaddress import ip_address

import pytest
from aiosmtpd.smtp import SMTP as Server  # noqa: N811 - the server's class is called like the protocol
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.messaging.channel import ChannelNotSetUp, Email, SendError, SendLater, SendRefused, SendUnknown
from lockbridge.messaging.console import ConsoleChannel, MemoryChannel
from lockbridge.messaging.email import _WIRE, GREYLIST_PAUSE, Mailer, Security, _address

SENT_AT = datetime(2026, 6, 5, 12, tzinfo=UTC)
LETTER = Email(
    to="ana@example.org",
    subject="Your door code",
    text="Your code: 0123\n",
    html="<p>Your code: <b>0123</b></p>",
    message_id="<00ff@mail.example.org>",
    date=SENT_AT,
)


class Post:
    """What the mail server answers, step by step; without an answer it takes the mail."""

    def __init__(self, *, rcpt=(), data=(), mail=(), dies=False):
        self.rcpt, self.data, self.mail, self.dies = list(rcpt), list(data), list(mail), dies
        self.taken = []

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802 - the name aiosmtpd calls
        if self.mail:
            return self.mail.pop(0)
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - the name aiosmtpd calls
        if self.rcpt:
            return self.rcpt.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - the name aiosmtpd calls
        if self.data:
            return self.data.pop(0)
        self.taken.append(envelope)
        if self.dies:
            server.transport.abort()
        return "250 OK"

    def only(self):
        (envelope,) = self.taken
        return email.message_from_bytes(envelope.original_content.replace(b"\r\n", b"\n"), policy=policy.default)


@contextlib.asynccontextmanager
async def listening(protocol, **options):
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def speaker(post, **options):
    known = {"hostname": "mail.example.org", "enable_SMTPUTF8": True, "loop": asyncio.get_running_loop()}
    return lambda: Server(post, **(known | options))


def mail_server(post, **options):
    return listening(speaker(post, **options))


def mailer(port, **changes):
    known = {"host": "127.0.0.1", "port": port, "sender": "Lockbridge <codes@example.org>", "timeout": 5.0}
    return Mailer(**(known | changes))


async def failure(post, letter=LETTER, *, server_options=None, **changes) -> SendError:
    async with mail_server(post, **(server_options or {})) as port:
        with pytest.raises(SendError) as caught:
            await mailer(port, **changes).send(letter)
    return caught.value


def letter(**changes) -> Email:
    known = {name: getattr(LETTER, name) for name in ("to", "subject", "text", "html", "message_id", "date")}
    return Email(**(known | changes))


# --- delivered


async def test_r37_an_email_arrives_with_both_parts_and_its_own_message_id():
    post = Post()
    async with mail_server(post) as port:
        await mailer(port).send(LETTER)
    message = post.only()
    assert message["Message-ID"] == "<00ff@mail.example.org>"
    assert message["From"] == "Lockbridge <codes@example.org>"
    assert (message["To"], message["Subject"]) == ("ana@example.org", "Your door code")
    assert message["Date"].datetime == SENT_AT
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert message.get_body(("plain",)).get_content() == "Your code: 0123\n"
    assert "<b>0123</b>" in message.get_body(("html",)).get_content()
    assert (post.taken[0].mail_from, post.taken[0].rcpt_tos) == ("codes@example.org", ["ana@example.org"])


async def test_an_alarm_without_html_is_plain_text():
    post = Post()
    async with mail_server(post) as port:
        await mailer(port).send(letter(html=None))
    assert post.only().get_content_type() == "text/plain"


async def test_letters_of_all_languages_arrive_through_a_mail_server_that_knows_only_ascii():
    post = Post()
    words = "Ключ для Анны 🔑 – " * 20
    async with mail_server(post, enable_SMTPUTF8=False) as port:
        sender = "Ferienwohnungen Müller <codes@example.org>"
        await mailer(port, sender=sender).send(letter(subject=words, text=words + "\n.\n", html=f"<p>{words}</p>"))
    assert post.taken[0].original_content.isascii()
    assert post.only()["Subject"] == words.strip()
    assert post.only()["From"].addresses[0].display_name == "Ferienwohnungen Müller"
    assert post.only().get_body(("plain",)).get_content() == words + "\n.\n"


async def test_an_international_domain_is_asked_for_in_ascii():
    post = Post()
    async with mail_server(post) as port:
        await mailer(port).send(letter(to="ana@bücher.example"))
    assert post.taken[0].rcpt_tos == ["ana@xn--bcher-kva.example"]


async def test_an_address_with_other_letters_is_delivered_where_the_mail_server_can():
    post = Post()
    async with mail_server(post) as port:
        await mailer(port).send(letter(to="añá@example.org"))
    assert post.taken[0].rcpt_tos == ["añá@example.org"]
    refused = await failure(Post(), letter(to="añá@example.org"), server_options={"enable_SMTPUTF8": False})
    assert isinstance(refused, SendRefused)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), max_size=120))
def test_a_subject_in_any_letters_is_read_as_it_was_written(words):
    message = mailer(25)._message(letter(subject=words), _address(LETTER.to))
    read = email.message_from_bytes(message.as_bytes(policy=_WIRE))["Subject"]
    assert str(make_header(decode_header(read))) == " ".join(words.split())


async def test_a_subject_cannot_add_a_header():
    post = Post()
    async with mail_server(post) as port:
        await mailer(port).send(letter(subject="Hi\r\nBcc: eve@example.org"))
    assert post.only()["Bcc"] is None
    assert post.only()["Subject"] == "Hi Bcc: eve@example.org"


# --- refused, put off, unknown


async def test_a_refused_recipient_is_refused_for_good():
    error = await failure(Post(rcpt=["550 5.1.1 <ana@example.org>: no such user"]))
    assert isinstance(error, SendRefused)
    assert str(error) == "the mail server refused the recipient (550)"


async def test_a_refused_text_is_refused_for_good():
    assert isinstance(await failure(Post(data=["554 5.7.1 spam"])), SendRefused)


async def test_a_greylisted_email_is_put_off_and_arrives_when_it_is_sent_again():
    post = Post(rcpt=["451 4.7.1 greylisted, try again"])
    async with mail_server(post) as port:
        with pytest.raises(SendLater) as caught:
            await mailer(port).send(LETTER)
        assert caught.value.retry_after == GREYLIST_PAUSE
        assert not isinstance(caught.value, ChannelNotSetUp)
        await mailer(port).send(LETTER)
    assert post.only()["Message-ID"] == LETTER.message_id


async def test_a_text_that_is_put_off_was_not_taken():
    error = await failure(Post(data=["421 4.3.0 closing"]))
    assert isinstance(error, SendLater)
    assert error.retry_after is None


async def test_r38_a_server_that_dies_after_the_text_leaves_the_outcome_open():
    post = Post(dies=True)
    assert isinstance(await failure(post), SendUnknown)
    assert post.only()["Message-ID"] == LETTER.message_id


async def test_r38_an_answer_to_the_text_that_is_neither_yes_nor_no_leaves_the_outcome_open():
    assert isinstance(await failure(Post(data=["299 perhaps"])), SendUnknown)


async def test_an_answer_to_the_recipient_that_is_neither_yes_nor_no_puts_the_email_off():
    assert type(await failure(Post(rcpt=["299 perhaps"]))) is SendLater


async def test_a_server_that_refuses_connections_puts_the_email_off():
    async with listening(asyncio.Protocol) as port:
        pass
    with pytest.raises(SendLater, match="cannot be reached"):
        await mailer(port).send(LETTER)


async def test_a_silent_server_puts_the_email_off():
    async with listening(asyncio.Protocol) as port:
        with pytest.raises(SendLater, match="does not answer"):
            await mailer(port, timeout=0.2).send(LETTER)


class Script(asyncio.Protocol):
    """A mail server that answers by rote; after its last line it hangs up, or falls silent."""

    def __init__(self, *answers, hangs_up=True):
        self.answers, self.hangs_up = list(answers), hangs_up

    def connection_made(self, transport):
        self.transport = transport
        self.data_received(b"")

    def data_received(self, data):
        if self.answers:
            self.transport.write(self.answers.pop(0).encode() + b"\r\n")
        elif self.hangs_up:
            self.transport.abort()


GREETING = ("220 hi", "250 mail.example.org")


async def test_a_connection_lost_before_the_text_puts_the_email_off():
    async with listening(lambda: Script(*GREETING, "250 sender fine")) as port:
        with pytest.raises(SendLater, match="before the text"):
            await mailer(port).send(LETTER)


async def test_r38_a_server_that_falls_silent_after_the_text_leaves_the_outcome_open():
    answers = (*GREETING, "250 fine", "250 fine", "354 go on")
    async with listening(lambda: Script(*answers, hangs_up=False)) as port:
        with pytest.raises(SendUnknown):
            await mailer(port, timeout=0.2).send(LETTER)


async def test_a_server_that_greets_with_a_refusal_is_a_matter_of_settings():
    async with listening(lambda: Script("554 not you")) as port:
        with pytest.raises(ChannelNotSetUp, match=r"did not let us in \(554\)"):
            await mailer(port).send(LETTER)


async def test_a_server_that_is_busy_when_it_greets_or_logs_in_puts_the_email_off():
    async with listening(lambda: Script("421 too many connections")) as port:
        with pytest.raises(SendLater) as greeted:
            await mailer(port).send(LETTER)
    hello = ("220 hi", "250-mail.example.org\r\n250 AUTH PLAIN", "454 4.7.0 try again later")
    async with listening(lambda: Script(*hello)) as port:
        with pytest.raises(SendLater) as logged_in:
            await mailer(port, username="codes", password="secret").send(LETTER)
    assert [type(error.value) for error in (greeted, logged_in)] == [SendLater, SendLater]
    assert str(logged_in.value) == "the mail server did not let us in (454)"


@pytest.mark.parametrize("code", [450, 451, 452, 421, 471])
async def test_every_4xx_puts_the_email_off_whatever_it_is_said_to(code):
    for post in (Post(mail=[f"{code} later"]), Post(rcpt=[f"{code} later"]), Post(data=[f"{code} later"])):
        assert type(await failure(post)) is SendLater


@pytest.mark.parametrize("code", [550, 551, 552, 553, 554])
async def test_every_5xx_to_the_recipient_or_the_text_is_a_bounce(code):
    for post in (Post(rcpt=[f"{code} no"]), Post(data=[f"{code} no"])):
        assert type(await failure(post)) is SendRefused


async def test_an_accepted_email_stays_accepted_when_the_goodbye_fails():
    answers = (*GREETING, "250 fine", "250 fine", "354 go on", "250 taken")
    async with listening(lambda: Script(*answers)) as port:
        await mailer(port).send(LETTER)


async def test_a_refused_sender_is_not_the_guests_fault():
    assert isinstance(await failure(Post(mail=["550 not your domain"])), ChannelNotSetUp)
    assert type(await failure(Post(mail=["451 later"]))) is SendLater
    assert isinstance(await failure(Post(rcpt=["530 log in first"])), ChannelNotSetUp)


# --- protection


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that signed itself, and its key, as one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "mail.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + private)
    return path


@pytest.fixture
def serving(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate):
    return ssl.create_default_context(cafile=certificate)


def only_ana(server, session, envelope, mechanism, auth_data):
    return AuthResult(handled=False, success=(auth_data.login, auth_data.password) == (b"codes", b"secret"))


def secured(serving):
    return {"tls_context": serving, "require_starttls": True, "auth_required": True, "authenticator": only_ana}


async def test_starttls_and_a_log_in_carry_the_email(serving, trusting):
    post = Post()
    settings = {"security": Security.STARTTLS, "tls": trusting, "username": "codes", "password": "secret"}
    async with mail_server(post, **secured(serving)) as port:
        await mailer(port, **settings).send(LETTER)
        await mailer(port, **settings).check()
    assert post.only()["Message-ID"] == LETTER.message_id


async def test_a_wrong_password_is_a_matter_of_settings(serving, trusting):
    settings = {"security": Security.STARTTLS, "tls": trusting, "username": "codes", "password": "wrong"}
    error = await failure(Post(), server_options=secured(serving), **settings)
    assert isinstance(error, ChannelNotSetUp)
    assert "wrong" not in repr(mailer(25, **settings))


async def test_a_certificate_that_is_not_trusted_is_a_matter_of_settings(serving):
    error = await failure(Post(), server_options=secured(serving), security=Security.STARTTLS)
    assert isinstance(error, ChannelNotSetUp)
    assert "certificate" in str(error)


async def test_protection_that_the_server_does_not_offer_is_never_done_without():
    post = Post()
    assert isinstance(await failure(post, security=Security.STARTTLS), ChannelNotSetUp)
    assert post.taken == []


async def test_tls_from_the_first_byte_carries_the_email(serving, trusting):
    post = Post()
    async with listening(speaker(post), ssl=serving) as port:
        await mailer(port, security=Security.TLS, tls=trusting).send(LETTER)
    assert post.only()["Message-ID"] == LETTER.message_id


async def test_tls_from_the_first_byte_is_refused_to_a_certificate_that_is_not_trusted(serving):
    post = Post()
    async with listening(speaker(post), ssl=serving) as port:
        with pytest.raises(ChannelNotSetUp, match="certificate"):
            await mailer(port, security=Security.TLS).send(LETTER)
    assert post.taken == []


async def test_tls_from_the_first_byte_is_not_done_without_by_a_server_that_has_none():
    post = Post()
    async with mail_server(post) as port:
        with pytest.raises(ChannelNotSetUp, match="TLS"):
            await mailer(port, security=Security.TLS).send(LETTER)
    assert post.taken == []


# --- addresses, and what stays hidden


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ana",
        "@example.org",
        "ana@",
        "ana@exa mple.org",
        "ana@example..org",
        "a@b@example.org",
        "ana@-x.org",
        "ana@example.org\r\nRCPT TO:<eve@example.org>",
        "Ana <ana@example.org>",
        ".ana@example.org",
        "a..b@example.org",
        "x" * 65 + "@example.org",
        "ana@" + "x" * 64 + ".org",
        "ana@[127.0.0.1]",
    ],
)
async def test_what_is_no_address_is_refused_before_anything_is_sent(to):
    with pytest.raises(SendRefused, match="the recipient's address is not an e-mail address"):
        await mailer(1).send(letter(to=to))


@given(st.emails())
def test_every_common_address_is_taken(address):
    taken = _address(address)
    assert taken is None or taken.addr_spec == address
    assert taken is not None or set(address.partition("@")[0]) & set('.()<>[]:;@\\,"')


@given(st.text(max_size=40))
def test_whatever_is_typed_as_an_address_nothing_worse_happens_than_no(text):
    taken = _address(text)
    assert taken is None or not set(taken.addr_spec) & set("\r\n <>\0")


def test_a_sender_that_is_no_address_is_refused_at_once():
    with pytest.raises(ValueError, match="sender of e-mails is not an e-mail address: 'Lockbridge'"):
        mailer(25, sender="Lockbridge")


async def test_neither_the_address_nor_the_text_is_in_an_error_or_a_log(caplog):
    caplog.set_level(logging.DEBUG)
    answers = ["550 <ana@example.org> unknown", "451 <ana@example.org> 0123"]
    posts = (Post(rcpt=answers[:1]), Post(rcpt=answers[1:]), Post(data=answers[:1]), Post(dies=True))
    errors = [await failure(post) for post in posts]
    said = "".join(f"{error!r} {error.__cause__!r}" for error in errors) + repr(LETTER)
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("mail."))
    assert all(error.__suppress_context__ for error in errors)
    assert not [secret for secret in ("ana@", "0123") if secret in said + ours]


# --- channels without a server


async def test_the_console_channel_writes_what_a_person_reads():
    written = []
    await ConsoleChannel(written.append).send(LETTER)
    assert written == [
        "Date: 2026-06-05 12:00 UTC\nTo: ana@example.org\nSubject: Your door code\n\nYour code: 0123\n\n"
    ]


async def test_the_memory_channel_keeps_what_was_sent_and_can_fail_before_or_after():
    def refuse(_email):
        raise SendLater("busy")  # noqa: EM101 - an invented fault

    def lose(_email):
        raise SendUnknown("lost")  # noqa: EM101 - an invented fault

    before, after, fine = MemoryChannel(before=refuse), MemoryChannel(after=lose), MemoryChannel()
    with pytest.raises(SendLater):
        await before.send(LETTER)
    with pytest.raises(SendUnknown):
        await after.send(LETTER)
    await fine.send(LETTER)
    assert (before.sent, after.sent, fine.sent) == ([], [LETTER], [LETTER])
