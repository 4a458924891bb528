"""Today: who comes and goes, what needs a person, and the one button that helps."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.web.background import Progress
from lockbridge.web.desk import Resyncing, Seeing
from lockbridge.workflows import healthcheck, start, today

router = APIRouter()


@router.get("")
async def show(desk: Seeing) -> Response:
    """The first page of a host."""
    view = await desk.services.database.ask(today.view, desk.services, desk.host, desk.now)
    steps = await desk.services.database.ask(start.open_steps, desk.host)
    shown = {"part": "", "view": view, "open_steps": steps}
    return desk.page("console/today/today.html", shown)


@router.post("/health-check")
async def check(desk: Resyncing) -> Response:
    """Look after every code that should be on its lock, now; the page of the work shows how far it is."""
    services, host = desk.services, desk.host

    async def work(progress: Progress) -> Mapping[str, Any]:
        async def say(done: int, total: int) -> None:
            await progress.say("looking after the codes of those who arrive", done, total)

        return (await healthcheck.check_host(services, host, services.clock.now(), say)).as_dict()

    number = await desk.site.background.start(host, "healthcheck", "Health check", desk.who, work)
    await desk.note("ran the health check")
    return desk.go(f"{desk.base}/tasks/{number}")
