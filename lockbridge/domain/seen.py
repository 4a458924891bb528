"""What was seen on a lock, and what an answer to a call means."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from lockbridge.domain.code import Pin, Window
from lockbridge.domain.ids import CodeRef


class Remedy(StrEnum):
    """What the caller of a failed verb does next."""

    WAIT = "wait"
    """Try again later; uses up none of the attempts."""
    LOOK = "look"
    """Look at the lock before anything else: what was sent may have arrived."""
    REPLAN = "replan"
    """Choose differently: other digits, another name, another window."""
    ASK = "ask"
    """A person must act; no more calls of this kind until they did."""


class Kind(StrEnum):
    """The kinds of trouble a lock app can report; each is a class of error in the contract."""

    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate_limited"
    LOCK_OFFLINE = "lock_offline"
    OUTCOME_UNKNOWN = "outcome_unknown"
    CODE_GONE = "code_gone"
    PIN_REFUSED = "pin_refused"
    PIN_TAKEN = "pin_taken"
    NAME_TAKEN = "name_taken"
    NAME_REFUSED = "name_refused"
    WINDOW_REFUSED = "window_refused"
    REJECTED = "rejected"
    LOCK_FULL = "lock_full"
    ACCOUNT_REFUSED = "account_refused"
    LOCK_NOT_FOUND = "lock_not_found"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A lock app's no, as a value: its kind, what to do next, and words for people (no digits, no credentials)."""

    kind: Kind
    remedy: Remedy
    detail: str = ""
    retry_after: timedelta | None = None


class Receipt(StrEnum):
    """What a successful write means."""

    DONE = "done"
    """The lock has it."""
    ACCEPTED = "accepted"
    """Taken, not yet on the lock: look again before telling a guest."""
    ALREADY = "already"
    """Nothing had to be done."""


class CodeState(StrEnum):
    """What the lock app says about a code it lists."""

    SETTING = "setting"
    SET = "set"
    REMOVING = "removing"


@dataclass(frozen=True, slots=True)
class SeenCode:
    """One code as the lock app lists it, ours or a stranger's.

    ``pin`` is None where it cannot be read; ``name`` and ``window`` are None where the lock keeps none.
    ``trouble`` is an error the lock app reports with the code, translated with the driver's own error table
    (a driver writes ``trouble=PinTaken("…").trouble``).
    """

    ref: CodeRef
    pin: Pin | None = None
    name: str | None = None
    window: Window | None = None
    state: CodeState = CodeState.SET
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The answer to setting or updating a code.

    ``ref`` is None where the vendor returns no id (then the next look finds the code by name and digits);
    ``pin`` is the provider's choice where it chooses; ``window`` what it made of ours, where it says so.
    """

    receipt: Receipt
    ref: CodeRef | None = None
    pin: Pin | None = None
    window: Window | None = None
