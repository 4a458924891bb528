"""The host itself: what it is called, where alarms go, in which language."""

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.web.desk import Desk, Owning
from lockbridge.workflows import host_settings
from lockbridge.workflows.connect import BadInput

router = APIRouter()
LANGUAGES = {
    "en": "English",
    "de": "Deutsch",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "pt": "Português",
}


@router.get("/host")
async def show(desk: Owning) -> Response:
    """The form."""
    return _page(desk, desk.row.name, desk.row.email or "", desk.row.language)


def _page(desk: Desk, name: str, email: str, language: str, *, error: str = "", status: int = 200) -> Response:
    languages = list(LANGUAGES.items())
    if language not in LANGUAGES:
        languages.append((language, language))
    context = {"name": name, "email": email, "language": language, "languages": languages}
    return desk.page("console/settings/host.html", {"part": "settings", "error": error, **context}, status=status)


@router.post("/host")
async def change(desk: Owning) -> Response:
    """Change them."""
    name, email, language = desk.text("name"), desk.text("email"), desk.text("language")
    try:
        await host_settings.change_host(desk.services, desk.host, name, email, language)
    except BadInput as error:
        return _page(desk, name, email, language, error=str(error), status=422)
    await desk.note("changed the host's name, address or language")
    return desk.go(f"{desk.base}/settings", "The host is changed.")
