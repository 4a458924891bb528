"""Who works for a host: inviting, joining, changing roles, leaving – and the keys of its programs."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_urlsafe

from sqlalchemy import Connection

from lockbridge.domain.ids import ApiKeyId, HostId, PersonId
from lockbridge.domain.people import (
    INVITATION_LIFE,
    MEMBER_ROLES,
    LastOwner,
    PersonMail,
    Role,
    Scope,
    check_owner_left,
    email_key,
)
from lockbridge.messaging.channel import SendError
from lockbridge.storage import api_keys, audit, hosts, people
from lockbridge.storage.api_keys import NewApiKey
from lockbridge.storage.audit import Deed
from lockbridge.storage.hosts import HostRow
from lockbridge.storage.people import PersonRow, TicketRow
from lockbridge.workflows import account, sign_in
from lockbridge.workflows.connect import BadInput, checked_email, clean_name
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.sign_in import Begun

INVITATION = "invitation"
WINDOW = timedelta(days=1)
INVITATIONS_PER_HOST = 50
KEY_PREFIX = "lbk_"


def member_role(text: str) -> Role:
    """The role of a member that a form names. Raises BadInput."""
    known = next((role for role in MEMBER_ROLES if role.value == text), None)
    if known is None:
        msg = f"{text!r} is no role: one of {', '.join(MEMBER_ROLES)}"
        raise BadInput(msg)
    return known


# ---------------------------------------------------------------------------------------------------------- inviting


@dataclass(frozen=True, slots=True)
class Invitee:
    """Who is invited, and as what."""

    email: str = field(repr=False)
    role: Role


async def invite(tools: Tools, host: HostRow, inviter: str, who: Invitee, url: str, now: datetime) -> None:
    """Send somebody a link with which they join the host; an older one to the same address is useless then.

    Raises BadInput – also when the e-mail could not be sent: then there is no invitation.
    """
    email, token = checked_email(who.email), token_urlsafe(32)
    new = TicketRow(INVITATION, now + INVITATION_LIFE, host=host.id, role=who.role, email=email)
    number = await transact(tools, lambda c: _invite(c, tools, host.id, new, token, now))
    said = {"inviter": inviter, "host_name": host.name, "role": who.role.value, "link": f"{url}/invitation/{token}"}
    text = tools.renderer.render_person(PersonMail.INVITATION, said)
    try:
        await account.send_mail(tools, email, f"invitation:{number}:{token}", text, now)
    except SendError as error:
        await transact(tools, lambda c: people.withdraw_ticket(c, host.id, number))
        msg = f"the invitation could not be sent: {error}. Nobody was invited: have the mail settings looked at"
        raise BadInput(msg) from None


def _invite(connection: Connection, tools: Tools, host: HostId, new: TicketRow, token: str, now: datetime) -> int:
    if people.count_try(connection, tools.vault, f"invite:{host}", WINDOW, now) > INVITATIONS_PER_HOST:
        msg = f"more than {INVITATIONS_PER_HOST} invitations in a day: try again tomorrow"
        raise BadInput(msg)
    known = people.by_email(connection, tools.vault, new.email or "")
    if known is not None and people.role_at(connection, host, known.id) is not None:
        msg = f"{known.name} works here already: change their role in the list"
        raise BadInput(msg)
    for older in people.open_tickets(connection, tools.vault, host, INVITATION, now):
        if email_key(older.email or "") == email_key(new.email or ""):
            people.withdraw_ticket(connection, host, older.id)
    return people.add_ticket(connection, tools.vault, people.digest(token), new, now)


# ----------------------------------------------------------------------------------------------------------- joining


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that can still be accepted. ``known``: who it is for signs in already."""

    host: HostId
    host_name: str
    role: Role
    email: str = field(repr=False)
    known: bool


async def invitation(tools: Tools, token: str, now: datetime) -> Invitation | None:
    """What a link invites to; None: it was used, withdrawn, or is too old."""
    return await tools.database.ask(_invitation, tools, token, now)


def _invitation(connection: Connection, tools: Tools, token: str, now: datetime) -> Invitation | None:
    ticket = people.find_ticket(connection, tools.vault, INVITATION, people.digest(token), now)
    if ticket is None or ticket.host is None or ticket.role is None or ticket.email is None:
        return None
    host = hosts.get_host(connection, tools.vault, ticket.host)
    person = people.by_email(connection, tools.vault, ticket.email)
    can = person is not None and person.password_hash is not None
    return None if host is None else Invitation(ticket.host, host.name, ticket.role, ticket.email, can)


async def join_new(
    tools: Tools, token: str, name: str, password: str, device: str, now: datetime
) -> tuple[HostId, Begun]:
    """Somebody new takes a name and a password, is a member, and is signed in. Raises BadInput."""
    asked = _open(await invitation(tools, token, now))
    if asked.known:
        msg = "there is an account with this e-mail address already: sign in, then open the link again"
        raise BadInput(msg)
    called = clean_name(name, "your name")
    kept = await sign_in.hashed(password, email=asked.email, name=called)

    def write(connection: Connection) -> PersonRow:
        number = people.add(connection, tools.vault, asked.email, called, now)
        person = people.by_email(connection, tools.vault, asked.email)
        if person is None or (number is None and person.password_hash is not None):
            msg = "there is an account with this e-mail address already: sign in, then open the link again"
            raise BadInput(msg)
        people.change(connection, person.id, {"password_hash": kept, "name": called})
        _join(connection, token, asked, person.id, called, now)
        return people.get(connection, tools.vault, person.id) or person

    return asked.host, await sign_in.begin(tools, await transact(tools, write), device, now)


async def join_known(tools: Tools, token: str, person: PersonRow, now: datetime) -> HostId:
    """Somebody who is signed in becomes a member. Raises BadInput – also when somebody else was invited."""
    asked = _open(await invitation(tools, token, now))
    if email_key(asked.email) != email_key(person.email):
        msg = "this invitation is for another e-mail address: sign out, then open the link again"
        raise BadInput(msg)
    await transact(tools, lambda c: _join(c, token, asked, person.id, person.name, now))
    return asked.host


def _open(found: Invitation | None) -> Invitation:
    if found is None:
        msg = "this invitation was used already, was withdrawn, or is too old: ask for a new one"
        raise BadInput(msg)
    return found


def _join(connection: Connection, token: str, asked: Invitation, person: PersonId, name: str, now: datetime) -> None:
    """Use the invitation up; somebody who is a member by now stays what they are."""
    if not people.use_ticket(connection, INVITATION, people.digest(token), now):
        _open(None)
    if people.role_at(connection, asked.host, person) is None:
        people.join(connection, asked.host, person, asked.role, now)
    audit.write(connection, Deed(now, asked.host, name, f"joined as {asked.role.value}", person=person))


# ------------------------------------------------------------------------------------------------------- being there


async def change_role(tools: Tools, host: HostId, person: PersonId, role: Role, now: datetime) -> None:
    """Make a member something else. Raises BadInput: no such member, or the last owner."""

    def write(connection: Connection) -> None:
        _check(connection, host, person, role)
        people.join(connection, host, person, role, now)

    await transact(tools, write)


async def remove(tools: Tools, host: HostId, person: PersonId) -> None:
    """Take a member off the host. Raises BadInput: no such member, or the last owner."""

    def write(connection: Connection) -> None:
        _check(connection, host, person, None)
        people.leave(connection, host, person)

    await transact(tools, write)


def _check(connection: Connection, host: HostId, person: PersonId, after: Role | None) -> None:
    people.guard_members(connection, host)
    before = people.role_at(connection, host, person)
    if before is None:
        msg = "this person does not work here any more: load the page again"
        raise BadInput(msg)
    try:
        check_owner_left(before, after, people.owners(connection, host))
    except LastOwner as error:
        raise BadInput(str(error)) from None


# -------------------------------------------------------------------------------------------------- keys of programs


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made; its token is shown this once."""

    id: ApiKeyId
    name: str
    token: str = field(repr=False)


async def make_key(
    tools: Tools, host: HostId, name: str, scopes: frozenset[Scope], person: PersonId, now: datetime
) -> NewKey:
    """Make a key for the public API. Raises BadInput for one without a name, or that may do nothing."""
    called = clean_name(name, "the key's name")
    if not scopes:
        msg = "choose what the key may be used for: at least one thing"
        raise BadInput(msg)
    token = KEY_PREFIX + token_urlsafe(32)
    new = NewApiKey(called, token[-4:], scopes, person)
    number = await transact(tools, lambda c: api_keys.add(c, host, people.digest(token), new, now))
    return NewKey(number, called, token)
