"""What could lock a guest out, or let somebody in, when platforms forget, rename, repeat themselves or disagree."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from sqlalchemy import select

from lockbridge.contract import RateLimited, Rejected, Unreachable
from lockbridge.domain.stay import StayStatus
from lockbridge.storage import sources, stays
from lockbridge.storage.tables import DELIVERY
from lockbridge.workflows import receive, reservations
from lockbridge.workflows import sources as connecting
from lockbridge.workflows.reservations import Said
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, NOW, OPENS
from tests.workflows.pms import BOOKING_COM, KEY, TOKEN, airbnb, booking, booking_com, calendar, event
from tests.workflows.test_sources import ARRIVAL, DEPARTURE, FEED, connected, feed, feeding, hear, later

LATER = airbnb("HMTEST0002", date(2026, 7, 1), date(2026, 7, 3))


def every_stay(engine):
    return engine.ask(stays.of_host, engine.services.vault, engine.host)


# The platform forgets


async def test_a_reservation_that_comes_back_unchanged_is_a_stay_again(start):
    engine = await connected(start, booking(changed_at=NOW - HOUR))
    kept = dict(engine.world.pms.books)
    engine.world.pms.books.clear()
    await hear(engine, "A1", 1)
    await engine.passes(HOUR)
    assert engine.stay("HMA1").status is StayStatus.CANCELLED
    engine.world.pms.books.update(kept)
    await hear(engine, "A1", 2)
    await engine.passes(MINUTE)
    assert engine.stay("HMA1").status is StayStatus.CONFIRMED


async def test_a_guest_is_not_locked_out_on_the_last_morning(start):
    engine = await connected(start, booking())
    await later(engine, CLOSES - 3 * HOUR)
    engine.world.pms.books.clear()
    await hear(engine, "A1")
    await engine.passes(HOUR)
    assert engine.opens("front", ref="HMA1")


async def test_an_empty_answer_locks_nobody_out(start):
    engine = await connected(start, booking())
    await later(engine, OPENS + HOUR)
    engine.world.pms.books["A1"] = []
    await hear(engine, "A1")
    await engine.passes(HOUR)
    assert engine.opens("front", ref="HMA1")


async def test_r19_a_room_by_another_name_is_the_same_stay_with_the_same_pin(start):
    engine = await connected(start, booking("A1:101", reservation_ref="A1", reservation_code="HMA1"))
    await later(engine, OPENS + HOUR)
    pin = engine.pin("HMA1")
    engine.world.pms.books["A1"] = [booking("A1:102", reservation_ref="A1", reservation_code="HMA1")]
    await hear(engine, "A1")
    await engine.passes(HOUR)
    assert len(every_stay(engine)) == 1
    assert engine.opens("front", pin)


async def test_a_booking_that_its_webhook_outruns_is_asked_for_again(start):
    engine = await connected(start, booking())
    await hear(engine, "NEW")
    await engine.passes(timedelta(seconds=30))
    new = booking("NEW", reservation_code="HMNEW", arrival=date(2026, 6, 20), departure=date(2026, 6, 22))
    engine.world.pms.put(new)
    await engine.passes(HOUR)
    assert engine.stay("HMNEW").status is StayStatus.CONFIRMED


# The platform repeats itself


@pytest.mark.parametrize("hour", [12, 15, 18])
async def test_r20_of_two_answers_with_one_time_of_change_the_later_one_holds(start, hour):
    engine = await connected(start, booking(changed_at=NOW - HOUR))
    engine.world.pms.change("A1", check_in=time(hour))
    await hear(engine, "A1")
    await engine.passes(MINUTE)
    assert engine.stay("HMA1").check_in == f"{hour}:00"


async def test_r20_an_old_webhook_without_a_time_of_change_gives_way_to_the_api(start):
    engine = await connected(start, booking(changed_at=NOW - HOUR, departure=date(2026, 6, 18)))
    old, said = booking(), Said(engine.host, engine.now, "Acme", engine.source.id, hint=True)
    await engine.write(lambda c: reservations.apply(c, engine.services, said, old, engine.now) and None)
    assert engine.stay("HMA1").departure == date(2026, 6, 18)


async def test_a_platform_that_says_the_same_again_leaves_nothing_in_the_history(start):
    engine = await connected(start, booking())
    before = len(engine.view("HMA1").history)
    for _ in range(3):
        await connecting.read_soon(engine.services, engine.source, engine.now, whole=True)
        await engine.passes(HOUR)
    assert len(engine.view("HMA1").history) == before
    assert engine.told_host("webhooks_silent") == []


# Who is meant


async def test_connecting_an_api_takes_no_code_off_a_door(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    await later(engine, OPENS + HOUR)
    engine.world.pms.put(booking(reservation_code="HMTEST0001", property_ref="not told yet"))
    await connecting.connect_account(engine.services, engine.host, KEY, "Acme", {"token": TOKEN}, engine.now)
    await engine.passes(MINUTE)
    assert engine.stay("HMTEST0001").platform == KEY
    assert engine.opens("front", ref="HMTEST0001")


async def test_another_guests_booking_with_the_same_number_is_another_stay(start):
    engine = await start({"front": "standard"})
    await engine.book(code="1001")
    other = {"property_ref": "elsewhere", "arrival": date(2026, 8, 1), "departure": date(2026, 8, 3)}
    engine.world.pms.put(booking("77", reservation_code="1001", **other))
    await connecting.connect_account(engine.services, engine.host, KEY, "Acme", {"token": TOKEN}, engine.now)
    await engine.passes(MINUTE)
    assert len(every_stay(engine)) == 2


async def test_the_host_is_told_once_of_a_property_that_is_not_known_here(start):
    engine = await start({"front": "standard"})
    for number in ("A1", "B2"):
        engine.world.pms.put(booking(number, property_ref="elsewhere", reservation_code=f"HM{number}"))
    await connecting.connect_account(engine.services, engine.host, KEY, "Acme", {"token": TOKEN}, engine.now)
    await engine.passes(MINUTE)
    assert len(engine.told_host("property_unknown")) == 1
    await engine.write(lambda c: reservations.name_property(c, engine.host, engine.place, KEY, "elsewhere", engine.now))
    await engine.work()
    assert engine.stay("HMA1").property == engine.place


async def test_the_hosts_word_on_one_guest_is_not_the_next_ones(start):
    engine = await start({"front": "standard"})
    others = booking_com(date(2026, 7, 1), date(2026, 7, 3), "c" * 32)
    mine = booking_com(ARRIVAL, date(2026, 6, 18), "a" * 32)
    await feed(engine, calendar(mine, others, head=BOOKING_COM))
    (row,) = [stay for stay in every_stay(engine) if stay.departure == date(2026, 6, 18)]
    await reservations.decide(engine.services, engine.host, row.id, StayStatus.CONFIRMED, engine.now)
    theirs = booking_com(date(2026, 6, 16), date(2026, 6, 18), "b" * 32)
    engine.world.calendars.pages[FEED] = calendar(theirs, others, head=BOOKING_COM)
    await engine.passes(15 * MINUTE)
    (row,) = [stay for stay in every_stay(engine) if stay.departure == date(2026, 6, 18)]
    assert row.status is StayStatus.PENDING


async def test_r45_an_erased_guest_stays_erased_and_the_stay_goes_on_being_told(start):
    engine = await connected(start, booking())
    row = engine.stay("HMA1")
    await engine.write(lambda c: stays.erase_guest(c, engine.host, row.id, engine.now))
    engine.world.pms.change("A1", departure=date(2026, 6, 18), changed_at=engine.now + MINUTE)
    await hear(engine, "A1")
    await engine.passes(MINUTE)
    row = engine.stay("HMA1")
    assert (row.departure, row.guest_name, row.contact.phone) == (date(2026, 6, 18), None, None)


# Calendars


async def test_a_calendar_that_names_everything_anew_still_brings_new_stays(start):
    head = "PRODID:-//HomeAway.com, Inc.//EN"
    days = [(ARRIVAL + 3 * n * DAY, DEPARTURE + 3 * n * DAY) for n in range(5)]
    old = [event(f"old-{n}", *days[n], f"Reserved - Guest {n}") for n in range(5)]
    engine = await feeding(start, calendar(*old, head=head))
    new = event("new-9", date(2026, 6, 29), date(2026, 7, 2), "Reserved - Newcomer")
    engine.world.calendars.pages[FEED] = calendar(new, head=head)
    await engine.passes(HOUR)
    assert "Newcomer" in {row.guest_name for row in every_stay(engine)}
    assert all(row.status is StayStatus.CONFIRMED for row in every_stay(engine))


async def test_another_address_of_a_calendar_is_read_from_its_beginning(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    other = FEED.replace("1.ics", "2.ics")
    engine.world.calendars.pages[other] = calendar(LATER)
    await connecting.reconnect(engine.services, engine.feed, {"url": other}, engine.now)
    (row,) = engine.ask(sources.of_host, engine.services.vault, engine.host)
    assert row.progress == {}


# Disagreements end


async def test_a_cancelled_guest_in_the_house_is_out_when_the_calendar_agrees(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE), LATER))
    await engine.book(code="HMTEST0001")
    await later(engine, OPENS + HOUR)
    await engine.book(code="HMTEST0001", happening="cancelled", status=StayStatus.CANCELLED)
    engine.world.calendars.pages[FEED] = calendar(LATER)
    await connecting.read_soon(engine.services, engine.feed, engine.now)
    await engine.passes(HOUR)
    assert engine.stay("HMTEST0001").status is StayStatus.CANCELLED
    assert engine.held() == []


async def test_a_calendar_whose_only_stay_was_cancelled_may_be_empty(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    await engine.book(code="HMTEST0001")
    await engine.book(code="HMTEST0001", happening="cancelled", status=StayStatus.CANCELLED)
    engine.world.calendars.pages[FEED] = calendar()
    await engine.passes(HOUR)
    assert engine.stay("HMTEST0001").status is StayStatus.CANCELLED


async def test_a_calendar_that_fell_silent_holds_no_cancelled_stay_for_ever(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    await engine.book(code="HMTEST0001")
    await engine.book(code="HMTEST0001", happening="cancelled", status=StayStatus.CANCELLED)
    engine.world.calendars.faults = [Unreachable("down")] * 1000
    await engine.passes(DAY + 7 * HOUR)
    assert engine.stay("HMTEST0001").status is StayStatus.CANCELLED


async def test_days_closed_by_the_api_and_shown_by_the_calendar_are_a_disagreement(start):
    engine = await connected(start, booking(reservation_code="HMTEST0001"))
    await feed(engine, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    engine.world.pms.change("A1", status=StayStatus.BLOCKED, raw_status="blocked", changed_at=engine.now)
    await hear(engine, "A1")
    await engine.passes(MINUTE)
    row = engine.stay("HMTEST0001")
    assert (row.status, "has closed the days" in row.disagreement) == (StayStatus.CONFIRMED, True)


# One stops none of the others


async def test_a_mistake_in_one_client_is_told_and_stops_nobody(start):
    engine = await connected(start, booking())
    await feed(engine, calendar(LATER))
    engine.world.pms.faults = [KeyError("x")] * 100
    await engine.passes(2 * HOUR)
    rows = {row.platform: row for row in engine.ask(sources.of_host, engine.services.vault, engine.host)}
    assert (rows[KEY].failures > 3, rows["ical"].failures) == (True, 0)
    assert "our mistake (KeyError)" in rows[KEY].state_detail
    assert len(engine.told_host("source_unreadable")) == 1


async def test_a_delivery_that_trips_a_reader_stops_no_other(start):
    engine = await connected(start, booking())
    platform = engine.services.platforms[KEY]

    def read(delivery):
        if delivery.body.startswith(b"BAD"):
            msg = "date value out of range"
            raise OverflowError(msg)
        return platform.hook.read(delivery)

    broken = replace(platform, hook=replace(platform.hook, read=read))
    engine.services = replace(engine.services, platforms={**engine.services.platforms, KEY: broken})
    await hear(engine, "BAD")
    await hear(engine, "A1")
    await receive.read_deliveries(engine.services, engine.now)
    waiting = engine.ask(lambda c: c.execute(select(DELIVERY.c.id).where(DELIVERY.c.next_at.is_not(None))).all())
    assert len(waiting) == 1


async def test_a_platform_that_wants_fewer_questions_is_asked_none_for_a_while(start):
    engine = await connected(start, booking())
    for number in range(40):
        await hear(engine, f"R{number}")
    engine.world.pms.faults = [RateLimited("slower", MINUTE)] * 40
    engine.world.pms.asked.clear()
    await engine.passes(timedelta(seconds=30))
    assert len(engine.world.pms.asked) <= 8


async def test_a_question_that_is_refused_time_and_again_is_given_up(start):
    engine = await connected(start, booking())
    engine.world.pms.asked.clear()
    engine.world.pms.faults = [Rejected("no")] * 1000
    await hear(engine, "ODD")
    await later(engine, engine.now + DAY)
    assert engine.world.pms.asked.count("ODD") < 12
