"""What the client of every platform promises, asked over real HTTP of a cloud that can misbehave."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from lockbridge.contract import AccountRefused, OutcomeUnknown, ProviderError, RateLimited, Rejected, Unreachable
from lockbridge.domain.stay import StayStatus
from lockbridge.inbound import Ignored
from lockbridge.platforms.contract import CodeNote, NoSuchReservation, NotOffered, ReservationEvent, Wanted
from tests.platforms.checks import Suite
from tests.platforms.examined import LOST, RETRY_AFTER, Examined, Fault, in_no_time, junk_everywhere
from tests.platforms.vendor import NOW, STRANGE, Booking

CLIENT = Suite()
FULL = Wanted(date(2026, 5, 18), date(2026, 6, 30))
PIN, OTHER_PIN, TEXT = "0712", "8153", "Your code is 0712.\nSee you soon – Ana & Ben 🦆"
NOTE = CodeNote(PIN, datetime(2026, 6, 14, 20, tzinfo=UTC), datetime(2026, 6, 16, 15, tzinfo=UTC), "America/New_York")
OTHER_NOTE = replace(NOTE, text=OTHER_PIN)
JUNK = (None, True, -7, "x", ["y"], {})

Call = Callable[[], Awaitable[Any]]
Told = ReservationEvent | Ignored


async def listed(h: Examined, wanted: Wanted = FULL) -> list[Told]:
    """The whole list."""
    return [event async for page in h.client.reservations(wanted) for event in page]


async def refs(h: Examined, wanted: Wanted = FULL) -> list[str]:
    """How the stays of the list are called, in its order."""
    return [event.external_id for event in await listed(h, wanted) if isinstance(event, ReservationEvent)]


async def failure(call: Call) -> ProviderError:
    """The error a call ends with."""
    try:
        got = await call()
    except ProviderError as error:
        return error
    msg = f"it did not fail but gave {got!r}"
    raise AssertionError(msg)


def reads(h: Examined, booking: Booking) -> dict[str, Call]:
    """Every way to read something."""
    stay = h.stay(booking)
    calls = {
        "properties": h.client.properties,
        "reservation": lambda: h.client.reservation(stay.reservation_ref),
        "reservations": lambda: listed(h),
    }
    if h.platform.writes_codes:
        calls["read_code"] = lambda: h.client.read_code(stay)
    if h.platform.sends_messages:
        calls["sent_texts"] = lambda: h.client.sent_texts(stay)
    return calls


def writes(h: Examined, booking: Booking) -> dict[str, Call]:
    """Every way to change something."""
    stay = h.stay(booking)
    calls: dict[str, Call] = {}
    if h.platform.writes_codes:
        calls["write_code"] = lambda: h.client.write_code(stay, OTHER_NOTE)
        calls["remove_code"] = lambda: h.client.write_code(stay, None)
    if h.platform.sends_messages:
        calls["send_message"] = lambda: h.client.send_message(stay, "Your code", TEXT)
    return calls


async def prepared(h: Examined) -> Booking:
    """A cloud with one booking that has a door code, and a client that is signed in."""
    booking = Booking()
    h.cloud.put(booking)
    await h.client.reservation(h.vendor.ref(booking))
    if h.platform.writes_codes:
        await h.client.write_code(h.stay(booking), NOTE)
    return booking


def many(number: int = 230) -> list[Booking]:
    """More bookings than two pages hold, told apart by their ids."""
    return [Booking(id=f"res-{5000 + n}", code=f"HMMANY{5000 + n}", first_name=f"Guest {n}") for n in range(number)]


# One reservation


@CLIENT.check()
async def check_the_account_lists_its_properties(h: Examined) -> None:
    first, second = Booking(), Booking(id="res-4712", home="prop-8")
    h.cloud.put(first)
    h.cloud.put(second)
    found = await h.client.properties()
    assert {h.vendor.home(first), h.vendor.home(second)} <= {each.ref for each in found}
    assert len({each.ref for each in found}) == len(found)
    assert all(each.name for each in found)


@CLIENT.check()
async def check_a_reservation_is_read_again_as_it_is_now(h: Examined) -> None:
    assert (await h.stays(Booking()))[0].departure == date(2026, 6, 16)
    assert (await h.stays(Booking(departure="2026-06-19")))[0].departure == date(2026, 6, 19)


@CLIENT.check()
async def check_a_reservation_that_is_not_there_is_no_such_reservation(h: Examined) -> None:
    booking = await prepared(h)
    missing = h.vendor.ref(Booking(id="res-9999"))
    assert isinstance(await failure(lambda: h.client.reservation(missing)), NoSuchReservation)
    h.cloud.drop(booking.id)
    assert isinstance(await failure(lambda: h.client.reservation(h.vendor.ref(booking))), NoSuchReservation)


@CLIENT.check()
async def check_a_strange_name_of_a_reservation_reads_no_other_address(h: Examined) -> None:
    ref = h.vendor.ref(await prepared(h))
    longer = (f"x/../{ref}", f"{ref}?a=b", f"{ref}&a=b", f"{ref}#a", f"{ref}/")
    for strange in (*longer, "", "..", "a b", "%2e%2e", "é\u2028"):
        error = await failure(lambda name=strange: h.client.reservation(name))
        assert not isinstance(error, AccountRefused), strange


@CLIENT.check()
async def check_a_reservation_that_makes_no_sense_is_an_error_and_no_stay(h: Examined) -> None:
    booking = Booking(departure="2026-06-10")
    h.cloud.put(booking)
    error = await failure(lambda: h.client.reservation(h.vendor.ref(booking)))
    assert not isinstance(error, NoSuchReservation | AccountRefused)


@CLIENT.check("webhooks that tell")
async def check_webhook_and_api_tell_the_same_stay(h: Examined) -> None:
    hook = h.platform.hook
    assert hook is not None
    for booking in (
        Booking(),
        Booking(phone=None, email=None, check_in=None, check_out=None),
        Booking(code="", booked_on="direct"),
        Booking(status=STRANGE),
        *h.vendor.ways_to_cancel,
        *h.vendor.ways_to_block,
        *h.vendor.ways_to_wait,
    ):
        webhook = hook.read(h.vendor.delivery(h.vendor.body(booking)))
        api = await h.stays(booking)
        assert _timeless(webhook) == _timeless(api), booking


def _timeless(events: Sequence[Any]) -> list[Any]:
    return [replace(event, changed_at=None) for event in events]


@CLIENT.check("hints at most")
async def check_what_a_webhook_hints_at_can_be_read(h: Examined) -> None:
    if h.platform.hook is None:
        return
    booking = Booking()
    h.cloud.put(booking)
    (hint,) = h.platform.hook.read(h.vendor.delivery(h.vendor.body(booking)))
    (event,) = await h.client.reservation(hint.reservation_ref)
    assert event.external_id == h.vendor.external_id(booking)


# The list


@CLIENT.check()
async def check_more_than_two_pages_hold_each_exactly_once(h: Examined) -> None:
    bookings = many()
    for booking in bookings:
        h.cloud.put(booking)
    assert sorted(await refs(h)) == sorted(h.vendor.external_id(booking) for booking in bookings)


@CLIENT.check()
async def check_a_list_is_read_by_the_page_and_not_one_by_one(h: Examined) -> None:
    bookings = many(100)
    for booking in bookings:
        h.cloud.put(booking)
    await listed(h)
    assert len(h.weather.asked) <= 20


@CLIENT.check()
async def check_an_empty_account_has_an_empty_list(h: Examined) -> None:
    assert await listed(h) == []


@CLIENT.check()
async def check_the_list_and_the_single_read_tell_the_same(h: Examined) -> None:
    booking = Booking()
    (single,) = await h.stays(booking)
    (event,) = await listed(h)
    assert event == single


@CLIENT.check()
async def check_a_full_read_holds_everything_that_touches_its_days(h: Examined) -> None:
    at_home = Booking(id="res-4801", arrival="2026-05-02", departure="2026-05-21")
    whole_time = Booking(id="res-4802", arrival="2026-05-01", departure="2026-07-20")
    last_day = Booking(id="res-4803", arrival="2026-06-30", departure="2026-07-03")
    leaving = Booking(id="res-4804", arrival="2026-05-11", departure="2026-05-18")
    for booking in (at_home, whole_time, last_day, leaving):
        h.cloud.put(booking)
    wanted = {h.vendor.external_id(booking) for booking in (at_home, whole_time, last_day, leaving)}
    assert wanted <= set(await refs(h))


@CLIENT.check()
async def check_a_full_read_leaves_out_what_lies_far_from_its_days(h: Examined) -> None:
    past = Booking(id="res-4801", arrival="2025-02-02", departure="2025-02-05")
    future = Booking(id="res-4802", arrival="2027-03-01", departure="2027-03-08")
    for booking in (past, future):
        h.cloud.put(booking)
    assert await refs(h) == []


@CLIENT.check()
async def check_a_full_read_shows_whatever_state_a_stay_is_in(h: Examined) -> None:
    ways = (*h.vendor.ways_to_cancel, *h.vendor.ways_to_block, *h.vendor.ways_to_wait, Booking(owner=True))
    bookings = [replace(booking, id=f"res-{4900 + n}") for n, booking in enumerate(ways)]
    for booking in bookings:
        h.cloud.put(booking)
    found = {event.external_id: event for event in await listed(h) if isinstance(event, ReservationEvent)}
    for booking in bookings:
        (single,) = await h.client.reservation(h.vendor.ref(booking))
        assert found.get(h.vendor.external_id(booking)) == single, booking


@CLIENT.check("rooms")
async def check_the_list_holds_every_room(h: Examined) -> None:
    booking = Booking(rooms=("room-1", "room-2"))
    h.cloud.put(booking)
    assert sorted(await refs(h)) == sorted(h.vendor.external_id(booking, room) for room in booking.rooms)


@CLIENT.check()
async def check_changes_since_an_instant_are_found_cancellations_too(h: Examined) -> None:
    changed = Booking(id="res-4801", changed_at="2026-05-20T11:40:00Z")
    cancelled = replace(h.vendor.ways_to_cancel[0], id="res-4802", changed_at="2026-05-20T11:50:00Z")
    for booking in (changed, cancelled):
        h.cloud.put(booking)
    events = await listed(h, replace(FULL, changed_since=NOW - timedelta(minutes=30)))
    found = {event.external_id: event.status for event in events if isinstance(event, ReservationEvent)}
    assert found == {
        h.vendor.external_id(changed): StayStatus.CONFIRMED,
        h.vendor.external_id(cancelled): StayStatus.CANCELLED,
    }


@CLIENT.check("lists changes")
async def check_what_has_not_changed_since_is_not_listed_again(h: Examined) -> None:
    old, new = Booking(id="res-4801", changed_at="2026-05-14T11:00:00Z"), Booking(id="res-4802")
    for booking in (old, new):
        h.cloud.put(booking)
    assert await refs(h, replace(FULL, changed_since=NOW - timedelta(hours=1))) == [h.vendor.external_id(new)]


@CLIENT.check("lists changes")
async def check_changes_are_paged_as_the_full_read_is(h: Examined) -> None:
    bookings = many()
    for booking in bookings:
        h.cloud.put(booking)
    found = await refs(h, replace(FULL, changed_since=NOW - timedelta(hours=1)))
    assert sorted(found) == sorted(h.vendor.external_id(booking) for booking in bookings)


@CLIENT.check("lists changes")
async def check_a_change_is_found_wherever_its_days_lie(h: Examined) -> None:
    moved_away = Booking(id="res-4801", arrival="2027-03-01", departure="2027-03-08")
    h.cloud.put(moved_away)
    found = await refs(h, replace(FULL, changed_since=NOW - timedelta(hours=1)))
    assert found == [h.vendor.external_id(moved_away)]


@CLIENT.check()
async def check_one_that_makes_no_sense_is_told_and_hides_no_other(h: Examined) -> None:
    for booking in (Booking(id="res-4801"), Booking(id="res-4802", departure="2026-06-10"), Booking(id="res-4803")):
        h.cloud.put(booking)
    events = await listed(h)
    good = {h.vendor.external_id(Booking(id=f"res-{n}")) for n in (4801, 4803)}
    assert {event.external_id for event in events if isinstance(event, ReservationEvent)} == good
    reasons = [event.reason for event in events if isinstance(event, Ignored)]
    assert len(reasons) == 1
    assert "departure" in reasons[0]
    _is_discreet(h, reasons[0])


@CLIENT.check()
async def check_a_page_that_fails_fails_the_list(h: Examined) -> None:
    for booking in many():
        h.cloud.put(booking)
    await h.client.properties()
    h.weather.asked.clear()
    await listed(h)
    requests = len(h.weather.asked)
    assert requests > 1
    for spared in range(requests):
        for fault in (Fault.DOWN, Fault.PAGE, Fault.DROPPED):
            h.weather.strike(fault, after=spared)
            assert isinstance(await failure(lambda: listed(h)), Unreachable), (fault, spared)


# When the vendor misbehaves


@CLIENT.check()
async def check_every_failed_read_is_unreachable(h: Examined) -> None:
    booking = await prepared(h)
    for name, call in reads(h, booking).items():
        for fault in (*LOST, Fault.DOWN):
            h.weather.strike(fault)
            assert isinstance(await failure(call), Unreachable), (name, fault)
            h.weather.clear()


@CLIENT.check()
async def check_a_read_that_fails_once_is_tried_again(h: Examined) -> None:
    booking = await prepared(h)
    for call in reads(h, booking).values():
        h.weather.strike(Fault.DOWN, lasts=1)
        await call()
        assert h.weather.lasts <= 0
        h.weather.clear()


@CLIENT.check()
async def check_a_write_whose_answer_is_lost_is_outcome_unknown_and_sent_once(h: Examined) -> None:
    booking = await prepared(h)
    for name, call in writes(h, booking).items():
        for fault in LOST:
            before = h.weather.writes
            h.weather.strike(fault, only_writes=True)
            assert isinstance(await failure(call), OutcomeUnknown), (name, fault)
            assert h.weather.writes == before + 1, (name, fault)
            h.weather.clear()
            await _put_back(h, booking)


async def _put_back(h: Examined, booking: Booking) -> None:
    """The door code as it was: a lost answer may have done its work."""
    if h.platform.writes_codes:
        await h.client.write_code(h.stay(booking), NOTE)


@CLIENT.check()
async def check_a_write_that_was_refused_for_now_was_not_done(h: Examined) -> None:
    booking = await prepared(h)
    for name, call in writes(h, booking).items():
        before = h.weather.writes
        h.weather.strike(Fault.DOWN, only_writes=True)
        assert isinstance(await failure(call), Unreachable), name
        assert h.weather.writes == before + 1, name
        h.weather.clear()


@CLIENT.check()
async def check_a_throttled_call_says_for_how_long(h: Examined) -> None:
    booking = await prepared(h)
    for name, call in {**reads(h, booking), **writes(h, booking)}.items():
        before = len(h.weather.asked)
        h.weather.strike(Fault.THROTTLED)
        error = await failure(call)
        assert isinstance(error, RateLimited), name
        assert error.retry_after == RETRY_AFTER, name
        assert len(h.weather.asked) == before + 1, name
        h.weather.clear()


@CLIENT.check()
async def check_any_json_at_all_is_read_or_is_an_error(h: Examined) -> None:
    booking = await prepared(h)
    in_no_time(h.client, tries=1)
    for call in reads(h, booking).values():
        for number, body in enumerate(await _answers_of(h, call)):
            for junk in junk_everywhere(body, JUNK):
                h.weather.answers = _only(number, junk)
                with suppress(ProviderError):
                    await call()


async def _answers_of(h: Examined, call: Call) -> list[bytes]:
    """The bodies a call reads, in their order."""
    bodies: list[bytes] = []

    def keep(body: bytes) -> bytes:
        bodies.append(body)
        return body

    h.weather.answers = keep
    await call()
    return bodies


def _only(number: int, junk: bytes) -> Callable[[bytes], bytes]:
    """Spoils one of the next answers, by its number."""
    numbers = count()
    return lambda body: junk if next(numbers) == number else body


# Credentials


@CLIENT.check()
async def check_refused_credentials_are_account_refused(h: Examined) -> None:
    booking = await prepared(h)
    h.cloud.revoke()
    for name, call in {**reads(h, booking), **writes(h, booking)}.items():
        assert isinstance(await failure(call), AccountRefused), name


@CLIENT.check()
async def check_wrong_answers_to_the_form_are_account_refused(h: Examined) -> None:
    h.cloud.put(Booking())
    secrets = [each.name for each in h.platform.fields if each.secret and each.name in h.vendor.settings]
    assert secrets
    for name in secrets:
        other = "".join(chr(ord(letter) ^ 1) if letter.isalnum() else letter for letter in h.vendor.settings[name])
        assert isinstance(await _refused_with(h, {name: other}), AccountRefused), name


@CLIENT.check()
async def check_an_account_without_credentials_is_refused(h: Examined) -> None:
    for asked in h.platform.fields:
        if asked.secret and asked.default is None:
            assert isinstance(await _refused_with(h, {asked.name: ""}), AccountRefused), asked.name


async def _refused_with(h: Examined, settings: dict[str, str]) -> ProviderError:
    """What becomes of a host who connects with other answers to the form."""
    h.tokens.grant = None

    async def connect() -> object:
        return await h.connect(**settings).properties()

    return await failure(connect)


@CLIENT.check()
async def check_one_sign_in_serves_many_calls(h: Examined) -> None:
    booking = await prepared(h)
    for call in (*reads(h, booking).values(), *reads(h, booking).values()):
        await call()
    assert len(h.tokens.signed_in) <= 1
    assert all(grant.expires_at is None or grant.expires_at > NOW for grant in h.tokens.signed_in)


@CLIENT.check()
async def check_an_expired_token_is_renewed_once(h: Examined) -> None:
    booking = await prepared(h)
    if not h.tokens.signed_in:
        return
    for name, call in {**reads(h, booking), **writes(h, booking)}.items():
        before = len(h.tokens.signed_in)
        h.cloud.expire()
        await call()
        assert len(h.tokens.signed_in) == before + 1, name


@CLIENT.check()
async def check_a_token_past_its_time_is_renewed_before_it_is_used(h: Examined) -> None:
    booking = await prepared(h)
    grant = h.tokens.grant
    if grant is None or grant.expires_at is None:
        return
    h.clock.advance(grant.expires_at - h.clock.now() + timedelta(seconds=1))
    h.cloud.expire()
    asked = len(h.weather.asked)
    await h.client.reservation(h.vendor.ref(booking))
    assert len(h.tokens.signed_in) == 2
    assert h.weather.asked[asked] == h.weather.asked[0], "the old token was tried first"


@CLIENT.check()
async def check_every_call_waits_for_its_turn(h: Examined) -> None:
    booking = await prepared(h)
    for call in (*reads(h, booking).values(), *writes(h, booking).values()):
        await call()
    assert h.pace.turns >= len(h.weather.asked) - len(h.tokens.signed_in)


# The door code


@CLIENT.check("codes")
async def check_a_door_code_that_was_written_stands_there(h: Examined) -> None:
    booking = await prepared(h)
    assert await h.client.read_code(h.stay(booking)) == PIN
    assert h.cloud.code_of(booking.id) == PIN


@CLIENT.check("codes")
async def check_a_second_door_code_takes_the_place_of_the_first(h: Examined) -> None:
    booking = await prepared(h)
    await h.client.write_code(h.stay(booking), OTHER_NOTE)
    assert await h.client.read_code(h.stay(booking)) == OTHER_PIN
    assert h.cloud.code_of(booking.id) == OTHER_PIN


@CLIENT.check("codes")
async def check_the_same_door_code_twice_is_one(h: Examined) -> None:
    booking = await prepared(h)
    await h.client.write_code(h.stay(booking), NOTE)
    assert h.cloud.code_of(booking.id) == PIN
    await h.client.write_code(h.stay(booking), None)
    assert h.cloud.code_of(booking.id) is None


@CLIENT.check("codes")
async def check_no_door_code_is_read_where_none_was_written_or_it_was_taken_away(h: Examined) -> None:
    booking = Booking()
    h.cloud.put(booking)
    assert await h.client.read_code(h.stay(booking)) is None
    await h.client.write_code(h.stay(booking), None)
    await h.client.write_code(h.stay(booking), NOTE)
    await h.client.write_code(h.stay(booking), None)
    assert await h.client.read_code(h.stay(booking)) is None
    assert h.cloud.code_of(booking.id) is None


@CLIENT.check("codes")
async def check_a_cloud_that_ignores_door_codes_is_found_out_by_reading(h: Examined) -> None:
    booking = Booking()
    h.cloud.put(booking)
    h.cloud.ignores_codes = True
    with suppress(ProviderError):
        await h.client.write_code(h.stay(booking), NOTE)
    assert await h.client.read_code(h.stay(booking)) is None


@CLIENT.check("codes")
async def check_door_codes_of_two_stays_are_kept_apart(h: Examined) -> None:
    first, second = Booking(), Booking(id="res-4712")
    for booking in (first, second):
        h.cloud.put(booking)
    await h.client.write_code(h.stay(first), NOTE)
    await h.client.write_code(h.stay(second), OTHER_NOTE)
    assert [await h.client.read_code(h.stay(each)) for each in (first, second)] == [PIN, OTHER_PIN]


@CLIENT.check("codes", "rooms")
async def check_each_room_takes_its_door_code(h: Examined) -> None:
    booking = Booking(rooms=("room-1", "room-2"))
    h.cloud.put(booking)
    for room, note in zip(booking.rooms, (NOTE, OTHER_NOTE), strict=True):
        await h.client.write_code(h.stay(booking, room), note)
    assert [await h.client.read_code(h.stay(booking, room)) for room in booking.rooms] == [PIN, OTHER_PIN]


@CLIENT.check("codes")
async def check_a_door_code_per_lock_is_kept_whole(h: Examined) -> None:
    booking = Booking()
    h.cloud.put(booking)
    lines = "Front door: 0712\nGarage: 99318"
    await h.client.write_code(h.stay(booking), replace(NOTE, text=lines))
    assert await h.client.read_code(h.stay(booking)) == lines


@CLIENT.check("codes")
async def check_a_written_door_code_changes_nothing_else(h: Examined) -> None:
    booking = Booking()
    before = await h.stays(booking)
    await h.client.write_code(h.stay(booking), NOTE)
    after = await h.client.reservation(h.vendor.ref(booking))
    assert _timeless(after) == _timeless(before)


@CLIENT.check("codes")
async def check_a_door_code_for_a_reservation_that_is_gone_is_refused(h: Examined) -> None:
    booking = await prepared(h)
    h.cloud.drop(booking.id)
    error = await failure(lambda: h.client.write_code(h.stay(booking), OTHER_NOTE))
    assert isinstance(error, NoSuchReservation | NotOffered | Rejected)


@CLIENT.check("no codes")
async def check_door_codes_are_not_offered_where_there_is_no_field(h: Examined) -> None:
    stay = h.stay(await prepared(h))
    for call in (lambda: h.client.write_code(stay, NOTE), lambda: h.client.read_code(stay)):
        assert isinstance(await failure(call), NotOffered)


# Messages


@CLIENT.check("messages")
async def check_a_message_arrives_word_by_word(h: Examined) -> None:
    booking = await prepared(h)
    await h.client.send_message(h.stay(booking), "Your code", TEXT)
    (arrived,) = h.cloud.messages_of(booking.id)
    assert TEXT in arrived
    assert [TEXT in each for each in await h.client.sent_texts(h.stay(booking))] == [True]


@CLIENT.check("messages")
async def check_what_was_sent_is_listed_latest_last(h: Examined) -> None:
    booking = await prepared(h)
    texts = [f"Message {n} of {TEXT}" for n in range(3)]
    for text in texts:
        await h.client.send_message(h.stay(booking), "Your code", text)
    sent = await h.client.sent_texts(h.stay(booking))
    assert [text in each for text, each in zip(texts, sent, strict=True)] == [True] * 3


@CLIENT.check("messages")
async def check_a_message_whose_answer_was_lost_is_found_where_it_arrived(h: Examined) -> None:
    booking = await prepared(h)
    h.weather.strike(Fault.DROPPED, only_writes=True)
    assert isinstance(await failure(writes(h, booking)["send_message"]), OutcomeUnknown)
    h.weather.clear()
    assert [TEXT in each for each in await h.client.sent_texts(h.stay(booking))] == [True]


@CLIENT.check("messages")
async def check_nothing_was_sent_where_nothing_was_sent(h: Examined) -> None:
    assert list(await h.client.sent_texts(h.stay(await prepared(h)))) == []


@CLIENT.check("no messages")
async def check_messages_are_not_offered_where_there_is_no_inbox(h: Examined) -> None:
    stay = h.stay(await prepared(h))
    for call in (lambda: h.client.send_message(stay, "Hello", TEXT), lambda: h.client.sent_texts(stay)):
        assert isinstance(await failure(call), NotOffered)


# What nobody may read in an error


@CLIENT.check()
async def check_no_error_shows_what_is_private(h: Examined) -> None:
    booking = await prepared(h)
    calls = {**reads(h, booking), **writes(h, booking)}
    for fault in Fault:
        h.weather.strike(fault)
        for call in calls.values():
            _is_discreet(h, _shown(await failure(call)))
    h.weather.clear()
    h.weather.answers = lambda body: b'["' + body.replace(b'"', b"'") + b'"]'
    for name in reads(h, booking):
        try:
            await calls[name]()
        except ProviderError as error:
            _is_discreet(h, _shown(error))
    h.weather.clear()
    h.cloud.drop(booking.id)
    h.cloud.revoke()
    for call in calls.values():
        _is_discreet(h, _shown(await failure(call)))


@CLIENT.check()
async def check_no_repr_shows_what_is_private(h: Examined) -> None:
    booking = await prepared(h)
    events = await h.client.reservation(h.vendor.ref(booking))
    _is_discreet(h, f"{h.client!r} {NOTE!r} {events!r} {h.stay(booking)!r}", with_address=False)


def _shown(error: ProviderError) -> str:
    """Whatever a log could show of an error; the tests' own lines in the traceback are left out."""
    frames = traceback.TracebackException.from_exception(error).format_exception_only()
    behind = (error.__cause__, None if error.__suppress_context__ else error.__context__)
    return "\n".join([repr(error), repr(error.trouble), *frames, *(f"{each} {each!r}" for each in behind)])


def _is_discreet(h: Examined, text: str, *, with_address: bool = True) -> None:
    answers = [h.vendor.settings.get(each.name) for each in h.platform.fields if each.secret]
    tokens = [token for grant in h.tokens.signed_in for token in (grant.access, grant.refresh)]
    person = ["Ida ", "15550101234", "ida@example.com", *TEXT.splitlines(), PIN, OTHER_PIN]
    place = [h.url.removeprefix("http://")] if with_address else []
    for private in filter(None, (*answers, *tokens, *person, *place)):
        assert private not in text, f"{private!r} is shown"
