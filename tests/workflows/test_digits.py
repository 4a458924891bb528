"""Which digits and which name a stay gets, and what the host is told of why."""

import pytest

from lockbridge.contract import PinTaken
from lockbridge.storage import codes
from providers.simulator import Fault, Verb
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS

PHONE = "+1 555 010 1234"


def why_digits(engine, ref="res-4711"):
    return next(entry.why for entry in engine.view(ref).history if entry.kind == "pin")


def why_name(engine, ref="res-4711"):
    return [entry.why for entry in engine.view(ref).history if entry.kind == "name"][-1]


@pytest.mark.parametrize(
    ("settings", "phone", "rules", "digits", "why"),
    [
        ({}, PHONE, "standard", "1234", "last digits of the guest's phone number"),
        ({}, "(555) 010-0004", "standard", "0004", "last digits of the guest's phone number"),
        ({"pin_length": 6}, PHONE, "standard", "101234", "last digits"),
        ({"pin_mode": "random"}, PHONE, "standard", None, "as the property's settings ask"),
        ({"phone_wait_minutes": 0}, None, "standard", None, "the booking has no phone number"),
        ({}, "call me", "standard", None, "could not be read"),
        ({}, PHONE, "nuki", None, "does not take the digits"),
    ],
)
async def test_r5_r6_r7_r8_the_digits_come_from_where_the_property_says_and_explain_says_why(
    start, settings, phone, rules, digits, why
):
    engine = await start({"front": rules}, settings=settings)
    await engine.book(phone=phone)
    assert why in why_digits(engine)
    if digits:
        assert engine.pin() == digits
    else:
        assert engine.pin() != "1234"


async def test_r8_r10_digits_that_somebody_else_has_on_the_lock_are_not_given_again(start):
    engine = await start({"front": "standard", "side": "standard"}, at=OPENS - DAY)
    engine.app.add_by_hand("side", "Cleaner", "1234")
    await engine.look_at("side")
    await engine.book(phone=PHONE)
    assert engine.pin() != "1234"
    assert "in use on a lock" in why_digits(engine)


async def test_r10_two_stays_with_one_phone_have_different_digits_on_a_shared_lock(start):
    engine = await start({"gate": "standard"})
    other = await engine.add_property("Boat House", "prop-8")
    await engine.match("gate", other)
    await engine.book(phone=PHONE)
    await engine.book(phone=PHONE, id="R2", code="HM2", home="prop-8", last_name="Other", email="o@example.com")
    assert engine.pin() == "1234"
    assert engine.pin("R2") != "1234"


async def test_r10_the_same_digits_do_on_a_lock_that_keeps_disjoint_windows_apart(start):
    engine = await start({"front": "queueing"})
    await engine.book(phone=PHONE)
    await engine.book(
        phone=PHONE, id="R2", code="HM2", arrival="2026-06-20", departure="2026-06-22", email="o@example.com"
    )
    await engine.book(
        phone=PHONE, id="R3", code="HM3", arrival="2026-06-17", departure="2026-06-19", email="p@example.com"
    )
    assert engine.pin("R2") == engine.pin() == "1234"
    assert engine.pin("R3") == "1234"


async def test_r9_a_phone_number_that_comes_within_five_minutes_is_used(start):
    engine = await start()
    await engine.book(phone=None)
    assert engine.view().code is None or engine.view().code.pin is None
    await engine.passes(4 * MINUTE)
    await engine.book(happening="changed", phone=PHONE)
    assert engine.pin() == "1234"


async def test_r9_after_five_minutes_the_pin_is_random_and_a_late_phone_number_changes_nothing(start):
    engine = await start()
    await engine.book(phone=None)
    await engine.passes(5 * MINUTE)
    pin = engine.pin()
    assert "has no phone number" in why_digits(engine)
    await engine.book(happening="changed", phone="+1 555 010 9876")
    assert engine.pin() == pin


async def test_r9_nobody_waits_for_a_phone_number_past_the_push_time(start):
    engine = await start(at=OPENS - HOUR)
    await engine.book(phone=None)
    assert engine.opens("front", at=OPENS)


async def test_r11_a_duplicate_found_at_the_lock_before_telling_changes_the_pin_on_all_locks(start):
    engine = await start({"front": "standard", "side": "standard"})
    await engine.book(phone=PHONE)
    assert engine.pin() == "1234"
    engine.app.add_by_hand("side", "Cleaner", "1234")
    await engine.until(OPENS - 2 * DAY)
    pin = engine.pin()
    assert pin != "1234"
    assert engine.opens("front", pin, at=OPENS)
    assert engine.opens("side", pin, at=OPENS)
    assert {code.pin for code in engine.held("front")} == {pin}
    assert engine.app.opens("side", "1234", OPENS)
    assert "on all locks" in engine.whys()
    await engine.until(OPENS)
    (told,) = engine.mails()
    assert pin in told.text
    assert "1234" not in told.text


async def test_r11_a_duplicate_found_after_telling_changes_the_refusing_lock_only_and_is_corrected_once(start):
    engine = await start({"front": "standard", "side": "slots"}, code_hours_before=2 * DAY)
    await engine.book(phone=PHONE)
    await engine.write(lambda c: _tell(c, engine))
    engine.app.add_by_hand("side", "Cleaner", "1234")
    await engine.until(OPENS + MINUTE)
    assert engine.pin(lock="front") == "1234"
    other = engine.pin(lock="side")
    assert other != "1234"
    assert engine.opens("front", "1234")
    assert engine.opens("side", other)
    await engine.until(CLOSES)
    (correction,) = engine.told_guest("correction")
    assert other in correction.text
    assert "side" in correction.text
    assert "front" not in correction.text
    assert "1234" not in correction.text


def _tell(connection, engine):
    """The guest was told already, as a host's own early message would."""
    placed = codes.placements_of(connection, engine.services.vault, [engine.code()])[engine.code()]
    codes.note_told(connection, {item.placement.id: item.pin_index for item in placed}, engine.now)


async def test_r11_a_lock_that_refuses_every_pin_is_not_asked_for_ever(start):
    engine = await start(at=OPENS - DAY, settings={"backups": False})

    async def always_taken(verb, _lock):
        if verb == "set":
            raise PinTaken

    engine.tap.before = always_taken
    await engine.book(phone=PHONE)
    await engine.passes(6 * HOUR)
    sets = [verb for verb, _ in engine.tap.calls if verb == "set"]
    assert 5 <= len(sets) <= 8
    assert engine.statuses() == {"front": "failed"}


@pytest.mark.parametrize(
    ("first", "last", "name", "why"),
    [
        ("Ida", "Example", "Ida Example", "It is the guest's name"),
        ("Ida", "Ex(ample)", "HMTEST4711", "characters a lock may not take"),
        ("Ida", "🎉🎉", "HMTEST4711", "characters a lock may not take"),
        ("Ida", "E" * 496, "HMTEST4711", "too long for a lock"),
        ("Zoë", "Åström", "HMTEST4711", "characters"),
    ],
)
async def test_r14_r15_the_code_bears_the_guests_name_where_it_can_and_explain_says_why_not(
    start, first, last, name, why
):
    engine = await start(at=OPENS - DAY)
    await engine.book(first_name=first, last_name=last)
    assert [code.name for code in engine.held()] == [name]
    assert why in why_name(engine)
    assert len(engine.mails()) == 1


async def test_r14_a_name_that_is_on_the_lock_by_hand_becomes_the_reservation_code(start):
    engine = await start(at=OPENS - DAY)
    engine.app.add_by_hand("front", "Ida Example", "7391")
    await engine.look_at()
    await engine.book()
    assert [code.name for code in engine.held()] == ["HMTEST4711"]
    assert "made by hand" in why_name(engine)


async def test_r14_a_guest_with_several_stays_goes_by_the_reservation_code_and_a_taken_one_is_numbered(start):
    engine = await start({"front": "unique-names"}, at=OPENS - DAY)
    engine.app.add_by_hand("front", "HM2", "7391")
    await engine.look_at()
    await engine.book(phone="+15550101111")
    await engine.book(id="R2", code="HM2", arrival="2026-06-17", departure="2026-06-18", phone="+15550101112")
    await engine.until(OPENS + DAY)
    assert {code.name for code in engine.held()} == {"Ida Example", "HM2-2"}
    assert "numbered" in why_name(engine, "R2")


async def test_r14_a_name_refused_without_a_reason_becomes_the_reservation_code_at_the_next_attempt(start):
    engine = await start(at=OPENS - DAY)
    engine.app.script("front", Fault.REJECTED, on=[Verb.SET])
    await engine.book()
    await engine.passes(MINUTE)
    assert [code.name for code in engine.held()] == ["HMTEST4711"]
    assert "rejected the guest's name" in why_name(engine)


async def test_r14_a_name_that_is_taken_at_the_lock_is_replaced_there(start):
    engine = await start({"front": "unique-names"})
    await engine.book()
    engine.app.add_by_hand("front", "Ida Example", "7391")
    await engine.until(OPENS - 2 * DAY)
    assert [code.name for code in engine.held()] == ["HMTEST4711"]


async def test_r15_the_history_names_no_guest(start):
    engine = await start(at=OPENS - DAY)
    await engine.book()
    await engine.until(CLOSES + 2 * DAY)
    assert "Ida" not in engine.whys()


async def test_r36_digits_that_the_lock_app_chose_anew_after_telling_are_corrected_once(start):
    engine = await start({"front": "algorithmic"}, at=OPENS - DAY)
    await engine.book()
    await engine.passes(MINUTE)
    pin = engine.pin(lock="front")
    assert len(engine.mails()) == 1
    assert pin in engine.mails()[0].text
    await engine.book(happening="changed", departure="2026-06-18")
    await engine.passes(MINUTE)
    other = engine.pin(lock="front")
    assert other != pin
    assert engine.opens("front", other, at=CLOSES + DAY)
    (correction,) = engine.told_guest("correction")
    assert other in correction.text
    await engine.until(CLOSES + 3 * DAY)
    assert len(engine.told_guest("correction")) == 1
