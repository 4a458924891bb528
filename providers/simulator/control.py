"""Routes under ``/control``: what people and fate do to the simulated locks, from outside the process.

Every call carries ``Authorization: Bearer <control token>``.

=======  =====================================  =====================================================================
method   path                                   body
=======  =====================================  =====================================================================
POST     /control/accounts                      {key, token}
POST     /control/accounts/{key}/disconnect
POST     /control/accounts/{key}/reconnect
POST     /control/locks                         {ref, name?, rules?, account?, max_codes?, zone?, battery?}
GET      /control/locks/{lock}                  answers {"holds": [{ref, pin, name, starts, ends, made_by}]}
DELETE   /control/locks/{lock}
POST     /control/locks/{lock}/offline          {until?} an instant; without it until /online
POST     /control/locks/{lock}/online
POST     /control/locks/{lock}/battery          {level} 0–1 or null
POST     /control/locks/{lock}/fill             {leave?}
POST     /control/locks/{lock}/shift            {since, until, late} instants and seconds
POST     /control/locks/{lock}/script           {faults: [word], on?: [verb]} the next calls go wrong
PUT      /control/locks/{lock}/faults           {fault: probability, retry_after?} on this lock
POST     /control/script                        as above, on any lock
PUT      /control/faults                        as above, on every lock
POST     /control/locks/{lock}/codes            {name, pin, starts?, ends?} a code made by hand; answers {ref}
PATCH    /control/locks/{lock}/codes/{code}     {pin?, name?, starts?, ends?}
DELETE   /control/locks/{lock}/codes/{code}
GET      /control/journal                       answers {"journal": [{at, lock, verb, ref, name, by, made_by}]}
GET      /control/calls                         answers {verb: how many calls came}
=======  =====================================  =====================================================================
"""

import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from lockbridge.contract import AccountRefused, LockNotFound
from lockbridge.domain.ids import CodeRef, LockRef
from providers.simulator import wire
from providers.simulator.app import SimulatedLockApp
from providers.simulator.faults import Fault, Faults, Verb
from providers.simulator.web import answer, read

_Endpoint = Callable[[Request], Awaitable[Response]]


class _Control:
    """What can be done to the world; each method takes the path's names and the body."""

    def __init__(self, app: SimulatedLockApp) -> None:
        self._app = app

    def add_account(self, body: dict[str, Any]) -> object:
        return {"key": self._app.add_account(str(body["key"]), token=str(body["token"])).key}

    def disconnect(self, _: dict[str, Any], *, key: str) -> None:
        self._app.disconnect(key)

    def reconnect(self, _: dict[str, Any], *, key: str) -> None:
        self._app.reconnect(key)

    def add_lock(self, body: dict[str, Any]) -> object:
        ref = str(body.pop("ref"))
        return {"ref": self._app.add_lock(ref, **body)}

    def holds(self, _: dict[str, Any], *, lock: LockRef) -> object:
        return {"holds": [wire.held_out(code) for code in self._app.holds(lock)]}

    def remove_lock(self, _: dict[str, Any], *, lock: LockRef) -> None:
        self._app.remove_lock(lock)

    def offline(self, body: dict[str, Any], *, lock: LockRef) -> None:
        self._app.offline(lock, wire.instant_in(body["until"]) if body.get("until") else None)

    def online(self, _: dict[str, Any], *, lock: LockRef) -> None:
        self._app.online(lock)

    def battery(self, body: dict[str, Any], *, lock: LockRef) -> None:
        level = body["level"]
        self._app.battery(lock, None if level is None else float(level))

    def fill(self, body: dict[str, Any], *, lock: LockRef) -> object:
        return {"refs": self._app.fill(lock, leave=int(body.get("leave", 0)))}

    def shift(self, body: dict[str, Any], *, lock: LockRef) -> None:
        late = timedelta(seconds=float(body["late"]))
        self._app.shift_schedule(lock, wire.instant_in(body["since"]), wire.instant_in(body["until"]), late)

    def script(self, body: dict[str, Any], *, lock: LockRef | None = None) -> None:
        on = [Verb(verb) for verb in body["on"]] if body.get("on") else None
        self._app.script(lock, *(Fault(fault) for fault in body["faults"]), on=on)

    def faults(self, body: dict[str, Any], *, lock: LockRef | None = None) -> None:
        pause = timedelta(seconds=float(body.pop("retry_after", 30)))
        odds: dict[str, Any] = {Fault(word).value: float(odd) for word, odd in body.items()}
        self._app.set_faults(Faults(retry_after=pause, **odds), lock)

    def add_code(self, body: dict[str, Any], *, lock: LockRef) -> object:
        ref = self._app.add_by_hand(lock, str(body["name"]), str(body["pin"]), wire.window_in(body))
        return {"ref": ref}

    def edit_code(self, body: dict[str, Any], *, lock: LockRef, code: CodeRef) -> None:
        window = wire.window_in(body)
        self._app.edit_by_hand(lock, code, pin=body.get("pin"), name=body.get("name"), window=window)

    def delete_code(self, _: dict[str, Any], *, lock: LockRef, code: CodeRef) -> None:
        self._app.delete_by_hand(lock, code)

    def journal(self, _: dict[str, Any]) -> object:
        return {"journal": [entry._asdict() for entry in self._app.journal]}

    def calls(self, _: dict[str, Any]) -> object:
        return {verb.value: count for verb, count in self._app.calls.items()}


def control_routes(app: SimulatedLockApp, token: str) -> list[BaseRoute]:
    """The routes under ``/control``, opened by the token."""
    control = _Control(app)
    lock, code = "/locks/{lock}", "/locks/{lock}/codes/{code}"
    table: list[tuple[str, str, Callable[..., object]]] = [
        ("POST", "/accounts", control.add_account),
        ("POST", "/accounts/{key}/disconnect", control.disconnect),
        ("POST", "/accounts/{key}/reconnect", control.reconnect),
        ("POST", "/locks", control.add_lock),
        ("GET", lock, control.holds),
        ("DELETE", lock, control.remove_lock),
        ("POST", f"{lock}/offline", control.offline),
        ("POST", f"{lock}/online", control.online),
        ("POST", f"{lock}/battery", control.battery),
        ("POST", f"{lock}/fill", control.fill),
        ("POST", f"{lock}/shift", control.shift),
        ("POST", f"{lock}/script", control.script),
        ("PUT", f"{lock}/faults", control.faults),
        ("POST", "/script", control.script),
        ("PUT", "/faults", control.faults),
        ("POST", f"{lock}/codes", control.add_code),
        ("PATCH", code, control.edit_code),
        ("DELETE", code, control.delete_code),
        ("GET", "/journal", control.journal),
        ("GET", "/calls", control.calls),
    ]
    return [Route(f"/control{path}", _endpoint(act, app, token), methods=[method]) for method, path, act in table]


def _endpoint(act: Callable[..., object], app: SimulatedLockApp, token: str) -> _Endpoint:
    async def endpoint(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Bearer {token}".encode()):
            msg = "the control token is wrong"
            raise AccountRefused(msg)
        lock = request.path_params.get("lock")
        if lock is not None and lock not in app.locks:
            msg = "there is no such lock"
            raise LockNotFound(msg)
        done = await read(request, lambda body: act(body, **request.path_params))
        return answer({"done": True} if done is None else done)

    return endpoint
