"""The driver that speaks to the simulator over HTTP, as any other lock app's driver would."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from lockbridge.contract import (
    AccountRefused,
    Connection,
    FormField,
    FoundLock,
    LockEvent,
    LockStatus,
    ProviderSpec,
    Receipt,
    SeenCode,
    Written,
)
from lockbridge.domain.code import CodeSpec
from lockbridge.domain.ids import CodeRef, LockRef
from lockbridge.outbound import ErrorTable, Request, Vendor, is_http
from providers.simulator import wire
from providers.simulator.driver import KEY


def _word_of(body: Any) -> str | None:
    word = body.get("error") if isinstance(body, dict) else None
    return word if isinstance(word, str) else None


_ERRORS = ErrorTable(words={word: error for word, (_, error) in wire.ERRORS.items()}, word_of=_word_of)


def _code_path(lock: LockRef, ref: CodeRef) -> str:
    return f"{_codes_path(lock)}/{quote(ref, safe='')}"


def _codes_path(lock: LockRef) -> str:
    return f"/locks/{quote(lock, safe='')}/codes"


class HttpSimulator:
    """One account of a simulated lock app behind its HTTP interface."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    async def list_locks(self) -> Sequence[FoundLock]:
        """All locks of the account."""
        return await self._vendor.ask(Request("GET", "/locks"), wire.locks_in)

    async def list_codes(self, lock: LockRef) -> Sequence[SeenCode]:
        """Everything the lock holds; raises Rejected for a lock that cannot be asked."""
        return await self._vendor.ask(Request("GET", _codes_path(lock)), wire.codes_in)

    async def set_code(self, lock: LockRef, spec: CodeSpec) -> Written:
        """Make a code."""
        return await self._vendor.ask(Request("POST", _codes_path(lock), body=wire.spec_out(spec)), wire.written_in)

    async def update_code(self, lock: LockRef, ref: CodeRef, spec: CodeSpec) -> Written:
        """Change a code as far as the lock can."""
        return await self._vendor.ask(Request("PUT", _code_path(lock, ref), body=wire.spec_out(spec)), wire.written_in)

    async def remove_code(self, lock: LockRef, ref: CodeRef) -> Receipt:
        """Take a code off the lock."""
        return await self._vendor.ask(Request("DELETE", _code_path(lock, ref)), wire.receipt_in)

    async def check_lock(self, lock: LockRef) -> LockStatus:
        """Whether the lock is in reach, and its battery."""
        return await self._vendor.ask(Request("GET", f"/locks/{quote(lock, safe='')}"), wire.status_in)

    async def open_door(self, lock: LockRef) -> Receipt:
        """Open the door now, where the lock can."""
        path = f"/locks/{quote(lock, safe='')}/open"
        return await self._vendor.ask(Request("POST", path), wire.receipt_in)

    async def activity(self, lock: LockRef, since: datetime, limit: int) -> Sequence[LockEvent]:
        """What was done to the lock."""
        wanted = {"since": since.isoformat(), "limit": limit}
        path = f"/locks/{quote(lock, safe='')}/log"
        return await self._vendor.ask(Request("GET", path, params=wanted), wire.events_in)


def connect(connection: Connection) -> HttpSimulator:
    """The account at the simulator of this URL. Raises AccountRefused when the URL cannot be one."""
    base, token = connection.settings.get("url", DEFAULT_URL).rstrip("/"), connection.settings.get("token", "")
    if not is_http(base) or not token.isascii():
        msg = "the simulator's address begins with http:// or https://, and its token is plain ASCII"
        raise AccountRefused(msg)
    headers = {"authorization": f"Bearer {token}"}
    return HttpSimulator(Vendor(connection.http, base, _ERRORS, connection.now, headers))


DEFAULT_URL = "http://127.0.0.1:8765"

PROVIDER = ProviderSpec(
    key=KEY,
    title="Simulated lock app",
    fields=(
        FormField("url", "Address", help="where `lockbridge simulator` listens", default=DEFAULT_URL),
        FormField("token", "Token", secret=True, help="the account's token; `simulator` unless you chose another"),
    ),
    connect=connect,
    max_parallel=64,
    maturity="for demonstrations and tests",
)
