"""The driver: one igloohome account over HTTP (``api.igloodeveloper.co``), and the form that connects it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import quote

import httpx

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    Connection,
    FormField,
    FoundLock,
    LockNotFound,
    LockOffline,
    LockStatus,
    OutcomeUnknown,
    ProviderError,
    ProviderSpec,
    RateLimited,
    Receipt,
    Rejected,
    SeenCode,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, NameRules, PinRules, Readback, Rounding
from lockbridge.outbound import ErrorTable, Request, SignIn, TokenRefused, Vendor
from providers.igloohome import algopin
from providers.igloohome.bridge import DEVICE_STATUS, UNLOCK, Job, Refs, check_name, creation, deletion, was_done
from providers.igloohome.sign_in import SIGN_IN, Renewal

_NAMES = NameRules(max_length=32)
ALGOPIN = Capabilities(
    chooses_pin=True,
    can_remove=False,
    readback=Readback.NONE,
    updates=frozenset(),
    max_codes=199,
    rounding=Rounding.HOUR,
    pin_rules=PinRules(lengths=frozenset({7, 8, 9})),
    name_rules=_NAMES,
)
"""A device that no bridge leads to. 199 codes of all kinds (Seam's guide); 7 to 9 digits were seen (unverified)."""
ALGOPIN_WITH_BRIDGE = replace(ALGOPIN, can_open=True)
"""The same codes; the bridge opens the door and tells whether the lock is in reach."""
THROUGH_BRIDGE = Capabilities(
    readback=Readback.NONE,
    updates=frozenset(),
    max_codes=199,
    rounding=Rounding.MINUTE,
    can_open=True,
    pin_rules=PinRules(lengths=frozenset({4, 5, 6})),
    name_rules=_NAMES,
)
"""Our digits, written and deleted by the bridge: four to six of them (Seam's guide)."""

_WITH_CODES = frozenset({"Lock", "Keypad", "Keybox"})
_BRIDGE = "Bridge"
_MOST_PAGES = 1000

_STATUSES: Mapping[int, type[ProviderError]] = MappingProxyType({401: TokenRefused, 403: AccountRefused})
_ERRORS = ErrorTable(statuses=_STATUSES)
_OF_A_LOCK = ErrorTable(statuses={**_STATUSES, 404: LockNotFound})
_HOURLY = ErrorTable(statuses={**_STATUSES, 400: WindowRefused, 404: LockNotFound})
"""Format, name and variance are ours and right: what is left to be wrong with a request is its window."""
_NOT_GRANTED = ErrorTable(statuses={**_STATUSES, 400: WindowRefused, 403: WindowRefused, 404: LockNotFound})
"""An account without daily or permanent codes still has hourly ones: the window is refused, not the account."""
_BY_BRIDGE = ErrorTable(statuses={**_STATUSES, 404: LockNotFound, 406: LockOffline})
"""406: the bridge cannot be contacted, nothing was done (programs of other customers; unverified)."""
_CREATION = ErrorTable(statuses={**_BY_BRIDGE.statuses, 400: WindowRefused})
_OPTIONAL = ErrorTable(statuses={401: TokenRefused, 403: Rejected, 404: LockNotFound, 406: LockOffline})
"""For what an account need not be granted."""

_PATIENCE = timedelta(seconds=8)
"""How long a verb waits for its job; the pauses between the looks are those of ``outbound.Patience``."""
_LOOKS = 20


@dataclass(frozen=True, slots=True)
class _Device:
    """One device of the account. ``links`` are the ids of the devices it is linked to; battery 0–1."""

    id: str
    kind: str
    name: str
    battery: float | None
    links: frozenset[str]


class Igloohome:
    """One igloohome account.

    ``bridges`` remembers which bridge leads to which lock (None: none does), to spare a listing before each job; it is
    made anew by a listing, and for a lock whose last job was not taken.
    """

    def __init__(self, vendor: Vendor, refs: Refs, *, through_bridge: bool) -> None:
        self._vendor = vendor
        self._refs = refs
        self._through_bridge = through_bridge
        self._bridges: dict[LockRef, str | None] = {}

    async def list_locks(self) -> Sequence[FoundLock]:
        """All locks, keypads and keyboxes of the account. The listing does not say what is in reach: ``check_lock``."""
        devices = await self._devices()
        return [self._found(device) for device in devices if device.kind in _WITH_CODES]

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Raises Rejected: neither the lock nor its cloud can be asked for codes."""
        await self._refuse(lock, "igloohome does not tell which codes a lock has")

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Have an algoPIN given out, or – digits being given – have the bridge write them."""
        check_name(spec.name, ALGOPIN)
        if spec.pin is not None:
            job = creation(spec, spec.pin, THROUGH_BRIDGE, self._vendor.now())
            await self._carried_out(lock, job, _CREATION)
            return Written(Receipt.DONE, self._refs.of(lock, spec.pin, spec.window))
        asked = algopin.asked_for(spec, self._vendor.now())
        errors = _HOURLY if asked.kind == "hourly" else _NOT_GRANTED
        request = Request("POST", f"{_path(lock)}/algopin/{asked.kind}", body=asked.body, errors=errors)
        pin, pin_id = await self._vendor.ask(request, _pin_in)
        return Written(Receipt.DONE, CodeRef(f"{pin_id}:{algopin.tag(spec.name)}"), pin, asked.window)

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Raises Rejected: codes are not changed, new ones are made."""
        del ref, spec
        await self._refuse(lock, "codes of igloohome locks cannot be changed")

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Have the bridge delete one of our codes; raises Rejected for any other.

        A lock that no longer has the code, and one that did not do it, look alike: Rejected while the code may open,
        CodeGone when its window is over.
        """
        opened = self._refs.opened(lock, ref)
        if opened is None:
            await self._refuse(
                lock, "this code cannot be taken off from here: only with the igloohome app, at the lock"
            )
        pin, ends = opened
        try:
            await self._carried_out(lock, deletion(pin), _BY_BRIDGE)
        except Rejected:
            if ends is None or ends > self._vendor.now():
                raise
            msg = "the bridge did not delete it, but the window is over"
            raise CodeGone(msg) from None
        return Receipt.DONE

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """The battery, and whether the bridge reaches the lock. A lock without a bridge need not be reached: online."""
        device = await self._vendor.ask(Request("GET", _path(lock), errors=_OF_A_LOCK), _device_in)
        if await self._bridge_to(lock) is None:
            return LockStatus(online=True, battery=device.battery)
        try:
            answered = await self._outcome(await self._hand_over(lock, DEVICE_STATUS, _OPTIONAL, reads=True))
        except LockOffline:
            answered = False
        except Rejected:
            answered = None
        return LockStatus(online=answered is not False, battery=device.battery)

    async def open_door(self, lock: LockRef) -> Receipt:
        """Have the bridge open the door; raises Rejected where there is no bridge."""
        await self._carried_out(lock, UNLOCK, _OPTIONAL)
        return Receipt.DONE

    # -- devices ---------------------------------------------------------------------------------------------------

    async def _devices(self) -> list[_Device]:
        """Everything in the account, page by page; notes the bridges."""
        found: list[_Device] = []
        cursors: list[str | None] = [None]
        while len(cursors) <= _MOST_PAGES:
            params = {"cursor": cursors[-1]} if cursors[-1] else None
            devices, cursor = await self._vendor.ask(Request("GET", "/devices", params=params), _page_in)
            found.extend(devices)
            if not cursor:
                self._bridges = _bridges_among(found)
                return found
            if cursor in cursors:
                break
            cursors.append(cursor)
        msg = "the lock app's list of devices has no end"
        raise Unreachable(msg)

    def _found(self, device: _Device) -> FoundLock:
        ref = LockRef(device.id)
        if self._bridges.get(ref) is None:
            can = ALGOPIN
        else:
            can = THROUGH_BRIDGE if self._through_bridge else ALGOPIN_WITH_BRIDGE
        return FoundLock(ref, device.name, can, LockStatus(online=True, battery=device.battery))

    async def _refuse(self, lock: LockRef, why: str) -> NoReturn:
        """Raise Rejected – once it is known that the account is let in and has the lock."""
        await self._vendor.ask(Request("GET", _path(lock), errors=_OF_A_LOCK), _device_in)
        raise Rejected(why)

    # -- jobs ------------------------------------------------------------------------------------------------------

    async def _bridge_to(self, lock: LockRef) -> str | None:
        """The bridge that leads to the lock. Raises LockNotFound."""
        if lock not in self._bridges:
            await self._devices()
        if lock not in self._bridges:
            msg = "the account has no such lock"
            raise LockNotFound(msg)
        return self._bridges[lock]

    async def _carried_out(self, lock: LockRef, job: Job, errors: ErrorTable) -> None:
        """Have the bridge do it and wait. Raises Rejected when it failed, OutcomeUnknown when it takes too long."""
        done = await self._outcome(await self._hand_over(lock, job, errors))
        if done is None:
            msg = "the bridge has not said in time whether it did it"
            raise OutcomeUnknown(msg)
        if not done:
            msg = "the bridge could not do it and does not say why"
            raise Rejected(msg)

    async def _hand_over(self, lock: LockRef, job: Job, errors: ErrorTable, *, reads: bool = False) -> str:
        """The id of the job that the bridge was given. Raises Rejected where no bridge leads to the lock."""
        bridge = await self._bridge_to(lock)
        if bridge is None:
            msg = "no bridge leads to this lock"
            raise Rejected(msg)
        path = f"{_path(lock)}/jobs/bridges/{quote(bridge, safe='')}"
        try:
            return await self._vendor.ask(Request("POST", path, body=job.body, errors=errors, reads=reads), _job_id_in)
        except (LockOffline, LockNotFound, Rejected, WindowRefused):
            self._bridges.pop(lock, None)
            raise

    async def _outcome(self, job: str) -> bool | None:
        """Whether the job was carried out; None when that is not known after some seconds.

        Raises AccountRefused for an account that may not ask after its jobs: it would never know of any.
        """
        patience = replace(self._vendor.patience, tries=_LOOKS, within=_PATIENCE)
        try:
            return await patience.read(lambda: self._looked_at(job))
        except (Unreachable, RateLimited):
            return None

    async def _looked_at(self, job: str) -> bool:
        once = replace(self._vendor, patience=replace(self._vendor.patience, tries=1))
        done = await once.ask(Request("GET", f"/jobs/{quote(job, safe='')}"), was_done)
        if done is None:
            msg = "the bridge is still at it"
            raise Unreachable(msg)
        return done


def _bridges_among(devices: Sequence[_Device]) -> dict[LockRef, str | None]:
    """Which bridge leads to which lock, whichever of the two is linked to the other."""
    bridges = [device for device in devices if device.kind == _BRIDGE]
    return {
        LockRef(lock.id): next(
            (bridge.id for bridge in bridges if lock.id in bridge.links or bridge.id in lock.links), None
        )
        for lock in devices
        if lock.kind in _WITH_CODES
    }


def _path(lock: LockRef) -> str:
    return f"/devices/{quote(lock, safe='')}"


# -- answers: each raises LookupError, TypeError, ValueError or AttributeError for what makes no sense -----------------


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw:
        msg = "not a text"
        raise TypeError(msg)
    return raw


def _page_in(raw: Any) -> tuple[list[_Device], str | None]:
    cursor = raw.get("nextCursor")
    return [_device_in(device) for device in raw["payload"]], _text(cursor) if cursor else None


def _device_in(raw: Any) -> _Device:
    device = _text(raw["deviceId"])
    links = frozenset(_text(linked["deviceId"]) for linked in raw.get("linkedDevices") or ())
    return _Device(
        device, _text(raw["type"]), raw.get("deviceName") or device, _battery(raw.get("batteryLevel")), links
    )


def _battery(percent: Any) -> float | None:
    known = isinstance(percent, int | float) and not isinstance(percent, bool) and 0 <= percent <= 100  # noqa: PLR2004 - per cent
    return percent / 100 if known else None


def _pin_in(raw: Any) -> tuple[Pin, str]:
    return Pin(_text(raw["pin"])), _text(raw["pinId"])


def _job_id_in(raw: Any) -> str:
    return _text(raw["jobId"])


# -- connecting --------------------------------------------------------------------------------------------------------


def connect(connection: Connection) -> Igloohome:
    """The account with these credentials. Raises AccountRefused when an answer to the form cannot be right."""
    settings = {field.name: field.default or "" for field in FIELDS} | {
        name: value.strip() for name, value in connection.settings.items() if value.strip()
    }
    if settings["codes"] not in _WAYS:
        msg = f"codes on locks with a bridge are made by one of: {', '.join(_WAYS)}"
        raise AccountRefused(msg)
    sign_in = Vendor(connection.http, _address(settings["auth_url"]), SIGN_IN, connection.now)
    renew = Renewal(sign_in, settings["client_id"], settings["client_secret"])
    vendor = Vendor(
        connection.http,
        _address(settings["url"]),
        _ERRORS,
        connection.now,
        sign_in=SignIn(connection.tokens, renew),
        pace=connection.pace,
    )
    return Igloohome(vendor, Refs(settings["client_secret"]), through_bridge=settings["codes"] == _BY_THE_BRIDGE)


def _address(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL("")
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        msg = "an address of igloohome begins with https://"
        raise AccountRefused(msg)
    return url.rstrip("/")


_BY_THE_BRIDGE = "bridge"
_WAYS = ("algopin", _BY_THE_BRIDGE)
FIELDS = (
    FormField("client_id", "Client ID", help="igloohome web dashboard → API access → your credentials"),
    FormField("client_secret", "Client secret", secret=True, help="shown beside the client ID"),
    FormField(
        "codes",
        "Codes on locks with a bridge",
        help="algopin: always works, but a code cannot be chosen or taken back; "
        "bridge: your own digits, taken back at once, as long as the bridge reaches the lock",
        default="algopin",
    ),
    FormField(
        "url", "Address", help="only if igloohome gave you another", default="https://api.igloodeveloper.co/igloohome"
    ),
    FormField(
        "auth_url",
        "Address of the sign-in",
        help="only if igloohome gave you another",
        default="https://auth.igloohome.co",
    ),
)

PROVIDER = ProviderSpec(
    key="igloohome",
    title="igloohome",
    fields=FIELDS,
    connect=connect,
    max_parallel=4,
    kinds=MappingProxyType(
        {
            "algoPIN": ALGOPIN,
            "algoPIN, with a bridge": ALGOPIN_WITH_BRIDGE,
            "through the bridge": THROUGH_BRIDGE,
        }
    ),
    maturity="tested against our make-believe vendor",
)
