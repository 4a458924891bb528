"""Text messages: through Twilio's Programmable Messaging API, or through any gateway that takes JSON over HTTP.

Both write to numbers in E.164 only and refuse a text that would cost more than ten messages. No error holds a number,
a text, a credential, or any words of the other side.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import orjson

from lockbridge.contract import OutcomeUnknown, Unreachable
from lockbridge.domain.phones import e164
from lockbridge.messaging.channel import ChannelNotSetUp, SendError, SendLater, SendRefused, SendUnknown, Sms
from lockbridge.outbound import Request, answer, retry_after

if TYPE_CHECKING:  # loaded by the first request
    import httpx

Http = Callable[[], "httpx.AsyncClient"]
"""The HTTP client, made when it is first needed."""

NOT_LET_IN = frozenset({401, 403, 404})

# ------------------------------------------------------------------------------------------------- numbers and texts

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The letters of a text in 7 bits each (3GPP TS 23.038)."""
GSM_EXTENDED = frozenset("\f^{}\\[~]|€")
"""The letters that take two places there."""
GSM_SIZES = (160, 153)
"""How many 7-bit letters one message holds: alone, and as a part of several."""
UCS2_SIZES = (70, 67)
"""How many 16-bit units, for a text with any other letter."""
MOST_SEGMENTS = 10


def segments(text: str) -> int:
    """How many messages a text is sent (and charged) as; nothing that takes two places is split between them."""
    is_gsm = GSM.union(GSM_EXTENDED).issuperset(text)
    alone, as_part = GSM_SIZES if is_gsm else UCS2_SIZES
    sizes = [1 + (char in GSM_EXTENDED if is_gsm else ord(char) > 0xFFFF) for char in text]  # noqa: PLR2004 - one unit
    if sum(sizes) <= alone:
        return int(bool(text))
    count, used = 1, 0
    for size in sizes:
        if used + size > as_part:
            count, used = count + 1, 0
        used += size
    return count


def _recipient(sms: Sms) -> str:
    """The number in E.164. Raises SendRefused for what is no number, and for a text that cannot be sent."""
    to = e164(sms.to, None)
    if to is None:
        msg = "the phone number is not one that text messages can be sent to"
        raise SendRefused(msg)
    if not sms.text.strip():
        msg = "the text message is empty"
        raise SendRefused(msg)
    length = segments(sms.text)
    if length > MOST_SEGMENTS:
        msg = f"the text is as long as {length} text messages, and {MOST_SEGMENTS} is the most that is sent"
        raise SendRefused(msg)
    return to


async def _asked(http: Http, base: str, request: Request, seconds: float, who: str) -> "httpx.Response":
    """The answer. Raises SendLater when nothing was done, SendUnknown when something may have been."""
    import httpx  # noqa: PLC0415 - loaded by the first text message

    try:
        return await answer(http(), base, request, httpx.Timeout(seconds), who=who)
    except OutcomeUnknown as error:
        raise SendUnknown(str(error)) from None
    except Unreachable as error:
        raise SendLater(str(error)) from None


# ------------------------------------------------------------------------------------------------------------- Twilio

TWILIO = "https://api.twilio.com"
GUESTS: Mapping[int, str] = {
    21211: "the phone number is not valid",
    21214: "the phone number cannot be reached",
    21217: "the phone number is not valid",
    21408: "text messages to this country are switched off in the account's geographic permissions",
    21608: "a trial account writes to verified numbers only",
    21610: "the guest has unsubscribed from text messages",
    21612: "the phone number cannot be reached from this sender",
    21614: "the phone number takes no text messages",
    21617: "the text is too long",
    30003: "the phone is switched off or out of reach",
    30004: "the phone takes no messages from this sender",
    30005: "nobody has this phone number",
    30006: "it is a landline, or its network cannot be reached",
    30007: "it was filtered as unwanted",
}
"""Twilio's codes for what is wrong with this recipient or this text, whatever the status they come with."""
OURS = frozenset(
    {10001, 20003, 20005, 20008, 20403, 20404, 21212, 21603, 21606, 21607, 21659, 21660, 21661, 21701, 21703, 21705}
    | {30002, 30032, 30034, 30035}
)
"""The codes for what is wrong with the account, its credentials or its sender: the next guest would fare no better."""
BUSY = frozenset({14107, 20429, 21611, 21730, 30001, 30022})
"""The codes for too much at once: nothing was done."""
LOOK_BACK = timedelta(days=1)
MOST_LISTED = 100
NOT_SENT = frozenset({"failed", "undelivered", "canceled"})
TRIAL = "Sent from your Twilio trial account - "


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioSms:
    """One Twilio account (https://www.twilio.com/docs/messaging/api/message-resource).

    ``sender`` is a phone number, an alphanumeric sender, or the SID of a messaging service (``MG…``). ``secret`` is
    the account's auth token, or the secret of the API key that ``api_key`` names.

    Twilio knows no idempotency key. A text that may have been handed over before (``Sms.unsure``) is first looked for
    among the account's messages of the last day: the same words to the same number are this text.
    """

    http: Http
    now: Callable[[], datetime]
    account: str
    secret: str = field(repr=False)
    sender: str
    api_key: str = ""
    base: str = TWILIO
    timeout: float = 20.0

    async def send(self, sms: Sms) -> None:
        """Hand the text over; returning means that Twilio has queued it. Raises SendError."""
        to = _recipient(sms)
        if sms.unsure and await self._has(to, sms.text):
            return
        sender = "MessagingServiceSid" if re.fullmatch("MG[0-9a-fA-F]{32}", self.sender) else "From"
        form = {"To": to, sender: self.sender, "Body": sms.text}
        response = await self._ask(Request("POST", f"{self._account}/Messages.json", form=form))
        if not response.is_success:
            raise self._refusal(response)

    async def check(self) -> str:
        """What is known of the account without sending anything, in words. Raises SendLater.

        An API key may not read the account (only main keys may), so the key is tried on the list of messages.
        """
        if self.api_key:
            await self._read(f"{self._account}/Messages.json", {"PageSize": 1})
            return "lets us in"
        account = await self._read(f"{self._account}.json", {})
        if account.get("status") != "active":
            msg = "the Twilio account is not active"
            raise ChannelNotSetUp(msg)
        is_trial = account.get("type") == "Trial"
        return "lets us in, to a trial account: it writes to verified numbers only" if is_trial else "lets us in"

    @property
    def _account(self) -> str:
        return f"/2010-04-01/Accounts/{self.account}"

    async def _ask(self, request: Request) -> "httpx.Response":
        credentials = base64.b64encode(f"{self.api_key or self.account}:{self.secret}".encode()).decode()
        signed = replace(request, headers={"authorization": f"Basic {credentials}"})
        return await _asked(self.http, self.base, signed, self.timeout, "Twilio")

    async def _read(self, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Raises SendLater only: nothing is sent by reading."""
        response = await self._ask(Request("GET", path, params=params))
        if not response.is_success:
            error = self._refusal(response, "us")
            raise error if isinstance(error, SendLater) else SendLater(f"Twilio answered {response.status_code}")
        return _object(response)

    async def _has(self, to: str, text: str) -> bool:
        """Whether the text was handed over within the last day and Twilio has not given it up."""
        found = (await self._read(f"{self._account}/Messages.json", {"To": to, "PageSize": MOST_LISTED})).get(
            "messages"
        )
        each = [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []
        return any(self._may_be(message) and _same(str(message.get("body")), text) for message in each)

    def _may_be(self, message: Mapping[str, Any]) -> bool:
        return (
            str(message.get("direction")).startswith("outbound")
            and message.get("status") not in NOT_SENT
            and self.now() - _instant(message.get("date_created"), self.now()) <= LOOK_BACK
        )

    def _refusal(self, response: "httpx.Response", what: str = "the text message") -> SendError:
        status, found = response.status_code, _object(response).get("code")
        code = found if isinstance(found, int) else status
        said = f"Twilio refused {what} ({code})"
        if code in GUESTS:
            return SendRefused(f"{said}: {GUESTS[code]}")
        if status == HTTPStatus.TOO_MANY_REQUESTS or code in BUSY:
            return SendLater(said, retry_after(response.headers.get("retry-after"), self.now()))
        if status in NOT_LET_IN or code in OURS:
            return ChannelNotSetUp(f"{said}: the account, its credentials or its sender are not in order")
        return _by_status(status, said, "Twilio")


def _object(response: "httpx.Response") -> dict[str, Any]:
    try:
        said = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _same(body: str, text: str) -> bool:
    """Whether both say the same: Twilio may replace punctuation, and puts words of its own before a trial's texts."""
    return _letters(body.removeprefix(TRIAL)) == _letters(text)


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def _instant(text: object, otherwise: datetime) -> datetime:
    """A date as e-mails write it."""
    try:
        instant = parsedate_to_datetime(str(text))
    except ValueError:
        return otherwise
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


def _by_status(status: int, said: str, who: str) -> SendError:
    """What an answer means that says nothing but its status."""
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SendUnknown(f"{who} answered {status}: the text message may have been accepted")
    if status >= HTTPStatus.BAD_REQUEST:
        return SendRefused(said)
    return ChannelNotSetUp(f"{who} answered {status}: the address in the settings is not the right one")


# --------------------------------------------------------------------------------------------------------- any gateway

_PLACE = re.compile(r"\{([a-z_]+)\}")
_KNOWN = ("to", "text", "key", "sender", "secret")
_BUSY_STATUSES = frozenset({429, 503})


def body_template(text: str) -> Any:
    """What is posted for each text, with ``{to}``, ``{text}``, ``{key}``, ``{sender}`` and ``{secret}`` in its strings.

    Raises ValueError for what is no JSON object, holds another name, or no ``{to}`` or ``{text}``.
    """
    try:
        template = orjson.loads(text)
    except orjson.JSONDecodeError:
        template = None
    if not isinstance(template, dict):
        msg = 'is not a JSON object; write it like {"to": "{to}", "text": "{text}"}'
        raise ValueError(msg)  # noqa: TRY004 - the setting has a wrong value
    named = set(_PLACE.findall(text))
    if strangers := sorted(named.difference(_KNOWN)):
        msg = f"has no value for {{{strangers[0]}}}: there are {', '.join(f'{{{name}}}' for name in _KNOWN)}"
        raise ValueError(msg)
    if missing := sorted({"to", "text"} - named):
        msg = f"does not say where {{{missing[0]}}} goes"
        raise ValueError(msg)
    return template


def _filled(template: Any, values: Mapping[str, str]) -> Any:
    """The template with values in its strings; values are not looked at again."""
    if isinstance(template, dict):
        return {name: _filled(value, values) for name, value in template.items()}
    if isinstance(template, list):
        return [_filled(value, values) for value in template]
    return _PLACE.sub(lambda found: values[found[1]], template) if isinstance(template, str) else template


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySms:
    """An SMS service that takes one JSON object per text over HTTP.

    ``body`` is as :func:`body_template` reads it; ``secret`` is the whole value of the header that ``header`` names
    (empty: of none).
    A text that may have been accepted is sent again with the same ``{key}``: the gateway can tell that the two are one.
    """

    http: Http
    now: Callable[[], datetime]
    url: str = field(repr=False)
    body: str
    sender: str = ""
    method: Literal["POST", "PUT"] = "POST"
    header: str = "Authorization"
    secret: str = field(default="", repr=False)
    timeout: float = 20.0

    async def send(self, sms: Sms) -> None:
        """Hand the text over; returning means that it was answered with success. Raises SendError."""
        to = _recipient(sms)
        values = {"to": to, "text": sms.text, "key": sms.key, "sender": self.sender, "secret": self.secret}
        headers = {self.header: self.secret} if self.header and self.secret else {}
        request = Request(self.method, "", body=_filled(body_template(self.body), values), headers=headers)
        response = await _asked(self.http, self.url, request, self.timeout, "the SMS gateway")
        if not response.is_success:
            raise self._refusal(response)

    def _refusal(self, response: "httpx.Response") -> SendError:
        status, said = response.status_code, f"the SMS gateway refused the text message ({response.status_code})"
        if status in _BUSY_STATUSES:
            return SendLater(said, retry_after(response.headers.get("retry-after"), self.now()))
        if status in NOT_LET_IN:
            return ChannelNotSetUp(f"{said}: the address or the secret in the settings is not the right one")
        return _by_status(status, said, "the SMS gateway")
