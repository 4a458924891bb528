"""Who calls: the key of a host, shown as a bearer token, and what it may be used for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from lockbridge.domain.ids import HostId
from lockbridge.domain.people import Scope
from lockbridge.services import Services
from lockbridge.storage import api_keys, audit
from lockbridge.storage.api_keys import ApiKeyRow
from lockbridge.storage.audit import Deed
from lockbridge.storage.people import digest
from lockbridge.web.api.problems import Kind, Problem
from lockbridge.web.desk import Site
from lockbridge.workflows.ports import transact

CHALLENGE = 'Bearer realm="lockbridge"'
NO_KEY = f'{CHALLENGE}, error="invalid_token"'
LONGEST_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """A program that calls with a key. Everything asked of storage is asked for its ``host``."""

    site: Site
    now: datetime
    key: ApiKeyRow

    @property
    def services(self) -> Services:
        """What the workflows are handed."""
        return self.site.services

    @property
    def host(self) -> HostId:
        """The host whose key it is."""
        return self.key.host

    @property
    def who(self) -> str:
        """How the caller is named in histories."""
        return f"API key {self.key.name}"

    def need(self, scope: Scope) -> None:
        """Raises Problem where the key does not have the scope."""
        if scope not in self.key.scopes:
            msg = f"this needs the scope {scope.value}, which the key {self.key.name!r} does not have"
            raise Problem(Kind.MISSING_SCOPE, msg)

    async def note(self, what: str, about: str = "") -> None:
        """Write down what was done, for Activity. No digits."""
        deed = Deed(self.now, self.host, self.who, what, about)
        await transact(self.services, lambda c: audit.write(c, deed))


async def recognise(request: Request) -> Caller:
    """Whoever calls. Raises Problem for a caller that shows no key, or one that is none any more."""
    site: Site = request.app.state.site
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise _unknown(CHALLENGE, "send a key of the host: Authorization: Bearer lbk_…")
    found = await site.services.database.ask(api_keys.find, digest(token.strip()[:LONGEST_TOKEN]))
    if found is None:
        raise _unknown(NO_KEY, "this is no key, or it was revoked")
    return Caller(site, site.services.clock.now(), found)


def _unknown(challenge: str, said: str) -> Problem:
    return Problem(Kind.NOT_AUTHENTICATED, said, headers={"www-authenticate": challenge})


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


Calling = Annotated[Caller, Depends(_caller)]
"""The caller of an operation, as :mod:`lockbridge.web.api.calls` has found it."""
