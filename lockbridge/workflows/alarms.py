"""Noting that something is wrong: the host is told once when it begins, once when it is over (R27, law 12)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId
from lockbridge.domain.messages import QUIET_IF_WISHED, HostAlarm, is_wanted, message_key
from lockbridge.domain.rules import By
from lockbridge.storage import hosts, journal, outbox
from lockbridge.storage.hosts import PropertyRow
from lockbridge.storage.outbox import NewMessage
from lockbridge.storage.stays import StayRow


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
    """Write to the host once about this: by e-mail if they want it, and to their own system where they named one."""
    key = message_key("host", alarm.value, about)
    mail = NewMessage(host, key, alarm.value, now, to_host=True, facts=facts)
    posting = replace(mail, key=f"{key}:{By.WEBHOOK}", channel=By.WEBHOOK.value)
    wanted = is_wanted(alarm, hosts.alarms_off(connection, host) if alarm in QUIET_IF_WISHED else ())
    said = [mail] if wanted else []
    outbox.add(connection, [*said, posting] if hosts.has_hook(connection, host) else said, now)


def about_stay(stay: StayRow, place: PropertyRow) -> dict[str, Any]:
    """Whose stay an alarm is about, where and when."""
    return {
        "guest_name": stay.guest_name or stay.reservation_code,
        "property_name": place.name,
        "check_in": f"{stay.arrival:%a %d %b %Y}",
    }


def moment(instant: datetime) -> str:
    """An instant as a host reads it where no property's zone is at hand."""
    return f"{instant:%a %d %b %Y %H:%M} UTC"
