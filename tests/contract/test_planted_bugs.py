"""The suite is worth something: drivers with one planted bug each, and the check that catches it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from lockbridge.contract import (
    CodeGone,
    CodeState,
    LockFull,
    LockOffline,
    LockStatus,
    OutcomeUnknown,
    PinTaken,
    ProviderError,
    RateLimited,
    Receipt,
    Rejected,
    Remedy,
    SeenCode,
    Unreachable,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from providers.simulator import HttpSimulator
from tests.contract import suite
from tests.contract.harness import HttpHarness
from tests.contract.suite import Check, checks_for


def moved(window: Window | None, **ends) -> Window | None:
    return window and replace(window, **ends)


class FailedLookIsEmpty(HttpSimulator):
    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        try:
            return await super().list_codes(lock)
        except Unreachable:
            return []


class OfflineIsEmpty(HttpSimulator):
    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        try:
            return await super().list_codes(lock)
        except LockOffline:
            return []


class CannotBeAskedIsEmpty(HttpSimulator):
    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        try:
            return await super().list_codes(lock)
        except Rejected:
            return []


class PinsAreNumbers(HttpSimulator):
    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        seen = await super().list_codes(lock)
        return [replace(code, pin=code.pin and Pin(str(int(code.pin.digits)))) for code in seen]


class MaskedPinIsReadAsOne(HttpSimulator):
    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        return [replace(code, pin=code.pin or Pin("0000")) for code in await super().list_codes(lock)]


class SwallowedAnswerIsDone(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        try:
            return await super().set_code(lock, spec)
        except OutcomeUnknown:
            return Written(Receipt.DONE)


class SwallowedAnswerIsUnreachable(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        try:
            return await super().set_code(lock, spec)
        except OutcomeUnknown as error:
            msg = "no answer"
            raise Unreachable(msg) from error


class NeverSentIsOutcomeUnknown(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        try:
            return await super().set_code(lock, spec)
        except Unreachable as error:
            msg = "no answer"
            raise OutcomeUnknown(msg) from error


class WritesAreRetriedBlindly(HttpSimulator):
    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        try:
            return await super().remove_code(lock, ref)
        except OutcomeUnknown:
            return await super().remove_code(lock, ref)


class UpdateForgetsTheWindow(HttpSimulator):
    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        held = next(code for code in await self.list_codes(lock) if code.ref == ref)
        return await super().update_code(lock, ref, replace(spec, window=held.window))


class LocalTimesAreSentAsUtc(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        local = [at and at.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=UTC) for at in _ends(spec)]
        return await super().set_code(lock, replace(spec, window=moved(spec.window, starts=local[0], ends=local[1])))


class WindowsAreWholeDays(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        days = [at and at.replace(hour=0, minute=0) for at in _ends(spec)]
        return await super().set_code(lock, replace(spec, window=moved(spec.window, starts=days[0], ends=days[1])))


def _ends(spec: CodeSpec):
    return (spec.window.starts, spec.window.ends) if spec.window else (None, None)


class StandingCodesEnd(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        now = self._vendor.now()
        return await super().set_code(lock, replace(spec, window=spec.window or Window(now, now + timedelta(days=365))))


class StrangersAreDropped(HttpSimulator):
    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        return [code for code in await super().list_codes(lock) if code.window is not None]


class NamesAreCutShort(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        return await super().set_code(lock, replace(spec, name=spec.name[:8]))


class TakenLooksFull(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        try:
            return await super().set_code(lock, spec)
        except PinTaken as error:
            msg = "no"
            raise LockFull(msg) from error


class Busy(PinTaken):
    remedy = Remedy.WAIT


class TakenAsksToWait(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        try:
            return await super().set_code(lock, spec)
        except PinTaken as error:
            msg = "later"
            raise Busy(msg) from error


class ErrorsShowThePin(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        try:
            return await super().set_code(lock, spec)
        except ProviderError as error:
            msg = f"could not set {spec.pin.digits if spec.pin else None}"
            raise type(error)(msg) from None


class ReprShowsThePin(HttpSimulator):
    last = ""

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        self.last = spec.pin.digits if spec.pin else ""
        return await super().set_code(lock, spec)

    def __repr__(self) -> str:
        return f"HttpSimulator(last={self.last})"


class RemovalIsAlwaysDone(HttpSimulator):
    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        try:
            return await super().remove_code(lock, ref)
        except CodeGone:
            return Receipt.DONE


class RemovalDoesNothing(HttpSimulator):
    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        return Receipt.DONE


class AcceptedIsCalledDone(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        return replace(await super().set_code(lock, spec), receipt=Receipt.DONE)


class EverythingListedIsSet(HttpSimulator):
    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        return [replace(code, state=CodeState.SET) for code in await super().list_codes(lock)]


class TroubleIsIgnored(HttpSimulator):
    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        seen = await super().list_codes(lock)
        return [replace(code, state=CodeState.SET, trouble=None) if code.trouble else code for code in seen]


class RetryAfterIsIgnored(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        try:
            return await super().set_code(lock, spec)
        except RateLimited as error:
            msg = "slower"
            raise RateLimited(msg) from error


class EveryLockIsOnline(HttpSimulator):
    async def check_lock(self, lock: LockRef) -> LockStatus:
        return replace(await super().check_lock(lock), online=True)


class ForeignErrorsLeakOut(HttpSimulator):
    async def check_lock(self, lock: LockRef) -> LockStatus:
        try:
            return await super().check_lock(lock)
        except Unreachable as error:
            msg = "read timed out"
            raise TimeoutError(msg) from error


class ChosenPinIsForgotten(HttpSimulator):
    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        return replace(await super().set_code(lock, spec), pin=None)


class Bug(NamedTuple):
    """A broken driver, the kind of lock on which it shows, and the check that sees it."""

    driver: type[HttpSimulator]
    rules: str
    caught_by: Check

    def __str__(self) -> str:
        return self.driver.__name__


BUGS = [
    Bug(FailedLookIsEmpty, "standard", suite.check_a_failed_look_is_unreachable_and_never_empty),
    Bug(OfflineIsEmpty, "slots", suite.check_a_look_at_a_lock_out_of_reach_claims_nothing),
    Bug(CannotBeAskedIsEmpty, "algorithmic", suite.check_a_lock_that_cannot_be_asked_is_not_listed_empty),
    Bug(PinsAreNumbers, "standard", suite.check_r10_a_pin_with_leading_zeros_survives_the_round_trip),
    Bug(MaskedPinIsReadAsOne, "masked", suite.check_digits_that_cannot_be_read_are_none),
    Bug(SwallowedAnswerIsDone, "standard", suite.check_r22_a_set_whose_answer_is_lost_is_outcome_unknown_and_sent_once),
    Bug(
        SwallowedAnswerIsUnreachable,
        "slots",
        suite.check_r22_a_set_whose_answer_is_lost_is_outcome_unknown_and_sent_once,
    ),
    Bug(NeverSentIsOutcomeUnknown, "standard", suite.check_r22_a_set_that_was_never_taken_is_unreachable_and_not_done),
    Bug(
        WritesAreRetriedBlindly,
        "standard",
        suite.check_r22_a_removal_whose_answer_is_lost_is_outcome_unknown_and_sent_once,
    ),
    Bug(UpdateForgetsTheWindow, "standard", suite.check_r19_each_thing_that_can_be_updated_is_and_the_rest_stays),
    Bug(LocalTimesAreSentAsUtc, "standard", suite.check_windows_arrive_exactly_on_both_sides_of_a_clock_change),
    Bug(WindowsAreWholeDays, "hourly", suite.check_windows_arrive_exactly_on_both_sides_of_a_clock_change),
    Bug(StandingCodesEnd, "standard", suite.check_a_standing_code_has_no_window),
    Bug(StrangersAreDropped, "nuki", suite.check_strangers_codes_are_listed),
    Bug(NamesAreCutShort, "nuki", suite.check_names_arrive_exactly),
    Bug(TakenLooksFull, "one-length", suite.check_r11_digits_of_another_code_are_pin_taken),
    Bug(TakenAsksToWait, "standard", suite.check_r11_digits_of_another_code_are_pin_taken),
    Bug(ErrorsShowThePin, "first-four", suite.check_r13_digits_against_the_rules_are_pin_refused),
    Bug(ReprShowsThePin, "standard", suite.check_what_a_driver_hands_back_hides_its_digits),
    Bug(RemovalIsAlwaysDone, "slots", suite.check_r31_removing_a_code_that_is_gone_is_code_gone),
    Bug(RemovalDoesNothing, "standard", suite.check_r31_a_removed_code_is_off_the_lock),
    Bug(AcceptedIsCalledDone, "nuki", suite.check_a_code_that_was_set_is_on_the_lock),
    Bug(EverythingListedIsSet, "queueing", suite.check_an_accepted_code_is_setting_until_the_lock_has_it),
    Bug(TroubleIsIgnored, "nuki", suite.check_an_accepted_code_the_lock_never_takes_is_never_called_set),
    Bug(RetryAfterIsIgnored, "standard", suite.check_r22_a_throttled_call_says_for_how_long),
    Bug(EveryLockIsOnline, "standard", suite.check_a_lock_out_of_reach_is_not_online),
    Bug(ForeignErrorsLeakOut, "standard", suite.check_every_failed_read_is_unreachable),
    Bug(ChosenPinIsForgotten, "algorithmic", suite.check_a_lock_that_chooses_the_digits_tells_them),
]


@pytest.mark.parametrize("bug", BUGS, ids=str)
async def test_the_suite_catches_a_planted_bug(bug: Bug) -> None:
    harness = HttpHarness(bug.rules)
    harness.provider = harness.driver(bug.driver)
    assert bug.caught_by in checks_for(harness)
    with pytest.raises(AssertionError):
        await bug.caught_by(harness)
    await harness.close()


@pytest.mark.parametrize("bug", BUGS, ids=str)
async def test_the_same_check_lets_the_sound_driver_pass(bug: Bug) -> None:
    harness = HttpHarness(bug.rules)
    await bug.caught_by(harness)
    await harness.close()
