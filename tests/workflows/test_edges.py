"""Rare turns of the workflows, each with its rule."""

from datetime import timedelta

import pytest

from lockbridge.contract import AccountRefused
from lockbridge.domain.lock import Capabilities, NameRules, PinRules
from lockbridge.storage import hosts, locks
from lockbridge.workflows import connect, preview, push, resync, staff
from lockbridge.workflows.connect import BadInput
from providers.simulator import Fault, RuleSet, Verb
from tests.platforms.make_believe import Booking
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, NOW, OPENS

FOUR_ONLY = RuleSet("four-only", Capabilities(pin_rules=PinRules(lengths=frozenset({4}))))
ONE_DIGIT = RuleSet("one-digit", Capabilities(pin_rules=PinRules(lengths=frozenset({1}))))
LOUD = RuleSet("loud", Capabilities(name_rules=NameRules(max_length=8, charset="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")))


async def test_a_plan_that_would_empty_a_lock_is_refused_and_the_host_told_until_somebody_allows_it(start):
    engine = await start(at=OPENS - DAY, settings={"backups": False}, max_removals=2)
    for number in range(4):
        await engine.book(id=f"R{number}", code=f"HM{number}", guest=f"Guest {number}")
    await engine.unmatch("front")
    await engine.passes(HOUR)
    assert len(engine.held()) == 4
    (told,) = engine.told_host("plan_refused")
    assert "4 codes" in told.text
    await engine.restart(max_removals=10)
    await resync.resync(engine.services, engine.locks["front"], engine.now)
    await engine.passes(MINUTE)
    assert engine.held() == []
    assert "plan_refused" not in engine.alarms()


async def test_a_pass_whose_lease_was_lost_before_its_calls_makes_none(start):
    engine = await start(at=OPENS - DAY)
    await engine.say(Booking())

    async def takes_long(verb, _lock):
        if verb == "list_codes":
            engine.tap.after = _nothing
            engine.clock.advance(engine.services.policy.lease + MINUTE)
            await push.claim(engine.services, engine.now, 10)

    async def _nothing(_verb, _lock):
        pass

    engine.tap.after = takes_long
    engine.tap.calls.clear()
    await engine.tick()
    assert [verb for verb, _ in engine.tap.calls] == ["list_codes"]
    await engine.passes(10 * MINUTE)
    assert engine.statuses() == {"front": "scheduled"}


async def test_a_mistake_of_ours_in_telling_keeps_what_was_done(start, monkeypatch):
    engine = await start(at=OPENS - DAY)

    def breaks(*_args):
        return {}["a fact nobody gave"]

    monkeypatch.setattr("lockbridge.workflows.trouble.report", breaks)
    engine.app.script("front", Fault.RATE_LIMITED, on=[Verb.SET])
    await engine.book()
    assert "asks for fewer calls" in engine.whys()
    monkeypatch.undo()
    await engine.passes(5 * MINUTE)
    assert engine.statuses() == {"front": "scheduled"}


async def test_r2_r12_locks_that_share_no_pin_length_are_told_to_the_host_and_not_looped_on(start):
    engine = await start({"front": "nuki", "side": FOUR_ONLY}, at=OPENS - DAY)
    await engine.book()
    assert "no PIN length fits every lock" in engine.stay().trouble
    (told,) = engine.told_host("pin_space_exhausted")
    assert "no PIN length" in told.text
    await engine.passes(DAY)
    assert len(engine.told_host("pin_space_exhausted")) == 1
    await engine.unmatch("side")
    await engine.passes(5 * MINUTE)
    assert engine.stay().trouble is None
    assert engine.opens("front", at=OPENS)


async def test_r12_a_lock_whose_digits_are_used_up_is_told_to_the_host(start):
    engine = await start({"front": ONE_DIGIT}, at=OPENS - DAY, settings={"backups": False})
    for digit in range(9):
        engine.app.add_by_hand("front", f"Stranger {digit}", str(digit))
    engine.app.add_by_hand("front", "Stranger 9", "9")
    await engine.look_at()
    await engine.book()
    assert "no free PIN is left" in engine.stay().trouble
    assert len(engine.told_host("pin_space_exhausted")) == 1
    new = staff.NewStaffCode("Ada", [engine.locks["front"]], NOW)
    with pytest.raises(BadInput, match="no PIN is free"):
        await staff.add(engine.services, engine.host, new, engine.now)


async def test_r42_a_staff_code_on_locks_that_share_no_pin_length_is_refused_in_plain_words(start):
    engine = await start({"front": "nuki", "side": FOUR_ONLY})
    new = staff.NewStaffCode("Ada", list(engine.locks.values()), NOW)
    with pytest.raises(BadInput, match="no PIN length fits every lock"):
        await staff.add(engine.services, engine.host, new, engine.now)


async def test_r11_when_no_other_digits_are_free_the_code_stays_failed_and_the_host_hears_of_it(start, monkeypatch):
    engine = await start(at=OPENS - DAY, settings={"backups": False})
    monkeypatch.setattr("lockbridge.workflows.choose.other_pin", lambda *_: None)
    engine.app.add_by_hand("front", "Cleaner", "1234")
    await engine.book(phone="+1 555 010 1234")
    await engine.until(OPENS + MINUTE)
    assert engine.statuses() == {"front": "failed"}
    assert engine.told_host("push_failed")


@pytest.mark.parametrize("rules", ["one-length", "first-four"])
async def test_r13_rules_that_look_at_the_other_codes_of_a_lock_are_kept(start, rules):
    engine = await start({"front": rules}, at=OPENS - DAY)
    engine.app.add_by_hand("front", "Cleaner", "12349"[: 5 if rules == "one-length" else 4])
    await engine.look_at()
    engine.app.script("front", Fault.PASS)
    await engine.book(phone="+1 555 010 1234")
    if rules == "one-length":
        lengths = {len(code.pin) for code in engine.app.holds("front") if code.made_by == "us"}
        assert len(engine.pin()) in lengths
    else:
        assert engine.pin()[:4] != "1234"


async def test_r14_each_lock_takes_the_name_it_can(start):
    engine = await start({"front": "standard", "side": LOUD}, at=OPENS - DAY)
    await engine.book(code="HM77")
    assert {code.name for code in engine.held("side")} == {"HM77"}
    assert engine.opens("side", at=OPENS)


async def test_r29_a_booking_that_was_over_before_it_came_gets_no_code(start):
    engine = await start(at=CLOSES + HOUR)
    await engine.book()
    assert engine.stay().code is None
    assert engine.held() == []
    assert engine.mails() == []


async def test_r19_new_dates_that_are_over_already_take_the_code_off(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book()
    await engine.until(OPENS + HOUR)
    await engine.book(happening="changed", arrival="2026-06-12", departure="2026-06-13")
    await engine.passes(MINUTE)
    assert not engine.app.opens("front", engine.pin(), engine.now)
    assert engine.held() == []


async def test_r44_two_stays_that_become_back_to_back_end_up_with_one_code(start):
    engine = await start(at=OPENS - DAY)
    await engine.book(departure="2026-06-15")
    await engine.book(id="R2", code="HM2", arrival="2026-06-16", departure="2026-06-17")
    assert engine.code() != engine.code("R2")
    await engine.book(happening="changed", departure="2026-06-16")
    await engine.passes(MINUTE)
    assert engine.code() == engine.code("R2")
    assert [code.pin for code in engine.held()] == [engine.pin()]
    assert engine.opens("front", at=CLOSES + HOUR)


async def test_r25_r30_a_backup_given_to_a_stay_that_is_cancelled_is_taken_back_at_once(start):
    engine = await start(at=OPENS - DAY)
    engine.app.offline("front")
    await engine.book()
    await engine.until(OPENS + MINUTE)
    (told,) = engine.told_guest("backup_code")
    (given,) = [pin for pin in engine.backup_pins() if pin in told.text]
    engine.app.online("front")
    await engine.book(happening="cancelled", status="cancelled")
    await engine.passes(20 * MINUTE)
    assert not engine.app.opens("front", given, engine.now)
    assert len(engine.app.holds("front")) == 2


async def test_r19_a_stay_of_an_unknown_property_that_is_cancelled_is_over(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book()
    await engine.book(home="prop-99")
    await engine.book(home="prop-99", happening="cancelled", status="cancelled")
    await engine.passes(MINUTE)
    assert engine.held() == []
    assert engine.stay().status == "cancelled"


async def test_r22_a_reconnect_with_other_settings_is_tried_before_it_is_stored(start):
    engine = await start(at=OPENS - DAY)
    account = engine.ask(hosts.lock_apps, engine.services.vault, [engine.account])[engine.account]
    with pytest.raises(AccountRefused):
        await connect.reconnect(engine.services, account, {"account": "nobody's"}, engine.now)
    rows = await connect.reconnect(engine.services, account, {"account": "main"}, engine.now)
    assert [row.name for row in rows] == ["front"]
    kept = engine.ask(hosts.lock_apps, engine.services.vault, [engine.account])[engine.account]
    assert kept.settings["account"] == "main"


async def _previewed(engine, place, *, matched):
    lock = engine.locks["front"]
    return await preview.preview_match(engine.services, engine.host, place, lock, engine.now, matched=matched)


@pytest.mark.parametrize("rules", ["standard", "algorithmic"])
async def test_r47_matching_and_unmatching_are_previewed_by_the_same_planner_and_change_nothing(start, rules):
    engine = await start({"front": rules}, at=OPENS - DAY)
    await engine.book()
    await engine.passes(10 * MINUTE)
    before, journal = engine.app.holds("front"), len(engine.app.journal)
    shown = await _previewed(engine, engine.place, matched=False)
    assert len(shown.before) == len(engine.ask(locks.live_placements, engine.services.vault, engine.locks["front"]))
    if rules == "standard":
        assert {action.verb for action in shown.plan.actions} == {"remove"}
    other = await engine.add_property("Boat House", "prop-8")
    again = await _previewed(engine, other, matched=True)
    assert again.plan.actions == ()
    assert engine.app.holds("front") == before
    assert len(engine.app.journal) == journal
    assert engine.ask(hosts.matches, [engine.place, other]) == [(engine.place, engine.locks["front"])]
    await engine.passes(timedelta(minutes=1))
    assert engine.app.holds("front") == before
