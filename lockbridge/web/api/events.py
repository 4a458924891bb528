"""Events: the history of a host as a feed that one reads on from where one was."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field

from lockbridge.domain.people import Scope
from lockbridge.storage import api_pages
from lockbridge.storage.api_pages import Line
from lockbridge.web.api.calls import at, resource
from lockbridge.web.api.keys import Calling
from lockbridge.web.api.paging import Pages, write_cursor
from lockbridge.web.api.shapes import Name, Shown

router = resource()

TYPES: Mapping[str, str] = {
    "booked": "a stay became known",
    "changed": "its source says something else of it",
    "told_by": "another source tells it from now on",
    "decided": "the host has decided on it",
    "times": "the host gave it other times of day",
    "cancelled": "it is cancelled: its code comes off",
    "moved": "its code comes off a lock that is none of its doors any more",
    "unannounced": "news of it came without a webhook",
    "notice.*": "something that a person should hear of a booking platform",
    "waiting": "its PIN waits for a phone number, or a lock for something",
    "pin": "a PIN was chosen",
    "name": "a name was chosen",
    "planned": "a code is planned on a lock",
    "replanned": "it is planned otherwise",
    "reissued": "another code was asked for",
    "revoked": "a code was revoked",
    "restored": "the revocation was taken back",
    "tried_again": "another try was asked for",
    "backup_given": "a backup code was given to a stay",
    "staff_code": "a staff code was made or revoked",
    "guest_link": "the link to a guest's page was made or withdrawn",
    "guest.*": "a guest took a step on their page",
    "asked_to_set": "a lock was asked to hold a code",
    "asked_to_update": "a lock was asked to change a code",
    "asked_to_remove": "a lock was asked to take a code off",
    "accepted": "its lock app took a code; the lock has not confirmed it yet",
    "confirmed": "a lock holds a code as wanted",
    "adopted": "a code was found on a lock that is ours",
    "vanished": "a code is not on its lock any more",
    "changed_by_hand": "somebody changed a code on its lock",
    "cannot_take_back": "a code stays until its window ends: its lock app takes none back",
    "removing": "a code is being taken off",
    "removed": "a code is off its lock",
    "refused": "a lock or its app refused a code",
    "outcome_unknown": "nobody knows what came of a call: the lock is looked at",
    "not_confirmed": "a code was taken and not confirmed in time",
    "no_room": "a lock is full",
    "pin_chosen": "a lock app chose the digits, or others were chosen for one lock",
    "door_opened": "a door was opened from afar",
    "door_not_opened": "a door was to be opened from afar, and was not",
    "message_sent": "a message was sent",
    "message_refused": "a message could not be sent",
    "erased": "a guest's data was erased",
}
"""What each type of event means. ``notice.*``: there are several that begin so."""


class EventShown(Shown):
    """Something that happened, and why."""

    id: int = Field(description="Each is larger than the one before.", examples=[2041])
    at: datetime = Field(description="When (UTC).")
    type: str = Field(description="What. There will be new ones: pass over those you do not know.", examples=["booked"])
    text: str = Field(description="Why, in words, without digits.")
    stay_id: int | None = Field(examples=[12])
    code_id: int | None = Field(examples=[9])
    lock_id: int | None = Field(examples=[5])


class EventPage(Shown):
    """A piece of the feed."""

    items: list[EventShown]
    next: str | None = Field(description="The cursor to read on with, now or later; null: nothing has happened yet.")
    more: bool = Field(description="Whether there is more already.")


@router.get("/events", tags=["Events"], summary="Read the feed of events", **at(Scope.EVENTS_READ))
async def list_events(
    caller: Calling,
    page: Pages,
    event_type: Annotated[Name | None, Query(alias="type", description="Only those of this type.")] = None,
) -> EventPage:
    """In the order in which they were written down, each exactly once. Keep `next`, and ask with it again later."""
    ask = caller.services.database.ask
    found = await ask(api_pages.events_after, caller.host, page.after, page.wanted, event_type, caller.now)
    shown = found[: page.limit]
    last = shown[-1].id if shown else page.after
    following = write_cursor(caller, page.request, last) if last else None
    if following is not None:
        page.point_to(following)
    return EventPage(items=[_shown(line) for line in shown], next=following, more=len(found) > page.limit)


def _shown(line: Line) -> EventShown:
    entry = line.entry
    return EventShown(
        id=line.id,
        at=entry.at,
        type=entry.kind,
        text=entry.why,
        stay_id=entry.stay,
        code_id=entry.code,
        lock_id=entry.lock,
    )
