"""Signing in: proving who one is, slowly enough that nobody guesses it, and being known for a while."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from secrets import token_urlsafe

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, PersonId, SignInId
from lockbridge.domain.people import FIRST_RUN_LIFE, SESSION_IDLE, SESSION_LIFE, Role, WeakPassword, check_password
from lockbridge.storage import audit, hosts, people
from lockbridge.storage.audit import Deed
from lockbridge.storage.people import PersonRow, SignInRow, TicketRow
from lockbridge.workflows.connect import BadInput, checked_email, clean_name
from lockbridge.workflows.ports import Tools, transact

WINDOW = timedelta(minutes=15)
TRIES_PER_PERSON = 8
TRIES_PER_ADDRESS = 40
"""Tries in a window: at one account, and from one network address."""
TOTP_SECONDS = 30
SEEN_EVERY = timedelta(minutes=5)
"""How exactly it is known when a session was last used."""


class WrongCredentials(Exception):
    """E-mail and password, or the one-time code, do not belong together. The message does not say which is wrong."""


class TooManyTries(Exception):
    """Somebody tried too often; ``until`` is when they may try again (UTC)."""

    def __init__(self, until: datetime) -> None:
        super().__init__("too many tries: wait a few minutes, then try again")
        self.until = until


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has just begun; its token is in the browser's cookie and nowhere else."""

    token: str = field(repr=False)
    session: SignInRow


@dataclass(frozen=True, slots=True)
class Known:
    """Who a session belongs to."""

    person: PersonRow
    session: SignInRow


_HASHER = PasswordHasher()


async def hashed(password: str, *, email: str = "", name: str = "") -> str:
    """The password as it is kept (argon2id). Raises BadInput for one that would be guessed."""
    try:
        check_password(password, email=email, name=name)
    except WeakPassword as weak:
        raise BadInput(str(weak)) from None
    return await asyncio.to_thread(_HASHER.hash, password)


async def matches(person: PersonRow | None, password: str) -> bool:
    """Whether it is the person's password. Takes as long for somebody unknown as for somebody known."""
    kept = person.password_hash if person is not None else None
    return await asyncio.to_thread(_verify, kept, password)


def _verify(kept: str | None, password: str) -> bool:
    try:
        return _HASHER.verify(kept or _nobody(), password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobody() -> str:
    """A hash that fits no password, as costly to look at as a real one."""
    return _HASHER.hash(token_urlsafe(16))


async def sign_in(tools: Tools, email: str, password: str, address: str, device: str, now: datetime) -> Begun:
    """Begin a session. Raises WrongCredentials, TooManyTries. Its second factor may still have to be given."""
    await _may_try(tools, email, address, now)
    person = await tools.database.ask(people.by_email, tools.vault, email)
    if not await matches(person, password) or person is None:
        msg = "this e-mail address and this password do not belong together"
        raise WrongCredentials(msg)
    return await begin(tools, person, device, now)


async def _may_try(tools: Tools, email: str, address: str, now: datetime) -> None:
    """Counted before the password is looked at, so that tries side by side are counted, too."""

    def count(connection: Connection) -> bool:
        by_person = people.count_try(connection, tools.vault, f"person:{email.strip().casefold()}", WINDOW, now)
        by_address = people.count_try(connection, tools.vault, f"address:{address}", WINDOW, now)
        return by_person <= TRIES_PER_PERSON and by_address <= TRIES_PER_ADDRESS

    if not await transact(tools, count):
        raise TooManyTries(now + WINDOW)


async def begin(tools: Tools, person: PersonRow, device: str, now: datetime, *, passed: bool | None = None) -> Begun:
    """Begin a session of somebody who has proved who they are; with a second factor set up, it is still to be given."""
    token = token_urlsafe(32)
    done = person.totp is None if passed is None else passed
    new = SignInRow(SignInId(0), person.id, device[:200], done, now, now, now + SESSION_IDLE)

    def write(connection: Connection) -> SignInId:
        if done:
            people.forget_tries(connection, tools.vault, f"person:{person.email.casefold()}")
        return people.begin_session(connection, people.digest(token), new)

    number = await transact(tools, write)
    return Begun(token, SignInRow(number, person.id, new.device, done, now, now, new.ends_at))


async def give_code(tools: Tools, known: Known, code: str, now: datetime) -> None:
    """Give the second factor. Raises WrongCredentials – also for a code that was used before – and TooManyTries."""
    what = f"code:{known.person.id}"
    count = await transact(tools, lambda c: people.count_try(c, tools.vault, what, WINDOW, now))
    if count > TRIES_PER_PERSON:
        raise TooManyTries(now + WINDOW)
    step = code_step(known.person.totp or "", code, now)

    def use(connection: Connection) -> bool:
        fresh = step is not None and people.use_totp_step(connection, known.person.id, step)
        if fresh:
            people.touch_session(connection, known.session.id, {"passed": True})
            people.forget_tries(connection, tools.vault, what)
            people.forget_tries(connection, tools.vault, f"person:{known.person.email.casefold()}")
        return fresh

    if not await transact(tools, use):
        msg = "this code is not the one your app shows now: wait for the next one"
        raise WrongCredentials(msg)


def code_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step a one-time code is of (RFC 6238; its neighbours count, clocks differ). None: of none of them."""
    if not secret:
        return None
    step, given = int(now.timestamp()) // TOTP_SECONDS, code.replace(" ", "")
    totp = pyotp.TOTP(secret)
    return next((at for at in (step, step - 1, step + 1) if totp.generate_otp(at) == given), None)


async def known_by(tools: Tools, token: str, now: datetime) -> Known | None:
    """Who the session with this token belongs to; it lasts while it is used, though not for ever."""
    found = await tools.database.ask(_known, tools, token, now)
    if found is not None and now - found.session.seen_at >= SEEN_EVERY:
        ends_at = min(now + SESSION_IDLE, found.session.begun_at + SESSION_LIFE)
        values = {"seen_at": now, "ends_at": ends_at}
        await transact(tools, lambda c: people.touch_session(c, found.session.id, values))
    return found


def _known(connection: Connection, tools: Tools, token: str, now: datetime) -> Known | None:
    session = people.session_of(connection, people.digest(token), now)
    person = people.get(connection, tools.vault, session.person) if session is not None else None
    return Known(person, session) if person is not None and session is not None else None


async def sign_out(tools: Tools, known: Known) -> None:
    """End a session."""
    await transact(tools, lambda c: people.end_session(c, known.person.id, known.session.id))


# ---------------------------------------------------------------------------------------------------------- first run


@dataclass(frozen=True, slots=True)
class FirstOwner:
    """Who sets lockbridge up, and for whom."""

    host: str
    name: str
    email: str
    password: str = field(repr=False)
    language: str = "en"


async def first_run_ticket(tools: Tools, now: datetime) -> str | None:
    """The secret of the link with which the first owner is made; None when somebody can sign in already."""
    if await tools.database.ask(people.any_person):
        return None
    token = token_urlsafe(24)

    def write(connection: Connection) -> None:
        people.withdraw_kind(connection, "first_run")
        people.add_ticket(
            connection, tools.vault, people.digest(token), TicketRow("first_run", now + FIRST_RUN_LIFE), now
        )

    await transact(tools, write)
    return token


async def may_begin(tools: Tools, token: str, now: datetime) -> bool:
    """Whether the link of the first run can be used."""
    found = await tools.database.ask(people.find_ticket, tools.vault, "first_run", people.digest(token), now)
    return found is not None and not await tools.database.ask(people.any_person)


async def first_owner(tools: Tools, token: str, new: FirstOwner, device: str, now: datetime) -> tuple[HostId, Begun]:
    """Make the first host and its owner, and sign them in; the link is used up. Raises BadInput: nothing is made."""
    email, name, place = checked_email(new.email), clean_name(new.name, "your name"), clean_name(new.host, "the name")
    kept = await hashed(new.password, email=email, name=name)

    def write(connection: Connection) -> tuple[HostId, PersonRow]:
        if people.any_person(connection) or not people.use_ticket(connection, "first_run", people.digest(token), now):
            msg = "this link was used already: sign in, or start lockbridge again for a new one"
            raise BadInput(msg)
        known = hosts.all_hosts(connection, tools.vault)
        mine = next((row.id for row in known if row.name == place), None)
        host = mine or hosts.add_host(connection, tools.vault, place, email, new.language, now)
        person = people.add(connection, tools.vault, email, name, now)
        person = person or _must(people.by_email(connection, tools.vault, email)).id
        people.change(connection, person, {"password_hash": kept, "name": name})
        people.join(connection, host, person, Role.OWNER, now)
        audit.write(connection, Deed(now, host, name, "set lockbridge up", person=person))
        return host, _must(people.get(connection, tools.vault, person))

    host, person = await transact(tools, write)
    return host, await begin(tools, person, device, now)


def _must(person: PersonRow | None) -> PersonRow:
    assert person is not None  # noqa: S101 - it was written a line ago
    return person


async def add_person(tools: Tools, host: HostId, new: FirstOwner, role: Role, now: datetime) -> PersonId:
    """Add somebody with a password to a host (command line, demo). Raises BadInput when the address is known."""
    email, name = checked_email(new.email), clean_name(new.name, "the name")
    kept = await hashed(new.password, email=email, name=name)

    def write(connection: Connection) -> PersonId:
        person = people.add(connection, tools.vault, email, name, now)
        if person is None:
            msg = f"somebody with the address {email} is known already: invite them in the console"
            raise BadInput(msg)
        people.change(connection, person, {"password_hash": kept, "is_support": role is Role.SUPPORT})
        if role is not Role.SUPPORT:
            people.join(connection, host, person, role, now)
        return person

    return await transact(tools, write)
