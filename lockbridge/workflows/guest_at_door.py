"""A guest before a closed door: the lock is looked at, and each press of the button leads one step further.

Every step is written down before it is shown, so that pages and phones agree on it, and a host can read it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from lockbridge.contract import ProviderError
from lockbridge.domain.guest_help import AtDoor, Step, needs_look, next_step, same_press
from lockbridge.domain.ids import LockId
from lockbridge.domain.messages import HostAlarm
from lockbridge.storage import codes, guest_links, hosts, journal, people, stays
from lockbridge.storage.guest_links import Linked
from lockbridge.storage.journal import Entry
from lockbridge.storage.locks import LockRow
from lockbridge.workflows import alarms, backup
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.guest import MARK, Scene, TooOften, scene
from lockbridge.workflows.open_door import Opening, open_door
from lockbridge.workflows.ports import Tools, transact

WINDOW = timedelta(minutes=10)
STEPS_PER_STAY = 6
STEPS_PER_ADDRESS = 60
"""How many steps in a window: of one stay, and from one network address, behind which many guests may be."""
ALARM_AGAIN = timedelta(hours=1)
"""How often the host hears of a guest before a closed door."""

Look = Callable[[LockId], Awaitable[None]]
"""Has a lock looked at now; returns when that is done, or takes too long to be waited for."""

SAID: Mapping[Step, str] = {
    Step.WRONG_DOOR: "the stay has no code for this door",
    Step.OVER: "the stay's code has ended",
    Step.TOO_EARLY: "the code does not open yet",
    Step.WAIT: "the code is not on the lock yet: the guest waits for it",
    Step.TYPE_AGAIN: "the code is on the lock: the guest is told how to type it",
    Step.BACKUP: "typing did not help: the guest gets a backup code",
    Step.OPEN: "codes did not help: the lock is asked to open, as the host allows",
    Step.CALL: "nothing helped: the guest is told whom to call",
}
"""The steps as the history of the stay tells them."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a guest was told to do. ``lock`` is to be asked to open."""

    step: Step
    lock: LockRow | None = None


async def ask(
    tools: Tools, token: str, door: LockId | None, look: Look, now: datetime, *, place: str = ""
) -> Step | None:
    """The code does not work at this door (None: at one that is not on the list): what the guest is told to do.

    None when the address leads nowhere. Raises TooOften. The page tells the step by itself from now on.
    """
    at = await _let_in(tools, token, place, now)
    if at is None:
        return None
    if await tools.database.ask(_wants_look, tools, at, door, now):
        assert door is not None  # noqa: S101 - only a lock can be looked at
        await look(door)
    told = await transact(tools, lambda c: _lead(c, tools, at, door, now))
    if told is not None and told.lock is not None:
        return await _open(tools, at, told.lock, now)
    return told.step if told is not None else None


async def _let_in(tools: Tools, token: str, place: str, now: datetime) -> Linked | None:
    def count(connection: Connection) -> tuple[Linked | None, bool]:
        at = guest_links.find(connection, token)
        of_place = people.count_try(connection, tools.vault, f"guest help from:{place}", WINDOW, now)
        of_stay = people.count_try(connection, tools.vault, f"guest help:{at.stay}", WINDOW, now) if at else 0
        return at, of_stay > STEPS_PER_STAY or of_place > STEPS_PER_ADDRESS

    at, too_often = await transact(tools, count)
    if too_often:
        msg = "too many steps in a short time: wait a few minutes, or call"
        raise TooOften(msg)
    return at


def _wants_look(connection: Connection, tools: Tools, at: Linked, door: LockId | None, now: datetime) -> bool:
    found = scene(connection, tools, at, now)
    if found is None or door is None or same_press(found.steps.get(door, ()), now):
        return False
    return needs_look(_at_door(connection, tools, found, door), now)


def _at_door(connection: Connection, tools: Tools, found: Scene, door: LockId | None) -> AtDoor:
    lock = next((row for row in found.locks if row.id == door), None)
    mine = lock is not None and (lock.id in found.own or lock.id in found.backups)
    help_ = hosts.guest_help(connection, tools.vault, found.stay.host)
    return AtDoor(
        window=found.window,
        mine=mine,
        others=bool(found.own or found.backups),
        confirmed=door in found.on_lock,
        online=lock is not None and lock.online is not False and not lock.missing,
        backup_given=door in found.backups,
        backup_ready=lock is not None and _ready(connection, tools, found, lock),
        may_open=lock is not None and help_.may_open and lock.capabilities.can_open,
        taken=[step for _, step in found.steps.get(door if mine else None, ())],
    )


def _ready(connection: Connection, tools: Tools, found: Scene, lock: LockRow) -> bool:
    chosen = hosts.host_settings(connection, [found.stay.host])[found.stay.host]
    if not tools.policy.codes.with_overrides(chosen).with_overrides(found.place.settings).backups:
        return False
    return any(each.ready for each in codes.backups_on(connection, tools.vault, lock.id))


def _lead(connection: Connection, tools: Tools, at: Linked, door: LockId | None, now: datetime) -> Told | None:
    """Decide on the step and write it down; two phones at once take one step."""
    stays.held(connection, tools.vault, at.stay)
    found = scene(connection, tools, at, now)
    if found is None:
        return None
    state = _at_door(connection, tools, found, door)
    lock = next((row for row in found.locks if row.id == door), None) if state.mine else None
    taken = found.steps.get(lock.id if lock else None, [])
    if same_press(taken, now):
        return Told(taken[-1][1])
    step = next_step(state, now)
    if step is Step.BACKUP and lock is not None and not _give(connection, tools, found, lock, now):
        step = next_step(replace(state, backup_ready=False), now)
    _note(connection, found, step, lock, now)
    return Told(step, lock if step is Step.OPEN else None)


def _give(connection: Connection, tools: Tools, found: Scene, lock: LockRow, now: datetime) -> bool:
    owner = stays.by_ids(connection, tools.vault, [found.owner])[found.owner]
    why = "the guest says that the code does not work"
    return backup.give(connection, tools, owner, lock, found.window, now, why=why)


def _note(connection: Connection, found: Scene, step: Step, lock: LockRow | None, now: datetime) -> None:
    stay = found.stay
    why = f"the guest says that the code does not work at {lock.name if lock else 'another door'}: {SAID[step]}"
    entry = Entry(now, stay.host, f"{MARK}{step}", why, stay.id, lock=lock.id if lock else None)
    journal.write(connection, [entry])
    if step is Step.CALL:
        _alarm(connection, found, lock, now)


def _alarm(connection: Connection, found: Scene, lock: LockRow | None, now: datetime) -> None:
    """A guest stands before a closed door: the host hears of it at once, and again after an hour at the soonest."""
    stay, about = found.stay, f"stay-{found.stay.id}"
    key = f"{HostAlarm.GUEST_AT_DOOR}:{about}"
    known = next((alarm for alarm in journal.open_alarms(connection, stay.host) if alarm.key == key), None)
    if known is not None and now - known.began_at < ALARM_AGAIN:
        return
    alarms.end(connection, stay.host, HostAlarm.GUEST_AT_DOOR, about, now)
    taken = dict.fromkeys(SAID[step] for _, step in found.steps.get(lock.id if lock else None, ()))
    facts = alarms.about_stay(stay, found.place) | {
        "lock_names": lock.name if lock else "another than those of the stay",
        "tried": "; ".join(taken) or "there was nothing to try",
    }
    alarms.begin(connection, stay.host, HostAlarm.GUEST_AT_DOOR, about, facts, now)


async def _open(tools: Tools, at: Linked, lock: LockRow, now: datetime) -> Step:
    """Open the door from afar; when that fails, somebody is called."""
    try:
        await open_door(tools, Opening(at.host, lock.id, "the guest, on their page", at.stay), now)
    except (ProviderError, BadInput):
        return await transact(tools, lambda c: _not_opened(c, tools, at, lock, now))
    return Step.OPEN


def _not_opened(connection: Connection, tools: Tools, at: Linked, lock: LockRow, now: datetime) -> Step:
    found = scene(connection, tools, at, now)
    if found is not None:
        _note(connection, found, Step.CALL, lock, now)
    return Step.CALL
