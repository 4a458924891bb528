"""Questions about people: who signs in, for whom they work, at which browsers they are, which links they were sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from lockbridge.domain.ids import HostId, PersonId, SignInId
from lockbridge.domain.people import Role, email_key
from lockbridge.storage.tables import HOST, MEMBERSHIP, PERSON, SIGN_IN, THROTTLE, TICKET
from lockbridge.storage.vault import Vault

EMAIL = "person e-mail"
TOTP = "one-time codes"
TICKET_EMAIL = "ticket e-mail"
_PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class PersonRow:
    """Somebody who signs in. What proves who they are does not show itself."""

    id: PersonId
    email: str
    name: str
    password_hash: str | None = field(repr=False)
    totp: str | None = field(repr=False)
    totp_step: int | None
    is_support: bool
    created_at: datetime


def digest(token: str) -> bytes:
    """Under which a secret that we handed out is stored."""
    return sha256(token.encode()).digest()


def _to_person(row: Row[Any], vault: Vault) -> PersonRow:
    return PersonRow(
        PersonId(row.id),
        vault.open(row.email_sealed, EMAIL),
        row.name,
        row.password_hash,
        vault.open(row.totp_sealed, TOTP) if row.totp_sealed is not None else None,
        row.totp_step,
        row.is_support,
        row.created_at,
    )


def any_person(connection: Connection) -> bool:
    """Whether anybody can sign in yet."""
    can = select(PERSON.c.id).where(PERSON.c.password_hash.is_not(None)).limit(1)
    return connection.execute(can).first() is not None


def add(connection: Connection, vault: Vault, email: str, name: str, now: datetime) -> PersonId | None:
    """Store a person who cannot sign in yet. None: the address is somebody's already."""
    index = vault.index(email_key(email), _PEOPLE)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(PERSON).values(
        email_index=index, email_sealed=vault.seal(email.strip(), EMAIL), name=name, created_at=now
    )
    row = connection.execute(new.on_conflict_do_nothing().returning(PERSON.c.id)).first()
    return None if row is None else PersonId(row.id)


def get(connection: Connection, vault: Vault, person: PersonId) -> PersonRow | None:
    """One person."""
    row = connection.execute(select(PERSON).where(PERSON.c.id == person)).one_or_none()
    return None if row is None else _to_person(row, vault)


def by_email(connection: Connection, vault: Vault, email: str) -> PersonRow | None:
    """The person with this address, in whatever case it is written."""
    mine = select(PERSON).where(PERSON.c.email_index == vault.index(email_key(email), _PEOPLE))
    row = connection.execute(mine).one_or_none()
    return None if row is None else _to_person(row, vault)


def change(connection: Connection, person: PersonId, values: Mapping[str, Any]) -> None:
    """Change columns of a person: ``name``, ``password_hash``, ``is_support``."""
    connection.execute(update(PERSON).where(PERSON.c.id == person).values(**values))


def set_totp(connection: Connection, vault: Vault, person: PersonId, secret: str | None) -> None:
    """What a person's one-time codes are made from; None: they need none."""
    sealed = None if secret is None else vault.seal(secret, TOTP)
    change(connection, person, {"totp_sealed": sealed, "totp_step": None})


def use_totp_step(connection: Connection, person: PersonId, step: int) -> bool:
    """Note that the one-time code of a time step was used. False: it, or a later one, had been."""
    fresh = (PERSON.c.id == person, (PERSON.c.totp_step.is_(None)) | (PERSON.c.totp_step < step))
    return connection.execute(update(PERSON).where(*fresh).values(totp_step=step)).rowcount == 1


# ------------------------------------------------------------------------------------------------------- memberships


@dataclass(frozen=True, slots=True)
class Member:
    """A person at a host."""

    person: PersonRow
    role: Role
    since: datetime


@dataclass(frozen=True, slots=True)
class Workplace:
    """A host somebody works for."""

    host: HostId
    name: str
    role: Role


def join(connection: Connection, host: HostId, person: PersonId, role: Role, now: datetime) -> None:
    """Make a person a member of a host, or give a member another role."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(MEMBERSHIP).values(person_id=person, host_id=host, role=role.value, created_at=now)
    again = new.on_conflict_do_update(index_elements=["person_id", "host_id"], set_={"role": role.value})
    connection.execute(again)


def leave(connection: Connection, host: HostId, person: PersonId) -> bool:
    """Take a person off a host. False: they were no member."""
    mine = (MEMBERSHIP.c.host_id == host, MEMBERSHIP.c.person_id == person)
    return connection.execute(delete(MEMBERSHIP).where(*mine)).rowcount == 1


def role_at(connection: Connection, host: HostId, person: PersonId) -> Role | None:
    """What a person is at a host; None: nothing."""
    mine = select(MEMBERSHIP.c.role).where(MEMBERSHIP.c.host_id == host, MEMBERSHIP.c.person_id == person)
    row = connection.execute(mine).one_or_none()
    return None if row is None else Role(row.role)


def members(connection: Connection, vault: Vault, host: HostId) -> list[Member]:
    """Who works for a host, the longest first."""
    both = select(PERSON, MEMBERSHIP.c.role, MEMBERSHIP.c.created_at.label("since")).join(MEMBERSHIP)
    mine = both.where(MEMBERSHIP.c.host_id == host).order_by(MEMBERSHIP.c.created_at, PERSON.c.id)
    return [Member(_to_person(row, vault), Role(row.role), row.since) for row in connection.execute(mine)]


def owners(connection: Connection, host: HostId) -> int:
    """How many owners a host has."""
    mine = (MEMBERSHIP.c.host_id == host, MEMBERSHIP.c.role == Role.OWNER.value)
    return connection.execute(select(func.count()).select_from(MEMBERSHIP).where(*mine)).scalar_one()


def guard_members(connection: Connection, host: HostId) -> None:
    """Keep others from changing who works for the host until this transaction ends."""
    connection.execute(select(HOST.c.id).where(HOST.c.id == host).with_for_update()).all()


def all_people(connection: Connection, vault: Vault) -> list[tuple[PersonRow, list[Workplace]]]:
    """Everybody, and for whom they work: for the operator's commands."""
    rows = connection.execute(select(PERSON).order_by(PERSON.c.id)).all()
    return [(_to_person(row, vault), workplaces(connection, PersonId(row.id), support=False)) for row in rows]


def workplaces(connection: Connection, person: PersonId, *, support: bool) -> list[Workplace]:
    """The hosts a person may enter, by name; with ``support`` every host (the one question that crosses hosts)."""
    roles = (MEMBERSHIP.c.host_id == HOST.c.id) & (MEMBERSHIP.c.person_id == person)
    found = select(HOST.c.id, HOST.c.name, MEMBERSHIP.c.role).join(MEMBERSHIP, roles, isouter=support)
    rows = connection.execute(found.order_by(HOST.c.name, HOST.c.id))
    return [Workplace(HostId(row.id), row.name, Role(row.role) if row.role else Role.SUPPORT) for row in rows]


# ---------------------------------------------------------------------------------------------------------- sessions


@dataclass(frozen=True, slots=True)
class SignInRow:
    """A session. ``passed``: the second factor was given, or is not asked for."""

    id: SignInId
    person: PersonId
    device: str
    passed: bool
    begun_at: datetime
    seen_at: datetime
    ends_at: datetime


def _to_sign_in(row: Row[Any]) -> SignInRow:
    return SignInRow(
        SignInId(row.id), PersonId(row.person_id), row.device, row.passed, row.begun_at, row.seen_at, row.ends_at
    )


def begin_session(connection: Connection, token_hash: bytes, new: SignInRow) -> SignInId:
    """Store a session; the ``id`` of ``new`` is not looked at."""
    values = {
        "person_id": new.person,
        "token_hash": token_hash,
        "device": new.device,
        "passed": new.passed,
        "begun_at": new.begun_at,
        "seen_at": new.seen_at,
        "ends_at": new.ends_at,
    }
    return SignInId(connection.execute(insert(SIGN_IN).values(**values).returning(SIGN_IN.c.id)).scalar_one())


def session_of(connection: Connection, token_hash: bytes, now: datetime) -> SignInRow | None:
    """The session with this token, unless it is over."""
    mine = select(SIGN_IN).where(SIGN_IN.c.token_hash == token_hash, SIGN_IN.c.ends_at > now)
    row = connection.execute(mine).one_or_none()
    return None if row is None else _to_sign_in(row)


def touch_session(connection: Connection, session: SignInId, values: Mapping[str, Any]) -> None:
    """Change ``seen_at``, ``ends_at``, ``passed`` of a session."""
    connection.execute(update(SIGN_IN).where(SIGN_IN.c.id == session).values(**values))


def sessions_of(connection: Connection, person: PersonId, now: datetime) -> list[SignInRow]:
    """Where a person is signed in, the last used first."""
    mine = select(SIGN_IN).where(SIGN_IN.c.person_id == person, SIGN_IN.c.ends_at > now)
    return [_to_sign_in(row) for row in connection.execute(mine.order_by(SIGN_IN.c.seen_at.desc()))]


def end_session(connection: Connection, person: PersonId, session: SignInId) -> bool:
    """End one session of a person. False: there was none."""
    mine = (SIGN_IN.c.person_id == person, SIGN_IN.c.id == session)
    return connection.execute(delete(SIGN_IN).where(*mine)).rowcount == 1


def end_sessions(connection: Connection, person: PersonId, *, but: SignInId | None = None) -> int:
    """End every session of a person, one excepted. How many."""
    mine = delete(SIGN_IN).where(SIGN_IN.c.person_id == person)
    return connection.execute(mine if but is None else mine.where(SIGN_IN.c.id != but)).rowcount


def forget_over(connection: Connection, now: datetime) -> None:
    """Forget sessions and links that are over, and counts of tries that are old."""
    connection.execute(delete(SIGN_IN).where(SIGN_IN.c.ends_at <= now))
    connection.execute(delete(TICKET).where(TICKET.c.ends_at <= now))
    connection.execute(delete(THROTTLE).where(THROTTLE.c.since <= now - timedelta(days=1)))


# ----------------------------------------------------------------------------------------------------------- tickets


@dataclass(frozen=True, slots=True)
class TicketRow:
    """Something that can be done once with a link. ``kind``: ``first_run``, ``invitation``, ``password``."""

    kind: str
    ends_at: datetime
    person: PersonId | None = None
    host: HostId | None = None
    role: Role | None = None
    email: str | None = field(default=None, repr=False)
    id: int = 0
    created_at: datetime | None = None


def add_ticket(connection: Connection, vault: Vault, token_hash: bytes, new: TicketRow, now: datetime) -> int:
    """Store a link that was made; its number."""
    values = {
        "kind": new.kind,
        "token_hash": token_hash,
        "person_id": new.person,
        "host_id": new.host,
        "role": new.role and new.role.value,
        "email_sealed": None if new.email is None else vault.seal(new.email, TICKET_EMAIL),
        "created_at": now,
        "ends_at": new.ends_at,
    }
    return int(connection.execute(insert(TICKET).values(**values).returning(TICKET.c.id)).scalar_one())


def find_ticket(connection: Connection, vault: Vault, kind: str, token_hash: bytes, now: datetime) -> TicketRow | None:
    """The link with this token, unless it was used or is over."""
    mine = (TICKET.c.kind == kind, TICKET.c.token_hash == token_hash, TICKET.c.used_at.is_(None))
    row = connection.execute(select(TICKET).where(*mine, TICKET.c.ends_at > now)).one_or_none()
    return None if row is None else _to_ticket(row, vault)


def _to_ticket(row: Row[Any], vault: Vault) -> TicketRow:
    return TicketRow(
        row.kind,
        row.ends_at,
        None if row.person_id is None else PersonId(row.person_id),
        None if row.host_id is None else HostId(row.host_id),
        Role(row.role) if row.role else None,
        None if row.email_sealed is None else vault.open(row.email_sealed, TICKET_EMAIL),
        row.id,
        row.created_at,
    )


def use_ticket(connection: Connection, kind: str, token_hash: bytes, now: datetime) -> bool:
    """Use a link up. False: somebody did before, or it is over."""
    mine = (TICKET.c.kind == kind, TICKET.c.token_hash == token_hash, TICKET.c.used_at.is_(None))
    return connection.execute(update(TICKET).where(*mine, TICKET.c.ends_at > now).values(used_at=now)).rowcount == 1


def open_tickets(connection: Connection, vault: Vault, host: HostId, kind: str, now: datetime) -> list[TicketRow]:
    """A host's links of a kind that can still be used, the oldest first."""
    mine = (TICKET.c.host_id == host, TICKET.c.kind == kind, TICKET.c.used_at.is_(None), TICKET.c.ends_at > now)
    return [_to_ticket(row, vault) for row in connection.execute(select(TICKET).where(*mine).order_by(TICKET.c.id))]


def withdraw_ticket(connection: Connection, host: HostId, ticket: int) -> bool:
    """Make a host's link useless. False: there is none."""
    return connection.execute(delete(TICKET).where(TICKET.c.host_id == host, TICKET.c.id == ticket)).rowcount == 1


def withdraw_kind(connection: Connection, kind: str, person: PersonId | None = None) -> None:
    """Make all links of a kind useless; of one ``person``, where one is given."""
    gone = delete(TICKET).where(TICKET.c.kind == kind)
    connection.execute(gone if person is None else gone.where(TICKET.c.person_id == person))


# ------------------------------------------------------------------------------------------------------------- tries


def count_try(connection: Connection, vault: Vault, what: str, window: timedelta, now: datetime) -> int:
    """Count one more try of ``what``; how many there were in the window, which begins with the first."""
    key = vault.index(what, "throttle")
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(THROTTLE).values(key=key, since=now, count=1)
    over = THROTTLE.c.since <= now - window
    connection.execute(delete(THROTTLE).where(THROTTLE.c.key == key, over))
    again = new.on_conflict_do_update(index_elements=["key"], set_={"count": THROTTLE.c.count + 1})
    return int(connection.execute(again.returning(THROTTLE.c.count)).scalar_one())


def tries(connection: Connection, vault: Vault, what: str, window: timedelta, now: datetime) -> tuple[int, datetime]:
    """How many tries of ``what`` there were in the window, and when it ends."""
    counted = THROTTLE.c["count"].label("tries")
    mine = select(counted, THROTTLE.c.since).where(
        THROTTLE.c.key == vault.index(what, "throttle"), THROTTLE.c.since > now - window
    )
    row = connection.execute(mine).one_or_none()
    return (0, now) if row is None else (row.tries, row.since + window)


def forget_tries(connection: Connection, vault: Vault, what: str) -> None:
    """Begin counting ``what`` anew."""
    connection.execute(delete(THROTTLE).where(THROTTLE.c.key == vault.index(what, "throttle")))
