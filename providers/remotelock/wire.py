"""RemoteLock's JSON: people, accesses, devices, times, and its ways to say no (API documentation v1)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    FoundLock,
    LockNotFound,
    LockStatus,
    NameRefused,
    PinRefused,
    PinTaken,
    ProviderError,
    Rejected,
    Trouble,
    Unreachable,
    WindowRefused,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Rounding
from lockbridge.domain.stay import known_zone, to_utc
from lockbridge.outbound import ErrorTable, TokenRefused

T = TypeVar("T")

ALWAYS = ("2020-01-01T00:00:00", "2037-12-31T23:59:00")
"""The times of a standing code: before lock clocks that count seconds in 32 bits run out."""
GUEST = "access_guest"
ON_LOCKS = frozenset({"current", "upcoming"})
"""The statuses of people whose codes are on locks; the others are ``expired`` and ``deactivated``."""
_LONGEST_PIN = 16

# -- how RemoteLock says no -----------------------------------------------------------------------------------


class HadAccess(Rejected):
    """The guest has this access already."""


_REFUSED: Mapping[int, type[ProviderError]] = {401: TokenRefused, 402: AccountRefused, 403: AccountRefused}
_WORDS: Mapping[str, type[ProviderError]] = {
    "billing_subscription_required": AccountRefused,
    "name": NameRefused,
    "starts_at": WindowRefused,
    "ends_at": WindowRefused,
    "pin": PinRefused,
}


def _word_of(body: Any) -> str | None:
    """The attribute that was refused (422), else the type of a general error."""
    if not isinstance(body, dict):
        return None
    errors = body.get("errors")
    refused = (
        [error.get("attribute") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    )
    word = next((name for name in refused if isinstance(name, str) and name in _WORDS), body.get("type"))
    return word if isinstance(word, str) else None


def _table(pin: type[ProviderError] = PinRefused, statuses: Mapping[int, type[ProviderError]] = _REFUSED) -> ErrorTable:
    """The errors of one kind of call: what refused digits mean there, and what its statuses do."""
    return ErrorTable(words={**_WORDS, "pin": pin}, statuses={**_REFUSED, **statuses}, word_of=_word_of)


ANY = _table()
OF_LOCK = _table(statuses={404: LockNotFound})
OF_GUEST = _table(statuses={404: CodeGone})
OF_GRANT = _table(statuses={404: LockNotFound, 409: HadAccess})
"""Digits the account has taken and the grant refuses are against the rules of the lock."""
OF_SIGN_IN = ErrorTable(statuses={400: AccountRefused, **_REFUSED})


def _refused_digits(digits: str) -> type[ProviderError]:
    """Digits of a good length are somebody else's: an account asks nothing more of them than that they are its own."""
    return PinTaken if len(digits) in _ACCOUNT_LENGTHS else PinRefused


def of_making(digits: str) -> ErrorTable:
    """Making a guest with these digits."""
    return _table(_refused_digits(digits), {409: PinTaken})


def of_changing(digits: str) -> ErrorTable:
    """Giving a guest these digits. Whose time is over, or who was deactivated, may not be changed (403)."""
    return _table(_refused_digits(digits), {403: CodeGone, 404: CodeGone, 409: PinTaken})


# -- what comes over the wire ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Device:
    """Anything the account has registered."""

    ref: LockRef
    kind: str
    name: str
    status: LockStatus
    heartbeat: timedelta
    location: str
    model: str


@dataclass(frozen=True, slots=True)
class Door:
    """A lock, its type, and the zone of its clock."""

    found: FoundLock
    kind: str

    @property
    def zone(self) -> str:
        """The IANA zone. Raises Unreachable when the vendor does not say it: no time can be told to the lock then."""
        if self.found.zone is None:
            msg = "the lock's location has no time zone that is known"
            raise Unreachable(msg)
        return self.found.zone


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a code: a guest with times (of the lock's clock), or a user without."""

    id: CodeRef
    kind: str
    name: str
    status: str
    pin: str | None = field(repr=False)
    times: tuple[str, str] | None

    def has(self, attributes: Mapping[str, str]) -> bool:
        """Whether this is the guest that was to be made."""
        wanted = (attributes["name"], attributes["pin"], (attributes["starts_at"], attributes["ends_at"]))
        return self.kind == GUEST and (self.name, self.pin, self.times) == wanted


@dataclass(frozen=True, slots=True)
class Access:
    """One person's access to one door, group of doors or location, and whether the locks have it."""

    id: str
    person: CodeRef
    to: str
    counts: tuple[int, int, int]
    """Devices: all, those that have the code, those that failed to take it."""
    included: Person | None

    @property
    def state(self) -> CodeState:
        """SET when every device has it."""
        total, synced, failed = self.counts
        return CodeState.SET if total and synced >= total and not failed else CodeState.SETTING

    @property
    def trouble(self) -> Trouble | None:
        """That a device did not take it."""
        return Rejected("the lock did not take the code").trouble if self.counts[2] else None


def text_in(raw: Any) -> str:
    """A text. Raises TypeError for anything else, as everything here raises what ``Vendor.ask`` expects."""
    if not isinstance(raw, str):
        msg = "not a text"
        raise TypeError(msg)
    return raw


def nothing_in(body: Any) -> None:
    """The answer to a removal (204)."""
    if body is not None:
        msg = "something where nothing was to come"
        raise ValueError(msg)


def id_in(body: Any) -> str:
    """The id of the one thing an answer holds."""
    return text_in(body["data"]["id"])


def person_in(raw: Any) -> Person:
    """A guest or a user."""
    said = raw["attributes"]
    pin = said.get("pin")
    times = (_tidy(said["starts_at"]), _tidy(said["ends_at"])) if raw["type"] == GUEST else None
    ref = CodeRef(text_in(raw["id"]))
    return Person(
        ref, raw["type"], text_in(said["name"]), text_in(said["status"]), None if pin is None else str(pin), times
    )


def access_in(raw: Any) -> Access:
    """Somebody's access, with the person where it was included."""
    said, related = raw["attributes"], raw.get("relationships") or {}
    counts = tuple(int(said[f"devices_{name}count"]) for name in ("", "synced_", "failed_sync_"))
    person = related.get("access_person")
    return Access(
        text_in(raw["id"]),
        CodeRef(text_in(said["access_person_id"])),
        text_in(said["accessible_id"]),
        (counts[0], counts[1], counts[2]),
        None if person is None else person_in(person),
    )


def status_in(said: Mapping[str, Any]) -> LockStatus:
    """``alive``: its heartbeat came when it was due. A lock without heartbeat is ``connected`` or not."""
    level, alive = said.get("power_level"), said.get("alive")
    battery = None if level is None else min(max(float(level) / 100, 0.0), 1.0)
    return LockStatus(online=(said.get("connected") if alive is None else alive) is True, battery=battery)


def device_in(raw: Any) -> Device:
    """A device of any type."""
    said = raw["attributes"]
    return Device(
        ref=LockRef(text_in(raw["id"])),
        kind=text_in(raw["type"]),
        name=text_in(said["name"]),
        status=status_in(said),
        heartbeat=timedelta(seconds=int(said.get("heartbeat_interval") or 0)),
        location=said.get("location_id") or "",
        model=said.get("model_id") or "",
    )


def location_in(raw: Any) -> tuple[str, str]:
    """The id of a location and its IANA zone."""
    return text_in(raw["id"]), text_in(raw["attributes"]["time_zone"])


def model_in(raw: Any) -> tuple[str, Mapping[str, Any]]:
    """The id of a model and what its devices can do."""
    return text_in(raw["id"]), dict(raw["attributes"]["capabilities"])


def page_in(body: Any, item: Callable[[Any], T]) -> tuple[list[T], int, int]:
    """What stands on a page, how many pages there are, and how many things on all of them."""
    meta = body["meta"]
    return [item(raw) for raw in body["data"]], int(meta["total_pages"]), int(meta["total_count"])


# -- what the locks can do ------------------------------------------------------------------------------------

_EVERY_LOCK = Capabilities(
    confirms=False,
    confirm_within=timedelta(minutes=15),
    rounding=Rounding.MINUTE,
    can_open=True,
    pin_rules=PinRules(lengths=frozenset(range(4, 9))),
    name_rules=NameRules(max_length=64),
    max_codes=100,
)
BY_TYPE: Mapping[str, Capabilities] = {
    "lock": replace(_EVERY_LOCK, pin_rules=PinRules(lengths=frozenset(range(4, 11))), max_codes=500),
    "zwave_lock": replace(_EVERY_LOCK, max_codes=30),
    "schlage_home_lock": replace(
        _EVERY_LOCK, pin_rules=PinRules(lengths=frozenset(range(4, 9)), one_length_per_lock=True)
    ),
    "connector_lock": _EVERY_LOCK,
}
"""The types of device with a keypad that a guest can be given. How many codes they hold is not published: a guess."""
_DEFERRED = timedelta(minutes=10)
_ACCOUNT_LENGTHS = range(4, 11)
"""Digits of a PIN that an account takes (from a published connector's schema)."""


def capabilities(device: Device, *, guests_deferred: bool) -> Capabilities:
    """A lock is told of its codes once in a heartbeat; one whose guests are deferred only when their time begins."""
    can = BY_TYPE[device.kind]
    if guests_deferred:
        can = replace(can, lead=_DEFERRED, confirm_within=can.confirm_within + _DEFERRED)
    return replace(can, confirm_within=can.confirm_within + 2 * device.heartbeat)


def typical(kind: str) -> Capabilities:
    """Wi-Fi locks wake up every twenty minutes unless told otherwise; guests of Z-Wave locks are deferred."""
    heartbeat = timedelta(minutes=20) if kind == "lock" else timedelta(0)
    device = Device(LockRef(""), kind, "", LockStatus(online=True), heartbeat, "", "")
    return capabilities(device, guests_deferred=kind == "zwave_lock")


def door_in(device: Device, zones: Mapping[str, str], models: Mapping[str, Mapping[str, Any]]) -> Door | None:
    """A lock as it is told; None for a model whose locks have no keypad."""
    model = models.get(device.model, {})
    if model.get("pin_credential") is False:
        return None
    zone = zones.get(device.location, "")
    can = capabilities(device, guests_deferred=model.get("guest_deferrable") is True)
    found = FoundLock(device.ref, device.name, can, device.status, zone if known_zone(zone) else None)
    return Door(found, device.kind)


# -- times ----------------------------------------------------------------------------------------------------


def pin_in(raw: str | None) -> Pin | None:
    """The digits; None for somebody who has a card, or something else that is no PIN."""
    return Pin(raw) if raw and raw.isascii() and raw.isdigit() and len(raw) <= _LONGEST_PIN else None


def _tidy(raw: str) -> str:
    return datetime.fromisoformat(raw).replace(tzinfo=None).isoformat(timespec="seconds")


def times_out(window: Window | None, zone: str) -> tuple[str, str]:
    """The window on the lock's clock. Raises WindowRefused for one that begins and does not end."""
    if window is None:
        return ALWAYS
    if window.ends is None:
        msg = "RemoteLock takes times with a begin and an end only"
        raise WindowRefused(msg)
    here = ZoneInfo(zone)
    starts, ends = (instant.astimezone(here).replace(tzinfo=None) for instant in (window.starts, window.ends))
    return starts.isoformat(timespec="seconds"), ends.isoformat(timespec="seconds")


@lru_cache(maxsize=4096)
def window_in(times: tuple[str, str] | None, zone: str) -> Window | None:
    """Times of the lock's clock as instants: of a time that comes twice, a start is the earlier, an end the later.

    Remembered, since each look tells the same windows again (T10: 0.79 → 0.88).
    """
    if times is None or times[1] >= ALWAYS[1]:
        return None
    starts, ends = (datetime.fromisoformat(each) for each in times)
    return Window(to_utc(starts.date(), starts.time(), zone), to_utc(ends.date(), ends.time(), zone, end=True))


def guest_out(spec: CodeSpec, zone: str) -> dict[str, str]:
    """A guest to ask for."""
    if spec.pin is None:
        msg = "RemoteLock is told the digits"
        raise Rejected(msg)
    starts, ends = times_out(spec.window, zone)
    return {"name": spec.name, "pin": spec.pin.digits, "starts_at": starts, "ends_at": ends}
