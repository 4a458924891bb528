"""How the Sciener cloud says no: status 200 and an ``errcode`` (page "API error codes"); Sifely also by a ``code``."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from lockbridge.contract import (
    AccountRefused,
    CodeGone,
    LockFull,
    LockNotFound,
    LockOffline,
    OutcomeUnknown,
    PinRefused,
    PinTaken,
    ProviderError,
    RateLimited,
    Rejected,
    Unreachable,
    WindowRefused,
)
from lockbridge.outbound import ErrorTable, TokenRefused

_NEW_MONTH = timedelta(hours=6)
_FINE = frozenset({None, 0, 200, "0", "200"})
_UNHEARD_OF = "unheard of"


class WrongRegion(AccountRefused):
    """30008: the account's data is kept elsewhere."""

    def __init__(self, _: str = "") -> None:
        super().__init__("this account belongs to another region: set the address to euapi. or to cnapi.ttlock.com")


class MonthUsedUp(RateLimited):
    """30007: the calls of this month are used up.

    It ends by itself on the first of the month (Beijing time) or when the host buys more, so it is a wait, and a long
    one, rather than a refused account, which would stay shut until somebody connects it anew.
    """

    def __init__(self, _: str = "") -> None:
        super().__init__("the calls that the vendor allows this account in a month are used up", _NEW_MONTH)


class ClockWrong(Unreachable):
    """80000: the ``date`` of a call may be five minutes off."""

    def __init__(self, _: str = "") -> None:
        super().__init__("this computer's clock is more than five minutes off: the lock app takes no calls")


class NotAdministrator(LockNotFound):
    """20002, −2018: codes are for the lock's administrator, and one lock's no is not the whole account's."""

    def __init__(self, _: str = "") -> None:
        super().__init__("the account may not administer this lock: its administrator must grant that")


class Busy(LockOffline):
    """−3003, −3037: the gateway or the lock is occupied with another command, and nothing was done."""

    def __init__(self, _: str = "") -> None:
        super().__init__("the lock or its gateway is busy")


class Frozen(LockOffline):
    """−2025."""

    def __init__(self, _: str = "") -> None:
        super().__init__("the lock is frozen in the vendor's app")


class Asleep(LockOffline):
    """−3035: a Wi-Fi lock that saves power takes this command only while it is awake."""

    def __init__(self, _: str = "") -> None:
        super().__init__("the Wi-Fi lock saves power and cannot be reached: switch that off in the vendor's app")


WORDS: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        **dict.fromkeys(("10000", "10001", "10005", "10007", "10011"), AccountRefused),
        **dict.fromkeys(("10003", "10004", "401"), TokenRefused),
        **dict.fromkeys(("30001", "30005", "403"), AccountRefused),
        "30008": WrongRegion,
        "30006": RateLimited,
        "429": RateLimited,
        "30007": MonthUsedUp,
        "80000": ClockWrong,
        **dict.fromkeys(("20001", "20002", "-2018"), NotAdministrator),
        **dict.fromkeys(("-1003", "-1008", "20004"), LockNotFound),
        "-2025": Frozen,
        **dict.fromkeys(("-2012", "-3002", "-3034", "-3036", "-4037"), LockOffline),
        "-3035": Asleep,
        **dict.fromkeys(("-3003", "-3037"), Busy),
        "-2009": CodeGone,
        **dict.fromkeys(("-2032", "-3006", "-3008"), PinRefused),
        "-3007": PinTaken,
        "-1026": WindowRefused,
        **dict.fromkeys(("-3009", "-4056"), LockFull),
    }
)
"""By ``errcode``. What is missing here is a no without a reason: Rejected for a write, a failed look for a read."""


def _word_of(body: Any) -> str | None:
    """The error code in an answer as a text; None when it says that all is well."""
    if not isinstance(body, dict):
        return None
    for name in ("errcode", "code"):
        said = body.get(name)
        if isinstance(said, int | str | None) and said not in _FINE:
            return str(said) if str(said) in _KNOWN else _UNHEARD_OF
    return None


_KNOWN = frozenset({*WORDS, "90000", "500"})


def _table(unheard_of: type[ProviderError], broken: type[ProviderError]) -> ErrorTable:
    """``unheard_of`` is for codes that no page explains, ``broken`` for the cloud's own failures."""
    words = {**WORDS, "90000": broken, "500": broken, _UNHEARD_OF: unheard_of}
    return ErrorTable(words=words, word_of=_word_of)


READS = _table(Unreachable, Unreachable)
WRITES = _table(Rejected, OutcomeUnknown)
SIGN_IN = _table(AccountRefused, Unreachable)
SIFELY_SIGN_IN = _table(AccountRefused, AccountRefused)
"""Sifely's sign-in says ``code`` 500 of a wrong password too; its server's own failures have the HTTP status 5xx."""
