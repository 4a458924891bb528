"""Telling a host that something is wrong: one e-mail when it begins, one when it is over (R27, law 12)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId
from lockbridge.domain.messages import HostAlarm, message_key
from lockbridge.storage import journal, outbox
from lockbridge.storage.outbox import NewMessage


def begin(
    connection: Connection, host: HostId, alarm: HostAlarm, about: str, facts: Mapping[str, Any], now: datetime
) -> bool:
    """Note that something is wrong and write to the host, unless it was known already. True when it is news.

    ``about`` names what is wrong (``lock-7``), so that the same trouble is told once.
    """
    key = f"{alarm.value}:{about}"
    if not journal.open_alarm(connection, host, key, alarm.value, facts, now):
        return False
    tell(connection, host, alarm, f"{about}:{now:%Y%m%dT%H%M%S%f}", facts, now)
    return True


def end(
    connection: Connection,
    host: HostId,
    alarm: HostAlarm,
    about: str,
    now: datetime,
    *,
    over: HostAlarm | None = None,
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """Note that it is over; ``over`` is the e-mail that says so. True when it had been wrong."""
    if not journal.close_alarm(connection, host, f"{alarm.value}:{about}", now):
        return False
    if over is not None:
        tell(connection, host, over, f"{about}:{now:%Y%m%dT%H%M%S%f}", facts or {}, now)
    return True


def tell(
    connection: Connection, host: HostId, alarm: HostAlarm, about: str, facts: Mapping[str, Any], now: datetime
) -> None:
    """Write to the host once about this."""
    key = message_key("host", alarm.value, about)
    message = NewMessage(host, key, alarm.value, now, to_host=True, facts=facts)
    outbox.add(connection, [message], now)


def moment(instant: datetime) -> str:
    """An instant as a host reads it where no property's zone is at hand."""
    return f"{instant:%a %d %b %Y %H:%M} UTC"
