"""Webhooks: the addresses booking platforms post to, and where the host's own system is told. For owners."""

from dataclasses import dataclass, field

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.storage import addresses
from lockbridge.web.desk import Desk, Owning
from lockbridge.web.hooks import PREFIX
from lockbridge.workflows import connect, host_mail
from lockbridge.workflows.connect import BadInput

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown this once: an address, or a secret, or both."""

    title: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    help: str = ""


@router.get("/webhooks")
async def show(desk: Owning) -> Response:
    """The addresses there are, and the forms."""
    return await _page(desk)


async def _page(desk: Desk, *, shown: Shown | None = None, error: str = "", status: int = 200) -> Response:
    platforms = desk.services.platforms
    context = {
        "part": "settings",
        "addresses": await desk.services.database.ask(addresses.of_host, desk.host),
        "titles": {key: platform.title for key, platform in platforms.items()},
        "able": sorted(((key, each.title) for key, each in platforms.items() if each.hook), key=lambda pair: pair[1]),
        "platform": desk.text("platform"),
        "url": desk.text("url"),
        "hook": desk.row.hook,
        "shown": shown,
        "error": error,
    }
    return desk.page("console/settings/webhooks.html", context, status=status)


@router.post("/webhooks")
async def add_address(desk: Owning) -> Response:
    """Make an address for a platform; this answer is the only place where it is ever shown."""
    platform, secret = desk.text("platform"), desk.text("secret") or None
    try:
        made = await connect.add_address(desk.services, desk.host, platform, secret, desk.now)
    except BadInput as error:
        return await _page(desk, error=str(error), status=422)
    await desk.note(f"made a webhook address for {platform}", f"address {made.id}")
    return await _page(desk, shown=_shown(desk, made))


def _shown(desk: Desk, made: connect.Address) -> Shown:
    known = desk.services.platforms[made.platform]
    hook = known.hook
    secret = "" if hook is None or hook.secret_is_address else made.secret
    url = f"{desk.site.url}{PREFIX}{made.platform}/{made.token}"
    return Shown(f"The new address for {known.title}", url, secret, hook.setup_help if hook else "")


@router.post("/hook")
async def set_hook(desk: Owning) -> Response:
    """Have the host's own system told; its secret is shown in this answer only."""
    try:
        secret = await host_mail.set_hook(desk.services, desk.host, desk.text("url"))
    except ValueError as error:
        return await _page(desk, error=str(error), status=422)
    await desk.note("set where alarms are posted")
    said = "Each webhook is signed with this secret, as Standard Webhooks say."
    return await _page(desk, shown=Shown("Your system is told from now on", desk.text("url"), secret or "", said))


@router.post("/hook/off")
async def hook_off(desk: Owning) -> Response:
    """Have the host's own system told no more."""
    await host_mail.set_hook(desk.services, desk.host, None)
    await desk.note("ended the posting of alarms")
    return desk.go(f"{desk.base}/settings/webhooks", "No more webhooks are sent to your system.")
