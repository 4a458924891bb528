"""Where stays come from: an API that is the truth, calendars that forget, and two that tell of the same stay."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select, update

from lockbridge.accounts.tokens import AccountTokens
from lockbridge.contract import AccountRefused, Grant, RateLimited, Unreachable
from lockbridge.domain.stay import StayStatus
from lockbridge.platforms.contract import PropertyMerged
from lockbridge.storage import accounts, hosts, sources, stays
from lockbridge.storage.accounts import Turns
from lockbridge.storage.tables import SOURCE, SOURCE_TOKEN
from lockbridge.workflows import connect, receive, reservations
from lockbridge.workflows import sources as connecting
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, NOW, OPENS
from tests.workflows.pms import BOOKING_COM, KEY, TOKEN, airbnb, booking, booking_com, calendar, event, hint

FEED = "https://calendar.example/ical/1.ics?s=invented"
ARRIVAL, DEPARTURE = date(2026, 6, 14), date(2026, 6, 16)


async def connected(start, *events, **options):
    """An engine whose host has connected acme, with these reservations in its books."""
    engine = await start({"front": "standard"}, **options)
    for each in events:
        engine.world.pms.put(each)
    await engine.write(lambda c: hosts.add_property_ref(c, engine.host, engine.place, KEY, "prop-7"))
    made = await connecting.connect_account(engine.services, engine.host, KEY, "Acme", {"token": TOKEN}, engine.now)
    engine.source = made.source
    address = await connect.add_address(engine.services, engine.host, KEY, TOKEN, engine.now, source=engine.source.id)
    engine.addresses[KEY] = address
    await engine.work()
    return engine


async def hear(engine, ref, number=1):
    """A webhook of acme arrives."""
    hook = engine.services.platforms[KEY].hook
    await receive.accept(engine.services, engine.endpoint(KEY), hook, hint(ref, number), engine.now)


async def feeding(start, page, **options):
    """An engine with a calendar of the Lake House."""
    engine = await start({"front": "standard"}, **options)
    await feed(engine, page)
    return engine


async def feed(engine, page):
    engine.world.calendars.pages[FEED] = page
    made = await connecting.connect_feed(
        engine.services, engine.host, "ical", engine.place, "Airbnb calendar", {"url": FEED}, engine.now
    )
    engine.feed = made.source
    await engine.work()
    return made


async def later(engine, end):
    """Time passes, and every read says what the last one said: it is left out, to be quick."""
    silent = update(SOURCE).values(next_at=None, read_at=end)
    await engine.write(lambda c: c.execute(silent) and None)
    await engine.until(end)


def sightings(engine, stay):
    return engine.ask(sources.sightings_of, [stay.id]).get(stay.id, [])


# An account


async def test_r03_connecting_an_account_gives_every_stay_that_is_booked_its_code(start):
    far = booking("B2", arrival=date(2027, 3, 1), departure=date(2027, 3, 4), reservation_code="HMB2")
    engine = await connected(
        start,
        booking(),
        far,
        booking("C3", reservation_code="HMC3", arrival=date(2026, 6, 20), departure=date(2026, 6, 21)),
    )
    assert {engine.stay(code).status for code in ("HMA1", "HMB2", "HMC3")} == {StayStatus.CONFIRMED}
    await later(engine, OPENS)
    assert engine.opens("front", ref="HMA1")


async def test_a_webhook_leads_to_one_question_and_the_answer_holds(start):
    engine = await connected(start, booking())
    engine.world.pms.change("A1", departure=date(2026, 6, 18), changed_at=engine.now)
    engine.world.pms.asked.clear()
    for number in range(5):
        await hear(engine, "A1", number)
    await engine.passes(MINUTE)
    assert engine.stay("HMA1").departure == date(2026, 6, 18)
    assert engine.world.pms.asked.count("A1") == 1


async def test_a_change_that_no_webhook_announced_is_found_by_asking(start):
    engine = await connected(start, booking())
    await engine.passes(15 * MINUTE)
    engine.world.pms.change("A1", arrival=date(2026, 6, 13), changed_at=engine.now)
    await engine.passes(15 * MINUTE)
    assert engine.stay("HMA1").arrival == date(2026, 6, 13)
    assert "no webhook has announced it" in engine.whys("HMA1")


async def test_the_host_is_told_once_that_webhooks_stay_out_and_once_that_they_are_back(start):
    engine = await connected(start, booking())
    await engine.passes(15 * MINUTE)
    for day in (17, 18, 19):
        engine.world.pms.change("A1", departure=date(2026, 6, day), changed_at=engine.now)
        await engine.passes(HOUR)
    assert len(engine.told_host("webhooks_silent")) == 1
    await hear(engine, "A1")
    await engine.passes(MINUTE)
    assert len(engine.told_host("webhooks_heard")) == 1


async def test_a_platform_that_announces_its_changes_is_not_complained_of(start):
    engine = await connected(start, booking())
    await engine.passes(15 * MINUTE)
    for number, day in enumerate((17, 18, 19)):
        engine.world.pms.change("A1", departure=date(2026, 6, day), changed_at=engine.now)
        await hear(engine, "A1", number)
        await engine.passes(HOUR)
    assert engine.told_host("webhooks_silent") == []


async def test_r20_an_answer_older_than_what_is_known_undoes_nothing(start):
    engine = await connected(start, booking(changed_at=NOW - HOUR))
    engine.world.pms.change("A1", departure=date(2026, 6, 18), changed_at=NOW)
    await hear(engine, "A1", 1)
    await engine.passes(MINUTE)
    engine.world.pms.change("A1", departure=date(2026, 6, 16), changed_at=NOW - HOUR)
    await hear(engine, "A1", 2)
    await engine.passes(MINUTE)
    assert engine.stay("HMA1").departure == date(2026, 6, 18)


async def test_a_platform_that_is_down_is_asked_again_and_nothing_is_lost(start):
    engine = await connected(start, booking())
    engine.world.pms.change("A1", departure=date(2026, 6, 18), changed_at=engine.now)
    engine.world.pms.faults = [Unreachable("down"), RateLimited("slower", timedelta(seconds=20)), Unreachable("down")]
    await hear(engine, "A1")
    await engine.passes(10 * MINUTE)
    assert engine.stay("HMA1").departure == date(2026, 6, 18)


async def test_an_account_that_refuses_us_is_left_alone_until_the_host_has_connected_it_again(start):
    engine = await connected(start, booking())
    engine.world.pms.faults = [AccountRefused("the token was revoked")]
    await hear(engine, "A1")
    await engine.passes(MINUTE)
    engine.world.pms.asked.clear()
    await engine.passes(2 * HOUR)
    assert engine.world.pms.asked == []
    assert len(engine.told_host("source_disconnected")) == 1
    engine.world.pms.change("A1", departure=date(2026, 6, 18), changed_at=engine.now)
    await connecting.reconnect(engine.services, engine.source, {"token": "another"}, engine.now)
    await engine.passes(MINUTE)
    assert len(engine.told_host("source_connected")) == 1
    assert engine.stay("HMA1").departure == date(2026, 6, 18)


async def test_a_platform_that_cannot_be_read_for_long_is_told_once_and_its_end_once(start):
    engine = await connected(start, booking())
    engine.world.pms.faults = [Unreachable("down") for _ in range(5)]
    await engine.passes(2 * HOUR)
    assert len(engine.told_host("source_unreadable")) == 1
    assert len(engine.told_host("source_readable")) == 1


async def test_a_list_that_breaks_off_is_no_reason_to_miss_anybody(start):
    engine = await connected(start, *(booking(f"A{n}", reservation_code=f"HMA{n}") for n in range(5)))
    engine.world.pms.books.pop("A0")
    engine.world.pms.faults = [Unreachable("down")] * 3
    await engine.passes(DAY + HOUR)
    assert {engine.stay(f"HMA{n}").status for n in range(1, 5)} == {StayStatus.CONFIRMED}


async def test_a_cancelled_reservation_loses_its_code(start):
    engine = await connected(start, booking())
    engine.world.pms.change("A1", status=StayStatus.CANCELLED, raw_status="cancelled", changed_at=engine.now)
    await hear(engine, "A1")
    await later(engine, OPENS)
    assert engine.stay("HMA1").status is StayStatus.CANCELLED
    assert engine.held() == []


async def test_a_reservation_that_the_platform_has_no_more_is_believed_gone_after_half_an_hour(start):
    engine = await connected(start, booking())
    engine.world.pms.books.clear()
    await hear(engine, "A1")
    await engine.passes(20 * MINUTE)
    assert engine.stay("HMA1").status is StayStatus.CONFIRMED
    await engine.passes(30 * MINUTE)
    assert engine.stay("HMA1").status is StayStatus.CANCELLED


async def test_a_reservation_that_is_there_again_was_never_gone(start):
    engine = await connected(start, booking())
    kept = dict(engine.world.pms.books)
    engine.world.pms.books.clear()
    await hear(engine, "A1", 1)
    await engine.passes(20 * MINUTE)
    engine.world.pms.books.update(kept)
    await engine.passes(HOUR)
    row = engine.stay("HMA1")
    assert (row.status, row.absent_count) == (StayStatus.CONFIRMED, 0)


async def test_a_guest_in_the_house_keeps_the_code_when_the_platform_forgets_the_stay(start):
    engine = await connected(start, booking())
    await later(engine, OPENS + HOUR)
    engine.world.pms.books.clear()
    await hear(engine, "A1")
    await engine.passes(HOUR)
    assert engine.opens("front", ref="HMA1")
    assert len(engine.told_host("stay_missing")) == 1


async def test_what_the_whole_list_shows_no_more_is_asked_for_by_name(start):
    engine = await connected(
        start, booking(), booking("B2", reservation_code="HMB2", arrival=date(2026, 6, 20), departure=date(2026, 6, 22))
    )
    engine.world.pms.books.pop("B2")
    await engine.passes(DAY + 2 * HOUR)
    assert "B2" in engine.world.pms.asked
    assert engine.stay("HMB2").status is StayStatus.CANCELLED
    assert engine.stay("HMA1").status is StayStatus.CONFIRMED


async def test_each_room_of_a_booking_is_a_stay_and_a_room_that_leaves_it_is_cancelled(start):
    rooms = [booking(f"A1:{room}", reservation_ref="A1", reservation_code=f"HM-{room}") for room in ("red", "blue")]
    engine = await start({"front": "standard"})
    engine.world.pms.put(*rooms)
    await engine.write(lambda c: hosts.add_property_ref(c, engine.host, engine.place, KEY, "prop-7"))
    made = await connecting.connect_account(engine.services, engine.host, KEY, "Acme", {"token": TOKEN}, engine.now)
    await engine.work()
    assert engine.pin("HM-red") != engine.pin("HM-blue") or engine.stay("HM-red").code == engine.stay("HM-blue").code
    engine.world.pms.put(rooms[0])
    await engine.write(lambda c: sources.ask_again(c, engine.host, made.source.id, ["A1"], engine.now, engine.now))
    await engine.passes(MINUTE)
    assert engine.stay("HM-red").status is StayStatus.CONFIRMED
    assert engine.stay("HM-blue").status is StayStatus.CANCELLED


@pytest.mark.parametrize("status", [StayStatus.PENDING, StayStatus.UNKNOWN])
async def test_what_is_not_confirmed_gets_no_code_and_takes_none_away(start, status):
    engine = await connected(start, booking(), booking("B2", reservation_code="HMB2", status=status))
    assert engine.stay("HMB2").code is None
    engine.world.pms.change("A1", status=status, raw_status="who knows", changed_at=engine.now)
    await hear(engine, "A1")
    await later(engine, OPENS + HOUR)
    assert engine.opens("front", ref="HMA1")


@pytest.mark.parametrize("codes", [False, True])
async def test_the_owner_gets_a_code_where_the_host_wants_that(start, codes):
    engine = await connected(start, booking(owner_stay=True), settings={"owner_codes": codes})
    await later(engine, OPENS + HOUR)
    assert (engine.stay("HMA1").code is not None) is codes


async def test_a_merged_property_keeps_its_stays_coming(start):
    engine = await connected(start)
    moved = PropertyMerged("prop-7", "prop-70")
    assert await engine.write(
        lambda c: reservations.adopt_property(c, engine.host, KEY, moved.previous_ref, moved.ref, engine.now)
    )
    engine.world.pms.put(booking(property_ref="prop-70"))
    await hear(engine, "A1")
    await engine.passes(MINUTE)
    assert engine.stay("HMA1").property == engine.place


async def test_where_a_time_comes_from_is_kept(start):
    engine = await connected(start, booking(check_out=None))
    row = engine.stay("HMA1")
    assert (row.check_in, row.check_in_from, row.check_out, row.check_out_from) == ("16:00", "reservation", None, None)


# A calendar


async def test_a_calendar_gives_each_reservation_its_code(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    await later(engine, OPENS + HOUR)
    assert engine.opens("front", ref="HMTEST0001")
    await later(engine, CLOSES + HOUR)
    assert not engine.opens("front", ref="HMTEST0001")


async def test_days_that_are_only_closed_are_no_stays(start):
    blocked = event("7f662ec65913-0001@airbnb.com", ARRIVAL, DEPARTURE, "Airbnb (Not available)")
    engine = await feeding(start, calendar(blocked))
    assert engine.ask(stays.of_host, engine.services.vault, engine.host) == []


async def test_absence_is_not_cancellation_until_three_good_reads_over_half_an_hour_agree(start):
    both = [airbnb("HMTEST0001", ARRIVAL, DEPARTURE), airbnb("HMTEST0002", date(2026, 7, 1), date(2026, 7, 3))]
    engine = await feeding(start, calendar(*both))
    engine.world.calendars.pages[FEED] = calendar(both[1])
    await engine.passes(25 * MINUTE)
    assert engine.stay("HMTEST0001").status is StayStatus.CONFIRMED
    await engine.passes(30 * MINUTE)
    assert engine.stay("HMTEST0001").status is StayStatus.CANCELLED
    assert engine.stay("HMTEST0002").status is StayStatus.CONFIRMED


async def test_an_empty_or_broken_calendar_takes_nothing_away_and_is_told(start):
    page = calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE))
    engine = await feeding(start, page)
    for broken in (calendar(), b"<html>sign in</html>", page[:-60], b""):
        engine.world.calendars.pages[FEED] = broken
        await engine.passes(HOUR)
    assert engine.stay("HMTEST0001").status is StayStatus.CONFIRMED
    assert len(engine.told_host("source_unreadable")) == 1
    engine.world.calendars.pages[FEED] = page
    await engine.passes(HOUR)
    assert len(engine.told_host("source_readable")) == 1
    await later(engine, OPENS + HOUR)
    assert engine.opens("front", ref="HMTEST0001")


async def test_a_guest_in_the_house_is_never_locked_out_because_the_calendar_forgot_them(start):
    coming = airbnb("HMTEST0002", date(2026, 7, 1), date(2026, 7, 3))
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE), coming))
    await later(engine, OPENS + HOUR)
    engine.world.calendars.pages[FEED] = calendar(coming)
    await connecting.read_soon(engine.services, engine.feed, engine.now)
    await engine.passes(HOUR)
    assert engine.opens("front", ref="HMTEST0001")
    assert len(engine.told_host("stay_missing")) == 1


async def test_r19_other_dates_under_the_same_code_keep_the_pin(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    pin = engine.pin("HMTEST0001")
    engine.world.calendars.pages[FEED] = calendar(airbnb("HMTEST0001", ARRIVAL, date(2026, 6, 19)))
    await engine.passes(15 * MINUTE)
    assert engine.stay("HMTEST0001").departure == date(2026, 6, 19)
    assert engine.pin("HMTEST0001") == pin


async def test_a_calendar_that_tells_closures_and_stays_not_apart_makes_no_code_until_the_host_says_so(start):
    page = calendar(booking_com(ARRIVAL, DEPARTURE, "a" * 32), head=BOOKING_COM)
    engine = await start({"front": "standard"})
    made = await feed(engine, page)
    assert not made.read.unattended
    (row,) = engine.ask(stays.of_host, engine.services.vault, engine.host)
    assert (row.status, row.code) == (StayStatus.PENDING, None)
    assert await reservations.decide(engine.services, engine.host, row.id, StayStatus.CONFIRMED, engine.now)
    await later(engine, OPENS + HOUR)
    assert engine.opens("front", ref=row.reservation_code)


async def test_a_calendar_whose_stay_in_progress_begins_anew_each_day_has_one_stay(start):
    engine = await start({"front": "standard"})
    await feed(engine, calendar(booking_com(ARRIVAL, date(2026, 6, 18), "a" * 32), head=BOOKING_COM))
    (row,) = engine.ask(stays.of_host, engine.services.vault, engine.host)
    await reservations.decide(engine.services, engine.host, row.id, StayStatus.CONFIRMED, engine.now)
    await later(engine, OPENS + HOUR)
    for day in (15, 16):
        page = calendar(booking_com(date(2026, 6, day), date(2026, 6, 18), f"{day}" * 16), head=BOOKING_COM)
        engine.world.calendars.pages[FEED] = page
        await connecting.read_soon(engine.services, engine.feed, engine.now)
        await engine.passes(MINUTE)
        await later(engine, datetime(2026, 6, day, 20, tzinfo=UTC))
    (row,) = engine.ask(stays.of_host, engine.services.vault, engine.host)
    assert (row.arrival, row.departure) == (ARRIVAL, date(2026, 6, 18))
    assert engine.opens("front", ref=row.reservation_code)


async def test_the_address_of_a_calendar_is_shown_nowhere(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    engine.world.calendars.faults = [Unreachable("the calendar does not answer")] * 4
    await engine.passes(2 * HOUR)
    (row,) = engine.ask(sources.of_host, engine.services.vault, engine.host)
    told = "\n".join(mail.text for mail in engine.mail.sent)
    assert "invented" not in repr(row) + told + engine.whys("HMTEST0001")


async def test_a_calendar_that_cannot_be_read_is_not_connected(start):
    engine = await start()
    engine.world.calendars.pages[FEED] = b"<html>"
    with pytest.raises(Exception, match="calendar"):
        await connecting.connect_feed(
            engine.services, engine.host, "ical", engine.place, "A", {"url": FEED}, engine.now
        )
    assert engine.ask(sources.of_host, engine.services.vault, engine.host) == []


# Two sources, one stay


async def test_an_api_and_a_calendar_that_tell_of_one_confirmation_code_make_one_stay(start):
    engine = await connected(start, booking(reservation_code="HMTEST0001"))
    await feed(engine, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    row = engine.stay("HMTEST0001")
    assert row.platform == KEY
    assert len(sightings(engine, row)) == 1
    assert len(engine.held()) <= 1


async def test_property_and_dates_make_one_stay_where_the_calendar_knows_no_code(start):
    engine = await connected(start, booking())
    vrbo = event("0f3d3c1e-1111-4222-8333-444455556666", ARRIVAL, DEPARTURE, "Reserved - Ida")
    await feed(engine, calendar(vrbo, head="PRODID:-//HomeAway.com, Inc.//EN"))
    (row,) = engine.ask(stays.of_host, engine.services.vault, engine.host)
    assert len(sightings(engine, row)) == 1


async def test_the_api_rules_a_stay_that_the_calendar_told_first_and_the_pin_stays(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    pin = engine.pin("HMTEST0001")
    await engine.book(code="HMTEST0001")
    row = engine.stay("HMTEST0001")
    assert (row.platform, row.guest_name) == ("generic", "Ida Example")
    assert [word.platform for word in sightings(engine, row)] == ["ical"]
    assert engine.pin("HMTEST0001") == pin


async def test_two_sources_that_disagree_are_shown_and_nothing_is_deleted(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    await engine.book(code="HMTEST0001")
    await engine.book(code="HMTEST0001", happening="cancelled", status=StayStatus.CANCELLED)
    row = engine.stay("HMTEST0001")
    assert (row.status, row.said_status) == (StayStatus.CONFIRMED, StayStatus.CANCELLED)
    assert "shows it" in row.disagreement
    assert engine.told_host("sources_disagree") == []
    await engine.passes(8 * HOUR)
    assert len(engine.told_host("sources_disagree")) == 1
    await later(engine, OPENS + HOUR)
    assert engine.opens("front", ref="HMTEST0001")


async def test_a_cancellation_holds_as_soon_as_the_calendar_agrees(start):
    coming = airbnb("HMTEST0002", date(2026, 7, 1), date(2026, 7, 3))
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE), coming))
    await engine.book(code="HMTEST0001")
    await engine.book(code="HMTEST0001", happening="cancelled", status=StayStatus.CANCELLED)
    engine.world.calendars.pages[FEED] = calendar(coming)
    await engine.passes(HOUR)
    row = engine.stay("HMTEST0001")
    assert (row.status, row.disagreement) == (StayStatus.CANCELLED, None)
    await later(engine, OPENS + HOUR)
    assert engine.held() == []


async def test_the_host_has_the_last_word(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    row = engine.stay("HMTEST0001")
    await reservations.decide(engine.services, engine.host, row.id, StayStatus.CANCELLED, engine.now)
    await engine.passes(2 * HOUR)
    assert engine.stay("HMTEST0001").status is StayStatus.CANCELLED
    await later(engine, OPENS + HOUR)
    assert engine.held() == []


async def test_a_calendar_that_misses_a_stay_of_the_api_takes_nothing_away(start):
    coming = airbnb("HMTEST0002", date(2026, 7, 1), date(2026, 7, 3))
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE), coming))
    await engine.book(code="HMTEST0001")
    engine.world.calendars.pages[FEED] = calendar(coming)
    await engine.passes(2 * HOUR)
    row = engine.stay("HMTEST0001")
    assert row.status is StayStatus.CONFIRMED
    assert "has cancelled it" in row.disagreement


async def test_the_last_four_digits_of_a_calendar_help_a_stay_without_a_phone(start):
    engine = await start({"front": "standard"}, settings={"pin_mode": "phone"})
    await engine.say(Booking(code="HMTEST0001", phone=None))
    await feed(engine, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    assert engine.stay("HMTEST0001").contact.phone is not None


async def test_two_apis_with_other_codes_on_the_same_dates_are_two_bookings(start):
    engine = await connected(start, booking())
    await engine.book(code="HMOTHER001")
    assert {row.reservation_code for row in engine.ask(stays.of_host, engine.services.vault, engine.host)} == {
        "HMA1",
        "HMOTHER001",
    }


async def test_the_times_of_the_first_source_hold(start):
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE)))
    await engine.book(code="HMTEST0001", check_in="18:30")
    assert engine.stay("HMTEST0001").check_in == time(18, 30).isoformat("minutes")


async def test_the_token_of_a_platform_is_kept_sealed_and_shared_by_all_processes(start):
    engine = await connected(start)
    account = accounts.of_source(engine.source.id)
    fetched = []

    async def renew(_before):
        fetched.append("an-invented-access-token")
        return Grant(fetched[-1], engine.now + DAY)

    for _ in range(2):
        tokens = AccountTokens(account, engine.source.settings, engine.services)
        assert await tokens.current(renew) == "an-invented-access-token"
    assert len(fetched) == 1
    sealed = engine.ask(lambda c: c.execute(select(SOURCE_TOKEN.c.token_sealed)).scalar_one())
    assert b"an-invented-access-token" not in sealed


async def test_the_calls_to_a_platform_are_spread_over_all_processes(start):
    engine = await connected(start)
    wanted = Turns(accounts.of_source(engine.source.id), 3, timedelta(seconds=1), timedelta(minutes=1))
    first = await engine.write(lambda c: accounts.take_turns(c, wanted, engine.now))
    second = await engine.write(lambda c: accounts.take_turns(c, wanted, engine.now))
    assert (first, second) == (engine.now, engine.now + timedelta(seconds=3))


async def test_a_stay_whose_event_cannot_be_read_any_more_is_not_missed(start):
    coming = airbnb("HMTEST0002", date(2026, 7, 1), date(2026, 7, 3))
    engine = await feeding(start, calendar(airbnb("HMTEST0001", ARRIVAL, DEPARTURE), coming))
    broken = airbnb("HMTEST0001", ARRIVAL, DEPARTURE).replace("20260614", "20269999")
    engine.world.calendars.pages[FEED] = calendar(broken, coming)
    await engine.passes(HOUR)
    row = engine.stay("HMTEST0001")
    assert (row.status, row.absent_count) == (StayStatus.CONFIRMED, 0)
