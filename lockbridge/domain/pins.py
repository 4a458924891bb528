"""Which digits a stay gets (R2, R5–R8, R10, R12, R13), and why those."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import phonenumbers

from lockbridge.domain.code import Pin
from lockbridge.domain.lock import PinRules

DIGITS = "0123456789"
FEW_DRAWS = 64
"""Draws before a small space is listed in full."""
MANY_DRAWS = 4096
"""Draws in a space too large to list, before it counts as exhausted."""
LISTED_SPACE = 10_000
"""Spaces up to this many values are listed in full when the draws meet nothing free."""


class PinMode(StrEnum):
    """Where a property's PINs come from (R5)."""

    PHONE = "phone"
    RANDOM = "random"


class PinReason(StrEnum):
    """Why a stay has the PIN it has; stored beside it and shown to the host (R8)."""

    PHONE_DIGITS = "phone_digits"
    RANDOM_SETTING = "random_setting"
    NO_PHONE = "no_phone"
    PHONE_UNREADABLE = "phone_unreadable"
    PHONE_TOO_SHORT = "phone_too_short"
    PHONE_REFUSED = "phone_refused"
    PHONE_TAKEN = "phone_taken"
    PROVIDER_CHOOSES = "provider_chooses"
    REPLACED = "replaced"
    """A duplicate, or refused, at the lock itself (R11)."""
    REISSUED = "reissued"
    """The host asked for other digits."""
    EXHAUSTED = "exhausted"


_SENTENCES = {
    PinReason.PHONE_DIGITS: "The PIN is the last digits of the guest's phone number",
    PinReason.RANDOM_SETTING: "The PIN is random, as the property's settings ask",
    PinReason.NO_PHONE: "The PIN is random: the booking has no phone number",
    PinReason.PHONE_UNREADABLE: "The PIN is random: the guest's phone number could not be read",
    PinReason.PHONE_TOO_SHORT: "The PIN is random: the guest's phone number has too few digits",
    PinReason.PHONE_REFUSED: "The PIN is random: a lock does not take the digits of the guest's phone number",
    PinReason.PHONE_TAKEN: "The PIN is random: the digits of the guest's phone number are in use on a lock",
    PinReason.PROVIDER_CHOOSES: "The lock's maker chooses the PIN",
    PinReason.REPLACED: "The PIN was replaced: the lock refused the first one",
    PinReason.REISSUED: "The PIN is random: another one was asked for",
    PinReason.EXHAUSTED: "No PIN could be found that every lock takes and none uses",
}


def explain(reason: PinReason, detail: str = "") -> str:
    """One plain sentence for the host; ``detail`` is what was stored with the reason."""
    return _SENTENCES[reason] + (f" ({detail})." if detail else ".")


class NoCommonLength(ValueError):
    """The property's locks have no PIN length in common, so no PIN can fit them all (R2, R6)."""


@dataclass(frozen=True, slots=True)
class PinSpace:
    """One lock's say in the choice: its rules, and which PINs are taken on it in the stay's window (R10).

    ``held_length`` is the length of the codes it holds, where all must have one length; ``first_fours`` are the
    beginnings in use on it, where they must be unique.
    """

    lock_name: str
    rules: PinRules
    taken: Callable[[Pin], bool]
    held_length: int | None = None
    first_fours: frozenset[str] = frozenset()

    @property
    def lengths(self) -> frozenset[int]:
        """The lengths a new code may have on this lock now."""
        if self.rules.one_length_per_lock and self.held_length is not None:
            return self.rules.lengths & {self.held_length}
        return self.rules.lengths

    def conflict(self, pin: Pin) -> str | None:
        """Why another code on the lock stands in the way, without digits; None when none does."""
        if self.rules.unique_first_four and pin.digits[:4] in self.first_fours:
            return "another code begins with the same four digits"
        return "another code has the same digits" if self.taken(pin) else None


@dataclass(frozen=True, slots=True)
class PinChoice:
    """What was chosen, and why. ``pin`` is None only for ``EXHAUSTED`` and ``PROVIDER_CHOOSES``."""

    pin: Pin | None
    reason: PinReason
    detail: str = ""


def pin_length(wanted: int, spaces: Sequence[PinSpace]) -> int:
    """The shortest length every lock supports that is not below ``wanted``, else the longest they share (R6).

    Without locks it is ``wanted``. Raises ``NoCommonLength``, naming the locks, when they share none.
    """
    if not spaces:
        return wanted
    common = frozenset.intersection(*(space.lengths for space in spaces))
    if not common:
        names = ", ".join(space.lock_name for space in spaces)
        msg = f"no PIN length fits every lock: {names}"
        raise NoCommonLength(msg)
    return min((length for length in common if length >= wanted), default=max(common))


def weak(pin: Pin) -> bool:
    """Whether the PIN is one run up or down by ones (1234, 4321, 0123), or one digit repeated (R12)."""
    return _run(pin.digits) or len(set(pin.digits)) == 1


def _run(digits: str) -> bool:
    return digits in DIGITS or digits in DIGITS[::-1]


def refusal(pin: Pin, rules: PinRules) -> str | None:
    """Why the rules refuse the PIN, in words that give no digit away; None when they take it (R13)."""
    digits = pin.digits
    if len(digits) not in rules.lengths:
        return "its length is not one the lock takes"
    if not rules.forbidden_digits.isdisjoint(digits):
        return "it has a digit the lock does not take"
    if digits.startswith(rules.forbidden_prefixes):
        return "it begins in a way the lock does not take"
    return _pattern_refusal(digits, rules)


def _pattern_refusal(digits: str, rules: PinRules) -> str | None:
    distinct = len(set(digits))
    if distinct < rules.min_distinct_digits:
        return "it has too few different digits for the lock"
    if rules.no_equal_digits and distinct == 1:
        return "all its digits are equal"
    return "its digits are a run" if rules.no_run and _run(digits) else None


def phone_digits(phone: str | None, country: str | None, length: int) -> Pin | PinReason:
    """The last ``length`` digits of the phone's national significant number, or why there are none (R7, R8).

    ``country`` (ISO 3166, two letters) is that of numbers written without ``+``. Leading zeros are kept, an
    extension is dropped. A number need not be in service, only readable: a platform's "last 4 digits" given as
    the phone thus yields these four when four are wanted, and ``PHONE_TOO_SHORT`` when more are.
    """
    if phone is None or not phone.strip():
        return PinReason.NO_PHONE
    national = _national_digits(phone, country.strip().upper() if country else None)
    if national is None:
        return PinReason.PHONE_UNREADABLE
    return Pin(national[-length:]) if len(national) >= length else PinReason.PHONE_TOO_SHORT


@lru_cache(maxsize=256)
def _national_digits(phone: str, region: str | None) -> str | None:
    try:
        return phonenumbers.national_significant_number(phonenumbers.parse(phone, region))
    except phonenumbers.NumberParseException:
        return None


def choose_pin(
    mode: PinMode,
    phone: str | None,
    country: str | None,
    wanted_length: int,
    spaces: Sequence[PinSpace],
    below: Callable[[int], int],
) -> PinChoice:
    """One PIN for all the locks of a stay, and why that one (R2, R5, R8).

    ``spaces`` are the locks whose PIN is ours to choose; with none, the provider chooses. ``below(n)`` draws
    uniformly from 0 to n-1 by a cryptographic generator. Raises ``NoCommonLength``.
    """
    if not spaces:
        return PinChoice(None, PinReason.PROVIDER_CHOOSES)
    length = pin_length(wanted_length, spaces)
    if mode is PinMode.RANDOM:
        return _random_choice(PinReason.RANDOM_SETTING, "", length, spaces, below)
    choice = _phone_choice(phone, country, length, spaces)
    if choice.pin is not None:
        return choice
    return _random_choice(choice.reason, choice.detail, length, spaces, below)


def _phone_choice(phone: str | None, country: str | None, length: int, spaces: Sequence[PinSpace]) -> PinChoice:
    pin = phone_digits(phone, country, length)
    if isinstance(pin, PinReason):
        return PinChoice(None, pin)
    for space in spaces:
        if (why := refusal(pin, space.rules)) is not None:
            return PinChoice(None, PinReason.PHONE_REFUSED, f"{space.lock_name}: {why}")
    for space in spaces:
        if (why := space.conflict(pin)) is not None:
            return PinChoice(None, PinReason.PHONE_TAKEN, f"{space.lock_name}: {why}")
    return PinChoice(pin, PinReason.PHONE_DIGITS)


def _random_choice(
    reason: PinReason, detail: str, length: int, spaces: Sequence[PinSpace], below: Callable[[int], int]
) -> PinChoice:
    pin = random_pin(length, spaces, below)
    if pin is None:
        return PinChoice(None, PinReason.EXHAUSTED, f"{length} digits on {', '.join(s.lock_name for s in spaces)}")
    return PinChoice(pin, reason, detail)


def random_pin(length: int, spaces: Sequence[PinSpace], below: Callable[[int], int]) -> Pin | None:
    """A PIN drawn uniformly from those of that length that are not weak, refused or taken on any lock (R12).

    The tries are bounded: in a space of up to 10,000 values None means that there is none left; in a larger
    one, that 4096 draws found none.
    """
    forbidden = frozenset[str]().union(*(space.rules.forbidden_digits for space in spaces))
    alphabet = "".join(digit for digit in DIGITS if digit not in forbidden) if forbidden else DIGITS
    size = len(alphabet) ** length
    if not size:
        return None
    for _ in range(FEW_DRAWS if size <= LISTED_SPACE else MANY_DRAWS):
        pin = _nth_pin(below(size), length, alphabet)
        if _acceptable(pin, spaces):
            return pin
    return _listed_pin(length, alphabet, spaces, below) if size <= LISTED_SPACE else None


def _listed_pin(length: int, alphabet: str, spaces: Sequence[PinSpace], below: Callable[[int], int]) -> Pin | None:
    every = (_nth_pin(index, length, alphabet) for index in range(len(alphabet) ** length))
    free = [pin for pin in every if _acceptable(pin, spaces)]
    return free[below(len(free))] if free else None


def _nth_pin(index: int, length: int, alphabet: str) -> Pin:
    if alphabet == DIGITS:
        return Pin(f"{index:0{length}d}")
    digits = []
    for _ in range(length):
        index, place = divmod(index, len(alphabet))
        digits.append(alphabet[place])
    return Pin("".join(digits))


def _acceptable(pin: Pin, spaces: Sequence[PinSpace]) -> bool:
    return (
        not weak(pin)
        and all(refusal(pin, space.rules) is None for space in spaces)
        and all(space.conflict(pin) is None for space in spaces)
    )
