"""The driver: one workspace of Seam by its API key."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    Connection,
    FormField,
    FoundLock,
    LockStatus,
    ProviderSpec,
    Receipt,
    SeenCode,
    Unreachable,
    Written,
)
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.outbound import Request, Vendor, is_http
from providers.seam.codes import attempt_in, codes_in, page_in, spec_out, written_in
from providers.seam.hook import HOOK, KEY
from providers.seam.locks import capabilities, lock_in, status_of
from providers.seam.words import ON_CODE, ON_CREATION, ON_LOCK

T = TypeVar("T")

DEFAULT_URL = "https://connect.getseam.com"


class Seam:
    """One workspace, by its API key: the locks of all accounts that are connected in it."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def list_locks(self) -> Sequence[FoundLock]:
        """All locks of the workspace."""
        return await self._pages("/locks/list", {}, "locks", lambda items: [lock_in(item) for item in items])

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Everything on the lock: what Seam manages, and what was made with the maker's own app.

        Two requests; an empty answer is checked with a third, since it may be about a lock that is gone.
        """
        body, read = {"device_id": lock}, partial(codes_in, lock=lock)
        managed = await self._pages("/access_codes/list", body, "access_codes", read)
        others = await self._pages("/access_codes/unmanaged/list", body, "access_codes", read)
        codes = {code.ref: code for code in (*others, *managed)}
        if not codes:
            await self.check_lock(lock)
        return list(codes.values())

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Make a code: kept on the lock ahead of its time where the brand can, and not to be changed by others."""
        body = {
            "device_id": lock,
            **spec_out(spec),
            "prefer_native_scheduling": True,
            "allow_external_modification": False,
            "use_backup_access_code_pool": False,
            "attempt_for_offline_device": True,
        }
        request = Request("POST", "/access_codes/create", body=body, errors=ON_CREATION)
        return await self._vendor.ask(request, partial(written_in, asked_for_digits=spec.pin is None))

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Change a code's digits, name and window."""
        kind = "ongoing" if spec.window is None else "time_bound"
        await self._write(lock, "/access_codes/update", {"access_code_id": ref, "type": kind, **spec_out(spec)})
        return Written(Receipt.ACCEPTED, ref)

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Take a code off; it is listed until it is off the lock."""
        await self._write(lock, "/access_codes/delete", {"access_code_id": ref})
        return Receipt.ACCEPTED

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether Seam reaches the lock, and its battery."""
        request = Request("POST", "/locks/get", body={"device_id": lock}, errors=ON_LOCK, reads=True)
        return await self._vendor.ask(request, lambda raw: status_of(raw["lock"]))

    async def open_door(self, lock: LockRef) -> Receipt:
        """Open the door; ACCEPTED while Seam is still trying."""
        request = Request("POST", "/locks/unlock_door", body={"device_id": lock}, errors=ON_LOCK)
        return await self._vendor.ask(request, attempt_in)

    async def _write(self, lock: LockRef, path: str, body: Mapping[str, str]) -> None:
        """Change a code. Raises LockNotFound where it is gone together with its lock."""
        try:
            await self._vendor.ask(Request("POST", path, body=body, errors=ON_CODE), attempt_in)
        except CodeGone:
            await self.check_lock(lock)
            raise

    async def _pages(
        self, path: str, body: Mapping[str, str], name: str, read: Callable[[Sequence[Any]], list[T]]
    ) -> list[T]:
        """All pages of a list. Raises Unreachable when they lead in a circle."""
        items: list[T] = []
        passed: set[str] = set()
        cursor: str | None = None
        while cursor not in passed:
            turn = body if cursor is None else {**body, "page_cursor": cursor}
            passed.update([cursor] if cursor else [])
            request = Request("POST", path, body=turn, errors=ON_LOCK, reads=True)
            page, cursor = await self._vendor.ask(request, partial(page_in, name=name, read=read))
            items += page
            if cursor is None:
                return items
        msg = "the lock app's pages lead in a circle"
        raise Unreachable(msg)


def connect(connection: Connection) -> Seam:
    """The workspace of an API key. Raises AccountRefused when the address or the key cannot be one."""
    base = connection.settings.get("url", DEFAULT_URL).strip().rstrip("/")
    key = connection.settings.get("api_key", "").strip()
    if not is_http(base) or not (key.isascii() and key.isprintable()):
        msg = "Seam's address begins with https://, and an API key is plain ASCII"
        raise AccountRefused(msg)
    headers = {"authorization": f"Bearer {key}"}
    return Seam(Vendor(connection.http, base, ON_LOCK, connection.now, headers, pace=connection.pace))


_NATIVELY = capabilities({"device_type": "schlage_lock", "can_remotely_unlock": True, "properties": {}})
_JUST_IN_TIME = capabilities({"device_type": "smartthings_lock", "can_remotely_unlock": True, "properties": {}})
_CHOOSING = capabilities(
    {"device_type": "salto_lock", "properties": {"code_constraints": [{"constraint_type": "cannot_specify_pin_code"}]}}
)

PROVIDER = ProviderSpec(
    key=KEY,
    title="Seam",
    fields=(
        FormField("api_key", "API key", secret=True, help="Seam Console → Developer → API Keys → Create API Key"),
        FormField("url", "Address", help="only for another address than Seam's own", default=DEFAULT_URL),
    ),
    connect=connect,
    max_parallel=16,
    kinds=MappingProxyType(
        {
            "Schlage, Yale, August, Kwikset, Nuki, TTLock, Tedee, Wyze, 2N (kept on the lock)": _NATIVELY,
            "SmartThings, Lockly, dormakaba and others (just in time)": _JUST_IN_TIME,
            "Salto KS and others that choose the digits": _CHOOSING,
        }
    ),
    hook=HOOK,
    maturity="tested against the vendor's own fake",
)
