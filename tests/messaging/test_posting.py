"""Webhooks out, over real HTTP on loopback: what a receiver sees, and what each of its answers means."""

import asyncio
import ipaddress
import json
import logging
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from starlette.requests import Request
from starlette.responses import Response

from lockbridge.fetching import GuardedFetch
from lockbridge.inbound import Delivery, Unauthenticated
from lockbridge.messaging.channel import ChannelNotSetUp, Posting, SendError, SendLater, SendRefused, SendUnknown
from lockbridge.messaging.posting import MOST_BYTES, SignedPostings
from lockbridge.signatures import standard_secret, standard_webhooks
from tests.contract.serving import serving

NOW = datetime(2026, 6, 5, 12, tzinfo=UTC)
SECRET = standard_secret(bytes(range(32)))
OTHER = standard_secret(bytes(range(32, 64)))
TOKEN = "s3cret-of-the-address"
PAYLOAD = {
    "type": "guest.message",
    "timestamp": "2026-06-05T12:00:00Z",
    "data": {"guest": {"name": "Añá", "phone": "+34600112233"}, "text": "Your code: 0123"},
}
PRIVATE = [str(ipaddress.ip_address(number)) for number in (0x0A000008, 0xC0A80104)]
LOOPBACK = GuardedFetch(allow=(ipaddress.ip_network("127.0.0.0/8"),), most_seconds=5.0)


@pytest.fixture(scope="module")
def served():
    with serving() as server:
        yield server


@dataclass
class Receiver:
    """Somebody's system: keeps what it gets, and answers in turn, 204 at the end."""

    answers: list[Response] = field(default_factory=list)
    got: list[Delivery] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        self.paths.append(f"{request.method} {request.url.path}?{request.url.query}")
        self.got.append(Delivery(headers=dict(request.headers), body=await request.body(), received_at=NOW))
        await (self.answers.pop(0) if self.answers else Response(status_code=204))(scope, receive, send)


def posting(url: str, **changes) -> Posting:
    known = {"url": url, "secret": SECRET, "key": "msg_7f00", "payload": PAYLOAD, "date": NOW}
    return Posting(**(known | changes))


async def outcome(served, receiver, fetch: GuardedFetch = LOOPBACK, **changes) -> SendError | None:
    served.asgi = receiver
    try:
        await SignedPostings(fetch.post).send(posting(**({"url": f"{served.url}/hook?t={TOKEN}"} | changes)))
    except SendError as error:
        return error
    return None


def answering(status: int, **headers: str) -> Receiver:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Receiver([Response("no", status, headers=named)])


# ------------------------------------------------------------------------------------------------------------ delivered


async def test_a_receiver_can_verify_what_it_gets(served):
    receiver = Receiver()
    assert await outcome(served, receiver) is None
    (got,) = receiver.got
    standard_webhooks(got, SECRET, NOW)
    assert json.loads(got.body) == PAYLOAD
    assert got.headers["content-type"] == "application/json"
    assert (got.headers["webhook-id"], got.headers["webhook-timestamp"]) == ("msg_7f00", str(int(NOW.timestamp())))
    assert receiver.paths == [f"POST /hook?t={TOKEN}"]


async def test_another_secret_does_not_verify_it(served):
    receiver = Receiver()
    await outcome(served, receiver)
    with pytest.raises(Unauthenticated):
        standard_webhooks(receiver.got[0], OTHER, NOW)


async def test_while_a_secret_is_replaced_both_verify_it(served):
    receiver = Receiver()
    assert await outcome(served, receiver, secret=f"{OTHER} {SECRET}") is None
    standard_webhooks(receiver.got[0], OTHER, NOW)
    standard_webhooks(receiver.got[0], SECRET, NOW)


async def test_r38_a_later_attempt_is_the_same_message_signed_with_its_own_time(served):
    receiver = Receiver([Response(status_code=500)])
    assert isinstance(await outcome(served, receiver), SendLater)
    assert await outcome(served, receiver, date=NOW + timedelta(hours=1)) is None
    first, again = receiver.got
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert first.body == again.body
    standard_webhooks(again, SECRET, NOW + timedelta(hours=1))


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_2xx_is_success(served, status):
    assert await outcome(served, answering(status)) is None


# ------------------------------------------------------------------------------------------------ refused and put off


async def test_410_says_that_the_address_is_closed_for_good(served):
    error = await outcome(served, answering(410))
    assert type(error) is SendRefused
    assert str(error) == "the webhook's receiver has closed this address (410)"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 500, 501, 521])
async def test_every_other_answer_is_tried_again_when_the_outbox_thinks_right(served, status):
    error = await outcome(served, answering(status, retry_after="900"))
    assert type(error) is SendLater
    assert str(error) == f"the webhook's receiver answered {status}"
    assert error.retry_after is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_never_followed(served, status):
    receiver = answering(status, location="/elsewhere")
    assert type(await outcome(served, receiver)) is SendLater
    assert len(receiver.paths) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ({"retry_after": "30"}, timedelta(seconds=30)),
        ({"retry_after": format_datetime(NOW + timedelta(minutes=2), usegmt=True)}, timedelta(minutes=2)),
        ({"retry_after": "9999999"}, timedelta(days=1)),
        ({}, None),
    ],
)
async def test_a_receiver_with_too_much_to_do_is_left_alone_as_long_as_it_asks(served, status, header, pause):
    error = await outcome(served, answering(status, **header))
    assert type(error) is SendLater
    assert error.retry_after == pause


async def test_a_receiver_out_of_reach_is_tried_later(served):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    error = await outcome(served, Receiver(), url=f"http://127.0.0.1:{port}/")
    assert type(error) is SendLater
    assert str(error).startswith("the webhook's address cannot be reached: there was no connection")


async def silent(_scope, receive, _send):
    while (await receive())["type"] != "http.disconnect":
        pass


async def test_without_an_answer_it_may_have_been_delivered(served):
    hasty = GuardedFetch(allow=LOOPBACK.allow, most_seconds=0.2)
    error = await outcome(served, silent, hasty)
    assert type(error) is SendUnknown
    assert str(error) == "the webhook may have been delivered: there was no answer within 0.2 seconds"


async def test_a_connection_that_breaks_after_sending_leaves_the_outcome_open(served):
    async def hang_up(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        error = await outcome(served, Receiver(), url=f"http://127.0.0.1:{port}/")
    assert type(error) is SendUnknown
    assert str(error).startswith("the webhook may have been delivered: the answer was lost")


def test_only_twenty_seconds_are_given():
    assert GuardedFetch().most_seconds == 20.0


# ---------------------------------------------------------------------------------------------------- where it may go


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        f"https://{PRIVATE[0]}/hook",
        f"https://{PRIVATE[1]}:8443/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/hook",
        "https://[::ffff:127.0.0.1]/hook",
    ],
)
async def test_a_private_address_is_never_asked(served, url):
    error = await outcome(served, Receiver(), GuardedFetch(), url=url)
    assert type(error) is SendLater
    assert "does not lead to a public computer" in str(error)


async def test_a_name_with_one_private_address_is_never_asked(served):
    async def two(_host, _port):
        return ["93.184.216.34", PRIVATE[0]]

    error = await outcome(served, Receiver(), GuardedFetch(look_up=two), url="https://hook.example.com/")
    assert "does not lead to a public computer" in str(error)


async def test_loopback_is_asked_only_where_it_is_allowed(served):
    receiver = Receiver()
    assert type(await outcome(served, receiver, GuardedFetch())) is ChannelNotSetUp
    assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    ["", "hook", "ftp://example.com/", "http://example.com/", "https://u:p@example.com/", "https://example.com:22/"],
)
async def test_what_is_no_address_for_webhooks_is_for_the_host_to_correct(served, url):
    error = await outcome(served, Receiver(), GuardedFetch(), url=url)
    assert type(error) is ChannelNotSetUp
    assert str(error).startswith("the webhook's address must begin with https://")


# ------------------------------------------------------------------------------------------------- what cannot be sent


async def test_a_payload_is_smaller_than_twenty_kilobytes(served):
    receiver, frame = Receiver(), len(b'{"text":""}')
    assert await outcome(served, receiver, payload={"text": "a" * (MOST_BYTES - 1 - frame)}) is None
    error = await outcome(served, receiver, payload={"text": "a" * (MOST_BYTES - frame)})
    assert type(error) is SendRefused
    assert str(error) == "the webhook's payload has 20,000 bytes; it must have fewer than 20,000"
    assert len(receiver.got) == 1


@pytest.mark.parametrize("value", [object(), "\ud800", {1: 2}])
async def test_what_is_no_json_is_refused(served, value):
    assert type(await outcome(served, Receiver(), payload={"value": value})) is SendRefused


@pytest.mark.parametrize("secret", ["", "short", "whsec_c2hvcnQ="])
async def test_a_secret_that_is_none_is_for_the_host_to_correct(served, secret):
    receiver = Receiver()
    assert type(await outcome(served, receiver, secret=secret)) is ChannelNotSetUp
    assert receiver.got == []


async def test_no_address_secret_or_text_is_in_an_error_a_log_or_a_repr(served, caplog):
    caplog.set_level(logging.DEBUG)
    receivers = [answering(410), answering(400), answering(503), silent]
    hasty = GuardedFetch(allow=LOOPBACK.allow, most_seconds=0.2)
    errors = [await outcome(served, each, hasty) for each in receivers]
    errors += [await outcome(served, Receiver(), GuardedFetch()), await outcome(served, Receiver(), secret="x" + TOKEN)]
    said = "".join(f"{error!r} {error.__cause__!r}" for error in errors) + repr(posting(served.url + TOKEN))
    said += "".join(record.getMessage() for record in caplog.records if record.name.startswith("lockbridge"))
    assert not [hidden for hidden in (TOKEN, SECRET, "0123", "+346", "127.0.0.1") if hidden in said]
    assert all(error.__suppress_context__ for error in errors if error.__context__)
