"""What a bridge is asked to do: jobs, how far they are, and references by which a code can be deleted again.

``POST /devices/{lock}/jobs/bridges/{bridge}`` takes a job, ``GET /jobs/{id}`` tells how far it is. A completed job was
carried out at the lock; one that failed does not say why; one still open may yet be done. No call lists the codes on a
lock, so a set or a removal waits some seconds for its job and is done, refused, or unknown – never *accepted*, which
nothing could confirm later. A set that is asked for again after an unknown outcome may be refused because the first one
reached the lock: the host is told, as of every refusal, when the attempts are used up.

A job deletes a code by its **digits**, but a driver is handed no more than a reference, and references are stored in
the clear. A reference therefore holds the digits sealed (AES-SIV, bound to the lock) under a key made from the
account's client secret, which only the vault knows. With a new client secret the codes made before can no longer be
deleted from here; that is refused and told, never passed over.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lockbridge.contract import NameRefused, PinRefused, WindowRefused
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities
from providers.igloohome.algopin import on_the_wire

_DURATION = 4
"""The ``pinType`` of a custom PIN with a begin and an end."""
_FAILED = 2
"""``jobResponse.jobStatus`` of a job that came to nothing, as programs of other customers read it (unverified)."""
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEALED_FOR = b"lockbridge igloohome code reference 1"
_STANDING = "-"


class JobType(IntEnum):
    """The vendor's numbers for what a bridge can do (SDK ``igloohome-api``), as far as it is asked for here."""

    UNLOCK = 2
    CREATE_PIN = 4
    DELETE_PIN = 5
    DEVICE_STATUS = 10


@dataclass(frozen=True, slots=True)
class Job:
    """Something to have the bridge do."""

    type: JobType
    data: Mapping[str, object] | None = field(default=None, repr=False)

    @property
    def body(self) -> dict[str, object]:
        """The job as it goes over the wire."""
        kind: dict[str, object] = {"jobType": int(self.type)}
        return kind if self.data is None else {**kind, "jobData": self.data}


UNLOCK = Job(JobType.UNLOCK)
DEVICE_STATUS = Job(JobType.DEVICE_STATUS)


def creation(spec: CodeSpec, pin: Pin, can: Capabilities, now: datetime) -> Job:
    """The job that writes a code. A window that has begun is asked for from the next full minute on.

    Raises PinRefused, NameRefused or WindowRefused for what the lock does not take: a job that fails does not say why.
    """
    window = spec.window
    if len(pin.digits) not in can.pin_rules.lengths:
        msg = "a code through the bridge has four to six digits"
        raise PinRefused(msg)
    check_name(spec.name, can)
    if window is None or window.ends is None:
        msg = "a code through the bridge has a begin and an end"
        raise WindowRefused(msg)
    starts = max(window.starts, _next_minute(now))
    if window.ends <= starts:
        msg = "the window is over"
        raise WindowRefused(msg)
    data = {"accessName": spec.name, "pin": pin.digits, "pinType": _DURATION}
    return Job(JobType.CREATE_PIN, {**data, "startDate": on_the_wire(starts), "endDate": on_the_wire(window.ends)})


def deletion(pin: Pin) -> Job:
    """The job that takes a code off."""
    return Job(JobType.DELETE_PIN, {"pin": pin.digits})


def check_name(name: str, can: Capabilities) -> None:
    """Raise NameRefused for a name longer than what is asked for here; the vendor publishes no limit (unverified)."""
    if not can.name_rules.min_length <= len(name) <= can.name_rules.max_length:
        msg = f"a name has {can.name_rules.min_length} to {can.name_rules.max_length} characters here"
        raise NameRefused(msg)


def _next_minute(now: datetime) -> datetime:
    return now + (_EPOCH - now) % _MINUTE


def was_done(raw: Any) -> bool | None:
    """Whether the job was carried out; None while it is open. Raises LookupError, TypeError or AttributeError."""
    completed, response = raw["completed"], raw.get("jobResponse") or {}
    if response.get("jobStatus") == _FAILED:
        return False
    return True if completed is True else None


class Refs:
    """References of the codes of one account: when the code ends, and its digits, sealed."""

    def __init__(self, client_secret: str) -> None:
        key = HKDF(SHA256(), 64, salt=None, info=_SEALED_FOR).derive(client_secret.encode())
        self._seal = AESSIV(key)

    def of(self, lock: LockRef, pin: Pin, window: Window | None) -> CodeRef:
        """The reference of a code; the same for the same digits, lock and end."""
        ends = _STANDING if window is None or window.ends is None else f"{window.ends:%Y%m%d%H%M}"
        sealed = self._seal.encrypt(pin.digits.encode(), [lock.encode(), ends.encode()])
        return CodeRef(f"{ends}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}")

    def opened(self, lock: LockRef, ref: CodeRef) -> tuple[Pin, datetime | None] | None:
        """The digits and the end (UTC) of the code; None when the reference is not one of this account's and lock's."""
        ends, _, sealed = ref.partition(".")
        try:
            digits = self._seal.decrypt(_unpacked(sealed), [lock.encode(), ends.encode()]).decode()
            until = None if ends == _STANDING else datetime.strptime(ends, "%Y%m%d%H%M").replace(tzinfo=UTC)
            return Pin(digits), until
        except (InvalidTag, ValueError):
            return None


def _unpacked(sealed: str) -> bytes:
    return base64.b64decode(sealed + "=" * (-len(sealed) % 4), altchars=b"-_", validate=True)
