"""What goes wrong on purpose: one by one, on one lock, or drawn at random."""

import random
from collections import Counter
from datetime import timedelta

import pytest

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    Receipt,
    Rejected,
    Unreachable,
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from providers.simulator import Fault, Faults, InProcessSimulator, SimulatedLockApp, Verb, in_process
from tests.contract.harness import Clock
from tests.providers.test_simulator_world import HOUR, NOW, STAY

SPEC = CodeSpec(Pin("4711"), "Ada", STAY)


class Scene:
    """One lock, its world and its driver."""

    def __init__(self, rules: str = "standard", faults: Faults | None = None) -> None:
        self.clock = Clock(NOW)
        self.app = SimulatedLockApp(self.clock, random.Random(3), faults=faults)
        self.lock = self.app.add_lock("l", rules=rules)
        self.driver = InProcessSimulator(self.app)

    async def set(self, spec: CodeSpec = SPEC) -> CodeRef:
        return (await self.driver.set_code(self.lock, spec)).ref

    def pins(self) -> list[str]:
        return [held.pin for held in self.app.holds(self.lock)]


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.ERROR_AFTER])
async def test_r22_a_lost_answer_was_done_and_waits_for_a_write(fault: Fault) -> None:
    scene = Scene()
    scene.app.script(scene.lock, fault)
    assert await scene.driver.list_codes(scene.lock) == []
    with pytest.raises(OutcomeUnknown):
        await scene.set()
    assert scene.pins() == ["4711"]
    assert await scene.driver.list_codes(scene.lock)


async def test_a_lost_answer_hides_a_refusal_too() -> None:
    scene = Scene()
    scene.app.add_by_hand(scene.lock, "Cleaner", "4711")
    scene.app.script(scene.lock, Fault.LOST_ANSWER)
    with pytest.raises(OutcomeUnknown):
        await scene.set()
    assert scene.pins() == ["4711"]


async def test_a_fault_can_be_kept_for_one_verb() -> None:
    scene = Scene()
    scene.app.script(scene.lock, Fault.LOST_ANSWER, on=[Verb.LIST_CODES])
    await scene.set()
    with pytest.raises(Unreachable):
        await scene.driver.list_codes(scene.lock)


async def test_a_script_is_played_in_order_and_a_pass_keeps_a_place() -> None:
    scene = Scene()
    scene.app.script(scene.lock, Fault.PASS, Fault.ERROR_BEFORE, Fault.RATE_LIMITED)
    await scene.driver.check_lock(scene.lock)
    with pytest.raises(Unreachable):
        await scene.driver.check_lock(scene.lock)
    with pytest.raises(RateLimited) as caught:
        await scene.driver.check_lock(scene.lock)
    assert caught.value.retry_after == timedelta(seconds=30)
    await scene.driver.check_lock(scene.lock)


async def test_a_script_for_anything_strikes_the_list_of_locks() -> None:
    scene = Scene()
    scene.app.script(None, Fault.ERROR_BEFORE)
    with pytest.raises(Unreachable):
        await scene.driver.list_locks()
    assert len(await scene.driver.list_locks()) == 1


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.RATE_LIMITED, Fault.REJECTED])
async def test_a_failure_before_does_nothing(fault: Fault) -> None:
    scene = Scene()
    scene.app.script(scene.lock, fault)
    with pytest.raises((Unreachable, RateLimited, Rejected)):
        await scene.set()
    assert scene.pins() == []


async def test_a_false_gone_leaves_the_code_on_the_lock() -> None:
    scene = Scene()
    ref = await scene.set()
    scene.app.script(scene.lock, Fault.FALSE_GONE, Fault.FALSE_GONE)
    with pytest.raises(CodeGone):
        await scene.driver.remove_code(scene.lock, ref)
    with pytest.raises(CodeGone):
        await scene.driver.update_code(scene.lock, ref, SPEC)
    assert scene.pins() == ["4711"]


async def test_a_slow_confirmation_comes_late() -> None:
    scene = Scene()
    scene.app.script(scene.lock, Fault.SLOW_CONFIRMATION)
    assert (await scene.driver.set_code(scene.lock, SPEC)).receipt is Receipt.ACCEPTED
    scene.clock.at += timedelta(minutes=1)
    assert [code.state for code in await scene.driver.list_codes(scene.lock)] == ["setting"]
    scene.clock.at += HOUR
    assert [code.state for code in await scene.driver.list_codes(scene.lock)] == ["set"]


async def test_a_code_that_is_never_confirmed_says_so_and_can_be_asked_for_again() -> None:
    scene = Scene()
    scene.app.script(scene.lock, Fault.NEVER_CONFIRMED)
    ref = await scene.set()
    scene.clock.at += 9 * HOUR
    (code,) = await scene.driver.list_codes(scene.lock)
    assert (code.state, code.trouble.kind) == ("setting", "rejected")
    assert scene.pins() == []
    assert (await scene.driver.update_code(scene.lock, ref, SPEC)).receipt is Receipt.DONE
    assert scene.pins() == ["4711"]


async def test_a_code_that_is_never_confirmed_can_be_removed() -> None:
    scene = Scene()
    scene.app.script(scene.lock, Fault.NEVER_CONFIRMED)
    assert await scene.driver.remove_code(scene.lock, await scene.set()) is Receipt.DONE
    assert await scene.driver.list_codes(scene.lock) == []


async def test_a_code_on_its_way_off_cannot_be_changed_and_need_not_be_removed_twice() -> None:
    scene = Scene("queueing")
    ref = await scene.set()
    scene.clock.at += HOUR
    assert await scene.driver.remove_code(scene.lock, ref) is Receipt.ACCEPTED
    assert await scene.driver.remove_code(scene.lock, ref) is Receipt.ACCEPTED
    with pytest.raises(Rejected):
        await scene.driver.update_code(scene.lock, ref, SPEC)
    assert [code.state for code in await scene.driver.list_codes(scene.lock)] == ["removing"]
    assert scene.pins() == ["4711"]


async def test_faults_of_one_lock_leave_the_others_alone() -> None:
    scene = Scene()
    other = scene.app.add_lock("other")
    scene.app.set_faults(Faults(error_before=1.0), scene.lock)
    with pytest.raises(Unreachable):
        await scene.set()
    await scene.driver.set_code(other, SPEC)
    scene.app.set_faults(None, scene.lock)
    await scene.set()


async def test_a_disconnected_account_is_refused_until_it_reconnects() -> None:
    scene = Scene()
    scene.app.disconnect()
    with pytest.raises(AccountRefused):
        await scene.driver.check_lock(scene.lock)
    scene.app.reconnect()
    assert (await scene.driver.check_lock(scene.lock)).online


async def test_a_battery_runs_low() -> None:
    scene = Scene()
    scene.app.battery(scene.lock, 0.1)
    assert (await scene.driver.check_lock(scene.lock)).battery == 0.1


async def test_harsh_faults_come_as_often_as_they_should() -> None:
    scene = Scene(faults=Faults.harsh())
    seen: Counter[str] = Counter()
    for n in range(20_000):
        try:
            await scene.driver.remove_code(scene.lock, CodeRef(str(n)))
        except ProviderError as error:
            seen[type(error).__mro__[1].__name__ if error.kind == "outcome_unknown" else type(error).__name__] += 1
    assert 0.065 < seen["OutcomeUnknown"] / 20_000 < 0.085
    assert 0.02 < seen["Unreachable"] / 20_000 < 0.03
    assert 0.015 < seen["RateLimited"] / 20_000 < 0.025


@pytest.mark.parametrize("odds", [{"lost_answer": -0.1}, {"lost_answer": 0.6, "error_before": 0.6}], ids=str)
def test_probabilities_that_are_none_are_refused(odds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        Faults(**odds)


def test_mild_faults_are_milder_than_harsh_ones() -> None:
    assert Faults.mild().lost_answer < Faults.harsh().lost_answer


async def test_the_in_process_spec_connects_the_account_it_is_told() -> None:
    scene = Scene()
    scene.app.add_account("other", token="t")
    spec = in_process(scene.app)
    connection = type("Connection", (), {"settings": {"account": "other"}})
    assert spec.key == "simulator"
    assert await spec.connect(connection).list_locks() == []
    with pytest.raises(ProviderError):
        await spec.connect(connection).check_lock(LockRef("l"))
