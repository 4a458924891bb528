"""The guest's page: the way in for one stay, behind an address that nobody guesses, in the guest's language."""

import asyncio
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from lockbridge import assets
from lockbridge.domain.guest_help import Phase
from lockbridge.domain.ids import LockId
from lockbridge.domain.messages import DateStyle
from lockbridge.domain.stay import to_local
from lockbridge.web.desk import Site
from lockbridge.web.security import csrf_token, form_of, is_csrf_token
from lockbridge.workflows import guest, guest_at_door, push
from lockbridge.workflows.guest import GuestDoor, GuestView, TooOften

router = APIRouter()
AT = "/g/{token}"
HEADERS = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow", "cache-control": "no-store"}
PATIENCE = timedelta(seconds=8)
"""So long a guest waits for a lock to be looked at; the look itself goes on."""
FALLBACK = "en"
Words = Mapping[str, Any]


@cache
def words() -> Mapping[str, Words]:
    """Every word of the page, by language, English first."""
    files = {file.stem: file for file in (assets.templates() / "guest_page").glob("*.toml")}
    ordered = sorted(files, key=lambda language: (language != FALLBACK, language))
    return {language: tomllib.loads(files[language].read_text(encoding="utf-8")) for language in ordered}


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who follows a guest's link. ``form`` is empty unless a form was sent."""

    request: Request
    site: Site
    token: str
    now: datetime
    form: FormData

    @property
    def place(self) -> str:
        """Where the request comes from, to count by."""
        return self.request.client.host if self.request.client else ""

    @property
    def wish(self) -> str:
        """The language that was chosen on the page; empty: none."""
        chosen = self.request.query_params.get("lang", "")
        return chosen if chosen in words() else ""

    def language(self, view: GuestView | None = None) -> str:
        """The language of the answer: chosen, the booking's, the browser's, the host's."""
        said = view.language if view is not None else None
        host = view.host_language if view is not None else None
        wanted = (self.wish, said, *_accepted(self.request.headers.get("accept-language", "")), host)
        return next((known for each in wanted if each and (known := _known(each))), FALLBACK)

    def answer(self, template: str, context: Mapping[str, Any], language: str, status: int = 200) -> HTMLResponse:
        """A page in a language."""
        names = [(key, each["name"]) for key, each in words().items()]
        shared = {"w": words()[language], "language": language, "languages": names}
        html = self.site.pages.render(template, {**shared, **context})
        return HTMLResponse(html, status, HEADERS | {"content-language": language})

    def say(self, what: str, status: int, view: GuestView | None = None, back: str = "") -> HTMLResponse:
        """A page that says one thing."""
        language = self.language(view)
        return self.answer("guest_page/said.html", {**words()[language][what], "back": back}, language, status)

    @property
    def home(self) -> str:
        """The page of the stay in the language that was chosen."""
        return f"/g/{self.token}" + (f"?lang={self.wish}" if self.wish else "")


def _known(language: str) -> str:
    plain = language.replace("_", "-").casefold().partition("-")[0]
    return plain if plain in words() else ""


def _accepted(header: str) -> list[str]:
    """The languages a browser asks for, the best first."""
    asked = [part.strip().partition(";") for part in header[:200].split(",")]
    ranked = sorted(asked, key=lambda part: -_weight(part[2]))
    return [language for language, _, rest in ranked if language and _weight(rest) > 0]


def _weight(rest: str) -> float:
    try:
        return float(rest.strip().removeprefix("q=")) if rest.strip() else 1.0
    except ValueError:
        return 0.0


async def caller(request: Request, token: str) -> Caller:
    """Whoever follows the link."""
    site: Site = request.app.state.site
    form = await form_of(request, max_files=0, max_fields=20) if request.method == "POST" else FormData()
    return Caller(request, site, token, site.services.clock.now(), form)


Calling = Annotated[Caller, Depends(caller)]


@router.get(AT)
async def page(who: Calling) -> Response:
    """The way in."""
    try:
        view = await guest.visit(who.site.services, who.token, who.now, place=who.place)
    except TooOften:
        return who.say("often", 429)
    if view is None:
        return who.say("gone", 404)
    if view.phase is Phase.OVER:
        return who.say("over", 200, view)
    language = who.language(view)
    return who.answer("guest_page/page.html", _context(who, view, language), language)


def _context(who: Caller, view: GuestView, language: str) -> dict[str, Any]:
    dates, zone = who.site.services.renderer.dates(language), view.zone
    instants = {"shown_from": view.shown_from, "opens": view.opens, "closes": view.closes}
    walls = {"check_in": view.check_in, "check_out": view.check_out}
    return {
        "page": view,
        "base": f"/g/{who.token}",
        "csrf": csrf_token(who.site.services.vault, who.token),
        "doors": [_door(door) for door in view.doors],
        "names": ", ".join(door.name for door in view.doors),
        "tel": "".join(char for char in view.help.phone if char in "+0123456789"),
        **{name: at and _moment(dates, to_local(at, zone)) for name, at in instants.items()},
        **{name: at and _moment(dates, _at_home(at, zone)) for name, at in walls.items()},
    }


def _at_home(wall: datetime, zone: str) -> datetime:
    """A wall time of the house, knowing its zone."""
    return wall.replace(tzinfo=to_local(wall.replace(tzinfo=UTC), zone).tzinfo)


def _moment(dates: DateStyle, local: datetime) -> dict[str, str]:
    name = local.tzname() or ""
    zone = f"UTC{name}" if name[:1] in {"+", "-"} else name
    clock = dates.clock(local)
    return {"day": dates.day(local), "clock": clock, "zone": zone, "at": f"{clock} {zone}", "iso": local.isoformat()}


def _door(door: GuestDoor) -> dict[str, Any]:
    """A door as the template shows it; the one place where a guest's digits are written out."""
    return {
        "lock": door.lock,
        "name": door.name,
        "keypad": door.keypad.value,
        "pin": door.pin.digits if door.pin else "",
        "backup": door.backup.digits if door.backup else "",
        "waits": door.waits,
        "step": door.steps[-1].value if door.steps else "",
        "trail": [step.value for step in dict.fromkeys(door.steps)],
    }


@router.post(f"{AT}/help")
async def help_me(who: Calling) -> Response:
    """The code does not work: one step further, shown on the page."""
    given, door = who.form.get("csrf"), who.form.get("door")
    ours = isinstance(given, str) and is_csrf_token(who.site.services.vault, who.token, given)
    if not ours or who.request.headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return who.say("stale", 403, back=who.home)
    number = int(door) if isinstance(door, str) and re.fullmatch("[0-9]{1,17}", door) else 0
    try:
        step = await guest_at_door.ask(
            who.site.services, who.token, LockId(number) if number else None, _look(who), who.now, place=who.place
        )
    except TooOften:
        return who.say("often", 429, back=who.home)
    if step is None:
        return who.say("gone", 404)
    return RedirectResponse(f"{who.home}#door-{number}", 303, HEADERS)


def _look(who: Caller) -> guest_at_door.Look:
    async def look(lock: LockId) -> None:
        done = asyncio.Event()

        async def attend() -> None:
            try:
                await push.attend_to(who.site.services, [lock], who.now)
            finally:
                done.set()

        who.site.background.later(attend())
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), PATIENCE.total_seconds())

    return look
