"""Questions about who did what: append-only, one host at a time, without digits."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert

from lockbridge.domain.ids import HostId, PersonId
from lockbridge.storage.tables import AUDIT


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did. ``what`` is a short verb phrase, ``about`` names a thing (``stay 12``), ``why`` is theirs."""

    at: datetime
    host: HostId
    who: str
    what: str
    about: str = ""
    why: str = ""
    person: PersonId | None = None


def write(connection: Connection, deed: Deed) -> None:
    """Append what somebody did."""
    values = {
        "host_id": deed.host,
        "at": deed.at,
        "person_id": deed.person,
        "who": deed.who,
        "what": deed.what,
        "about": deed.about,
        "why": deed.why,
    }
    connection.execute(insert(AUDIT).values(**values))
