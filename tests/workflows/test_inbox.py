"""What platforms say: in any order, twice, at once, or badly."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockbridge import worker
from lockbridge.signatures import Unauthenticated
from lockbridge.storage import inbox
from lockbridge.workflows import receive
from tests.platforms.make_believe import Booking, Generic, Hospitable
from tests.workflows.engine import DAY, HOUR, MINUTE, NOW, OPENS, Engine, somebody

STATEMENTS = (
    {"changed_at": "2026-06-10T08:00:00Z"},
    {"changed_at": "2026-06-10T08:10:00Z", "departure": "2026-06-18"},
    {"changed_at": "2026-06-10T08:20:00Z", "departure": "2026-06-17", "phone": None, "check_out": "10:00"},
    {"changed_at": "2026-06-10T08:30:00Z", "status": "cancelled", "happening": "cancelled"},
    {"changed_at": "2026-06-10T08:40:00Z", "arrival": "2026-06-13", "departure": "2026-06-17", "email": None},
)
"""The life of one reservation, in the platform's own order."""


def state(engine, ref):
    """What is known of a reservation, as far as it matters."""
    stay = engine.stay(ref)
    contact = (bool(stay.contact.phone), bool(stay.contact.email))
    times = (stay.arrival, stay.departure, stay.check_in, stay.check_out)
    return stay.status, times, contact, stay.property


@pytest.mark.parametrize("vendor", [Generic(), Hospitable()], ids=["generic", "hospitable"])
def test_r20_statements_in_any_order_and_repeated_end_in_the_same_state(vendor, database_url, open_database):
    database = open_database(database_url, read_threads=0)
    loop = asyncio.new_event_loop()
    engine = loop.run_until_complete(Engine.start(database, at=OPENS - DAY, settings={"pin_mode": "random"}))
    numbers = iter(range(1, 10_000))

    async def tell(order, *, works_between):
        number = next(numbers)
        ref = f"R{number}"
        for position, index in enumerate(order):
            facts = {"id": ref, "code": ref, "last_name": f"Number {number}", "event_id": f"{ref}-{position}"}
            if vendor.platform.key == "generic":
                said = STATEMENTS[index]
                guest = somebody(f"Guest {number}", said.get("phone", f"+1555012{number:04}"))
                facts["extra"] = {"guest": guest | {"email": said.get("email", f"{ref}@x.example")}}
            await engine.say(Booking(**{**facts, **STATEMENTS[index]}), vendor=vendor)
            if works_between:
                await engine.tick()
        await engine.work()
        return state(engine, ref), engine.statuses(ref)

    expected = loop.run_until_complete(tell(range(len(STATEMENTS)), works_between=False))

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        order=st.permutations(range(len(STATEMENTS))),
        again=st.lists(st.sampled_from(range(len(STATEMENTS))), max_size=3),
        works_between=st.booleans(),
    )
    def holds(order, again, works_between):
        assert loop.run_until_complete(tell([*order, *again], works_between=works_between)) == expected

    try:
        holds()
    finally:
        loop.run_until_complete(engine.close())
        loop.close()


async def test_r20_the_same_delivery_twice_is_stored_once(start):
    engine = await start()
    for _ in range(3):
        await engine.say(Booking(event_id="evt-7", changed_at="2026-06-10T08:00:00Z"))
    assert len(engine.ask(inbox.of_host, engine.services.vault, engine.host)) == 1
    await engine.work()
    assert engine.whys().count("says confirmed") == 1


async def test_r20_an_old_statement_that_comes_late_undoes_nothing(start):
    engine = await start(at=OPENS - DAY)
    await engine.book(happening="cancelled", status="cancelled", changed_at="2026-06-12T09:00:00Z")
    await engine.book(changed_at="2026-06-12T08:00:00Z")
    assert engine.stay().status == "cancelled"
    assert engine.held() == []


async def test_r20_deliveries_read_by_several_processes_at_once_end_in_one_stay_with_one_code(postgres_url, crowd):
    engine, others = await crowd(postgres_url, 3, at=OPENS - DAY, settings={"pin_mode": "random"})
    for number in range(6):
        guest = somebody(f"Guest {number}", f"+1555012{number:04}")
        for facts in STATEMENTS:
            await engine.say(Booking(**{"id": f"R{number}", "code": f"R{number}", "extra": {"guest": guest}, **facts}))
    for _ in range(8):
        await asyncio.gather(*(_reads_and_books(services, engine.now) for services in others))
    await engine.passes(MINUTE)
    for number in range(6):
        stay = engine.stay(f"R{number}")
        assert (stay.status, str(stay.arrival), str(stay.departure)) == ("confirmed", "2026-06-13", "2026-06-17")
    assert len(engine.held()) == 6


async def _reads_and_books(services, now):
    await receive.read_deliveries(services, now, limit=3)
    await worker.book.book_due(services, now, limit=2)


async def test_r44_two_stays_of_a_chain_booked_by_two_processes_at_once_share_one_code(postgres_url, crowd):
    engine, others = await crowd(postgres_url, 2, at=OPENS - DAY)
    for number in range(8):
        guest = {"guest": somebody(f"Guest {number}", f"+1555012{number:04}")}
        first, second = f"A{number}", f"B{number}"
        await engine.say(Booking(id=first, code=first, extra=guest))
        await engine.say(Booking(id=second, code=second, arrival="2026-06-16", departure="2026-06-18", extra=guest))
    await receive.read_deliveries(engine.services, engine.now)
    while sum(await asyncio.gather(*(worker.book.book_due(one, engine.now, limit=1) for one in others))):
        pass
    await engine.passes(MINUTE)
    for number in range(8):
        assert engine.code(f"A{number}") == engine.code(f"B{number}")
    assert len(engine.held()) == 8


async def test_a_wrong_signature_is_refused_and_the_host_is_told_once_a_day(start):
    engine = await start()
    vendor = Generic()
    endpoint = engine.endpoint("generic")
    forged = Generic()
    forged.secret = vendor.other_secret
    with pytest.raises(Unauthenticated):
        await engine.say(Booking(), vendor=forged)
    for _ in range(2):
        await receive.refused(engine.services, endpoint, vendor.platform.hook, "the signature is wrong", engine.now)
    await engine.work()
    assert len(engine.told_host("bad_signature")) == 1
    assert engine.ask(inbox.of_host, engine.services.vault, engine.host) == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"type": "reservation.created"}',
        b'{"type": "reservation.created", "data": {"id": {}}}',
        Generic().body(Booking(id="R1", arrival="2026-06-16", departure="2026-06-14")),
        Generic().body(Booking(id="R1", arrival="yesterday")),
        Generic().body(Booking(id="R1", extra={"property": 7.5})),
        b"\xff\xfe",
    ],
)
async def test_a_delivery_that_cannot_be_read_is_set_aside_with_the_reason_and_stops_no_other(start, body):
    engine = await start(at=OPENS - DAY)
    await engine.deliver(body)
    await engine.book()
    assert engine.opens("front", at=OPENS)
    await engine.passes(3 * HOUR)
    (dead,) = engine.ask(inbox.of_host, engine.services.vault, engine.host, state="dead")
    assert dead.attempts == engine.services.policy.inbox_attempts
    assert dead.error
    (told,) = engine.told_host("delivery_dead")
    assert dead.error.split(" ")[0] in told.text


async def test_a_dead_delivery_is_read_again_when_it_is_replayed(start):
    engine = await start(at=OPENS - DAY)
    platform = Generic().platform
    broken = replace(platform, hook=replace(platform.hook, read=_mistaken))
    engine.services = replace(engine.services, platforms={"generic": broken})
    await engine.book()
    await engine.passes(3 * HOUR)
    (dead,) = engine.ask(inbox.of_host, engine.services.vault, engine.host, state="dead")
    assert "KeyError" in dead.error
    engine.services = replace(engine.services, platforms={"generic": Generic().platform})
    assert await receive.replay(engine.services, engine.host, engine.now) == 1
    await engine.work()
    assert engine.opens("front", at=OPENS)
    assert await receive.replay(engine.services, engine.host, engine.now, delivery=dead.id) == 1
    assert await receive.replay(engine.services, engine.host, engine.now, since=NOW) == 1
    await engine.work()
    assert len(engine.held()) == 1


def _mistaken(_delivery):
    return {}["a field that nobody sent"]


async def test_an_event_that_is_not_about_reservations_is_kept_and_ignored(start):
    engine = await start()
    await engine.deliver(json.dumps({"type": "review.created", "data": {}}).encode())
    await engine.work()
    (kept,) = engine.ask(inbox.of_host, engine.services.vault, engine.host)
    assert kept.state == "ignored"


async def test_a_booking_of_a_property_that_is_not_known_is_kept_and_adopted_when_it_is_added(start):
    engine = await start(at=OPENS - DAY)
    await engine.book(home="prop-99")
    assert "the property is not known here" in engine.whys()
    assert engine.stay().trouble == "its property is not known here"
    place = await engine.add_property("Tree House", "prop-99")
    await engine.match("front", place)
    await engine.work()
    assert engine.opens("front", at=OPENS)
    assert engine.stay().trouble is None


async def test_a_burst_of_news_about_one_reservation_is_planned_once(start):
    engine = await start(at=OPENS - DAY)
    for minute in range(20):
        await engine.say(Booking(changed_at=f"2026-06-12T08:{minute:02}:00Z", departure=f"2026-06-{16 + minute % 3}"))
    await engine.work()
    assert [entry.kind for entry in engine.view().history].count("planned") == 1
    sets = [verb for verb, _ in engine.tap.calls if verb == "set"]
    assert len(sets) == 2 + 1


async def test_a_hospitable_booking_becomes_a_code_too(start):
    engine = await start(at=OPENS - DAY)
    await engine.say(Booking(), vendor=Hospitable())
    await engine.work()
    assert engine.opens("front", at=OPENS + 2 * HOUR)
