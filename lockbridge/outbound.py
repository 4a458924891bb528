"""The one way to ask a vendor: JSON over httpx, and every way in which that fails as an error with a remedy.

The rules, for every lock app and every booking platform alike:

* a **read** that fails is ``Unreachable``, after at most three tries within five seconds;
* a **write** is sent once. Never sent (no connection) or refused with 503: ``Unreachable``. Sent and the answer lost
  (timeout, dropped connection), unintelligible, or any other 5xx: ``OutcomeUnknown``;
* 429 is ``RateLimited`` with the vendor's own Retry-After; it is not tried again here;
* whatever else a vendor says is read from its :class:`ErrorTable`, also in an answer with status 200;
* no message holds a URL, a body or a credential.

``httpx``, ``aiohttp`` and ``tenacity`` are loaded when the first request is made: a process that only takes webhooks
knows the platforms and calls none of them (16 MB).
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache, lru_cache
from http import HTTPStatus
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import orjson

from lockbridge.contract import (
    AccountRefused,
    OutcomeUnknown,
    Pace,
    ProviderError,
    RateLimited,
    Rejected,
    Renew,
    Tokens,
    Unreachable,
)

if TYPE_CHECKING:  # loaded by the first request
    import httpx

T = TypeVar("T")

TIMEOUT_SECONDS = 10.0
CONNECT_SECONDS = 5.0
_OK = range(200, 300)
_REFUSED = range(400, 500)
_LOST = frozenset({HTTPStatus.REQUEST_TIMEOUT})
_GARBAGE = object()
_USUAL_PAUSE = timedelta(seconds=60)
_LONGEST_PAUSE = timedelta(days=1)


class TokenRefused(AccountRefused):
    """The access token is not taken (any more): worth signing in anew, once."""


_STATUSES: Mapping[int, type[ProviderError]] = MappingProxyType({401: TokenRefused, 403: AccountRefused})


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """How one brand says no: its words, then its status codes, each with the error it means.

    ``word_of`` finds the vendor's word in an answer's JSON (None: there is none); it may raise nothing.
    """

    words: Mapping[str, type[ProviderError]] = field(default_factory=dict)
    statuses: Mapping[int, type[ProviderError]] = field(default_factory=lambda: _STATUSES)
    word_of: Callable[[Any], str | None] = lambda _: None

    def meaning(self, status: int, body: Any) -> type[ProviderError] | None:
        """The error an answer stands for; None when the table knows nothing of it."""
        return self.words.get(self.word_of(body) or "") or self.statuses.get(status)


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a read is tried, how long after the first try another may begin, and how the pauses are slept."""

    tries: int = 3
    within: timedelta = timedelta(seconds=5)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def read(self, once: Callable[[], Awaitable[T]]) -> T:
        """Do it until it answers or the patience is used up; raises the last Unreachable."""
        started = monotonic()
        try:
            return await once()
        except Unreachable as error:
            return await self._again(once, error, started)

    async def _again(self, once: Callable[[], Awaitable[T]], error: Unreachable, started: float) -> T:
        """The tries after the first, which began at ``started`` and ended with ``error``."""
        from tenacity import (  # noqa: PLC0415 - as the module says
            AsyncRetrying,
            retry_if_exception_type,
            stop_after_attempt,
            stop_before_delay,
            wait_random_exponential,
        )

        left = self.within.total_seconds() - (monotonic() - started)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.tries) | stop_before_delay(left),
            wait=wait_random_exponential(multiplier=0.2, max=1.0),
            retry=retry_if_exception_type(Unreachable),
            sleep=self.sleep,
            reraise=True,
        )
        failed = [error]

        async def attempt() -> T:
            if failed:
                raise failed.pop()
            return await once()

        return await retrying(attempt)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``body`` is sent as JSON, ``form`` as a form, ``params`` in the address.

    ``reads`` says of a POST that it changes nothing, so that it may be repeated. ``errors`` is this call's own table.
    """

    method: str
    path: str
    body: object = field(default=None, repr=False)
    form: Mapping[str, Any] | None = field(default=None, repr=False)
    params: Mapping[str, Any] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    errors: ErrorTable | None = None
    reads: bool = False

    @property
    def is_read(self) -> bool:
        """Whether nothing is changed by it: only then may it be sent again."""
        return self.reads or self.method == "GET"

    @property
    def address(self) -> str:
        """The path as it goes over the wire, ``params`` included: httpx would parse the whole address twice."""
        import httpx  # noqa: PLC0415 - as the module says

        return f"{self.path}?{httpx.QueryParams(self.params)}" if self.params else self.path

    @property
    def content(self) -> bytes | None:
        """The body as it goes over the wire."""
        if self.form is not None:
            return urlencode(self.form).encode()
        return None if self.body is None else orjson.dumps(self.body)

    @property
    def content_type(self) -> Mapping[str, str]:
        """The header that says what the body is, unless ``headers`` say otherwise."""
        if self.form is not None:
            return {"content-type": "application/x-www-form-urlencoded"}
        return {} if self.body is None else {"content-type": "application/json"}


def bearer(request: Request, token: str) -> Request:
    """The request with the token in its Authorization header."""
    return replace(request, headers={**request.headers, "authorization": f"Bearer {token}"})


@dataclass(frozen=True, slots=True)
class SignIn:
    """The account's access token: how it is fetched (``renew``) and how a request carries it."""

    tokens: Tokens
    renew: Renew
    carry: Callable[[Request, str], Request] = bearer

    async def token(self, *, refused: str | None = None) -> str:
        """One that should be good; ``refused`` is one that was not taken.

        Raises ProviderError, but never OutcomeUnknown: what was to be done with the token has not been sent.
        """
        try:
            return await self.tokens.current(self.renew, refused=refused)
        except OutcomeUnknown as error:
            raise Unreachable(str(error)) from None


@dataclass(frozen=True, slots=True)
class Vendor:
    """One account at one vendor: where to ask, as whom, and how its refusals read."""

    http: "httpx.AsyncClient"
    base: str
    errors: ErrorTable
    now: Callable[[], datetime]
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    patience: Patience = Patience()
    timeout: "httpx.Timeout | None" = None
    """None: ten seconds, five of them to connect."""
    sign_in: SignIn | None = None
    """How to get the access token that each request carries; None: ``headers`` are all that is needed."""
    pace: Pace | None = None
    left: "Callable[[httpx.Response], tuple[int, datetime] | None]" = lambda _: None
    """How many calls an answer's headers say are left, and until when; None: they do not say."""
    who: str = "the lock app"
    """What the vendor is called in errors."""

    async def ask(self, request: Request, parse: Callable[[Any], T]) -> T:
        """Send a request and read the answer's JSON (None when it is empty) with ``parse``.

        ``parse`` raises LookupError, TypeError, ValueError or AttributeError for an answer that does not make sense.
        Raises ProviderError only.
        """
        if not request.is_read:
            return await self._once(request, parse)
        return await self.patience.read(lambda: self._once(request, parse))

    async def _once(self, request: Request, parse: Callable[[Any], T]) -> T:
        """With a token that is refused once: sign in anew and ask once more, since nothing was done."""
        if self.sign_in is None:
            return await self._sent(request, parse)
        token = await self.sign_in.token()
        try:
            return await self._sent(self.sign_in.carry(request, token), parse)
        except TokenRefused:
            anew = await self.sign_in.token(refused=token)
            return await self._sent(self.sign_in.carry(request, anew), parse)

    async def _sent(self, request: Request, parse: Callable[[Any], T]) -> T:
        if self.pace is not None:
            await self.pace.turn()
        own = {**self.headers, **request.headers}
        response = await answer(self.http, self.base, replace(request, headers=own), self.timeout, who=self.who)
        await self._learn(response)
        return self._read(response, parse, request)

    async def _learn(self, response: "httpx.Response") -> None:
        count = self.left(response)
        if count is not None and self.pace is not None:
            await self.pace.heard(*count)

    def _read(self, response: "httpx.Response", parse: Callable[[Any], T], request: Request) -> T:
        body, status = _json(response), response.status_code
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            msg = f"{self.who} asks for fewer calls"
            raise RateLimited(msg, retry_after(response.headers.get("retry-after"), self.now()))
        meaning = (request.errors or self.errors).meaning(status, body)
        if meaning is not None:
            raise meaning(meaning.said.format(who=self.who))
        if status not in _OK:
            raise _failure(self.who, status, is_read=request.is_read)
        try:
            if body is _GARBAGE:
                raise ValueError  # noqa: TRY301 - garbage and a wrong shape are one case
            return parse(body)
        except (LookupError, TypeError, ValueError, AttributeError):
            msg = f"the answer of {self.who} makes no sense"
            raise _lost(msg, is_read=request.is_read) from None


async def answer(
    http: "httpx.AsyncClient", base: str, request: Request, within: "httpx.Timeout | None" = None, *, who: str
) -> "httpx.Response":
    """Whatever is answered to one request, sent once; no redirect is followed. ``within=None``: the usual timeout.

    Raises Unreachable when it was never sent or only reads, else OutcomeUnknown; ``who`` is what their words call it.
    """
    try:
        return await http.send(_ready(base, request, within or _usual_timeout()), follow_redirects=False)
    except _failures() as error:
        raise _no_answer(error, who, is_read=request.is_read) from None


def _ready(base: str, request: Request, within: "httpx.Timeout") -> "httpx.Request":
    """The request as it is sent. To merge it with a client's settings, as httpx does, takes twice as long."""
    import httpx  # noqa: PLC0415 - as the module says

    ready = httpx.Request(
        request.method,
        httpx.URL(base + request.address) if request.params else _url(base + request.path),
        headers={**_of_every_request(), **request.content_type, **request.headers},
        content=request.content,
        extensions={"timeout": within.as_dict()},
    )
    ready.headers.encoding = "ascii"  # as it is; httpx would find out from all headers each time it reads one
    return ready


@cache
def _of_every_request() -> Mapping[str, str]:
    import httpx  # noqa: PLC0415 - as the module says

    return {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": f"python-httpx/{httpx.__version__}"}


@lru_cache(maxsize=4096)
def _url(address: str) -> "httpx.URL":
    """The same few addresses are asked again and again, and httpx takes its time to read one."""
    import httpx  # noqa: PLC0415 - as the module says

    return httpx.URL(address)


def _no_answer(error: Exception, who: str, *, is_read: bool) -> ProviderError:
    name = type(error.__cause__ or error).__name__
    if _was_never_sent(error):
        return Unreachable(f"no connection to {who} ({name})")
    return _lost(f"the answer of {who} was lost ({name})", is_read=is_read)


def _json(response: "httpx.Response") -> Any:
    if not response.content:
        return None
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return _GARBAGE


def _was_never_sent(error: Exception) -> bool:
    """Whether the request cannot have left this machine.

    ``httpx-aiohttp`` reports a connection that was dropped after sending as ``ConnectTimeout``: its cause tells.
    """
    import aiohttp  # noqa: PLC0415 - as the module says

    if isinstance(error.__cause__, aiohttp.ClientConnectionError):
        return isinstance(error.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return isinstance(error, _unsent())


def _lost(message: str, *, is_read: bool) -> ProviderError:
    return Unreachable(message) if is_read else OutcomeUnknown(message)


def _failure(who: str, status: int, *, is_read: bool) -> ProviderError:
    """What a status means that the vendor's own table does not explain."""
    message = f"{who} answered {status}"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Unreachable(message)
    if status in _REFUSED and status not in _LOST and not is_read:
        return Rejected(message)
    return _lost(message, is_read=is_read)


def retry_after(header: str | None, now: datetime) -> timedelta:
    """How long a Retry-After header (seconds or an HTTP date) asks to stay away: 1 s to a day; 60 s if it is silent."""
    if not header:
        return _USUAL_PAUSE
    try:
        pause = timedelta(seconds=int(header)) if header.strip().isdecimal() else _instant(header) - now
    except (ValueError, OverflowError):
        return _USUAL_PAUSE
    return min(max(pause, timedelta(seconds=1)), _LONGEST_PAUSE)


def _instant(header: str) -> datetime:
    """An HTTP date; a date without a zone is UTC (RFC 9110)."""
    instant = parsedate_to_datetime(header)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def is_http(address: str) -> bool:
    """Whether an address that a host typed in can be asked over HTTP."""
    import httpx  # noqa: PLC0415 - as the module says

    try:
        parsed = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in {"http", "https"} and bool(parsed.host)


@cache
def _usual_timeout() -> "httpx.Timeout":
    import httpx  # noqa: PLC0415 - as the module says

    return httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)


@cache
def _failures() -> tuple[type[Exception], ...]:
    """Everything a request can fail with."""
    import aiohttp  # noqa: PLC0415 - as the module says
    import httpx  # noqa: PLC0415 - as the module says

    return (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError)


@cache
def _unsent() -> tuple[type[Exception], ...]:
    """What a request fails with before it has left this machine."""
    import httpx  # noqa: PLC0415 - as the module says

    return (
        httpx.ConnectError,
        httpx.ConnectTimeout,
        httpx.PoolTimeout,
        httpx.ProxyError,
        httpx.UnsupportedProtocol,
        httpx.LocalProtocolError,
        httpx.InvalidURL,
    )


def client(*, connections: int = 100) -> "httpx.AsyncClient":
    """The HTTP client to hand to drivers: aiohttp's pool, no cookies, and a request is sent once."""
    from lockbridge.http_client import client as made  # noqa: PLC0415 - as the module says

    return made(connections)
