import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.lock import NameRules
from lockbridge.domain.naming import CHARACTERS, NameReason, choose_name, explain

CODE = "HMX4ABCD12"


def choose(name="Ada Example", code=CODE, *rules, taken=(), **flags):
    held = {each.casefold() for each in taken}
    return choose_name(name, code, rules or [NameRules()], taken=lambda one: one.casefold() in held, **flags)


@pytest.mark.parametrize(
    "name",
    ["Ada Example", "Zoé-Löwe", "Mary-Jane O'Brien Jr.", "Åsa Ñuñez", "R2 D2"],
)
def test_r14_the_code_is_called_like_the_guest(name):
    choice = choose(name)
    assert (choice.name, choice.reason, choice.detail) == (name, NameReason.GUEST_NAME, "")


def test_r14_spaces_are_collapsed_and_composed_letters_are_one():
    assert choose("  Ada\t \u00a0Example\n").name == "Ada Example"
    assert choose("Rene\u0301e").name == "Renée"


@pytest.mark.parametrize(
    "name",
    ["Ada (2)", "Ada 🏖", "Zoë", "Владимир", "李雷", "Ada_E", "Ada\u0301m x\u0301", "Ada/Bob", "Ada\u200dE", "A²"],
)
def test_r14_a_character_outside_the_basic_letters_gives_the_reservation_code(name):
    choice = choose(name)
    assert (choice.name, choice.reason) == (CODE, NameReason.CHARACTERS)


def test_r13_r14_a_locks_own_charset_narrows_the_names():
    only_ascii = NameRules(charset=string.ascii_letters + string.digits)
    assert choose("José", CODE, NameRules(), only_ascii).reason is NameReason.CHARACTERS
    assert choose("Jose", CODE, NameRules(), only_ascii).name == "Jose"
    assert choose("Ada (2)", CODE, NameRules(charset=string.printable)).reason is NameReason.CHARACTERS


def test_r13_r14_a_name_longer_than_the_tightest_lock_gives_the_reservation_code():
    choice = choose("Ada Maria Example", CODE, NameRules(max_length=64), NameRules(max_length=16))
    assert (choice.name, choice.reason) == (CODE, NameReason.TOO_LONG)
    assert choose("Ada Mari Example", CODE, NameRules(max_length=16)).reason is NameReason.GUEST_NAME


def test_r13_r14_a_name_shorter_than_a_lock_takes_gives_the_reservation_code():
    choice = choose("Bo", CODE, NameRules(min_length=3))
    assert (choice.name, choice.reason) == (CODE, NameReason.TOO_SHORT)


def test_r14_a_name_on_the_lock_gives_the_reservation_code():
    choice = choose(taken=["ada example"])
    assert (choice.name, choice.reason, choice.detail) == (CODE, NameReason.NAME_TAKEN, "")


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("several_stays", NameReason.SEVERAL_STAYS),
        ("rejected", NameReason.REJECTED),
        ("made_by_hand", NameReason.MADE_BY_HAND),
    ],
)
def test_r14_each_other_case_gives_the_reservation_code(flag, reason):
    choice = choose(**{flag: True})
    assert (choice.name, choice.reason) == (CODE, reason)


@pytest.mark.parametrize("name", [None, "", " \n "])
def test_r14_a_booking_without_a_name_gives_the_reservation_code(name):
    choice = choose(name)
    assert (choice.name, choice.reason) == (CODE, NameReason.NO_NAME)


def test_r14_a_reservation_code_that_is_taken_too_is_numbered_from_two():
    taken = ["Ada Example", CODE.lower()]
    assert choose(taken=taken).name == f"{CODE}-2"
    numbered = choose(taken=[*taken, f"{CODE}-2", f"{CODE}-3"])
    assert (numbered.name, numbered.reason) == (f"{CODE}-4", NameReason.NAME_TAKEN)
    assert "numbered" in numbered.detail


def test_r14_the_number_fits_into_the_longest_name_of_the_lock():
    assert choose(None, CODE, NameRules(max_length=8), taken=["HMX4ABCD"]).name == "HMX4AB-2"


@pytest.mark.parametrize(
    ("code", "rules", "name"),
    [
        ("res_(77)/a", NameRules(), "res77a"),
        ("预订", NameRules(), "stay"),
        ("--", NameRules(), "stay"),
        ("", NameRules(charset=string.ascii_uppercase + string.digits), "STAY"),
        ("", NameRules(charset=string.digits), "0"),
        ("", NameRules(charset="x-"), "x"),
        ("", NameRules(charset="()"), "stay"),
        ("A7", NameRules(min_length=4), "A700"),
        ("A7", NameRules(min_length=4, charset="A"), "AAAA"),
        ("hmx-4", NameRules(charset=string.ascii_uppercase + string.digits), "HMX4"),
    ],
)
def test_r14_a_reservation_code_is_made_to_fit_the_lock(code, rules, name):
    assert choose(None, code, rules).name == name


def test_r14_a_lock_on_which_every_name_is_taken_ends_the_search():
    assert choose_name("Ada", CODE, [NameRules()], taken=lambda _: True).name.startswith(f"{CODE}-")


def name_rules():
    alphabet = string.ascii_letters + string.digits
    charsets = st.sampled_from([None, alphabet, alphabet + "- ", string.ascii_uppercase + string.digits])
    return st.builds(NameRules, min_length=st.integers(0, 4), max_length=st.integers(6, 40), charset=charsets)


@given(
    st.none() | st.text(max_size=30) | st.text("abcÉñ -'.", max_size=30),
    st.text(max_size=30),
    st.lists(name_rules(), max_size=3),
    st.integers(0, 30),
    st.booleans(),
)
def test_r14_the_name_fits_every_lock_and_is_free(name, code, rules, occupied, several):
    held = set()

    def taken(one):
        return one.casefold() in held

    for _ in range(occupied):
        held.add(choose_name(name, code, rules, taken=taken, several_stays=several).name.casefold())
    assert len(held) == occupied
    found = choose_name(name, code, rules, taken=taken, several_stays=several).name
    assert not taken(found)
    assert found
    assert found == " ".join(found.split())
    assert CHARACTERS.issuperset(found)
    for rule in rules:
        assert rule.min_length <= len(found) <= rule.max_length
        assert rule.charset is None or set(rule.charset).issuperset(found)


@pytest.mark.parametrize("reason", NameReason)
def test_r15_every_reason_answers_why_the_code_is_called_that(reason):
    choice = choose()
    sentence = explain(type(choice)(CODE, reason))
    assert sentence.startswith(f"Why “{CODE}”? It is ")
    assert sentence.endswith(".")


def test_r15_the_answer_tells_that_the_code_was_numbered():
    assert "in use too" in explain(choose(None, taken=[CODE]))
