"""A demo host with example data: switched on, and removed. For owners."""

from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.storage import demo
from lockbridge.web.desk import Desk, NotHere, Owning
from lockbridge.workflows import demo_host
from lockbridge.workflows.connect import BadInput

router = APIRouter()
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TOKEN = "simulator"  # noqa: S105 - the way into the make-believe account of this very server


@router.get("/demo")
async def show(desk: Owning) -> Response:
    """Whether there is one, and what can be done."""
    return await _page(desk)


async def _page(desk: Desk, *, error: str = "", status: int = 200) -> Response:
    found = await desk.services.database.ask(demo.of_person, desk.person.id)
    mine = None if found is None else {"host": found[0], "name": found[1]}
    return desk.page("console/settings/demo.html", {"part": "settings", "demo": mine, "error": error}, status=status)


@router.post("/demo")
async def make(desk: Owning) -> Response:
    """Make one and go there."""
    try:
        host = await demo_host.make(desk.services, desk.person, _simulator(desk), desk.now)
    except BadInput as error:
        return await _page(desk, error=str(error), status=422)
    await desk.note("made a demo host", f"host {host}")
    return desk.go(f"/console/{host}", "Your demo host is ready: look around, nothing here is real.")


def _simulator(desk: Desk) -> dict[str, str] | None:
    """The form of the simulated lock app of this server; None: it has none. Raises BadInput when it is out of reach."""
    if not desk.site.has_simulator:
        return None
    if urlsplit(desk.site.url).hostname not in LOOPBACK:
        msg = (
            "this server is reached under a public address, and its simulated lock app only from the machine itself: "
            "try a demo host with `make serve` on a machine of your own"
        )
        raise BadInput(msg)
    return {"url": f"{desk.site.url}/simulator", "token": TOKEN}


@router.post("/demo/remove")
async def remove(desk: Owning) -> Response:
    """Remove the demo host that one is at."""
    if not desk.row.is_demo:
        raise NotHere
    try:
        await demo_host.remove(desk.services, desk.host, desk.now)
    except BadInput as error:
        return await _page(desk, error=str(error), status=422)
    return desk.go("/console", "The demo host is removed.")
