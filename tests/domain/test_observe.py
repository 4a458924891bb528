from dataclasses import replace
from datetime import timedelta

import pytest

from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, PlacementId
from lockbridge.domain.observe import differences, from_memory, observe, settled
from lockbridge.domain.placement import PlacementState, Verb, spec_for
from lockbridge.domain.seen import CodeState, Kind, Remedy, SeenCode, Trouble
from tests.domain.model_lock import ALGORITHMIC, BLIND, DAY, FIXED, MASKED, NOW, SLOTS, SYNC, backup, placement


def asked(number=1, capabilities=SYNC, **changes):
    """A placement whose code was asked for; the answer is not known."""
    one = placement(number, capabilities=capabilities)
    lost = {"asked": spec_for(one, capabilities), "asked_at": NOW, "intent": Verb.SET}
    return replace(one, **lost | changes)


def code(one, ref="a", **changes):
    return replace(SeenCode(CodeRef(ref), one.asked.pin, one.asked.name or None, one.asked.window), **changes)


def owner(seen, *placements):
    """Whose the one listed code is, by number; None: a stranger's."""
    found = observe(placements, [seen])
    return next(iter(found.ours), None)


def test_law_5_a_code_is_ours_by_its_reference_whatever_else_changed():
    known = asked(ref=CodeRef("a"), intent=None)
    assert owner(SeenCode(CodeRef("a"), Pin("9999"), "Guest 1"), known) == 1
    assert owner(SeenCode(CodeRef("b"), known.pin, "Guest 1"), known) is None


def test_law_5_without_a_reference_it_is_ours_by_name_and_digits():
    one = asked()
    assert owner(code(one), one) == 1
    assert owner(code(one, pin=Pin("9999")), one) is None
    assert owner(code(one, name="Somebody"), one) is None
    assert owner(code(one, window=Window(NOW, NOW + DAY)), one) == 1


def test_law_5_where_names_are_not_kept_the_digits_tell():
    one = asked(capabilities=SLOTS)
    assert owner(code(one), one) == 1


def test_law_5_where_digits_cannot_be_read_name_and_window_tell():
    one = asked(capabilities=MASKED)
    assert owner(code(one, pin=None), one) == 1


def test_law_6_a_name_alone_does_not_make_a_strangers_code_ours():
    one = asked(capabilities=MASKED)
    assert owner(code(one, pin=None, window=Window(NOW, None)), one) is None
    assert owner(code(one, pin=None, name=None), one) is None


def test_law_6_before_anything_was_asked_for_nothing_is_ours():
    one = placement()
    assert owner(SeenCode(CodeRef("a"), one.pin, one.name, one.window), one) is None


def test_law_6_a_confirmed_code_gone_from_its_reference_is_not_looked_for_elsewhere():
    one = asked(ref=CodeRef("a"), intent=None, state=PlacementState.SET)
    assert owner(code(one, ref="b"), one) is None


def test_law_6_a_slot_that_was_cleared_and_used_by_hand_is_a_strangers():
    one = asked(ref=CodeRef("slot 3"), intent=None, state=PlacementState.SET)
    theirs = SeenCode(CodeRef("slot 3"), Pin("9999"), "Cleaner")
    assert owner(theirs, one) is None
    assert owner(replace(theirs, pin=one.pin), one) == 1
    assert owner(replace(theirs, name=one.name), one) == 1


def test_law_6_a_slot_that_was_given_again_belongs_to_the_last_it_was_given_to():
    first = asked(1, ref=CodeRef("s"), intent=None, state=PlacementState.FAILED)
    last = replace(asked(2, ref=CodeRef("s"), intent=None), asked_at=NOW + timedelta(minutes=1))
    assert owner(code(last, ref="s"), first, last) == 2
    assert set(from_memory([first, last], NOW).ours) == {2}


def test_law_5_digits_and_name_changed_by_a_lost_update_are_recognised_under_a_new_reference():
    before = asked(ref=CodeRef("a"), intent=None)
    lost = replace(before, intent=Verb.UPDATE, pin=Pin("4444"))
    assert owner(code(before, ref="b", pin=Pin("4444")), lost) == 1
    assert owner(code(before, ref="b"), lost) == 1


def test_r44_and_r10_two_stays_with_the_same_digits_are_told_apart_by_their_windows():
    first = replace(asked(1, capabilities=SLOTS), name="")
    apart = Window(NOW + 9 * DAY, NOW + 12 * DAY)
    spec = CodeSpec(first.pin, "", apart)
    second = replace(first, id=PlacementId(2), window=apart, asked=spec)
    assert observe([first, second], [code(second)]).ours.keys() == {2}


def test_r19_a_replaced_code_is_told_from_the_new_one():
    one = asked(replaces=CodeRef("old"))
    old = code(one, ref="old", pin=Pin("9999"))
    found = observe([one], [old, code(one), SeenCode(CodeRef("x"), Pin("1000"))])
    assert (found.ours[1].ref, found.replaced[1].ref, found.count) == ("a", "old", 3)
    assert [stranger.ref for stranger in found.strangers] == ["x"]


def test_an_algorithmic_code_is_remembered_until_its_window_is_over():
    one = asked(capabilities=ALGORITHMIC, ref=CodeRef("a"), intent=None, pin=Pin("123456"))
    assert from_memory([one], NOW).ours[1].pin == one.pin
    assert not from_memory([one], one.asked.window.ends).ours


def test_a_lock_that_cannot_be_asked_is_taken_to_hold_what_it_took_until_it_is_taken_off():
    one = asked(capabilities=BLIND, ref=CodeRef("a"), intent=None, replaces=CodeRef("old"))
    found = from_memory([one, placement(2)], one.window.ends + DAY)
    assert (found.ours[1].ref, found.replaced[1].ref, found.count) == ("a", "old", 2)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, set()),
        ({"pin": Pin("9999")}, {"pin"}),
        ({"name": "Other"}, {"name"}),
        ({"name": None}, set()),
        ({"window": None}, {"window"}),
        ({"pin": None}, set()),
    ],
)
def test_r33_what_the_lock_holds_otherwise_than_wanted(changes, found):
    one = asked()
    assert differences(one, code(one, **changes), SYNC) == found


def test_r33_digits_that_cannot_be_read_are_those_last_taken():
    one = asked(capabilities=MASKED)
    assert not differences(one, code(one, pin=None), MASKED)
    assert differences(replace(one, pin=Pin("4444")), code(one, pin=None), MASKED) == {"pin"}


def test_r33_what_is_not_worth_a_gap_counts_as_right_where_it_cannot_be_changed_in_place():
    one = asked(capabilities=FIXED)
    assert not differences(one, code(one, name="Other"), FIXED)
    given = replace(backup(), window=Window(NOW - DAY, NOW + DAY))
    standing = SeenCode(CodeRef("b"), given.pin, given.name, None)
    assert not differences(given, standing, FIXED)
    assert differences(given, standing, SYNC) == {"window"}


def test_digits_that_the_lock_app_chooses_never_differ():
    one = asked(capabilities=ALGORITHMIC, pin=Pin("123456"))
    assert not differences(one, code(one, pin=Pin("654321")), ALGORITHMIC)


def test_a_code_is_settled_when_the_lock_app_says_the_lock_holds_it():
    one = asked()
    assert settled(code(one))
    assert not settled(code(one, state=CodeState.SETTING))
    assert not settled(code(one, trouble=Trouble(Kind.PIN_TAKEN, Remedy.REPLAN)))
