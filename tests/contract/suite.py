"""The one contract suite: what every driver promises, asked through a make-believe vendor that can misbehave.

Each check is an ``async def check_…(h)`` that raises AssertionError when the driver breaks its promise. Which checks
apply follows from the lock's capabilities and from what the vendor can be made to do, never from a brand.
"""

import random
import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TypeVar

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    LockFull,
    LockNotFound,
    LockOffline,
    NameRefused,
    NameTaken,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    RateLimited,
    Receipt,
    Rejected,
    SeenCode,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, Readback, Rounding
from lockbridge.domain.pins import refusal
from tests.contract.harness import ANSWER_BROKEN, ANSWER_LOST, NOT_DONE, RETRY_AFTER, Harness, Misdeed

Check = Callable[[Harness], Awaitable[None]]
When = Callable[[Capabilities], bool]
T = TypeVar("T")


@dataclass(frozen=True)
class Gate:
    """When a check applies: to which locks, and which misdeeds (any of them) the vendor must be capable of."""

    when: When
    misdeeds: frozenset[Misdeed]

    @property
    def needs(self) -> str:
        """For whom the check is, in words."""
        lock = [] if self.when is always else [f"a lock that {self.when.__name__.replace('_', ' ')}"]
        vendor = ["a vendor that can misbehave so"] if self.misdeeds else []
        return f"only for {' and '.join(lock + vendor)}"

    def open_to(self, harness: Harness) -> bool:
        can = not self.misdeeds or bool(self.misdeeds & harness.misdeeds)
        return can and self.when(harness.capabilities)


CHECKS: dict[Check, Gate] = {}


def always(_: Capabilities) -> bool:
    return True


def check(when: When = always, misdeeds: Iterable[Misdeed] = ()) -> Callable[[Check], Check]:
    """Enter a check into the suite."""

    def enter(made: Check) -> Check:
        CHECKS[made] = Gate(when, frozenset(misdeeds))
        return made

    return enter


def checks_for(harness: Harness) -> list[Check]:
    """The checks that apply to this driver and this lock."""
    return [made for made, gate in CHECKS.items() if gate.open_to(harness)]


# -- gates: what a lock can do --------------------------------------------------------------------------------


def keeps_windows(can: Capabilities) -> bool:
    return can.keeps_windows


def takes_pins(can: Capabilities) -> bool:
    return not can.chooses_pin


def is_readable(can: Capabilities) -> bool:
    return can.readback is not Readback.NONE


def shows_pins(can: Capabilities) -> bool:
    return can.readback is Readback.FULL


def removes(can: Capabilities) -> bool:
    return can.can_remove


def cannot_be_read(can: Capabilities) -> bool:
    return not is_readable(can)


def hides_pins(can: Capabilities) -> bool:
    return can.readback is Readback.MASKED


def has_no_clock(can: Capabilities) -> bool:
    return not can.keeps_windows


def shows_names(can: Capabilities) -> bool:
    return can.keeps_names and is_readable(can)


def confirms_later(can: Capabilities) -> bool:
    return takes_pins(can) and not can.confirms


def chooses_pin(can: Capabilities) -> bool:
    return can.chooses_pin


def holds_same_pin_apart(can: Capabilities) -> bool:
    return can.holds_same_pin_apart


def has_one_length(can: Capabilities) -> bool:
    return can.pin_rules.one_length_per_lock


def has_unique_first_four(can: Capabilities) -> bool:
    return can.pin_rules.unique_first_four


def has_unique_names(can: Capabilities) -> bool:
    return can.name_rules.unique


def keeps_names(can: Capabilities) -> bool:
    return can.keeps_names


def rounds_windows(can: Capabilities) -> bool:
    return can.keeps_windows and can.rounding is not Rounding.NONE


def updates(can: Capabilities) -> bool:
    return bool(can.updates)


def updates_nothing(can: Capabilities) -> bool:
    return not can.updates


def updates_pins(can: Capabilities) -> bool:
    return "pin" in can.updates


def removes_later(can: Capabilities) -> bool:
    return can.can_remove and not can.confirms


def cannot_remove(can: Capabilities) -> bool:
    return not can.can_remove


def opens_doors(can: Capabilities) -> bool:
    return can.can_open


def opens_no_doors(can: Capabilities) -> bool:
    return not can.can_open


def is_reached_from_afar(can: Capabilities) -> bool:
    """Codes that an algorithm gives out never reach the lock: without a way to open it, nothing does."""
    return takes_pins(can) or is_readable(can) or can.can_open


def both(*gates: When) -> When:
    def together(can: Capabilities) -> bool:
        return all(gate(can) for gate in gates)

    together.__name__ = " and ".join(gate.__name__ for gate in gates)
    return together


# -- what the checks are made of ------------------------------------------------------------------------------


def some_pins(can: Capabilities, *, zero: bool = False) -> Iterable[Pin]:
    """PINs the lock takes, their first four digits all different; with ``zero`` they begin with 0."""
    dice, begun, length = random.Random(11), set(), min(can.pin_rules.lengths)
    while True:
        digits = "".join(dice.choices("0123456789", k=length))
        pin = Pin("0" + digits[1:] if zero else digits)
        if refusal(pin, can.pin_rules) is None and pin.digits[:4] not in begun:
            begun.add(pin.digits[:4])
            yield pin


def first_pin(can: Capabilities) -> Pin:
    return next(iter(some_pins(can)))


def a_window(h: Harness, *, days: int = 3, length: timedelta = timedelta(days=2)) -> Window:
    """A window that is not at midnight and fits the lock's grid."""
    starts = h.now() + timedelta(days=days)
    if h.capabilities.rounding is not Rounding.NONE:
        starts = starts.replace(minute=0, second=0, microsecond=0)
    return Window(starts, starts + length)


def a_spec(h: Harness, *, pin: Pin | None = None, name: str = "Ada Lovelace", window: Window | None = None) -> CodeSpec:
    chosen = None if h.capabilities.chooses_pin else pin or first_pin(h.capabilities)
    return CodeSpec(chosen, name, window or a_window(h))


async def refused(kind: type[ProviderError], call: Awaitable[object], *secrets: str) -> ProviderError:
    """The error of this kind that the call must raise, with its remedy and without the secrets in its words."""
    error = await outcome(call)
    assert isinstance(error, kind), f"wanted {kind.__name__}, got {error!r}"
    assert error.remedy is kind.remedy, f"{kind.__name__} asks for {error.remedy}"
    shown = "".join([str(error), repr(error), *traceback.format_exception(error)])
    assert not any(secret in shown for secret in secrets), "the error shows digits"
    return error


async def outcome(call: Awaitable[object]) -> object:
    """What the call answers or raises."""
    try:
        return await call
    except Exception as error:  # noqa: BLE001 - whatever a driver under examination raises
        return error


async def answered(call: Awaitable[T]) -> T:
    """What the call answers; it must not raise."""
    try:
        return await call
    except Exception as error:
        msg = f"unwanted {type(error).__name__}"
        raise AssertionError(msg) from error


async def set_and_settle(h: Harness, spec: CodeSpec) -> SeenCode:
    """Make the code, wait until the lock has it, and find it in a look."""
    written = await answered(h.provider.set_code(h.lock, spec))
    h.settle()
    return await the_code(h, spec, written)


async def the_code(h: Harness, spec: CodeSpec, written: Written | None = None) -> SeenCode:
    """Find a code as the engine does: by its reference, else by what can be read of name and digits."""
    seen = await look(h)
    ref = written.ref if written else None
    found = [code for code in seen if (code.ref == ref if ref else resembles(code, spec))]
    return only(found)


def only(found: Sequence[T]) -> T:
    """The one that was looked for."""
    assert len(found) == 1, f"{len(found)} found, 1 was looked for"
    return found[0]


def resembles(code: SeenCode, spec: CodeSpec) -> bool:
    return (None in (code.pin, spec.pin) or code.pin == spec.pin) and (code.name is None or code.name == spec.name)


async def look(h: Harness) -> list[SeenCode]:
    return list(await answered(h.provider.list_codes(h.lock)))


def held_pins(h: Harness) -> list[str]:
    return sorted(held.pin for held in h.holds())


def is_settled(code: SeenCode) -> bool:
    return code.state is CodeState.SET and code.trouble is None


# -- looking --------------------------------------------------------------------------------------------------


@check()
async def check_the_account_lists_its_lock(h: Harness) -> None:
    found = {lock.ref: lock for lock in await answered(h.provider.list_locks())}
    assert list(found) == [h.lock]
    assert found[h.lock].capabilities == h.capabilities
    assert found[h.lock].status.online
    assert found[h.lock].name


@check()
async def check_a_lock_in_reach_is_online_and_tells_its_battery(h: Harness) -> None:
    status = await answered(h.provider.check_lock(h.lock))
    assert status.online is True
    assert status.battery is None or 0 <= status.battery <= 1


@check(is_reached_from_afar)
async def check_a_lock_out_of_reach_is_not_online(h: Harness) -> None:
    h.offline()
    assert (await answered(h.provider.check_lock(h.lock))).online is False


@check(is_readable)
async def check_an_empty_lock_is_listed_empty(h: Harness) -> None:
    assert await look(h) == []


@check(cannot_be_read)
async def check_a_lock_that_cannot_be_asked_is_not_listed_empty(h: Harness) -> None:
    await refused(Rejected, h.provider.list_codes(h.lock))


@check(is_readable, ANSWER_BROKEN)
async def check_a_failed_look_is_unreachable_and_never_empty(h: Harness) -> None:
    for misdeed in h.misdeeds.intersection(ANSWER_BROKEN):
        h.misbehave(misdeed)
        await refused(Unreachable, h.provider.list_codes(h.lock))


@check(misdeeds=ANSWER_BROKEN)
async def check_every_failed_read_is_unreachable(h: Harness) -> None:
    for misdeed in h.misdeeds.intersection(ANSWER_BROKEN):
        h.misbehave(misdeed)
        await refused(Unreachable, h.provider.list_locks())
        await refused(Unreachable, h.provider.check_lock(h.lock))


@check(is_readable)
async def check_strangers_codes_are_listed(h: Harness) -> None:
    pin = first_pin(h.capabilities)
    ref = h.stranger("Cleaner", pin)
    code = only(await look(h))
    assert code.ref == ref
    assert code.pin == (pin if shows_pins(h.capabilities) else None)
    assert code.name == ("Cleaner" if h.capabilities.keeps_names else None)
    assert code.window is None


@check(both(is_readable, takes_pins))
async def check_ours_and_strangers_are_listed_together(h: Harness) -> None:
    pins = iter(some_pins(h.capabilities))
    theirs = h.stranger("Cleaner", next(pins))
    ours = await set_and_settle(h, a_spec(h, pin=next(pins)))
    assert {code.ref for code in await look(h)} == {theirs, ours.ref}


@check(is_readable)
async def check_a_look_at_a_lock_out_of_reach_claims_nothing(h: Harness) -> None:
    """Law 4: what the lock app remembers, or LockOffline; never an empty lock."""
    ref = h.stranger("Cleaner", first_pin(h.capabilities))
    h.offline()
    if not h.capabilities.keeps_windows:
        await refused(LockOffline, h.provider.list_codes(h.lock))
        return
    assert [code.ref for code in await look(h)] == [ref]


# -- setting --------------------------------------------------------------------------------------------------


@check(takes_pins)
async def check_a_code_that_was_set_is_on_the_lock(h: Harness) -> None:
    spec = a_spec(h)
    written = await answered(h.provider.set_code(h.lock, spec))
    assert written.receipt is (Receipt.DONE if h.capabilities.confirms else Receipt.ACCEPTED)
    h.settle()
    held = only(h.holds())
    assert held.pin == spec.pin.digits
    assert held.name == (spec.name if h.capabilities.keeps_names else None)
    assert held.window == (spec.window if h.capabilities.keeps_windows else None)
    code = await the_code(h, spec, written)
    assert is_settled(code)
    assert code.ref == held.ref


@check(both(shows_pins, takes_pins))
async def check_r10_a_pin_with_leading_zeros_survives_the_round_trip(h: Harness) -> None:
    zero = "0" not in h.capabilities.pin_rules.forbidden_digits
    pin = next(iter(some_pins(h.capabilities, zero=zero)))
    code = await set_and_settle(h, a_spec(h, pin=pin))
    assert code.pin is not None
    assert code.pin.digits == pin.digits
    assert held_pins(h) == [pin.digits]


@check(hides_pins)
async def check_digits_that_cannot_be_read_are_none(h: Harness) -> None:
    assert (await set_and_settle(h, a_spec(h))).pin is None


@check(both(keeps_windows, takes_pins))
async def check_windows_arrive_exactly_on_both_sides_of_a_clock_change(h: Harness) -> None:
    pins = iter(some_pins(h.capabilities))
    for days, name in ((0, "before"), (40, "summer"), (250, "winter")):
        window = a_window(h, days=days, length=timedelta(days=3, hours=5))
        spec = a_spec(h, pin=next(pins), name=name, window=window)
        code = await set_and_settle(h, spec)
        assert code.window == window
        assert only([held for held in h.holds() if held.ref == code.ref]).window == window


@check(both(keeps_windows, takes_pins))
async def check_a_standing_code_has_no_window(h: Harness) -> None:
    spec = CodeSpec(first_pin(h.capabilities), "Backup 1", None)
    assert (await set_and_settle(h, spec)).window is None
    assert h.opens(spec.pin, h.now() + timedelta(days=400))


@check(has_no_clock)
async def check_a_slot_without_a_clock_shows_no_window(h: Harness) -> None:
    code = await set_and_settle(h, a_spec(h))
    assert code.window is None
    assert h.opens(first_pin(h.capabilities), h.now())


@check(shows_names)
async def check_names_arrive_exactly(h: Harness) -> None:
    pins = iter(some_pins(h.capabilities))
    for name in ("Zoë O'Neill-Ärm.", "HMX4-2"):
        assert (await set_and_settle(h, a_spec(h, pin=next(pins), name=name))).name == name


@check(confirms_later)
async def check_an_accepted_code_is_setting_until_the_lock_has_it(h: Harness) -> None:
    spec = a_spec(h)
    written = await answered(h.provider.set_code(h.lock, spec))
    assert (await the_code(h, spec, written)).state is CodeState.SETTING
    assert h.holds() == ()
    h.settle()
    assert (await the_code(h, spec, written)).state is CodeState.SET


@check(confirms_later)
async def check_an_accepted_code_the_lock_never_takes_is_never_called_set(h: Harness) -> None:
    h.jam()
    spec = a_spec(h)
    written = await answered(h.provider.set_code(h.lock, spec))
    assert written.receipt is Receipt.ACCEPTED
    h.settle()
    assert not is_settled(await the_code(h, spec, written))
    assert h.holds() == ()


@check(chooses_pin)
async def check_a_lock_that_chooses_the_digits_tells_them(h: Harness) -> None:
    spec = a_spec(h)
    written = await answered(h.provider.set_code(h.lock, spec))
    assert written.pin is not None
    assert len(written.pin.digits) in h.capabilities.pin_rules.lengths
    assert written.window == spec.window
    assert h.opens(written.pin, spec.window.starts)
    assert not h.opens(written.pin, spec.window.ends)


@check(takes_pins)
async def check_r11_digits_of_another_code_are_pin_taken(h: Harness) -> None:
    pin = first_pin(h.capabilities)
    h.stranger("Cleaner", pin)
    await refused(PinTaken, h.provider.set_code(h.lock, a_spec(h, pin=pin)), pin.digits)
    h.settle()
    assert held_pins(h) == [pin.digits]


@check(holds_same_pin_apart)
async def check_r10_same_digits_live_side_by_side_when_their_windows_do_not_meet(h: Harness) -> None:
    pin, first = first_pin(h.capabilities), a_window(h)
    await set_and_settle(h, a_spec(h, name="first", window=first))
    await answered(h.provider.set_code(h.lock, a_spec(h, name="second", window=a_window(h, days=9))))
    overlapping = Window(first.starts + timedelta(hours=1), first.ends + timedelta(hours=1))
    await refused(PinTaken, h.provider.set_code(h.lock, a_spec(h, name="third", window=overlapping)), pin.digits)


@check(takes_pins)
async def check_r13_digits_against_the_rules_are_pin_refused(h: Harness) -> None:
    for pin in forbidden_pins(h.capabilities):
        await refused(PinRefused, h.provider.set_code(h.lock, a_spec(h, pin=pin)), pin.digits)
    h.settle()
    assert h.holds() == ()


def forbidden_pins(can: Capabilities) -> Iterable[Pin]:
    rules, good = can.pin_rules, first_pin(can).digits
    yield Pin("97531864" * 2) if 16 not in rules.lengths else Pin("9")
    for digit in rules.forbidden_digits:
        yield Pin(good[:-1] + digit)
    for prefix in rules.forbidden_prefixes:
        yield Pin(prefix + good[len(prefix) :])
    if rules.no_equal_digits:
        yield Pin("7" * len(good))
    if rules.no_run:
        yield Pin("12345678"[: len(good)])


@check(has_one_length)
async def check_r13_a_second_length_on_the_lock_is_pin_refused(h: Harness) -> None:
    h.stranger("Cleaner", first_pin(h.capabilities))
    pin = Pin("9" + first_pin(h.capabilities).digits)
    await refused(PinRefused, h.provider.set_code(h.lock, a_spec(h, pin=pin)), pin.digits)


@check(has_unique_first_four)
async def check_r13_the_same_first_four_digits_are_refused(h: Harness) -> None:
    pin = first_pin(h.capabilities)
    h.stranger("Cleaner", pin)
    longer = Pin(pin.digits[:4] + "97")
    await refused(PinTaken, h.provider.set_code(h.lock, a_spec(h, pin=longer)), longer.digits)


@check(has_unique_names)
async def check_r14_a_name_on_the_lock_is_name_taken(h: Harness) -> None:
    pins = iter(some_pins(h.capabilities))
    h.stranger("Ada Lovelace", next(pins))
    await refused(NameTaken, h.provider.set_code(h.lock, a_spec(h, pin=next(pins))))


@check(keeps_names)
async def check_r14_a_name_that_is_too_long_is_name_refused(h: Harness) -> None:
    name = "x" * (h.capabilities.name_rules.max_length + 1)
    await refused(NameRefused, h.provider.set_code(h.lock, a_spec(h, name=name)))
    assert h.holds() == ()


@check(keeps_windows)
async def check_a_window_that_is_over_is_window_refused(h: Harness) -> None:
    window = a_window(h, days=-9)
    await refused(WindowRefused, h.provider.set_code(h.lock, a_spec(h, window=window)))


@check(rounds_windows)
async def check_r18_a_window_off_the_grid_is_window_refused(h: Harness) -> None:
    starts = a_window(h).starts + timedelta(seconds=7)
    window = Window(starts, starts + timedelta(hours=30))
    await refused(WindowRefused, h.provider.set_code(h.lock, a_spec(h, window=window)))


@check(takes_pins)
async def check_r26_a_full_lock_is_lock_full(h: Harness) -> None:
    h.fill()
    before = held_pins(h)
    pin = next(pin for pin in some_pins(h.capabilities) if all(pin.digits[:4] != held[:4] for held in before))
    await refused(LockFull, h.provider.set_code(h.lock, a_spec(h, pin=pin)), pin.digits)
    assert held_pins(h) == before


@check(takes_pins)
async def check_a_write_to_a_lock_out_of_reach_is_never_called_done(h: Harness) -> None:
    """Either LockOffline and nothing is done, or it is accepted for later."""
    h.offline()
    spec = a_spec(h)
    answer = await outcome(h.provider.set_code(h.lock, spec))
    assert isinstance(answer, LockOffline) or answer == Written(Receipt.ACCEPTED, getattr(answer, "ref", None))
    h.settle()
    assert h.holds() == ()


# -- updating -------------------------------------------------------------------------------------------------


def changed(h: Harness, old: CodeSpec, fields: Iterable[str]) -> CodeSpec:
    """The spec with these of its fields changed."""
    longer = a_window(h, days=4, length=timedelta(days=5))
    second = list(zip(some_pins(h.capabilities), range(2), strict=False))[1][0]
    return CodeSpec(
        second if "pin" in fields else old.pin,
        "Grace Hopper" if "name" in fields else old.name,
        longer if "window" in fields else old.window,
    )


def assert_held(h: Harness, ref: CodeRef, spec: CodeSpec) -> None:
    held = only([held for held in h.holds() if held.ref == ref])
    can = h.capabilities
    assert held.pin == spec.pin.digits
    assert held.name == (spec.name if can.keeps_names else None)
    assert held.window == (spec.window if can.keeps_windows else None)


@check(updates)
async def check_r19_each_thing_that_can_be_updated_is_and_the_rest_stays(h: Harness) -> None:
    spec = a_spec(h)
    code = await set_and_settle(h, spec)
    for field in sorted(h.capabilities.updates):
        spec = changed(h, spec, {field})
        written = await answered(h.provider.update_code(h.lock, code.ref, spec))
        assert written.receipt is (Receipt.DONE if h.capabilities.confirms else Receipt.ACCEPTED)
        h.settle()
        assert_held(h, written.ref or code.ref, spec)
        assert len(h.holds()) == 1


@check(updates)
async def check_an_update_reaches_as_far_as_the_capabilities_say(h: Harness) -> None:
    """Asked to change everything, the lock holds the new where it can be updated and the old where it cannot."""
    old = a_spec(h)
    code = await set_and_settle(h, old)
    new, reach = changed(h, old, {"pin", "name", "window"}), h.capabilities.updates
    await answered(h.provider.update_code(h.lock, code.ref, new))
    h.settle()
    fields = {field: getattr(new if field in reach else old, field) for field in ("pin", "name", "window")}
    assert_held(h, code.ref, CodeSpec(**fields))


@check(updates_nothing)
async def check_a_lock_without_updates_rejects_them(h: Harness) -> None:
    written = await answered(h.provider.set_code(h.lock, a_spec(h)))
    before = h.holds()
    await refused(Rejected, h.provider.update_code(h.lock, written.ref, a_spec(h, window=a_window(h, days=5))))
    assert h.holds() == before


@check(updates)
async def check_an_update_of_a_code_that_is_gone_is_code_gone(h: Harness) -> None:
    spec = a_spec(h)
    code = await set_and_settle(h, spec)
    h.take_off(code.ref)
    await refused(CodeGone, h.provider.update_code(h.lock, code.ref, spec))


@check(updates_pins)
async def check_an_update_to_digits_of_another_code_is_pin_taken(h: Harness) -> None:
    pins = iter(some_pins(h.capabilities))
    spec = a_spec(h, pin=next(pins))
    code = await set_and_settle(h, spec)
    taken = next(pins)
    h.stranger("Cleaner", taken)
    await refused(PinTaken, h.provider.update_code(h.lock, code.ref, a_spec(h, pin=taken)), taken.digits)
    assert_held(h, code.ref, spec)


# -- removing -------------------------------------------------------------------------------------------------


@check(removes)
async def check_r31_a_removed_code_is_off_the_lock(h: Harness) -> None:
    pins = iter(some_pins(h.capabilities))
    h.stranger("Cleaner", kept := next(pins))
    code = await set_and_settle(h, a_spec(h, pin=next(pins)))
    receipt = await answered(h.provider.remove_code(h.lock, code.ref))
    assert receipt is (Receipt.DONE if h.capabilities.confirms else Receipt.ACCEPTED)
    h.settle()
    assert held_pins(h) == [kept.digits]
    assert code.ref not in {seen.ref for seen in await look(h)}


@check(removes_later)
async def check_a_code_on_its_way_off_is_removing(h: Harness) -> None:
    code = await set_and_settle(h, a_spec(h))
    await answered(h.provider.remove_code(h.lock, code.ref))
    assert [seen.state for seen in await look(h) if seen.ref == code.ref] in ([CodeState.REMOVING], [])


@check(removes)
async def check_r31_removing_a_code_that_is_gone_is_code_gone(h: Harness) -> None:
    code = await set_and_settle(h, a_spec(h))
    h.take_off(code.ref)
    await refused(CodeGone, h.provider.remove_code(h.lock, code.ref))


@check(cannot_remove)
async def check_a_lock_that_cannot_remove_rejects_it(h: Harness) -> None:
    written = await answered(h.provider.set_code(h.lock, a_spec(h)))
    await refused(Rejected, h.provider.remove_code(h.lock, written.ref))
    assert h.opens(written.pin, a_window(h).starts)


# -- when the answer does not come ----------------------------------------------------------------------------


@check(misdeeds=ANSWER_LOST)
async def check_r22_a_set_whose_answer_is_lost_is_outcome_unknown_and_sent_once(h: Harness) -> None:
    """A set of several requests may be half done: asked again it makes up the rest, and one code comes of it."""
    pins, names = iter(some_pins(h.capabilities)), count()
    await answered(h.provider.list_locks())  # a driver may have to know its lock before it can ask anything of it
    for done, misdeed in enumerate(sorted(h.misdeeds.intersection(ANSWER_LOST)), 1):
        spec = a_spec(h, pin=next(pins), name=f"guest {next(names)}", window=a_window(h, days=done))
        before = h.writes()
        h.misbehave(misdeed)
        digits = (spec.pin.digits,) if spec.pin else ()
        await refused(OutcomeUnknown, h.provider.set_code(h.lock, spec), *digits)
        h.behave()
        if not h.sets_at_once:
            await answered(h.provider.set_code(h.lock, spec))
        assert h.writes() == before + 1
        h.settle()
        assert len(h.holds()) == done
        if is_readable(h.capabilities):
            assert is_settled(await the_code(h, spec))


@check(updates, ANSWER_LOST)
async def check_r22_an_update_whose_answer_is_lost_is_outcome_unknown_and_sent_once(h: Harness) -> None:
    old = a_spec(h)
    code = await set_and_settle(h, old)
    new, before = changed(h, old, h.capabilities.updates), h.writes()
    h.misbehave(Misdeed.SWALLOW)
    await refused(OutcomeUnknown, h.provider.update_code(h.lock, code.ref, new))
    h.behave()
    h.settle()
    assert h.writes() == before + 1
    assert_held(h, code.ref, new)


@check(removes, ANSWER_LOST)
async def check_r22_a_removal_whose_answer_is_lost_is_outcome_unknown_and_sent_once(h: Harness) -> None:
    pins = iter(some_pins(h.capabilities))
    for done, misdeed in enumerate(sorted(h.misdeeds.intersection(ANSWER_LOST))):
        code = await set_and_settle(h, a_spec(h, pin=next(pins), name=f"guest {done}"))
        before = h.writes()
        h.misbehave(misdeed)
        await refused(OutcomeUnknown, h.provider.remove_code(h.lock, code.ref))
        h.behave()
        h.settle()
        assert h.writes() == before + 1
        assert h.holds() == ()


@check(misdeeds=NOT_DONE)
async def check_r22_a_set_that_was_never_taken_is_unreachable_and_not_done(h: Harness) -> None:
    for misdeed in h.misdeeds.intersection(NOT_DONE):
        h.misbehave(misdeed)
        await refused(Unreachable, h.provider.set_code(h.lock, a_spec(h)))
    h.behave()
    h.settle()
    assert h.holds() == ()


@check(misdeeds=[Misdeed.THROTTLE])
async def check_r22_a_throttled_call_says_for_how_long(h: Harness) -> None:
    h.misbehave(Misdeed.THROTTLE)
    calls: list[Callable[[], Awaitable[object]]] = [
        h.provider.list_locks,
        lambda: h.provider.check_lock(h.lock),
        lambda: h.provider.set_code(h.lock, a_spec(h)),
    ]
    for call in calls:
        assert (await refused(RateLimited, call())).retry_after == RETRY_AFTER
    h.behave()
    h.settle()
    assert h.holds() == ()


@check(misdeeds=[Misdeed.REFUSE])
async def check_refused_credentials_are_account_refused(h: Harness) -> None:
    h.misbehave(Misdeed.REFUSE)
    nothing, spec = CodeRef("nothing"), a_spec(h)
    await refused(AccountRefused, h.provider.list_locks())
    await refused(AccountRefused, h.provider.list_codes(h.lock))
    await refused(AccountRefused, h.provider.check_lock(h.lock))
    await refused(AccountRefused, h.provider.set_code(h.lock, spec))
    await refused(AccountRefused, h.provider.update_code(h.lock, nothing, spec))
    await refused(AccountRefused, h.provider.remove_code(h.lock, nothing))


@check()
async def check_a_lock_the_account_does_not_have_is_lock_not_found(h: Harness) -> None:
    elsewhere = LockRef("somebody-elses")
    await refused(LockNotFound, h.provider.check_lock(elsewhere))
    await refused(LockNotFound, h.provider.list_codes(elsewhere))
    await refused(LockNotFound, h.provider.set_code(elsewhere, a_spec(h)))
    await refused(LockNotFound, h.provider.remove_code(elsewhere, CodeRef("1")))


# -- what is shown, and opening from afar ---------------------------------------------------------------------


@check(both(shows_pins, takes_pins))
async def check_what_a_driver_hands_back_hides_its_digits(h: Harness) -> None:
    spec = a_spec(h)
    written = await answered(h.provider.set_code(h.lock, spec))
    h.settle()
    shown = f"{written!r} {await the_code(h, spec, written)!r} {h.provider!r}"
    assert spec.pin.digits not in shown


@check(is_readable)
async def check_instants_that_are_seen_are_utc(h: Harness) -> None:
    code = await set_and_settle(h, a_spec(h))
    instants: list[datetime] = [code.window.starts, code.window.ends] if code.window else []
    assert all(instant.tzinfo is UTC for instant in instants)


@check(opens_doors)
async def check_a_door_that_can_be_opened_from_afar_is(h: Harness) -> None:
    before = h.writes()
    assert await answered(h.provider.open_door(h.lock)) is Receipt.DONE
    assert h.writes() == before + 1


@check(opens_doors)
async def check_a_door_out_of_reach_is_not_opened_from_afar(h: Harness) -> None:
    h.offline()
    await refused(LockOffline, h.provider.open_door(h.lock))


@check(opens_no_doors)
async def check_a_door_that_cannot_be_opened_from_afar_rejects_it(h: Harness) -> None:
    await refused(Rejected, h.provider.open_door(h.lock))
