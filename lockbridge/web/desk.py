"""Who is asking, for which host, with which rights: what every page of the console begins with."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import Connection
from starlette.datastructures import FormData

from lockbridge.domain.ids import HostId
from lockbridge.domain.people import SESSION_LIFE, Right, Role, may
from lockbridge.services import Services
from lockbridge.storage import audit, hosts, people
from lockbridge.storage.audit import Deed
from lockbridge.storage.hosts import HostRow
from lockbridge.storage.live import Mark, mark, token
from lockbridge.storage.people import PersonRow, SignInRow
from lockbridge.storage.vault import VaultError
from lockbridge.web.background import Background
from lockbridge.web.pages import Pages
from lockbridge.web.security import csrf_token, form_of, from_elsewhere, is_csrf_token
from lockbridge.workflows import sign_in
from lockbridge.workflows.ports import transact
from lockbridge.workflows.sign_in import Begun, Known

SAID = "said"
SAID_FOR = timedelta(minutes=2)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MOST_FILES = 1
MOST_FIELDS = 2000
MOST_DIGITS = 18
"""No database counts further."""


class SignInFirst(Exception):
    """Nobody is signed in. ``back`` is where they wanted to go."""

    def __init__(self, back: str) -> None:
        super().__init__("sign in first")
        self.back = back


class NotHere(Exception):
    """There is no such thing, or it is somebody else's: the answer is the same."""


class NotAllowed(Exception):
    """The person's role is not for this. The message says what it would take."""


@dataclass(frozen=True, slots=True)
class Site:
    """What all pages share. ``url`` is how people reach it; over https, cookies are kept to https."""

    services: Services
    pages: Pages
    url: str
    background: Background
    has_simulator: bool = False
    """Whether a simulated lock app answers under ``/simulator``."""

    @property
    def https(self) -> bool:
        """Whether browsers come by https."""
        return self.url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The session cookie's name; with ``__Host-`` browsers take it from this very host over https only."""
        return "__Host-lockbridge" if self.https else "lockbridge"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at a page, signed in or not. ``form`` is empty unless a form was sent."""

    request: Request
    site: Site
    now: datetime
    known: Known | None
    form: FormData

    @property
    def services(self) -> Services:
        """What the workflows are handed."""
        return self.site.services

    @property
    def session_token(self) -> str:
        """The secret in the cookie; empty without one."""
        return self.request.cookies.get(self.site.cookie, "")

    @property
    def csrf(self) -> str:
        """What a form of this page must carry."""
        return csrf_token(self.services.vault, self.session_token)

    def text(self, name: str) -> str:
        """What was written into a field of the form, without spaces around it; empty where there is none."""
        value = self.form.get(name)
        return value.strip() if isinstance(value, str) else ""

    def number(self, name: str) -> int:
        """The number that a field of the form says; 0, which nothing has, for what is none."""
        return number_in(self.text(name))

    def checked(self, name: str) -> bool:
        """Whether a box of the form was ticked."""
        return self.text(name) != ""

    def chosen(self, name: str) -> list[str]:
        """Every value of a field that may be there several times."""
        return [value for value in self.form.getlist(name) if isinstance(value, str)]

    def page(self, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200) -> HTMLResponse:
        """A page; its template knows the visitor as ``desk``, the instant as ``now``, and ``said``."""
        said = self._said()
        shared = {"desk": self, "now": self.now, "said": said}
        html = self.site.pages.render(template, {**shared, **(context or {})})
        answer = HTMLResponse(html, status)
        if said is not None:
            answer.delete_cookie(SAID)
        return answer

    def go(self, path: str, said: str = "", *, trouble: bool = False) -> RedirectResponse:
        """Send the browser on to a page of ours that will say ``said``; nothing secret, and no digits, may be in it."""
        answer = RedirectResponse(path, 303)
        if said:
            sealed = self.services.vault.seal(("!" if trouble else " ") + said, SAID).hex()
            answer.set_cookie(SAID, sealed, int(SAID_FOR.total_seconds()), httponly=True, secure=self.site.https)
        return answer

    def _said(self) -> tuple[str, bool] | None:
        """What the page before had to say, and whether it is trouble."""
        try:
            text = self.services.vault.open(bytes.fromhex(self.request.cookies.get(SAID, "")), SAID)
        except (ValueError, VaultError):
            return None
        return text[1:], text[0] == "!"

    def let_in(self, answer: Response, begun: Begun) -> Response:
        """Have the browser keep a session."""
        life = int(SESSION_LIFE.total_seconds())
        answer.set_cookie(
            self.site.cookie, begun.token, life, httponly=True, secure=self.site.https, samesite="lax", path="/"
        )
        return answer


@dataclass(frozen=True, slots=True)
class Person(Visitor):
    """Somebody who is signed in, at no host in particular."""

    person: PersonRow
    session: SignInRow


@dataclass(frozen=True, slots=True)
class Desk(Person):
    """Somebody who is signed in and works for a host. Everything asked of storage is asked for ``host``."""

    row: HostRow
    role: Role
    others: bool
    """Whether they may enter other hosts, too."""
    mark: Mark
    """How things stood at the host before the page looked at anything."""

    @property
    def host(self) -> HostId:
        """The host everything is asked for."""
        return self.row.id

    @property
    def base(self) -> str:
        """Where the host's pages are."""
        return f"/console/{self.host}"

    @property
    def stream(self) -> str:
        """Where a page hears of changes: of those, too, that came while it was made and before it listened."""
        return f"{self.base}/live?since={token(self.mark)}"

    @property
    def who(self) -> str:
        """How the person is named in histories."""
        return f"{self.person.name} (support)" if self.role is Role.SUPPORT else self.person.name

    def may(self, right: str) -> bool:
        """Whether they have a right, by its name: for templates, too."""
        return may(self.role, Right(right))

    def need(self, right: Right) -> None:
        """Raises NotAllowed without the right."""
        if not may(self.role, right):
            msg = f"as {self.role.value} you may not do this: ask an owner"
            raise NotAllowed(msg)

    async def note(self, what: str, about: str = "", why: str = "") -> None:
        """Write down what they did (R40's kin: who, not why the engine decided). No digits."""
        deed = Deed(self.now, self.host, self.who, what, about, why, self.person.id)
        await transact(self.services, lambda c: audit.write(c, deed))


def number_in(text: str) -> int:
    """The number of something as a form says it; 0, which nothing has, for what is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else 0


async def visitor(request: Request) -> Visitor:
    """Whoever asks. A form must come from a page of ours."""
    site: Site = request.app.state.site
    now = site.services.clock.now()
    token = request.cookies.get(site.cookie, "")
    known = await sign_in.known_by(site.services, token, now) if token else None
    is_form = request.method not in SAFE
    form = await form_of(request, max_files=MOST_FILES, max_fields=MOST_FIELDS) if is_form else FormData()
    found = Visitor(request, site, now, known, form)
    if is_form:
        _check_origin(found)
    return found


def _check_origin(found: Visitor) -> None:
    given = found.text("csrf") or found.request.headers.get("x-csrf-token", "")
    ours = is_csrf_token(found.services.vault, found.session_token, given)
    if from_elsewhere(found.request) or not ours:
        msg = "this form is from another page or too old: go back, load the page again, and send it once more"
        raise NotAllowed(msg)


async def signed_in(found: Annotated[Visitor, Depends(visitor)]) -> Person:
    """Somebody who is signed in, the second factor given where they have one."""
    if found.known is None or not found.known.session.passed:
        raise SignInFirst(found.request.url.path)
    known = found.known
    return Person(found.request, found.site, found.now, known, found.form, known.person, known.session)


def at_host(right: Right) -> Callable[..., Awaitable[Desk]]:
    """The dependency of a page that is for people with this right at the host in its path."""

    async def entered(host: int, person: Annotated[Person, Depends(signed_in)]) -> Desk:
        _check_numbers(person.request)
        found = await person.services.database.ask(_entered, person, HostId(host))
        found.need(right)
        return found

    return entered


def _check_numbers(request: Request) -> None:
    """Nothing has a number that no database can count to. Raises NotHere."""
    given = (re.sub("^[+-]|_", "", value) for value in request.path_params.values() if isinstance(value, str))
    if any(value.isdecimal() and len(value) > MOST_DIGITS for value in given):
        raise NotHere


def _entered(connection: Connection, person: Person, host: HostId) -> Desk:
    role = people.role_at(connection, host, person.person.id)
    if role is None and person.person.is_support:
        role = Role.SUPPORT
    row = hosts.get_host(connection, person.services.vault, host) if role is not None else None
    if role is None or row is None:
        raise NotHere
    others = len(people.workplaces(connection, person.person.id, support=person.person.is_support)) > 1
    return Desk(
        person.request,
        person.site,
        person.now,
        person.known,
        person.form,
        person.person,
        person.session,
        row,
        role,
        others,
        mark(connection, host),
    )


def local_path(path: str, otherwise: str) -> str:
    """The path if it is one of this site, else the other: nobody is sent elsewhere by a link they were given."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fine else otherwise


def sign_in_path(back: str) -> str:
    """Where one signs in to go back then."""
    return f"/sign-in?next={quote(back)}"


Number = Annotated[int, Query(ge=0, lt=10**MOST_DIGITS)]
"""The number of something in an address, after the question mark."""
Anybody = Annotated[Visitor, Depends(visitor)]
SignedIn = Annotated[Person, Depends(signed_in)]
Seeing = Annotated[Desk, Depends(at_host(Right.SEE))]
RunningStays = Annotated[Desk, Depends(at_host(Right.RUN_STAYS))]
Connecting = Annotated[Desk, Depends(at_host(Right.CONNECT))]
Resyncing = Annotated[Desk, Depends(at_host(Right.RESYNC))]
Replaying = Annotated[Desk, Depends(at_host(Right.REPLAY))]
AtKeypad = Annotated[Desk, Depends(at_host(Right.KEYPAD))]
Owning = Annotated[Desk, Depends(at_host(Right.PEOPLE))]
