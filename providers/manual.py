"""Locks without connection: a person programs the keypad and says when it is done.

The host names the locks and says what their keypads can do. What is to be programmed goes into the account's notebook,
which tells the host by e-mail and waits until they tick it off; what they ticked off is what the lock holds.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    Connection,
    FormField,
    FoundLock,
    LockFull,
    LockNotFound,
    LockStatus,
    Notebook,
    PinRefused,
    PinTaken,
    ProviderSpec,
    Receipt,
    Rejected,
    SeenCode,
    Written,
)
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, PinRules
from lockbridge.domain.pins import refusal

KEY = "manual"
PEOPLE_TAKE = timedelta(days=30)
"""A person is not asked again while the code is not ticked off: the health check says what that puts at risk."""
_YES_OR_NO = {"yes": True, "no": False}
_DIGITS = re.compile(r"([0-9]{1,2})(?:-([0-9]{1,2}))?")
_SHORTEST, _LONGEST = 4, 10


def _capabilities(settings: Mapping[str, str]) -> Capabilities:
    """What all locks of the account can do. Raises AccountRefused for answers that make no sense."""
    keeps_windows = _YES_OR_NO.get(settings.get("keeps_times", "no").strip().lower())
    room = settings.get("room", "20").strip()
    if keeps_windows is None or not room.isdecimal() or not int(room):
        msg = "'keeps_times' is yes or no, and 'room' is how many codes a keypad holds, such as 20"
        raise AccountRefused(msg)
    return Capabilities(
        keeps_windows=keeps_windows,
        updates=frozenset(),
        max_codes=int(room),
        confirms=False,
        confirm_within=PEOPLE_TAKE,
        pin_rules=PinRules(lengths=_lengths(settings.get("digits", "4-8").strip())),
    )


def _lengths(text: str) -> frozenset[int]:
    found = _DIGITS.fullmatch(text)
    shortest, longest = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not _SHORTEST <= shortest <= longest <= _LONGEST:
        msg = f"'digits' is how many digits a code has, {_SHORTEST} to {_LONGEST}: write 6, or 4-8"
        raise AccountRefused(msg)
    return frozenset(range(shortest, longest + 1))


def _locks(settings: Mapping[str, str]) -> dict[LockRef, str]:
    """The locks by their reference: the name itself, in small letters, so that writing it anew makes no other lock."""
    names = [" ".join(name.split()) for name in settings.get("locks", "").split(",")]
    named = {LockRef(name.lower()): name for name in names if name}
    if not named:
        msg = "name at least one lock, such as: Front door, Garage"
        raise AccountRefused(msg)
    return named


class ManualLocks:
    """The locks of one host that a person programs."""

    def __init__(self, names: Mapping[LockRef, str], capabilities: Capabilities, notebook: Notebook) -> None:
        self._names, self._capabilities, self._notebook = names, capabilities, notebook

    async def list_locks(self) -> Sequence[FoundLock]:
        """The locks the host named."""
        return [FoundLock(ref, name, self._capabilities, LockStatus(online=True)) for ref, name in self._names.items()]

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """What was noted: codes to be programmed are SETTING, codes to be taken off REMOVING."""
        self._known(lock)
        return await self._notebook.codes(lock)

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Have the host program it. Raises PinRefused, PinTaken and LockFull by what was noted."""
        self._known(lock)
        if spec.pin is None or refusal(spec.pin, self._capabilities.pin_rules) is not None:
            msg = "the keypad does not take these digits"
            raise PinRefused(msg)
        held = await self._notebook.codes(lock)
        if any(code.pin == spec.pin for code in held):
            msg = "another code at the keypad has these digits"
            raise PinTaken(msg)
        if len(held) >= self._capabilities.max_codes:
            msg = "the keypad holds no more codes"
            raise LockFull(msg)
        return Written(Receipt.ACCEPTED, await self._notebook.ask_to_set(lock, spec))

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Not done in place: a person would have to do two things as one. Raises Rejected, or CodeGone."""
        del spec
        self._known(lock)
        if ref not in {code.ref for code in await self._notebook.codes(lock)}:
            msg = "nobody noted such a code for this lock"
            raise CodeGone(msg)
        msg = "a code at a keypad is replaced, not changed"
        raise Rejected(msg)

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Have the host take it off; one that was not programmed yet is dropped at once."""
        self._known(lock)
        return await self._notebook.ask_to_remove(lock, ref)

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """A person can always be asked; the battery is not known."""
        self._known(lock)
        return LockStatus(online=True)

    async def open_door(self, lock: LockRef) -> Receipt:
        """Nobody can from afar."""
        self._known(lock)
        msg = "a lock without connection cannot be opened from afar"
        raise Rejected(msg)

    def _known(self, lock: LockRef) -> None:
        if lock not in self._names:
            msg = "the host does not name this lock any more"
            raise LockNotFound(msg)


def connect(connection: Connection) -> ManualLocks:
    """The locks of a host's answers. Raises AccountRefused when they make no sense."""
    return ManualLocks(_locks(connection.settings), _capabilities(connection.settings), connection.notebook)


PROVIDER = ProviderSpec(
    key=KEY,
    title="Locks without connection",
    fields=(
        FormField("locks", "Locks", help="the names of your locks, with commas between them: Front door, Garage"),
        FormField("digits", "Digits of a code", help="how many digits the keypads take: 6, or 4-8", default="4-8"),
        FormField(
            "keeps_times",
            "Keypad keeps times",
            help="yes if a code can be programmed with a begin and an end",
            default="no",
        ),
        FormField("room", "Room", help="how many codes a keypad holds", default="20"),
    ),
    connect=connect,
    kinds={"keypad": _capabilities({}), "keypad that keeps times": _capabilities({"keeps_times": "yes"})},
    maturity="nobody else's software is involved; tested with its own notebook",
)
