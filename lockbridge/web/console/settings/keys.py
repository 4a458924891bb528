"""Keys with which programs use the public API. For owners."""

from collections.abc import Collection

from fastapi import APIRouter
from fastapi.responses import Response

from lockbridge.domain.ids import ApiKeyId
from lockbridge.domain.people import Scope
from lockbridge.storage import api_keys
from lockbridge.web.desk import Desk, NotHere, Owning
from lockbridge.workflows import people as working
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.people import NewKey
from lockbridge.workflows.ports import transact

router = APIRouter()
SCOPES = {
    Scope.STAYS_READ: "See stays",
    Scope.STAYS_WRITE: "Make and change stays, times and codes of stays",
    Scope.CODES_READ: "See codes and their status, without digits",
    Scope.CODES_REVEAL: "See the digits of codes, too",
    Scope.LOCKS_READ: "See locks",
    Scope.LOCKS_WRITE: "Resync locks, open doors",
    Scope.PROPERTIES_READ: "See properties and their locks",
    Scope.PROPERTIES_WRITE: "Make and change properties, match locks",
    Scope.EVENTS_READ: "See what happened",
    Scope.WEBHOOKS_WRITE: "Set where webhooks are sent",
}


@router.get("/keys")
async def show(desk: Owning) -> Response:
    """The list, and the form for a new one."""
    return await _page(desk)


async def _page(
    desk: Desk, *, made: NewKey | None = None, chosen: Collection[str] = (), error: str = "", status: int = 200
) -> Response:
    context = {
        "part": "settings",
        "keys": await desk.services.database.ask(api_keys.of_host, desk.host),
        "scopes": [(scope.value, words) for scope, words in SCOPES.items()],
        "made": made,
        "name": desk.text("name") if made is None else "",
        "chosen": chosen,
        "error": error,
    }
    return desk.page("console/settings/keys.html", context, status=status)


@router.post("/keys")
async def make(desk: Owning) -> Response:
    """Make a key; this answer is the only place where it is ever shown."""
    chosen = set(desk.chosen("scope"))
    scopes = frozenset(scope for scope in Scope if scope.value in chosen)
    try:
        made = await working.make_key(desk.services, desk.host, desk.text("name"), scopes, desk.person.id, desk.now)
    except BadInput as error:
        return await _page(desk, chosen=chosen, error=str(error), status=422)
    await desk.note(f"made the API key {made.name}", f"API key {made.id}", ", ".join(sorted(scopes)))
    return await _page(desk, made=made)


@router.post("/keys/{key}/revoke")
async def revoke(desk: Owning, key: int) -> Response:
    """Make a key useless."""
    if not await transact(desk.services, lambda c: api_keys.revoke(c, desk.host, ApiKeyId(key), desk.now)):
        raise NotHere
    await desk.note("revoked an API key", f"API key {key}")
    return desk.go(f"{desk.base}/settings/keys", "The key is revoked: it is of no use any more.")
