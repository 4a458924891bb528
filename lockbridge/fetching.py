"""Asking an address that somebody typed in: it reaches public computers only, and gives up on what is too much.

* ``https`` only; no user name or password in the address; port 80, 443 or one that needs no privileges.
* The name is looked up once a hop, **every** address it has must be public, and the connection goes to one of these
  very addresses: a name that changes its mind in between (DNS rebinding) reaches nothing.
* A GET follows at most three redirects, each checked like the first address, and never from ``https`` to ``http``;
  a POST follows none.
* 2 MB, packed and unpacked; 20 seconds for everything together. No proxy, no cookies, no kept connections.
* No error holds the address: that of a calendar feed is its password.

``aiohttp``, ``httpx`` and ``yarl`` are loaded by the first fetch, as in ``lockbridge.outbound``.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from lockbridge.contract import AccountRefused, OutcomeUnknown, Unreachable

if TYPE_CHECKING:  # loaded by the first fetch
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult
    from yarl import URL

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
LookUp: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a name, as texts. Raises OSError or UnicodeError."""

MOST_BYTES = 2_000_000
MOST_SECONDS = 20.0
MOST_REDIRECTS = 3
WEB_PORTS = frozenset({80, 443})
FIRST_FREE_PORT = 1024
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NAT64 = IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = IPv6Network("2000::/3")
RELAYS = IPv4Network("192.88.99.0/24")
"""6to4 relays, which no longer exist (RFC 7526)."""
_NOT_AN_ADDRESS = (
    "the address cannot be fetched: it must begin with https:// and hold no user name, password or odd port"
)
_PRIVATE = "the address does not lead to a public computer"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer; ``headers`` have lower-case names. Only a good answer (2xx) to a GET has a body."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Fetch(Protocol):
    """A GET of an address somebody typed in: guarded against private addresses, redirects, size and time."""

    async def __call__(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """Get it. Raises ProviderError, whose message never holds the address."""
        ...


def is_public(address: Address) -> bool:
    """Whether anybody on the internet can have this address; one that wraps an IPv4 address is as that one is."""
    if isinstance(address, IPv6Address):
        wrapped = _wrapped(address)
        if wrapped is not None:
            return is_public(wrapped)
        return address in GLOBAL_UNICAST and address.teredo is None and address.is_global and not address.is_multicast
    return address.is_global and not (address.is_multicast or address.is_reserved or address in RELAYS)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address to which a mapped, translated (NAT64) or tunnelled (6to4) one leads."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


async def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a name as this machine knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


def _usual_tls() -> ssl.SSLContext:
    from lockbridge.http_client import usual_tls  # noqa: PLC0415 - as the module says

    return usual_tls()


@dataclass(frozen=True, slots=True)
class GuardedFetch:
    """The guarded GET and POST. ``allow`` names networks that may be asked though not public, over ``http`` too."""

    allow: tuple[Network, ...] = ()
    most_bytes: int = MOST_BYTES
    most_seconds: float = MOST_SECONDS
    look_up: LookUp = look_up
    tls: Callable[[], ssl.SSLContext] = _usual_tls

    async def __call__(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """Get it. Raises AccountRefused for an address that can never be fetched, Unreachable for every other failure.

        No message holds the address.
        """
        import aiohttp  # noqa: PLC0415 - as the module says

        try:
            async with asyncio.timeout(self.most_seconds):
                return await self._followed(self._parsed(url), headers)
        except TimeoutError:
            problem = f"there was no whole answer within {self.most_seconds:g} seconds"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            problem = f"there was no answer ({type(error).__name__})"
        raise Unreachable(problem) from None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Fetched:
        """Post it once. What is answered beside the status and the headers is not read.

        Raises AccountRefused and Unreachable like a GET: nothing was sent. Raises OutcomeUnknown when it was and there
        was no answer. No message holds the address.
        """
        import aiohttp  # noqa: PLC0415 - as the module says

        target = self._parsed(url)
        try:
            async with asyncio.timeout(self.most_seconds), self._asked("POST", target, headers, body) as answer:
                return Fetched(answer.status, _said(answer), b"")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, socket.gaierror, UnicodeError) as error:
            problem = f"there was no connection ({type(error).__name__})"
            raise Unreachable(problem) from None
        except TimeoutError:
            problem = f"there was no answer within {self.most_seconds:g} seconds"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            problem = f"the answer was lost ({type(error).__name__})"
        raise OutcomeUnknown(problem) from None

    def _parsed(self, text: str) -> "URL":
        """An address that may be asked for. Raises AccountRefused: somebody has to correct it."""
        from yarl import URL  # noqa: PLC0415 - as the module says

        try:
            url = URL(text.strip())
            is_good = _is_web(url) and (url.scheme == "https" or bool(self.allow))
        except ValueError:
            is_good = False
        if not is_good:
            raise AccountRefused(_NOT_AN_ADDRESS)
        return url

    async def _followed(self, url: "URL", headers: Mapping[str, str]) -> Fetched:
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._got(url, headers)
            if answer.status not in REDIRECTS:
                return answer
            url = _next(url, answer.headers.get("location", ""))
        msg = f"there were more than {MOST_REDIRECTS} redirects"
        raise Unreachable(msg)

    async def _got(self, url: "URL", headers: Mapping[str, str]) -> Fetched:
        async with self._asked("GET", url, {**headers, "accept-encoding": "gzip"}) as answer:
            body = await self._body(answer) if answer.ok and answer.status not in REDIRECTS else b""
            return Fetched(answer.status, _said(answer), body)

    @asynccontextmanager
    async def _asked(
        self, method: str, url: "URL", headers: Mapping[str, str], body: bytes | None = None
    ) -> "AsyncIterator[aiohttp.ClientResponse]":
        """What one of the checked addresses answers to a request on a connection of its own."""
        import aiohttp  # noqa: PLC0415 - as the module says

        pinned = cast("AbstractResolver", _Pinned(await self._checked(url)))
        connector = aiohttp.TCPConnector(resolver=pinned, use_dns_cache=False, force_close=True, ssl=self.tls())
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
            ) as session,
            session.request(
                method, url, headers={"user-agent": "lockbridge", **headers}, data=body, allow_redirects=False
            ) as answer,
        ):
            yield answer

    async def _checked(self, url: "URL") -> Sequence[str]:
        """Every address of the host, all of them good."""
        found = await self.look_up(str(url.host), url.port or 0)
        if not found:
            msg = "the name in the address is not known"
            raise Unreachable(msg)
        if not all(self._may_ask(address, url.scheme) for address in found):
            raise Unreachable(_PRIVATE)
        return found

    def _may_ask(self, text: str, scheme: str) -> bool:
        address = ip_address(text.partition("%")[0])
        return any(address in network for network in self.allow) or (scheme == "https" and is_public(address))

    async def _body(self, answer: "aiohttp.ClientResponse") -> bytes:
        body = bytearray()
        async for chunk in answer.content.iter_any():
            body += chunk
            self._refuse_too_much(len(body))
        return self._unpacked(bytes(body), answer.headers.get("content-encoding", "").strip().lower())

    def _unpacked(self, body: bytes, encoding: str) -> bytes:
        if encoding in {"", "identity"}:
            return body
        if encoding not in {"gzip", "x-gzip"}:
            msg = "the answer is packed in a way that was not asked for"
            raise Unreachable(msg)
        unpacking = zlib.decompressobj(wbits=31)
        try:
            unpacked = unpacking.decompress(body, self.most_bytes + 1)
        except zlib.error:
            msg = "the answer cannot be unpacked"
            raise Unreachable(msg) from None
        self._refuse_too_much(len(unpacked))
        if not unpacking.eof:
            msg = "the answer was cut short"
            raise Unreachable(msg)
        return unpacked

    def _refuse_too_much(self, size: int) -> None:
        if size > self.most_bytes:
            msg = f"the answer is larger than {self.most_bytes:,} bytes"
            raise Unreachable(msg)


@dataclass(frozen=True, slots=True)
class _Pinned:
    """Answers every question for a name with the addresses that were checked."""

    addresses: Sequence[str]

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_UNSPEC) -> "list[ResolveResult]":
        """The addresses as aiohttp's connector wants them."""
        del family
        return [
            {
                "hostname": host,
                "host": address,
                "port": port,
                "family": socket.AF_INET6 if ":" in address else socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for address in self.addresses
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _is_web(url: "URL") -> bool:
    """``http`` passes here: it is refused later unless every address of the host is allowed."""
    port = url.port or 0
    has_password = url.raw_user is not None or url.raw_password is not None
    return (
        url.scheme in {"http", "https"}
        and bool(url.host)
        and not has_password
        and (port in WEB_PORTS or port >= FIRST_FREE_PORT)
    )


def _said(answer: "aiohttp.ClientResponse") -> dict[str, str]:
    return {name.lower(): answer.headers[name] for name in answer.headers}


def _next(url: "URL", location: str) -> "URL":
    """Where a redirect leads. Raises Unreachable for one that is not followed."""
    from yarl import URL  # noqa: PLC0415 - as the module says

    target = url.join(URL(location))
    if not location or not _is_web(target) or (url.scheme, target.scheme) == ("https", "http"):
        msg = "there was a redirect that is not followed"
        raise Unreachable(msg)
    return target
