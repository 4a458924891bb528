"""How codes are made, unless a property says otherwise: shown before it is done, with the properties concerned."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.domain.settings import CodeSettings
from lockbridge.storage import hosts
from lockbridge.web.console.previewing import Proposal, decide
from lockbridge.web.desk import Connecting, Desk
from lockbridge.workflows import host_settings, properties
from lockbridge.workflows.connect import BadInput

router = APIRouter()
NAMES = tuple(field.name for field in fields(CodeSettings))
MOST_NAMES = 5


@router.get("/codes")
async def show(desk: Connecting) -> Response:
    """The form, with what holds now."""
    return _page(desk, {name: _written(value) for name, value in desk.row.settings.items()})


def _written(value: Any) -> str:
    """A setting as the form says it; empty: as usual."""
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _page(desk: Desk, written: Mapping[str, str], *, error: str = "", status: int = 200) -> Response:
    usual = {name: _written(getattr(desk.services.policy.codes, name)) for name in NAMES}
    context = {"written": {name: written.get(name, "") for name in NAMES}, "usual": usual, "error": error}
    return desk.page("console/settings/codes.html", {"part": "settings", **context}, status=status)


@router.post("/codes")
async def change(desk: Connecting) -> Response:
    """Change it, after a look at what that does to the locks of which properties."""
    written = {name: desk.text(name) for name in NAMES}
    try:
        wanted = properties.checked_settings(written)
    except BadInput as error:
        return _page(desk, written, error=str(error), status=422)
    return await decide(desk, await _proposal(desk, wanted))


async def _proposal(desk: Desk, wanted: Mapping[str, Any]) -> Proposal:
    every = await desk.services.database.ask(hosts.properties_of_host, desk.host)
    places = host_settings.concerned(desk.services.policy.codes, desk.row.settings, wanted, every)
    where = _named([place.name for place in places], len(every))
    return Proposal(
        change=host_settings.changing_codes(desk.host, wanted, desk.now),
        title=f"other codes at {where}",
        back=f"{desk.base}/settings/codes",
        said=f"Saved; it holds at {where}.",
        deed="changed how codes are made",
        about="all properties",
        part="settings",
    )


def _named(names: Sequence[str], of: int) -> str:
    """Which properties it is about, as far as they fit into a line."""
    if not names:
        return "no property there is now"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{len(names)} of {of} properties: {', '.join(names[:MOST_NAMES])}{more}"
