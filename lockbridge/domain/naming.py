"""What a code is called in the lock app (R14), and why it is called that (R15)."""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lockbridge.domain.lock import NameRules

LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzèéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉÄÖÑÜäöñüà")
"""The letters of the GSM 03.38 basic table."""
CHARACTERS = LETTERS | frozenset("0123456789 -'.")
MOST_NUMBERS = 10_000
"""The numbered names tried before giving up on a free one."""


class NameReason(StrEnum):
    """Why a code has the name it has; stored beside it and shown to the host (R15)."""

    GUEST_NAME = "guest_name"
    NAME_TAKEN = "name_taken"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    CHARACTERS = "characters"
    SEVERAL_STAYS = "several_stays"
    REJECTED = "rejected"
    MADE_BY_HAND = "made_by_hand"
    NO_NAME = "no_name"


_SENTENCES = {
    NameReason.GUEST_NAME: "It is the guest's name",
    NameReason.NAME_TAKEN: "It is the reservation code, because a code with the guest's name is on a lock",
    NameReason.TOO_LONG: "It is the reservation code, because the guest's name is too long for a lock",
    NameReason.TOO_SHORT: "It is the reservation code, because the guest's name is too short for a lock",
    NameReason.CHARACTERS: "It is the reservation code, because the guest's name has characters a lock may not take",
    NameReason.SEVERAL_STAYS: "It is the reservation code, because the guest has more than one stay",
    NameReason.REJECTED: "It is the reservation code, because the lock app rejected the guest's name without a reason",
    NameReason.MADE_BY_HAND: "It is the reservation code, because a code was made by hand for the guest",
    NameReason.NO_NAME: "It is the reservation code, because the booking has no guest name",
}


@dataclass(frozen=True, slots=True)
class NameChoice:
    """The name of a code, the reason for it, and what else there is to say about it."""

    name: str
    reason: NameReason
    detail: str = ""


def explain(choice: NameChoice) -> str:
    """Why the code is called that, as one sentence for the host (R15)."""
    return f"Why “{choice.name}”? {because(choice)}"


def because(choice: NameChoice) -> str:
    """The same without the name: a history outlives the guest's data (R45)."""
    more = f"; {choice.detail}" if choice.detail else ""
    return f"{_SENTENCES[choice.reason]}{more}."


def choose_name(
    guest_name: str | None,
    reservation_code: str,
    rules: Sequence[NameRules],
    *,
    taken: Callable[[str], bool],
    several_stays: bool = False,
    rejected: bool = False,
    made_by_hand: bool = False,
) -> NameChoice:
    """The guest's name where every lock takes it, else the reservation code, else that with -2, -3, … (R14).

    ``taken`` tells whether a code with that name is on one of the locks. The name is never empty, has no character
    outside R14 even where a lock takes more, and fits every lock (where two locks contradict each other, the
    shorter length wins). It is free unless 10,000 numbered names in a row are taken.
    """
    name = unicodedata.normalize("NFC", " ".join((guest_name or "").split()))
    fit = _Fit.of(rules)
    special = _special_case(several_stays=several_stays, rejected=rejected, made_by_hand=made_by_hand)
    reason = fit.refusal(name) or special or (NameReason.NAME_TAKEN if taken(name) else NameReason.GUEST_NAME)
    if reason is NameReason.GUEST_NAME:
        return NameChoice(name, reason)
    return _reservation_name(reservation_code, fit, reason, taken)


def _special_case(*, several_stays: bool, rejected: bool, made_by_hand: bool) -> NameReason | None:
    if several_stays:
        return NameReason.SEVERAL_STAYS
    if made_by_hand:
        return NameReason.MADE_BY_HAND
    return NameReason.REJECTED if rejected else None


def _reservation_name(code: str, fit: "_Fit", reason: NameReason, taken: Callable[[str], bool]) -> NameChoice:
    clean = fit.cleaned(code)
    name = fit.with_tail(clean, "")
    if not taken(name):
        return NameChoice(name, reason)
    for number in range(2, MOST_NUMBERS + 2):
        name = fit.with_tail(clean, f"{fit.dash}{number}")
        if not taken(name):
            break
    return NameChoice(name, reason, "the reservation code was in use too, so it is numbered")


@dataclass(frozen=True, slots=True)
class _Fit:
    """What all the locks take together."""

    shortest: int
    longest: int
    characters: frozenset[str]

    @classmethod
    def of(cls, rules: Sequence[NameRules]) -> "_Fit":
        longest = max(1, min((rule.max_length for rule in rules), default=64))
        shortest = min(longest, max((rule.min_length for rule in rules), default=1))
        charsets = (frozenset(rule.charset) for rule in rules if rule.charset is not None)
        return cls(shortest, longest, CHARACTERS.intersection(*charsets))

    @property
    def dash(self) -> str:
        return "-" if "-" in self.characters else ""

    def refusal(self, name: str) -> NameReason | None:
        if not name:
            return NameReason.NO_NAME
        if not self.characters.issuperset(name):
            return NameReason.CHARACTERS
        if len(name) > self.longest:
            return NameReason.TOO_LONG
        return NameReason.TOO_SHORT if len(name) < self.shortest else None

    def cleaned(self, code: str) -> str:
        """The code in characters the locks take, in the other case where only that is taken; never empty."""
        for text in (code, "stay", "0", *sorted(self.characters)):
            kept = "".join(self._taken_form(char) for char in text)
            if kept := " ".join(kept.split()).strip(" -'."):
                return kept
        return "stay"

    def _taken_form(self, char: str) -> str:
        return next((form for form in (char, char.upper(), char.lower()) if form in self.characters), "")

    def with_tail(self, text: str, tail: str) -> str:
        """The text cut to leave room for the tail, or filled up with zeros to the least length."""
        tail = tail[-self.longest :]
        head = text[: self.longest - len(tail)].rstrip(" ")
        return head.ljust(self.shortest - len(tail), self.filler) + tail

    @property
    def filler(self) -> str:
        return "0" if "0" in self.characters else min(self.characters - {" "}, default="0")
