"""Settings: one module for each page, and the page that leads to them."""

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.web.console.settings import alarms, codes, demo, guest_page, host, keys, members, webhooks
from lockbridge.web.desk import Connecting

router = APIRouter(prefix="/settings")


@router.get("")
async def overview(desk: Connecting) -> Response:
    """What can be set, for whom it is."""
    return desk.page("console/settings/overview.html", {"part": "settings"})


for page in (host, codes, guest_page, members, keys, webhooks, alarms, demo):
    router.include_router(page.router)
