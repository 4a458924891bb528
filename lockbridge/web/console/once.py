"""A new webhook address and its secret: shown in the browser that has just made it, for an hour, and nowhere else."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fastapi.responses import Response

from lockbridge.domain.ids import EndpointId
from lockbridge.storage.vault import VaultError
from lockbridge.web.desk import Desk
from lockbridge.web.hooks import PREFIX
from lockbridge.workflows.connect import Address

COOKIE = "address"
SHOWN_FOR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is to be pasted at the platform. ``given``: the host said the secret, so it need not be shown."""

    endpoint: EndpointId
    url: str = field(repr=False)
    secret: str = field(repr=False)
    given: bool


def show_once(desk: Desk, answer: Response, address: Address, *, given: bool) -> Response:
    """Have the next pages of this browser show a new address."""
    told = "" if given else address.secret
    text = "\n".join((f"{desk.now.isoformat()}", str(address.id), address.platform, address.token, told))
    sealed = desk.services.vault.seal(text, _context(desk)).hex()
    life = int(SHOWN_FOR.total_seconds())
    secure = desk.site.https
    answer.set_cookie(COOKIE, sealed, life, path=desk.base, httponly=True, secure=secure, samesite="lax")
    return answer


def _context(desk: Desk) -> str:
    """What ties the seal to this host and this session: copied to another browser it opens nothing."""
    return f"shown once {desk.host} {desk.session.id}"


def shown_once(desk: Desk) -> Shown | None:
    """The address this browser has made within the hour."""
    try:
        text = desk.services.vault.open(bytes.fromhex(desk.request.cookies.get(COOKIE, "")), _context(desk))
    except (ValueError, VaultError):
        return None
    since, endpoint, platform, token, secret = text.split("\n", 4)
    if desk.now - datetime.fromisoformat(since) > SHOWN_FOR:
        return None
    return Shown(EndpointId(int(endpoint)), f"{desk.site.url}{PREFIX}{platform}/{token}", secret, not secret)
