"""Text messages, over real HTTP on loopback: Twilio as its reference describes it, and any gateway."""

import base64
import json
import logging
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lockbridge.bootstrap import texting_of
from lockbridge.clock import SystemClock
from lockbridge.commands import looking
from lockbridge.config import Settings, SmsSettings
from lockbridge.domain.phones import e164
from lockbridge.domain.rules import By
from lockbridge.messaging.channel import ChannelNotSetUp, SendError, SendLater, SendRefused, SendUnknown, Sms
from lockbridge.messaging.console import ConsoleSms, MemorySms
from lockbridge.messaging.render import Text
from lockbridge.messaging.sms import (
    BUSY,
    GSM,
    GSM_EXTENDED,
    GUESTS,
    MOST_SEGMENTS,
    OURS,
    GatewaySms,
    TwilioSms,
    body_template,
    segments,
)
from lockbridge.outbound import client
from lockbridge.workflows import deliver
from lockbridge.workflows.deliver import Parcel
from tests.contract.serving import serving

NOW = datetime(2026, 6, 5, 12, tzinfo=UTC)
ACCOUNT = "AC" + "0a" * 16
TOKEN = "a-very-s3cret-token"
PHONE = "+34600112233"
WORDS = "Hello Ana, here is your door code for Beach House: 0123"
FIRST = Sms(PHONE, WORDS, "7f00", unsure=False)
AGAIN = Sms(PHONE, WORDS, "7f00")


@pytest.fixture(scope="module")
def served():
    with serving() as server:
        yield server


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


@dataclass
class Twilio:
    """The Messages and Accounts resources of one account; ``says`` are the answers it gives instead, in turn."""

    status: str = "active"
    type: str = "Full"
    key: tuple[str, str] = (ACCOUNT, TOKEN)
    says: list[Response | None] = field(default_factory=list)
    loses_answers: bool = False
    adds: str = ""
    messages: list[dict] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    reads_account: bool = True

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        asked = Asked(
            request.method, request.url.path, dict(request.query_params), dict(request.headers), await request.body()
        )
        self.asked.append(asked)
        said = self.says.pop(0) if self.says else None
        await (said or self._answer(asked))(scope, receive, send)

    def _answer(self, asked: Asked) -> Response:
        user, _, password = (
            base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode().partition(":")
        )
        if (user, password) != self.key:
            return complaint(401, 20003, "Authenticate")
        match asked.method, asked.path.removeprefix(f"/2010-04-01/Accounts/{ACCOUNT}"):
            case "POST", "/Messages.json":
                return self._create(asked.form)
            case "GET", "/Messages.json":
                return self._list(asked.query)
            case "GET", ".json" if self.reads_account:
                return JSONResponse({"sid": ACCOUNT, "status": self.status, "type": self.type})
            case "GET", ".json":
                return complaint(401, 20003, "Authenticate")
        return complaint(404, 20404, "not found")

    def _create(self, form: dict[str, str]) -> Response:
        if not form.get("To") or not form.get("Body") or ("From" in form) == ("MessagingServiceSid" in form):
            return complaint(400, 21604, "'To' phone number is required")
        self.messages.insert(0, message(form["To"], self.adds + form["Body"], NOW))
        return Response("", 500) if self.loses_answers else JSONResponse(self.messages[0], 201)

    def _list(self, query: dict[str, str]) -> Response:
        found = [each for each in self.messages if query.get("To") in (None, each["to"])]
        return JSONResponse({"messages": found[: int(query.get("PageSize", 50))], "next_page_uri": None})

    @property
    def sent(self) -> list[tuple[str, str]]:
        return [(each["to"], each["body"]) for each in self.messages]


def message(to: str, body: str, created: datetime, status: str = "queued", direction: str = "outbound-api") -> dict:
    date = {"date_created": format_datetime(created), "date_sent": None}
    return {"sid": "SM" + "00" * 16, "to": to, "body": body, "status": status, "direction": direction, **date}


def complaint(status: int, code: int | None, words: str = "no", **headers: str) -> Response:
    said = {"code": code, "message": f"{words} {PHONE}", "status": status, "more_info": "https://www.twilio.com/docs"}
    return JSONResponse(said, status, headers=headers)


def twilio_sms(url: str, http, **changes) -> TwilioSms:
    known = {"account": ACCOUNT, "secret": TOKEN, "sender": "+15005550006", "base": url, "timeout": 5.0}
    return TwilioSms(http=lambda: http, now=lambda: NOW, **(known | changes))


async def sent(served, twilio: Twilio, *texts: Sms, **changes) -> list[SendError | None]:
    """What became of each text."""
    served.asgi = twilio
    outcomes: list[SendError | None] = []
    async with client() as http:
        for text in texts:
            try:
                await twilio_sms(served.url, http, **changes).send(text)
                outcomes.append(None)
            except SendError as error:
                outcomes.append(error)
    return outcomes


async def failure(served, twilio: Twilio, text: Sms = FIRST, **changes) -> SendError:
    (outcome,) = await sent(served, twilio, text, **changes)
    assert outcome is not None
    return outcome


# ----------------------------------------------------------------------------------------------------------- delivered


async def test_a_text_is_queued_with_one_request(served):
    twilio = Twilio()
    assert await sent(served, twilio, FIRST) == [None]
    (asked,) = twilio.asked
    assert (asked.method, asked.path) == ("POST", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    assert asked.form == {"To": PHONE, "From": "+15005550006", "Body": WORDS}
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"


async def test_letters_of_all_languages_arrive_as_they_are(served):
    twilio = Twilio()
    words = "¡Hola, Ana! Ключ 🔑 & 50 % + 1 = ?"
    assert await sent(served, twilio, Sms(PHONE, words, "k")) == [None]
    assert twilio.sent == [(PHONE, words)]


@pytest.mark.parametrize("sender", ["+15005550006", "Lockbridge", "MGR"])
async def test_a_number_or_a_name_is_the_sender(served, sender):
    twilio = Twilio()
    await sent(served, twilio, FIRST, sender=sender)
    assert twilio.asked[0].form["From"] == sender


async def test_a_messaging_service_chooses_the_sender(served):
    twilio, service = Twilio(), "MG" + "5f" * 16
    assert await sent(served, twilio, FIRST, sender=service) == [None]
    assert twilio.asked[0].form == {"To": PHONE, "MessagingServiceSid": service, "Body": WORDS}


async def test_an_api_key_signs_in_for_the_account(served):
    twilio = Twilio(key=("SK" + "1b" * 16, TOKEN))
    assert await sent(served, twilio, FIRST, api_key="SK" + "1b" * 16) == [None]
    assert ACCOUNT in twilio.asked[0].path


# ---------------------------------------------------------------------------------------------------- refused, put off


async def answered(served, *says: Response, text: Sms = FIRST) -> list[SendError]:
    """What each answer becomes; the text was handed over once for each."""
    twilio = Twilio(says=list(says))
    outcomes = await sent(served, twilio, *[text] * len(says))
    assert len(twilio.asked) == len(says)
    assert twilio.sent == []
    return outcomes


@pytest.mark.parametrize("status", [400, 403])
async def test_what_is_wrong_with_the_guests_phone_is_refused_for_good_and_said(served, status):
    for code, error in zip(GUESTS, await answered(served, *(complaint(status, code) for code in GUESTS)), strict=True):
        assert type(error) is SendRefused
        assert str(error) == f"Twilio refused the text message ({code}): {GUESTS[code]}"


async def test_what_is_wrong_with_the_account_is_a_matter_of_settings(served):
    errors = await answered(served, *(complaint(400, code) for code in sorted(OURS)))
    assert {type(error) for error in errors} == {ChannelNotSetUp}
    assert "20003" in str(errors[sorted(OURS).index(20003)])


async def test_a_wrong_token_and_an_unknown_account_are_a_matter_of_settings(served):
    assert type(await failure(served, Twilio(), secret="wrong")) is ChannelNotSetUp
    assert type(await failure(served, Twilio(), account="AC" + "ff" * 16)) is ChannelNotSetUp
    assert type(await failure(served, Twilio(says=[Response("", 403)]))) is ChannelNotSetUp


async def test_too_much_at_once_is_sent_later(served):
    for error in await answered(served, *(complaint(400, code, **{"retry-after": "7"}) for code in BUSY)):
        assert type(error) is SendLater
        assert error.retry_after == timedelta(seconds=7)


async def test_429_is_sent_later_as_its_retry_after_says(served):
    headers = ({"retry-after": "90"}, {}, {"retry-after": "soon"})
    errors = await answered(served, *(Response("Too Many Requests", 429, headers=header) for header in headers))
    assert {type(error) for error in errors} == {SendLater}
    assert [error.retry_after.total_seconds() for error in errors] == [90, 60, 60]


async def test_any_other_no_is_a_no_to_this_text(served):
    errors = await answered(served, *(complaint(400, code) for code in (21602, 21619, 99999, None)))
    assert {type(error) for error in errors} == {SendRefused}


async def test_an_answer_that_makes_no_sense_is_judged_by_its_status(served):
    for body in (b"", b"<html>", b"[]", b'{"code": [1]}', b'{"code": "x"}', b"\xff"):
        errors = await answered(served, *(Response(body, status) for status in (400, 502, 302)))
        assert [type(error) for error in errors] == [SendRefused, SendUnknown, ChannelNotSetUp]


async def test_a_redirect_is_not_followed(served):
    twilio = Twilio(says=[Response("", 307, headers={"location": "/elsewhere"})])
    await failure(served, twilio)
    assert len(twilio.asked) == 1


async def test_twilio_out_of_reach_is_tried_later():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with client() as http:
        with pytest.raises(SendLater, match="no connection to Twilio"):
            await twilio_sms(f"http://127.0.0.1:{port}", http).send(FIRST)


async def silent(_scope, receive, _send):
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_no_answer_in_time_leaves_the_outcome_open(served):
    error = await failure(served, silent, timeout=0.1)
    assert type(error) is SendUnknown
    assert str(error).startswith("the answer of Twilio was lost")


# ---------------------------------------------------------------------------------------------------- once and no more


async def test_r38_a_text_whose_outcome_is_unknown_is_looked_for_and_not_sent_twice(served):
    twilio = Twilio(loses_answers=True)
    first, again = await sent(served, twilio, FIRST, AGAIN)
    assert type(first) is SendUnknown
    assert again is None
    assert twilio.sent == [(PHONE, WORDS)]
    assert [asked.method for asked in twilio.asked] == ["POST", "GET"]
    assert twilio.asked[1].query == {"To": PHONE, "PageSize": "100"}


async def test_r38_a_text_that_never_arrived_is_sent_again(served):
    twilio = Twilio(says=[Response("", 500)])
    first, again = await sent(served, twilio, FIRST, AGAIN)
    assert (type(first), again) == (SendUnknown, None)
    assert twilio.sent == [(PHONE, WORDS)]


@pytest.mark.parametrize(
    "there",
    [
        message(PHONE, WORDS, NOW - timedelta(minutes=5), "delivered"),
        message(PHONE, WORDS, NOW - timedelta(hours=23), "sending"),
        message(PHONE, f"Sent from your Twilio trial account - {WORDS}", NOW),
        message(PHONE, WORDS.replace(",", " -").replace(" ", "  "), NOW),
        {**message(PHONE, WORDS, NOW), "date_created": "yesterday"},
        {**message(PHONE, WORDS, NOW), "date_created": "Fri, 05 Jun 2026 11:00:00 -0000"},
    ],
)
async def test_r38_the_same_words_to_the_same_phone_lately_are_this_text(served, there):
    twilio = Twilio(messages=[message(PHONE, "Another", NOW), there])
    assert await sent(served, twilio, AGAIN) == [None]
    assert len(twilio.messages) == 2


@pytest.mark.parametrize(
    "there",
    [
        message(PHONE, WORDS, NOW - timedelta(days=2), "delivered"),
        message(PHONE, WORDS, NOW, "failed"),
        message(PHONE, WORDS, NOW, "undelivered"),
        message(PHONE, WORDS, NOW, "received", "inbound"),
        message(PHONE, WORDS.replace("0123", "0124"), NOW),
        message(PHONE, f"Correction. {WORDS}", NOW),
        message("+34600112244", WORDS, NOW),
    ],
)
async def test_r38_what_is_older_failed_or_says_something_else_is_not_this_text(served, there):
    twilio = Twilio(messages=[there])
    assert await sent(served, twilio, AGAIN) == [None]
    assert len(twilio.messages) == 2


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Response("", 500), SendLater),
        (complaint(400, 21211), SendLater),
        (complaint(429, 20429), SendLater),
        (complaint(401, 20003), ChannelNotSetUp),
    ],
)
async def test_r38_while_it_cannot_be_looked_for_it_is_not_sent_again(served, said, kind):
    twilio = Twilio(says=[said])
    assert type(await failure(served, twilio, AGAIN)) is kind
    assert twilio.sent == []


async def test_a_list_that_makes_no_sense_holds_nothing(served):
    twilio = Twilio(says=[JSONResponse({"messages": [1, {}, {"direction": "outbound", "body": None}]})])
    assert await sent(served, twilio, AGAIN) == [None]
    twilio = Twilio(says=[JSONResponse({"messages": "none"})])
    assert await sent(served, twilio, AGAIN) == [None]


# --------------------------------------------------------------------------------------------------- numbers and texts


@pytest.mark.parametrize(
    ("phone", "country", "number"),
    [
        ("+34 600 11 22 33", None, PHONE),
        ("600 112 233", "ES", PHONE),
        ("600112233", " es ", PHONE),
        ("0034600112233", "ES", PHONE),
        ("(212) 555-0123", "US", "+12125550123"),
        ("+1 212 555 0123 ext. 9", None, "+12125550123"),
        ("tel:+34-600-11-22-33", "DE", PHONE),
        ("+39 06 1234 5678", None, "+390612345678"),
        ("+1 555 014 0123", None, "+15550140123"),
        ("600112233", None, None),
        ("555 0123", "US", None),
        ("0123", "ES", None),
        ("4002", "NU", None),
        ("x0123", "US", None),
        ("+34 600", None, None),
        ("+999 600112233", None, None),
        ("no phone", "ES", None),
        ("", "ES", None),
        (None, "ES", None),
    ],
)
def test_r7_numbers_are_written_as_the_networks_write_them(phone, country, number):
    assert e164(phone, country) == number


@given(phone=st.text(max_size=30), country=st.sampled_from(["ES", "US", "xx", "", None]))
def test_whatever_is_given_as_a_phone_it_is_a_number_or_none(phone, country):
    number = e164(phone, country)
    assert number is None or (number.startswith("+") and number[1:].isdigit() and len(number) <= 16)


@pytest.mark.parametrize(("phone", "country"), [("600 11 22 33", "ES"), (PHONE, None), ("0034 600112233", "FR")])
async def test_a_guests_number_without_plus_is_of_the_propertys_country(phone, country):
    sms = MemorySms()
    await deliver.send(SimpleNamespace(texting=sms), By.SMS, parcel(phone, country), NOW)
    assert [(each.to, each.unsure) for each in sms.sent] == [(PHONE, True)]


@pytest.mark.parametrize("phone", [None, "", "2233", "600112233"])
async def test_r37_a_guest_whose_number_is_not_known_in_full_gets_no_sms(phone):
    with pytest.raises(SendRefused, match="no whole phone number is known"):
        await deliver.send(SimpleNamespace(texting=MemorySms()), By.SMS, parcel(phone, None), NOW)


def parcel(phone: str | None, country: str | None) -> Parcel:
    stay = SimpleNamespace(contact=SimpleNamespace(phone=phone))
    return Parcel("k", Text("s", WORDS), stay, None, None, {}, unsure=True, country=country)


@pytest.mark.parametrize("to", ["0123", "600112233", "", "ana", "+34", "+15005550000000"])
async def test_what_is_no_number_is_refused_before_anything_is_sent(served, to):
    twilio = Twilio()
    assert type(await failure(served, twilio, Sms(to, WORDS, "k"))) is SendRefused
    assert twilio.asked == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),
        ("a" * 151 + "€" + "a" * 153, 2),
        ("á" * 70, 1),
        ("á" * 71, 2),
        ("á" * 134, 2),
        ("á" * 135, 3),
        ("🔑" * 35, 1),
        ("🔑" * 36, 2),
        ("á" * 66 + "🔑" + "á" * 66, 3),
        ("Grüße à Ñandú @ 5 % [x]", 2 - 1),
    ],
)
def test_a_texts_length_in_messages_is_known(text, count):
    assert segments(text) == count


def test_the_alphabet_of_seven_bits_has_its_127_letters_and_no_escape():
    assert len(GSM) == 127
    assert len(GSM_EXTENDED) == 10
    assert not GSM & GSM_EXTENDED


@given(st.text(st.sampled_from("ab€[äá🔑\n"), max_size=700))
def test_a_text_never_takes_fewer_messages_than_its_letters_fill(text):
    units = sum(len(letter.encode("utf-16-be")) // 2 for letter in text)
    assert -(-len(text) // 160) <= segments(text) <= -(-units // 66)


async def test_a_text_that_is_too_long_is_refused_and_never_cut(served):
    twilio = Twilio()
    longest, longer = "a" * 153 * MOST_SEGMENTS, "a" * (153 * MOST_SEGMENTS + 1)
    assert await sent(served, twilio, Sms(PHONE, longest, "k")) == [None]
    error = await failure(served, twilio, Sms(PHONE, longer, "k"))
    assert type(error) is SendRefused
    assert str(error) == "the text is as long as 11 text messages, and 10 is the most that is sent"
    assert twilio.sent == [(PHONE, longest)]


async def test_an_empty_text_is_refused(served):
    assert type(await failure(served, Twilio(), Sms(PHONE, " \n", "k"))) is SendRefused


# --------------------------------------------------------------------------------------------------------- any gateway


@dataclass
class Gateway:
    answers: list[Response] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        self.asked.append(
            Asked(
                request.method,
                request.url.path,
                dict(request.query_params),
                dict(request.headers),
                await request.body(),
            )
        )
        await (self.answers.pop(0) if self.answers else Response("", 202))(scope, receive, send)


BODY = SmsSettings().body


async def through(served, gateway: Gateway, text: Sms = FIRST, **changes) -> SendError | None:
    """What became of a text."""
    served.asgi = gateway
    known = {"url": f"{served.url}/send?account=7", "body": BODY, "sender": "Lockbridge", "timeout": 5.0}
    async with client() as http:
        try:
            await GatewaySms(http=lambda: http, now=lambda: NOW, **(known | changes)).send(text)
        except SendError as error:
            return error
    return None


async def test_a_gateway_gets_the_number_the_text_the_sender_and_the_key(served):
    gateway = Gateway()
    assert await through(served, gateway, secret=f"Bearer {TOKEN}") is None
    (asked,) = gateway.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/send", {"account": "7"})
    assert json.loads(asked.body) == {"to": PHONE, "text": WORDS, "sender": "Lockbridge", "key": "7f00"}
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["content-type"] == "application/json"


async def test_a_gateways_own_shape_header_and_method_are_served(served):
    gateway = Gateway()
    body = (
        '{"messages": [{"destinations": [{"to": "{to}"}], "content": "[{text}]", "unicode": true}], "auth": "{secret}"}'
    )
    assert await through(served, gateway, body=body, method="PUT", header="X-Api-Key", secret=TOKEN) is None
    (asked,) = gateway.asked
    message = {"destinations": [{"to": PHONE}], "content": f"[{WORDS}]", "unicode": True}
    assert (asked.method, asked.headers["x-api-key"]) == ("PUT", TOKEN)
    assert json.loads(asked.body) == {"messages": [message], "auth": TOKEN}


async def test_without_a_header_the_secret_is_in_the_body_only(served):
    gateway = Gateway()
    await through(served, gateway, header="", secret=TOKEN)
    assert TOKEN not in str(gateway.asked[0].headers)


async def test_a_text_cannot_change_the_shape_of_what_is_sent(served):
    gateway, words = Gateway(), 'He said "hi", {to} {key} {secret} \\ \n done'
    await through(served, gateway, Sms(PHONE, words, "k"), secret=TOKEN)
    assert json.loads(gateway.asked[0].body) == {"to": PHONE, "text": words, "sender": "Lockbridge", "key": "k"}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, type(None)),
        (204, type(None)),
        (400, SendRefused),
        (402, SendRefused),
        (422, SendRefused),
        (401, ChannelNotSetUp),
        (403, ChannelNotSetUp),
        (404, ChannelNotSetUp),
        (302, ChannelNotSetUp),
        (408, SendUnknown),
        (429, SendLater),
        (503, SendLater),
        (500, SendUnknown),
        (502, SendUnknown),
        (504, SendUnknown),
    ],
)
async def test_a_gateways_status_says_what_became_of_the_text(served, status, kind):
    gateway = Gateway([Response("", status)])
    assert type(await through(served, gateway)) is kind
    assert len(gateway.asked) == 1


async def test_a_gateways_retry_after_is_honoured(served):
    error = await through(served, Gateway([Response("", 503, headers={"retry-after": "30"})]))
    assert error.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ('{"to": "{to}"', "is not a JSON object"),
        ('{"to": "{to}", "text": "{txt}"}', r"has no value for \{txt\}: there are \{to\}, \{text\}"),
        ('{"to": "{to}"}', r"does not say where \{text\} goes"),
        ('{"text": "{text}"}', r"does not say where \{to\} goes"),
    ],
)
def test_a_body_that_cannot_be_filled_is_refused_in_the_settings(body, words):
    with pytest.raises(ValueError, match=words):
        body_template(body)
    with pytest.raises(ValidationError, match=words):
        SmsSettings(body=body)


# -------------------------------------------------------------------------------------------------- what stays hidden


async def test_no_secret_number_or_text_is_in_an_error_a_log_or_a_repr(served, caplog):
    caplog.set_level(logging.DEBUG)
    answers = [complaint(status, code) for status, code in ((400, 21211), (401, 20003), (429, 20429), (500, None))]
    errors = [await failure(served, Twilio(says=[each])) for each in answers]
    errors += [await through(served, Gateway([Response(f"{PHONE} {TOKEN}", 400)]), secret=TOKEN)]
    gateway = GatewaySms(http=client, now=lambda: NOW, url=f"https://x/?k={TOKEN}", body=BODY, secret=TOKEN)
    channels = f"{twilio_sms(served.url, None)} {gateway}"
    said = "".join(f"{error!r} {error.__cause__!r}" for error in errors) + channels + repr(FIRST)
    said += "".join(record.getMessage() for record in caplog.records if record.name.startswith("lockbridge"))
    basic = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert not [hidden for hidden in (PHONE, PHONE[1:], "0123", TOKEN, basic) if hidden in said]


def test_the_settings_show_no_secret():
    settings = Settings(sms={"gateway": "http", "url": "https://sms.example.com", "secret": TOKEN})
    assert TOKEN not in repr(settings)


# ---------------------------------------------------------------------------------------------- settings and the doctor


def chosen(**sms) -> Settings:
    return Settings(sms=sms)


def of_twilio(**changes) -> dict[str, str]:
    known = {"gateway": "twilio", "twilio_account": ACCOUNT, "secret": TOKEN, "sender": "+15005550006"}
    return known | changes


@pytest.mark.parametrize(
    ("sms", "words"),
    [
        ({"gateway": "twilio"}, "gateway twilio needs twilio_account, secret, sender"),
        (of_twilio(secret=""), "gateway twilio needs secret"),
        (of_twilio(twilio_account="AC1"), "twilio_account is AC and 32 digits"),
        ({"gateway": "http"}, "gateway http needs url"),
        ({"gateway": "http", "url": "sms.example.com"}, "is not an address; write it like https://"),
        ({"gateway": "http", "url": "https://me:pw@sms.example.com"}, "is not an address"),
        ({"gateway": "pigeon"}, "gateway"),
        ({"secret_header": "X Key:"}, "secret_header"),
    ],
)
def test_a_gateway_that_cannot_work_is_refused_when_the_settings_are_read(sms, words):
    with pytest.raises(ValidationError, match=words) as error:
        chosen(**sms)
    assert TOKEN not in str(error.value)


def test_the_settings_choose_the_channel():
    def made(**sms):
        return texting_of(chosen(**sms), client, SystemClock())

    assert made() is None
    assert isinstance(made(gateway="print"), ConsoleSms)
    assert isinstance(made(**of_twilio()), TwilioSms)
    assert made(**of_twilio()).base == "https://api.twilio.com"
    assert made(gateway="http", url="https://sms.example.com/v1?x=1").url == "https://sms.example.com/v1?x=1"


async def test_the_console_writes_what_a_person_reads():
    written = []
    await ConsoleSms(written.append).send(FIRST)
    assert written == [f"SMS to: {PHONE}\n\n{WORDS}\n"]


@pytest.mark.parametrize(
    ("twilio", "changes", "verdict", "words"),
    [
        (Twilio(), {}, "ok", "twilio: lets us in"),
        (Twilio(type="Trial"), {}, "ok", "twilio: lets us in, to a trial account: it writes to verified numbers only"),
        (Twilio(status="suspended"), {}, "wrong", "twilio: the Twilio account is not active"),
        (Twilio(), {"secret": "wrong"}, "wrong", "twilio: Twilio refused us (20003)"),
        (Twilio(says=[Response("", 503)]), {}, "wrong", "twilio: Twilio answered 503"),
        (
            Twilio(key=("SK" + "1b" * 16, TOKEN), reads_account=False),
            {"twilio_api_key": "SK" + "1b" * 16},
            "ok",
            "twilio: lets us in",
        ),
    ],
)
async def test_the_doctor_tries_the_credentials_and_sends_nothing(served, twilio, changes, verdict, words):
    served.asgi = twilio
    found = await looking._texts(chosen(**of_twilio(url=served.url, **changes)))
    assert (found.verdict, twilio.sent) == (verdict, [])
    assert found.words.startswith(words)
    assert [asked.method for asked in twilio.asked] == ["GET"]


@pytest.mark.parametrize("gateway", ["none", "print", "http"])
async def test_the_doctor_says_what_it_cannot_try(gateway):
    found = await looking._texts(chosen(gateway=gateway, url="https://sms.example.com"))
    assert found.verdict == "note"
