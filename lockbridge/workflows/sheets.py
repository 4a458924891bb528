"""Sheets of properties, matches and stays: what columns mean, what is wrong with a row, what a good one changes."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId, LockId, PropertyId
from lockbridge.domain.settings import CodeSettings
from lockbridge.domain.stay import StayStatus
from lockbridge.platforms import sheet
from lockbridge.platforms.contract import ReservationEvent
from lockbridge.storage import codes, hosts, locks, stays, uploads
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.locks import LockRow
from lockbridge.storage.stays import StayRow
from lockbridge.storage.uploads import Upload
from lockbridge.workflows import properties, reservations
from lockbridge.workflows.clean_up import UPLOADS_KEPT
from lockbridge.workflows.connect import BadInput, checked_email, match_in, unmatch_in
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.preview import Change
from lockbridge.workflows.reservations import Said

LONGEST_CELL = 2000
LONGEST_CODE = 100
FEWEST_DIGITS = 5
AT_ONCE = 200
"""A sheet with at most so many rows is imported in one go: all of it as it was shown, or nothing."""
CHUNK = 100
MOST_EXPORTED = 20_000
AS_HOST = "-"
"""Written into a setting: it is as the host has it, from now on."""


class Kind(StrEnum):
    """What a sheet is about."""

    PROPERTIES = "properties"
    MATCHES = "matches"
    STAYS = "stays"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet. ``exported``: it is written for people and says nothing when it is read."""

    name: str
    help: str
    example: str = ""
    required: bool = False
    exported: bool = False
    private: bool = False
    """It is exported only to those who asked for it and may see it."""


_AS_HOST = "Empty: as it is. A single “-”: as the host has it."
COLUMNS: Mapping[Kind, tuple[Column, ...]] = {
    Kind.PROPERTIES: (
        Column("name", "What you call it. One of this name is changed, else a new one is added.", "Lake House", True),
        Column("zone", "Time zone; needed for a new property.", "Europe/Berlin"),
        Column("country", "Two letters, for phone numbers without one.", "DE"),
        Column("check_in", "Usual time of arrival, local.", "16:00"),
        Column("check_out", "Usual time of departure, local.", "11:00"),
        Column("language", "Two letters: the language of messages to guests whose own is not known.", "de"),
        Column("address", "For the guest page.", "Seestraße 1, 12345 Seeheim"),
        Column("arrival_note", "How to find the door, for the guest page.", "The keypad is left of the gate."),
        Column("pin_mode", f"phone or random. {_AS_HOST}", "phone"),
        Column("pin_length", f"3 to 12 digits. {_AS_HOST}", "4"),
        Column("buffer_before_minutes", f"How much earlier the code opens. {_AS_HOST}", "30"),
        Column("buffer_after_minutes", f"How much later it closes. {_AS_HOST}", "0"),
        Column("backups", f"yes or no: backup codes on its locks. {_AS_HOST}", "yes"),
        Column("phone_wait_minutes", f"How long a booking without a phone number waits for it. {_AS_HOST}", "5"),
        Column("final_check_includes_buffer", f"yes or no. {_AS_HOST}", ""),
        Column("owner_codes", f"yes or no: codes for the owner’s own stays. {_AS_HOST}", ""),
        Column("names", "How platforms name it, as platform:id, several with blanks between.", "generic:lake-house"),
    ),
    Kind.MATCHES: (
        Column("property", "Its name here.", "Lake House", True),
        Column("lock", "The lock’s name here.", "Front door", True),
        Column("lock_app", "The lock app’s name, where two locks have one name.", ""),
        Column("door", "1 for the door a guest comes to first, 2 for the next.", "1"),
        Column("opens", "yes (or empty), or no: then the lock is taken from the property.", "yes"),
    ),
    Kind.STAYS: (
        Column("reservation_code", "Which stay it is: the next import changes the one of this code.", "HMX42A", True),
        Column("property", "Its name here.", "Lake House", True),
        Column("arrival", "First day, as 2026-06-14 or as a date.", "2026-06-14", True),
        Column("departure", "Last day.", "2026-06-16", True),
        Column("status", "confirmed (or empty), pending or cancelled.", "confirmed"),
        Column("guest_name", "Whose code it is; the code is called so in the lock app.", "Ida Example"),
        Column("phone", "Kept as text; its last digits can become the PIN.", "+1 555 010 4321", private=True),
        Column("email", "Where the messages go.", "ida@example.com", private=True),
        Column("language", "Two letters.", "en"),
        Column("check_in", "Another time than the property’s, local.", ""),
        Column("check_out", "Another time than the property’s, local.", ""),
        Column("booked_on", "Where it was booked. Not read.", exported=True),
        Column("pin", "The code. Not read.", exported=True, private=True),
    ),
}
SETTINGS = tuple(CodeSettings.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Table:
    """What stands in a file: its heading, and each row with its number there."""

    header: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a cell. Row 1 is the heading."""

    row: int
    column: str
    what: str


@dataclass(frozen=True, slots=True)
class Good:
    """A row that can be imported, and what it says, looked up and checked."""

    row: int
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a sheet comes to: rows that can be imported, and what is wrong with the others."""

    kind: Kind
    good: Sequence[Good]
    faults: Sequence[Fault]


class _Faulty(Exception):
    """A cell that makes no sense."""

    def __init__(self, at: str, what: str) -> None:
        super().__init__(what)
        self.column = at


# ----------------------------------------------------------------------------------------------------------- heading


def kind_of(header: Sequence[str]) -> Kind | None:
    """What a sheet with this heading is about; None: none of ours has such columns."""
    said = {_plain(cell) for cell in header}
    fits = {kind: sum(1 for column in columns if column.name in said) for kind, columns in COLUMNS.items()}
    needs = [kind for kind in Kind if all(each.name in said for each in COLUMNS[kind] if each.required)]
    return max(needs or Kind, key=lambda kind: fits[kind]) if any(fits.values()) else None


def _plain(cell: str) -> str:
    return re.sub(r"[\s_-]+", "_", cell.strip().casefold())


def _header(kind: Kind, header: Sequence[str]) -> tuple[list[str], list[Fault]]:
    """The name of each column, empty for one that is not read, and what is wrong with the heading."""
    known = {column.name: column for column in COLUMNS[kind]}
    names, faults = [], []
    for cell in header:
        name = _plain(cell)
        if name and name not in known:
            faults.append(Fault(1, cell, _no_column(cell, name, known)))
        elif name in names:
            faults.append(Fault(1, cell, "stands twice in the heading: leave one of them out"))
        names.append(name if name in known and not known[name].exported else "")
    missing = [name for name, column in known.items() if column.required and name not in names]
    return names, faults + [Fault(1, name, "is missing: every row needs it") for name in missing]


def _no_column(cell: str, name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"there is no column {cell!r}: {hint}"


# ------------------------------------------------------------------------------------------------------------- check


@dataclass(frozen=True, slots=True)
class _Known:
    """What rows can name, and what the rows before said."""

    tools: Tools
    places: Mapping[str, Sequence[PropertyRow]]
    locks: Mapping[str, Sequence[tuple[LockRow, str]]]
    seen: dict[Any, int]

    def place(self, text: str) -> PropertyRow:
        found = self.places.get(_folded(text), ())
        if len(found) == 1:
            return found[0]
        if found:
            raise _Faulty(
                at="property", what=f"{len(found)} properties are called {text!r}: give them different names first"
            )
        raise _Faulty(at="property", what=_nobody("property", text, self.places))

    def lock(self, text: str, app: str) -> LockRow:
        every = self.locks.get(_folded(text), ())
        found = [row for row, name in every if not app or _folded(name) == _folded(app)]
        if len(found) == 1:
            return found[0]
        if found:
            raise _Faulty(at="lock", what=f"{len(found)} locks are called {text!r}: say which in the column lock_app")
        if every:
            raise _Faulty(
                at="lock_app", what=f"{text!r} is no lock of {app!r}, but of {', '.join(name for _, name in every)}"
            )
        raise _Faulty(at="lock", what=_nobody("lock", text, self.locks))

    def once(self, row: int, column: str, what: Any, said: str) -> None:
        """Raises _Faulty when an earlier row is about the same."""
        before = self.seen.setdefault(what, row)
        if before != row:
            raise _Faulty(column, f"{said} stands in row {before} already")


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _nobody(what: str, text: str, known: Mapping[str, Sequence[Any]]) -> str:
    near = get_close_matches(_folded(text), list(known), n=1)
    names = [each.name for each in known[near[0]] if isinstance(each, PropertyRow)] if near else []
    hint = f": did you mean {names[0] if names else near[0]}?" if near else ""
    return f"there is no {what} {text!r}{hint}"


def check(connection: Connection, tools: Tools, host: HostId, kind: Kind, table: Table) -> Checked:
    """Which rows of a sheet can be imported, and what is wrong with the others. Changes nothing."""
    names, faults = _header(kind, table.header)
    if faults:
        return Checked(kind, [], faults)
    known, good = _known(connection, tools, host), []
    for number, cells in table.rows:
        said = _cells(names, cells)
        if not any(said.values()):
            continue
        try:
            good.append(Good(number, _read(kind, known, number, said)))
        except _Faulty as error:
            faults.append(Fault(number, error.column, str(error)))
    return Checked(kind, good, faults)


def _known(connection: Connection, tools: Tools, host: HostId) -> _Known:
    apps = {app.id: app.name for app in hosts.lock_apps_of_host(connection, tools.vault, host)}
    places: dict[str, list[PropertyRow]] = defaultdict(list)
    doors: dict[str, list[tuple[LockRow, str]]] = defaultdict(list)
    for place in hosts.properties_of_host(connection, host):
        places[_folded(place.name)].append(place)
    for lock in locks.locks_of_host(connection, host):
        doors[_folded(lock.name)].append((lock, apps[lock.app]))
    return _Known(tools, places, doors, {})


def _cells(names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    return {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}


def _read(kind: Kind, known: _Known, row: int, said: Mapping[str, str]) -> dict[str, Any]:
    for column in COLUMNS[kind]:
        if column.required and not said.get(column.name):
            raise _Faulty(column.name, "is empty: every row needs it")
    for name, cell in said.items():
        if len(cell) > LONGEST_CELL:
            raise _Faulty(name, f"has {len(cell)} characters: at most {LONGEST_CELL}, please")
    return _READERS[kind](known, row, said)


def _read_property(known: _Known, row: int, said: Mapping[str, str]) -> dict[str, Any]:
    found = known.places.get(_folded(said["name"]), ())
    if len(found) > 1:
        raise _Faulty(at="name", what=f"{len(found)} properties are called so: give them different names first")
    known.once(row, "name", _folded(said["name"]), f"{said['name']!r}")
    if not found and not said.get("zone"):
        raise _Faulty(at="zone", what="is empty: a new property needs it")
    try:
        facts = properties.checked({name: said[name] for name in properties.FACTS if said.get(name)})
        settings = properties.checked_settings(
            {name: said[name] for name in SETTINGS if said.get(name, AS_HOST) != AS_HOST}
        )
    except properties.BadField as error:
        raise _Faulty(error.field, str(error)) from None
    reset = [name for name in SETTINGS if said.get(name) == AS_HOST]
    return {"place": found[0].id if found else None, "facts": facts, "settings": settings, "reset": reset} | {
        "names": [_ref(known, text) for text in re.split(r"[\s,;]+", said.get("names", "")) if text]
    }


def _ref(known: _Known, text: str) -> tuple[str, str]:
    key, _, ref = text.partition(":")
    platform = known.tools.platforms.get(key)
    if platform is None or not ref or (platform.hook is None and platform.connect is None):
        able = [name for name, each in known.tools.platforms.items() if each.hook or each.connect]
        raise _Faulty(at="names", what=f"{text!r} is not platform:id; platforms are {', '.join(sorted(able))}")
    return key, ref


def _read_match(known: _Known, row: int, said: Mapping[str, str]) -> dict[str, Any]:
    place, lock = known.place(said["property"]), known.lock(said["lock"], said.get("lock_app", ""))
    known.once(row, "lock", (place.id, lock.id), "this match")
    door = said.get("door", "")
    if door and not (door.isascii() and door.isdecimal() and 0 < int(door) < 100):  # noqa: PLR2004 - doors of one house
        raise _Faulty(at="door", what=f"{door!r} is no number of a door: write 1 for the first")
    return {"place": place.id, "lock": lock.id, "door": int(door) if door else None, "opens": _opens(said)}


def _opens(said: Mapping[str, str]) -> bool:
    words = {"": True, "yes": True, "true": True, "no": False, "false": False}
    word = said.get("opens", "").casefold()
    if word not in words:
        raise _Faulty(at="opens", what=f"{said['opens']!r} is neither yes nor no")
    return words[word]


_STATUSES = {
    "": StayStatus.CONFIRMED,
    "confirmed": StayStatus.CONFIRMED,
    "pending": StayStatus.PENDING,
    "cancelled": StayStatus.CANCELLED,
    "canceled": StayStatus.CANCELLED,
}


def _read_stay(known: _Known, row: int, said: Mapping[str, str]) -> dict[str, Any]:
    code, place = said["reservation_code"], known.place(said["property"])
    if len(code) > LONGEST_CODE:
        raise _Faulty(at="reservation_code", what=f"has {len(code)} characters: at most {LONGEST_CODE}, please")
    known.once(row, "reservation_code", code, f"{code!r}")
    status = said.get("status", "").casefold()
    if status not in _STATUSES:
        raise _Faulty(at="status", what=f"{said['status']!r} is none of confirmed, pending and cancelled")
    return {
        "code": code,
        "place": place.id,
        "status": _STATUSES[status],
        "guest_name": said.get("guest_name") or None,
        **_days(said),
        **_reachable(said),
    }


def _days(said: Mapping[str, str]) -> dict[str, Any]:
    arrival, departure = _day(said, "arrival"), _day(said, "departure")
    check_in, check_out = _time(said, "check_in"), _time(said, "check_out")
    if departure < arrival:
        raise _Faulty(at="departure", what=f"{departure} is before the arrival on {arrival}")
    if departure == arrival and (check_in is None or check_out is None or check_out <= check_in):
        raise _Faulty(
            at="departure", what="is the day of arrival: then check_in and check_out are needed, in this order"
        )
    return {"arrival": arrival, "departure": departure, "check_in": check_in, "check_out": check_out}


def _day(said: Mapping[str, str], column: str) -> date:
    text = said[column].removesuffix("T00:00:00").removesuffix(" 00:00:00")
    german = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text)
    try:
        found = date(int(german[3]), int(german[2]), int(german[1])) if german else date.fromisoformat(text)
    except ValueError:
        raise _Faulty(column, f"{text!r} is no date: write it like 2026-06-14") from None
    if not 2000 <= found.year < 2100:  # noqa: PLR2004 - nobody has a code for another century
        raise _Faulty(column, f"{text!r} is no date of a stay: write it like 2026-06-14")
    return found


def _time(said: Mapping[str, str], column: str) -> time | None:
    text = said.get(column, "")
    if not text:
        return None
    try:
        return time.fromisoformat(text.zfill(5)).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        raise _Faulty(column, f"{text!r} is no time of day: write it like 16:00") from None


def _reachable(said: Mapping[str, str]) -> dict[str, Any]:
    phone, email, language = (said.get(name) or None for name in ("phone", "email", "language"))
    if phone and sum(char.isdigit() for char in phone) < FEWEST_DIGITS:
        raise _Faulty(at="phone", what="is no phone number: write it with its country, like +1 555 010 4321")
    if email:
        try:
            email = checked_email(email)
        except BadInput:
            raise _Faulty(at="email", what="is no e-mail address: write it like ida@example.com") from None
    if language and not re.fullmatch(r"[A-Za-z]{2}([-_][A-Za-z]{2})?", language):
        raise _Faulty(at="language", what=f"{language!r} is no language: write its two letters, such as de")
    return {"phone": phone, "email": email, "language": language}


_READERS: Mapping[Kind, Callable[[_Known, int, Mapping[str, str]], dict[str, Any]]] = {
    Kind.PROPERTIES: _read_property,
    Kind.MATCHES: _read_match,
    Kind.STAYS: _read_stay,
}


# ------------------------------------------------------------------------------------------------------------- apply


def importing(host: HostId, checked: Checked, now: datetime, counted: Counter[str] | None = None) -> Change:
    """The change that a sheet's good rows are, to be previewed or made; ``counted`` is told what came of the rows."""

    def change(connection: Connection, tools: Tools) -> None:
        came = apply_in(connection, tools, host, checked.kind, checked.good, now)
        if counted is not None:
            counted.clear()
            counted.update(came)

    return change


def apply_in(
    connection: Connection, tools: Tools, host: HostId, kind: Kind, rows: Sequence[Good], now: datetime
) -> Counter[str]:
    """Make what these rows say true. How many were added, changed, or said nothing new."""
    if kind is Kind.STAYS:
        for place in {row.values["place"] for row in rows}:
            hosts.add_property_ref(connection, host, place, sheet.KEY, str(place))
    came = Counter(_WRITERS[kind](connection, tools, host, row.values, now) for row in rows)
    if kind is Kind.MATCHES:
        _order_doors(connection, host, rows)
    return came


def _write_property(connection: Connection, tools: Tools, host: HostId, said: Mapping[str, Any], now: datetime) -> str:
    place, came = said["place"], "unchanged"
    if place is None:
        usual = {"check_in": "16:00", "check_out": "11:00"}
        place = hosts.add_property(connection, host, usual | said["facts"] | {"settings": said["settings"]}, now)
        came = "added"
    else:
        before = properties.of_host(connection, host, place)
        settings = {name: value for name, value in before.settings.items() if name not in said["reset"]}
        values = said["facts"] | {"settings": settings | said["settings"]}
        if any(getattr(before, name) != value for name, value in values.items()):
            properties.change_in(connection, tools, host, place, values, now)
            came = "changed"
    for platform, ref in said["names"]:
        if hosts.find_property(connection, host, platform, ref) != place:
            properties.naming(host, place, platform, ref, now)(connection, tools)
            came = "changed" if came == "unchanged" else came
    return came


def _write_match(connection: Connection, tools: Tools, host: HostId, said: Mapping[str, Any], now: datetime) -> str:
    step = match_in if said["opens"] else unmatch_in
    news = step(connection, tools, host, said["place"], said["lock"], now)
    return ("added" if said["opens"] else "taken off") if news else "unchanged"


def _order_doors(connection: Connection, host: HostId, rows: Sequence[Good]) -> None:
    wanted: dict[PropertyId, dict[LockId, int]] = defaultdict(dict)
    for row in rows:
        if row.values["door"] is not None:
            wanted[row.values["place"]][row.values["lock"]] = row.values["door"]
    for place, doors in wanted.items():
        now = [lock for _, lock in hosts.matches(connection, [place])]
        hosts.order_doors(connection, host, place, sorted(now, key=lambda lock: doors.get(lock, 100)))


def _write_stay(connection: Connection, tools: Tools, host: HostId, said: Mapping[str, Any], now: datetime) -> str:
    before = stays.find(connection, tools.vault, host, sheet.KEY, said["code"])
    applied = reservations.apply(
        connection, tools, Said(host, now, "the imported sheet", asked=True), _event(said), now
    )
    if applied is None or not applied.news:
        return "unchanged"
    return "changed" if before is not None else "added"


def _event(said: Mapping[str, Any]) -> ReservationEvent:
    name = said["guest_name"]
    return ReservationEvent(
        platform=sheet.KEY,
        external_id=said["code"],
        reservation_code=said["code"],
        property_ref=str(said["place"]),
        status=said["status"],
        raw_status=said["status"].value,
        arrival=said["arrival"],
        departure=said["departure"],
        check_in=said["check_in"],
        check_out=said["check_out"],
        guest_name=name,
        guest_first_name=name.split(maxsplit=1)[0] if name else None,
        phone=said["phone"],
        email=said["email"],
        language=said["language"],
    )


_WRITERS: Mapping[Kind, Callable[[Connection, Tools, HostId, Mapping[str, Any], datetime], str]] = {
    Kind.PROPERTIES: _write_property,
    Kind.MATCHES: _write_match,
    Kind.STAYS: _write_stay,
}


def chunks(rows: Sequence[Good]) -> Iterator[Sequence[Good]]:
    """The rows in portions that are short to write."""
    yield from (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


# -------------------------------------------------------------------------------------------------------------- keep


async def keep(tools: Tools, host: HostId, kind: Kind, name: str, table: Table, now: datetime) -> int:
    """Keep a sheet until it is imported, for a day at most. Its number."""
    new = Upload(0, kind.value, name, table.header, table.rows, now)
    return await transact(tools, lambda c: _keep(c, tools, host, new))


def _keep(connection: Connection, tools: Tools, host: HostId, new: Upload) -> int:
    uploads.forget_before(connection, new.created_at - UPLOADS_KEPT)
    return uploads.add(connection, tools.vault, host, new)


# ------------------------------------------------------------------------------------------------------------ export


def export(connection: Connection, tools: Tools, host: HostId, kind: Kind, *, private: bool) -> Table:
    """Everything of a kind as a sheet that can be imported again; ``private``: with contacts and PINs."""
    columns = [column.name for column in COLUMNS[kind] if private or not column.private]
    rows = _EXPORTS[kind](connection, tools, host)
    return Table(columns, [(number, [row.get(name, "") for name in columns]) for number, row in enumerate(rows, 2)])


def _properties(connection: Connection, _tools: Tools, host: HostId) -> Iterator[dict[str, str]]:
    refs: dict[PropertyId, list[str]] = defaultdict(list)
    for place, platform, ref in hosts.refs_of_host(connection, host):
        known = _tools.platforms.get(platform)
        if known is not None and (known.hook or known.connect):
            refs[place].append(f"{platform}:{ref}")
    for row in hosts.properties_of_host(connection, host):
        facts = {name: getattr(row, name) or "" for name in properties.FACTS}
        yield (
            facts | {name: _written(value) for name, value in row.settings.items()} | {"names": " ".join(refs[row.id])}
        )


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _matches(connection: Connection, tools: Tools, host: HostId) -> Iterator[dict[str, str]]:
    places = {row.id: row.name for row in hosts.properties_of_host(connection, host)}
    rows = {row.id: row for row in locks.locks_of_host(connection, host)}
    apps = {app.id: app.name for app in hosts.lock_apps_of_host(connection, tools.vault, host)}
    doors: Counter[PropertyId] = Counter()
    for place, lock in hosts.matches_of_host(connection, host):
        doors[place] += 1
        found = {"property": places[place], "lock": rows[lock].name, "lock_app": apps[rows[lock].app]}
        yield found | {"door": str(doors[place]), "opens": "yes"}


def _stays(connection: Connection, tools: Tools, host: HostId) -> Iterator[dict[str, str]]:
    rows = stays.of_host(connection, tools.vault, host, limit=MOST_EXPORTED)
    places = {row.id: row.name for row in hosts.properties_of_host(connection, host)}
    pins = _pins(connection, tools, host, rows)
    for row in rows:
        times = {"check_in": row.host_check_in or row.check_in, "check_out": row.host_check_out or row.check_out}
        facts = {
            "reservation_code": row.reservation_code,
            "property": places.get(row.property, "") if row.property is not None else "",
            "arrival": row.arrival.isoformat(),
            "departure": row.departure.isoformat(),
            "status": row.status.value,
            "guest_name": row.guest_name,
            "phone": row.contact.phone,
            "email": row.contact.email,
            "language": row.language,
            "booked_on": row.booked_on or row.platform,
            "pin": pins.get(row.code, "") if row.code is not None else "",
        }
        yield {name: value or "" for name, value in (facts | times).items()}


def _pins(connection: Connection, tools: Tools, host: HostId, rows: Sequence[StayRow]) -> dict[Any, str]:
    """The digits of each code: one PIN or, where they differ, that of each lock."""
    names = {row.id: row.name for row in locks.locks_of_host(connection, host)}
    placed = codes.placements_of(connection, tools.vault, {row.code for row in rows if row.code is not None})
    found = {}
    for code, items in placed.items():
        told = {names[each.placement.lock]: each.placement.pin.digits for each in items if each.placement.pin}
        one = len(set(told.values())) == 1
        found[code] = next(iter(told.values())) if one else "; ".join(f"{name} {pin}" for name, pin in told.items())
    return found


_EXPORTS: Mapping[Kind, Callable[[Connection, Tools, HostId], Iterator[dict[str, str]]]] = {
    Kind.PROPERTIES: _properties,
    Kind.MATCHES: _matches,
    Kind.STAYS: _stays,
}


def example(kind: Kind) -> Table:
    """A sheet of one row that shows what is meant."""
    columns = [column for column in COLUMNS[kind] if not column.exported]
    return Table([column.name for column in columns], [(2, [column.example for column in columns])])
