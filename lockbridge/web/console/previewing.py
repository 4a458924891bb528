"""The page between a form and what it does to locks: what would happen, then *do it* or *leave it* (R47).

A handler describes the change as a :class:`Proposal` and returns ``await decide(desk, proposal)``. The first time it is
called by the page's own form: then the effect is shown, the form's fields travelling along. The second time it is
called by that preview: then the change is made – if it still comes to what was shown; else the new effect is shown.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.domain.code import Pin
from lockbridge.domain.effect import Doing
from lockbridge.domain.ids import HostId, LockId
from lockbridge.domain.veil import HIDDEN
from lockbridge.storage import hosts
from lockbridge.web.desk import Desk
from lockbridge.workflows import preview
from lockbridge.workflows.preview import Agreed, Change, Foreseen

OURS = frozenset({"csrf", "draw", "seen", "do"})
"""The fields of a preview's form that are not the change's own."""
MOST_LINES = 40
"""So many codes are listed for each lock; of the rest their number is told."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that somebody asks for on a page. ``back`` is where they came from."""

    change: Change
    title: str
    back: str
    said: str
    """What the next page says when it is done."""
    deed: str
    """What is written down about it: a verb phrase, and ``about`` what."""
    about: str
    part: str
    go: str = ""
    """Where one goes when it is done; empty: back."""
    concerned: Collection[LockId] = ()
    """Locks that are shown whether anything changes on them or not."""
    zone: str = "UTC"
    """Whose clock times are told on, for locks that open no property yet."""


async def decide(desk: Desk, proposal: Proposal) -> Response:
    """Show what a change would do or, agreed to, do it. One that touches no lock is made at once. Raises BadInput."""
    agreed = _agreed(desk)
    if desk.text("do") == "it" and agreed.digest:
        return await _do(desk, proposal, agreed)
    found = await preview.preview(
        desk.services, desk.host, proposal.change, desk.now, concerned=proposal.concerned, draw=agreed.draw
    )
    if not found.touches and not proposal.concerned:
        return await _do(desk, proposal, found.agreed)
    return await _shown(desk, proposal, found)


def _agreed(desk: Desk) -> Agreed:
    draw = desk.text("draw")
    return Agreed(draw if re.fullmatch("[0-9a-f]{32}", draw) else "", desk.text("seen"))


async def _do(desk: Desk, proposal: Proposal, agreed: Agreed) -> Response:
    found = await preview.carry_out(
        desk.services, desk.host, proposal.change, agreed, desk.now, concerned=proposal.concerned
    )
    if found is not None:
        return await _shown(desk, proposal, found, stale=True)
    await desk.note(proposal.deed, proposal.about)
    return desk.go(proposal.go or proposal.back, proposal.said)


async def _shown(desk: Desk, proposal: Proposal, found: Foreseen, *, stale: bool = False) -> Response:
    show = desk.text("do") == "show" and desk.may("see_pins")
    if show:
        await desk.note("looked at the codes of a preview for", proposal.about)
    fields = [(name, value) for name, value in desk.form.multi_items() if name not in OURS and isinstance(value, str)]
    told = await context(desk, found, zone=proposal.zone, show=show)
    shown = {
        "part": proposal.part,
        "proposal": proposal,
        "fields": fields,
        "stale": stale,
        "path": desk.request.url.path,
    }
    return desk.page("console/preview/page.html", {**shown, **told})


async def context(desk: Desk, found: Foreseen, *, zone: str = "UTC", show: bool = False) -> Mapping[str, Any]:
    """What ``console/preview/locks.html`` is made of."""
    zones = await desk.services.database.ask(_zones, desk.host)
    return {
        "found": found,
        "zone_of": lambda lock: zones.get(lock, zone),
        "doings": Doing,
        "show": show,
        "shown_pin": shown_pin,
        "most": MOST_LINES,
    }


def _zones(connection: Connection, host: HostId) -> dict[LockId, str]:
    """On which clock the times of a lock are told: that of its first property."""
    places = {row.id: row.zone for row in hosts.properties_of_host(connection, host)}
    return {lock: places[place] for place, lock in reversed(hosts.matches_of_host(connection, host))}


def shown_pin(pin: Pin | None, *, show: bool) -> str:
    """The digits of a previewed code for a page: masked unless they may be shown and were asked for."""
    if pin is None:
        return "chosen by the lock app"
    return pin.digits if show else HIDDEN
