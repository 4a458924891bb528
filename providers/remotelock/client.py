"""The driver of one RemoteLock account."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from lockbridge.contract import (
    CodeGone,
    FoundLock,
    LockFull,
    LockNotFound,
    LockOffline,
    LockStatus,
    PinTaken,
    ProviderError,
    Receipt,
    Rejected,
    Remedy,
    SeenCode,
    Unreachable,
    WindowRefused,
    Written,
)
from lockbridge.domain.code import CodeSpec, Window
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.outbound import ErrorTable, Request, Vendor
from providers.remotelock.wire import (
    ANY,
    BY_TYPE,
    GUEST,
    OF_GRANT,
    OF_GUEST,
    OF_LOCK,
    ON_LOCKS,
    Access,
    Door,
    HadAccess,
    Person,
    access_in,
    device_in,
    door_in,
    guest_out,
    id_in,
    location_in,
    model_in,
    nothing_in,
    of_changing,
    of_making,
    page_in,
    person_in,
    pin_in,
    status_in,
    times_out,
    window_in,
)

T = TypeVar("T")

PER_PAGE = 50
FRESH = timedelta(hours=1)
"""How long the kind and the zone of a lock are taken to stay what they are."""
REFUSALS = frozenset({Remedy.REPLAN, Remedy.ASK})


class RemoteLock:
    """One RemoteLock account.

    It remembers three things between calls, all of which can be asked for again: what kind of lock a lock is and in
    which zone, which access of a guest is the one to a lock, and the exact times it wrote where the doubled hour of a
    clock change hides them.
    """

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._doors: dict[LockRef, Door] = {}
        self._doors_until: datetime | None = None
        self._learning = asyncio.Lock()
        self._accesses: dict[LockRef, dict[CodeRef, str]] = {}
        self._written: dict[CodeRef, Window] = {}

    async def list_locks(self) -> Sequence[FoundLock]:
        """All locks with a keypad; algorithmic locks and access-control panels are left out."""
        devices = await self._all("/devices", device_in)
        zones = dict(await self._all("/locations", location_in))
        models = dict(await self._all("/models", model_in))
        doors = [door_in(device, zones, models) for device in devices if device.kind in BY_TYPE]
        self._doors = {door.found.ref: door for door in doors if door is not None}
        self._doors_until = self._vendor.now() + FRESH
        return [door.found for door in self._doors.values()]

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Everybody with access to the lock, also by way of a group of doors or a location."""
        zone = (await self._door(lock)).zone
        path = f"/devices/{quote(lock, safe='')}/access_person_accesses"
        listed = await self._all(path, access_in, {"include": "access_person"}, OF_LOCK)
        accesses = {each.person: each for each in sorted(listed, key=lambda each: each.to == lock)}
        people = await self._people(accesses.values())
        self._accesses[lock] = {each.person: each.id for each in accesses.values() if each.to == lock}
        return [self._seen(each, people[each.person], zone) for each in accesses.values() if each.person in people]

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Make a guest and let them in here, or let in the guest an earlier attempt has left."""
        door = await self._door(lock)
        attributes = guest_out(spec, door.zone)
        guest, is_new = await self._guest(attributes)
        access = await self._granted(door, guest, is_new=is_new)
        if access is not None:
            self._accesses.setdefault(lock, {})[guest] = access
        self._remember(guest, spec.window, door.zone)
        return Written(Receipt.ACCEPTED, guest)

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Change the guest, on every lock they have access to."""
        zone = (await self._door(lock)).zone
        attributes = guest_out(spec, zone)
        errors = of_changing(attributes["pin"])
        await self._vendor.ask(Request("PUT", _of(ref), body={"attributes": attributes}, errors=errors), id_in)
        self._remember(ref, spec.window, zone)
        return Written(Receipt.ACCEPTED, ref)

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Revoke the access to this lock, and deactivate a guest who has no other."""
        access = self._accesses.get(lock, {}).get(ref) or await self._access_to(lock, ref)
        try:
            request = Request("DELETE", f"{_of(ref)}/accesses/{quote(access, safe='')}", errors=OF_GUEST)
            await self._vendor.ask(request, nothing_in)
        except CodeGone:
            await self._let_go(ref)
            raise
        self._accesses.get(lock, {}).pop(ref, None)
        await self._let_go(ref)
        return Receipt.ACCEPTED

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether its heartbeat came, and its battery."""
        request = Request("GET", f"/devices/{quote(lock, safe='')}", errors=OF_LOCK)
        return await self._vendor.ask(request, lambda body: status_in(body["data"]["attributes"]))

    async def open_door(self, lock: LockRef) -> Receipt:
        """Open it now. ACCEPTED for a lock that sleeps: it opens when it wakes up."""
        request = Request("PUT", f"/devices/{quote(lock, safe='')}/unlock", errors=OF_LOCK)
        said = await self._vendor.ask(request, lambda body: dict(body["data"]["attributes"]))
        if said.get("state") == "unlocked":
            return Receipt.DONE
        if said.get("pending_state") == "unlock" or status_in(said).online:
            return Receipt.ACCEPTED
        msg = "the lock cannot be reached"
        raise LockOffline(msg)

    # -- what is asked for on the way -------------------------------------------------------------------------

    async def _pages(
        self, path: str, item: Callable[[Any], T], params: Mapping[str, str] | None = None, errors: ErrorTable = ANY
    ) -> AsyncGenerator[list[T], None]:
        """The pages of a list. Raises Unreachable when it got shorter meanwhile: something may have been missed."""
        page, pages, found, total = 1, 1, 0, 0
        while page <= pages:
            query = {**(params or {}), "page": page, "per_page": PER_PAGE}
            request = Request("GET", path, params=query, errors=errors)
            items, pages, said = await self._vendor.ask(request, lambda body: page_in(body, item))
            yield items
            page, found, total = page + 1, found + len(items), max(total, said)
            if not items:
                break
        if found < total:
            msg = "the list changed while it was read"
            raise Unreachable(msg)

    async def _all(
        self, path: str, item: Callable[[Any], T], params: Mapping[str, str] | None = None, errors: ErrorTable = ANY
    ) -> list[T]:
        return [each async for items in self._pages(path, item, params, errors) for each in items]

    async def _door(self, lock: LockRef) -> Door:
        """What must be known of a lock to tell it anything. Raises LockNotFound."""
        async with self._learning:
            stale = self._doors_until is None or self._doors_until <= self._vendor.now()
            if stale or lock not in self._doors:
                await self.list_locks()
        if lock not in self._doors:
            msg = "the account has no such lock"
            raise LockNotFound(msg)
        return self._doors[lock]

    async def _people(self, accesses: Collection[Access]) -> dict[CodeRef, Person]:
        """Those of them who are on locks now, or will be. Only when they were not included are all of them listed."""
        people = [access.included for access in accesses if access.included is not None]
        if len(people) < len(accesses):
            people = await self._all("/access_persons", person_in)
        return {person.id: person for person in people if person.status in ON_LOCKS}

    def _seen(self, access: Access, person: Person, zone: str) -> SeenCode:
        window, written = window_in(person.times, zone), self._written.get(person.id)
        if written is not None and times_out(written, zone) == person.times:
            window = written
        return SeenCode(person.id, pin_in(person.pin), person.name, window, access.state, access.trouble)

    def _remember(self, ref: CodeRef, window: Window | None, zone: str) -> None:
        """Keep a window that cannot be told from its times: it begins or ends in the hour that comes twice."""
        self._written.pop(ref, None)
        if window is not None and window_in(times_out(window, zone), zone) != window:
            self._written[ref] = window

    async def _guest(self, attributes: Mapping[str, str]) -> tuple[CodeRef, bool]:
        """A new guest (True), or the one whom an attempt before, or another lock, has left just so."""
        body = {"type": GUEST, "attributes": attributes}
        request = Request("POST", "/access_persons", body=body, errors=of_making(attributes["pin"]))
        try:
            guest = await self._vendor.ask(request, lambda body: person_in(body["data"]))
        except PinTaken:
            holder = await self._holder(attributes["pin"])
            if holder is None or not holder.has(attributes):
                raise
            return holder.id, False
        if guest.status not in ON_LOCKS:
            await self._deactivate(guest.id)
            msg = "the window is over"
            raise WindowRefused(msg)
        return guest.id, True

    async def _holder(self, pin: str) -> Person | None:
        """Who has these digits; the newest are looked at first."""
        async with aclosing(self._pages("/access_persons", person_in, {"sort": "-created_at"})) as pages:
            async for people in pages:
                for person in people:
                    if person.pin == pin:
                        return person
        return None

    async def _granted(self, door: Door, guest: CodeRef, *, is_new: bool) -> str | None:
        """Let a guest in here: the id of the access, None where they had it. A new guest who is refused goes again."""
        what = {"attributes": {"accessible_id": door.found.ref, "accessible_type": door.kind}}
        request = Request("POST", f"{_of(guest)}/accesses", body=what, errors=OF_GRANT)
        try:
            return await self._vendor.ask(request, id_in)
        except HadAccess:
            return None
        except ProviderError as error:
            if is_new and error.remedy in REFUSALS:
                await self._let_go(guest)
            if type(error) is Rejected and await self._is_full(door):
                msg = "the lock is full"
                raise LockFull(msg) from None
            raise

    async def _is_full(self, door: Door) -> bool:
        """Whether the lock holds as many codes as it is taken to hold; RemoteLock has no word for it."""
        path = f"/devices/{quote(door.found.ref, safe='')}/access_person_accesses"
        request = Request("GET", path, params={"page": 1, "per_page": 1}, errors=OF_LOCK)
        with suppress(ProviderError):
            _, _, total = await self._vendor.ask(request, lambda body: page_in(body, access_in))
            return total >= door.found.capabilities.max_codes
        return False

    async def _access_to(self, lock: LockRef, guest: CodeRef) -> str:
        """The id of a guest's access to a lock. Raises CodeGone for a guest without, who is let go."""
        await self._door(lock)
        accesses = await self._accesses_of(guest)
        for access in accesses:
            if access.to == lock:
                return access.id
        if not accesses:
            await self._deactivate(guest)
        msg = "the guest has no access to this lock"
        raise CodeGone(msg)

    async def _accesses_of(self, guest: CodeRef) -> list[Access]:
        return await self._all(f"{_of(guest)}/accesses", access_in, errors=OF_GUEST)

    async def _let_go(self, guest: CodeRef) -> None:
        """Deactivate a guest who has no access left. Off the lock they are; failing here costs their digits only."""
        with suppress(ProviderError):
            if not await self._accesses_of(guest):
                await self._deactivate(guest)

    async def _deactivate(self, guest: CodeRef) -> None:
        """Take a guest back. Whom that fails for stays without a door until their time is over, or is found again."""
        with suppress(ProviderError):
            await self._vendor.ask(Request("PUT", f"{_of(guest)}/deactivate", errors=OF_GUEST), id_in)


def _of(guest: CodeRef) -> str:
    return f"/access_persons/{quote(guest, safe='')}"
