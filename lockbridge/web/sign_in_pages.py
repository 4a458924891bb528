"""Signing in: e-mail and password, then the second factor where there is one."""

from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.web.desk import Anybody, SignInFirst, Visitor, local_path
from lockbridge.workflows import sign_in
from lockbridge.workflows.sign_in import TooManyTries, WrongCredentials

router = APIRouter()
HOME = "/console"


def device(desk: Visitor) -> str:
    """What the browser says it is, to tell one's sessions apart."""
    return desk.request.headers.get("user-agent", "")


def address(desk: Visitor) -> str:
    """Where the request comes from, to count tries by."""
    return desk.request.client.host if desk.request.client else ""


@router.get("/sign-in")
async def ask(desk: Anybody, next: str = HOME) -> Response:  # noqa: A002 - the name in the address
    """The form."""
    if desk.known is not None and desk.known.session.passed:
        return desk.go(local_path(next, HOME))
    return _form(desk, local_path(next, HOME))


def _form(desk: Visitor, back: str, *, email: str = "", error: str = "", status: int = 200) -> Response:
    return desk.page("console/sign_in.html", {"back": back, "email": email, "error": error}, status=status)


@router.post("/sign-in")
async def enter(desk: Anybody) -> Response:
    """Begin a session."""
    email, back = desk.text("email"), local_path(desk.text("next"), HOME)
    password = desk.form.get("password")
    try:
        begun = await sign_in.sign_in(
            desk.services, email, password if isinstance(password, str) else "", address(desk), device(desk), desk.now
        )
    except WrongCredentials as error:
        return _form(desk, back, email=email, error=str(error), status=401)
    except TooManyTries as error:
        return _form(desk, back, email=email, error=str(error), status=429)
    to = back if begun.session.passed else f"/sign-in/code?next={quote(back)}"
    return desk.let_in(desk.go(to), begun)


@router.get("/sign-in/code")
async def ask_code(desk: Anybody, next: str = HOME) -> Response:  # noqa: A002 - the name in the address
    """The form for the second factor."""
    if desk.known is None:
        raise SignInFirst(local_path(next, HOME))
    return desk.page("console/sign_in_code.html", {"back": local_path(next, HOME), "error": ""})


@router.post("/sign-in/code")
async def enter_code(desk: Anybody) -> Response:
    """Give the second factor."""
    back = local_path(desk.text("next"), HOME)
    if desk.known is None:
        raise SignInFirst(back)
    try:
        await sign_in.give_code(desk.services, desk.known, desk.text("code"), desk.now)
    except (WrongCredentials, TooManyTries) as error:
        status = 429 if isinstance(error, TooManyTries) else 401
        return desk.page("console/sign_in_code.html", {"back": back, "error": str(error)}, status=status)
    return desk.go(back)
