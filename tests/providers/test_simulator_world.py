"""The simulated world: what a door does, whatever its lock app believes."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from lockbridge.contract import CodeGone, LockFull, LockOffline, PinTaken, Receipt, WindowRefused
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import LockRef
from providers.simulator import MAIN, RULE_SETS, Entry, RuleSet, SimulatedLockApp, Verb
from tests.contract.harness import Clock

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STAY = Window(NOW + HOUR, NOW + 49 * HOUR)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def app(clock: Clock) -> SimulatedLockApp:
    return SimulatedLockApp(clock, random.Random(3))


def put(app: SimulatedLockApp, lock: LockRef, pin: str | None = "4711", window: Window = STAY, name: str = "Ada"):
    return app.set_code(MAIN, lock, CodeSpec(Pin(pin) if pin else None, name, window))


def test_a_door_opens_within_the_window_and_not_at_its_end(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l")
    put(app, lock)
    inside, outside = (STAY.starts, STAY.ends - HOUR), (STAY.starts - timedelta(seconds=1), STAY.ends)
    assert all(app.opens(lock, "4711", at) for at in inside)
    assert not any(app.opens(lock, "4711", at) for at in outside)
    assert not app.opens(lock, "4712", STAY.starts)


def test_a_slot_without_a_clock_opens_as_long_as_it_is_filled(app: SimulatedLockApp, clock: Clock) -> None:
    lock = app.add_lock("l", rules="slots")
    assert put(app, lock).ref == "1"
    clock.at += timedelta(minutes=1)
    assert app.opens(lock, "4711", STAY.ends + 100 * HOUR)
    app.remove_code(MAIN, lock, "1")
    clock.at += timedelta(minutes=1)
    assert not app.opens(lock, "4711", STAY.starts)


def test_a_freed_slot_is_used_again(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l", rules="slots")
    refs = [put(app, lock, pin).ref for pin in ("1111", "2222", "3333")]
    app.delete_by_hand(lock, refs[1])
    assert put(app, lock, "4444").ref == refs[1]


def test_an_algorithmic_lock_gives_the_same_digits_for_the_same_question(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l", rules="algorithmic")
    first = put(app, lock, None)
    again = put(app, lock, None)
    other = put(app, lock, None, name="Grace")
    assert (first.receipt, again.receipt) == (Receipt.DONE, Receipt.ALREADY)
    assert first.pin == again.pin != other.pin
    assert app.opens(lock, first.pin.digits, STAY.starts)
    assert app.opens(lock, other.pin.digits, STAY.starts)


def test_an_algorithmic_lock_gives_out_as_many_codes_for_a_window_as_it_has_variants(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l", rules="algorithmic")
    for name in ("Ada", "Grace"):
        put(app, lock, None, name=name)
    with pytest.raises(WindowRefused):
        put(app, lock, None, name="Hedy")
    put(app, lock, None, Window(STAY.starts, STAY.ends + HOUR), name="Hedy")


def test_an_algorithmic_lock_needs_no_connection(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l", rules="algorithmic")
    app.offline(lock)
    written = put(app, lock, None)
    assert app.opens(lock, written.pin.digits, STAY.starts)


def test_two_runs_of_one_seed_give_the_same_digits_and_delays() -> None:
    def run() -> list[object]:
        app = SimulatedLockApp(Clock(NOW), random.Random(5))
        chosen, slow = app.add_lock("l", rules="algorithmic"), app.add_lock("m", rules="nuki")
        put(app, slow, app.free_pin(slow))
        return [put(app, chosen, None), app.locks[slow].codes]

    assert run() == run()


def test_an_accepted_code_is_on_the_door_only_when_it_has_arrived(app: SimulatedLockApp, clock: Clock) -> None:
    lock = app.add_lock("l", rules="nuki")
    assert put(app, lock, "456789").receipt is Receipt.ACCEPTED
    assert app.holds(lock) == ()
    assert not app.opens(lock, "456789", NOW + timedelta(seconds=4))
    assert app.opens(lock, "456789", STAY.starts)
    clock.at += timedelta(minutes=2)
    assert [held.pin for held in app.holds(lock)] == ["456789"]


def test_asking_the_door_about_the_future_changes_nothing(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l", rules="nuki")
    put(app, lock, "456789")
    assert app.opens(lock, "456789", STAY.starts)
    assert app.holds(lock) == ()


def test_a_door_out_of_reach_works_with_what_it_holds(app: SimulatedLockApp, clock: Clock) -> None:
    lock = app.add_lock("l")
    ref = put(app, lock).ref
    app.offline(lock, NOW + 5 * HOUR)
    assert app.opens(lock, "4711", STAY.starts)
    with pytest.raises(LockOffline):
        app.remove_code(MAIN, lock, ref)
    clock.at += 5 * HOUR
    assert app.remove_code(MAIN, lock, ref) is Receipt.DONE
    assert not app.opens(lock, "4711", clock())


def test_a_queueing_lock_app_does_it_when_the_lock_is_back(app: SimulatedLockApp, clock: Clock) -> None:
    lock = app.add_lock("l", rules="queueing")
    app.offline(lock, NOW + 5 * HOUR)
    assert put(app, lock).receipt is Receipt.ACCEPTED
    clock.at += 4 * HOUR
    assert app.list_codes(MAIN, lock)[0].state == "setting"
    assert not app.opens(lock, "4711", clock())
    clock.at += HOUR
    assert app.list_codes(MAIN, lock)[0].state == "set"
    assert app.opens(lock, "4711", clock())


def test_an_outage_without_end_ends_when_it_is_told(app: SimulatedLockApp, clock: Clock) -> None:
    lock = app.add_lock("l", rules="queueing")
    put(app, lock)
    app.offline(lock)
    clock.at += 30 * HOUR
    assert app.holds(lock) == ()
    assert not app.check_lock(MAIN, lock).online
    app.online(lock)
    assert app.check_lock(MAIN, lock).online
    assert [held.pin for held in app.holds(lock)] == ["4711"]


def test_a_changed_code_keeps_opening_as_it_was_until_the_change_arrives(app: SimulatedLockApp, clock: Clock) -> None:
    lock = app.add_lock("l", rules="queueing")
    ref = put(app, lock).ref
    clock.at += 2 * HOUR
    app.update_code(MAIN, lock, ref, CodeSpec(Pin("9876"), "Ada", STAY))
    assert app.opens(lock, "4711", clock())
    assert not app.opens(lock, "9876", clock())
    clock.at += HOUR
    assert app.opens(lock, "9876", clock())
    assert not app.opens(lock, "4711", clock())


def test_a_lock_app_that_forgets_expired_codes_says_gone(app: SimulatedLockApp, clock: Clock) -> None:
    lock = app.add_lock("l", rules="queueing")
    ref = put(app, lock).ref
    clock.at = STAY.ends
    assert app.list_codes(MAIN, lock) == []
    with pytest.raises(CodeGone):
        app.remove_code(MAIN, lock, ref)


def test_a_lock_whose_clock_is_wrong_opens_its_windows_an_hour_late(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l")
    put(app, lock)
    app.shift_schedule(lock, NOW, NOW + 24 * HOUR, HOUR)
    assert not app.opens(lock, "4711", STAY.starts)
    assert app.opens(lock, "4711", STAY.starts + HOUR)
    assert not app.opens(lock, "4711", STAY.ends)  # by then its clock is right again


def test_people_change_locks_and_the_vendor_gives_a_hint(app: SimulatedLockApp) -> None:
    lock, hints = app.add_lock("l"), []
    app.on_change = hints.append
    ref = app.add_by_hand(lock, "Cleaner", "2468")
    app.edit_by_hand(lock, ref, pin="1357")
    assert app.opens(lock, "1357", NOW)
    assert not app.opens(lock, "2468", NOW)
    app.delete_by_hand(lock, ref)
    assert not app.opens(lock, "1357", NOW)
    assert hints == [lock] * 3
    put(app, lock)
    assert len(hints) == 3


def test_people_cannot_have_two_codes_with_the_same_digits(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l")
    put(app, lock)
    ref = app.add_by_hand(lock, "Cleaner", "2468")
    with pytest.raises(PinTaken):
        app.edit_by_hand(lock, ref, pin="4711")
    with pytest.raises(PinTaken):
        app.add_by_hand(lock, "Cook", "4711")


def test_a_full_lock_is_full_for_people_too(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l", max_codes=5)
    put(app, lock)
    assert len(app.fill(lock, leave=1)) == 3
    app.fill(lock)
    with pytest.raises(LockFull):
        app.add_by_hand(lock, "Cook", "0000")


def test_a_lock_can_hold_more_codes_than_usual_when_told(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l", max_codes=5000)
    assert app.list_locks(MAIN)[0].capabilities.max_codes == 5000
    app.fill(lock, leave=4000)
    assert len(app.holds(lock)) == 1000


def test_the_journal_tells_who_did_what_to_whose_code(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l")
    theirs = app.add_by_hand(lock, "Cleaner", "2468")
    ours = put(app, lock).ref
    app.edit_by_hand(lock, ours, pin="1357")
    app.remove_code(MAIN, lock, theirs)
    assert app.journal == [
        Entry(NOW, lock, Verb.SET, theirs, "Cleaner", "hand", "hand"),
        Entry(NOW, lock, Verb.SET, ours, "Ada", "us", "us"),
        Entry(NOW, lock, Verb.UPDATE, ours, "Ada", "hand", "us"),
        Entry(NOW, lock, Verb.REMOVE, theirs, "Cleaner", "us", "hand"),
    ]
    assert [entry.ref for entry in app.journal if entry.by == "us" and entry.made_by == "hand"] == [theirs]


def test_a_rejected_write_is_counted_as_a_call_and_not_journalled(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l")
    app.add_by_hand(lock, "Cleaner", "4711")
    with pytest.raises(PinTaken):
        put(app, lock)
    assert app.calls[Verb.SET] == 1
    assert len(app.journal) == 1


def test_accounts_see_their_own_locks_only(app: SimulatedLockApp) -> None:
    app.add_account("other", token="other-token")
    app.add_lock("mine")
    app.add_lock("theirs", account="other")
    assert [lock.ref for lock in app.list_locks(MAIN)] == ["mine"]
    assert [lock.ref for lock in app.list_locks("other")] == ["theirs"]
    app.remove_lock(LockRef("theirs"))
    assert app.list_locks("other") == []


@pytest.mark.parametrize("options", [{"rules": "unheard-of"}, {"account": "nobody"}, {"ref": "l"}], ids=str)
def test_a_lock_that_cannot_be_added_is_a_clear_error(app: SimulatedLockApp, options: dict[str, str]) -> None:
    app.add_lock("l")
    with pytest.raises(ValueError, match="there is"):
        app.add_lock(**{"ref": "m", **options})


def test_an_account_is_added_once(app: SimulatedLockApp) -> None:
    with pytest.raises(ValueError, match="already"):
        app.add_account(MAIN, token="new")


def test_a_rule_set_of_ones_own_is_taken_in_process(app: SimulatedLockApp) -> None:
    lock = app.add_lock("l", rules=RuleSet("mine", variants=3))
    assert app.rules_of(lock).variants == 3


def test_an_update_that_changes_nothing_says_so(app: SimulatedLockApp, clock: Clock) -> None:
    sure, unsure = app.add_lock("l"), app.add_lock("m", rules="queueing")
    spec = CodeSpec(Pin("4711"), "Ada", STAY)
    for lock, receipt in ((sure, Receipt.ALREADY), (unsure, Receipt.ACCEPTED)):
        ref = put(app, lock).ref
        assert app.update_code(MAIN, lock, ref, spec).receipt is receipt
    clock.at += HOUR
    assert app.update_code(MAIN, unsure, ref, spec).receipt is Receipt.ALREADY


def test_all_three_classes_of_lock_are_among_the_rule_sets() -> None:
    assert {rules.capabilities.lock_class.value for rules in RULE_SETS.values()} == {"A", "B", "C"}
    assert all(rules.capabilities.max_codes == 100 for rules in RULE_SETS.values())


@pytest.mark.parametrize("rules", RULE_SETS)
def test_r12_free_digits_are_found_until_the_lock_is_full(app: SimulatedLockApp, rules: str) -> None:
    lock = app.add_lock("l", rules=rules)
    app.fill(lock)
    assert len({held.pin for held in app.holds(lock)}) == 100
