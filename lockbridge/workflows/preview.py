"""What a change would do to every lock, before it happens – and then just that, or nothing (R47).

A change is tried in a transaction that is rolled back: the same booking, the same planner. What has to be drawn is
drawn from a word (``draw``) that the preview is given, so that carrying the change out with the same word chooses the
same digits. The change is carried out only if it still comes to what was shown.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from secrets import token_hex
from typing import Any, cast

from sqlalchemy import Connection

from lockbridge.contract import ProviderError
from lockbridge.domain.effect import Effect, effect_of, fingerprint
from lockbridge.domain.ids import CodeRef, HostId, LockId, PropertyId
from lockbridge.domain.lock import Readback
from lockbridge.domain.observe import Observation, from_memory, observe
from lockbridge.domain.placement import Placement
from lockbridge.domain.plan import Plan
from lockbridge.domain.seen import SeenCode
from lockbridge.storage import hosts, locks, snapshot, stays
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.locks import LockRow, Stranger
from lockbridge.storage.vault import Vault
from lockbridge.workflows import book
from lockbridge.workflows.connect import BadInput, match_in, unmatch_in
from lockbridge.workflows.ports import Tools, transact

MOST_STAYS = 1000
"""So many stays are planned in the transaction of a trial; those of a larger change are planned by the next ticks."""
LOOKS_AT_ONCE = 8
MOST_LOOKS = 40
"""So many locks are read for one preview; what the others hold is told from memory."""
PATIENCE = timedelta(seconds=15)
"""How long a lock app may take to say what a lock holds, when somebody waits for a page."""

Change = Callable[[Connection, Tools], None]
"""A change in the caller's transaction, with the tools it is handed. Raises BadInput."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be wanted on a lock, and what would be asked of it now.

    ``unread`` says why the lock was not read: then ``plan`` and ``effect`` are told from memory.
    """

    lock: LockRow
    before: Sequence[Placement]
    wanted: Sequence[Placement]
    plan: Plan
    effect: Effect
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What somebody was shown: the word it was drawn from, and its digest."""

    draw: str
    digest: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a change would do to every lock it concerns. ``left`` stays would be planned a moment later, alike."""

    previews: Sequence[Preview]
    agreed: Agreed
    left: int = 0

    @property
    def touches(self) -> bool:
        """Whether anything would be another on any lock."""
        return any(preview.effect.lines for preview in self.previews)


@dataclass(frozen=True, slots=True)
class _Trial:
    """What is wanted on the locks that a change concerns, before and after it."""

    before: Mapping[LockId, Sequence[Placement]]
    wanted: Mapping[LockId, Sequence[Placement]]
    left: int

    def digest(self, vault: Vault) -> str:
        """The same for the same change, telling nothing of it."""
        told = "\n\n".join(
            f"{lock}: {fingerprint(self.before[lock], self.wanted[lock])}" for lock in sorted(self.wanted)
        )
        return vault.index(told, "preview").hex()


class _Undone(Exception):
    """Carries what was found out of a transaction, which is thereby rolled back."""

    def __init__(self, trial: _Trial) -> None:
        super().__init__()
        self.trial = trial


async def preview(
    tools: Tools, host: HostId, change: Change, now: datetime, *, concerned: Collection[LockId] = (), draw: str = ""
) -> Foreseen:
    """What a change would do now to the locks it concerns, those of ``concerned`` in any case. Nothing is changed.

    ``draw`` repeats an earlier preview's choices. Raises BadInput.
    """
    word = draw or token_hex(16)
    try:
        await transact(tools, lambda c: _try(c, tools, host, change, word, now, concerned, None))
    except _Undone as undone:
        return await _foreseen(tools, host, undone.trial, word, now)
    raise AssertionError  # a trial always ends in _Undone


async def carry_out(
    tools: Tools,
    host: HostId,
    change: Change,
    agreed: Agreed,
    now: datetime,
    *,
    concerned: Collection[LockId] = (),
) -> Foreseen | None:
    """Make a change as it was shown. What it would do now, when that is something else: then nothing is changed.

    Raises BadInput.
    """
    try:
        await transact(tools, lambda c: _try(c, tools, host, change, agreed.draw, now, concerned, agreed.digest))
    except _Undone as undone:
        return await _foreseen(tools, host, undone.trial, agreed.draw, now)
    return None


def _try(  # noqa: PLR0917, PLR0913 - a transaction's step
    connection: Connection,
    tools: Tools,
    host: HostId,
    change: Change,
    draw: str,
    now: datetime,
    concerned: Collection[LockId],
    digest: str | None,
) -> None:
    """Make the change; unless it comes to what the digest says, it is undone."""
    drawing: Tools = replace(cast("Any", tools), below=drawer(tools.vault, f"{host}:{draw}"))
    hosts.guard_properties(connection, [place.id for place in hosts.properties_of_host(connection, host)])
    before = snapshot.of_host(connection, tools.vault, host)
    change(connection, drawing)
    due = stays.due_of_host(connection, host, now, MOST_STAYS + 1)
    book.book_stays(connection, drawing, due[:MOST_STAYS], now)
    after = snapshot.of_host(connection, tools.vault, host)
    ids = after.changed_since(before) | set(concerned)
    left = len(stays.due_of_host(connection, host, now, MOST_STAYS)) if len(due) > MOST_STAYS else 0
    trial = _Trial({key: before.on(key) for key in ids}, {key: after.on(key) for key in ids}, left)
    if digest is None or trial.digest(tools.vault) != digest:
        raise _Undone(trial)


def drawer(vault: Vault, word: str) -> Callable[[int], int]:
    """Draws uniformly from 0 to n-1, the same row of numbers for the same word; nobody without the key can tell it."""
    numbers = count()

    def below(limit: int) -> int:
        most = 2**128 - 2**128 % limit
        while (number := int.from_bytes(vault.index(f"{word}:{next(numbers)}", "draw"))) >= most:
            pass
        return number % limit

    return below


# -------------------------------------------------------------------------------------------------------------- look


@dataclass(frozen=True, slots=True)
class _Around:
    """What is known of the locks without asking them."""

    rows: Mapping[LockId, LockRow]
    apps: Mapping[int, LockAppRow]
    strangers: Mapping[LockId, Sequence[Stranger]]


def _around(connection: Connection, tools: Tools, host: HostId, ids: Collection[LockId]) -> _Around:
    rows = {key: row for key, row in locks.by_ids(connection, ids).items() if row.host == host}
    found: dict[LockId, list[Stranger]] = {key: [] for key in rows}
    for stranger in locks.strangers_on(connection, tools.vault, rows):
        found[stranger.lock].append(stranger)
    apps = hosts.lock_apps(connection, tools.vault, {row.app for row in rows.values()})
    return _Around(rows, {int(key): app for key, app in apps.items()}, found)


async def _foreseen(tools: Tools, host: HostId, trial: _Trial, draw: str, now: datetime) -> Foreseen:
    around = await tools.database.ask(_around, tools, host, trial.wanted)
    rows = sorted(around.rows.values(), key=lambda row: (row.name.casefold(), row.id))
    at_once = asyncio.Semaphore(LOOKS_AT_ONCE)
    looks = await asyncio.gather(
        *(_look(tools, row, around.apps[row.app], at_once, now, number) for number, row in enumerate(rows))
    )
    previews = [
        _preview(row, trial.before[row.id], trial.wanted[row.id], look, around.strangers[row.id], now)
        for row, look in zip(rows, looks, strict=True)
    ]
    return Foreseen(previews, Agreed(draw, trial.digest(tools.vault)), trial.left)


@dataclass(frozen=True, slots=True)
class _Look:
    """What a lock holds, or why nobody asked, or could: then (``why`` empty) it can never be asked."""

    codes: Sequence[SeenCode] | None
    why: str = ""


async def _look(
    tools: Tools, row: LockRow, app: LockAppRow, at_once: asyncio.Semaphore, now: datetime, number: int
) -> _Look:
    if why := _not_to_be_read(row, app, now, number):
        return _Look(None, why)
    if row.capabilities.readback is Readback.NONE:
        return _Look(None)
    try:
        async with at_once, asyncio.timeout(PATIENCE.total_seconds()), tools.accounts.gate(app):
            return _Look(await tools.accounts.provider(app).list_codes(row.ref))
    except TimeoutError:
        return _Look(None, f"{app.name} did not answer within {PATIENCE.seconds} seconds")
    except ProviderError as error:
        return _Look(None, str(error))


def _not_to_be_read(row: LockRow, app: LockAppRow, now: datetime, number: int) -> str:
    if app.state != "connected":
        return f"{app.name} has to be connected again first"
    if app.blocked_until is not None and app.blocked_until > now:
        return f"{app.name} asks not to be called for a while"
    if row.missing:
        return f"{app.name} does not list it any more"
    return f"only {MOST_LOOKS} locks are read for a preview" if number >= MOST_LOOKS else ""


def _preview(
    row: LockRow,
    before: Sequence[Placement],
    wanted: Sequence[Placement],
    look: _Look,
    strangers: Sequence[Stranger],
    now: datetime,
) -> Preview:
    observation = _remembered(wanted, strangers, now) if look.codes is None else observe(wanted, look.codes)
    effect, plan = effect_of(row.capabilities, before, wanted, observation, now)
    return Preview(row, before, wanted, plan, effect, look.why or None)


def _remembered(wanted: Sequence[Placement], strangers: Sequence[Stranger], now: datetime) -> Observation:
    """What a lock holds as far as is known without reading it, with the strangers that the last look found."""
    seen = tuple(SeenCode(CodeRef(f"stranger {number}"), name=each.name) for number, each in enumerate(strangers))
    return replace(from_memory(wanted, now), strangers=seen)


# ----------------------------------------------------------------------------------------------------------- changes


def matching(host: HostId, pairs: Sequence[tuple[PropertyId, LockId]], now: datetime, *, matched: bool) -> Change:
    """The change that matches these properties and locks or (not ``matched``) unmatches them."""
    step = match_in if matched else unmatch_in

    def change(connection: Connection, tools: Tools) -> None:
        for place, lock in pairs:
            step(connection, tools, host, place, lock, now)

    return change


async def preview_match(
    tools: Tools, host: HostId, property_id: PropertyId, lock: LockId, now: datetime, *, matched: bool
) -> Preview:
    """What matching a lock with a property (or, not ``matched``, unmatching it) would do to this lock now.

    Raises BadInput.
    """
    change = matching(host, [(property_id, lock)], now, matched=matched)
    found = await preview(tools, host, change, now, concerned=[lock])
    shown = next((each for each in found.previews if each.lock.id == lock), None)
    if shown is None:
        msg = f"this host has no lock {lock}: 'lockbridge lock list' shows them"
        raise BadInput(msg)
    return shown
