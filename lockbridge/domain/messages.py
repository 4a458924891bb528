"""What is told to a guest: short codes, the PINs a text gave away, when it is due, and what is told only once."""

import difflib
import hashlib
import html
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from urllib.parse import quote

from lockbridge.domain.code import Pin, Window

K = TypeVar("K")

SHORT_CODES: Mapping[str, str] = {
    "smartlock_code": "The PIN of the stay; one line per lock where they differ.",
    "guest_first_name": "The guest's first name.",
    "guest_name": "The guest's full name.",
    "property_name": "The name of the property.",
    "check_in_date": "The day of check-in, in the property's zone.",
    "check_in_time": "The time of check-in, in the property's zone.",
    "check_out_date": "The day of check-out, in the property's zone.",
    "check_out_time": "The time of check-out, in the property's zone.",
    "lock_names": "The names of the locks that the guest can open.",
    "guest_phone_last4": "The last four digits of the guest's phone number.",
    "backup_code": "The backup code that was given to the stay.",
    "operations_smartlock_code": "The staff code of the property.",
    "guest_page": "The address of the guest's own page: the way in, the code when its time has come, help at the door.",
}
"""The short codes of R34, each with its meaning in one sentence."""

_KNOWN = re.compile("%(" + "|".join(SHORT_CODES) + ")%")
_URL_ESCAPE = r"(?:[0-9][0-9A-Fa-f]|[A-Fa-f][0-9])"
_LOOKS_LIKE_ONE = re.compile(rf"%(?!{_URL_ESCAPE})(?![0-9]+%)(?P<name>[A-Za-z0-9_]+)%")
_MISSPELT = re.compile(r"(?=%(?P<name>[ A-Za-z0-9_-]+)%)")
_CUT = "\0"


class GuestMessage(StrEnum):
    """The messages a guest can get; each has a folder of this name under ``templates/guest/<language>/``."""

    ACCESS_CODE = "access_code"
    BACKUP_CODE = "backup_code"
    CORRECTION = "correction"
    EXTENDED = "extended"
    FALLBACK = "fallback"
    THANKS = "thanks"


class HostAlarm(StrEnum):
    """The e-mails a host can get; each has a file of this name under ``templates/email/host/``."""

    PUSH_FAILED = "push_failed"
    CODE_SET = "code_set"
    ARRIVALS_AT_RISK = "arrivals_at_risk"
    LOCK_OFFLINE = "lock_offline"
    LOCK_ONLINE = "lock_online"
    BATTERY_LOW = "battery_low"
    BATTERY_OK = "battery_ok"
    ACCOUNT_DISCONNECTED = "account_disconnected"
    ACCOUNT_CONNECTED = "account_connected"
    POOL_EMPTY = "pool_empty"
    LOCK_FULL = "lock_full"
    CODE_CHANGED_BY_HAND = "code_changed_by_hand"
    CODE_STAYS_VALID = "code_stays_valid"
    PIN_SPACE_EXHAUSTED = "pin_space_exhausted"
    PLAN_REFUSED = "plan_refused"
    MESSAGE_REFUSED = "message_refused"
    FIELD_NOT_WRITTEN = "field_not_written"
    BAD_SIGNATURE = "bad_signature"
    DELIVERY_DEAD = "delivery_dead"
    KEYPAD_WORK = "keypad_work"
    SOURCE_DISCONNECTED = "source_disconnected"
    SOURCE_CONNECTED = "source_connected"
    SOURCE_UNREADABLE = "source_unreadable"
    SOURCE_READABLE = "source_readable"
    WEBHOOKS_SILENT = "webhooks_silent"
    WEBHOOKS_HEARD = "webhooks_heard"
    PROPERTY_UNKNOWN = "property_unknown"
    SOURCES_DISAGREE = "sources_disagree"
    STAY_MISSING = "stay_missing"
    GUEST_AT_DOOR = "guest_at_door"


GRAVEST = (
    HostAlarm.GUEST_AT_DOOR,
    HostAlarm.PUSH_FAILED,
    HostAlarm.ARRIVALS_AT_RISK,
    HostAlarm.ACCOUNT_DISCONNECTED,
    HostAlarm.PIN_SPACE_EXHAUSTED,
    HostAlarm.PLAN_REFUSED,
    HostAlarm.LOCK_OFFLINE,
    HostAlarm.CODE_STAYS_VALID,
    HostAlarm.LOCK_FULL,
    HostAlarm.MESSAGE_REFUSED,
    HostAlarm.POOL_EMPTY,
    HostAlarm.BATTERY_LOW,
)
"""What a host reads first when there is much to read: whose guest stands before the door soonest."""


def gravity(alarm: HostAlarm) -> int:
    """Where an alarm stands among others, the gravest at 0; good news last."""
    if alarm in GRAVEST:
        return GRAVEST.index(alarm)
    return len(GRAVEST) + (alarm in _OVER)


_OVER = (HostAlarm.CODE_SET, HostAlarm.LOCK_ONLINE, HostAlarm.BATTERY_OK, HostAlarm.ACCOUNT_CONNECTED)


QUIET_IF_WISHED = frozenset(
    {
        *_OVER,
        HostAlarm.SOURCE_CONNECTED,
        HostAlarm.SOURCE_READABLE,
        HostAlarm.WEBHOOKS_HEARD,
        HostAlarm.WEBHOOKS_SILENT,
        HostAlarm.CODE_CHANGED_BY_HAND,
    }
)
"""What lockbridge sees to by itself, and what is over: no guest stands before a closed door for want of the e-mail."""


def is_wanted(alarm: HostAlarm, off: Collection[str]) -> bool:
    """Whether a host gets the e-mail: what can leave a guest before a closed door cannot be switched off."""
    return alarm not in QUIET_IF_WISHED or alarm.value not in off


class UnknownShortCode(ValueError):
    """A text names a short code that does not exist; the message says which, and which was probably meant.

    ``where`` names the text.
    """

    def __init__(self, unknown: Sequence[tuple[str, str | None]], where: str = "") -> None:
        self.unknown = tuple(unknown)
        said = "; ".join(_complaint(name, nearest) for name, nearest in self.unknown)
        super().__init__(f"{where}: {said}" if where else said)


def _complaint(name: str, nearest: str | None) -> str:
    if nearest is not None:
        return f"%{name}% is not a short code, did you mean %{nearest}%?"
    return f"%{name}% is not a short code; there are " + ", ".join(f"%{known}%" for known in SHORT_CODES)


def unknown_short_codes(text: str) -> list[tuple[str, str | None]]:
    """The short codes in a text that do not exist, each once, with the nearest that does (None: nothing is near).

    A known one in other letters (``%Guest Name%``) is unknown too: it would be sent raw. Percentages, ``%%`` and the
    escapes of a web address (``%20``) are no short codes.
    """
    rest = _KNOWN.sub(_CUT, text)
    names = [found["name"] for found in _LOOKS_LIKE_ONE.finditer(rest)]
    names += [found["name"] for found in _MISSPELT.finditer(rest) if _as_written(found["name"]) in SHORT_CODES]
    return [(name, _nearest(name)) for name in dict.fromkeys(names)]


def _as_written(name: str) -> str:
    return re.sub(r"[ _-]+", "_", name.strip().lower())


def _nearest(name: str) -> str | None:
    return next(iter(difflib.get_close_matches(_as_written(name), SHORT_CODES, n=1)), None)


def check_text(text: str, where: str = "") -> None:
    """Refuse a text that a host wants to save when it names an unknown short code (R34).

    Raises UnknownShortCode; ``where`` is how it names the text.
    """
    if unknown := unknown_short_codes(text):
        raise UnknownShortCode(unknown, where)


CODES = frozenset({"smartlock_code", "backup_code"})
"""The short codes that stand for digits a guest types: a text with one of them is a message about a code (R35)."""


def codes_in(text: str) -> frozenset[str]:
    """The short codes in a text that stand for a guest's digits."""
    return CODES.intersection(_KNOWN.findall(text))


@dataclass(frozen=True, slots=True)
class DoorCode:
    """What a guest types on one lock. ``is_backup``: a backup code that was given to the stay."""

    lock_name: str
    pin: Pin
    is_backup: bool = False
    is_confirmed: bool = True
    """It is known to be on the lock."""


def smartlock_code_text(doors: Sequence[DoorCode]) -> str:
    """The digits alone if all locks take the same PIN, else a line per lock with its name (R34); "" without locks."""
    if len({door.pin for door in doors}) == 1:
        return doors[0].pin.digits
    return _named_lines(doors)


def _named_lines(doors: Sequence[DoorCode]) -> str:
    return "\n".join(f"{door.lock_name}: {door.pin.digits}" for door in doors)


@dataclass(frozen=True, slots=True)
class DateStyle:
    """How one language writes days and times; its words come from ``templates/``.

    ``date`` may use ``{weekday} {day} {month} {month_number} {year}``, ``time`` ``{hour} {hour12} {minute} {half}``.
    The default has no words: ``2026-06-05`` and ``15:00``.
    """

    date: str = "{year:04}-{month_number:02}-{day:02}"
    time: str = "{hour:02}:{minute:02}"
    weekdays: tuple[str, ...] = ("",) * 7
    """From Monday."""
    months: tuple[str, ...] = ("",) * 12
    halves: tuple[str, str] = ("", "")
    """Before noon, after noon."""
    first: str = ""
    """The first day of a month, where a language does not write it as a plain number (``1er``)."""

    def day(self, local: datetime) -> str:
        """The day of a local time."""
        return self.date.format(
            weekday=self.weekdays[local.weekday()],
            day=self.first if self.first and local.day == 1 else local.day,
            month=self.months[local.month - 1],
            month_number=local.month,
            year=local.year,
        )

    def clock(self, local: datetime) -> str:
        """The time of day of a local time."""
        return self.time.format(
            hour=local.hour,
            hour12=local.hour % 12 or 12,
            minute=local.minute,
            half=self.halves[local.hour >= 12],  # noqa: PLR2004 - noon
        )


PLAIN_DATES = DateStyle()


@dataclass(frozen=True, slots=True, kw_only=True)
class StayFacts:
    """Everything a message about one stay may say.

    ``check_in`` and ``check_out`` are local wall times in the property's ``zone``. ``doors`` is what the guest types:
    one entry per lock, or two where the lock has both the stay's PIN and a backup. ``phone`` stays out of ``repr``.
    """

    guest_name: str
    property_name: str
    check_in: datetime
    check_out: datetime
    zone: str = "UTC"
    guest_first_name: str = ""
    """Empty: the first word of ``guest_name``."""
    phone: str | None = field(default=None, repr=False)
    doors: tuple[DoorCode, ...] = ()
    staff: tuple[DoorCode, ...] = ()
    page: str = field(default="", repr=False)
    """The address of the guest's page; who has it sees the code."""
    language: str = "en"

    @property
    def smartlock_code(self) -> str:
        """The stay's PIN; for a lock that has only a backup, the backup."""
        own = {door.lock_name for door in self.doors if not door.is_backup}
        return smartlock_code_text([door for door in self.doors if not door.is_backup or door.lock_name not in own])

    @property
    def backup_code(self) -> str:
        """The backups given to the stay; with the locks' names as soon as the stay has several locks."""
        backups = [door for door in self.doors if door.is_backup]
        several = len({door.lock_name for door in self.doors}) > 1
        return _named_lines(backups) if several else smartlock_code_text(backups)

    @property
    def other_codes(self) -> str:
        """The stay's PIN on the locks that hold it and need no backup, with their names; "" without such a lock."""
        helped = {door.lock_name for door in self.doors if door.is_backup}
        return _named_lines([door for door in self.doors if door.is_confirmed and door.lock_name not in helped])

    @property
    def phone_last4(self) -> str:
        """The last four digits of the phone number; "" when fewer are known."""
        digits = re.sub("[^0-9]", "", self.phone or "")
        return digits[-4:] if len(digits) >= 4 else ""  # noqa: PLR2004 - "last four"


def short_code_values(facts: StayFacts, dates: DateStyle = PLAIN_DATES) -> dict[str, str]:
    """What each short code stands for in this stay; "" where it is not known."""
    first_word = next(iter(facts.guest_name.split()), "")
    return {
        "smartlock_code": facts.smartlock_code,
        "guest_first_name": facts.guest_first_name.strip() or first_word,
        "guest_name": facts.guest_name.strip(),
        "property_name": facts.property_name,
        "check_in_date": dates.day(facts.check_in),
        "check_in_time": dates.clock(facts.check_in),
        "check_out_date": dates.day(facts.check_out),
        "check_out_time": dates.clock(facts.check_out),
        "lock_names": ", ".join(dict.fromkeys(door.lock_name for door in facts.doors)),
        "guest_phone_last4": facts.phone_last4,
        "backup_code": facts.backup_code,
        "operations_smartlock_code": smartlock_code_text(facts.staff),
        "guest_page": facts.page,
    }


def _same(value: str) -> str:
    return value


def fill(text: str, facts: StayFacts, escape: Callable[[str], str] = _same, *, dates: DateStyle = PLAIN_DATES) -> str:
    """The text with its short codes replaced (R34). ``escape`` is applied to each value, never to the text.

    Values are not looked at again: a guest named ``%backup_code%`` stays that. Raises UnknownShortCode.
    """
    check_text(text)
    values = short_code_values(facts, dates)
    return _KNOWN.sub(lambda found: escape(values[found[1]]), text)


_UNSEEN = re.compile(r"<!--.*?-->|<(style|script|head)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|bdi|code|em|font|i|kbd|mark|small|span|strong|tt|u|wbr)\b[^<>]*>", re.IGNORECASE
)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_DIGIT_GROUP = re.compile(r"(?<![0-9A-Za-z])(?<![0-9][-/.:])[0-9]+(?![0-9A-Za-z])(?![-/.:][0-9])")


def pins_told(text: str, pins: Mapping[K, Pin]) -> set[K]:
    """Which of these PINs a text gave away (R36), judged by what a reader sees, in plain text or in HTML.

    A PIN counts only as a group of digits of its own: not inside a longer number, a word (``HMX4321``), a date
    (``2026-06-05``) or a grouped phone number. In doubt it was not told, and the guest hears it once more.
    """
    seen = set(_DIGIT_GROUP.findall(_as_read(text)))
    return {key for key, pin in pins.items() if pin.digits in seen}


def _as_read(text: str) -> str:
    return html.unescape(_TAG.sub(" ", _INLINE_TAG.sub("", _UNSEEN.sub(" ", text))))


class WhenNotReady(StrEnum):
    """What a host wants to happen when the code is not on the lock at send time (R35)."""

    HOLD = "hold"
    FALLBACK = "fallback"
    BACKUP = "backup"


class SendAs(StrEnum):
    """What is done with a code message now."""

    SEND = "send"
    HOLD = "hold"
    FALLBACK = "fallback"
    BACKUP = "backup"


def at_send_time(policy: WhenNotReady, *, confirmed: bool, window: Window, now: datetime) -> SendAs:
    """What to do with a code message that has come due (R35).

    At the window's opening the guest is told at the latest, confirmed or not (R36): the PIN, or the backup where the
    host chose that. Nothing is sent about a window that is over.
    """
    if window.over(now):
        return SendAs.HOLD
    if confirmed or (now >= window.starts and policy is not WhenNotReady.BACKUP):
        return SendAs.SEND
    return SendAs(policy.value)


def message_key(kind: str, about: str | int, *parts: str | int) -> str:
    """The key under which a message is sent once (R38): the same arguments always give the same key.

    ``about`` is the stay or code, ``parts`` what makes it another message (a revision, a lock). Never give it digits
    of a PIN: keys are stored and logged in the clear.
    """
    return ":".join(quote(str(part), safe="") for part in (kind, about, *parts))


_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def message_id(key: str, domain: str, *, secret: bytes = b"") -> str:
    """The RFC 5322 Message-ID of a key: stable, and telling a reader nothing about it.

    ``secret`` (at most 64 bytes) keeps a reader from guessing keys. Raises ValueError for a domain that is not ASCII
    letters, digits, dots and hyphens.
    """
    if not _DOMAIN.fullmatch(domain):
        msg = f"the domain of a Message-ID is ASCII letters, digits, dots and hyphens, not {domain!r}"
        raise ValueError(msg)
    return f"<{opaque(key, secret=secret)}@{domain}>"


def opaque(key: str, *, secret: bytes = b"") -> str:
    """A name for a key that tells a reader nothing about it; the same for the same key and secret."""
    return hashlib.blake2b(key.encode(), digest_size=16, key=secret).hexdigest()
