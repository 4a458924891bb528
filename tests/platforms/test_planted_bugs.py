"""The suite is worth something: clients with one planted bug each, and the check that catches it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from lockbridge.contract import OutcomeUnknown, ProviderError, RateLimited, Unreachable
from lockbridge.domain.stay import StayStatus, TimeSource
from lockbridge.outbound import Request
from lockbridge.platforms.contract import CodeNote, NoSuchReservation, ReservationEvent, StayRef, Wanted
from tests.contract.serving import ServedApp
from tests.platforms import client_checks, stay_checks
from tests.platforms.acme import ACME, BARE, Acme
from tests.platforms.checks import Check
from tests.platforms.client_checks import CLIENT
from tests.platforms.examined import Examined, examining, in_no_time
from tests.platforms.stay_checks import STAYS, Telling
from tests.platforms.test_client_contract import cases
from tests.platforms.vendor import Vendor


class CancelledOnesAreHidden(Acme):
    async def _page(self, params: dict[str, Any]) -> Any:
        return await super()._page({name: value for name, value in params.items() if name != "all"})


class OnlyTheFirstTwoPages(Acme):
    async def _page(self, params: dict[str, Any]) -> Any:
        bookings, more = await super()._page(params)
        return bookings, more and params["page"] < 1


class LastOfAPageComesAgain(Acme):
    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[Any]]:
        last: list[Any] = []
        async for page in super().reservations(wanted):
            yield [*last, *page]
            last = list(page[-1:])


class EachOneIsAskedForAgain(Acme):
    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[Any]]:
        async for page in super().reservations(wanted):
            yield [event for listed in page for event in await self.reservation(listed.ref)]


class FailedPageEndsTheList(Acme):
    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[Any]]:
        with suppress(Unreachable):
            async for page in super().reservations(wanted):
                yield page


class EverythingIsReadAgain(Acme):
    async def reservations(self, wanted: Wanted) -> AsyncIterator[Sequence[Any]]:
        async for page in super().reservations(replace(wanted, changed_since=None)):
            yield page


class ChangesOfOtherDaysAreMissed(Acme):
    def _narrowed(self, wanted: Wanted) -> dict[str, str]:
        return {**super()._narrowed(wanted), **super()._narrowed(replace(wanted, changed_since=None))}


class EverythingThereEverWas(Acme):
    def _narrowed(self, wanted: Wanted) -> dict[str, str]:
        return {}


class UnreadableOnesVanish(Acme):
    def _told(self, booking: Any) -> Sequence[Any]:
        return [event for event in super()._told(booking) if isinstance(event, ReservationEvent)]


class RoomsAreOneStay(Acme):
    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        return (await super().reservation(ref))[:1]


class UnknownIsCancelled(Acme):
    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        events = await super().reservation(ref)
        return [
            replace(each, status=StayStatus.CANCELLED) if each.status is StayStatus.UNKNOWN else each for each in events
        ]


class GoneIsUnreachable(Acme):
    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        try:
            return await super().reservation(ref)
        except NoSuchReservation as error:
            raise Unreachable(str(error)) from None


class MissingTimesAreMidnight(Acme):
    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        events = await super().reservation(ref)
        return [replace(each, check_in=each.check_in or stay_checks.time(0)) for each in events]


class TimesComeFromTheHost(Acme):
    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        return [replace(each, check_in_from=TimeSource.HOST) for each in await super().reservation(ref)]


class RefsAreNotQuoted(Acme):
    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        return await self._vendor.ask(Request("GET", f"/bookings/{ref}"), lambda answer: [answer["id"]])


class CodesAreNumbers(Acme):
    async def read_code(self, stay: StayRef) -> str | None:
        code = await super().read_code(stay)
        return code and str(int(code))


class RememberedInsteadOfRead(Acme):
    written: dict[str, str] = {}  # noqa: RUF012 - the bug

    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        await super().write_code(stay, note)
        self.written[stay.external_id] = note.text if note else ""

    async def read_code(self, stay: StayRef) -> str | None:
        return self.written.get(stay.external_id) or await super().read_code(stay)


class CodesPileUp(Acme):
    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        before = await self.read_code(stay)
        await super().write_code(stay, note and replace(note, text=f"{before or ''}{note.text}"))


class NothingIsEverTakenAway(Acme):
    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        if note is not None:
            await super().write_code(stay, note)


class RoomsShareACode(Acme):
    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        await super().write_code(replace(stay, external_id=stay.reservation_ref), note)


class LostMessagesAreSentAgain(Acme):
    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        try:
            await super().send_message(stay, subject, text)
        except OutcomeUnknown:
            await super().send_message(stay, subject, text)


class LostMessagesCountAsSent(Acme):
    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        with suppress(OutcomeUnknown):
            await super().send_message(stay, subject, text)


class LatestMessageFirst(Acme):
    async def sent_texts(self, stay: StayRef) -> Sequence[str]:
        return list(await super().sent_texts(stay))[::-1]


class LinesOfMessagesAreJoined(Acme):
    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        await super().send_message(stay, subject, " ".join(text.split()))


class RetryAfterIsForgotten(Acme):
    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        try:
            return await super().reservation(ref)
        except RateLimited as error:
            raise RateLimited(str(error), timedelta(seconds=60)) from None


class NobodyWaitsForTheirTurn(Acme):
    @property
    def unpaced(self) -> Acme:
        return in_no_time(Acme(replace(self._vendor, pace=None)))

    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        return await self.unpaced.reservation(ref)


class SignsInEveryTime(Acme):
    async def reservation(self, ref: str) -> Sequence[ReservationEvent]:
        sign_in = self._vendor.sign_in
        assert sign_in is not None
        await sign_in.token(refused=await sign_in.token())
        return await super().reservation(ref)


class ForeignErrorsLeakOut(Acme):
    def _homes(self, answer: Any) -> Any:
        try:
            return super()._homes(answer)
        except LookupError as error:
            raise RuntimeError from error


class ErrorsQuoteTheMessage(Acme):
    async def send_message(self, stay: StayRef, subject: str, text: str) -> None:
        try:
            await super().send_message(stay, subject, text)
        except ProviderError as error:
            error.args = (f"{error}: {text}",)
            raise


class ErrorsShowTheirCause(Acme):
    async def write_code(self, stay: StayRef, note: CodeNote | None) -> None:
        try:
            await super().write_code(stay, note)
        except ProviderError as error:
            raise type(error)(str(error)) from ValueError(note and note.text)


class Bug(NamedTuple):
    """A client with a bug, and the check that finds it."""

    client: type[Acme]
    caught_by: Check

    def __str__(self) -> str:
        return self.client.__name__


C, S = client_checks, stay_checks
BUGS = [
    Bug(CancelledOnesAreHidden, CLIENT.of(C.check_changes_since_an_instant_are_found_cancellations_too)),
    Bug(CancelledOnesAreHidden, CLIENT.of(C.check_a_full_read_shows_whatever_state_a_stay_is_in)),
    Bug(OnlyTheFirstTwoPages, CLIENT.of(C.check_more_than_two_pages_hold_each_exactly_once)),
    Bug(LastOfAPageComesAgain, CLIENT.of(C.check_more_than_two_pages_hold_each_exactly_once)),
    Bug(EachOneIsAskedForAgain, CLIENT.of(C.check_a_list_is_read_by_the_page_and_not_one_by_one)),
    Bug(FailedPageEndsTheList, CLIENT.of(C.check_a_page_that_fails_fails_the_list)),
    Bug(EverythingIsReadAgain, CLIENT.of(C.check_what_has_not_changed_since_is_not_listed_again)),
    Bug(ChangesOfOtherDaysAreMissed, CLIENT.of(C.check_a_change_is_found_wherever_its_days_lie)),
    Bug(EverythingThereEverWas, CLIENT.of(C.check_a_full_read_leaves_out_what_lies_far_from_its_days)),
    Bug(UnreadableOnesVanish, CLIENT.of(C.check_one_that_makes_no_sense_is_told_and_hides_no_other)),
    Bug(RoomsAreOneStay, STAYS.of(S.check_each_room_of_a_booking_is_a_stay_of_its_own)),
    Bug(UnknownIsCancelled, STAYS.of(S.check_an_unknown_status_is_unknown_and_kept_in_the_platforms_words)),
    Bug(UnknownIsCancelled, CLIENT.of(C.check_webhook_and_api_tell_the_same_stay)),
    Bug(GoneIsUnreachable, CLIENT.of(C.check_a_reservation_that_is_not_there_is_no_such_reservation)),
    Bug(MissingTimesAreMidnight, STAYS.of(S.check_missing_times_are_none_and_the_dates_stand)),
    Bug(TimesComeFromTheHost, STAYS.of(S.check_the_check_in_time_is_local_and_has_a_source)),
    Bug(RefsAreNotQuoted, CLIENT.of(C.check_a_strange_name_of_a_reservation_reads_no_other_address)),
    Bug(CodesAreNumbers, CLIENT.of(C.check_a_door_code_that_was_written_stands_there)),
    Bug(RememberedInsteadOfRead, CLIENT.of(C.check_a_cloud_that_ignores_door_codes_is_found_out_by_reading)),
    Bug(CodesPileUp, CLIENT.of(C.check_a_second_door_code_takes_the_place_of_the_first)),
    Bug(NothingIsEverTakenAway, CLIENT.of(C.check_no_door_code_is_read_where_none_was_written_or_it_was_taken_away)),
    Bug(RoomsShareACode, CLIENT.of(C.check_each_room_takes_its_door_code)),
    Bug(LostMessagesAreSentAgain, CLIENT.of(C.check_a_write_whose_answer_is_lost_is_outcome_unknown_and_sent_once)),
    Bug(LostMessagesCountAsSent, CLIENT.of(C.check_a_message_whose_answer_was_lost_is_found_where_it_arrived)),
    Bug(LatestMessageFirst, CLIENT.of(C.check_what_was_sent_is_listed_latest_last)),
    Bug(LinesOfMessagesAreJoined, CLIENT.of(C.check_a_message_arrives_word_by_word)),
    Bug(RetryAfterIsForgotten, CLIENT.of(C.check_a_throttled_call_says_for_how_long)),
    Bug(NobodyWaitsForTheirTurn, CLIENT.of(C.check_every_call_waits_for_its_turn)),
    Bug(SignsInEveryTime, CLIENT.of(C.check_one_sign_in_serves_many_calls)),
    Bug(ForeignErrorsLeakOut, CLIENT.of(C.check_any_json_at_all_is_read_or_is_an_error)),
    Bug(ErrorsQuoteTheMessage, CLIENT.of(C.check_no_error_shows_what_is_private)),
    Bug(ErrorsShowTheirCause, CLIENT.of(C.check_no_error_shows_what_is_private)),
]


async def examine(h: Examined, check: Check) -> None:
    await check.examine(Telling(h.vendor, h.stays) if check in STAYS else h)


@pytest.mark.parametrize("bug", BUGS, ids=str)
async def test_the_suite_catches_a_planted_bug(served: ServedApp, bug: Bug):
    async with examining(ACME, served) as h:
        h.client = bug.client(h.client._vendor)
        assert bug.caught_by.applies_to(ACME)
        with pytest.raises((AssertionError, RuntimeError)):
            await examine(h, bug.caught_by)


@pytest.mark.parametrize("vendor", [ACME, BARE], ids=["everything", "bare"])
async def test_a_sound_client_passes_every_check_that_applies_to_it(served: ServedApp, vendor: Vendor):
    for check in (*STAYS, *CLIENT):
        if check.applies_to(vendor):
            async with examining(vendor, served) as h:
                await examine(h, check)


def test_every_check_is_asked_of_some_platform():
    real = {case.check for suite in (STAYS, CLIENT) for case in cases(suite)}
    invented = {check for check in CLIENT for vendor in (ACME, BARE) if check.applies_to(vendor)}
    assert real | invented == {*STAYS, *CLIENT}
