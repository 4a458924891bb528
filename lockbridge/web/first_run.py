"""The very first page: the first host and its owner, made with the link that ``serve`` prints."""

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.web.desk import Anybody, Visitor
from lockbridge.web.sign_in_pages import device
from lockbridge.workflows import sign_in
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.sign_in import FirstOwner

router = APIRouter()
TEMPLATE = "console/first_run.html"


@router.get("/first-run/{token}")
async def ask(desk: Anybody, token: str) -> Response:
    """The form, as long as nobody can sign in."""
    if not await sign_in.may_begin(desk.services, token, desk.now):
        return desk.go("/sign-in", "lockbridge is set up already, or this link is too old: sign in.")
    return _form(desk, token)


def _form(desk: Visitor, token: str, *, error: str = "", status: int = 200) -> Response:
    typed = {name: desk.text(name) for name in ("host", "name", "email")}
    return desk.page(TEMPLATE, {"token": token, "error": error, **typed}, status=status)


@router.post("/first-run/{token}")
async def make(desk: Anybody, token: str) -> Response:
    """Make them and go on to the guided start."""
    password = desk.form.get("password")
    new = FirstOwner(
        desk.text("host"), desk.text("name"), desk.text("email"), password if isinstance(password, str) else ""
    )
    try:
        host, begun = await sign_in.first_owner(desk.services, token, new, device(desk), desk.now)
    except BadInput as error:
        return _form(desk, token, error=str(error), status=422)
    return desk.let_in(desk.go(f"/console/{host}/start"), begun)
