"""Who may do what: roles at a host, and what each role is for. Rights are asked for by name, never by role."""

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

MIN_PASSWORD = 10
"""Letters a password has at least (NIST SP 800-63B asks for length, not for kinds of characters)."""
MAX_PASSWORD = 1024
SESSION_IDLE = timedelta(days=14)
"""A session ends when it was not used for so long …"""
SESSION_LIFE = timedelta(days=90)
"""… and so long after signing in at the latest."""
INVITATION_LIFE = timedelta(days=7)
RESET_LIFE = timedelta(hours=1)
FIRST_RUN_LIFE = timedelta(days=7)


class Role(StrEnum):
    """What somebody is at a host. Support is not a member: it is the operator's, across hosts."""

    OWNER = "owner"
    MANAGER = "manager"
    STAFF = "staff"
    SUPPORT = "support"


MEMBER_ROLES = (Role.OWNER, Role.MANAGER, Role.STAFF)
"""What a member of a host can be."""


class LastOwner(ValueError):
    """A host keeps at least one owner: nobody else could let people in."""


def check_owner_left(before: Role, after: Role | None, owners: int) -> None:
    """Refuse to take away a host's last owner; ``after`` None: they leave. Raises :class:`LastOwner`."""
    if before is Role.OWNER and after is not Role.OWNER and owners <= 1:
        msg = "this is the host's last owner: make somebody else an owner first"
        raise LastOwner(msg)


class PersonMail(StrEnum):
    """The e-mails somebody who signs in can get; each is a file under ``templates/email/person/``."""

    INVITATION = "invitation"
    PASSWORD = "password"  # noqa: S105 - the name of an e-mail
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - as above


class Right(StrEnum):
    """Something one may do at a host."""

    SEE = "see"
    """Stays, locks, their status and history; no digits of guests' codes."""
    SEE_PINS = "see_pins"
    """Digits of guests' codes, when asked for."""
    REVEAL = "reveal"
    """Digits, one stay at a time, with a reason that the owner is shown."""
    RUN_STAYS = "run_stays"
    """Codes and times of stays, staff codes, opening doors."""
    CONNECT = "connect"
    """Lock apps, properties, matches, booking platforms, messages, imports and exports."""
    RESYNC = "resync"
    """Resync locks and run checks: what is wanted does not change."""
    REPLAY = "replay"
    """Have stored webhooks read again."""
    KEYPAD = "keypad"
    """Tick off what was programmed at a keypad."""
    PEOPLE = "people"
    """Members, API keys, webhook addresses, the host itself."""


_MANAGER = frozenset(Right) - {Right.PEOPLE, Right.REVEAL}

RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.OWNER: _MANAGER | {Right.PEOPLE},
    Role.MANAGER: _MANAGER,
    Role.STAFF: frozenset({Right.SEE, Right.KEYPAD}),
    Role.SUPPORT: frozenset({Right.SEE, Right.REVEAL, Right.RESYNC, Right.REPLAY}),
}


def may(role: Role, right: Right) -> bool:
    """Whether the role has the right."""
    return right in RIGHTS[role]


class Scope(StrEnum):
    """What a key of the public API may be used for."""

    STAYS_READ = "stays:read"
    STAYS_WRITE = "stays:write"
    CODES_READ = "codes:read"
    """Codes and their status, without digits."""
    CODES_REVEAL = "codes:reveal"
    """The digits, too."""
    LOCKS_READ = "locks:read"
    LOCKS_WRITE = "locks:write"
    PROPERTIES_READ = "properties:read"
    PROPERTIES_WRITE = "properties:write"
    EVENTS_READ = "events:read"
    WEBHOOKS_WRITE = "webhooks:write"


class WeakPassword(ValueError):
    """The password would be guessed, or cannot be kept; the message says why."""


def check_password(password: str, *, email: str = "", name: str = "") -> None:
    """Refuse a password that is too short, or nothing but what everybody knows. Raises :class:`WeakPassword`."""
    if len(password) < MIN_PASSWORD:
        msg = f"the password has {len(password)} characters: at least {MIN_PASSWORD}, please; a sentence is good"
        raise WeakPassword(msg)
    if len(password) > MAX_PASSWORD:
        msg = f"the password is longer than {MAX_PASSWORD} characters"
        raise WeakPassword(msg)
    known = {email.lower(), email.lower().partition("@")[0], name.lower()}
    if password.lower() in known or len(set(password)) < 4 or _is_common(password):  # noqa: PLR2004 - aaaabbbbcc
        msg = "this password would be guessed: take one that is not your name, not a row of keys, not a known one"
        raise WeakPassword(msg)


_ROWS = ("abcdefghijklmnopqrstuvwxyz", "0123456789012345", "qwertyuiopasdfghjklzxcvbnm", "qwertzuiopasdfghjklyxcvbnm")
_COMMON = frozenset({"password", "passwort", "letmein", "welcome", "lockbridge", "iloveyou", "administrator"})


def _is_common(password: str) -> bool:
    plain = re.sub(r"[^a-z]", "", password.lower())
    rows = (*_ROWS, *(row[::-1] for row in _ROWS))
    return plain in _COMMON or any(password.lower() in row for row in rows)


def email_key(email: str) -> str:
    """An e-mail address as it is compared: without spaces around it, in small letters."""
    return email.strip().casefold()
