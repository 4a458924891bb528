"""One code on one lock: what is wanted there, what was asked for, and how far it has come.

The state machine of a placement is the two functions at the end of :mod:`lockbridge.domain.settle`; this module
holds its values. A placement is a value: every step makes a new one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lockbridge.domain.code import CodeKind, CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeId, CodeRef, LockId, PlacementId
from lockbridge.domain.lock import Capabilities
from lockbridge.domain.stay import rounded


class PlacementState(StrEnum):
    """How far a placement has come."""

    MADE = "made"
    """Not on the lock as far as we know: not yet due, or due and not yet asked for."""
    ASKED = "asked"
    """Asked for, not yet confirmed."""
    SET = "set"
    """Confirmed: the lock holds it as wanted."""
    FAILED = "failed"
    """Refused; the next attempt is at ``hold_until``."""
    NO_ROOM = "no_room"
    """The lock is full; waits for a free slot (R26)."""
    REMOVING = "removing"
    REMOVED = "removed"


class Verb(StrEnum):
    """What can be asked of a lock for one code."""

    SET = "set"
    UPDATE = "update"
    REMOVE = "remove"


class Ended(StrEnum):
    """Why a placement ends before its window does."""

    CANCELLED = "cancelled"
    UNMATCHED = "unmatched"
    MOVED = "moved"
    REVOKED = "revoked"
    SUPERSEDED = "superseded"


class Phase(StrEnum):
    """What the clock says of a placement."""

    EARLY = "early"
    DUE = "due"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One code on one lock. Instants are UTC; ``window.ends`` is None for a standing code.

    ``intent`` is the call that was written down before it was made and whose answer is not known yet;
    ``asked`` is the last specification the lock app took (or may have taken, while ``intent`` stands);
    ``hold_until`` keeps a refused or waiting placement from being tried before its time.
    """

    id: PlacementId
    code: CodeId
    lock: LockId
    kind: CodeKind
    pin: Pin | None
    name: str
    window: Window
    push_at: datetime
    remove_at: datetime | None = None
    ended: Ended | None = None
    made_at: datetime
    state: PlacementState = PlacementState.MADE
    ref: CodeRef | None = None
    replaces: CodeRef | None = None
    """An earlier code of ours that this one takes the place of and that is still to be removed (R19)."""
    asked: CodeSpec | None = None
    asked_at: datetime | None = None
    intent: Verb | None = None
    confirmed_at: datetime | None = None
    hold_until: datetime | None = None
    watch_at: datetime | None = None
    """When the arrival is looked at next (R24, R43)."""
    failures: int = 0
    waits: int = 0
    looks: int = 0
    reason: str | None = None
    """The kind of the last error (its class's name)."""
    detail: str | None = None

    def phase(self, now: datetime) -> Phase:
        """Whether the code must be off the lock (OVER), may be on it (DUE), or must wait (EARLY)."""
        if self.remove_at is not None and self.remove_at <= now:
            return Phase.OVER
        return Phase.DUE if self.push_at <= now else Phase.EARLY

    @property
    def live(self) -> bool:
        """Whether the code is, or may still come to be, on its lock."""
        return self.state is not PlacementState.REMOVED

    @property
    def confirmed(self) -> bool:
        """Whether the lock app said that the lock holds the code as wanted."""
        return self.state is PlacementState.SET

    def held(self, now: datetime) -> bool:
        """Whether it must not be tried yet."""
        return self.hold_until is not None and self.hold_until > now

    def in_house(self, now: datetime) -> bool:
        """Whether a guest may be in the house on this code now."""
        return self.kind is CodeKind.GUEST and self.window.holds(now)


def spec_for(placement: Placement, capabilities: Capabilities) -> CodeSpec:
    """What the lock is asked to hold: names and windows only where it keeps them, windows rounded outwards (R18)."""
    bounded = capabilities.keeps_windows and placement.window.ends is not None
    return CodeSpec(
        pin=None if capabilities.chooses_pin else placement.pin,
        name=placement.name if capabilities.keeps_names else "",
        window=rounded(placement.window, capabilities.rounding) if bounded else None,
    )
