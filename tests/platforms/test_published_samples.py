"""Vendors' own samples, where they lie beside the checkout; each test proves nothing, and passes, where they do not.

``pytest -s -k became tests/platforms/test_published_samples.py`` prints what became of each.
"""

import importlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from lockbridge import signatures
from lockbridge.bootstrap import Instead, build
from lockbridge.clock import VirtualClock
from lockbridge.config import Settings
from lockbridge.contract import ProviderError
from lockbridge.domain.ids import HostId
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Delivery, Ignored, Unreadable
from lockbridge.messaging.console import MemoryChannel
from lockbridge.platforms import PLATFORMS
from lockbridge.platforms.contract import Fetched, Link, Notice, PropertyMerged, Reread, ReservationEvent
from lockbridge.platforms.reading import Fields
from lockbridge.services import Services
from lockbridge.storage import inbox
from lockbridge.storage.database import Database
from lockbridge.storage.vault import KeyRing, Vault
from lockbridge.web.app import build_web
from lockbridge.workflows import connect, receive
from tests.platforms.examined import CountedTokens, FreePace, in_no_time
from tests.platforms.registry import VENDORS
from tests.platforms.vendor import NOW
from tests.web.conftest import served as web_served

SAMPLES = Path(__file__).parents[3] / "shared" / "payloads"
STAND_IN = {"channex": "generic"}
"""Platforms that are not read here: their webhooks come to whoever reads any JSON, and are kept."""
EXPECTED = {
    "channex/*": r"200, kept unread: makes no sense: type is missing",
    "hospitable/webhook.reservation.*": r"200, done: stay .* pending",
    "hospitable/webhook.property.merged.*": r"200, done: property .* is called",
    "hospitable/webhook.property.deleted.*": r"200, ignored: notice property.deleted",
    "hospitable/webhook.integration.*": r"200, ignored: notice integration.disconnected",
    "hospitable/webhook.*": r"200, ignored: nothing to do with doors",
    "hospitable/api.error_401.json": r"(Account|Token)Refused",
    "hospitable/api.error_429.json": r"RateLimited",
    "hospitable/api.*": r"stay res-example\S* (confirmed|cancelled)",
    "hostaway/webhook.*": r"200, (kept unread|done): reread of 1\b",
    "hostaway/api.reservation.*": r"stay 13 confirmed 2017-07-15–2017-07-16",
    "hostaway/api.*": r"makes no sense|nothing",
    "ownerrez/webhook.booking.*": r"200, (kept unread|done): reread of 9001",
    "ownerrez/webhook.webhook_test.*": r"200, ignored: ",
    "ownerrez/webhook.application_*": r"200, ignored: notice",
    "ownerrez/api.*": r"stay 273491 confirmed 2022-04-28–2022-05-04",
    "smoobu/*": r"200, (kept unread|done): reread of (102483793|292)",
    "ical/empty.ics": r"0 stays|makes no sense",
    "ical/malformed.html": r"makes no sense",
    "ical/*": r"[1-9]\d* stays",
    "signatures/*": r"the known answers",
}
"""What must become of a sample, by the first pattern of its name."""


@dataclass(frozen=True)
class Row:
    """One sample, how it was given to lockbridge, and what became of it."""

    sample: str
    way: str
    outcome: str


@dataclass
class Site:
    """A running web and the host whose addresses the samples are sent to."""

    services: Services
    client: httpx.AsyncClient
    host: HostId


@pytest.fixture
async def site(sqlite_url: str, open_database: Callable[..., Database]) -> AsyncIterator[Site]:
    clock, vault = VirtualClock(NOW), Vault(KeyRing.fresh())
    parts = Instead(database=open_database(sqlite_url), vault=vault, clock=clock, channel=MemoryChannel())
    async with AsyncExitStack() as stack:
        services = build(Settings(), parts)
        stack.push_async_callback(services.close)
        host = await connect.add_host(services, "Ana", "ana@example.com", NOW)
        port = await stack.enter_async_context(web_served(build_web(services, max_body=1_000_000)))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}"))
        yield Site(services, client, host)


def samples(pattern: str = "*/*") -> list[Path]:
    return sorted(SAMPLES.glob(pattern))


def body_of(sample: Path) -> bytes:
    return sample.read_bytes()


def named(sample: Path) -> str:
    return f"{sample.parent.name}/{sample.name}"


async def post(site: Site, sample: Path) -> httpx.Response:
    """Sends a sample to an address of its own: those of one vendor's documents all have the same id."""
    vendor = VENDORS[STAND_IN.get(sample.parent.name, sample.parent.name)]
    address = await connect.add_address(site.services, site.host, vendor.platform.key, vendor.secret, NOW)
    delivery = vendor.delivery(body_of(sample))
    path = f"/webhooks/{vendor.platform.key}/{address.token}"
    return await site.client.post(path, content=delivery.body, headers=dict(delivery.headers))


def told(event: object) -> str:
    """An event in a few words, without anybody's name."""
    match event:
        case ReservationEvent():
            return f"stay {event.external_id} {event.status} {event.arrival}–{event.departure}"
        case Reread(ref):
            return f"reread of {ref}"
        case PropertyMerged(previous, ref):
            return f"property {previous} is called {ref}"
        case Notice(kind):
            return f"notice {kind}"
        case Ignored(reason):
            return reason
    raise AssertionError(event)


def said_by(read: Callable[[], Sequence[object]]) -> str:
    """What a reader makes of something."""
    try:
        return "; ".join(told(event) for event in read()) or "nothing"
    except Unreadable as error:
        return f"makes no sense: {error}"


async def by_webhook(site: Site, sample: Path) -> Row:
    """Through the real HTTP endpoint, and the worker's reading of it."""
    answer = await post(site, sample)
    await receive.read_deliveries(site.services, NOW)
    (stored,) = await site.services.database.ask(inbox.of_host, site.services.vault, site.host, limit=1)
    assert stored.body == body_of(sample), "it is kept as it came"
    hook = PLATFORMS[stored.platform].hook
    assert hook is not None
    says = said_by(lambda: hook.read(Delivery(stored.headers, stored.body, NOW)))
    outcome = says if stored.error is None or stored.error in says else f"{says}: {stored.error}"
    state = {"waiting": "kept unread", "dead": "kept unread"}.get(stored.state, stored.state)
    return Row(named(sample), f"POST /webhooks/{stored.platform}/…", f"{answer.status_code}, {state}: {outcome}")


def by_reader(sample: Path) -> Row:
    """The reservations in an answer of the API, read as the client reads them; other objects as webhooks would be."""
    key, body = sample.parent.name, plain_json(sample)
    stays = importlib.import_module(f"lockbridge.platforms.{key}")._stays
    found = reservations_in(orjson.loads(body))
    if found:
        return Row(
            named(sample), "reader of the API", said_by(lambda: [e for each in found for e in stays(Fields(each))])
        )
    hook = PLATFORMS[key].hook
    assert hook is not None
    return Row(named(sample), "reader of webhooks", said_by(lambda: hook.read(Delivery({}, body, NOW))))


def plain_json(sample: Path) -> bytes:
    """Its JSON, without the remarks that vendors' documents have in theirs."""
    text = sample.read_text(encoding="utf-8")
    return re.sub(r"(?m)(^|[\s,])//.*$", r"\1", text).encode() if sample.suffix == ".jsonc" else text.encode()


def reservations_in(answer: Any) -> list[dict[str, Any]]:
    """Where reservations stand in an answer: a list in ``data``, beside a guest, or on its own."""
    if isinstance(answer.get("data"), list):
        return answer["data"]
    if "booking" in answer:
        return [{**answer["booking"], "guest": answer.get("guest")}]
    return [answer] if {"arrivalDate", "arrival"} & answer.keys() else []


async def by_client(sample: Path) -> Row:
    """An error of the API, as the client meets it."""
    status = int(re.findall(r"error_(\d+)", sample.name)[0])
    answer = httpx.MockTransport(lambda _: httpx.Response(status, content=sample.read_bytes()))
    platform, settings = PLATFORMS[sample.parent.name], VENDORS[sample.parent.name].settings
    async with httpx.AsyncClient(transport=answer) as http:
        assert platform.connect is not None
        clock = VirtualClock(NOW)
        link = Link("samples", settings, http, clock.now, CountedTokens(clock), FreePace(), fetched(b""))
        with pytest.raises(ProviderError) as caught:
            await in_no_time(platform.connect(link)).properties()
    return Row(named(sample), f"client, answered {status}", f"{type(caught.value).__name__}: {caught.value}")


def fetched(body: bytes) -> Any:
    async def fetch(url: str, headers: dict[str, str]) -> Fetched:
        return Fetched(200, {}, body)

    return fetch


async def by_feed(sample: Path) -> Row:
    """A calendar, fetched and read."""
    clock, feed = VirtualClock(NOW), PLATFORMS["ical"].feed
    assert feed is not None
    settings = {"url": "https://calendar.example/secret.ics", "zone": "Europe/Berlin"}
    link = Link("samples", settings, None, clock.now, CountedTokens(clock), FreePace(), fetched(body_of(sample)))
    try:
        read = await feed(link).read({}, date(2020, 1, 1))
    except (Unreadable, ProviderError) as error:
        return Row(named(sample), "calendar feed", f"makes no sense: {error}")
    assert read is not None
    statuses = sorted(f"{event.status}" for event in read.events)
    outcome = f"{len(read.events)} stays ({', '.join(statuses)}) of {read.publisher or 'anybody'}"
    return Row(named(sample), "calendar feed", f"{outcome}; left out: {'; '.join(read.remarks) or 'nothing'}")


async def what_became_of(site: Site, sample: Path) -> Row:
    """Gives a sample to lockbridge the way it would come."""
    if sample.name.startswith("webhook."):
        return await by_webhook(site, sample)
    if sample.parent.name == "ical":
        return await by_feed(sample)
    if sample.parent.name == "signatures":
        return Row(named(sample), "signatures", "the known answers, see below")
    return await by_client(sample) if "error_" in sample.name else by_reader(sample)


def expected(sample: str) -> str:
    """A sample nobody has thought of may be anything that is no error of ours."""
    return next((outcome for pattern, outcome in EXPECTED.items() if fnmatch(sample, pattern)), "")


async def test_what_became_of_each_published_sample(site: Site):
    rows = [await what_became_of(site, sample) for sample in samples()]
    widths = [max((len(getattr(row, name)) for row in rows), default=0) for name in ("sample", "way")]
    for row in rows:
        print(f"{row.sample:{widths[0]}}  {row.way:{widths[1]}}  {row.outcome}")  # noqa: T201 - the table is the point
    for row in rows:
        assert re.search(expected(row.sample), row.outcome), row


async def test_every_published_webhook_is_answered_200_and_kept_as_it_came(site: Site):
    answers = [await post(site, sample) for sample in samples("*/webhook.*")]
    assert {answer.status_code for answer in answers} <= {200}
    stored = await site.services.database.ask(inbox.of_host, site.services.vault, site.host, limit=1000)
    assert sorted(each.body for each in stored) == sorted(each.read_bytes() for each in samples("*/webhook.*"))
    await receive.read_deliveries(site.services, NOW)
    after = await site.services.database.ask(inbox.of_host, site.services.vault, site.host, limit=1000)
    assert len(after) == len(stored)
    assert all(each.error for each in after if each.state in {"waiting", "dead"})


def read(body: bytes) -> ReservationEvent:
    hook = PLATFORMS["hospitable"].hook
    assert hook is not None
    (event,) = hook.read(Delivery({}, body, NOW))
    assert isinstance(event, ReservationEvent)
    return event


def test_the_reservation_in_hospitables_documentation_says_what_it_says():
    for sample in samples("hospitable/webhook.reservation.docs-example.json"):
        event = read(sample.read_bytes())
        assert (event.reservation_code, event.status, event.phone) == ("ABC123", StayStatus.PENDING, None)
        assert (event.arrival, event.departure) == (date(2019, 1, 3), date(2019, 1, 5))
        assert event.check_in_instant == datetime(2019, 1, 3, 18, 0, tzinfo=UTC)


def test_hospitables_api_and_webhooks_tell_the_same_of_a_reservation():
    stays = importlib.import_module("lockbridge.platforms.hospitable")._stays
    for sample in samples("hospitable/api.reservation*.json"):
        for reservation in orjson.loads(sample.read_bytes())["data"]:
            envelope = {"id": "e", "action": "reservation.changed", "data": reservation, "version": "v2"}
            event = read(orjson.dumps(envelope))
            assert [replace(event, changed_at=None)] == stays(Fields(reservation))
            assert (event.check_in is None) == (reservation["check_in"] is None), sample.name
            assert (event.status is StayStatus.CANCELLED) == ("cancelled" in event.external_id), sample.name


def test_the_known_answers_are_ours():
    for sample in samples("signatures/known-answers.json"):
        answers = orjson.loads(sample.read_bytes())
        plain, standard = answers["hospitable"], answers["standard-webhooks/svix"]
        assert signatures.hmac_hex_digest(plain["secret"], plain["body"].encode()) == plain["signature_hex"]
        for secret in (standard["secret"], standard["secret_prefixed"]):
            sent = datetime.fromtimestamp(standard["timestamp"], UTC)
            signed = signatures.sign_standard_webhook(secret, standard["msg_id"], sent, standard["payload"].encode())
            assert signed["webhook-signature"] == standard["signature"]
