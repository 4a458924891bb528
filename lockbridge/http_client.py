"""The HTTP client that vendors are asked with: httpx over aiohttp's pool. Loaded by the first request."""

import ssl
from functools import cache

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport


class _NoCookies(httpx.Cookies):
    """Nothing is kept of what a vendor sets: one account's cookie would be sent with another's requests."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Not even looked for: the jar of the standard library takes a seventh of the time of a request."""

    def set_cookie_header(self, request: httpx.Request) -> None:
        """There is none to be sent."""


class _Client(httpx.AsyncClient):
    @property
    def cookies(self) -> httpx.Cookies:
        """Never any."""
        return _NO_COOKIES

    @cookies.setter
    def cookies(self, cookies: object) -> None:
        raise NotImplementedError


_NO_COOKIES = _NoCookies()


@cache
def usual_tls() -> ssl.SSLContext:
    """What every connection of this process trusts: reading the authorities takes 20 ms and a megabyte each time."""
    return httpx.create_ssl_context()


def client(connections: int = 100) -> httpx.AsyncClient:
    """A client without cookies that sends a request once."""
    return _Client(transport=transport(connections))


def transport(connections: int = 100) -> AiohttpTransport:
    """How the client's requests travel.

    aiohttp by itself repeats a PUT or DELETE whose kept connection was dropped, which may do a write twice.
    """
    return AiohttpTransport(client=lambda: _session(connections), verify=usual_tls())


def _session(connections: int) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=connections, ssl=usual_tls())
    session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
    session._retry_connection = False  # noqa: SLF001 - aiohttp has no public switch for it
    return session
