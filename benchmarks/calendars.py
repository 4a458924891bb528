"""Calendars to measure with, and a server of them: as Airbnb writes them, each stay of three nights after the last."""

from datetime import UTC, datetime, timedelta
from itertools import count

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

NIGHTS = 3
_HEAD = (
    "BEGIN:VCALENDAR",
    "PRODID:-//Airbnb Inc//Hosting Calendar 1.0//EN",
    "CALSCALE:GREGORIAN",
    "VERSION:2.0",
)


def calendar(events: int, fetched_at: datetime, *, turn: int = 0) -> bytes:
    """So many stays from tomorrow on; in each ``turn`` but the first another one is a night shorter."""
    return _whole(_stays(events, fetched_at), fetched_at, turn)


def _stays(events: int, fetched_at: datetime) -> list[str]:
    return [_stay(number, fetched_at, NIGHTS) for number in range(events)]


def _whole(stays: list[str], fetched_at: datetime, turn: int) -> bytes:
    shorter = turn % len(stays)
    changed = [_stay(shorter, fetched_at, NIGHTS - 1)] if turn else stays[:1]
    lines = (*_HEAD, *stays[:shorter], *changed, *stays[shorter + 1 :], "END:VCALENDAR", "")
    return "\r\n".join(lines).encode()


def _stay(number: int, fetched_at: datetime, nights: int) -> str:
    arrival = fetched_at.date() + timedelta(days=1 + NIGHTS * number)
    return "\r\n".join(
        (
            "BEGIN:VEVENT",
            f"DTSTAMP:{fetched_at:%Y%m%dT%H%M%SZ}",
            f"DTSTART;VALUE=DATE:{arrival:%Y%m%d}",
            f"DTEND;VALUE=DATE:{arrival + timedelta(days=nights):%Y%m%d}",
            "SUMMARY:Reserved",
            f"UID:1418fb94e984-{number:032x}@airbnb.com",
            "DESCRIPTION:Reservation URL: https://www.airbnb.com/hosting/reservations/de",
            f" tails/HM{number:08}\\nPhone Number (Last 4 Digits): {number % 10_000:04}",
            "END:VEVENT",
        )
    )


def asgi(events: int) -> Starlette:
    """``/changing.ics`` has another stay changed at each fetch, ``/still.ics`` is unchanged for who knows its ETag."""
    turns = count(1)
    made_at = datetime.now(UTC)
    stays = _stays(events, made_at)

    async def changing(_request: Request) -> Response:
        return Response(_whole(stays, made_at, next(turns)), media_type="text/calendar")

    async def still(request: Request) -> Response:
        headers = {"etag": '"1"'}
        if request.headers.get("if-none-match") == '"1"':
            return Response(status_code=304, headers=headers)
        return Response(_whole(stays, made_at, 0), media_type="text/calendar", headers=headers)

    return Starlette(routes=[Route("/changing.ics", changing), Route("/still.ics", still)])
