"""The host itself: its name, how its codes are made unless a property says otherwise, what guests are told, alarms."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from lockbridge.domain.ids import HostId
from lockbridge.domain.messages import QUIET_IF_WISHED, HostAlarm
from lockbridge.domain.settings import CodeSettings
from lockbridge.storage import hosts, stays
from lockbridge.storage.hosts import GuestHelp, PropertyRow
from lockbridge.workflows import backup
from lockbridge.workflows.connect import BadInput, checked_email, clean_name
from lockbridge.workflows.ports import Tools, transact
from lockbridge.workflows.preview import Change

LONGEST_NOTE = 1000


async def change_host(tools: Tools, host: HostId, name: str, email: str, language: str) -> None:
    """Give a host another name, address for alarms, or language. Raises BadInput."""
    called, address = clean_name(name, "the host's name"), checked_email(email)
    if not tools.renderer.speaks(language):
        msg = f"there are no texts in the language {language!r}: choose one of the list"
        raise BadInput(msg)
    await transact(tools, lambda c: hosts.change_host(c, tools.vault, host, called, address, language))


# -------------------------------------------------------------------------------------------------------------- codes


def concerned(
    usual: CodeSettings, before: Mapping[str, Any], after: Mapping[str, Any], places: Iterable[PropertyRow]
) -> list[PropertyRow]:
    """The properties whose codes follow when the host's own settings are others: those that say nothing else."""
    old, new = usual.with_overrides(before), usual.with_overrides(after)
    return [place for place in places if old.with_overrides(place.settings) != new.with_overrides(place.settings)]


def changing_codes(host: HostId, settings: Mapping[str, Any], now: datetime) -> Change:
    """To make a host's codes in another way; the stays of all its properties are planned again."""

    def change(connection: Connection, tools: Tools) -> None:
        hosts.set_host_settings(connection, host, settings)
        places = [place.id for place in hosts.properties_of_host(connection, host)]
        stays.replan_properties(connection, places, now)
        matched = {lock for _, lock in hosts.matches(connection, places)}
        backup.replenish(connection, tools, sorted(matched), now)

    return change


# ------------------------------------------------------------------------------------------------- guests and alarms


async def set_guest_help(tools: Tools, host: HostId, given: GuestHelp) -> None:
    """Say whom guests turn to, and whether they may have the door opened. Raises BadInput."""
    if given.email:
        checked_email(given.email)
    if given.phone and sum(char.isdigit() for char in given.phone) < 5:  # noqa: PLR2004 - no number is shorter
        msg = "this is no phone number that a guest could call: write it with its country, like +34 600 11 22 33"
        raise BadInput(msg)
    if len(given.note) > LONGEST_NOTE:
        msg = f"the text for guests has {len(given.note)} characters: at most {LONGEST_NOTE}"
        raise BadInput(msg)
    await transact(tools, lambda c: hosts.set_guest_help(c, tools.vault, host, given))


async def set_alarms(tools: Tools, host: HostId, wanted: Collection[str]) -> None:
    """Say which e-mails are wanted; those that can leave a guest before a closed door always are."""
    off = {alarm.value for alarm in HostAlarm if alarm in QUIET_IF_WISHED and alarm.value not in wanted}
    await transact(tools, lambda c: hosts.set_alarms_off(c, host, off))
