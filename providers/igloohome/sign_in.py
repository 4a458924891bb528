"""The sign-in with a client ID and a client secret (OAuth 2 client credentials at ``auth.igloohome.co``)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from lockbridge.contract import AccountRefused, Grant
from lockbridge.outbound import ErrorTable, Request, Vendor


class ScopeRefused(AccountRefused):
    """The sign-in named something that the account was not granted."""


_API = "igloohomeapi/"
_CODES = ("get-devices", "algopin-hourly", "algopin-daily", "algopin-permanent")
_JOBS = (
    "get-job-status",
    "create-pin-bridge-proxied-job",
    "delete-pin-bridge-proxied-job",
    "unlock-bridge-proxied-job",
    "get-device-status-bridge-proxied-job",
)
SCOPES = (_CODES + _JOBS, (), _CODES, ("get-devices", "algopin-hourly"))
"""What is asked for at the sign-in, one after the other until it is granted: one scope too many refuses all of it.

Everything; then, naming none, whatever the account has (the sign-in is Amazon's Cognito, which grants just that); then
less and less.
"""
SIGN_IN = ErrorTable(
    words={"invalid_client": AccountRefused, "unauthorized_client": AccountRefused, "invalid_scope": ScopeRefused},
    word_of=lambda body: body.get("error") if isinstance(body, dict) and isinstance(body.get("error"), str) else None,
    statuses={400: ScopeRefused, 401: AccountRefused, 403: AccountRefused},
)


@dataclass(frozen=True, slots=True)
class Renewal:
    """Signs in with the host's credentials: there is nothing to refresh (OAuth 2 client credentials)."""

    vendor: Vendor
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)

    async def __call__(self, grant: Grant | None) -> Grant:
        """A token for as much as the account was granted. Raises AccountRefused when nothing is."""
        del grant
        for scopes in SCOPES:
            try:
                return await self.vendor.ask(self._request(scopes), self._grant_in)
            except ScopeRefused:
                continue
        msg = "igloohome takes these credentials for nothing that is needed: grant them devices and hourly algoPINs"
        raise AccountRefused(msg)

    def _request(self, scopes: Sequence[str]) -> Request:
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        named = {"scope": " ".join(_API + scope for scope in scopes)} if scopes else {}
        form = {"grant_type": "client_credentials", **named}
        return Request("POST", "/oauth2/token", form=form, headers={"authorization": f"Basic {basic}"}, reads=True)

    def _grant_in(self, raw: Any) -> Grant:
        token, lasts = raw["access_token"], raw.get("expires_in")
        if not isinstance(token, str) or not token:
            msg = "no access token"
            raise TypeError(msg)
        return Grant(token, None if lasts is None else self.vendor.now() + timedelta(seconds=int(lasts)))
