"""The webhook route ``POST /webhooks/{platform}/{token}``: bare ASGI in front of FastAPI, since it is the hot path.

It answers 200 once a delivery is durable, 401 when it is not proved to be genuine, 404 for an address that does not
exist, 413 for a body that is too large, and 503 with ``Retry-After`` for everything else that keeps it from being
stored: platforms deliver again on a 5xx, some never again after a 4xx, a redirect or a 410. Nothing here logs a path:
the token in it is a secret.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from lockbridge.domain.ids import EndpointId
from lockbridge.inbound import Delivery, Hook, Unauthenticated
from lockbridge.services import Services
from lockbridge.storage import hosts
from lockbridge.storage.database import StorageUnavailable
from lockbridge.storage.hosts import EndpointRow
from lockbridge.storage.vault import VaultError
from lockbridge.workflows import receive as intake

PREFIX = "/webhooks/"
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
BODY_PATIENCE = timedelta(seconds=30)
"""How long a body may take to arrive."""
REMEMBERED_FOR = timedelta(seconds=10)
"""How long an address, or that there is none, is remembered without asking the database."""
MOST_REMEMBERED = 10_000
REFUSALS_TOLD_EVERY = timedelta(minutes=10)
"""A flood of wrong signatures writes to the database this often for each address, no more."""
RETRY_AFTER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, ready to be sent; ``outcome`` is the word under which it is counted."""

    outcome: str
    start: Mapping[str, Any]
    body: Mapping[str, Any]


def answer(outcome: str, status: int, content: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON answer."""
    body = orjson.dumps(content)
    every = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    raw = [(name.encode(), value.encode()) for name, value in every.items()]
    start = {"type": "http.response.start", "status": status, "headers": raw}
    return Answer(outcome, start, {"type": "http.response.body", "body": body})


def replied(text: str) -> Answer:
    """Stored, in the words a sender insists on."""
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return Answer("stored", start, {"type": "http.response.body", "body": body})


STORED = answer("stored", 200, {"status": "stored"})
NO_SUCH_ADDRESS = answer("unknown_address", 404, {"error": "there is no such webhook address"})
ONLY_POST = answer("wrong_method", 405, {"error": "webhooks are sent with POST"}, {"allow": "POST"})
TOO_LARGE = answer("too_large", 413, {"error": "the body is too large"})


def unauthenticated(reason: str) -> Answer:
    """Not proved to be genuine. The reason helps whoever sets up the sender; it never holds a secret."""
    return answer("refused", 401, {"error": "not proved to come from the platform", "reason": reason})


def unavailable(pause: timedelta) -> Answer:
    """Could not be stored now."""
    seconds = str(max(1, ceil(pause.total_seconds())))
    return answer("unavailable", 503, {"error": "could not be stored, send it again"}, {"retry-after": seconds})


class _TooLargeError(Exception):
    pass


class _GoneError(Exception):
    pass


@dataclass(slots=True)
class Hooks:
    """The route as an ASGI application. ``max_body`` is in bytes; a platform's own limit may be lower."""

    services: Services
    max_body: int
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many requests came, by platform (``""``: none) and outcome."""
    _addresses: dict[bytes, tuple[datetime, EndpointRow | None]] = field(default_factory=dict)
    _quiet_until: dict[EndpointId, datetime] = field(default_factory=dict)
    _is_down: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one that breaks off gets no answer."""
        sender, _, token = scope["path"].removeprefix(PREFIX).partition("/")
        hook: Hook[Any] | None = None
        try:
            hook = await self._hook(sender, token)
            found = await self._answer(scope, receive, hook, token) if hook else NO_SUCH_ADDRESS
        except _GoneError:
            self.outcomes[hook.key if hook else "", "broken_off"] += 1
            return
        except StorageUnavailable as error:
            found = self._failed(error)
        self.outcomes[hook.key if hook else "", found.outcome] += 1
        await send(found.start)  # type: ignore[arg-type]  # a message nobody changes
        await send(found.body)  # type: ignore[arg-type]  # the same

    async def _hook(self, sender: str, token: str) -> Hook[Any] | None:
        """A booking platform; or a kind of lock app, where the address exists: to know those, drivers are loaded."""
        if not TOKEN.fullmatch(token):
            return None
        platform = self.services.platforms.get(sender)
        known = platform.hook if platform is not None else None
        if known is None and await self._endpoint(token, self.services.clock.now()):
            return self.services.accounts.hooks.get(sender)
        return known

    async def _answer(self, scope: Scope, receive: Receive, hook: Hook[Any], token: str) -> Answer:
        if scope["method"] != "POST":
            return ONLY_POST
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        limit = min(self.max_body, hook.max_body)
        if _announced(headers) > limit:
            return TOO_LARGE
        try:
            return await self._take(receive, hook, token, headers, limit)
        except _GoneError:
            raise
        except _TooLargeError:
            return TOO_LARGE
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the booking must come again
            return self._failed(error)

    async def _take(
        self, receive: Receive, hook: Hook[Any], token: str, headers: Mapping[str, str], limit: int
    ) -> Answer:
        now = self.services.clock.now()
        endpoint = await self._endpoint(token, now)
        if endpoint is None or endpoint.platform != hook.key:
            return NO_SUCH_ADDRESS
        body = await _whole_body(receive, limit)
        now = self.services.clock.now()
        try:
            await intake.accept(self.services, endpoint, hook, Delivery(headers, body, now, url_token=token), now)
        except Unauthenticated as error:
            await self._tell_refused(endpoint, hook, str(error), now)
            return unauthenticated(str(error))
        if self._is_down:
            self._is_down = False
            self.services.log.info("webhooks are stored again")
        return STORED if hook.reply is None else replied(hook.reply)

    async def _endpoint(self, token: str, now: datetime) -> EndpointRow | None:
        hashed = hosts.token_hash(token)
        known = self._addresses.get(hashed)
        if known is not None and now < known[0]:
            return known[1]
        found = await self.services.database.ask(hosts.find_endpoint, self.services.vault, hashed)
        self._addresses.pop(hashed, None)
        if len(self._addresses) >= MOST_REMEMBERED:
            del self._addresses[next(iter(self._addresses))]
        self._addresses[hashed] = (now + REMEMBERED_FOR, found)
        return found

    async def _tell_refused(self, endpoint: EndpointRow, hook: Hook[Any], reason: str, now: datetime) -> None:
        """Have the host told, unless that was done a moment ago."""
        if now < self._quiet_until.get(endpoint.id, now):
            return
        self._quiet_until[endpoint.id] = now + REFUSALS_TOLD_EVERY
        self.services.log.warning("a webhook was refused", platform=hook.key, endpoint=endpoint.id, reason=reason)
        try:
            await intake.refused(self.services, endpoint, hook, reason, now)
        except StorageUnavailable as error:
            self._quiet_until[endpoint.id] = now + error.retry_after
            self._failed(error)

    def _failed(self, error: Exception) -> Answer:
        """Log an outage once (law 12), and ask for the delivery to be sent again."""
        if isinstance(error, TimeoutError):
            return unavailable(RETRY_AFTER)
        if not self._is_down:
            self._is_down = True
            reason = str(error) if isinstance(error, StorageUnavailable | VaultError) else type(error).__name__
            self.services.log.error("webhooks cannot be stored", reason=reason)
        return unavailable(error.retry_after if isinstance(error, StorageUnavailable) else RETRY_AFTER)


def _announced(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() else 0


async def _whole_body(receive: Receive, limit: int) -> bytes:
    """The body, at most ``limit`` bytes. Raises TimeoutError when it does not arrive in time."""
    async with asyncio.timeout(BODY_PATIENCE.total_seconds()):
        body, more = await _chunk(receive)
        if len(body) > limit:
            raise _TooLargeError
        return await _rest(receive, body, limit) if more else body


async def _rest(receive: Receive, first: bytes, limit: int) -> bytes:
    chunks, size, more = [first], len(first), True
    while more:
        chunk, more = await _chunk(receive)
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise _TooLargeError
    return b"".join(chunks)


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _GoneError
    return message.get("body", b""), message.get("more_body", False)
