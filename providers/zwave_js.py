"""Z-Wave JS: door locks on a Z-Wave radio, through zwave-js-server's WebSocket.

A lock has numbered slots without names or times; the reference of a code is its slot. Which slot a new code gets is
decided here, right before it is written, within the range the host gave us; codes elsewhere are strangers'.

What was seen of @zwave-js/server 3.10 with zwave-js 15.29 (schema 50), and what follows from it:

* ``access_control.set_credential`` and ``add_user`` read back what they wrote and say whether it is there; older
  servers (schemas 32–49) have User Code CC only, and we read back ourselves;
* a write to a lock whose acknowledgement is lost fails with 204 although the lock has the code, and the server's memory
  does not: the slot is in doubt until it was read from the lock itself;
* a code programmed at the keypad comes as a notification (type 6: 12–15) and does not reach the server's memory either;
* clearing an empty slot succeeds, so a slot is read before it is cleared or changed;
* a node that was found dead stays so until it is pinged.

The first look over a line has the server read all slots of the lock; every other is one question to the server's
memory, plus one for each slot in doubt. What is changed at the keypad of a lock that does not tell is seen when its
slot is next read – at the latest before we would write there. Keypad unlocks (type 6, event 6) arrive while a line is
open and are not used.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol

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
    Unreachable,
    Written,
)
from lockbridge.domain.code import CodeSpec, Pin
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.domain.lock import Capabilities, PinRules, Readback
from lockbridge.outbound import ErrorTable
from providers._slots import slots_in
from providers._socket import Call, Greeting, Socket, dialer, websocket_url

DOOR_LOCK, USER_CODE, NOTIFICATION, BATTERY, USER_CREDENTIAL = 98, 99, 113, 128, 131
HOLDING_CODES = frozenset({USER_CODE, USER_CREDENTIAL})
NEWEST, WITH_ACCESS_CONTROL, OLDEST = 50, 50, 32
"""Schemas of the server: the one we know, the first with ``access_control``, the first whose errors have words."""
PIN_CODE, PASSWORD = 1, 2
"""Credential types; a User Code lock that takes letters calls its codes passwords."""
ENABLED, AVAILABLE, UNAVAILABLE = 1, 0, 254
DEAD, UNKNOWN, AWAKE, ALIVE = 3, 0, 2, 4
STATUSES = {"dead": DEAD, "alive": ALIVE, "wake up": AWAKE, "sleep": 1}
ACCESS_CONTROL, CODES_CHANGED = 6, range(12, 16)
"""Notifications: all codes deleted, one deleted, one added, one not added for being a duplicate."""
CODE_EVENTS = frozenset({"credential added", "credential modified", "credential deleted"})
OPENED = frozenset({1, 254, 255})
"""SetValueStatus: working, success unsupervised, success."""
LENGTHS = range(4, 11)
ALL_SLOTS = 4.0
"""How many times longer it takes to read every slot."""

_USUAL = Capabilities(
    keeps_windows=False,
    keeps_names=False,
    lead=timedelta(minutes=10),
    updates=frozenset({"pin"}),
    max_codes=30,
    can_open=True,
    pin_rules=PinRules(lengths=frozenset(LENGTHS)),
)


def _word_of(answer: Any) -> str | None:
    """The number of a Z-Wave error, the server's own word for any other."""
    number, word = answer.get("zwaveErrorCode"), answer.get("errorCode")
    return str(number) if isinstance(number, int) else word if isinstance(word, str) else None


_NEVER_SENT: Mapping[str, type[ProviderError]] = {
    "node_not_found": LockNotFound,
    "211": LockNotFound,
    "endpoint_not_found": Rejected,
    "unknown_command": Rejected,
    "invalid_params_passed_to_command": Rejected,
    "schema_incompatible": AccountRefused,
    "213": LockNotFound,
    "214": Rejected,
    "302": Rejected,
    "303": Rejected,
    "304": Rejected,
    "322": Rejected,
}
"""Refused before anything went over the radio; every other error of a write leaves its outcome open."""
_WRITING = ErrorTable(words=_NEVER_SENT, word_of=_word_of)
_READING = ErrorTable(
    words={**_NEVER_SENT, **dict.fromkeys(("200", "201", "202", "203", "204", "215", "305"), LockOffline)},
    word_of=_word_of,
)
_REFUSALS: Mapping[int, type[ProviderError]] = {1: Rejected, 2: Rejected, 3: PinTaken, 4: PinRefused, 5: PinTaken}
"""SetCredentialResult: occupied, empty, duplicate, the maker's rules, the same as the admin code."""
_WORDS = {
    Rejected: "the lock did not take the code",
    PinTaken: "another code on the lock has these digits",
    PinRefused: "the lock does not take these digits",
}


@dataclass(slots=True)
class _Slot:
    """A code in a slot. ``digits`` is None where the lock hides them; ``user`` is whose it is (its own, mostly)."""

    digits: str | None = field(repr=False)
    user: int


@dataclass(slots=True)
class _Lock:
    """What is known of one node while a line is open, and which of its slots must be read from the lock itself."""

    node: int
    name: str
    ready: bool
    status: int
    battery: float | None
    slots: int
    lengths: frozenset[int]
    has_credentials: bool
    can_open: bool
    kind: int | None = None
    """The credential type of its PINs; None: not asked yet, or a server without ``access_control``."""
    held: dict[int, _Slot] = field(default_factory=dict)
    is_unread: bool = True
    """What the server remembers may be long past: nobody has had it ask the lock since this line was opened."""
    is_stale: bool = True
    doubtful: set[int] = field(default_factory=set)
    certain: set[int] = field(default_factory=set)
    """Slots read from or confirmed by the lock itself, on this line."""
    blocked: set[int] = field(default_factory=set)
    """Slots the lock did not take a code in although they look free."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def doubt(self, *slots: int) -> None:
        self.doubtful.update(slots)
        self.certain.difference_update(slots)
        self.is_stale = True

    def found(self, slot: int, code: _Slot | None) -> None:
        """What the lock itself says of a slot."""
        self.held.pop(slot, None)
        if code is not None:
            self.held[slot] = code
        self.doubtful.discard(slot)
        self.certain.add(slot)

    def agrees(self, change: Mapping[str, Any]) -> bool:
        """Whether an event tells of a slot what is known: the server reports our own writes too, and late."""
        slot = change.get("credentialSlot", change.get("propertyKey"))
        code = self.held.get(slot) if isinstance(slot, int) else None
        if change.get("property") == "userIdStatus":
            return (code is None) == (change.get("newValue") in (AVAILABLE, UNAVAILABLE))
        return (code and code.digits) == _digits(change.get("data", change.get("newValue")))

    def bearer(self, digits: str, besides: int | None = None) -> int | None:
        """The slot of another code with these digits."""
        return next((slot for slot, code in self.held.items() if code.digits == digits and slot != besides), None)


# -- reading what the server says ---------------------------------------------------------------------------------


def _locks_in(state: Any) -> dict[int, _Lock]:
    found = (_lock_in(node) for node in state["state"]["nodes"])
    return {lock.node: lock for lock in found if lock is not None}


def _lock_in(node: Mapping[str, Any]) -> _Lock | None:
    """A node as a lock; None when it takes no codes. One that is still interviewed has no values yet."""
    classes = {known["id"] for end in node["endpoints"] if end["index"] == 0 for known in end["commandClasses"]}
    if classes.isdisjoint(HOLDING_CODES):
        return None
    values = list(node["values"])
    statuses = [value for value in values if _is(value, USER_CODE, "userIdStatus")]
    lengths = [value["metadata"] for value in values if _is(value, USER_CODE, "userCode")][:1]
    return _Lock(
        node=int(node["nodeId"]),
        name=_name_of(node),
        ready=node["ready"] is True,
        status=int(node["status"]),
        battery=_battery_in(values),
        slots=len(statuses),
        lengths=_lengths(lengths[0].get("minLength"), lengths[0].get("maxLength")) if lengths else frozenset(LENGTHS),
        has_credentials=USER_CREDENTIAL in classes,
        can_open=DOOR_LOCK in classes,
        held=_values_in(values),
    )


def _is(value: Mapping[str, Any], command_class: int, prop: str) -> bool:
    return (value["commandClass"], value.get("endpoint", 0), value["property"]) == (command_class, 0, prop)


def _name_of(node: Mapping[str, Any]) -> str:
    label = (node.get("deviceConfig") or {}).get("label") or node.get("label")
    return str(node.get("name") or (f"{label} (node {node['nodeId']})" if label else f"Node {node['nodeId']}"))


def _battery_in(values: Sequence[Mapping[str, Any]]) -> float | None:
    level = next((value.get("value") for value in values if _is(value, BATTERY, "level")), None)
    return level / 100 if isinstance(level, int) and 0 <= level <= 100 else None  # noqa: PLR2004 - per cent


def _lengths(shortest: Any, longest: Any) -> frozenset[int]:
    return frozenset(range(int(shortest or LENGTHS[0]), int(longest or LENGTHS[-1]) + 1)).intersection(LENGTHS)


def _values_in(values: Sequence[Mapping[str, Any]]) -> dict[int, _Slot]:
    """The codes among a node's values (User Code CC)."""
    codes = {int(value["propertyKey"]): value.get("value") for value in values if _is(value, USER_CODE, "userCode")}
    return {
        int(value["propertyKey"]): _Slot(_digits(codes.get(int(value["propertyKey"]))), int(value["propertyKey"]))
        for value in values
        if _is(value, USER_CODE, "userIdStatus") and value.get("value") not in (None, AVAILABLE, UNAVAILABLE)
    }


def _digits(data: Any) -> str | None:
    """The digits of a code; None where the lock shows stars instead, or something that is no PIN."""
    if isinstance(data, Mapping):
        data = bytes(data["data"]).decode("ascii", "replace")
    return data if isinstance(data, str) and data.isascii() and data.isdigit() else None


def _code_in(raw: Mapping[str, Any]) -> tuple[int, _Slot]:
    return int(raw["slot"]), _Slot(_digits(raw.get("data")), int(raw["userId"]))


def _nothing(result: Any) -> None:
    """An answer without content is still an object."""
    dict(result)


# -- the two ways to the slots --------------------------------------------------------------------------------------


class _Slots(Protocol):
    """How the codes of a lock are read and written. What they raise leaves it to the caller to doubt the slot."""

    async def meet(self, lock: _Lock) -> None:
        """Learn once what the lock takes."""
        ...

    async def remembered(self, lock: _Lock) -> dict[int, _Slot]:
        """The codes the server remembers."""
        ...

    async def read(self, lock: _Lock, slot: int) -> _Slot | None:
        """The code that is in the slot, by the lock itself; None: it is empty."""
        ...

    async def write(self, lock: _Lock, slot: int, pin: Pin, *, fresh: bool) -> int:
        """Write a code; 0: the lock was seen to have it; another number: the lock's refusal (255: unexplained)."""
        ...

    async def clear(self, lock: _Lock, slot: int) -> bool:
        """Empty the slot; whether it was seen to be empty."""
        ...


@dataclass(frozen=True, slots=True)
class _AccessControl:
    """Schema 50: User Code CC and User Credential CC alike; every write is read back by the server."""

    socket: Socket

    async def meet(self, lock: _Lock) -> None:
        def learn(result: Any) -> None:
            kinds = result["capabilities"]["supportedCredentialTypes"]
            kind = next((kind for kind in (PIN_CODE, PASSWORD) if str(kind) in kinds), None)
            if kind is None:
                lock.slots = 0
                return
            can = kinds[str(kind)]
            lock.slots = int(can["numberOfCredentialSlots"])
            lock.lengths = _lengths(can["minCredentialLength"], can["maxCredentialLength"])
            lock.kind = kind

        if lock.kind is None:
            await self.socket.ask(self._call(lock, "get_credential_capabilities_cached"), learn)

    async def remembered(self, lock: _Lock) -> dict[int, _Slot]:
        def codes(result: Any) -> dict[int, _Slot]:
            mine = [raw for raw in result["credentials"] if int(raw["type"]) == lock.kind]
            lock.blocked.update(int(raw["userId"]) for raw in result["credentials"] if raw not in mine)
            return dict(_code_in(raw) for raw in mine)

        return await self.socket.ask(self._call(lock, "get_all_credentials_cached"), codes)

    async def read(self, lock: _Lock, slot: int) -> _Slot | None:
        def code(result: Any) -> _Slot | None:
            raw = dict(result).get("credential")
            return _code_in(raw)[1] if raw else None

        where: dict[str, Any] = {"credentialType": lock.kind, "credentialSlot": slot}
        return await self.socket.ask(self._call(lock, "get_credential", **where), code)

    async def write(self, lock: _Lock, slot: int, pin: Pin, *, fresh: bool) -> int:
        where: dict[str, Any] = {"credentialType": lock.kind, "credentialSlot": slot, "data": pin.digits}
        if not (fresh and lock.has_credentials):
            call = self._call(lock, "set_credential", writes=True, userId=slot, **where)
            return await self.socket.ask(call, lambda result: int(result["result"]))
        call = self._call(lock, "add_user", writes=True, userId=slot, options={"active": True}, credential=where)
        return await self.socket.ask(call, lambda result: int(_first_no(result["result"])))

    async def clear(self, lock: _Lock, slot: int) -> bool:
        call = self._call(lock, "delete_user", writes=True, userId=slot)
        return await self.socket.ask(call, lambda result: int(result["result"]) == 0)

    def _call(self, lock: _Lock, verb: str, *, writes: bool = False, **more: Any) -> Call:
        message = {"command": f"endpoint.access_control.{verb}", "nodeId": lock.node, "endpoint": 0, **more}
        return Call(message, writes=writes, errors=_WRITING if writes else _READING)


def _first_no(result: Mapping[str, Any]) -> int:
    """What became of a user with a credential: the first refusal, else 0."""
    return int(result["user"] or result.get("credential", 255))


@dataclass(frozen=True, slots=True)
class _UserCode:
    """Older servers: User Code CC, and every write is read back by us."""

    socket: Socket

    async def meet(self, lock: _Lock) -> None:
        """All there is to know was among the node's values."""

    async def remembered(self, lock: _Lock) -> dict[int, _Slot]:
        call = Call({"command": "node.get_state", "nodeId": lock.node}, errors=_READING)
        return await self.socket.ask(call, lambda result: _values_in(result["state"]["values"]))

    async def read(self, lock: _Lock, slot: int) -> _Slot | None:
        def code(result: Any) -> _Slot | None:
            said = result["response"]
            return None if said["userIdStatus"] in (AVAILABLE, UNAVAILABLE) else _Slot(_digits(said["userCode"]), slot)

        return await self.socket.ask(self._call(lock, "get", slot), code)

    async def write(self, lock: _Lock, slot: int, pin: Pin, *, fresh: bool) -> int:  # noqa: ARG002 - one way for both
        await self.socket.ask(self._call(lock, "set", slot, ENABLED, pin.digits, writes=True), _nothing)
        return 255

    async def clear(self, lock: _Lock, slot: int) -> bool:
        await self.socket.ask(self._call(lock, "clear", slot, writes=True), _nothing)
        return False

    def _call(self, lock: _Lock, method: str, *args: Any, writes: bool = False) -> Call:
        message = {"command": "endpoint.invoke_cc_api", "nodeId": lock.node, "endpoint": 0, "commandClass": USER_CODE}
        errors = _WRITING if writes else _READING
        return Call({**message, "methodName": method, "args": list(args)}, writes=writes, errors=errors)


# -- the driver -----------------------------------------------------------------------------------------------------


class ZwaveJs:
    """One Z-Wave network."""

    def __init__(self, connection: Connection, slots: range | None) -> None:
        url = websocket_url(connection.settings["url"])
        self._range = slots
        self._locks: dict[int, _Lock] = {}
        self._schema = NEWEST
        self._vendor = Socket(
            dialer(connection.http, url), self._greet, _READING, numbered="messageId", number=str, heard=self._heard
        )

    # -- the line ---------------------------------------------------------------------------------------------

    async def _greet(self, greeting: Greeting) -> None:
        """Agree on a schema and have the server tell its state, and from now on what changes."""
        version = await greeting.hear()
        self._schema = min(NEWEST, int(version["maxSchemaVersion"]))
        if self._schema < OLDEST:
            msg = f"this Z-Wave JS server is too old: it speaks schema {self._schema}, at least {OLDEST} is needed"
            raise AccountRefused(msg)
        await _agreed(greeting, {"command": "set_api_schema", "schemaVersion": self._schema})
        state = await _agreed(greeting, {"command": "start_listening"})
        self._adopt(_locks_in(state), fresh=True)

    def _adopt(self, locks: dict[int, _Lock], *, fresh: bool = False) -> None:
        """Know these locks. What was in doubt stays in doubt, also over a line that was lost."""
        for lock in locks.values():
            known = self._locks.get(lock.node)
            if known is None:
                continue
            lock.doubtful, lock.turn, lock.blocked = known.doubtful, known.turn, known.blocked
            if not fresh:
                lock.certain, lock.kind, lock.is_unread = known.certain, known.kind, known.is_unread
                lock.slots, lock.lengths = (known.slots, known.lengths) if known.kind else (lock.slots, lock.lengths)
        self._locks = locks

    def _heard(self, message: Mapping[str, Any]) -> None:
        event = message["event"]
        lock = self._locks.get(event["nodeId"])
        if lock is None:
            return
        what, args = event["event"], event.get("args")
        lock.status = STATUSES.get(what, lock.status)
        if what == "ready":
            self._adopt({**self._locks, lock.node: _lock_in(event["nodeState"]) or lock})
        elif what in CODE_EVENTS or (what.startswith("value ") and args["commandClass"] in HOLDING_CODES):
            lock.is_stale = lock.is_stale or not lock.agrees(args)
        elif what == "notification" and event["ccId"] == NOTIFICATION and args["type"] == ACCESS_CONTROL:
            self._noticed(lock, args)

    def _noticed(self, lock: _Lock, notice: Mapping[str, Any]) -> None:
        """Somebody changed codes at the keypad."""
        if notice["event"] in CODES_CHANGED:
            slot = (notice.get("parameters") or {}).get("userId")
            lock.doubt(*([slot] if isinstance(slot, int) and slot > 0 else self._all(lock)))

    @property
    def _slots(self) -> _Slots:
        newer = self._schema >= WITH_ACCESS_CONTROL
        return _AccessControl(self._vendor) if newer else _UserCode(self._vendor)

    # -- looking ----------------------------------------------------------------------------------------------

    async def list_locks(self) -> Sequence[FoundLock]:
        """Every node that takes codes."""
        await self._vendor.ready()
        self._adopt(await self._vendor.ask(Call({"command": "start_listening"}), _locks_in))
        return [await self._found(lock) for lock in list(self._locks.values())]

    async def _found(self, lock: _Lock) -> FoundLock:
        if lock.ready:
            await self._slots.meet(lock)
        can = replace(
            _USUAL,
            max_codes=lock.slots,
            can_open=lock.can_open,
            readback=Readback.MASKED if any(code.digits is None for code in lock.held.values()) else Readback.FULL,
            pin_rules=PinRules(lengths=lock.lengths),
        )
        return FoundLock(LockRef(str(lock.node)), lock.name, can, _status(lock))

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Every code in every slot, ours or not. Raises LockOffline for a node that is dead or asleep."""
        node = await self._known(lock)
        async with node.turn:
            await self._look(node)
        codes = sorted(node.held.items())
        return [SeenCode(CodeRef(str(slot)), Pin(code.digits) if code.digits else None) for slot, code in codes]

    async def _known(self, ref: LockRef) -> _Lock:
        await self._vendor.ready()
        lock = self._locks.get(int(ref)) if ref.isascii() and ref.isdigit() else None
        if lock is None:
            msg = "the network has no such lock"
            raise LockNotFound(msg)
        if lock.ready:
            await self._slots.meet(lock)
        return lock

    async def _look(self, lock: _Lock) -> None:
        """What the server remembers, and of slots in doubt what the lock says."""
        await self._in_reach(lock)
        if lock.is_unread:
            known = USER_CREDENTIAL if lock.has_credentials else USER_CODE
            refresh = {"command": "node.refresh_cc_values", "nodeId": lock.node, "commandClass": known}
            await self._vendor.ask(Call(refresh, errors=_READING, patience=ALL_SLOTS), _nothing)
            lock.is_unread = False
        lock.is_stale = False
        lock.held = await self._slots.remembered(lock)
        await self._in_reach(lock)
        for slot in sorted(lock.doubtful):
            lock.found(slot, await self._slots.read(lock, slot))

    async def _in_reach(self, lock: _Lock) -> None:
        """Raise LockOffline when the node cannot be reached now: a dead one is pinged, or it would stay dead."""
        if not lock.ready:
            msg = "the lock is still being interviewed"
            raise LockOffline(msg)
        if lock.status in (DEAD, UNKNOWN) and await self._ping(lock):
            lock.status = ALIVE
        if lock.status not in (ALIVE, AWAKE):
            msg = "the lock cannot be reached"
            raise LockOffline(msg)

    async def _ping(self, lock: _Lock) -> bool:
        call = Call({"command": "node.ping", "nodeId": lock.node})
        return await self._vendor.ask(call, lambda result: result["responded"] is True)

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether the node is alive, and its battery."""
        node = await self._known(lock)
        call = Call({"command": "node.get_state", "nodeId": node.node})
        fresh = await self._vendor.ask(call, lambda result: _lock_in(result["state"]))
        if fresh is None:
            msg = "the node takes no codes any more"
            raise LockNotFound(msg)
        node.status, node.battery, node.ready = fresh.status, fresh.battery, fresh.ready
        if node.status == DEAD and await self._ping(node):
            node.status = ALIVE
        return _status(node)

    # -- writing ----------------------------------------------------------------------------------------------

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Write a code into the lowest free slot of the host's range."""
        node = await self._known(lock)
        pin = _taken_digits(spec, node)
        async with node.turn:
            if node.is_stale:
                await self._look(node)
            await self._in_reach(node)
            _check_free(node, pin)
            slot = await self._free(node, pin)
            await self._put(node, slot, pin, fresh=True)
        return Written(Receipt.DONE, CodeRef(str(slot)))

    async def _free(self, lock: _Lock, pin: Pin) -> int:
        """A free slot, by the lock's own word. Raises LockFull, and OutcomeUnknown when it holds our code already."""
        for slot in self._candidates(lock):
            if slot not in lock.certain:
                lock.found(slot, await self._slots.read(lock, slot))
            code = lock.held.get(slot)
            if code is None:
                return slot
            if code.digits == pin.digits:
                msg = "the lock holds this code already"
                raise OutcomeUnknown(msg)
        msg = "no slot is free"
        raise LockFull(msg)

    def _candidates(self, lock: _Lock) -> Iterator[int]:
        taken = lock.held.keys() | {code.user for code in lock.held.values()} | lock.blocked
        return iter([slot for slot in self._all(lock) if slot not in taken])

    def _all(self, lock: _Lock) -> range:
        """The lock's slots that are ours to use."""
        mine = self._range or range(1, lock.slots + 1)
        return range(mine.start, min(mine.stop, lock.slots + 1))

    async def _put(self, lock: _Lock, slot: int, pin: Pin, *, fresh: bool) -> None:
        """Write and see that it is there; a slot of which that is not certain is in doubt."""
        lock.doubt(slot)
        refusal = await self._slots.write(lock, slot, pin, fresh=fresh)
        if refusal in _REFUSALS:
            lock.blocked.add(slot) if refusal == 1 else None
            raise _refused(_REFUSALS[refusal])
        if refusal == 0:
            lock.found(slot, _Slot(pin.digits, slot))
            return
        code = await self._seen_after(lock, slot)
        hidden = code is not None and code.digits is None
        if code is None or not (code.digits == pin.digits or (hidden and fresh)):
            raise await self._why_not(lock, slot, pin)

    async def _why_not(self, lock: _Lock, slot: int, pin: Pin) -> ProviderError:
        """Locks drop what they do not like without a word; a code with the same digits explains it."""
        with suppress(ProviderError):
            lock.held = await self._slots.remembered(lock)
        return _refused(PinTaken if lock.bearer(pin.digits, besides=slot) else Rejected)

    async def _seen_after(self, lock: _Lock, slot: int) -> _Slot | None:
        """What is in the slot after a write. Raises OutcomeUnknown when the lock does not tell."""
        try:
            code = await self._slots.read(lock, slot)
        except ProviderError:
            msg = "the lock did not confirm what was written"
            raise OutcomeUnknown(msg) from None
        lock.found(slot, code)
        return code

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Write other digits into the slot."""
        node = await self._known(lock)
        pin = _taken_digits(spec, node)
        async with node.turn:
            if node.is_stale:
                await self._look(node)
            slot, code = await self._in_slot(node, ref)
            if code.digits == pin.digits:
                return Written(Receipt.ALREADY, ref)
            _check_free(node, pin, slot)
            await self._put(node, slot, pin, fresh=False)
        return Written(Receipt.DONE, ref)

    async def _in_slot(self, lock: _Lock, ref: CodeRef) -> tuple[int, _Slot]:
        """The slot of a reference and the code the lock says is in it. Raises CodeGone."""
        slot = int(ref) if ref.isascii() and ref.isdigit() else 0
        await self._in_reach(lock)
        if slot in self._all(lock):
            lock.found(slot, await self._slots.read(lock, slot))
        code = lock.held.get(slot) if slot in self._all(lock) else None
        if code is None or code.user != slot:
            msg = "the slot is empty" if code is None else "the slot belongs to another user"
            raise (CodeGone if code is None else Rejected)(msg)
        return slot, code

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Empty the slot."""
        node = await self._known(lock)
        async with node.turn:
            slot, _ = await self._in_slot(node, ref)
            node.doubt(slot)
            if await self._slots.clear(node, slot):
                node.found(slot, None)
            elif await self._seen_after(node, slot) is not None:
                msg = "the lock did not empty the slot"
                raise Rejected(msg)
        return Receipt.DONE

    async def open_door(self, lock: LockRef) -> Receipt:
        """Unlock the door now. The lock is pinged first, so that a failure is not mistaken for a lost answer."""
        node = await self._known(lock)
        if not node.can_open:
            msg = "this lock cannot be opened from afar"
            raise Rejected(msg)
        if not await self._ping(node):
            msg = "the lock cannot be reached"
            raise LockOffline(msg)
        where = {"commandClass": DOOR_LOCK, "endpoint": 0, "property": "targetMode"}
        call = {"command": "node.set_value", "nodeId": node.node, "valueId": where, "value": 0}
        status = await self._vendor.ask(
            Call(call, writes=True, errors=_WRITING), lambda result: int(result["result"]["status"])
        )
        if status not in OPENED:
            msg = "the lock did not open"
            raise Rejected(msg)
        return Receipt.DONE


async def _agreed(greeting: Greeting, message: Mapping[str, Any]) -> Any:
    """The result of a command before questions are numbered. Raises Unreachable when the server refuses it."""
    await greeting.say({"messageId": message["command"], **message})
    while (answer := await greeting.hear()).get("messageId") != message["command"]:
        continue
    if answer["success"] is not True:
        msg = "the Z-Wave JS server refuses to talk"
        raise Unreachable(msg)
    return answer["result"]


def _status(lock: _Lock) -> LockStatus:
    return LockStatus(online=lock.ready and lock.status in (AWAKE, ALIVE), battery=lock.battery)


def _taken_digits(spec: CodeSpec, lock: _Lock) -> Pin:
    """The digits to write. Raises PinRefused for a length that the server would drop without a word."""
    if spec.pin is None:
        msg = "this lock does not choose digits itself"
        raise Rejected(msg)
    if len(spec.pin.digits) not in lock.lengths:
        raise _refused(PinRefused)
    return spec.pin


def _check_free(lock: _Lock, pin: Pin, besides: int | None = None) -> None:
    """Raise PinTaken when another slot has these digits: many locks drop a duplicate without a word."""
    if lock.bearer(pin.digits, besides) is not None:
        raise _refused(PinTaken)


def _refused(kind: type[ProviderError]) -> ProviderError:
    return kind(_WORDS[kind])


def connect(connection: Connection) -> ZwaveJs:
    """The network behind this address. Raises AccountRefused when the form cannot be right."""
    return ZwaveJs(connection, slots_in(connection.settings.get("slots", "")))


PROVIDER = ProviderSpec(
    key="zwave_js",
    title="Z-Wave JS",
    fields=(
        FormField(
            "url",
            "Address",
            help="of the Z-Wave JS server, such as ws://192.0.2.7:3000 (Z-Wave JS UI → Settings → Home Assistant)",
        ),
        FormField(
            "slots",
            "Slots",
            help="the code slots of each lock that we may use, such as 10-29; left empty: all of them",
            default="",
        ),
    ),
    connect=connect,
    max_parallel=2,
    kinds={"lock with User Code or User Credential CC": _USUAL},
    maturity="tested against the vendor's own software with simulated locks",
)
