"""Home Assistant: the door locks of its Z-Wave JS, zigbee2mqtt and ZHA integrations, over its WebSocket.

Everything goes over the WebSocket: its answers say why something failed where the REST services answer 200 (an unknown
entity, digits of a wrong length) or 500 without a word (Home Assistant 2025.4). None of these locks keeps names or
windows; the reference of a code is its slot, counted from 1, within the range the host gave us.

* ``zwave_js``: ``set_lock_usercode`` and ``clear_lock_usercode``, read back slot by slot with ``invoke_cc_api`` (User
  Code CC). A failed service call may have reached the lock, so the slot is read after a failure too.
* zigbee2mqtt, through Home Assistant's MQTT: users are counted from 0; digits are sent as text, since a number would
  lose its leading zeros; without zigbee2mqtt's ``expose_pin`` the digits read as none.
* ``zha`` has no way to read codes, in Home Assistant. Without that nobody can say which slots are free, nor that a code
  was written: such a lock is listed, watched and opened, and takes no codes from us (``max_codes`` 0).

The first look over a line reads every slot of the range; later ones ask for the lock's state and read the slots in
doubt: those changed at the keypad (as far as the integration tells) and those a write was lost on. Home Assistant
remembers no codes, so a slot is read before it is written, not to overwrite a stranger's code, and after: a placement
costs four requests – the look, and read, write, read.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import orjson

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    Connection,
    FormField,
    FoundLock,
    LockFull,
    LockNotFound,
    LockOffline,
    LockStatus,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    ProviderSpec,
    Receipt,
    Rejected,
    SeenCode,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, PinRules, Readback
from lockbridge.outbound import ErrorTable
from providers._slots import slots_in
from providers._socket import Call, Greeting, Socket, dialer, websocket_url

ZWAVE, ZHA, MQTT = "zwave_js", "zha", "mqtt"
USER_CODE = 99
AVAILABLE, NO_SUCH_SLOT = 0, 254
"""UserIDStatus."""
ABSENT = "no such slot"
ACCESS_CONTROL, CODES_CHANGED = 6, range(12, 16)
KEYPAD_ACTIONS = frozenset({"pin_code_added", "pin_code_deleted", "pin_code_changed"})
UNREACHABLE = frozenset({"unavailable", "unknown"})
CAN_OPEN = 1
"""LockEntityFeature.OPEN: the latch can be drawn, not only the bolt."""
DEFAULT_SLOTS = range(1, 21)

_USUAL = Capabilities(
    keeps_windows=False,
    keeps_names=False,
    lead=timedelta(minutes=10),
    updates=frozenset({"pin"}),
    max_codes=20,
    can_open=True,
    pin_rules=PinRules(lengths=frozenset(range(4, 11))),
)
_UNREADABLE = replace(_USUAL, readback=Readback.NONE, updates=frozenset(), max_codes=0)


class _Failed(OutcomeUnknown):
    """Home Assistant says that it could not do it; the lock may have done it all the same."""


def _word_of(answer: Any) -> str | None:
    error = answer.get("error")
    word = error.get("code") if isinstance(error, dict) else None
    return word if isinstance(word, str) else None


_USUAL_WORDS: Mapping[str, type[ProviderError]] = {
    "unauthorized": AccountRefused,
    "not_found": LockNotFound,
    "unknown_command": Rejected,
    "invalid_format": Rejected,
    "service_validation_error": Rejected,
}
_NO_ANSWER = ("FailedZWaveCommand", "zwave_error", "home_assistant_error")
"""What is said when a lock does not answer; the first of them by ``invoke_cc_api`` (seen with 2025.4.4)."""
_WRITING = ErrorTable(
    words={**_USUAL_WORDS, "home_assistant_error": _Failed, "unknown_error": _Failed}, word_of=_word_of
)
_READING = ErrorTable(words={**_USUAL_WORDS, **dict.fromkeys(_NO_ANSWER, LockOffline)}, word_of=_word_of)


@dataclass(frozen=True, slots=True)
class _Entity:
    """A lock as the registries and its state tell of it."""

    id: str
    platform: str
    device: str
    name: str
    topic: str
    """What zigbee2mqtt calls the device."""
    state: str
    opens: bool
    battery: float | None

    @property
    def is_online(self) -> bool:
        return self.state not in UNREACHABLE


@dataclass(slots=True)
class _Memory:
    """What was read of a lock's slots: digits, or None where they are hidden; what is not in it was not read."""

    read: dict[int, str | None] = field(default_factory=dict, repr=False)
    empty: set[int] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)
    """Slots of the host's range that the lock does not have."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def found(self, slot: int, code: str | None) -> None:
        """``""``: the slot is empty."""
        self.forget(slot)
        if code == ABSENT:
            self.absent.add(slot)
        elif code == "":
            self.empty.add(slot)
        else:
            self.read[slot] = code

    def forget(self, *slots: int) -> None:
        for slot in slots:
            self.read.pop(slot, None)
            self.empty.discard(slot)

    def knows(self, slot: int) -> bool:
        return slot in self.read or slot in self.empty or slot in self.absent

    def bearer(self, digits: str, besides: int | None) -> bool:
        return any(code == digits and slot != besides for slot, code in self.read.items())


def _entities_in(entities: Any, devices: Any, states: Any) -> dict[str, _Entity]:
    """The locks of the integrations we know."""
    known = {state["entity_id"]: state for state in states}
    named = {device["id"]: device for device in devices}
    batteries = {
        entity["device_id"]: level
        for entity in entities
        if (level := _level_in(known.get(entity["entity_id"]))) is not None
    }
    return {
        entity["entity_id"]: _entity_in(entity, named.get(entity["device_id"]) or {}, known, batteries)
        for entity in entities
        if entity["entity_id"].startswith("lock.") and entity["platform"] in (ZWAVE, ZHA, MQTT)
        if entity.get("disabled_by") is None and entity["device_id"] is not None
    }


def _entity_in(
    entity: Mapping[str, Any], device: Mapping[str, Any], known: Mapping[str, Any], batteries: Mapping[str, float]
) -> _Entity:
    state = known.get(entity["entity_id"]) or {"state": "unavailable", "attributes": {}}
    features = state["attributes"].get("supported_features") or 0
    called = state["attributes"].get("friendly_name") or device.get("name_by_user") or device.get("name")
    return _Entity(
        id=entity["entity_id"],
        platform=entity["platform"],
        device=entity["device_id"],
        name=str(called or entity["entity_id"]).strip(),
        topic=str(device.get("name") or ""),
        state=str(state["state"]),
        opens=bool(int(features) & CAN_OPEN),
        battery=batteries.get(entity["device_id"]),
    )


def _level_in(state: Mapping[str, Any] | None) -> float | None:
    """The level of a battery sensor, 0–1."""
    if state is None or state["attributes"].get("device_class") != "battery":
        return None
    try:
        level = float(state["state"]) / 100
    except ValueError:
        return None
    return level if 0 <= level <= 1 else None


def _nothing(_: Any) -> None:
    """Home Assistant says in many ways that all is well: null, a context."""


def _written_in(result: Any) -> None:
    """What a service call answers: its context."""
    if result is not None:
        dict(result["context"])


class HomeAssistant:
    """One Home Assistant."""

    def __init__(self, connection: Connection, slots: range) -> None:
        self._token = connection.settings.get("token", "")
        self._base = connection.settings.get("mqtt", "").strip().strip("/")
        self._slots = slots
        self._memories: dict[str, _Memory] = {}
        self._devices: dict[str, str] = {}
        self._topics: set[str] = set()
        self._users: dict[str, dict[int, str | None]] = {}
        self._known: Mapping[str, _Entity] = {}
        self._news = asyncio.Event()
        url = websocket_url(connection.settings["url"], "/api/websocket")
        self._vendor = Socket(
            dialer(connection.http, url), self._greet, _READING, number=lambda n: n + 1, heard=self._heard
        )

    # -- the line ---------------------------------------------------------------------------------------------

    async def _greet(self, greeting: Greeting) -> None:
        """Sign in. What was read over another line may have changed since."""
        await _expect(greeting, "auth_required")
        await greeting.say({"type": "auth", "access_token": self._token})
        await _expect(greeting, "auth_ok")
        await greeting.say({"id": 1, "type": "subscribe_events", "event_type": "zwave_js_notification"})
        await _expect(greeting, "result")
        self._memories = {entity: _Memory(turn=known.turn) for entity, known in self._memories.items()}
        self._topics.clear()

    def _heard(self, message: Mapping[str, Any]) -> None:
        event = message["event"]
        if "topic" in event:
            self._told(event["topic"], orjson.loads(event["payload"]))
        elif event["event_type"] == "zwave_js_notification":
            self._noticed(event["data"])

    def _noticed(self, notice: Mapping[str, Any]) -> None:
        """Somebody changed codes at the keypad of a Z-Wave lock."""
        if notice["type"] == ACCESS_CONTROL and notice["event"] in CODES_CHANGED:
            slot = (notice.get("parameters") or {}).get("userId")
            memory = self._memories.get(self._devices.get(notice["device_id"], ""))
            if memory is not None:
                memory.forget(*([slot] if isinstance(slot, int) and slot > 0 else self._slots))

    def _told(self, topic: str, state: Mapping[str, Any]) -> None:
        """zigbee2mqtt tells the users of a lock: all it knows, whenever it learns something."""
        if state.get("action") in KEYPAD_ACTIONS:
            user = state.get("action_user")
            slots = [user + 1] if isinstance(user, int) else self._slots
            for lock in self._known.values():
                if self._topic(lock) == topic:
                    self._memory(lock).forget(*slots)
        for user, said in (state.get("users") or {}).items():
            code = "" if said["status"] == "available" else said.get("pin_code")
            self._users.setdefault(topic, {})[int(user) + 1] = None if code is None else str(code)
        self._news.set()

    def _topic(self, lock: _Entity) -> str:
        return f"{self._base}/{lock.topic}"

    async def _call(self, domain: str, service: str, data: Mapping[str, Any], entity: str | None = None) -> None:
        target = {} if entity is None else {"target": {"entity_id": entity}}
        message = {"type": "call_service", "domain": domain, "service": service, "service_data": data, **target}
        await self._vendor.ask(Call(message, writes=True, errors=_WRITING), _written_in)

    async def _list(self, what: str) -> list[Any]:
        return await self._vendor.ask(Call({"type": what}), list)

    # -- looking ----------------------------------------------------------------------------------------------

    async def list_locks(self) -> Sequence[FoundLock]:
        """The locks of every integration we can say something about."""
        found = (await self._entities()).values()
        return [FoundLock(LockRef(lock.id), lock.name, self._can(lock), _status(lock)) for lock in found]

    async def _entities(self) -> dict[str, _Entity]:
        entities, devices = (
            await self._list("config/entity_registry/list"),
            await self._list("config/device_registry/list"),
        )
        known = await self._vendor.ask(
            Call({"type": "get_states"}), lambda states: _entities_in(entities, devices, states)
        )
        found = {id_: lock for id_, lock in known.items() if lock.platform != MQTT or (self._base and lock.topic)}
        self._devices = {lock.device: lock.id for lock in found.values()}
        self._known = found
        return found

    def _can(self, lock: _Entity) -> Capabilities:
        if lock.platform == ZHA:
            return _UNREADABLE
        codes = self._memory(lock).read.values()
        readback = Readback.MASKED if None in codes else Readback.FULL
        return replace(_USUAL, max_codes=len(self._slots), readback=readback)

    def _memory(self, lock: _Entity) -> _Memory:
        return self._memories.setdefault(lock.id, _Memory())

    async def _lock(self, ref: LockRef) -> _Entity:
        """The lock with its state of now. Raises LockNotFound."""
        known = self._known.get(ref)
        if known is None:
            await self._vendor.ready()
            known = (await self._entities()).get(ref)
        if known is None:
            msg = "Home Assistant has no such lock, or none that takes codes"
            raise LockNotFound(msg)
        return known

    async def _fresh(self, ref: LockRef) -> _Entity:
        """The lock, its state just asked for: one request."""
        lock = await self._lock(ref)

        def state_in(states: Any) -> str:
            return next((str(state["state"]) for state in states if state["entity_id"] == ref), "unavailable")

        return replace(lock, state=await self._vendor.ask(Call({"type": "get_states"}), state_in))

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """The codes in the slots of the host's range. Raises LockOffline when the lock cannot be reached."""
        found = await self._fresh(lock)
        memory = self._memory(found)
        async with memory.turn:
            await self._look(found, memory)
        codes = sorted(memory.read.items())
        return [SeenCode(CodeRef(str(slot)), None if code is None else Pin(code)) for slot, code in codes]

    async def _look(self, lock: _Entity, memory: _Memory) -> None:
        """Have every slot of the range read that is not known."""
        _check_takes_codes(lock)
        if not lock.is_online:
            await self._wake(lock)
        unread = [slot for slot in self._slots if not memory.knows(slot)]
        for slot, code in (await self._read(lock, unread)).items():
            memory.found(slot, code)

    async def _wake(self, lock: _Entity) -> None:
        """Raise LockOffline – but ask a Z-Wave lock itself: one that was found dead stays so until somebody does."""
        if lock.platform != ZWAVE:
            msg = "the lock cannot be reached"
            raise LockOffline(msg)
        await self._read_zwave(lock, self._slots.start)

    async def _read(self, lock: _Entity, slots: Sequence[int]) -> dict[int, str | None]:
        """What the lock says of these slots; ``""`` is an empty one. Raises LockOffline and Unreachable."""
        if lock.platform == ZWAVE:
            return {slot: await self._read_zwave(lock, slot) for slot in slots}
        return await self._read_mqtt(lock, slots) if slots else {}

    async def _read_zwave(self, lock: _Entity, slot: int) -> str | None:
        message = {
            "type": "zwave_js/invoke_cc_api",
            "device_id": lock.device,
            "command_class": USER_CODE,
            "endpoint": 0,
            "method_name": "get",
            "parameters": [slot],
            "wait_for_result": True,
        }

        def code_in(result: Any) -> str | None:
            if result["userIdStatus"] == NO_SUCH_SLOT:
                return ABSENT
            return "" if result["userIdStatus"] == AVAILABLE else _digits(result["userCode"])

        return await self._vendor.ask(Call(message), code_in)

    async def _read_mqtt(self, lock: _Entity, slots: Sequence[int]) -> dict[int, str | None]:
        """Ask zigbee2mqtt – for one user or for all – and wait until it has told of each."""
        topic = self._topic(lock)
        if topic not in self._topics:
            await self._vendor.ask(Call({"type": "mqtt/subscribe", "topic": topic}), _nothing)
            self._topics.add(topic)
        self._users[topic] = {}
        wanted = {"user": slots[0] - 1} if len(slots) == 1 else ""
        await self._publish_get(topic, wanted)
        await self._until(lambda: set(slots) <= set(self._users[topic]))
        return {slot: _digits(self._users[topic][slot], empty="") for slot in slots}

    async def _publish_get(self, topic: str, wanted: object) -> None:
        data = {"topic": f"{topic}/get", "payload": orjson.dumps({"pin_code": wanted}).decode()}
        message = {"type": "call_service", "domain": "mqtt", "service": "publish", "service_data": data}
        await self._vendor.ask(Call(message), _written_in)

    async def _until(self, told: Callable[[], bool]) -> None:
        """Wait for messages. Raises LockOffline when they do not come."""
        try:
            async with asyncio.timeout(self._vendor.within):
                while not told():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            msg = "the lock does not tell its codes"
            raise LockOffline(msg) from None

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether Home Assistant can reach the lock, and its battery."""
        found = await self._entities()
        if lock not in found:
            msg = "Home Assistant has no such lock, or none that takes codes"
            raise LockNotFound(msg)
        return _status(found[lock])

    # -- writing ----------------------------------------------------------------------------------------------

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Write a code into the lowest free slot of the host's range."""
        found, memory = await self._writable(lock)
        pin = _taken_digits(spec)
        async with memory.turn:
            await self._look(found, memory)
            _check_free(memory, pin, None)
            slot = await self._free(found, memory, pin)
            await self._put(found, memory, slot, pin)
        return Written(Receipt.DONE, CodeRef(str(slot)))

    async def _free(self, lock: _Entity, memory: _Memory, pin: Pin) -> int:
        """A free slot, by the lock's own word. Raises LockFull, and OutcomeUnknown when it holds our code already."""
        for slot in sorted(memory.empty):
            memory.found(slot, (await self._read(lock, [slot]))[slot])
            if slot in memory.empty:
                return slot
            if memory.read[slot] == pin.digits:
                msg = "the lock holds this code already"
                raise OutcomeUnknown(msg)
        msg = "no slot is free"
        raise LockFull(msg)

    async def _writable(self, ref: LockRef) -> tuple[_Entity, _Memory]:
        lock = await self._lock(ref)
        _check_takes_codes(lock)
        await self._vendor.ready()
        return lock, self._memory(lock)

    async def _put(self, lock: _Entity, memory: _Memory, slot: int, pin: Pin) -> None:
        """Write, and see that the lock has it."""
        was_empty = slot in memory.empty
        memory.forget(slot)
        code = await self._after(lock, memory, slot, pin)
        if code != pin.digits and not (code is None and was_empty):
            memory.forget(*self._slots)
            await self._look(lock, memory)
            _check_free(memory, pin, slot)
            msg = "the lock did not take the code"
            raise Rejected(msg)

    async def _after(self, lock: _Entity, memory: _Memory, slot: int, pin: Pin | None) -> str | None:
        """What is in the slot after a write, also after one of which Home Assistant says that it failed."""
        failed: _Failed | None = None
        try:
            await self._write(lock, slot, pin)
        except _Failed as error:
            failed = error
        try:
            code = (await self._read(lock, [slot]))[slot]
        except ProviderError:
            msg = "the lock did not confirm what was written"
            raise failed or OutcomeUnknown(msg) from None
        memory.found(slot, code)
        if failed is not None and code not in (None, pin.digits if pin else ""):
            msg = "Home Assistant did not reach the lock: nothing was written"
            raise LockOffline(msg)
        return code

    async def _write(self, lock: _Entity, slot: int, pin: Pin | None) -> None:
        """Write digits into a slot, or (None) empty it."""
        if lock.platform == ZWAVE and pin is not None:
            await self._call(ZWAVE, "set_lock_usercode", {"code_slot": slot, "usercode": pin.digits}, lock.id)
        elif lock.platform == ZWAVE:
            await self._call(ZWAVE, "clear_lock_usercode", {"code_slot": slot}, lock.id)
        else:
            user = {"user": slot - 1, "user_type": "unrestricted", "user_enabled": pin is not None}
            payload = {"pin_code": {**user, "pin_code": pin.digits if pin else None}}
            data = {"topic": f"{self._topic(lock)}/set", "payload": orjson.dumps(payload).decode()}
            await self._call(MQTT, "publish", data)

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Write other digits into the slot."""
        found, memory = await self._writable(lock)
        pin = _taken_digits(spec)
        async with memory.turn:
            slot = await self._in_slot(found, memory, ref)
            if memory.read[slot] == pin.digits:
                return Written(Receipt.ALREADY, ref)
            await self._look(found, memory)
            _check_free(memory, pin, slot)
            await self._put(found, memory, slot, pin)
        return Written(Receipt.DONE, ref)

    async def _in_slot(self, lock: _Entity, memory: _Memory, ref: CodeRef) -> int:
        """The slot of a reference, which the lock says holds a code. Raises CodeGone."""
        slot = int(ref) if ref.isascii() and ref.isdigit() else 0
        if slot in self._slots:
            memory.found(slot, (await self._read(lock, [slot]))[slot])
        if slot not in self._slots or slot not in memory.read:
            msg = "the slot is empty"
            raise CodeGone(msg)
        return slot

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Empty the slot."""
        found, memory = await self._writable(lock)
        async with memory.turn:
            slot = await self._in_slot(found, memory, ref)
            memory.forget(slot)
            if await self._after(found, memory, slot, None) != "":
                msg = "the lock did not empty the slot"
                raise Rejected(msg)
        return Receipt.DONE

    async def open_door(self, lock: LockRef) -> Receipt:
        """Draw the latch where the lock can, else the bolt."""
        found = await self._fresh(lock)
        if not found.is_online:
            msg = "the lock cannot be reached"
            raise LockOffline(msg)
        await self._call("lock", "open" if found.opens else "unlock", {}, found.id)
        return Receipt.DONE


async def _expect(greeting: Greeting, kind: str) -> None:
    """The next message must be of this kind. Raises AccountRefused when the token is not taken."""
    said = (await greeting.hear())["type"]
    if said == "auth_invalid":
        msg = "Home Assistant does not take this token"
        raise AccountRefused(msg)
    if said != kind:
        raise ValueError(kind)


def _status(lock: _Entity) -> LockStatus:
    return LockStatus(online=lock.is_online, battery=lock.battery)


def _digits(code: Any, empty: str | None = None) -> str | None:
    """The digits of a code; None where the lock shows stars instead, or nothing."""
    if code == "":
        return empty
    return code if isinstance(code, str) and code.isascii() and code.isdigit() else None


def _check_takes_codes(lock: _Entity) -> None:
    if lock.platform == ZHA:
        msg = "ZHA cannot read codes back: use zigbee2mqtt or Z-Wave JS for codes"
        raise Rejected(msg)


def _taken_digits(spec: CodeSpec) -> Pin:
    """The digits to write. Raises PinRefused for a length that would be dropped without a word."""
    if spec.pin is None:
        msg = "this lock does not choose digits itself"
        raise Rejected(msg)
    if len(spec.pin.digits) not in _USUAL.pin_rules.lengths:
        msg = "the lock does not take these digits"
        raise PinRefused(msg)
    return spec.pin


def _check_free(memory: _Memory, pin: Pin, besides: int | None) -> None:
    """Raise PinTaken when another slot has these digits: many locks drop a duplicate without a word."""
    if memory.bearer(pin.digits, besides):
        msg = "another code on the lock has these digits"
        raise PinTaken(msg)


def connect(connection: Connection) -> HomeAssistant:
    """The Home Assistant behind this address. Raises AccountRefused when the form cannot be right."""
    return HomeAssistant(connection, slots_in(connection.settings.get("slots", "")) or DEFAULT_SLOTS)


PROVIDER = ProviderSpec(
    key="home_assistant",
    title="Home Assistant",
    fields=(
        FormField("url", "Address", help="such as http://homeassistant.local:8123"),
        FormField(
            "token",
            "Long-lived access token",
            secret=True,
            help="of an administrator: Home Assistant → your profile → Security → Long-lived access tokens",
        ),
        FormField(
            "slots",
            "Slots",
            help="the code slots of each lock that we may use, such as 10-29; others are not looked at",
            default=f"{DEFAULT_SLOTS.start}-{DEFAULT_SLOTS[-1]}",
        ),
        FormField(
            "mqtt",
            "zigbee2mqtt topic",
            help="the base topic of zigbee2mqtt, such as zigbee2mqtt; left empty: its locks are left out",
            default="",
        ),
    ),
    connect=connect,
    max_parallel=2,
    kinds={"Z-Wave JS, or zigbee2mqtt with expose_pin": _USUAL, "ZHA (no codes)": _UNREADABLE},
    maturity="tested against Home Assistant itself with simulated locks; zigbee2mqtt against our make-believe vendor",
)
