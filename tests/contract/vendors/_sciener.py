"""A make-believe Sciener cloud, API v3, over the simulated world; Sifely's is the same with another front door.

It answers errors with status 200, takes forms and parameters in the address, wants its clock met within five minutes,
cuts windows to the lock's grid in silence, and has one gateway for each lock that has one at all, unless told
otherwise. A gateway that is asked two things at once is busy. Identities are the world's own, numbers where they can.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    CodeState,
    LockFull,
    LockNotFound,
    LockOffline,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    RateLimited,
    SeenCode,
    Unreachable,
    WindowRefused,
)
from lockbridge.domain.code import CodeSpec, Pin, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, PinRules, Readback, Rounding
from providers.simulator import MAIN, RuleSet, SimulatedLockApp
from providers.simulator.lock import SimulatedLock

MINUTE, HOUR, YEAR = timedelta(minutes=1), timedelta(hours=1), timedelta(days=366)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CUSTOM = PinRules(lengths=frozenset(range(4, 10)), no_run=True, no_equal_digits=True)

RULES = {
    "gateway": RuleSet(
        "gateway", Capabilities(max_codes=250, rounding=Rounding.MINUTE, can_open=True, pin_rules=CUSTOM)
    ),
    "gateway, no opening": RuleSet(
        "gateway, no opening", Capabilities(max_codes=250, rounding=Rounding.MINUTE, pin_rules=CUSTOM)
    ),
    "wifi": RuleSet(
        "wifi",
        Capabilities(
            confirms=False,
            confirm_within=timedelta(hours=6),
            max_codes=250,
            rounding=Rounding.MINUTE,
            can_open=True,
            pin_rules=CUSTOM,
        ),
        confirm_delay=(timedelta(seconds=5), timedelta(seconds=60)),
        queues_offline=True,
    ),
    "random": RuleSet(
        "random",
        Capabilities(
            chooses_pin=True,
            can_remove=False,
            readback=Readback.NONE,
            updates=frozenset(),
            max_codes=250,
            rounding=Rounding.HOUR,
            pin_rules=PinRules(lengths=frozenset(range(6, 10))),
        ),
        variants=20,
    ),
}
STATUSES = {CodeState.SET: 1, CodeState.SETTING: 4, CodeState.REMOVING: 8}

CLIENT, SECRET, USER, PASSWORD = "c1ient", "client-secret", "ada@example.com", "correct-horse-battery"
SETTINGS = {"client_id": CLIENT, "client_secret": SECRET, "username": USER, "password": PASSWORD}

Fields = Mapping[str, str]
Handler = Callable[["ScienerCloud", Fields], Awaitable[dict[str, Any]]]


class Refusal(Exception):
    """A no of the cloud's own, by its number."""

    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode


def milliseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def instant(text: str) -> datetime:
    return EPOCH + int(text) * timedelta(milliseconds=1)


def number(fields: Fields, name: str, default: int | None = None) -> int:
    """A parameter that is a number. Raises −3 when it is missing or none."""
    text = fields.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.removeprefix("-").isdecimal():
        raise Refusal(-3)
    return int(text)


def ident(ref: str) -> int | str:
    return int(ref) if ref.isdecimal() else ref


class ScienerCloud:
    """One account of TTLock."""

    lists_locks = "/v3/lock/list"
    tells_gateways = True

    def __init__(self, app: SimulatedLockApp) -> None:
        self._app = app
        self.tokens = {"token"}
        self.refresh_token = "refresh-1"
        self.gateways: dict[str, int] = {}
        """By lock, the gateway it has; another one for each lock that is not named here."""
        self.busy: set[int] = set()

    def asgi(self) -> Starlette:
        handlers: list[tuple[str, str, Handler]] = [
            (self.lists_locks, "GET", type(self).list_locks),
            ("/v3/lock/detail", "GET", type(self).detail),
            ("/v3/lock/queryOpenState", "GET", type(self).open_state),
            ("/v3/lock/listKeyboardPwd", "GET", type(self).list_codes),
            ("/v3/keyboardPwd/add", "POST", type(self).add),
            ("/v3/keyboardPwd/get", "POST", type(self).get),
            ("/v3/keyboardPwd/change", "POST", type(self).change),
            ("/v3/keyboardPwd/delete", "POST", type(self).delete),
            ("/v3/lock/unlock", "POST", type(self).unlock),
        ]
        if self.tells_gateways:
            handlers += [
                ("/v3/gateway/list", "GET", type(self).list_gateways),
                ("/v3/gateway/listLock", "GET", type(self).locks_of_gateway),
                ("/v3/gateway/listByLock", "GET", type(self).gateways_of_lock),
                ("/v3/wifiLock/detail", "POST", type(self).wifi_detail),
            ]
        routes = [Route(path, self._served(handler), methods=[method]) for path, method, handler in handlers]
        return Starlette(routes=[*self.sign_in_routes(), *routes])

    # -- the front door ----------------------------------------------------------------------------------------

    def sign_in_routes(self) -> list[Route]:
        return [Route("/oauth2/token", self._sign_in, methods=["POST"])]

    async def _sign_in(self, request: Request) -> Response:
        try:
            return JSONResponse(self._grant(await _form(request)))
        except Refusal as refusal:
            return self.refused(refusal.errcode)

    def _grant(self, form: Fields) -> dict[str, Any]:
        if form.get("clientId") != CLIENT or form.get("clientSecret") != SECRET:
            raise Refusal(10001)
        if form.get("grant_type") == "refresh_token" and form.get("refresh_token") != self.refresh_token:
            raise Refusal(10011)
        if form.get("grant_type", "password") == "password":
            self._check_password(form)
        elif form["grant_type"] != "refresh_token":
            raise Refusal(-3)
        return {"access_token": "token", "refresh_token": self.refresh_token, "uid": 2340, "expires_in": 7776000}

    def _check_password(self, form: Fields) -> None:
        password = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest()
        if form.get("username") != USER or form.get("password") != password:
            raise Refusal(10007)

    def check_caller(self, request: Request, fields: Fields) -> None:
        if fields.get("clientId") != CLIENT:
            raise Refusal(10000)
        if fields.get("accessToken") not in self.tokens:
            raise Refusal(10003)

    def refused(self, errcode: int) -> Response:
        return JSONResponse({"errcode": errcode, "errmsg": "no", "description": "nein"})

    def wrapped(self, answer: dict[str, Any]) -> dict[str, Any]:
        """How an answer about one thing is sent."""
        return answer

    def page(self, rows: list[dict[str, Any]], fields: Fields, most: int) -> dict[str, Any]:
        no, size = number(fields, "pageNo"), number(fields, "pageSize")
        if no < 1 or not 1 <= size <= most:
            raise Refusal(-3)
        pages = ceil(len(rows) / size)
        listed = rows[(no - 1) * size : no * size]
        return {"list": listed, "pageNo": no, "pageSize": size, "pages": pages, "total": len(rows)}

    def _served(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def served(request: Request) -> Response:
            try:
                fields = await _form(request) if request.method == "POST" else dict(request.query_params)
                self._check_date(fields)
                self.check_caller(request, fields)
                return JSONResponse(await handler(self, fields))
            except Refusal as refusal:
                return self.refused(refusal.errcode)
            except ProviderError as error:
                return self._failed(error, fields)

        return served

    def _check_date(self, fields: Fields) -> None:
        if abs(instant(str(number(fields, "date"))) - self._app.now()) > timedelta(minutes=5):
            raise Refusal(80000)

    def _failed(self, error: ProviderError, fields: Fields) -> Response:
        if isinstance(error, Unreachable):
            return Response("down for maintenance", 503)
        return self.refused(self._errcode(error, fields))

    def _errcode(self, error: ProviderError, fields: Fields) -> int:
        if isinstance(error, PinRefused):
            digits = fields.get("keyboardPwd") or fields.get("newKeyboardPwd") or ""
            return -2032 if 4 <= len(digits) <= 9 else -3006
        if isinstance(error, LockOffline):
            return -3036 if self._kind(LockRef(fields["lockId"])) == "wifi" else -3002
        known = {
            AccountRefused: 10003,
            LockNotFound: -1003,
            CodeGone: -2009,
            PinTaken: -3007,
            LockFull: -3009,
            WindowRefused: -1026,
            RateLimited: 30006,
        }
        return next((code for kind, code in known.items() if isinstance(error, kind)), self._other(error))

    def _other(self, error: ProviderError) -> int:
        return 90000 if isinstance(error, OutcomeUnknown) else 1

    # -- locks -------------------------------------------------------------------------------------------------

    def _lock(self, fields: Fields) -> SimulatedLock:
        lock = self._app.locks.get(LockRef(fields.get("lockId", "")))
        if lock is None:
            raise Refusal(-1003)
        return lock

    def _kind(self, ref: LockRef) -> str:
        return self._app.rules_of(ref).key.partition(",")[0]

    def _is_online(self, ref: LockRef) -> bool:
        return self._app.locks[ref].is_online(self._app.now())

    def _gateway(self, ref: LockRef) -> int | None:
        if self._kind(ref) != "gateway":
            return None
        return self.gateways.get(ref) or 9000 + list(self._app.locks).index(ref)

    async def list_locks(self, fields: Fields) -> dict[str, Any]:
        return self.page([self._row(found.ref) for found in self._app.list_locks(MAIN)], fields, 1000)

    def _row(self, ref: LockRef) -> dict[str, Any]:
        has_gateway = int(self._gateway(ref) is not None)
        return {**self._detail(ref), "hasGateway": has_gateway, "lockData": "…", "date": 1598925600000}

    def _detail(self, ref: LockRef) -> dict[str, Any]:
        lock = self._app.locks[ref]
        features = 1 | 1 << 8 | lock.capabilities.can_open << 10 | (self._kind(ref) == "wifi") << 56
        return {
            "lockId": ident(ref),
            "lockName": "S31_d0fe21",
            "lockAlias": lock.name,
            "lockMac": "C5:40:E0:9C:8C:C1",
            "electricQuantity": -1 if lock.battery is None else round(lock.battery * 100),
            "featureValue": f"{features:X}",
            "timezoneRawOffset": 3600000,
        }

    async def detail(self, fields: Fields) -> dict[str, Any]:
        """A lock nobody reaches cannot get out of reach: what can happen to it is that it is frozen."""
        lock = self._lock(fields)
        self._app.check_lock(MAIN, lock.ref)
        if self._kind(lock.ref) == "random" and not self._is_online(lock.ref):
            raise Refusal(-2025)
        return self.wrapped(self._detail(lock.ref))

    async def open_state(self, fields: Fields) -> dict[str, Any]:
        lock = self._lock(fields)
        async with self._commanding(lock):
            return self.wrapped({"state": 0})

    async def wifi_detail(self, fields: Fields) -> dict[str, Any]:
        lock = self._lock(fields)
        if self._kind(lock.ref) != "wifi":
            raise Refusal(-3034)
        return {"networkName": "Guests", "rssiGrade": 3, "isOnline": self._is_online(lock.ref), "powerSavingMode": 2}

    async def list_gateways(self, fields: Fields) -> dict[str, Any]:
        near: dict[int, bool] = {}
        for ref in self._app.locks:
            if gateway := self._gateway(ref):
                near[gateway] = near.get(gateway, False) or self._is_online(ref)
        rows = [{"gatewayId": gateway, "gatewayName": "G2", "isOnline": int(near[gateway])} for gateway in near]
        return self.page(rows, fields, 200)

    async def locks_of_gateway(self, fields: Fields) -> dict[str, Any]:
        gateway = number(fields, "gatewayId")
        near = [ref for ref in self._app.locks if self._gateway(ref) == gateway]
        return {"list": [{"lockId": ident(ref), "rssi": -65, "updateDate": 1626674053000} for ref in near]}

    async def gateways_of_lock(self, fields: Fields) -> dict[str, Any]:
        gateway = self._gateway(self._lock(fields).ref)
        return {"list": [{"gatewayId": gateway, "gatewayName": "G2", "rssi": -65}] if gateway else []}

    @asynccontextmanager
    async def _commanding(self, lock: SimulatedLock) -> AsyncIterator[None]:
        """A command on its way to the lock, while the radio of its gateway does nothing else."""
        gateway = self._gateway(lock.ref)
        if self._kind(lock.ref) == "random":
            raise Refusal(-2012)
        if not self._is_online(lock.ref):
            raise Refusal(-3002 if gateway else -3036)
        if gateway in self.busy:
            raise Refusal(-3003)
        self.busy |= {gateway} if gateway else set()
        try:
            await asyncio.sleep(0)
            yield
        finally:
            self.busy.discard(gateway or 0)

    async def unlock(self, fields: Fields) -> dict[str, Any]:
        lock = self._lock(fields)
        async with self._commanding(lock):
            self._app.open_door(MAIN, lock.ref)
        return {"errcode": 0, "errmsg": "none error message", "description": "表示成功或是"}

    # -- passcodes ---------------------------------------------------------------------------------------------

    async def list_codes(self, fields: Fields) -> dict[str, Any]:
        lock = self._lock(fields)
        if number(fields, "orderBy") not in {0, 1, 2}:
            raise Refusal(-3)
        rows = [self.code_row(lock.ref, code) for code in self._app.list_codes(MAIN, lock.ref)]
        return self.page(rows[::-1], fields, 200)

    def code_row(self, lock: LockRef, code: SeenCode) -> dict[str, Any]:
        window = code.window
        row = {
            "keyboardPwdId": ident(code.ref),
            "lockId": ident(lock),
            "keyboardPwd": code.pin.digits if code.pin else "",
            "keyboardPwdName": code.name,
            "keyboardPwdType": 3 if window else 2,
            "startDate": milliseconds(window.starts) if window else 0,
            "endDate": milliseconds(window.ends) if window and window.ends else 0,
            "sendDate": 1528878944000,
            "isCustom": 1,
            "senderUsername": USER,
        }
        if self._kind(lock) != "wifi" and code.state is CodeState.SET:
            return row
        return {**row, "status": 5 if code.trouble else STATUSES[code.state]}

    async def add(self, fields: Fields) -> dict[str, Any]:
        """``addType`` 1 only notes a passcode in the cloud: it is not on the lock and opens nothing."""
        lock, way = self._lock(fields), number(fields, "addType", 1)
        digits, kind = fields.get("keyboardPwd", ""), number(fields, "keyboardPwdType", 3)
        if way not in {1, 2, 4} or kind not in {2, 3} or not digits.isdecimal():
            raise Refusal(-3)
        if way == 1:
            return {"keyboardPwdId": 1}
        spec = CodeSpec(Pin(digits), fields.get("keyboardPwdName", ""), _window(fields, MINUTE) if kind == 3 else None)
        if way == 4 and self._kind(lock.ref) != "wifi":
            raise Refusal(-4043)
        if way == 4:
            return self._set(lock, spec)
        async with self._commanding(lock):
            return self._set(lock, spec)

    def _set(self, lock: SimulatedLock, spec: CodeSpec) -> dict[str, Any]:
        written = self._app.set_code(MAIN, lock.ref, spec)
        return {
            "keyboardPwdId": ident(written.ref or ""),
            **({"keyboardPwd": written.pin.digits} if written.pin else {}),
        }

    async def get(self, fields: Fields) -> dict[str, Any]:
        """Only passcodes for a period: the world knows no others that the cloud computes."""
        lock = self._lock(fields)
        if number(fields, "keyboardPwdType") != 3:
            raise Refusal(-4043)
        window = _window(fields, HOUR)
        if window.ends and window.ends - window.starts > YEAR:
            raise Refusal(-3)
        return self._set(lock, CodeSpec(None, fields.get("keyboardPwdName", ""), window))

    async def change(self, fields: Fields) -> dict[str, Any]:
        """Digits that the passcode has already are a duplicate like any others."""
        lock, ref = self._lock(fields), CodeRef(fields.get("keyboardPwdId", ""))
        if ref not in lock.codes:
            raise Refusal(-2009)
        code, digits = lock.codes[ref], fields.get("newKeyboardPwd")
        if "startDate" in fields or digits is not None:
            _check_way(fields, "changeType")
        if digits == code.pin:
            raise Refusal(-3007)
        window = _window(fields, MINUTE) if "startDate" in fields else code.window
        spec = CodeSpec(Pin(digits or code.pin), fields.get("keyboardPwdName", code.name or ""), window)
        async with self._commanding(lock):
            self._app.update_code(MAIN, lock.ref, ref, spec)
        return {"errcode": 0, "errmsg": "none error message", "description": "表示成功或是"}

    async def delete(self, fields: Fields) -> dict[str, Any]:
        lock, ref = self._lock(fields), CodeRef(fields.get("keyboardPwdId", ""))
        _check_way(fields, "deleteType")
        async with self._commanding(lock):
            self._app.remove_code(MAIN, lock.ref, ref)
        return {"errcode": 0, "errmsg": "none error message", "description": "表示成功或是"}


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise Refusal(-3)
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, strict_parsing=True))


def _check_way(fields: Fields, name: str) -> None:
    """1, which is the default, says that a phone has told the lock already."""
    if number(fields, name, 1) != 2:
        raise Refusal(-3)


def _window(fields: Fields, grid: timedelta) -> Window | None:
    """Both ends, cut to the grid; two zeros say standing."""
    starts, ends = number(fields, "startDate"), number(fields, "endDate")
    if starts == ends == 0:
        return None
    if ends <= starts:
        raise Refusal(-3)
    return Window(*(at - (at - EPOCH) % grid for at in (instant(str(starts)), instant(str(ends)))))
