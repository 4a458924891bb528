"""One's own account: name, password, second factor, where one is signed in. And the ways in that come by e-mail."""

import io
from dataclasses import dataclass
from typing import Any

import segno
from fastapi import APIRouter
from fastapi.responses import Response
from markupsafe import Markup

from lockbridge.domain.ids import SignInId
from lockbridge.domain.people import email_key
from lockbridge.storage import people
from lockbridge.storage.people import SignInRow
from lockbridge.web.desk import Anybody, NotHere, Person, SignedIn, Visitor, sign_in_path
from lockbridge.web.devices import in_words
from lockbridge.web.sign_in_pages import address, device
from lockbridge.workflows import account
from lockbridge.workflows import people as working
from lockbridge.workflows.account import Offer
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import transact
from lockbridge.workflows.sign_in import Known, TooManyTries, WrongCredentials

router = APIRouter()
HERE = "/account"
REFUSED = (BadInput, WrongCredentials, TooManyTries)


def secret_text(desk: Visitor, name: str) -> str:
    """What was written into a password field, spaces and all."""
    value = desk.form.get(name)
    return value if isinstance(value, str) else ""


def status_of(error: Exception) -> int:
    """How the browser is told: too often, not who they say, or nothing that can be kept."""
    return 429 if isinstance(error, TooManyTries) else 401 if isinstance(error, WrongCredentials) else 422


def _known(desk: Person) -> Known:
    return Known(desk.person, desk.session)


# --------------------------------------------------------------------------------------------------------- my account


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner tells it from others."""

    row: SignInRow
    device: str
    here: bool


@router.get("/account")
async def show(desk: SignedIn) -> Response:
    """Who I am, for whom I work, and where I am signed in."""
    return await _page(desk)


async def _page(desk: Person, *, error: str = "", about: str = "", status: int = 200) -> Response:
    ask, person = desk.services.database.ask, desk.person
    context: dict[str, Any] = {
        "sessions": [
            Session(row, in_words(row.device), row.id == desk.session.id)
            for row in await ask(people.sessions_of, person.id, desk.now)
        ],
        "workplaces": await ask(people.workplaces, person.id, support=False),
        "name": desk.text("name") if about == "name" else person.name,
        "error": error,
        "about": about,
    }
    return desk.page("console/account/show.html", context, status=status)


@router.post("/account/name")
async def rename(desk: SignedIn) -> Response:
    """Be called something else."""
    try:
        await account.change_name(desk.services, desk.person, desk.text("name"), desk.now)
    except BadInput as error:
        return await _page(desk, error=str(error), about="name", status=422)
    return desk.go(HERE, "Your name is changed.")


@router.post("/account/password")
async def change_password(desk: SignedIn) -> Response:
    """Take another password; the other sessions end."""
    present, new = secret_text(desk, "present"), secret_text(desk, "new")
    link = f"{desk.site.url}/password"
    try:
        await account.change_password(desk.services, _known(desk), present, new, link, desk.now)
    except REFUSED as error:
        return await _page(desk, error=str(error), about="password", status=status_of(error))
    return desk.go(HERE, "Your password is changed; all other sessions are ended.")


@router.post("/account/sessions/{session}/end")
async def end_session(desk: SignedIn, session: int) -> Response:
    """End one of my sessions."""
    ended = await transact(desk.services, lambda c: people.end_session(c, desk.person.id, SignInId(session)))
    if not ended:
        raise NotHere
    return desk.go(HERE, "The session is ended.")


@router.post("/account/sessions/end-others")
async def end_others(desk: SignedIn) -> Response:
    """End all of my sessions but this one."""
    count = await transact(desk.services, lambda c: people.end_sessions(c, desk.person.id, but=desk.session.id))
    return desk.go(HERE, "All other sessions are ended." if count else "There was no other session.")


# ------------------------------------------------------------------------------------------------------ second factor


@router.get("/account/codes")
async def offer_codes(desk: SignedIn) -> Response:
    """What to scan with an authenticator app – or, where codes are asked for already, how to switch that off."""
    return _codes(desk, account.offer_totp(desk.services, desk.person))


def _codes(desk: Person, offer: Offer, *, error: str = "", status: int = 200) -> Response:
    context = {"offer": offer, "secret": _in_fours(offer.secret), "picture": picture(offer.uri), "error": error}
    return desk.page("console/account/codes.html", context, status=status)


def _in_fours(secret: str) -> str:
    return " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))


def picture(text: str) -> Markup:
    """The text as a QR code, dark on white whatever the page's colours are."""
    drawn = io.BytesIO()
    made = segno.make_qr(text, error="m")
    made.save(drawn, kind="svg", scale=5, border=4, dark="#000", light="#fff", xmldecl=False, svgclass="qr", nl=False)
    return Markup(drawn.getvalue().decode())  # noqa: S704 - drawn a line ago, of shapes only


@router.post("/account/codes")
async def confirm_codes(desk: SignedIn) -> Response:
    """Ask for one-time codes from now on."""
    if desk.person.totp is not None:
        return desk.go(HERE, "One-time codes are set up already.")
    offer = account.offered(desk.services, desk.person, desk.text("offer"))
    try:
        await account.confirm_totp(desk.services, _known(desk), offer, desk.text("code"), desk.now)
    except BadInput as error:
        return _codes(desk, offer, error=str(error), status=422)
    return desk.go(HERE, "From now on you are asked for a code when you sign in. All other sessions are ended.")


@router.post("/account/codes/off")
async def switch_codes_off(desk: SignedIn) -> Response:
    """Ask for no one-time codes any more."""
    try:
        await account.remove_totp(desk.services, _known(desk), secret_text(desk, "password"), desk.now)
    except REFUSED as error:
        return _codes(desk, account.offer_totp(desk.services, desk.person), error=str(error), status=status_of(error))
    return desk.go(HERE, "Only your password is asked for now.")


# --------------------------------------------------------------------------------------------------- a password's loss


@router.get("/password")
async def forgotten(desk: Anybody) -> Response:
    """The form that asks for a link."""
    return desk.page("console/account/forgotten.html", {"error": "", "sent": False})


@router.post("/password")
async def send_link(desk: Anybody) -> Response:
    """Send a link to whoever has this address; what the page says is the same for all addresses."""
    email = desk.text("email")
    try:
        may = await account.may_ask_reset(desk.services, email, address(desk), desk.now)
    except TooManyTries as error:
        context = {"error": str(error), "sent": False}
        return desk.page("console/account/forgotten.html", context, status=429)
    if may:
        desk.site.background.later(account.send_reset(desk.services, email, desk.site.url, desk.now))
    return desk.page("console/account/forgotten.html", {"error": "", "sent": True})


@router.get("/password/{token}")
async def choose(desk: Anybody, token: str) -> Response:
    """The form for a new password, as long as the link can be used."""
    if not await account.may_reset(desk.services, token, desk.now):
        return desk.page("console/account/spent.html", {"again": "/password"}, status=404)
    return desk.page("console/account/choose.html", {"token": token, "error": ""})


@router.post("/password/{token}")
async def set_password(desk: Anybody, token: str) -> Response:
    """Set it; then one signs in."""
    new, link = secret_text(desk, "password"), f"{desk.site.url}/password"
    try:
        await account.reset(desk.services, token, new, link, desk.now)
    except REFUSED as error:
        context = {"token": token, "error": str(error)}
        return desk.page("console/account/choose.html", context, status=status_of(error))
    return desk.go("/sign-in", "Your new password is set: sign in with it.")


# --------------------------------------------------------------------------------------------------------- invitations


@router.get("/invitation/{token}")
async def invited(desk: Anybody, token: str) -> Response:
    """What I am invited to, and what I have to do."""
    return await _invited(desk, token)


async def _invited(desk: Visitor, token: str, *, error: str = "", status: int = 200) -> Response:
    found = await working.invitation(desk.services, token, desk.now)
    if found is None:
        return desk.page("console/account/spent.html", {"again": ""}, status=404)
    signed_in = desk.known.person if desk.known is not None and desk.known.session.passed else None
    context = {
        "token": token,
        "found": found,
        "me": signed_in,
        "mine": signed_in is not None and email_key(signed_in.email) == email_key(found.email),
        "sign_in": sign_in_path(f"/invitation/{token}"),
        "name": desk.text("name"),
        "error": error,
    }
    return desk.page("console/account/invited.html", context, status=status)


@router.post("/invitation/{token}")
async def accept(desk: Anybody, token: str) -> Response:
    """Join: with the account I am signed in with, or with a new one."""
    try:
        if desk.known is not None and desk.known.session.passed:
            host = await working.join_known(desk.services, token, desk.known.person, desk.now)
            return desk.go(f"/console/{host}", "Welcome.")
        name, password = desk.text("name"), secret_text(desk, "password")
        host, begun = await working.join_new(desk.services, token, name, password, device(desk), desk.now)
    except BadInput as error:
        return await _invited(desk, token, error=str(error), status=422)
    return desk.let_in(desk.go(f"/console/{host}", "Welcome."), begun)
