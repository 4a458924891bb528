"""One's own account: name, password, second factor, where one is signed in – and the way back in."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_urlsafe

import pyotp
from sqlalchemy import Connection

from lockbridge.domain.ids import PersonId
from lockbridge.domain.people import RESET_LIFE, PersonMail
from lockbridge.messaging.channel import SendError
from lockbridge.messaging.render import Text
from lockbridge.storage import audit, people
from lockbridge.storage.audit import Deed
from lockbridge.storage.people import PersonRow, TicketRow
from lockbridge.storage.vault import VaultError
from lockbridge.workflows import deliver, sign_in
from lockbridge.workflows.connect import BadInput, clean_name
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.sign_in import Known, TooManyTries, WrongCredentials

RESET = "password"
ISSUER = "lockbridge"
WINDOW = timedelta(hours=1)
RESETS_PER_PERSON = 3
RESETS_PER_ADDRESS = 20
"""Letters in a window: to one account, and asked for from one network address."""
OFFER = "offered second factor"


def note_everywhere(connection: Connection, person: PersonRow, what: str, now: datetime) -> None:
    """Write into the history of each host somebody works for what they did with their account."""
    for place in people.workplaces(connection, person.id, support=False):
        audit.write(connection, Deed(now, place.host, person.name, what, person=person.id))


async def change_name(tools: Tools, person: PersonRow, name: str, now: datetime) -> None:
    """Be called something else from now on. Raises BadInput."""
    clean = clean_name(name, "your name")

    def write(connection: Connection) -> None:
        people.change(connection, person.id, {"name": clean})
        if clean != person.name:
            note_everywhere(connection, person, f"is called {clean} now", now)

    await transact(tools, write)


async def change_password(tools: Tools, known: Known, present: str, new: str, link: str, now: datetime) -> None:
    """Take another password; every other session ends, and letters with links are useless.

    ``link`` is where a new password is asked for. Raises WrongCredentials, TooManyTries, BadInput.
    """
    person = known.person
    await prove(tools, person, present, now)
    kept = await sign_in.hashed(new, email=person.email, name=person.name)

    def write(connection: Connection) -> None:
        people.change(connection, person.id, {"password_hash": kept})
        people.end_sessions(connection, person.id, but=known.session.id)
        people.withdraw_kind(connection, RESET, person.id)
        note_everywhere(connection, person, "changed their password", now)

    await transact(tools, write)
    await _tell_changed(tools, person, link, now)


async def prove(tools: Tools, person: PersonRow, password: str, now: datetime) -> None:
    """Have somebody who is signed in say their password once more. Raises WrongCredentials, TooManyTries."""
    what = f"prove:{person.id}"
    count = await transact(tools, lambda c: people.count_try(c, tools.vault, what, sign_in.WINDOW, now))
    if count > sign_in.TRIES_PER_PERSON:
        raise TooManyTries(now + sign_in.WINDOW)
    if not await sign_in.matches(person, password):
        msg = "this is not your present password"
        raise WrongCredentials(msg)
    await transact(tools, lambda c: people.forget_tries(c, tools.vault, what))


async def _tell_changed(tools: Tools, person: PersonRow, link: str, now: datetime) -> None:
    """The person is told, in case it was somebody else; that it cannot be told does not undo it."""
    said = {"name": person.name, "when": f"{now:%d %b %Y, %H:%M} UTC", "link": link}
    text = tools.renderer.render_person(PersonMail.PASSWORD_CHANGED, said)
    try:
        await send_mail(tools, person.email, f"password-changed:{person.id}:{now.isoformat()}", text, now)
    except SendError as error:
        tools.log.warning("somebody could not be told that their password was changed", reason=str(error))


async def send_mail(tools: Tools, to: str, key: str, text: Text, now: datetime) -> None:
    """Send somebody an e-mail at once. Raises SendError."""
    await tools.channel.send(deliver.email(tools, to, key, text, now))


# ----------------------------------------------------------------------------------------------------- second factor


@dataclass(frozen=True, slots=True)
class Offer:
    """A second factor that could be set up. ``sealed`` is for the form: only here can it be opened."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    sealed: str = field(repr=False)


def offer_totp(tools: Tools, person: PersonRow) -> Offer:
    """A new secret for an authenticator app; it counts once a code proves that the app has it."""
    return _offer(tools, person, pyotp.random_base32())


def _offer(tools: Tools, person: PersonRow, secret: str) -> Offer:
    uri = pyotp.TOTP(secret).provisioning_uri(name=person.email, issuer_name=ISSUER)
    return Offer(secret, uri, tools.vault.seal(secret, f"{OFFER} {person.id}").hex())


def offered(tools: Tools, person: PersonRow, sealed: str) -> Offer:
    """The offer that a form carried; a new one when it was no offer to this person."""
    try:
        return _offer(tools, person, tools.vault.open(bytes.fromhex(sealed), f"{OFFER} {person.id}"))
    except (ValueError, VaultError):
        return offer_totp(tools, person)


async def confirm_totp(tools: Tools, known: Known, offer: Offer, code: str, now: datetime) -> None:
    """Ask for one-time codes from now on; other sessions, which gave none, end. Raises BadInput for a wrong code."""
    person, step = known.person, sign_in.code_step(offer.secret, code, now)
    if step is None:
        msg = "this code is not the one your app shows now: wait for the next one, and look whether its clock is right"
        raise BadInput(msg)

    def write(connection: Connection) -> None:
        people.set_totp(connection, tools.vault, person.id, offer.secret)
        people.use_totp_step(connection, person.id, step)
        people.end_sessions(connection, person.id, but=known.session.id)
        note_everywhere(connection, person, "set up one-time codes for signing in", now)

    await transact(tools, write)


async def remove_totp(tools: Tools, known: Known, password: str, now: datetime) -> None:
    """Ask for no one-time codes any more. Raises WrongCredentials, TooManyTries."""
    await prove(tools, known.person, password, now)

    def write(connection: Connection) -> None:
        people.set_totp(connection, tools.vault, known.person.id, None)
        note_everywhere(connection, known.person, "switched one-time codes for signing in off", now)

    await transact(tools, write)


# ------------------------------------------------------------------------------------------------- the way back in


async def may_ask_reset(tools: Tools, email: str, address: str, now: datetime) -> bool:
    """Whether one more letter may be asked for; asked for too often from one place raises TooManyTries."""

    def count(connection: Connection) -> tuple[int, int]:
        by_person = people.count_try(connection, tools.vault, f"reset:{email.strip().casefold()}", WINDOW, now)
        return by_person, people.count_try(connection, tools.vault, f"reset from:{address}", WINDOW, now)

    by_person, by_address = await transact(tools, count)
    if by_address > RESETS_PER_ADDRESS:
        raise TooManyTries(now + WINDOW)
    return by_person <= RESETS_PER_PERSON


async def send_reset(tools: Tools, email: str, url: str, now: datetime) -> None:
    """Send somebody a link with which they choose a new password; nothing to an address that nobody here has.

    Nobody is told whether it was sent: the one who asks may be anybody.
    """
    person = await tools.database.ask(people.by_email, tools.vault, email)
    if person is None or person.password_hash is None:
        return
    token = token_urlsafe(32)
    new = TicketRow(RESET, now + RESET_LIFE, person=person.id)
    await transact(tools, lambda c: people.add_ticket(c, tools.vault, people.digest(token), new, now))
    text = tools.renderer.render_person(PersonMail.PASSWORD, {"name": person.name, "link": f"{url}/password/{token}"})
    try:
        await send_mail(tools, person.email, f"reset:{token}", text, now)
    except SendError as error:
        tools.log.warning("the link for a new password could not be sent", reason=str(error))


async def may_reset(tools: Tools, token: str, now: datetime) -> bool:
    """Whether a new password can be set with this link."""
    return await tools.database.ask(people.find_ticket, tools.vault, RESET, people.digest(token), now) is not None


async def reset(tools: Tools, token: str, password: str, link: str, now: datetime) -> None:
    """Set a new password; every session ends, and every link of this kind is used up. Raises BadInput, TooManyTries."""
    person = await tools.database.ask(_owner_of, tools, token, now)
    if person is None:
        msg = "this link was used already or is too old: ask for a new one"
        raise BadInput(msg)
    await _slowly(tools, person.id, now)
    kept = await sign_in.hashed(password, email=person.email, name=person.name)

    def write(connection: Connection) -> None:
        if not people.use_ticket(connection, RESET, people.digest(token), now):
            msg = "this link was used already: ask for a new one"
            raise BadInput(msg)
        people.withdraw_kind(connection, RESET, person.id)
        people.change(connection, person.id, {"password_hash": kept})
        people.end_sessions(connection, person.id)
        people.forget_tries(connection, tools.vault, f"person:{person.email.casefold()}")
        note_everywhere(connection, person, "set a new password with a link", now)

    await transact(tools, write)
    await _tell_changed(tools, person, link, now)


async def _slowly(tools: Tools, person: PersonId, now: datetime) -> None:
    what = f"choose:{person}"
    if await transact(tools, lambda c: people.count_try(c, tools.vault, what, WINDOW, now)) > RESETS_PER_ADDRESS:
        raise TooManyTries(now + WINDOW)


def _owner_of(connection: Connection, tools: Tools, token: str, now: datetime) -> PersonRow | None:
    ticket = people.find_ticket(connection, tools.vault, RESET, people.digest(token), now)
    return None if ticket is None or ticket.person is None else people.get(connection, tools.vault, ticket.person)


# ------------------------------------------------------------------------------------------------ what operators do


async def _person(tools: Tools, email: str) -> PersonRow:
    found = await tools.database.ask(people.by_email, tools.vault, email)
    if found is None:
        msg = f"nobody signs in with {email}: 'lockbridge person list' shows who does"
        raise BadInput(msg)
    return found


async def set_support(tools: Tools, email: str, *, is_support: bool) -> None:
    """Make somebody support, across hosts, or take that away; their sessions end. Raises BadInput."""
    person = await _person(tools, email)

    def write(connection: Connection) -> None:
        people.change(connection, person.id, {"is_support": is_support})
        people.end_sessions(connection, person.id)

    await transact(tools, write)


async def recover(tools: Tools, email: str, password: str, now: datetime) -> None:
    """Let somebody in again who has lost password and phone. Raises BadInput."""
    person = await _person(tools, email)
    kept = await sign_in.hashed(password, email=person.email, name=person.name)

    def write(connection: Connection) -> None:
        people.change(connection, person.id, {"password_hash": kept})
        people.set_totp(connection, tools.vault, person.id, None)
        people.end_sessions(connection, person.id)
        people.withdraw_kind(connection, RESET, person.id)
        note_everywhere(connection, person, "was let in again by the operator", now)

    await transact(tools, write)
