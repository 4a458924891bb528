"""Calendar feeds: how they are asked, what their words mean, and what stays the same from one read to the next."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lockbridge.contract import AccountRefused, ProviderError, RateLimited, Unreachable
from lockbridge.domain.feed import KnownStay, Read, Shown, fingerprint, reconcile, suspicious
from lockbridge.domain.stay import StayStatus
from lockbridge.fetching import GuardedFetch
from lockbridge.inbound import Unreadable
from lockbridge.platforms.calendar_said import hour_said
from lockbridge.platforms.calendar_text import zone_called
from lockbridge.platforms.contract import FeedRead, Fetched, Link, ReservationEvent
from lockbridge.platforms.ical import MOST_REMARKS, PLATFORM, Place, read_calendar
from tests.platforms.calendars import (
    AIRBNB,
    AIRBNB_BLOCK,
    AIRBNB_STAY,
    BOOKING,
    BOOKING_LINES,
    DAYS,
    PMS,
    calendar,
    days,
    event,
    plain,
)
from tests.platforms.listening import LOOPBACK, answer, serving

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
URL = "https://calendars.example/ical/4711.ics?s=s3cret"
GOOD = calendar(AIRBNB_STAY, AIRBNB_BLOCK, head=(AIRBNB,))


class Web:
    """Gives one prepared answer, and keeps what it was asked."""

    def __init__(self, status: int = 200, body: bytes = GOOD, **headers: str) -> None:
        self.answer = Fetched(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        self.asked: list[tuple[str, Mapping[str, str]]] = []

    async def __call__(self, url: str, headers: Mapping[str, str]) -> Fetched:
        self.asked.append((url, headers))
        return self.answer


def link(fetch: Any, **settings: str) -> Link:
    nothing = cast("Any", None)
    return Link("calendar 1", {"url": URL, **settings}, nothing, lambda: NOW, nothing, nothing, fetch)


async def read(fetch: Any, validators: Mapping[str, str] | None = None, **settings: str) -> FeedRead | None:
    return await PLATFORM.feed(link(fetch, **settings)).read(validators or {}, TODAY)


def one(body: bytes, place: Place | None = None) -> ReservationEvent:
    (stay,) = read_calendar(body, place or Place(), TODAY).events
    return stay


# -- how a feed is asked ----------------------------------------------------------------------------------------------


async def test_a_feed_is_read_at_its_address_for_its_property() -> None:
    web = Web()
    got = await read(web, zone="Europe/Berlin", property="lake-house")
    assert web.asked == [(URL, {"accept": "text/calendar, text/plain;q=0.5, */*;q=0.1"})]
    assert (got.publisher, got.unattended, got.remarks) == ("airbnb", True, [])
    assert [(stay.external_id, stay.property_ref) for stay in got.events] == [
        ("HMTEST4711", "lake-house"),
        ("6fec1092d3fa-0f0e0d0c@airbnb.com", "lake-house"),
    ]


async def test_without_a_property_the_events_are_the_feeds_and_their_times_utc() -> None:
    body = calendar(plain(days=("DTSTART:20260614T160000Z", "DTEND:20260617T110000Z")))
    (stay,) = (await read(Web(body=body))).events
    assert (stay.property_ref, stay.check_in, stay.check_out) == ("feed", time(16), time(11))


async def test_the_next_read_says_what_it_knows_and_nothing_new_is_none() -> None:
    first = await read(Web(etag='W/"1"', last_modified="Mon, 01 Jun 2026 08:00:00 GMT", server="x"))
    assert first.validators == {"etag": 'W/"1"', "last-modified": "Mon, 01 Jun 2026 08:00:00 GMT"}
    web = Web(304, b"")
    assert await read(web, first.validators) is None
    sent = web.asked[0][1]
    assert (sent["if-none-match"], sent["if-modified-since"]) == ('W/"1"', "Mon, 01 Jun 2026 08:00:00 GMT")


async def test_a_validator_that_could_do_harm_is_not_kept() -> None:
    assert (await read(Web(etag="x" * 501, last_modified="Lundi, 1 août"))).validators == {}
    assert (await read(Web(etag='"a\x00b"'))).validators == {}


async def test_nothing_changed_is_no_answer_to_a_question_without_validators() -> None:
    with pytest.raises(Unreachable):
        await read(Web(304, b""))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AccountRefused),
        (410, AccountRefused),
        (404, Unreachable),
        (403, RateLimited),
        (429, RateLimited),
        (204, Unreachable),
        (206, Unreachable),
        (400, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
async def test_whatever_is_no_calendar_is_an_error_with_a_remedy(status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(kind) as caught:
        await read(Web(status, b""))
    assert type(caught.value) is kind
    assert "s3cret" not in str(caught.value) + repr(caught.value)


async def test_a_feed_that_is_asked_too_often_is_left_alone() -> None:
    with pytest.raises(RateLimited) as told:
        await read(Web(429, b"", retry_after="900"))
    assert told.value.retry_after == timedelta(minutes=15)
    with pytest.raises(RateLimited) as forbidden:
        await read(Web(403, b""))
    assert forbidden.value.retry_after == timedelta(hours=1)


async def test_a_page_in_the_place_of_the_calendar_is_unreadable_and_not_an_empty_read() -> None:
    with pytest.raises(Unreadable, match="login"):
        await read(Web(body=b"<html>Log in</html>"))


@pytest.mark.parametrize("url", ["", "   ", "calendar.ics", "ftp://calendars.example/a.ics", "https://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(AccountRefused):
        PLATFORM.feed(link(Web(), url=url))


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(AccountRefused):
        PLATFORM.feed(link(Web(), zone="Mars/Base"))


@pytest.mark.parametrize("start", ["webcal://", "WEBCAL://", "webcals://"])
async def test_an_address_for_calendar_programs_is_taken_for_the_web_address_it_is(start: str) -> None:
    web = Web()
    await read(web, url=URL.replace("https://", start))
    assert web.asked[0][0] == URL


def test_the_address_is_a_secret_and_shown_by_nothing() -> None:
    (field,) = PLATFORM.fields
    assert (field.name, field.secret) == ("url", True)
    assert "s3cret" not in repr(PLATFORM.feed(link(Web()))) + repr(link(Web()))


async def test_a_feed_over_the_wire() -> None:
    async with serving(answer(GOOD, 'ETag: "1"'), answer(b"", status="304 Not Modified")) as server:
        feed = PLATFORM.feed(link(GuardedFetch(allow=LOOPBACK), url=server.url()))
        first = await feed.read({}, TODAY)
        assert first.events[0].reservation_code == "HMTEST4711"
        assert await feed.read(first.validators, TODAY) is None
    assert server.headers()["if-none-match"] == '"1"'


EVENTS = [
    plain(),
    plain("SUMMARY:Max Muster"),
    plain("SEQUENCE:1"),
    plain("STATUS:CANCELLED"),
    plain("STATUS:CANCELLED", "SEQUENCE:1"),
    plain("LAST-MODIFIED:20260601T000000Z"),
    plain(days=days(20260620, 20260622)),
    plain(days=days(20260614, 20260622)),
    plain("SUMMARY:Blocked", days=days(20260620, 20260622)),
    plain(days=("DTSTART;VALUE=DATE:20269999",)),
    plain(uid=""),
    plain("SUMMARY:Blocked", uid=""),
    plain(uid="UID:two"),
    AIRBNB_STAY,
]
"""Of one identity, most of them."""


# -- what stays the same ----------------------------------------------------------------------------------------------


def test_the_time_of_the_fetch_is_no_part_of_a_stay() -> None:
    later = [line.replace("20260601T081500Z", "20260602T093000Z") for line in AIRBNB_STAY]
    before, after = (one(calendar(stay, head=(AIRBNB,))) for stay in (AIRBNB_STAY, later))
    assert fingerprint(before) == fingerprint(after)


def test_a_stay_of_airbnb_keeps_its_identity_when_its_days_or_its_uid_change() -> None:
    moved = [
        line.replace("20260617", "20260620").replace("UID:1418fb94e984-0f", "UID:1418fb94e984-ff")
        for line in AIRBNB_STAY
    ]
    before, after = (one(calendar(stay, head=(AIRBNB,))) for stay in (AIRBNB_STAY, moved))
    assert before.external_id == after.external_id == "HMTEST4711"
    assert after.departure == date(2026, 6, 20)


def test_without_a_code_the_uid_is_the_identity_and_something_short_is_the_code() -> None:
    stay = one(calendar(plain()))
    assert stay.external_id == "one@pms.example"
    assert stay.reservation_code == "CALF841B8E"


def test_a_stay_of_booking_com_is_known_by_its_last_day_since_all_else_changes_daily() -> None:
    body = calendar(event(*DAYS, *BOOKING_LINES), head=(BOOKING,))
    next_day = body.replace(b"DTSTART;VALUE=DATE:20260614", b"DTSTART;VALUE=DATE:20260615").replace(b"0f0e", b"f0f0")
    assert one(body).external_id == one(next_day).external_id == "to-2026-06-17"
    assert "a stay or a closure" in one(body).raw_status


def test_a_uid_that_cannot_be_an_identity_is_known_by_its_hash() -> None:
    for uid in ("x" * 300, "a\tb", "zwei\x85zeilen"):
        found = one(calendar(plain(uid=f"UID:{uid}"))).external_id
        assert found.startswith("uid-sha256:")
        assert found == one(calendar(plain(uid=f"UID:{uid}"))).external_id


def test_of_two_departures_under_one_uid_the_later_counts() -> None:
    for events in ((plain(), plain(days=days(20260614, 20260620))), (plain(days=days(20260614, 20260620)), plain())):
        assert one(calendar(*events)).departure == date(2026, 6, 20)


def test_two_stays_under_one_uid_are_told_apart_by_their_arrival() -> None:
    found = read_calendar(calendar(plain(), plain(days=days(20260620, 20260622))), Place(), TODAY)
    assert {stay.external_id for stay in found.events} == {"one@pms.example@2026-06-14", "one@pms.example@2026-06-20"}


def test_a_stay_that_cannot_be_read_is_named_as_being_there() -> None:
    body = calendar(plain(days=("DTSTART;VALUE=DATE:20269999",)), plain("RRULE:FREQ=DAILY", uid="UID:two"))
    found = read_calendar(body, Place(), TODAY)
    assert found.events == []
    assert found.unclear == {"one@pms.example", "two"}


def test_a_feed_full_of_mistakes_is_told_of_in_a_few_lines() -> None:
    body = calendar(*(plain(days=(), uid=f"UID:{number}") for number in range(100)))
    remarks = read_calendar(body, Place(), TODAY).remarks
    assert len(remarks) == MOST_REMARKS + 1
    assert remarks[-1] == "… and 80 more of these"


@given(st.lists(st.sampled_from(EVENTS), max_size=8), st.randoms())
def test_the_order_of_events_does_not_matter(events: list[list[str]], chance: random.Random) -> None:
    found = []
    for _ in range(2):
        whole = read_calendar(calendar(*events), Place(), TODAY)
        found.append(({stay.external_id: stay for stay in whole.events}, whole.unclear))
        chance.shuffle(events)
    assert found[0] == found[1]


# -- the words of hosts' languages ------------------------------------------------------------------------------------

WORDS = {
    StayStatus.CONFIRMED: (
        "Reserved - Ida|Booked: Ida|Reserved (Ida)|Airbnb - Ida|Ida|Réservé - Ida|Réservée – Ida|RÉSERVÉE - Ida|"
        "Reserviert - Ida|Gebucht - Ida|Belegt - Ida|Reservado - Ida|Reservada - Ida|Prenotato - Ida|Prenotata - Ida|"
        "Riservato - Ida|Gereserveerd - Ida"
    ),
    StayStatus.PENDING: (
        "Tentative - Ida|Pending - Ida|Request: Ida|Provisoire - Ida|En attente - Ida|Vorläufig - Ida|"
        "Provisorisch - Ida|Pendiente - Ida|Provvisorio - Ida|In attesa - Ida|Provisório - Ida|Provisória - Ida|"
        "Pendente - Ida"
    ),
    StayStatus.CANCELLED: (
        "Cancelled - Ida|Canceled - Ida|Annulée - Ida|Storniert - Ida|Cancelado - Ida|Annullata - Ida"
    ),
    StayStatus.BLOCKED: (
        "Blocked|BLOCKED - new boiler|Not available|Airbnb (Not available)|CLOSED - Not available|Closed for winter|"
        "Unavailable|Maintenance|Owner block|Indisponible|Bloqué|Nicht verfügbar|Gesperrt|Blockiert|No disponible|"
        "Bloqueado|Non disponibile|Bloccato|Indisponível|Não disponível|Niet beschikbaar"
    ),
    StayStatus.UNKNOWN: "Busy|busy|Free",
}
SUMMARIES = [(status, text) for status, texts in WORDS.items() for text in texts.split("|")]


@pytest.mark.parametrize(("status", "text"), SUMMARIES)
def test_a_summary_says_in_its_hosts_language_what_the_event_is(status: StayStatus, text: str) -> None:
    stay = one(calendar(plain(f"SUMMARY:{text}")))
    assert stay.status is status
    assert stay.guest_name == ("Ida" if "Ida" in text else None)
    assert "Ida" not in stay.raw_status


@pytest.mark.parametrize(
    "name", ["Blockedale, Ann", "Close", "Ida Busy", "Mr. Reserved-Smith", "Closedown Ltd", "Checkinson"]
)
def test_a_guest_whose_name_is_nearly_a_word_is_a_guest(name: str) -> None:
    stay = one(calendar(plain(f"SUMMARY:{name}")))
    assert (stay.status, stay.guest_name) == (StayStatus.CONFIRMED, name)


def test_one_name_is_a_first_name_and_several_are_not_taken_apart() -> None:
    assert one(calendar(plain("SUMMARY:Reserved - Zoë"))).guest_first_name == "Zoë"
    assert one(calendar(plain("SUMMARY:Reserved - M & Mme"))).guest_first_name is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("16", time(16)),
        ("16:00", time(16)),
        ("9:30", time(9, 30)),
        ("16:00:00", time(16)),
        ("4 PM", time(16)),
        ("12 am", None),
        ("12:30 pm", time(12, 30)),
        ("16h", time(16)),
        ("16h30", time(16, 30)),
        ("16 Uhr", time(16)),
        ("24", None),
        ("16:75", None),
        ("0:00", None),
        ("2026-06-14", None),
        ("flexible", None),
        ("", None),
        (None, None),
    ],
)
def test_an_hour_is_read_in_the_ways_people_write_it(text: str | None, expected: time | None) -> None:
    assert hour_said(text) == expected


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("/citadel.org/20260101_1/Asia/Kathmandu", "Asia/Kathmandu"),
        ("UTC", "UTC"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("Mars/Base", None),
        ("", None),
        ("../../etc/passwd", None),
        ("/etc/localtime", None),
        ("Europe", None),
        ("Zürich", None),
    ],
)
def test_a_zone_is_known_by_its_name_with_a_path_before_it_and_by_its_name_in_windows(
    name: str, zone: str | None
) -> None:
    assert zone_called(name) == zone


def test_four_digits_are_a_phone_and_fewer_are_none() -> None:
    assert one(calendar(plain("DESCRIPTION:Phone: 123"))).phone is None
    assert one(calendar(plain("DESCRIPTION:Phone (last 4): 0123\\nPhone: +1 555 010 0199"))).phone == "+1 555 010 0199"


def test_nobodys_contacts_are_shown() -> None:
    notes = "DESCRIPTION:Guest: Max Muster\\nPhone: +1 555 010 0199\\nEmail: max@example.com"
    shown = repr(read_calendar(calendar(plain(notes)), Place(), TODAY))
    assert "one@pms.example" in shown
    assert not any(private in shown for private in ("Max", "0199", "max@"))


# -- whatever comes ---------------------------------------------------------------------------------------------------


def test_a_calendar_cut_short_anywhere_is_never_a_good_read() -> None:
    body = calendar(AIRBNB_STAY, AIRBNB_BLOCK, head=(AIRBNB,))
    for length in range(len(body.rstrip())):
        with pytest.raises(Unreadable):
            read_calendar(body[:length], Place(), TODAY)


def test_wherever_a_line_is_folded_the_same_is_read() -> None:
    body = calendar(AIRBNB_STAY, plain("SUMMARY:Zoë Exämple"), head=(AIRBNB,))
    expected = read_calendar(body, Place(), TODAY)
    for position in range(1, len(body)):
        if body[position - 1 : position + 1] != b"\r\n" and body[position - 1 : position] != b"\n":
            for fold in (b"\r\n ", b"\n\t"):
                assert read_calendar(body[:position] + fold + body[position:], Place(), TODAY) == expected


@given(st.binary(max_size=300))
@example(b"BEGIN:VCALENDAR\nEND:VCALENDAR\n\x00\x1a")
def test_whatever_bytes_come_they_are_read_or_unreadable(body: bytes) -> None:
    for whole in (body, b"BEGIN:VCALENDAR\n" + body + b"\nEND:VCALENDAR"):
        try:
            read_calendar(whole, Place(), TODAY)
        except Unreadable:
            continue


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\r" * MEGABYTE,
        b"\r\n " * (MEGABYTE // 3),
        b"DTSTART;" + b"a" * MEGABYTE + b":20260614",
        b"DTSTART;" + b";" * MEGABYTE + b":20260614",
        b"DTSTART;TZID=" + b"/a" * (MEGABYTE // 2) + b":20260614T160000",
        b'DTSTART;X="' + b'"' * MEGABYTE + b":20260614",
        b"SUMMARY:" + b"airbnb " * (MEGABYTE // 7),
        b"SUMMARY:a" + b" " * MEGABYTE + b"(",
        b"DESCRIPTION:" + b"HM" * (MEGABYTE // 2),
        b"DESCRIPTION:" + b"a:\\n" * (MEGABYTE // 4),
        b"BEGIN:X\r\n" * (MEGABYTE // 9),
        b"BEGIN:VEVENT\r\nEND:VEVENT\r\n" * (MEGABYTE // 26),
    ],
    ids=lambda rubbish: repr(rubbish[:24]),
)
def test_a_megabyte_of_rubbish_is_read_through_once_and_no_more(rubbish: bytes) -> None:
    for product in (AIRBNB, PMS):  # minutes or hours, if any part of it were gone over again for each byte
        body = calendar(event(*DAYS, "UID:x"), head=(product,)).replace(b"UID:x", rubbish)
        try:
            assert len(read_calendar(body, Place(), TODAY).events) <= 1
        except Unreadable:
            continue


PROPERTIES = st.sampled_from(
    [
        "DTSTART",
        "DTEND",
        "DURATION",
        "UID",
        "SUMMARY",
        "DESCRIPTION",
        "STATUS",
        "SEQUENCE",
        "DTSTART;TZID=Europe/Berlin",
    ]
)
VALUES = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["20260614", "20260614T160000Z", "99991231T235959", "00010101", "P99999D", "-P1D", "PT", "P", "²"]),
    st.from_regex(r"[0-9]{8}T[0-9]{4,6}Z?", fullmatch=True),
)


@given(st.lists(st.tuples(PROPERTIES, VALUES), max_size=8), st.sampled_from([AIRBNB, BOOKING, "PRODID:x"]))
def test_whatever_an_event_says_it_becomes_a_stay_in_order_or_a_remark(lines, product) -> None:
    body = calendar(event(*(f"{name}:{value}" for name, value in lines)), head=(product,))
    try:
        found = read_calendar(body, Place(zone="Pacific/Apia"), TODAY)
    except Unreadable:
        return  # a value with line ends of its own
    for stay in found.events:
        assert stay.arrival <= stay.departure
        assert 0 < len(stay.external_id) <= 200
        assert stay.reservation_code


# -- with the state machine -------------------------------------------------------------------------------------------


def shown(body: bytes) -> Read:
    found = read_calendar(body, Place(), TODAY)
    marks = {stay.external_id: Shown(stay.arrival, stay.departure, fingerprint(stay)) for stay in found.events}
    return Read(marks, found.unclear)


def known(body: bytes) -> list[KnownStay]:
    found = read_calendar(body, Place(), TODAY)
    return [
        KnownStay(
            stay.external_id,
            stay.arrival,
            stay.departure,
            datetime.combine(stay.arrival, time(16), tzinfo=UTC),
            stay.status,
            seen_as=fingerprint(stay),
        )
        for stay in found.events
    ]


def test_a_feed_that_is_fetched_again_changes_nothing() -> None:
    later = GOOD.replace(b"20260601T081500Z", b"20260601T082500Z")
    assert reconcile(known(GOOD), shown(later), NOW, TODAY).upserts == ()


def test_the_feed_that_lost_everything_is_doubted() -> None:
    assert suspicious(known(GOOD), shown(calendar(head=(AIRBNB,))), TODAY)


def test_an_only_stay_that_is_cancelled_leaves_after_three_reads_while_a_block_is_shown() -> None:
    stays, read_now, now = known(GOOD), shown(calendar(AIRBNB_BLOCK, head=(AIRBNB,))), NOW
    for _ in range(2):
        assert suspicious(stays, read_now, TODAY) is None
        found = reconcile(stays, read_now, now, TODAY)
        assert found.gone == ()
        stays = [replace(stay, absence=found.absences.get(stay.key, stay.absence)) for stay in stays]
        now += timedelta(minutes=15)
    assert reconcile(stays, read_now, now, TODAY).gone == ("HMTEST4711",)


def test_a_stay_of_booking_com_in_progress_keeps_its_arrival_and_is_not_missed() -> None:
    body = calendar(event(*DAYS, *BOOKING_LINES), head=(BOOKING,))
    third_day = date(2026, 6, 16)
    noon = datetime.combine(third_day, time(12), tzinfo=UTC)
    found = reconcile(known(body), shown(body.replace(b"20260614", b"20260616")), noon, third_day)
    assert found.first_arrivals == {"to-2026-06-17": date(2026, 6, 14)}
    assert (dict(found.absences), found.gone) == ({}, ())


def test_a_stay_whose_event_can_no_longer_be_read_is_not_missed() -> None:
    broken = GOOD.replace(b"DTSTART;VALUE=DATE:20260614", b"DTSTART;VALUE=DATE:2026061X")
    assert dict(reconcile(known(GOOD), shown(broken), NOW, TODAY).absences) == {}
