"""What a lock provider must do: six verbs, their receipts, and errors that say what to do next.

A driver is a module under ``providers/`` that exports one :class:`ProviderSpec`. It knows only this module and
the domain. Everything a driver raises on purpose is a :class:`ProviderError`; its *remedy* is all the core reads.
A failed read is never an empty list: ``list_codes`` returns ``[]`` only when the lock app said so.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias, runtime_checkable

from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities
from lockbridge.domain.seen import CodeState, Kind, Receipt, Remedy, SeenCode, Trouble, Written
from lockbridge.inbound import Hook, Ignored

if TYPE_CHECKING:  # a process that only takes webhooks calls no lock app: it does without httpx (2 MB)
    import httpx

__all__ = [
    "AccountRefused",
    "CodeGone",
    "CodeState",
    "Connection",
    "FormField",
    "FoundLock",
    "HasActivity",
    "Keypad",
    "Kind",
    "LockEvent",
    "LockFull",
    "LockNotFound",
    "LockOffline",
    "LockStatus",
    "NameRefused",
    "NameTaken",
    "OutcomeUnknown",
    "PinRefused",
    "PinTaken",
    "Provider",
    "ProviderError",
    "ProviderSpec",
    "RateLimited",
    "Receipt",
    "Rejected",
    "Remedy",
    "SeenCode",
    "Trouble",
    "Unreachable",
    "WindowRefused",
    "Written",
]


class ProviderError(Exception):
    """Anything a driver raises on purpose. The message is for people and never holds digits or credentials."""

    remedy: Remedy = Remedy.WAIT
    kind: Kind = Kind.UNREACHABLE
    retry_after: timedelta | None = None
    said: ClassVar[str] = "{who} refused"
    """It in words, for a driver that has none of its own; ``{who}`` is the vendor."""

    @property
    def trouble(self) -> Trouble:
        """The same as a value: what the domain reads."""
        return Trouble(self.kind, self.remedy, str(self), self.retry_after)


class Unreachable(ProviderError):
    """The lock app did not answer a read, or refused before doing anything (outage, 5xx, maintenance)."""

    kind = Kind.UNREACHABLE


class RateLimited(ProviderError):
    """The lock app asks for fewer calls. ``retry_after`` is how long to stay away (its own figure, else 60 s)."""

    kind = Kind.RATE_LIMITED

    def __init__(self, message: str, retry_after: timedelta = timedelta(seconds=60)) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LockOffline(ProviderError):
    """The lock app answers, but this lock cannot be reached now; nothing was done."""

    kind = Kind.LOCK_OFFLINE
    said = "the lock cannot be reached"


class OutcomeUnknown(ProviderError):
    """A write was sent and its answer was lost (timeout, dropped connection, 502, 504): it may have been done."""

    remedy = Remedy.LOOK
    kind = Kind.OUTCOME_UNKNOWN


class CodeGone(ProviderError):
    """The lock app says it has no such code. Vendors lie about this: look before believing it."""

    remedy = Remedy.LOOK
    kind = Kind.CODE_GONE
    said = "{who} has no such code"


class PinRefused(ProviderError):
    """The lock's rules refuse these digits."""

    remedy = Remedy.REPLAN
    kind = Kind.PIN_REFUSED
    said = "the lock does not take these digits"


class PinTaken(ProviderError):
    """Another code on the lock has these digits."""

    remedy = Remedy.REPLAN
    kind = Kind.PIN_TAKEN
    said = "another code on the lock has these digits"


class NameTaken(ProviderError):
    """Another code on the lock has this name."""

    remedy = Remedy.REPLAN
    kind = Kind.NAME_TAKEN
    said = "another code on the lock has this name"


class NameRefused(ProviderError):
    """The lock app does not take this name (too long, characters)."""

    remedy = Remedy.REPLAN
    kind = Kind.NAME_REFUSED
    said = "{who} does not take this name"


class WindowRefused(ProviderError):
    """The lock app does not take this window (too long, not aligned, in the past)."""

    remedy = Remedy.REPLAN
    kind = Kind.WINDOW_REFUSED
    said = "{who} does not take this window"


class Rejected(ProviderError):
    """The lock app said no without a reason (R14, R21): counts as one of the attempts."""

    remedy = Remedy.REPLAN
    kind = Kind.REJECTED


class LockFull(ProviderError):
    """The lock holds as many codes as it can (R26)."""

    remedy = Remedy.ASK
    kind = Kind.LOCK_FULL
    said = "the lock is full"


class AccountRefused(ProviderError):
    """Disconnected, credentials refused, subscription missing: no more calls until the host reconnected."""

    remedy = Remedy.ASK
    kind = Kind.ACCOUNT_REFUSED
    said = "{who} does not let this account in"


class LockNotFound(ProviderError):
    """The account no longer has this lock."""

    remedy = Remedy.ASK
    kind = Kind.LOCK_NOT_FOUND
    said = "the account has no such lock"


@dataclass(frozen=True, slots=True)
class LockStatus:
    """How a lock is: reachable, its battery (0–1, None unknown), what the vendor says of it."""

    online: bool
    battery: float | None = None
    trouble: Trouble | None = None


@dataclass(frozen=True, slots=True)
class FoundLock:
    """One lock as ``list_locks`` tells it."""

    ref: LockRef
    name: str
    capabilities: Capabilities
    status: LockStatus
    zone: str | None = None
    """IANA zone where the vendor knows it."""


class Provider(Protocol):
    """One connected lock-app account. Every method raises :class:`ProviderError` and nothing else."""

    async def list_locks(self) -> Sequence[FoundLock]:
        """All locks of the account."""
        ...

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Everything the lock holds, strangers' codes too. ``[]`` only when the lock app said so."""
        ...

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Make a code. Raises OutcomeUnknown when it was sent and the answer lost."""
        ...

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Change a code in place, as far as ``capabilities.updates`` allows."""
        ...

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Take a code off the lock. Raises CodeGone when the lock app has no such code."""
        ...

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether the lock can be reached, and its battery."""
        ...

    async def open_door(self, lock: LockRef) -> Receipt:
        """Open the door now, where ``capabilities.can_open``; raises Rejected elsewhere."""
        ...


@dataclass(frozen=True, slots=True)
class LockEvent:
    """One line of a lock's own log: when (UTC), what happened in words for people, and by whom or which code.

    Neither ``what`` nor ``by`` ever holds digits of a code.
    """

    at: datetime
    what: str
    by: str = ""


@runtime_checkable
class HasActivity(Protocol):
    """A provider whose locks have a log (``capabilities.has_log``): an optional verb."""

    async def activity(self, lock: LockRef, since: datetime, limit: int) -> Sequence[LockEvent]:
        """The last ``limit`` things the lock noted since then, in any order; raises Rejected where it has no log."""
        ...


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of the form with which a host connects the lock app.

    ``help`` says where to find the value. A field with a ``default`` may be left out; ``""`` makes it optional.
    """

    name: str
    label: str
    secret: bool = False
    help: str = ""
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """How many calls an account may make in how long a time."""

    calls: int
    per: timedelta


class Pace(Protocol):
    """How often the account may be called. Shared by all processes."""

    async def turn(self) -> None:
        """Wait until one more call may be made. Raises RateLimited when that is too far off."""
        ...

    async def heard(self, remaining: int, resets_at: datetime) -> None:
        """Learn from an answer how many calls are left until ``resets_at`` (UTC)."""
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What signing in gave: an access token, when it ends (UTC; None: it does not), and how to get the next one."""

    access: str = field(repr=False)
    expires_at: datetime | None = None
    refresh: str | None = field(default=None, repr=False)


Renew: TypeAlias = Callable[[Grant | None], Awaitable[Grant]]
"""Signs in: with the grant before, or – None – with the host's settings. Raises ProviderError."""


class Tokens(Protocol):
    """The account's access token: kept sealed, fetched by one process at a time."""

    async def current(self, renew: Renew, *, refused: str | None = None) -> str:
        """A token that should be good; ``refused`` is one the lock app did not take. Raises what ``renew`` raises."""
        ...


class Notebook(Protocol):
    """What a person has to do at the keypads of an account without connection, and what they have done."""

    async def codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """What should be on the lock: SETTING until a person says that it is, REMOVING until they took it off."""
        ...

    async def ask_to_set(self, lock: LockRef, spec: CodeSpec) -> CodeRef:
        """Have a person program a code."""
        ...

    async def ask_to_remove(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Have a person take a code off; one that is not said to be there yet counts no more. Raises CodeGone."""
        ...


@dataclass(frozen=True, slots=True)
class LookAt:
    """What a lock app's webhook leads to: a look at these locks of its account; none named: at all of them."""

    locks: tuple[LockRef, ...] = ()


Hint: TypeAlias = LookAt | Ignored


@dataclass(frozen=True, slots=True)
class Connection:
    """What a driver is given: the host's answers to its form, and the outside world."""

    account: str
    """A name for logs, without secrets."""
    settings: Mapping[str, str]
    http: "httpx.AsyncClient"
    now: Callable[[], datetime]
    tokens: Tokens
    pace: Pace
    notebook: Notebook


class Keypad(StrEnum):
    """What a keypad wants after the digits."""

    PLAIN = "plain"
    """Nothing, or it is not known."""
    HASH = "hash"
    CHECK = "check"
    STAR = "star"


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """What a provider module exports as ``PROVIDER``."""

    key: str
    title: str
    fields: tuple[FormField, ...]
    connect: Callable[[Connection], Provider]
    max_parallel: int = 8
    """How many calls to one account may be under way at once."""
    rate: Rate | None = None
    """The vendor's limit for one account, where one is known."""
    kinds: Mapping[str, Capabilities] = field(default_factory=dict)
    """What the locks can do, by the kind of lock: for the documentation. ``list_locks`` says it for each lock."""
    hook: Hook[Hint] | None = None
    """How the vendor's own webhooks are verified and read. They only ever cause a look."""
    keypad: Keypad = Keypad.PLAIN
    """What its keypads want after the digits: what guests are told about typing."""
    maturity: str = ""
    """Against what the driver was tested, honestly."""
