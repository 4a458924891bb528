"""What a platform says of a stay, by whichever way it says it: trusted webhooks and the API answer alike."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time

from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.platforms.contract import ReservationEvent
from tests.platforms.checks import Suite
from tests.platforms.vendor import STRANGE, Booking, Declared, Vendor

STAYS = Suite()
PLATFORMS_OWN = frozenset((TimeSource.PLANNED, TimeSource.INSTANT, TimeSource.RESERVATION, TimeSource.LISTING))
"""Where a time that a platform tells can come from."""


@dataclass(frozen=True)
class Telling:
    """One way in which a vendor says something of a booking: ``stays`` gives the events."""

    vendor: Vendor
    stays: Callable[[Booking], Awaitable[Sequence[ReservationEvent]]]

    async def one(self, booking: Booking) -> ReservationEvent:
        """What it says of a booking that is one stay."""
        (event,) = await self.stays(booking)
        assert isinstance(event, ReservationEvent)
        return event


def day(text: str) -> date:
    return date.fromisoformat(text)


def clock(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)


@STAYS.check()
async def check_a_new_reservation_has_its_names_and_dates(tell: Telling) -> None:
    booking, vendor = Booking(), tell.vendor
    event = await tell.one(booking)
    assert (event.platform, event.external_id) == (vendor.platform.key, vendor.external_id(booking))
    assert (event.ref, event.property_ref) == (vendor.ref(booking), vendor.home(booking))
    assert event.status is StayStatus.CONFIRMED
    assert event.raw_status
    assert (event.arrival, event.departure) == (day(booking.arrival), day(booking.departure))
    assert not event.owner_stay


@STAYS.check()
async def check_a_guest_is_called_as_they_are(tell: Telling) -> None:
    event = await tell.one(Booking())
    assert event.guest_name == "Ida Example"
    assert event.guest_first_name in ("Ida", None)


@STAYS.check("code")
async def check_the_confirmation_code_is_what_people_call_it(tell: Telling) -> None:
    assert (await tell.one(Booking())).reservation_code == "HMTEST4711"


@STAYS.check()
async def check_a_reservation_without_a_code_is_called_by_its_id(tell: Telling) -> None:
    booking = Booking(code="")
    event = await tell.one(booking)
    assert event.reservation_code in (tell.vendor.external_id(booking), tell.vendor.ref(booking))


@STAYS.check("check_in")
async def check_the_check_in_time_is_local_and_has_a_source(tell: Telling) -> None:
    event = await tell.one(Booking())
    assert event.check_in == time(16)
    assert event.check_in_from in PLATFORMS_OWN


@STAYS.check("check_out")
async def check_the_check_out_time_is_local_and_has_a_source(tell: Telling) -> None:
    event = await tell.one(Booking())
    assert event.check_out == time(11)
    assert event.check_out_from in PLATFORMS_OWN


@STAYS.check()
async def check_instants_are_utc_and_the_wall_clock_of_the_dates(tell: Telling) -> None:
    event = await tell.one(Booking())
    for instant, near in ((event.check_in_instant, event.arrival), (event.check_out_instant, event.departure)):
        if instant is not None:
            assert instant.tzinfo is UTC
            assert abs(instant.date() - near).days <= 1


@STAYS.check()
async def check_a_time_no_platform_told_is_not_made_up(tell: Telling) -> None:
    event = await tell.one(Booking())
    if "check_in" not in tell.vendor.says:
        assert event.check_in is None or event.check_in_from is TimeSource.LISTING
    if "check_out" not in tell.vendor.says:
        assert event.check_out is None or event.check_out_from is TimeSource.LISTING


@STAYS.check()
async def check_missing_times_are_none_and_the_dates_stand(tell: Telling) -> None:
    event = await tell.one(Booking(check_in=None, check_out=None))
    assert event.check_in is None or event.check_in_from is TimeSource.LISTING
    assert event.check_out is None or event.check_out_from is TimeSource.LISTING
    assert (event.arrival, event.departure) == (day("2026-06-14"), day("2026-06-16"))


@STAYS.check("phone")
async def check_the_phone_is_handed_on_as_it_was_written(tell: Telling) -> None:
    assert (await tell.one(Booking())).phone == "+15550101234"
    assert (await tell.one(Booking(phone="0049 (151) 555-01 23"))).phone == "0049 (151) 555-01 23"


@STAYS.check()
async def check_a_missing_phone_is_none(tell: Telling) -> None:
    for phone in (None, "", "  "):
        assert (await tell.one(Booking(phone=phone))).phone is None


@STAYS.check("email")
async def check_the_e_mail_address_is_told_or_none(tell: Telling) -> None:
    assert (await tell.one(Booking())).email == "ida@example.com"
    assert (await tell.one(Booking(email=None))).email is None


@STAYS.check("language")
async def check_the_guests_language_is_told(tell: Telling) -> None:
    assert ((await tell.one(Booking())).language or "").lower().startswith("en")


@STAYS.check("platform_guest")
async def check_the_guest_has_a_name_at_the_platform(tell: Telling) -> None:
    assert (await tell.one(Booking())).platform_guest


@STAYS.check()
async def check_a_missing_guest_leaves_the_stay_readable(tell: Telling) -> None:
    for booking in Declared.by(tell.vendor).ways_without_guest:
        event = await tell.one(booking)
        assert (event.guest_name, event.phone, event.email, event.platform_guest) == (None,) * 4
        assert event.status is StayStatus.CONFIRMED


@STAYS.check("changed_at")
async def check_the_time_of_the_last_change_is_told_in_utc(tell: Telling) -> None:
    event = await tell.one(Booking())
    assert event.changed_at == datetime(2026, 5, 20, 11, 59, tzinfo=UTC)
    assert event.changed_at.tzinfo is UTC


@STAYS.check("changed_at")
async def check_a_change_comes_later_than_what_it_changes(tell: Telling) -> None:
    before = await tell.one(Booking())
    after = await tell.one(
        Booking(happening="changed", departure="2026-06-20", event_id="evt-0002", changed_at="2026-05-20T12:00:00Z")
    )
    assert before.changed_at < after.changed_at


@STAYS.check()
async def check_changed_dates_keep_the_identity(tell: Telling) -> None:
    before = await tell.one(Booking())
    after = await tell.one(Booking(happening="changed", arrival="2026-06-13", departure="2026-06-20"))
    assert (after.external_id, after.ref) == (before.external_id, before.ref)
    assert (after.arrival, after.departure) == (day("2026-06-13"), day("2026-06-20"))


@STAYS.check()
async def check_a_moved_reservation_names_its_new_property(tell: Telling) -> None:
    moved = Booking(happening="changed", home="prop-8")
    before, after = await tell.one(Booking()), await tell.one(moved)
    assert after.external_id == before.external_id
    assert after.property_ref == tell.vendor.home(moved) != before.property_ref


@STAYS.check()
async def check_a_cancelled_reservation_is_cancelled(tell: Telling) -> None:
    assert tell.vendor.ways_to_cancel
    for booking in tell.vendor.ways_to_cancel:
        event = await tell.one(booking)
        assert event.status is StayStatus.CANCELLED
        assert event.external_id == tell.vendor.external_id(booking)


@STAYS.check()
async def check_a_request_is_pending(tell: Telling) -> None:
    for booking in tell.vendor.ways_to_wait:
        assert (await tell.one(booking)).status is StayStatus.PENDING


@STAYS.check()
async def check_a_blocked_or_owner_stay_is_told_apart_from_a_guests(tell: Telling) -> None:
    assert tell.vendor.ways_to_block
    for booking in tell.vendor.ways_to_block:
        event = await tell.one(booking)
        assert event.owner_stay or event.status in {StayStatus.BLOCKED, StayStatus.PENDING}


@STAYS.check("owner_stay")
async def check_an_owners_stay_is_marked_and_a_guests_is_not(tell: Telling) -> None:
    assert (await tell.one(Booking(owner=True))).owner_stay
    assert not (await tell.one(Booking(owner=False))).owner_stay


@STAYS.check()
async def check_an_unknown_status_is_unknown_and_kept_in_the_platforms_words(tell: Telling) -> None:
    event = await tell.one(Booking(status=STRANGE))
    assert event.status is StayStatus.UNKNOWN
    assert STRANGE in event.raw_status


@STAYS.check("rooms")
async def check_each_room_of_a_booking_is_a_stay_of_its_own(tell: Telling) -> None:
    booking, vendor = Booking(rooms=("room-1", "room-2")), tell.vendor
    events = await tell.stays(booking)
    assert {(event.external_id, event.property_ref) for event in events} == {
        (vendor.external_id(booking, room), vendor.home(booking, room)) for room in booking.rooms
    }
    assert len({event.external_id for event in events}) == len(events) == 2
    assert {event.ref for event in events} == {vendor.ref(booking)}
    assert all(event.guest_name == "Ida Example" for event in events)


@STAYS.check("rooms")
async def check_the_rooms_of_a_cancelled_booking_are_all_cancelled(tell: Telling) -> None:
    booking = replace(tell.vendor.ways_to_cancel[0], rooms=("room-1", "room-2"))
    assert [event.status for event in await tell.stays(booking)] == [StayStatus.CANCELLED] * 2


@STAYS.check()
async def check_unknown_fields_are_tolerated(tell: Telling) -> None:
    known = await tell.one(Booking())
    assert await tell.one(Booking(extra={"weather": {"sunny": [True, None, 1.5]}})) == known


@STAYS.check()
async def check_names_arrive_whole(tell: Telling) -> None:
    assert (await tell.one(Booking(last_name="X" * 496))).guest_name == "Ida " + "X" * 496
    assert (await tell.one(Booking(first_name="👩‍👩‍👧", last_name="🦆"))).guest_name == "👩‍👩‍👧 🦆"


@STAYS.check()
async def check_characters_a_database_refuses_do_not_get_through(tell: Telling) -> None:
    event = await tell.one(Booking(first_name="I\x00d\x1ba", last_name="\nExample\u2028 "))
    assert event.guest_name == "I d a Example"


@STAYS.check()
async def check_a_text_of_absurd_length_is_cut(tell: Telling) -> None:
    assert len((await tell.one(Booking(last_name="X" * 100_000))).guest_name or "") == 1000


@STAYS.check("check_in", "check_out")
async def check_a_stay_within_one_day_is_read(tell: Telling) -> None:
    event = await tell.one(Booking(departure="2026-06-14", check_in="10:00", check_out="18:00"))
    assert event.arrival == event.departure == day("2026-06-14")
    assert (event.check_in, event.check_out) == (time(10), time(18))


@STAYS.check()
async def check_an_event_does_not_show_the_guest_by_accident(tell: Telling) -> None:
    shown = repr(await tell.one(Booking()))
    for private in ("Ida", "Example", "+1555", "ida@"):
        assert private not in shown
