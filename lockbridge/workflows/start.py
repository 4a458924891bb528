"""The guided start: how far a host has come, what they put off, and a test booking that goes the way of real ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge import signatures
from lockbridge.domain import start
from lockbridge.domain.ids import HostId, PropertyId
from lockbridge.domain.start import Step, StepName
from lockbridge.domain.stay import to_local
from lockbridge.inbound import Delivery
from lockbridge.platforms import generic
from lockbridge.platforms.generic import Example
from lockbridge.storage import hosts, setup, stays
from lockbridge.storage.hosts import EndpointRow, PropertyRow
from lockbridge.storage.stays import StayRow
from lockbridge.workflows import explain, hearing, receive, reservations
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.explain import StayView
from lockbridge.workflows.ports import Tools, transact

PUT_OFF = "put_off"
QUIET = "no_reminder"
SEEN = "messages_seen"
TEST = "test_booking"


def steps_of(connection: Connection, host: HostId) -> Sequence[Step]:
    """The steps of a host's guided start."""
    found = setup.of_host(connection, host)
    return () if found is None else start.steps(found.progress, found.said.get(PUT_OFF, ()))


def open_steps(connection: Connection, host: HostId) -> Sequence[Step]:
    """The steps a host is to be reminded of: those not done, unless they want no reminder."""
    found = setup.of_host(connection, host)
    if found is None or found.said.get(QUIET):
        return ()
    return [step for step in start.steps(found.progress, found.said.get(PUT_OFF, ())) if not step.done]


async def put_off(tools: Tools, host: HostId, name: StepName) -> None:
    """Leave a step for later."""
    await transact(tools, lambda c: _put_off(c, host, name, later=True))


async def take_up(tools: Tools, host: HostId, name: StepName) -> None:
    """Come back to a step that was left for later."""
    await transact(tools, lambda c: _put_off(c, host, name, later=False))


def _put_off(connection: Connection, host: HostId, name: StepName, *, later: bool) -> None:
    found = setup.of_host(connection, host)
    before = set(found.said.get(PUT_OFF, ())) if found is not None else set()
    after = before | {name.value} if later else before - {name.value}
    if after != before:
        setup.say(connection, host, {PUT_OFF: sorted(after) or None})


async def messages_look_right(tools: Tools, host: HostId) -> None:
    """The host has looked at what guests will be told."""
    await transact(tools, lambda c: setup.say(c, host, {SEEN: True}))


async def want_no_reminder(tools: Tools, host: HostId) -> None:
    """The host does not want to be reminded of open steps any more."""
    await transact(tools, lambda c: setup.say(c, host, {QUIET: True}))


# ---------------------------------------------------------------------------------------------------- a test booking


@dataclass(frozen=True, slots=True)
class _Where:
    """Where a test booking is sent, and for which property."""

    endpoint: EndpointRow = field(repr=False)
    place: PropertyRow


async def send_test_booking(tools: Tools, host: HostId, place: PropertyId, email: str, now: datetime) -> None:
    """Tell ourselves of an invented booking from today to tomorrow, signed, by the host's own webhook address.

    It is read as any other: a stay appears, and a code goes to the property's locks. What its guest is told goes to
    ``email``. Raises BadInput without an address, or for a property that is not the host's.
    """
    where = await tools.database.ask(_where, tools, host, place)
    booking = _booking(where.place, email, now)
    await transact(tools, lambda c: _known_by_test(c, host, where.place, booking, now))
    await _knock(tools, where, booking, now)


async def cancel_test_booking(tools: Tools, host: HostId, now: datetime) -> None:
    """Tell ourselves that the test booking was cancelled: its code comes off the locks. Raises BadInput."""
    found = await tools.database.ask(setup.of_host, host)
    said = found.said.get(TEST) if found is not None else None
    if not said:
        msg = "there is no test booking to take back"
        raise BadInput(msg)
    where = await tools.database.ask(_where, tools, host, PropertyId(said["property"]))
    stay = await tools.database.ask(_test_stay, tools, host)
    if stay is not None:
        when = (stay.arrival, stay.departure, stay.check_in)
        booking = Example(stay.external_id, stay.property_ref, *when, stay.contact.email or "", now, cancelled=True)
        await _knock(tools, where, booking, now)


def _where(connection: Connection, tools: Tools, host: HostId, place: PropertyId) -> _Where:
    row = hosts.properties(connection, [place]).get(place)
    endpoint = hearing.endpoint_of(connection, tools, host, generic.KEY)
    if row is None or row.host != host:
        msg = "this property is not yours: choose one from the list"
        raise BadInput(msg)
    if endpoint is None:
        msg = f"there is no webhook address for “{generic.HOOK.title}” yet: make one first"
        raise BadInput(msg)
    return _Where(endpoint, row)


def _booking(place: PropertyRow, email: str, now: datetime) -> Example:
    """From this hour on, so that its code opens at once."""
    local = to_local(now, place.zone)
    number, days = f"lockbridge-test-{place.id}-{local:%Y%m%d}", (local.date(), local.date() + timedelta(days=1))
    return Example(number, f"lockbridge-test-{place.id}", *days, f"{local:%H}:00", email, now)


def _known_by_test(connection: Connection, host: HostId, place: PropertyRow, booking: Example, now: datetime) -> None:
    reservations.name_property(connection, host, place.id, generic.KEY, booking.property, now)
    setup.say(connection, host, {TEST: {"property": place.id, "id": booking.id}})


async def _knock(tools: Tools, where: _Where, booking: Example, now: datetime) -> None:
    """Send it as its platform would, through everything a delivery goes through."""
    body = generic.example(booking)
    event = f"{booking.id}-{now:%Y%m%dT%H%M%S%f}"
    headers = signatures.sign_standard_webhook(where.endpoint.secret, event, now, body)
    delivery = Delivery({**headers, "content-type": "application/json"}, body, now)
    await receive.accept(tools, where.endpoint, generic.HOOK, delivery, now)


def test_stay(connection: Connection, tools: Tools, host: HostId, now: datetime) -> StayView | None:
    """What became of the test booking; None: there is none, or it was not read yet."""
    found = _test_stay(connection, tools, host)
    return explain.view(connection, tools, host, found.id, now) if found is not None else None


def _test_stay(connection: Connection, tools: Tools, host: HostId) -> StayRow | None:
    found = setup.of_host(connection, host)
    said = found.said.get(TEST) if found is not None else None
    return next(iter(stays.by_code(connection, tools.vault, host, said["id"])), None) if said else None
