"""What comes in by webhook, from booking platforms and lock apps alike: say whether it is genuine, name it, read it.

The order of work is fixed: body cap, ``authenticate``, ``dedupe_key``, store, answer; ``read`` runs later, in the
worker, and again at every replay.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeAlias, TypeVar

Event_co = TypeVar("Event_co", covariant=True)

LONGEST_KEPT_ID = 128


class Unauthenticated(Exception):
    """The delivery is not proved to come from the platform. The message never holds a secret or a signature."""


class Unreadable(Exception):
    """The delivery is genuine and makes no sense.

    The message says which field, what is wrong with it and what to do; never the value that stands there.
    """


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request as it came in. ``headers`` have lower-case names; ``received_at`` is a UTC instant.

    ``url_token`` is the secret part of the path the request was sent to, where the caller knows it.
    Headers, body and token are not shown by ``repr``: they hold credentials and guests.
    """

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    received_at: datetime
    remote: str | None = None
    url_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A delivery, or a part of one, that is kept and leads to nothing."""

    reason: str


Authenticate: TypeAlias = Callable[[Delivery, str, datetime], None]
"""Whether the delivery is genuine, by the endpoint's secret, at a UTC instant.

Returns when it is; raises Unauthenticated and nothing else when it is not, also when the secret is empty.
Does not parse the body.
"""


@dataclass(frozen=True)  # no slots: frozen, with slots and called by an alias such as Platform(…), it cannot be made
class Hook(Generic[Event_co]):
    """One sender of webhooks: a booking platform, or the cloud of a lock app."""

    key: str
    title: str
    authenticate: Authenticate
    dedupe_key: Callable[[Delivery], str]
    """At most 150 printable ASCII characters, equal for repeats of an event; of genuine deliveries; never raises."""
    read: Callable[[Delivery], Sequence[Event_co]]
    """What the delivery says, at least one event. Raises Unreadable and nothing else."""
    secret_problem: Callable[[str], str | None]
    """What is wrong with a secret somebody wants to configure (without quoting it); None when nothing is."""
    setup_help: str
    """Where a host finds the secret and the form it has."""
    max_body: int = 256 * 1024
    """Bytes."""
    secret_is_login: bool = False
    """The secret is a login and a password (HTTP Basic), with a colon between them."""
    secret_is_address: bool = False
    """The sender signs nothing: the secret part of the address is all the proof there is."""
    reply: str | None = None
    """The words with which the sender wants to be answered; None: it does not care."""


def dedupe_key_for(vendor_id: object, body: bytes) -> str:
    """The key of a delivery: the vendor's own id where it is a text, else the SHA-256 of the raw body."""
    if not isinstance(vendor_id, str) or not vendor_id:
        return f"sha256:{hashlib.sha256(body).hexdigest()}"
    if len(vendor_id) <= LONGEST_KEPT_ID and vendor_id.isascii() and vendor_id.isprintable():
        return f"id:{vendor_id}"
    return f"id-sha256:{hashlib.sha256(vendor_id.encode(errors='surrogatepass')).hexdigest()}"
