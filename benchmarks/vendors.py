"""Vendors that answer at once and always the same, in each brand's own JSON: what is measured is who asks them.

``LOCKS`` locks with ``CODES`` codes each. Two vendors are asked over a WebSocket; Home Assistant's remembers what was
written, since its driver reads what it wrote.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

LOCKS = 32
CODES = 10

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Answers = Mapping[str, Any]

_NUMBERS = range(1, LOCKS + 1)
_HELD = range(CODES)


def asgi(brand: str) -> App:
    """The vendor of this brand."""
    return _over_http(ANSWERS[brand]()) if brand in ANSWERS else _over_socket(SOCKETS[brand])


def _over_http(answers: Answers) -> App:
    bodies = {request: b"" if body is None else orjson.dumps(body) for request, body in answers.items()}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        body = bodies.get(f"{scope['method']} {scope['path']}")
        length = [(b"content-length", str(len(body or b"")).encode())]
        status = 404 if body is None else 200 if body else 204
        await send({"type": "http.response.start", "status": status, "headers": length if body else []})
        await send({"type": "http.response.body", "body": body or b""})

    return app


# -- over HTTP: the answer to each method and path --------------------------------------------------------------------


def _nuki() -> Answers:
    dates = {"allowedFromDate": "2026-07-01T13:00:00.000Z", "allowedUntilDate": "2026-07-05T09:30:00.000Z"}
    auths = [
        {"id": f"5f{key:022}", "smartlockId": 1, "authId": key, "type": 13, "name": f"Guest {key}"}
        | {"code": 345678 + key, "enabled": True, "remoteAllowed": False, "lockCount": 0, "allowedWeekDays": 127}
        | dates
        for key in _HELD
    ]
    paths = [f"/smartlock/{lock}/auth" for lock in _NUMBERS]
    return {**{f"GET {path}": auths for path in paths}, **{f"PUT {path}": None for path in paths}}


def _seam() -> Answers:
    window = {"starts_at": "2026-07-01T13:00:00.000Z", "ends_at": "2026-07-05T09:30:00.000Z"}
    codes = [
        {"access_code_id": f"c-{key}", "device_id": "1", "name": f"Guest {key}", "code": f"{345678 + key}"}
        | {"type": "time_bound", "status": "set", "errors": [], "warnings": [], "pending_mutations": [], **window}
        for key in _HELD
    ]
    page = {"pagination": {"has_next_page": False, "next_page_cursor": None, "next_page_url": None}, "ok": True}
    return {
        "POST /access_codes/list": {"access_codes": codes[1:], **page},
        "POST /access_codes/unmanaged/list": {"access_codes": codes[:1], **page},
        "POST /access_codes/create": {"access_code": {**codes[0], "status": "unset"}, "ok": True},
    }


def _remotelock() -> Answers:
    devices = [_thing("lock", f"{lock}", name=f"Lock {lock}", location_id="l", model_id="m") for lock in _NUMBERS]
    places = [_thing("location", "l", name="Here", time_zone="Europe/Berlin")]
    models = [_thing("model", "m", capabilities={"pin_credential": True, "guest_deferrable": False})]
    new = _thing("access_person_access", "access")
    return {
        "GET /devices": _listed(devices),
        "GET /locations": _listed(places),
        "GET /models": _listed(models),
        "POST /access_persons": {"data": _guest(CODES)},
        f"POST /access_persons/g-{CODES}/accesses": {"data": new},
        **{f"GET /devices/{lock}/access_person_accesses": _listed(_accesses(lock)) for lock in _NUMBERS},
    }


def _accesses(lock: int) -> list[dict[str, Any]]:
    counts = {"devices_count": 1, "devices_synced_count": 1, "devices_failed_sync_count": 0}
    return [
        _thing("access_person_access", f"a-{key}", access_person_id=f"g-{key}", accessible_id=f"{lock}", **counts)
        | {"relationships": {"access_person": _guest(key)}}
        for key in _HELD
    ]


def _guest(key: int) -> dict[str, Any]:
    times = {"starts_at": "2026-07-01T15:00:00", "ends_at": "2026-07-05T11:30:00"}
    return _thing("access_guest", f"g-{key}", name=f"Guest {key}", pin=f"{345678 + key}", status="current", **times)


def _thing(kind: str, ref: str, **said: Any) -> dict[str, Any]:
    return {"type": kind, "id": ref, "attributes": said, "links": {"self": f"https://vendor.example/{kind}/{ref}"}}


def _listed(things: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": things, "meta": {"page": 1, "per_page": 50, "total_count": len(things), "total_pages": 1}}


def _ttlock() -> Answers:
    locks = [
        {"lockId": lock, "lockName": "S31", "lockAlias": f"Lock {lock}", "featureValue": "501", "hasGateway": 1}
        | {"electricQuantity": 85, "userType": "110301"}
        for lock in _NUMBERS
    ]
    codes = [
        {"keyboardPwdId": key, "lockId": 1, "keyboardPwd": f"{345678 + key}", "keyboardPwdName": f"Guest {key}"}
        | {"keyboardPwdType": 3, "startDate": 1782910800000, "endDate": 1783243800000, "sendDate": 1528878944000}
        for key in _HELD
    ]
    return {
        "GET /v3/lock/list": {"list": locks, "pages": 1},
        "GET /v3/key/list": {"list": locks},
        "GET /v3/gateway/list": {"list": [], "pages": 1},
        "GET /v3/lock/listKeyboardPwd": {"list": codes, "pageNo": 1, "pageSize": 200, "pages": 1, "total": CODES},
        "POST /v3/keyboardPwd/add": {"keyboardPwdId": CODES},
    }


def _igloohome() -> Answers:
    locks = [
        {"deviceId": f"{lock}", "type": "Lock", "deviceName": f"Lock {lock}", "batteryLevel": 80} for lock in _NUMBERS
    ]
    bridge = {"deviceId": "b", "type": "Bridge", "linkedDevices": [{"deviceId": f"{lock}"} for lock in _NUMBERS]}
    return {
        "GET /devices": {"nextCursor": "", "payload": [*locks, bridge]},
        "GET /jobs/j": {"completed": True, "jobResponse": {"jobStatus": 1}},
        **{f"POST /devices/{lock}/jobs/bridges/b": {"jobId": "j"} for lock in _NUMBERS},
        **{f"POST /devices/{lock}/algopin/hourly": {"pin": "12345678", "pinId": "p"} for lock in _NUMBERS},
    }


ANSWERS: Mapping[str, Callable[[], Answers]] = {
    "igloohome": _igloohome,
    "nuki": _nuki,
    "remotelock": _remotelock,
    "seam": _seam,
    "sifely": _ttlock,
    "ttlock": _ttlock,
}


# -- over a WebSocket: what is said first, then the answer to each question -------------------------------------------


@dataclass
class _ZwaveJs:
    """User Credential CC by ``access_control`` (schema 50)."""

    numbered = "messageId"
    greeting: Mapping[str, Any] = field(default_factory=lambda: {"type": "version", "maxSchemaVersion": 50})

    def answer(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"type": "result", "success": True, "result": _NETWORK.get(asked["command"].rpartition(".")[2], {})}


def _node(lock: int) -> dict[str, Any]:
    end = {"index": 0, "commandClasses": [{"id": number} for number in (98, 113, 128, 131)]}
    return {"nodeId": lock, "name": f"Lock {lock}", "status": 4, "ready": True, "endpoints": [end], "values": []}


_PINS = {"numberOfCredentialSlots": 30, "minCredentialLength": 4, "maxCredentialLength": 10}
_CREDENTIALS = [{"userId": key, "type": 1, "slot": key, "data": f"{345678 + key}"} for key in range(1, CODES + 1)]
_NETWORK: Mapping[str, Any] = {
    "start_listening": {"state": {"nodes": [_node(lock) for lock in _NUMBERS]}},
    "get_credential_capabilities_cached": {"capabilities": {"supportedCredentialTypes": {"1": _PINS}}},
    "get_all_credentials_cached": {"credentials": _CREDENTIALS},
    "add_user": {"result": {"user": 0, "credential": 0}},
}


@dataclass
class _HomeAssistant:
    """Z-Wave locks, with what is in their slots."""

    numbered = "id"
    greeting: Mapping[str, Any] = field(default_factory=lambda: {"type": "auth_required"})
    held: dict[tuple[str, int], str] = field(default_factory=dict)

    def answer(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if asked["type"] == "auth":
            return {"type": "auth_ok"}
        return {"type": "result", "success": True, "result": self._result(asked)}

    def _result(self, asked: Mapping[str, Any]) -> Any:
        match asked["type"]:
            case "call_service":
                data = asked["service_data"]
                self.held[asked["target"]["entity_id"], data["code_slot"]] = data.get("usercode", "")
                return {"context": {"id": "01"}, "response": None}
            case "zwave_js/invoke_cc_api":
                code = self.held.get((asked["device_id"], asked["parameters"][0]), "")
                return {"userIdStatus": int(bool(code)), "userCode": code}
        return _HOME[asked["type"]]


_LOCKS = [f"lock.{lock}" for lock in _NUMBERS]
_LOOKS = {"state": "locked", "attributes": {"friendly_name": "Door", "supported_features": 0}}
_HOME: Mapping[str, Any] = {
    "subscribe_events": None,
    "config/entity_registry/list": [{"entity_id": lock, "platform": "zwave_js", "device_id": lock} for lock in _LOCKS],
    "config/device_registry/list": [{"id": lock, "name": lock} for lock in _LOCKS],
    "get_states": [{"entity_id": lock, **_LOOKS} for lock in _LOCKS],
}

SOCKETS: Mapping[str, Callable[[], _ZwaveJs | _HomeAssistant]] = {
    "home_assistant": _HomeAssistant,
    "zwave_js": _ZwaveJs,
}


def _over_socket(make: Callable[[], _ZwaveJs | _HomeAssistant]) -> App:
    async def app(_: Scope, receive: Receive, send: Send) -> None:
        vendor = make()
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": orjson.dumps(vendor.greeting).decode()})
        while (message := await receive())["type"] == "websocket.receive":
            asked = orjson.loads(message["text"])
            answer = {vendor.numbered: asked.get(vendor.numbered), **vendor.answer(asked)}
            await send({"type": "websocket.send", "text": orjson.dumps(answer).decode()})

    return app
