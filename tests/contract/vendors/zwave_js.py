"""A make-believe Z-Wave JS server: door locks with slots, in the words of @zwave-js/server 3.10 (schema 50).

The first kind of lock has User Code CC, the second User Credential CC. Its memory of a code is what the lock holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from lockbridge.contract import LockOffline, ProviderError
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, PinRules
from providers.simulator import RuleSet, SimulatedLockApp
from providers.zwave_js import PROVIDER
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
RULES = {"user-code": RuleSet("user-code", CAPABILITIES), "user-credential": RuleSet("user-credential", CAPABILITIES)}
DEAD, ALIVE = 3, 4
NO_ANSWER = (204, "Controller_CallbackNOK")
INVALID = (322, "Argument_Invalid")


class ZWaveError(Exception):
    """What the server answers when something is wrong with the radio or an argument."""


class CommandError(Exception):
    """What the server answers when something is wrong with a command."""

    word: str


class UnknownNode(CommandError):
    word = "node_not_found"


class UnknownCommand(CommandError):
    word = "unknown_command"


@dataclass
class Server:
    """A Z-Wave JS server in front of the simulated locks. Slots are the simulator's references."""

    app: SimulatedLockApp
    schema: int = 50
    account: str = "main"
    told: dict[LockRef, int] = field(default_factory=dict)
    """The status of each node as clients know it."""
    hides_codes: bool = False
    unread: set[tuple[LockRef, int]] = field(default_factory=set)
    """Slots that were never read: the server remembers nothing of them."""
    forgotten: set[tuple[LockRef, int]] = field(default_factory=set)
    """Slots that changed behind the server's back."""
    deaf: bool = False
    """Locks hear and obey, and nobody hears from them."""
    clients: list[WebSocket] = field(default_factory=list)

    async def talk(self, websocket: WebSocket) -> None:
        await websocket.accept()
        versions = {"driverVersion": "15.29.0", "serverVersion": "3.10.2", "minSchemaVersion": 0}
        await websocket.send_json({"type": "version", "homeId": 1, **versions, "maxSchemaVersion": self.schema})
        self.clients.append(websocket)
        try:
            while True:
                asked = orjson.loads(await websocket.receive_text())
                answer = self.answer(asked)
                await self._tell_statuses()
                await websocket.send_json({"type": "result", "messageId": asked["messageId"], **answer})
        except WebSocketDisconnect:
            self.clients.remove(websocket)

    async def _tell_statuses(self) -> None:
        for ref in self.app.locks:
            if self.told.get(ref, ALIVE) != self.status(ref):
                old, self.told[ref] = self.told.get(ref, ALIVE), self.status(ref)
                event = "dead" if self.told[ref] == DEAD else "alive"
                await self.tell(ref, event, oldStatus=old)

    async def tell(self, ref: LockRef, event: str, **more: Any) -> None:
        for client in self.clients:
            what = {"source": "node", "event": event, "nodeId": int(ref), **more}
            await client.send_json({"type": "event", "event": what})

    # -- what is answered -------------------------------------------------------------------------------------

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return {"success": True, "result": self.result(asked)}
        except ZWaveError as error:
            number, name = error.args[0]
            words = {"zwaveErrorCode": number, "zwaveErrorCodeName": name, "zwaveErrorMessage": f"{name} (ZW0{number})"}
            return {"success": False, "errorCode": "zwave_error", **words}
        except CommandError as error:
            return {"success": False, "errorCode": error.word, "message": "", "args": {}}

    def result(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        command = asked["command"]
        if command == "set_api_schema":
            assert 0 <= asked["schemaVersion"] <= self.schema
            return {}
        if command == "start_listening":
            return {
                "state": {"driver": {}, "controller": {}, "nodes": [*self._others(), *map(self.node, self.app.locks)]}
            }
        ref = LockRef(str(asked["nodeId"]))
        assert isinstance(asked["nodeId"], int)
        if ref not in self.app.locks:
            raise UnknownNode
        verb = {
            "node.get_state": lambda: {"state": self.node(ref)},
            "node.ping": lambda: {"responded": self._ping(ref)},
            "node.refresh_cc_values": lambda: self._refresh(ref),
            "node.set_value": lambda: self._set_value(ref, asked["valueId"], asked["value"]),
            "endpoint.invoke_cc_api": lambda: self._invoke(ref, asked),
        }.get(command)
        if verb is not None:
            return verb()
        area, _, verb_name = command.rpartition(".")
        if area != "endpoint.access_control" or self.schema < 50:
            raise UnknownCommand
        assert asked["endpoint"] == 0
        return getattr(self, f"ac_{verb_name}")(ref, asked)

    def _others(self) -> list[dict[str, Any]]:
        """Nodes that are no locks: the stick itself, and a lamp."""
        classes = {1: [], 90: [37, 38]}
        return [
            {"nodeId": node, "status": ALIVE, "ready": True, "values": [], "endpoints": [_end(node, classes[node])]}
            for node in classes
        ]

    def node(self, ref: LockRef) -> dict[str, Any]:
        lock, number = self.app.locks[ref], int(ref)
        battery = {"commandClass": 128, "endpoint": 0, "property": "level", "metadata": {}}
        values = [battery if lock.battery is None else {**battery, "value": int(lock.battery * 100)}]
        if not self._has_credentials(ref):
            values += self._user_code_values(ref)
        self.told[ref] = self.status(ref)
        return {
            "nodeId": number,
            "index": 0,
            "name": lock.name,
            "status": self.status(ref),
            "ready": True,
            "isListening": False,
            "isFrequentListening": "1000ms",
            "endpoints": [_end(number, [98, 113, 128, 131 if self._has_credentials(ref) else 99])],
            "values": values,
        }

    def _user_code_values(self, ref: LockRef) -> list[dict[str, Any]]:
        found = []
        for slot in range(1, self.app.locks[ref].capabilities.max_codes + 1):
            code = self.remembered(ref).get(slot)
            where = {"commandClass": 99, "endpoint": 0, "propertyKey": slot, "propertyKeyName": str(slot)}
            status = {**where, "property": "userIdStatus", "metadata": {"type": "number"}}
            digits = {**where, "property": "userCode", "metadata": {"type": "string", "minLength": 4, "maxLength": 10}}
            if (ref, slot) not in self.unread:
                status["value"], digits["value"] = (1, code) if code else (0, "")
            found += [status, digits]
        return found

    def _has_credentials(self, ref: LockRef) -> bool:
        return self.app.locks[ref].rules.key == "user-credential"

    def status(self, ref: LockRef) -> int:
        return ALIVE if self.app.check_lock(self.account, ref).online else DEAD

    def _ping(self, ref: LockRef) -> bool:
        return self.status(ref) == ALIVE

    def _refresh(self, ref: LockRef) -> dict[str, Any]:
        self._on_air(ref)
        self.unread = {(lock, slot) for lock, slot in self.unread if lock != ref}
        self.forgotten = {(lock, slot) for lock, slot in self.forgotten if lock != ref}
        return {}

    def _on_air(self, ref: LockRef) -> None:
        if self.status(ref) != ALIVE:
            raise ZWaveError(NO_ANSWER)

    # -- slots ------------------------------------------------------------------------------------------------

    def truth(self, ref: LockRef) -> dict[int, str]:
        """What is in the slots, as the lock shows it."""
        held = {int(code.ref): code.pin for code in self.app.holds(ref)}
        return {slot: "*" * len(pin) for slot, pin in held.items()} if self.hides_codes else held

    def remembered(self, ref: LockRef) -> dict[int, str]:
        behind = self.unread | self.forgotten
        return {slot: code for slot, code in self.truth(ref).items() if (ref, slot) not in behind}

    def read(self, ref: LockRef, slot: int) -> str | None:
        self._on_air(ref)
        self.unread.discard((ref, slot))
        self.forgotten.discard((ref, slot))
        return self.truth(ref).get(slot)

    def _check_slot(self, ref: LockRef, slot: int) -> None:
        assert isinstance(slot, int)
        if not 1 <= slot <= self.app.locks[ref].capabilities.max_codes:
            raise ZWaveError(INVALID)

    def write(self, ref: LockRef, slot: int, digits: str) -> ProviderError | None:
        """Put a code into a slot; the lock's refusal is handed back."""
        self._check_slot(ref, slot)
        if not (isinstance(digits, str) and digits.isdigit() and 4 <= len(digits) <= 10):
            raise ZWaveError(INVALID)
        spec = CodeSpec(Pin(digits), "", None)
        try:
            if slot in self.truth(ref):
                self.app.update_code(self.account, ref, CodeRef(str(slot)), spec)
            else:
                assert self.app.set_code(self.account, ref, spec).ref == str(slot), (
                    "the simulator takes the lowest slot"
                )
        except LockOffline:
            raise ZWaveError(NO_ANSWER) from None
        except ProviderError as error:
            return error
        self._lose_acknowledgement(ref, slot)
        return None

    def _lose_acknowledgement(self, ref: LockRef, slot: int) -> None:
        if self.deaf:
            self.forgotten.add((ref, slot))
            raise ZWaveError(NO_ANSWER)

    def clear(self, ref: LockRef, slot: int) -> None:
        """Empty a slot; an empty one is emptied with success."""
        self._check_slot(ref, slot)
        self._on_air(ref)
        if slot in self.truth(ref):
            self.app.remove_code(self.account, ref, CodeRef(str(slot)))
        self._lose_acknowledgement(ref, slot)

    # -- User Code CC -----------------------------------------------------------------------------------------

    def _invoke(self, ref: LockRef, asked: Mapping[str, Any]) -> dict[str, Any]:
        assert (asked["endpoint"], asked["commandClass"]) == (0, 99)
        slot, *rest = asked["args"]
        if asked["methodName"] == "get":
            code = self.read(ref, slot)
            return {"response": {"userIdStatus": 1 if code else 0, "userCode": code or ""}}
        if asked["methodName"] == "set":
            assert rest[0] == 1
            self.write(ref, slot, rest[1])
        else:
            assert asked["methodName"] == "clear"
            self.clear(ref, slot)
        return {}

    # -- access control ---------------------------------------------------------------------------------------

    def ac_get_credential_capabilities_cached(self, ref: LockRef, _: Mapping[str, Any]) -> dict[str, Any]:
        count = self.app.locks[ref].capabilities.max_codes
        pins = {"numberOfCredentialSlots": count, "minCredentialLength": 4, "maxCredentialLength": 10}
        return {"capabilities": {"supportedCredentialTypes": {"1": pins}, "supportsAdminCode": False}}

    def ac_get_all_credentials_cached(self, ref: LockRef, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"credentials": [_credential(slot, code) for slot, code in self.remembered(ref).items()]}

    def ac_get_credential(self, ref: LockRef, asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["credentialType"] == 1
        code = self.read(ref, asked["credentialSlot"])
        return {"credential": _credential(asked["credentialSlot"], code)} if code else {}

    def ac_set_credential(self, ref: LockRef, asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["credentialType"] == 1
        if self._has_credentials(ref) and asked["userId"] not in self.truth(ref):
            return {"result": 2}
        return {"result": self._written(ref, asked["userId"], asked)}

    def ac_add_user(self, ref: LockRef, asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["credential"]["credentialType"] == 1
        if self._has_credentials(ref) and asked["userId"] in self.truth(ref):
            return {"result": {"user": 1}}
        refusal = self._written(ref, asked["userId"], asked["credential"])
        return {"result": {"user": 0, "credential": refusal}}

    def _written(self, ref: LockRef, user: int, credential: Mapping[str, Any]) -> int:
        assert user == credential["credentialSlot"]
        if self.write(ref, user, credential["data"]) is None:
            return 0
        return 3 if self._has_credentials(ref) else 255

    def ac_delete_user(self, ref: LockRef, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.clear(ref, asked["userId"])
        return {"result": 0}

    # -- the bolt ---------------------------------------------------------------------------------------------

    def _set_value(self, ref: LockRef, where: Mapping[str, Any], value: int) -> dict[str, Any]:
        assert where == {"commandClass": 98, "endpoint": 0, "property": "targetMode"}
        if value not in (0, 255):
            return {"result": {"status": 5, "message": "not a mode"}}
        try:
            self.app.open_door(self.account, ref)
        except LockOffline:
            raise ZWaveError(NO_ANSWER) from None
        return {"result": {"status": 254}}


def _end(node: int, classes: list[int]) -> dict[str, Any]:
    return {"nodeId": node, "index": 0, "commandClasses": [{"id": number, "version": 1} for number in classes]}


def _credential(slot: int, code: str) -> dict[str, Any]:
    return {"userId": slot, "type": 1, "slot": slot, "data": code}


def server_of(app: SimulatedLockApp, **ways: Any) -> tuple[Server, Starlette]:
    """A server in front of these locks, and its WebSocket."""
    server = Server(app, **ways)
    return server, Starlette(routes=[WebSocketRoute("/", server.talk)])


class ZwaveHarness(SocketHarness):
    """Which of its words are writes."""

    numbered = "messageId"
    writing = frozenset({"set_credential", "add_user", "delete_user", "set_value"})

    def is_greeting(self, message: Mapping[str, Any]) -> bool:
        return message["messageId"] == message["command"]

    def is_write(self, message: Mapping[str, Any]) -> bool:
        verb = message["command"].rpartition(".")[2]
        return verb in self.writing or message.get("methodName") in {"set", "clear"}


BRAND = Brand(
    spec=PROVIDER,
    rules=RULES,
    serve=lambda app: server_of(app)[1],
    settings=lambda url: {"url": url.replace("http", "ws", 1), "slots": ""},
    harness=ZwaveHarness,
)
