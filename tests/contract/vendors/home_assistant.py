"""A make-believe Home Assistant 2025.4 with door locks of Z-Wave JS, zigbee2mqtt (``expose_pin``) and ZHA."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from lockbridge.contract import ProviderError
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, PinRules
from providers.home_assistant import PROVIDER
from providers.simulator import RuleSet, SimulatedLockApp
from tests.contract.brands import Brand
from tests.contract.lines import SocketHarness

CAPABILITIES = Capabilities(
    keeps_windows=False,
    keeps_names=False,
    lead=timedelta(minutes=10),
    updates=frozenset({"pin"}),
    max_codes=8,
    can_open=True,
    pin_rules=PinRules(lengths=frozenset(range(4, 11))),
)
RULES = {"zwave_js": RuleSet("zwave_js", CAPABILITIES), "mqtt": RuleSet("mqtt", CAPABILITIES)}
ZHA = RuleSet("zha", CAPABILITIES)
FAILED, UNKNOWN, NO_ANSWER, NOT_FOUND = "home_assistant_error", "unknown_command", "FailedZWaveCommand", "not_found"


class HassError(Exception):
    """An error as the WebSocket says it: a word, and words for people."""


@dataclass
class Hass:
    """Home Assistant in front of the simulated locks. Slots are the simulator's references."""

    app: SimulatedLockApp
    token: str = "token"
    account: str = "main"
    exposes_pins: bool = True
    deaf: bool = False
    """Locks hear and obey, and nobody hears from them."""
    clients: list[WebSocket] = field(default_factory=list)
    topics: dict[str, int] = field(default_factory=dict)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    """What zigbee2mqtt is about to publish."""
    published: list[tuple[str, Any]] = field(default_factory=list)

    async def talk(self, websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_json({"type": "auth_required", "ha_version": "2025.4.4"})
        said = orjson.loads(await websocket.receive_text())
        if said != {"type": "auth", "access_token": self.token}:
            await websocket.send_json({"type": "auth_invalid", "message": "Invalid access token or password"})
            return await websocket.close()
        await websocket.send_json({"type": "auth_ok", "ha_version": "2025.4.4"})
        self.clients.append(websocket)
        return await self._converse(websocket)

    async def _converse(self, websocket: WebSocket) -> None:
        last = 0
        try:
            while True:
                asked = orjson.loads(await websocket.receive_text())
                assert asked["id"] > last, "identifiers must increase"
                last = asked["id"]
                await websocket.send_json({"id": last, "type": "result", **self.answer(asked)})
                while self.waiting:
                    await websocket.send_json(self.waiting.pop(0))
        except WebSocketDisconnect:
            self.clients.remove(websocket)

    async def notify(self, ref: LockRef, event: int, slot: int) -> None:
        data = {"device_id": f"device-{ref}", "type": 6, "event": event, "parameters": {"userId": slot}}
        for client in self.clients:
            event_ = {"event_type": "zwave_js_notification", "data": data}
            await client.send_json({"id": 1, "type": "event", "event": event_})

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {"success": True, "result": self.result(asked)}
        except HassError as error:
            return {"success": False, "error": {"code": error.args[0], "message": "4711 is no good"}}

    def result(self, asked: Mapping[str, Any]) -> Any:
        locks = self.app.locks
        kinds = {
            "subscribe_events": lambda: None,
            "config/entity_registry/list": lambda: [entity for ref in locks for entity in self._entities(ref)],
            "config/device_registry/list": lambda: [_device(ref) for ref in locks],
            "get_states": lambda: [state for ref in locks for state in self._states(ref)],
            "zwave_js/invoke_cc_api": lambda: self._invoke(asked),
            "mqtt/subscribe": lambda: self.topics.update({asked["topic"]: asked["id"]}),
            "call_service": lambda: self._call(asked),
        }
        if asked["type"] not in kinds:
            raise HassError(UNKNOWN)
        return kinds[asked["type"]]()

    def _call(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        entity = asked.get("target", {}).get("entity_id")
        target = next((ref for ref in self.app.locks if _entity(ref) == entity), None)
        self._service(f"{asked['domain']}.{asked['service']}", target, asked["service_data"])
        return {"context": {"id": "01", "parent_id": None, "user_id": "u"}, "response": None}

    def _entities(self, ref: LockRef) -> list[dict[str, Any]]:
        platform = self.app.locks[ref].rules.key
        common = {"platform": platform, "device_id": f"device-{ref}", "disabled_by": None}
        return [{**common, "entity_id": _entity(ref)}, {**common, "entity_id": f"sensor.{_topic(ref)}_battery_level"}]

    def _states(self, ref: LockRef) -> list[dict[str, Any]]:
        lock = self.app.locks[ref]
        status = self.app.check_lock(self.account, ref)
        battery = "unknown" if lock.battery is None else str(lock.battery * 100)
        named = {"friendly_name": lock.name, "supported_features": 0}
        sensor = {"device_class": "battery", "unit_of_measurement": "%"}
        state = "locked" if status.online else "unavailable"
        return [
            {"entity_id": _entity(ref), "state": state, "attributes": named},
            {"entity_id": f"sensor.{_topic(ref)}_battery_level", "state": battery, "attributes": sensor},
        ]

    def _is_online(self, ref: LockRef) -> bool:
        return self.app.check_lock(self.account, ref).online

    def held(self, ref: LockRef) -> dict[int, str]:
        return {int(code.ref): code.pin for code in self.app.holds(ref)}

    def _invoke(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        ref = LockRef(asked["device_id"].removeprefix("device-"))
        assert (asked["command_class"], asked["method_name"], asked["wait_for_result"]) == (99, "get", True)
        assert self.app.locks[ref].rules.key == "zwave_js"
        if not self._is_online(ref) or self.deaf:
            raise HassError(NO_ANSWER)
        if asked["parameters"][0] > self.app.locks[ref].capabilities.max_codes:
            return {"userIdStatus": 254, "userCode": ""}
        code = self.held(ref).get(asked["parameters"][0])
        return {"userIdStatus": 1 if code else 0, "userCode": code or ""}

    def _service(self, service: str, ref: Any, data: Mapping[str, Any]) -> None:
        match service:
            case "zwave_js.set_lock_usercode":
                assert set(data) == {"code_slot", "usercode"}
                assert isinstance(data["usercode"], str)
                self._write(ref, data["code_slot"], data["usercode"])
            case "zwave_js.clear_lock_usercode":
                assert set(data) == {"code_slot"}
                self._write(ref, data["code_slot"], None)
            case "mqtt.publish":
                self._publish(data["topic"], orjson.loads(data["payload"]))
            case "lock.unlock":
                self._unlock(ref)
            case _:
                raise HassError(NOT_FOUND)

    def _unlock(self, ref: LockRef) -> None:
        try:
            self.app.open_door(self.account, ref)
        except ProviderError:
            raise HassError(FAILED) from None

    def _write(self, ref: LockRef, slot: int, digits: str | None) -> None:
        """200 says nothing: digits of a wrong length, a duplicate, an unknown entity are passed over."""
        if ref not in self.app.locks or (digits is not None and len(digits) < 4):
            return
        if not self._is_online(ref):
            return  # services pass over entities that are unavailable (seen)
        if not 1 <= slot <= self.app.locks[ref].capabilities.max_codes:
            raise HassError(FAILED)
        self._do(ref, slot, digits)
        if self.deaf:
            raise HassError(FAILED)

    def _do(self, ref: LockRef, slot: int, digits: str | None) -> None:
        code = CodeRef(str(slot))
        try:
            if digits is None and slot in self.held(ref):
                self.app.remove_code(self.account, ref, code)
            elif digits is not None and slot in self.held(ref):
                self.app.update_code(self.account, ref, code, CodeSpec(Pin(digits), "", None))
            elif digits is not None:
                assert self.app.set_code(self.account, ref, CodeSpec(Pin(digits), "", None)).ref == code
        except ProviderError:
            return

    # -- zigbee2mqtt ------------------------------------------------------------------------------------------

    def _publish(self, topic: str, payload: Mapping[str, Any]) -> None:
        self.published.append((topic, payload))
        base, name, verb = topic.split("/")
        assert base == "zigbee2mqtt"
        ref = next(ref for ref in self.app.locks if _topic(ref) == name)
        if not self._is_online(ref):
            return
        if verb == "get":
            self._tell(ref, f"{base}/{name}")
            return
        user = payload["pin_code"]
        assert verb == "set"
        assert user["pin_code"] is None or isinstance(user["pin_code"], str), "a number loses its leading zeros"
        self._do(ref, user["user"] + 1, user["pin_code"])

    def _tell(self, ref: LockRef, topic: str) -> None:
        held = self.held(ref)
        users = {
            str(slot - 1): {
                "status": "enabled" if slot in held else "available",
                **({"pin_code": held[slot]} if slot in held and self.exposes_pins else {}),
            }
            for slot in range(1, 9)
        }
        if topic in self.topics and not self.deaf:
            event = {"topic": topic, "payload": orjson.dumps({"users": users}).decode(), "qos": 0, "retain": False}
            self.waiting.append({"id": self.topics[topic], "type": "event", "event": event})


def _device(ref: str) -> dict[str, Any]:
    return {"id": f"device-{ref}", "name": _topic(ref), "name_by_user": None}


def _topic(ref: str) -> str:
    return ref.removeprefix("lock.")


def _entity(ref: str) -> str:
    return f"lock.{_topic(ref)}"


def home_of(app: SimulatedLockApp, **ways: Any) -> tuple[Hass, Starlette]:
    """A Home Assistant in front of these locks, and its WebSocket."""
    hass = Hass(app, **ways)
    return hass, Starlette(routes=[WebSocketRoute("/api/websocket", hass.talk), WebSocketRoute("/", hass.talk)])


class HassHarness(SocketHarness):
    """Which of its messages are writes."""

    lock_ref = "lock.front_door"

    def is_greeting(self, message: Mapping[str, Any]) -> bool:
        return message["type"] in {"auth", "subscribe_events"}

    def is_write(self, message: Mapping[str, Any]) -> bool:
        if message["type"] != "call_service":
            return False
        return message["domain"] != "mqtt" or message["service_data"]["topic"].endswith("/set")


BRAND = Brand(
    spec=PROVIDER,
    rules=RULES,
    serve=lambda app: home_of(app)[1],
    settings=lambda url: {"url": url, "token": "token", "slots": "1-8", "mqtt": "zigbee2mqtt"},
    harness=HassHarness,
)
