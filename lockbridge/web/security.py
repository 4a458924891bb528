"""What every answer says to the browser about what it may load, keep and tell; and whether a form is one of ours."""

from hmac import compare_digest
from secrets import token_hex

from starlette.datastructures import FormData, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lockbridge.storage.vault import Vault

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "no-store",
}
LOOPBACK = ("127.0.0.1", "::1")
A_YEAR = "max-age=31536000"
MOST_FORM = 1_000_000
MOST_UPLOAD = 6_000_000
"""How many bytes a form may have, and one with a file."""


class SecurityHeaders:
    """Adds to every answer the headers it does not set itself. ``https``: browsers come back by https only."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = HEADERS | ({"strict-transport-security": A_YEAR} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, with the headers."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class OnThisMachine:
    """Answers what is asked on this machine itself; to everybody else there is nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or that there is nothing."""
        near = scope.get("client") is not None and scope["client"][0] in LOOPBACK
        await (self._app if near else PlainTextResponse("not here", 404))(scope, receive, send)


async def form_of(request: Request, *, max_files: int, max_fields: int) -> FormData:
    """The form that was sent. Raises HTTPException for one that is too large: the rest of it is not read."""
    with_file = max_files and request.headers.get("content-type", "").startswith("multipart/")
    most = left = MOST_UPLOAD if with_file else MOST_FORM

    async def receive() -> Message:
        nonlocal left
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, f"it has more than {most // 1_000_000} MB")
        return message

    return await Request(request.scope, receive).form(max_files=max_files, max_fields=max_fields)


def csrf_token(vault: Vault, session: str) -> str:
    """What proves that a form came from a page of this session; another one each time, so that none can be guessed."""
    nonce = token_hex(8)
    return f"{nonce}.{_proof(vault, session, nonce)}"


def is_csrf_token(vault: Vault, session: str, given: str) -> bool:
    """Whether a page of this session had this token."""
    nonce, _, proof = given.partition(".")
    return compare_digest(proof.encode(), _proof(vault, session, nonce).encode())


def _proof(vault: Vault, session: str, nonce: str) -> str:
    return vault.index(f"{nonce}:{session}", "csrf").hex()


def from_elsewhere(request: Request) -> bool:
    """Whether another site made the browser send this (Fetch Metadata; ``Origin`` for browsers without it)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host")
