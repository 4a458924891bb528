"""What tells TTLock and Sifely apart: how one signs in, what each call carries, which calls there are."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from lockbridge.contract import AccountRefused, Connection, Grant, Renew
from lockbridge.outbound import Request, Vendor
from providers.ttlock.errors import SIFELY_SIGN_IN, SIGN_IN
from providers.ttlock.wire import milliseconds

Carry = Callable[[Request, str], Request]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One brand's way with the Sciener cloud."""

    url: str
    """Where it is asked unless the host says otherwise."""
    locks: str
    """The path of the list of locks."""
    page: int
    """How many rows of a list to ask for at once."""
    tells_gateways: bool
    """Whether gateways and Wi-Fi can be asked about; else a lock is asked for its state to see if it is in reach."""
    renew: Callable[[Connection, str], Renew]
    carry: Callable[[Connection], Carry]


def base_of(connection: Connection, dialect: Dialect) -> str:
    """The vendor's address for this account. Raises AccountRefused for what is none."""
    base = (connection.settings.get("url") or dialect.url).rstrip("/")
    if not base.startswith(("https://", "http://")):
        msg = "the address begins with https://"
        raise AccountRefused(msg)
    return base


def _with(request: Request, fields: Mapping[str, Any]) -> Request:
    """The request with more fields: in its form where it has one, else in its address."""
    if request.form is not None:
        return replace(request, form={**request.form, **fields})
    return replace(request, params={**(request.params or {}), **fields})


# -- TTLock: OAuth 2 with the user's password -----------------------------------------------------------------


def _ttlock_renew(connection: Connection, base: str) -> Renew:
    """Page "Get access token": 90 days; refreshed with the refresh token, which lives for ten years."""
    asked = connection.settings
    client = {"clientId": asked.get("client_id", ""), "clientSecret": asked.get("client_secret", "")}
    door = Vendor(connection.http, base, SIGN_IN, connection.now, pace=connection.pace)

    async def fetch(fields: Mapping[str, str]) -> Grant:
        request = Request("POST", "/oauth2/token", form={**client, **fields})
        return await door.ask(request, lambda raw: _grant_in(raw, connection))

    async def renew(grant: Grant | None) -> Grant:
        if grant is not None and grant.refresh:
            with suppress(AccountRefused):  # of no use any more; the password may be
                return await fetch({"grant_type": "refresh_token", "refresh_token": grant.refresh})
        password = _md5(asked.get("password", ""))
        return await fetch({"grant_type": "password", "username": asked.get("username", ""), "password": password})

    return renew


def _md5(password: str) -> str:
    """The vendor asks for the password as 32 lower-case hex digits of its MD5."""
    return hashlib.md5(password.encode(), usedforsecurity=False).hexdigest()


def _grant_in(raw: Mapping[str, Any], connection: Connection) -> Grant:
    access, refresh = _text(raw["access_token"]), raw.get("refresh_token")
    lasts = timedelta(seconds=int(raw["expires_in"]))
    return Grant(access, connection.now() + lasts, _text(refresh) if refresh else None)


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw:
        raise TypeError
    return raw


def _ttlock_carry(connection: Connection) -> Carry:
    client = connection.settings.get("client_id", "")

    def carry(request: Request, token: str) -> Request:
        date = milliseconds(connection.now())
        return _with(request, {"clientId": client, "accessToken": token, "date": date})

    return carry


TTLOCK_DIALECT = Dialect(
    url="https://euapi.ttlock.com",
    locks="/v3/lock/list",
    page=200,
    tells_gateways=True,
    renew=_ttlock_renew,
    carry=_ttlock_carry,
)


# -- Sifely: a sign-in of its own, the token alone in the header ----------------------------------------------


def _sifely_renew(connection: Connection, base: str) -> Renew:
    """The sign-in tells no end of its token: when one is refused, the password fetches the next."""
    asked = connection.settings
    door = Vendor(connection.http, base, SIFELY_SIGN_IN, connection.now, pace=connection.pace)

    async def renew(_: Grant | None) -> Grant:
        params = {
            "client_id": asked.get("client_id", ""),
            "username": asked.get("username", ""),
            "password": asked.get("password", ""),
            "date": milliseconds(connection.now()),
        }
        request = Request("POST", "/system/smart/login", params=params)
        return await door.ask(request, lambda raw: Grant(_text(raw["data"]["token"])))

    return renew


def _sifely_carry(connection: Connection) -> Carry:
    def carry(request: Request, token: str) -> Request:
        dated = _with(request, {"date": milliseconds(connection.now())})
        return replace(dated, headers={**dated.headers, "authorization": token})

    return carry


SIFELY_DIALECT = Dialect(
    url="https://app-smart-server.sifely.com",
    locks="/v3/key/list",
    page=100,
    tells_gateways=False,
    renew=_sifely_renew,
    carry=_sifely_carry,
)
