"""What the events of a calendar say besides their days: in whose words, about a stay or a block, of which guest.

Publishers differ in little: Airbnb gives the reservation's code and four digits of the phone, Vrbo a name in the host's
language, Booking.com nothing but a closure; property management systems write lines ``Name: value``.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from hashlib import sha256

from lockbridge.domain.stay import StayStatus
from lockbridge.platforms.calendar_text import CalendarText, Component
from lockbridge.platforms.reading import LONGEST_REF, said

AIRBNB, VRBO, BOOKING = "airbnb", "vrbo", "booking.com"
FEWEST_DIGITS = 4
"""Fewer are no part of a phone number."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an event says besides its days."""

    status: StayStatus
    raw_status: str
    """In the publisher's words, without the guest's name."""
    code: str | None = None
    guest: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    check_in: time | None = None
    check_out: time | None = None
    owner: bool = False


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who makes a feed, and how its events are understood."""

    key: str
    marks: tuple[str, ...]
    """Any of which stands in the PRODID, in small letters."""
    understand: Callable[[Component], Said | None]
    """None: the event is about no stay and no block."""
    identity: Callable[[Component, Said], str]
    """Empty: the event has none of its own but its days."""
    by_departure: bool = False
    """The day of departure is all that stays the same: UID and arrival change daily. Codes need a person's word."""


# -- words: small letters without accents, in the order English, French, German, Spanish, Italian, Portuguese, Dutch ---

_BLOCKED = re.compile(
    r"(?:[\w.]+ ?\()?(?:"
    r"not available|unavailable|blocked|closed|maintenance|cleaning|renovation|owner block|"
    r"indisponible|non disponible|bloquee?|"
    r"nicht verfugbar|gesperrt|blockiert|geschlossen|"
    r"no disponible|bloqueado|bloqueada|bloqueo|cerrado|cerrada|"
    r"non disponibile|bloccato|bloccata|chiuso|chiusa|"
    r"indisponivel|nao disponivel|fechado|fechada|"
    r"niet beschikbaar|geblokkeerd|gesloten"
    r")(?!\w)"
)
_PENDING = re.compile(
    r"tentative|provisional|pending|hold|on hold|option|optional|request|inquiry|enquiry|"
    r"provisoire|en attente|en option|demande|"
    r"vorlaufig|provisorisch|ausstehend|angefragt|anfrage|"
    r"pendiente|solicitud|"
    r"provvisori[oa]|in attesa|richiesta|"
    r"provisori[oa]|pendente|pedido|"
    r"voorlopig|optie|in afwachting"
)
_BOOKED = re.compile(
    r"reserved|booked|reservation|booking|stay|guest|confirmed|occupied|"
    r"reservee?|occupee?|confirmee?|sejour|"
    r"reserviert|gebucht|buchung|reservierung|belegt|besetzt|bestatigt|gast|"
    r"reservad[oa]|reserva|ocupad[oa]|confirmad[oa]|"
    r"prenotat[oa]|prenotazione|riservat[oa]|occupat[oa]|confermat[oa]|"
    r"gereserveerd|geboekt|reservering|boeking|bezet|"
    r"airbnb|vrbo|homeaway|abritel|fewo|booking\.com|expedia|direct"
)
_CANCELLED = re.compile(r"cancell?ed|annulee?|storniert|cancelad[oa]|annullat[oa]|geannuleerd")
_OWNER = re.compile(
    r"owner|owner (?:stay|booking|reservation)|proprietaire|sejour proprietaire|"
    r"eigentumer|eigenbelegung|eigennutzung|propietario|proprietario|eigenaar"
)
_LABELS = (
    (_BOOKED, StayStatus.CONFIRMED),
    (_PENDING, StayStatus.PENDING),
    (_CANCELLED, StayStatus.CANCELLED),
)
_TELLS_NOTHING = frozenset({"busy", "free", "tentatively busy"})
_ABOUT_A_DAY = re.compile(r"(?:check[- ]?(?:in|out)|anreise|abreise)(?!\w)")
_NO_NAMES = frozenset({"", "vrbo", "homeaway", "abritel", "fewo-direkt", "stayz", "bookabach", "airbnb", "booking.com"})
_SEPARATOR = re.compile(r"\s+[-–—|]\s+|\s*[:(]\s*")


def folded(text: str) -> str:
    """Small letters without accents: how the words above are written."""
    small = text.casefold()
    if small.isascii():
        return small
    return "".join(each for each in unicodedata.normalize("NFKD", small) if not unicodedata.combining(each))


def summary_said(event: Component) -> Said:
    """What the one line says that every feed has: a known word, a known word and a name, or else a guest's name.

    What is not clearly a block is a stay.
    """
    text = said(event.text("SUMMARY")) or ""
    label, name = _parted(text)
    word, whole = folded(label), folded(text)
    if block := _BLOCKED.match(whole):
        return Said(StayStatus.BLOCKED, block[0])
    if whole in _TELLS_NOTHING:
        return Said(StayStatus.UNKNOWN, text)
    if _OWNER.fullmatch(word):
        return Said(StayStatus.CONFIRMED, label, owner=True)
    for words, status in _LABELS:
        if words.fullmatch(word):
            return Said(status, label, guest=name)
    return Said(StayStatus.CONFIRMED, "reservation", guest=text or None)


def _parted(text: str) -> tuple[str, str | None]:
    """What stands before a dash, colon or bracket, and the name behind it."""
    label, *rest = _SEPARATOR.split(text, maxsplit=1)
    name = "".join(rest).rstrip(")").strip()
    return label.strip(), None if name.casefold() in _NO_NAMES else name


# -- descriptions -----------------------------------------------------------------------------------------------------

_MARKUP = re.compile(r"<br ?/?>", re.IGNORECASE)
_AIRBNB_CODE = re.compile(r"(?:details/|code=)(HM[A-Za-z0-9]{6,12})(?![A-Za-z0-9])|(?<!\w)(HM[A-Z0-9]{8})(?!\w)")
_HOUR = re.compile(r"(\d{1,2})(?:[:.h](\d\d))?(?::\d\d)?\s*(am|pm|h|uhr)?", re.ASCII | re.IGNORECASE)
_PHONE = ("phone", "phone number", "guest phone", "guest phone number", "mobile", "telefon", "téléphone", "teléfono")
_LAST_DIGITS = "last 4"
_EMAIL = ("email", "e-mail", "guest email")
_GUEST = ("guest", "guest name", "name")
_CODE = tuple(
    f"{thing} {name}"
    for thing in ("booking", "reservation", "confirmation")
    for name in ("id", "code", "number", "reference")
)
_CHECK_IN = ("check-in time", "checkin time", "check in time", "check-in", "checkin")
_CHECK_OUT = ("check-out time", "checkout time", "check out time", "check-out", "checkout")


def notes_of(description: str) -> Mapping[str, str]:
    """The lines ``Name: value`` of a description, by name in small letters; the first of each."""
    notes: dict[str, str] = {}
    plain = _MARKUP.sub("\n", description) if "<" in description else description
    for line in plain.split("\n"):
        name, _, value = line.partition(":")
        if value and not value.isspace():
            notes.setdefault(name.strip().casefold(), value)
    return notes


def _first(notes: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((said(notes[name]) for name in names if name in notes), None)


def _phone(notes: Mapping[str, str]) -> str | None:
    """The number; else its last digits, where only these are told."""
    for name in (*_PHONE, *notes):
        if name in notes and (name in _PHONE or _LAST_DIGITS in name):
            text = said(notes[name]) or ""
            if sum(map(str.isdecimal, text)) >= FEWEST_DIGITS:
                return text
    return None


def hour_said(text: str | None) -> time | None:
    """The time of day in ``16``, ``16:00`` or ``4 pm``; None for anything else, and for midnight."""
    found = _HOUR.fullmatch(text or "")
    if found is None:
        return None
    hour, half = int(found[1]), (found[3] or "").casefold()
    if half in {"am", "pm"}:
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        at = time(hour, int(found[2] or 0))
    except ValueError:
        return None
    return None if at == time() else at


def _airbnb_code(event: Component, description: str) -> str | None:
    """The confirmation code, in the reservation's address or by itself."""
    found = _AIRBNB_CODE.search(f"{description}\n{event.raw('URL')}\n{event.raw('SUMMARY')}")
    return found and (found[1] or found[2])


# -- publishers -------------------------------------------------------------------------------------------------------

_AIRBNB_BLOCKS = ("6fec1092d3fa-", "7f662ec65913-")


def _airbnb(event: Component) -> Said:
    """A reservation has its code in the address in the description; blocks have a UID of their own kind."""
    description = event.text("DESCRIPTION")
    code = _airbnb_code(event, description)
    if code:
        return Said(StayStatus.CONFIRMED, "Reserved", code=code, phone=_phone(notes_of(description)))
    told = summary_said(event)
    if told.status is StayStatus.BLOCKED or event.raw("UID").startswith(_AIRBNB_BLOCKS):
        return Said(StayStatus.BLOCKED, "Not available")
    return replace(told, phone=_phone(notes_of(description)))


def _booking(event: Component) -> Said:
    text = (said(event.text("SUMMARY")) or "no summary")[:60]
    return Said(StayStatus.PENDING, f"{text} (Booking.com: a stay or a closure)")


def _anybody(event: Component) -> Said | None:
    """The summary, and what property management systems write into descriptions."""
    if _ABOUT_A_DAY.match(folded(event.text("SUMMARY"))):
        return None
    told = summary_said(event)
    if told.status is StayStatus.BLOCKED:
        return told
    description = event.text("DESCRIPTION")
    notes = notes_of(description)
    return replace(
        told,
        code=_first(notes, _CODE) or _airbnb_code(event, description),
        guest=_first(notes, _GUEST) or told.guest,
        phone=_phone(notes),
        email=_first(notes, _EMAIL),
        check_in=hour_said(_first(notes, _CHECK_IN)),
        check_out=hour_said(_first(notes, _CHECK_OUT)),
    )


def _uid(event: Component, _told: Said) -> str:
    """The UID; one that is long or strange is known by its hash."""
    uid = event.raw("UID")
    if len(uid) <= LONGEST_REF and uid.isprintable():
        return uid
    return f"uid-sha256:{sha256(uid.encode(errors='surrogatepass')).hexdigest()}"


def _code_or_uid(event: Component, told: Said) -> str:
    return told.code or _uid(event, told)


def _nothing(_event: Component, _told: Said) -> str:
    return ""


_EVERYBODY = Publisher("", (), _anybody, _uid)
PUBLISHERS = (
    Publisher(AIRBNB, ("airbnb",), _airbnb, _code_or_uid),
    Publisher(VRBO, ("homeaway", "vrbo", "abritel", "fewo-direkt"), _anybody, _uid),
    Publisher(BOOKING, ("booking.com",), _booking, _nothing, by_departure=True),
)


def publisher_of(calendar: CalendarText) -> Publisher:
    """Who made it, by its PRODID; without one, by the ends of its UIDs."""
    product = calendar.head.raw("PRODID").casefold()
    if product:
        return next((each for each in PUBLISHERS if any(mark in product for mark in each.marks)), _EVERYBODY)
    ends = {event.raw("UID").casefold().rpartition("@")[2] for event in calendar.events}
    return next((each for each in PUBLISHERS if ends and ends <= {f"{each.key}.com", each.key}), _EVERYBODY)
