"""What guests find on their page: whom to call, and whether the door may be opened from there."""

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.storage import hosts
from lockbridge.storage.hosts import GuestHelp
from lockbridge.web.desk import Connecting, Desk
from lockbridge.workflows import host_settings
from lockbridge.workflows.connect import BadInput

router = APIRouter()


@router.get("/guest-page")
async def show(desk: Connecting) -> Response:
    """The form."""
    return _page(desk, await desk.services.database.ask(hosts.guest_help, desk.services.vault, desk.host))


def _page(desk: Desk, given: GuestHelp, *, error: str = "", status: int = 200) -> Response:
    context = {"part": "settings", "error": error, **asdict(given)}
    return desk.page("console/settings/guest_page.html", context, status=status)


@router.post("/guest-page")
async def change(desk: Connecting) -> Response:
    """Change it."""
    given = GuestHelp(
        desk.text("contact_name"),
        desk.text("phone"),
        desk.text("email"),
        desk.text("note"),
        desk.text("may_open") == "stay",
    )
    try:
        await host_settings.set_guest_help(desk.services, desk.host, given)
    except BadInput as error:
        return _page(desk, given, error=str(error), status=422)
    await desk.note("changed what guests find on their page", why="they may open the door" if given.may_open else "")
    return desk.go(f"{desk.base}/settings", "Guests find this on their page from now on.")
