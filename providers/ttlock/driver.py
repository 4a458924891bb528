"""One account of the Sciener cloud: the seven verbs.

A gateway does one thing at a time and answers −3003 to everything else, so that commands wait for each other here, one
gateway at a time. The cloud itself sends a command through the gateway with the best signal.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple, TypeVar

from lockbridge.contract import (
    CodeGone,
    FoundLock,
    LockNotFound,
    LockOffline,
    LockStatus,
    NameRefused,
    ProviderError,
    Receipt,
    Rejected,
    SeenCode,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities
from lockbridge.outbound import Request, Vendor
from providers.ttlock import wire
from providers.ttlock.dialects import Dialect
from providers.ttlock.errors import WRITES, Busy

T = TypeVar("T")

BY_CLOUD, ASYNCHRONOUSLY = 2, 4
"""How a command reaches the lock: through gateway or Wi-Fi while we wait; or whenever a Wi-Fi lock wakes up."""
NEWEST_FIRST = 1
LOOKS_KEPT = 64
_A_YEAR = timedelta(days=365)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the driver has to remember of a lock between calls."""

    capabilities: Capabilities
    gateway: str | None = None


class _Near(NamedTuple):
    """A gateway in whose reach a lock is; the better of two is the greater."""

    online: bool
    signal: int
    gateway: str


class Sciener:
    """One account at TTLock or Sifely."""

    def __init__(self, vendor: Vendor, dialect: Dialect) -> None:
        self._vendor, self._dialect = vendor, dialect
        self._locks: dict[LockRef, _Known] = {}
        self._looks: dict[LockRef, dict[CodeRef, SeenCode]] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._learning = asyncio.Lock()

    # -- locks -------------------------------------------------------------------------------------------------

    async def list_locks(self) -> Sequence[FoundLock]:
        """All locks the account administers. Of a Wi-Fi lock the list does not say whether it is online."""
        listed = await self._pages(self._dialect.locks, _lock_or_key_in)
        locks = {lock.ref: lock for lock in listed if lock is not None}
        asks = self._dialect.tells_gateways and any(lock.has_gateway for lock in locks.values())
        near = await self._gateways() if asks else {}
        self._locks = {ref: _Known(lock.capabilities, _best(near.get(ref, ()))) for ref, lock in locks.items()}
        return [_found(lock, near.get(lock.ref, ())) for lock in locks.values()]

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether the lock can be reached, and its battery; one nobody can reach from afar is where it is."""
        known, battery = await self._lock(lock), None
        try:
            battery = await self._ask(Request("GET", "/v3/lock/detail", params={"lockId": lock}), wire.battery_in)
            return LockStatus(await self._in_reach(lock, known.capabilities), battery)
        except LockOffline as error:
            return LockStatus(online=False, battery=battery, trouble=error.trouble)

    async def open_door(self, lock: LockRef) -> Receipt:
        """Open the door through gateway or Wi-Fi."""
        if not (await self._lock(lock)).capabilities.can_open:
            msg = "this lock cannot be opened from afar"
            raise Rejected(msg)
        await self._command(lock, "/v3/lock/unlock", {}, wire.nothing)
        return Receipt.DONE

    async def _lock(self, lock: LockRef) -> _Known:
        """What the lock is. Asks for the account's locks when they are not known yet; raises LockNotFound."""
        if lock not in self._locks:
            async with self._learning:
                if lock not in self._locks:
                    await self.list_locks()
        if lock not in self._locks:
            msg = "the account has no such lock"
            raise LockNotFound(msg)
        return self._locks[lock]

    async def _gateways(self) -> dict[LockRef, list[_Near]]:
        """The gateways of each lock that is in reach of one."""
        near: defaultdict[LockRef, list[_Near]] = defaultdict(list)
        for gateway, online in await self._pages("/v3/gateway/list", wire.gateway_in):
            request = Request("GET", "/v3/gateway/listLock", params={"gatewayId": gateway})
            for ref, signal in await self._ask(request, lambda raw: [wire.in_reach_in(each) for each in raw["list"]]):
                near[ref].append(_Near(online, signal, gateway))
        return near

    async def _in_reach(self, lock: LockRef, can: Capabilities) -> bool:
        """Whether commands would arrive. Raises LockOffline with the vendor's reason where it gives one."""
        asked = {"lockId": lock}
        if can.chooses_pin:
            return True
        if not self._dialect.tells_gateways:
            return await self._answers(lock)
        if not can.confirms:
            request = Request("POST", "/v3/wifiLock/detail", form=asked, reads=True)
            return await self._ask(request, lambda raw: wire.is_on(raw["isOnline"]))
        request = Request("GET", "/v3/gateway/listByLock", params=asked)
        near = await self._ask(request, lambda raw: [wire.ident(each["gatewayId"]) for each in raw["list"]])
        online = dict(await self._pages("/v3/gateway/list", wire.gateway_in))
        return any(online.get(gateway, True) for gateway in near)

    async def _answers(self, lock: LockRef) -> bool:
        try:
            request = Request("GET", "/v3/lock/queryOpenState", params={"lockId": lock})
            await self._ask(request, lambda raw: int(raw["state"]))
        except Busy:
            pass
        return True

    # -- codes -------------------------------------------------------------------------------------------------

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Every passcode the cloud knows of the lock, anybody's.

        Raises Rejected for a lock with random ones only: the cloud tells what it gave out, not what the lock takes.
        """
        if (await self._lock(lock)).capabilities.chooses_pin:
            msg = "this lock cannot be asked what it holds"
            raise Rejected(msg)
        return await self._look(lock)

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Add a custom passcode, or – without digits – get a random one."""
        _check(spec, self._vendor.now())
        if spec.pin is None:
            return await self._random(lock, spec)
        known = self._locks.get(lock)
        way = BY_CLOUD if known is None or known.capabilities.confirms else ASYNCHRONOUSLY
        fields = {**wire.custom_out(spec, spec.pin), "addType": way}
        ref = await self._command(lock, "/v3/keyboardPwd/add", fields, _ref_in)
        return Written(await self._receipt(lock), ref)

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Change what differs from the last look: that is one request after a look, and two without."""
        await self._changeable(lock)
        _check(spec, self._vendor.now())
        changes = wire.changes_out(spec, await self._seen(lock, ref))
        fields = {**changes, "keyboardPwdId": ref, "changeType": BY_CLOUD}
        await self._command(lock, "/v3/keyboardPwd/change", fields, wire.nothing)
        return Written(await self._receipt(lock), ref)

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Delete a passcode from lock and cloud."""
        await self._changeable(lock)
        fields = {"keyboardPwdId": ref, "deleteType": BY_CLOUD}
        await self._command(lock, "/v3/keyboardPwd/delete", fields, wire.nothing)
        return await self._receipt(lock)

    async def _random(self, lock: LockRef, spec: CodeSpec) -> Written:
        fields = {"lockId": lock, **wire.random_out(spec, self._vendor.now())}
        request = Request("POST", "/v3/keyboardPwd/get", form=fields, errors=WRITES)
        ref, pin = await self._ask(request, lambda raw: (_ref_in(raw), Pin(wire.pin_text(raw["keyboardPwd"]))))
        return Written(Receipt.DONE, ref, pin, spec.window)

    async def _receipt(self, lock: LockRef) -> Receipt:
        """What a write that was taken means on this lock; the less of the two when it cannot be known."""
        try:
            known = await self._lock(lock)
        except ProviderError:
            return Receipt.ACCEPTED
        return Receipt.DONE if known.capabilities.confirms else Receipt.ACCEPTED

    async def _changeable(self, lock: LockRef) -> None:
        if (await self._lock(lock)).capabilities.chooses_pin:
            msg = "what this lock gave out can neither be changed nor taken back from afar"
            raise Rejected(msg)

    async def _look(self, lock: LockRef) -> list[SeenCode]:
        asked = {"lockId": lock, "orderBy": NEWEST_FIRST}
        listed = await self._pages("/v3/lock/listKeyboardPwd", wire.code_in, asked)
        seen = {code.ref: code for code in listed}
        self._looks.pop(lock, None)
        self._looks[lock] = seen
        if len(self._looks) > LOOKS_KEPT:
            del self._looks[next(iter(self._looks))]
        return list(seen.values())

    async def _seen(self, lock: LockRef, ref: CodeRef) -> SeenCode:
        """The passcode as the last look saw it, or a new one where it was changed since. Raises CodeGone."""
        if ref not in self._looks.get(lock, {}):
            await self._look(lock)
        if ref not in self._looks[lock]:
            msg = "the lock app has no such code"
            raise CodeGone(msg)
        return self._looks[lock].pop(ref)

    # -- asking ------------------------------------------------------------------------------------------------

    async def _command(self, lock: LockRef, path: str, fields: Mapping[str, Any], parse: Callable[[Any], T]) -> T:
        """Send a command to the lock, when its gateway has done what was asked of it before."""
        known = self._locks.get(lock)
        request = Request("POST", path, form={"lockId": lock, **fields}, errors=WRITES)
        async with self._turns[known.gateway if known and known.gateway else f"lock {lock}"]:
            return await self._vendor.ask(request, parse)

    async def _ask(self, request: Request, parse: Callable[[Any], T]) -> T:
        return await self._vendor.ask(request, lambda raw: parse(wire.payload(raw)))

    async def _pages(self, path: str, parse: Callable[[Any], T], asked: Mapping[str, Any] | None = None) -> list[T]:
        """Everything a list holds, page after page."""
        found: list[T] = []
        for number in count(1):
            params = {**(asked or {}), "pageNo": number, "pageSize": self._dialect.page}
            rows, pages = await self._ask(Request("GET", path, params=params), lambda raw: _page_in(raw, parse))
            found += rows
            is_last = len(rows) < self._dialect.page if pages is None else number >= pages
            if is_last or not rows:
                break
        return found


def _page_in(raw: Mapping[str, Any], parse: Callable[[Any], T]) -> tuple[list[T], int | None]:
    """The rows of a page, and how many pages there are where it is said."""
    pages = raw.get("pages")
    return [parse(row) for row in raw["list"]], None if pages is None else int(pages)


def _best(near: Sequence[_Near]) -> str | None:
    """The gateway through which the cloud will send."""
    return max(near).gateway if near else None


def _found(lock: wire.RawLock, near: Sequence[_Near]) -> FoundLock:
    """A lock of which no gateway is told, say because another account has it, is in reach as far as one knows."""
    online = not near or any(each.online for each in near)
    return FoundLock(lock.ref, lock.name, lock.capabilities, LockStatus(online, lock.battery))


def _ref_in(raw: Mapping[str, Any]) -> CodeRef:
    return CodeRef(wire.ident(wire.payload(raw)["keyboardPwdId"]))


def _lock_or_key_in(raw: Mapping[str, Any]) -> wire.RawLock | None:
    """None for the key of a lock that somebody else administers."""
    return wire.lock_in(raw) if raw.get("userType") in {None, "110301"} or wire.is_on(raw.get("keyRight")) else None


def _check(spec: CodeSpec, now: datetime) -> None:
    """Raise what the cloud has no word for: it cuts windows to its grid and takes those that are over."""
    can = wire.GATEWAY if spec.pin else wire.RANDOM
    if not can.name_rules.min_length <= len(spec.name) <= can.name_rules.max_length:
        msg = f"a name has {can.name_rules.min_length} to {can.name_rules.max_length} characters"
        raise NameRefused(msg)
    window, step = spec.window, _MINUTE if spec.pin else _HOUR
    if window is None:
        return
    ends = window.ends or window.starts
    if window.over(now):
        msg = "the window is over"
    elif (window.starts - _EPOCH) % step or (ends - _EPOCH) % step:
        msg = "the lock keeps full minutes" if spec.pin else "the lock keeps full hours"
    elif spec.pin is None and ends - window.starts > _A_YEAR:
        msg = "a random passcode lasts a year at most"
    else:
        return
    raise WindowRefused(msg)
