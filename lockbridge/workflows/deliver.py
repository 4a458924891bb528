"""How a message leaves: by e-mail, through a platform's inbox, by SMS, by webhook – each error said in one family."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from lockbridge.contract import AccountRefused, OutcomeUnknown, ProviderError
from lockbridge.domain.messages import message_id, opaque
from lockbridge.domain.phones import e164
from lockbridge.domain.rules import By, Reach, is_direct
from lockbridge.domain.seen import Remedy
from lockbridge.messaging.channel import (
    ChannelNotSetUp,
    Email,
    Posting,
    SendError,
    SendLater,
    SendRefused,
    SendUnknown,
    Sms,
)
from lockbridge.messaging.render import Text
from lockbridge.platforms.contract import Client, CodeNote, NoSuchReservation, NotOffered, StayRef
from lockbridge.storage.hosts import HostHook
from lockbridge.storage.sources import CONNECTED, SourceRow
from lockbridge.storage.stays import StayRow
from lockbridge.workflows.ports import Tools
from lockbridge.workflows.wording import one_paragraph

T = TypeVar("T")

SAID = {
    By.EMAIL: "by e-mail",
    By.PLATFORM: "through the platform's inbox",
    By.SMS: "by SMS",
    By.WEBHOOK: "by webhook",
    By.FIELD: "to the platform",
}
"""The ways as people read them."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to one guest, ready to leave."""

    key: str
    """The same on every attempt (R38)."""
    text: Text = field(repr=False)
    stay: StayRow = field(repr=False)
    source: SourceRow | None
    hook: HostHook | None
    about: Mapping[str, Any] = field(repr=False)
    """What a webhook says beside the text."""
    unsure: bool = False
    """It was tried this way before, and may have arrived."""
    country: str | None = None
    """Whose phone numbers are those without ``+``."""


def reach(tools: Tools, stay: StayRow, source: SourceRow | None) -> Reach:
    """By which ways the guest of a stay can be reached."""
    platform = tools.platforms.get(stay.platform)
    return Reach(
        inbox=source is not None and platform is not None and platform.sends_messages,
        email=bool(stay.contact.email),
        sms=tools.texting is not None and bool(stay.contact.phone),
        direct=is_direct(stay.booked_on),
    )


async def send(tools: Tools, way: By, parcel: Parcel, now: datetime) -> None:
    """Hand a message over; returning means it was accepted. Raises SendError and nothing else."""
    match way:
        case By.EMAIL:
            await tools.channel.send(email(tools, parcel.stay.contact.email or "", parcel.key, parcel.text, now))
        case By.PLATFORM:
            await _through_inbox(tools, parcel)
        case By.SMS:
            await _by_sms(tools, parcel)
        case By.WEBHOOK:
            await post(tools, parcel.hook, parcel.key, {"type": "guest.message", **_said(parcel, now)}, now)
        case _:
            msg = f"a text cannot go {SAID.get(way, way)}"
            raise SendRefused(msg)


def email(tools: Tools, to: str, key: str, text: Text, now: datetime) -> Email:
    """The e-mail; its Message-ID follows from the key."""
    name = message_id(key, tools.policy.message_domain)
    return Email(to=to, subject=text.subject, text=text.text, html=text.html, message_id=name, date=now)


async def _by_sms(tools: Tools, parcel: Parcel) -> None:
    to = e164(parcel.stay.contact.phone, parcel.country)
    if tools.texting is None or to is None:
        msg = "no SMS gateway is set up, or no whole phone number is known"
        raise SendRefused(msg)
    await tools.texting.send(Sms(to, one_paragraph(parcel.text), opaque(parcel.key), unsure=parcel.unsure))


async def post(tools: Tools, hook: HostHook | None, key: str, payload: Mapping[str, Any], now: datetime) -> None:
    """Send the host's system a webhook. Raises SendError."""
    if hook is None:
        msg = "the host has set no webhook address"
        raise SendRefused(msg)
    await tools.posting.send(Posting(hook.url, hook.secret, f"msg_{opaque(key)}", payload, now))


def _said(parcel: Parcel, now: datetime) -> dict[str, Any]:
    stay = parcel.stay
    guest = {
        "name": stay.guest_name,
        "email": stay.contact.email,
        "phone": stay.contact.phone,
        "language": stay.language,
    }
    text = {"subject": parcel.text.subject, "text": parcel.text.text}
    facts = {"stay": stay.id, "reservation": stay.reservation_code, "platform": stay.platform, "guest": guest}
    return {"timestamp": f"{now:%Y-%m-%dT%H:%M:%SZ}", "data": {**parcel.about, **facts, **text}}


# ------------------------------------------------------------------------------------------------ through a platform


async def _through_inbox(tools: Tools, parcel: Parcel) -> None:
    """Write through the platform's inbox; after a lost answer or a crash only if it does not stand there (R38)."""
    client, ref = client_of(tools, parcel.source), stay_ref(parcel.stay)
    if parcel.unsure and await _arrived(client, ref, parcel.text):
        return
    await asked(lambda: client.send_message(ref, parcel.text.subject, parcel.text.text))


async def _arrived(client: Client, ref: StayRef, text: Text) -> bool:
    try:
        there = await client.sent_texts(ref)
    except (NotOffered, NoSuchReservation):
        return False
    except ProviderError as error:
        raise translated(error) from None
    return _bare(text.text) in {_bare(each) for each in there}


def _bare(text: str) -> str:
    """What of a text survives whatever a platform does to its spaces and lines."""
    return "".join(text.split())


def client_of(tools: Tools, source: SourceRow | None) -> Client:
    """The connected account a stay comes from. Raises SendError."""
    if source is None:
        msg = "the stay comes from no connected account"
        raise SendRefused(msg)
    if source.state != CONNECTED:
        msg = "the platform's account must be connected again"
        raise ChannelNotSetUp(msg)
    try:
        return tools.sources.of(source)
    except ProviderError as error:
        raise translated(error) from None


def stay_ref(stay: StayRow) -> StayRef:
    """How the stay's platform names it."""
    return StayRef(stay.reservation_ref or stay.external_id, stay.external_id, stay.property_ref, stay.booked_on)


async def asked(call: Callable[[], Awaitable[T]]) -> T:
    """The platform's answer. Raises SendError."""
    try:
        return await call()
    except ProviderError as error:
        raise translated(error) from None


def translated(error: ProviderError) -> SendError:
    """A platform's error as the error that says what the sender does next."""
    words = str(error)
    if isinstance(error, OutcomeUnknown):
        return SendUnknown(words)
    if isinstance(error, AccountRefused):
        return ChannelNotSetUp(words)
    if error.remedy is Remedy.WAIT:
        return SendLater(words, error.retry_after)
    return SendRefused(words)


async def write_field(tools: Tools, source: SourceRow | None, stay: StayRow, note: CodeNote | None) -> None:
    """Put the door code where the platform keeps it (None: take it away) and see that it stands there.

    Raises SendError: SendLater also when another text stands there afterwards.
    """
    client, ref = client_of(tools, source), stay_ref(stay)
    await asked(lambda: client.write_code(ref, note))
    stands = await asked(lambda: client.read_code(ref))
    if _bare(stands or "") != _bare(note.text if note else ""):
        msg = "the platform took the door code and does not show it"
        raise SendLater(msg)
