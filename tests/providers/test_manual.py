"""Locks without connection: a person programs the keypad, and says when it is done."""

from datetime import timedelta

import pytest

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    LockFull,
    LockNotFound,
    PinRefused,
    PinTaken,
    Receipt,
    Rejected,
    SeenCode,
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import LockClass
from providers import manual
from tests.contract.harness import connection
from tests.workflows.engine import OPENS

DOOR = LockRef("front door")
SPEC = CodeSpec(Pin("0451"), "Ida Example", None)


class Notebook:
    """A notebook in which everything that is asked for is noted."""

    def __init__(self, *held: SeenCode) -> None:
        self.held = list(held)

    async def codes(self, lock):
        assert lock == DOOR
        return self.held

    async def ask_to_set(self, lock, spec):
        assert lock == DOOR
        self.held.append(SeenCode(CodeRef("n1"), spec.pin, spec.name, spec.window, CodeState.SETTING))
        return CodeRef("n1")

    async def ask_to_remove(self, lock, ref):
        self.held = [code for code in self.held if code.ref != ref]
        return Receipt.ACCEPTED


def keypads(book: Notebook | None = None, **answers: str):
    given = connection({"locks": "Front  door, Garage", **answers}, None, lambda: OPENS)  # type: ignore[arg-type]  # nothing is asked over HTTP
    object.__setattr__(given, "notebook", book or Notebook())
    return manual.PROVIDER.connect(given)


async def test_the_locks_are_those_the_host_names_and_a_name_written_anew_is_the_same_lock():
    assert [(lock.ref, lock.name) for lock in await keypads().list_locks()] == [
        ("front door", "Front door"),
        ("garage", "Garage"),
    ]
    assert (await keypads(locks="FRONT DOOR").list_locks())[0].ref == DOOR


@pytest.mark.parametrize(
    ("answers", "lengths", "room", "kind"),
    [
        ({}, range(4, 9), 20, LockClass.SLOT_WITHOUT_CLOCK),
        ({"digits": "6"}, [6], 20, LockClass.SLOT_WITHOUT_CLOCK),
        ({"digits": "4-10", "room": "250", "keeps_times": "Yes"}, range(4, 11), 250, LockClass.KEEPS_WINDOWS),
    ],
)
async def test_what_a_keypad_can_do_is_what_the_host_says(answers, lengths, room, kind):
    can = (await keypads(**answers).list_locks())[0].capabilities
    assert (can.pin_rules.lengths, can.max_codes, can.lock_class) == (frozenset(lengths), room, kind)
    assert not can.confirms
    assert can.lead == timedelta(days=3)


@pytest.mark.parametrize(
    "answers",
    [{"locks": " , "}, {"digits": "3-6"}, {"digits": "8-4"}, {"digits": "four"}, {"room": "0"}, {"keeps_times": "ja"}],
)
def test_answers_that_make_no_sense_are_refused_with_a_hint(answers):
    with pytest.raises(AccountRefused, match=r"such as|write|yes or no"):
        keypads(**answers)


async def test_r13_r11_r26_digits_and_room_are_judged_by_what_was_noted():
    with pytest.raises(PinRefused):
        await keypads(digits="6").set_code(DOOR, SPEC)
    taken = SeenCode(CodeRef("n0"), SPEC.pin, "Cleaner")
    with pytest.raises(PinTaken):
        await keypads(Notebook(taken)).set_code(DOOR, SPEC)
    with pytest.raises(LockFull):
        await keypads(Notebook(SeenCode(CodeRef("n0"), Pin("7777"), "Cleaner")), room="1").set_code(DOOR, SPEC)


async def test_a_code_is_replaced_never_changed_and_no_door_opens_from_afar():
    book = Notebook(SeenCode(CodeRef("n0"), Pin("7777"), "Ida"))
    with pytest.raises(Rejected):
        await keypads(book).update_code(DOOR, CodeRef("n0"), SPEC)
    with pytest.raises(CodeGone):
        await keypads(book).update_code(DOOR, CodeRef("n9"), SPEC)
    with pytest.raises(Rejected):
        await keypads(book).open_door(DOOR)


async def test_a_placement_takes_no_requests_at_all():
    """There is no HTTP client to ask with: a person is asked."""
    keypad = keypads()
    assert await keypad.list_codes(DOOR) == []
    assert (await keypad.set_code(DOOR, SPEC)).receipt is Receipt.ACCEPTED


async def test_a_lock_the_host_names_no_more_is_not_found():
    for call in (keypads().list_codes, keypads().check_lock, keypads().open_door):
        with pytest.raises(LockNotFound):
            await call(LockRef("cellar"))
