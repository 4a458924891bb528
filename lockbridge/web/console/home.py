"""Where the console begins: the host one works for, or the choice among several."""

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.storage import people
from lockbridge.web.desk import Anybody, SignedIn
from lockbridge.workflows import sign_in

router = APIRouter()


@router.get("/")
async def root(desk: Anybody) -> Response:
    """To the console, or to where one signs in."""
    return desk.go("/console" if desk.known is not None else "/sign-in")


@router.get("/console")
async def console(desk: SignedIn) -> Response:
    """To the one host, or a list of hosts."""
    found = await desk.services.database.ask(people.workplaces, desk.person.id, support=desk.person.is_support)
    if len(found) == 1:
        return desk.go(f"/console/{found[0].host}")
    return desk.page("console/hosts.html", {"workplaces": found})


@router.post("/sign-out")
async def sign_out(desk: SignedIn) -> Response:
    """End the session of this browser."""
    assert desk.known is not None  # noqa: S101 - somebody is signed in
    await sign_in.sign_out(desk.services, desk.known)
    answer = desk.go("/sign-in", "You are signed out.")
    answer.delete_cookie(desk.site.cookie, secure=desk.site.https, httponly=True)
    return answer
