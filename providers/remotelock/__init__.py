"""RemoteLock: a code is a guest of the account and that guest's access to a lock. The lock fetches it when it wakes up.

Facts are of RemoteLock's API documentation v1 (developer.remotelock.com/api/docs and the tutorial beside it) unless
marked otherwise.

* **Two writes make a code**: ``POST /access_persons``, then ``POST /access_persons/{id}/accesses``. There is no single
  request for both, so a placement costs two writes and its share of one look, which lists all codes of a lock at once.
  A grant that is refused takes the new guest back. One whose answer is lost, or whose guest's answer is, leaves a guest
  behind: digits are unique in an account, so the next attempt is told that they are taken, finds the guest who has them
  and – with our name and times – grants the access. The same way a second lock gets the same code.
* **The reference of a code is its guest**: changing it is one ``PUT``; removing it revokes the access to this lock and,
  when the guest has no other door, deactivates the guest: that frees the digits and keeps the history, as the vendor
  recommends over deleting. That is three requests; when the last two fail, a guest without a door is left whose digits
  are taken until their time is over.
* **Standing codes are guests until the end of 2037.** The vendor has permanent users, but a user cannot be given times
  later, and a backup code that is given to a guest is.
* **Times are those of the lock's clock, without a zone**; the zone is that of its location.
* Codes programmed at the keypad itself (``local_pins``) are not listed.

Not in the documentation, and so not relied on alone: that digits are unique in an account (seen in others' logs, as 422
for ``pin``), that a look can include the person (else all people are listed once), what a full lock answers (its list
is counted).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from lockbridge.contract import Connection, FormField, Grant, ProviderSpec, Rate
from lockbridge.outbound import Request, SignIn, Vendor
from providers.remotelock.client import RemoteLock
from providers.remotelock.events import HOOK
from providers.remotelock.wire import ANY, OF_SIGN_IN, text_in, typical

__all__ = ["PROVIDER", "RemoteLock"]

ACCEPT = {"accept": "application/vnd.lockstate.v1+json"}
_EPOCH_DIGITS = 10

API_URL, SIGN_IN_URL = "https://api.remotelock.com", "https://connect.remotelock.com"


def _sign_in(connection: Connection) -> SignIn:
    """Client credentials, or – with a refresh token – somebody else's account; each refresh token is good for once."""
    base = connection.settings.get("sign_in", SIGN_IN_URL).rstrip("/")
    host = Vendor(connection.http, base, OF_SIGN_IN, connection.now)

    async def renew(before: Grant | None) -> Grant:
        form = _sign_in_form(connection.settings, before)
        request = Request("POST", "/oauth/token", form=form)
        return await host.ask(request, lambda body: _grant(body, connection.now()))

    return SignIn(connection.tokens, renew)


def _sign_in_form(settings: Mapping[str, str], before: Grant | None) -> dict[str, str]:
    client = {"client_id": settings.get("client_id", ""), "client_secret": settings.get("client_secret", "")}
    refresh = (before.refresh if before else None) or settings.get("refresh_token")
    if refresh:
        return {"grant_type": "refresh_token", "refresh_token": refresh, **client}
    return {"grant_type": "client_credentials", **client}


def _grant(body: Any, now: datetime) -> Grant:
    ends_in, refresh = body.get("expires_in"), body.get("refresh_token")
    ends_at = None if ends_in is None else now + timedelta(seconds=int(ends_in))
    return Grant(text_in(body["access_token"]), ends_at, None if refresh is None else text_in(refresh))


def _left(response: httpx.Response) -> tuple[int, datetime] | None:
    """What the headers say of the 120 requests a minute."""
    remaining, resets = (response.headers.get(f"x-ratelimit-{name}", "") for name in ("remaining", "reset"))
    if not (remaining.isdecimal() and resets.isdecimal() and len(resets) <= _EPOCH_DIGITS):
        return None
    return int(remaining), datetime.fromtimestamp(int(resets), UTC)


def connect(connection: Connection) -> RemoteLock:
    """The account of these credentials."""
    vendor = Vendor(
        connection.http,
        connection.settings.get("url", API_URL).rstrip("/"),
        ANY,
        connection.now,
        ACCEPT,
        sign_in=_sign_in(connection),
        pace=connection.pace,
        left=_left,
    )
    return RemoteLock(vendor)


PROVIDER = ProviderSpec(
    key="remotelock",
    title="RemoteLock",
    fields=(
        FormField("client_id", "Client ID", help="RemoteLock Connect portal → developer portal → OAuth applications"),
        FormField("client_secret", "Client secret", secret=True, help="shown once, when the application is made"),
        FormField(
            "refresh_token",
            "Refresh token",
            secret=True,
            help="only for the account of somebody who let your application in; empty for your own",
            default="",
        ),
        FormField("url", "Address", help="leave as it is, unless RemoteLock gave you another", default=API_URL),
        FormField("sign_in", "Sign-in address", help="leave as it is, as above", default=SIGN_IN_URL),
    ),
    connect=connect,
    max_parallel=4,
    rate=Rate(120, timedelta(minutes=1)),
    kinds={
        "Wi-Fi lock (5i, 6i, OpenEdge, …)": typical("lock"),
        "Z-Wave lock": typical("zwave_lock"),
        "Schlage Encode": typical("schlage_home_lock"),
        "lock behind a connector": typical("connector_lock"),
    },
    hook=HOOK,
    maturity="tested against our make-believe vendor",
)
