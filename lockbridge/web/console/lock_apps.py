"""Lock apps: the accounts that locks are reached through – connected, tried, changed, told where their webhooks go."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from json import dumps, loads
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.responses import Response
from sqlalchemy import Connection

from lockbridge.capabilities import digits
from lockbridge.contract import FormField, ProviderError, ProviderSpec
from lockbridge.domain.ids import HostId, TaskId
from lockbridge.domain.people import Right
from lockbridge.storage import hosts, locks, tasks
from lockbridge.storage.hosts import LockAppRow
from lockbridge.storage.locks import LockRow
from lockbridge.storage.vault import Vault, VaultError
from lockbridge.web.background import Progress, Work
from lockbridge.web.desk import Connecting, Desk, NotHere, Number, Resyncing, Seeing
from lockbridge.web.hooks import PREFIX
from lockbridge.workflows import connect
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import transact

router = APIRouter()

"""How long a lock app may take to list its locks."""
KIND = "connect"
"""The kind of task, and so the template of its report."""
TYPED = "typed into a form"
SIMULATOR = "simulator"
SIMULATOR_TOKEN = "simulator"  # noqa: S105 - the way into the make-believe account of this very server
PART = {"part": "lock-apps"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Account:
    """A connected account with the title of its lock app, and its locks."""

    row: LockAppRow
    title: str
    locks: Sequence[LockRow]

    @property
    def offline(self) -> int:
        """How many of its locks cannot be reached."""
        return sum(1 for lock in self.locks if lock.online is False)


def kinds(desk: Desk) -> Mapping[str, ProviderSpec]:
    """Every lock app there is a driver for."""
    return desk.services.accounts.providers


@router.get("/lock-apps")
async def list_apps(desk: Seeing) -> Response:
    """The connected accounts, or what to do when there are none."""
    rows, held = await desk.services.database.ask(_of_host, desk.services.vault, desk.host)
    return desk.page("console/lock_apps/list.html", {**PART, "accounts": [_account(desk, row, held) for row in rows]})


def _of_host(connection: Connection, vault: Vault, host: HostId) -> tuple[list[LockAppRow], list[LockRow]]:
    return hosts.lock_apps_of_host(connection, vault, host), locks.locks_of_host(connection, host)


def _account(desk: Desk, row: LockAppRow, held: Sequence[LockRow]) -> Account:
    spec = kinds(desk).get(row.provider)
    return Account(row, spec.title if spec else row.provider, [lock for lock in held if lock.app == row.id])


# -- connecting ----------------------------------------------------------------------------------------------


@router.get("/lock-apps/connect")
async def choose(desk: Connecting) -> Response:
    """Which lock app it is, and what each can do."""
    specs = sorted(kinds(desk).values(), key=lambda spec: (spec.key == SIMULATOR, spec.title.casefold()))
    shown = [(spec, abilities(spec)) for spec in specs if spec.key != SIMULATOR or not desk.site.has_simulator]
    return desk.page("console/lock_apps/choose.html", {**PART, "kinds": shown})


def abilities(spec: ProviderSpec) -> list[str]:
    """What the locks of a lock app can do, a line for each kind that differs, in words."""
    lines = []
    for kind, can in spec.kinds.items():
        what = [
            "chooses the digits itself" if can.chooses_pin else f"PINs of {digits(can.pin_rules)}",
            f"up to {can.max_codes} codes",
            "keeps times" if can.keeps_windows else "filled by lockbridge in time",
            *(["opens from afar"] if can.can_open else []),
        ]
        lines.append(f"{kind}: {', '.join(what)}")
    return lines


@router.get("/lock-apps/connect/{kind}")
async def ask(desk: Connecting, kind: str, task: Number = 0) -> Response:
    """The lock app's form; after a try that failed, with what was typed then (no secrets)."""
    tried = await desk.services.database.ask(tasks.get, desk.host, TaskId(task)) if task else None
    typed = _opened(desk, tried.report.get("typed", "")) if tried is not None else {}
    error = tried.report.get("problem", "") if tried is not None else ""
    return _form(desk, _spec(desk, kind), typed, error)


def _sealed(desk: Desk, typed: Mapping[str, str]) -> str:
    """What was typed, to be kept with the task: none of it a secret, but some of it a person's."""
    return desk.services.vault.seal(dumps(dict(typed)), TYPED).hex()


def _opened(desk: Desk, sealed: str) -> dict[str, str]:
    try:
        found: dict[str, str] = loads(desk.services.vault.open(bytes.fromhex(sealed), TYPED))
    except (ValueError, VaultError):
        return {}
    return found


def _spec(desk: Desk, kind: str) -> ProviderSpec:
    spec = kinds(desk).get(kind)
    if spec is None:
        raise NotHere
    return spec


def _form(desk: Desk, spec: ProviderSpec, typed: Mapping[str, str], error: str = "", *, status: int = 200) -> Response:
    values = {field.name: typed.get(field.name, field.default or "") for field in spec.fields if not field.secret}
    name = typed.get("called", spec.title)
    shown = {**PART, "spec": spec, "values": values, "name": name, "error": error, "abilities": abilities(spec)}
    return desk.page("console/lock_apps/connect.html", shown, status=status)


@router.post("/lock-apps/connect/{kind}")
async def add(desk: Connecting, kind: str) -> Response:
    """Connect an account; its page shows how far that is. Nothing is kept when it does not let us in."""
    spec = _spec(desk, kind)
    try:
        name = connect.clean_name(desk.text("called") or spec.title, "the name of the account")
        settings = answers(desk, spec)
        await _check_new(desk, spec, settings)
    except BadInput as error:
        return _form(desk, spec, _typed(desk, spec), str(error), status=422)
    return await _begin(desk, spec, name, settings)


async def _check_new(desk: Desk, spec: ProviderSpec, settings: Mapping[str, str]) -> None:
    """Two connections of one account would put each code on its locks twice. Raises BadInput."""
    rows = await desk.services.database.ask(hosts.lock_apps_of_host, desk.services.vault, desk.host)
    known = next((row for row in rows if row.provider == spec.key and row.settings == settings), None)
    if known is not None:
        msg = f"this account is connected already: it is called {known.name}; open it and test it there"
        raise BadInput(msg)


def answers(desk: Desk, spec: ProviderSpec, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The form, filled in; a field left empty keeps what was ``known``, else its default. Raises BadInput."""
    return {field.name: _answer(desk, field, known or {}) for field in spec.fields}


def _answer(desk: Desk, field: FormField, known: Mapping[str, str]) -> str:
    given = desk.text(field.name)
    if given:
        return given
    if field.secret and field.name in known:
        return known[field.name]
    if field.default is None:
        msg = f"“{field.label}” is empty: {field.help or 'it is needed to be let in'}"
        raise BadInput(msg)
    return field.default


def _typed(desk: Desk, spec: ProviderSpec) -> dict[str, str]:
    """What was typed and is no secret: to be shown again."""
    fields = {field.name: desk.text(field.name) for field in spec.fields if not field.secret}
    return {**fields, "called": desk.text("called") or spec.title}


async def _begin(desk: Desk, spec: ProviderSpec, name: str, settings: Mapping[str, str]) -> Response:
    open_fields = {field.name: settings[field.name] for field in spec.fields if not field.secret}
    again = {"typed": _sealed(desk, {**open_fields, "called": name}), "form": f"lock-apps/connect/{spec.key}"}
    who = desk.who

    async def work(progress: Progress) -> dict[str, Any]:
        await progress.say(f"asking {spec.title} for its locks")
        now = progress.services.clock.now()
        adding = connect.add_lock_app(progress.services, desk.host, spec.key, name, settings, now)
        try:
            app, found = await connect.in_time(adding, name)
        except (BadInput, ProviderError) as error:
            return {"problem": str(error), **again}
        await desk.note("connected the lock app", name)
        return {"app": app, "name": name, "locks": [_lock(row) for row in found]}

    return await _go(desk, f"Connecting {name}", who, work)


async def _go(desk: Desk, title: str, who: str, work: Work) -> Response:
    number = await desk.site.background.start(desk.host, KIND, title, who, work)
    return desk.go(f"{desk.base}/tasks/{number}")


def _lock(row: LockRow) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "online": row.online}


@router.post("/lock-apps/simulator")
async def add_simulator(desk: Connecting) -> Response:
    """Connect the simulated lock app of this server: doors to try things out with."""
    if not desk.site.has_simulator:
        raise NotHere
    spec = _spec(desk, SIMULATOR)
    settings = {"url": f"{desk.site.url}/simulator", "token": SIMULATOR_TOKEN}
    await _check_new(desk, spec, settings)
    return await _begin(desk, spec, spec.title, settings)


# -- one account ---------------------------------------------------------------------------------------------


async def _one(desk: Desk, app: int) -> Account:
    rows, held = await desk.services.database.ask(_of_host, desk.services.vault, desk.host)
    row = next((row for row in rows if row.id == app), None)
    if row is None:
        raise NotHere
    return _account(desk, row, held)


@router.get("/lock-apps/{app}")
async def show(desk: Seeing, app: int) -> Response:
    """The account: whether it lets us in, its locks, and what can be done."""
    return await _page(desk, await _one(desk, app))


async def _page(desk: Desk, account: Account, *, error: str = "", status: int = 200, **more: Any) -> Response:
    spec = kinds(desk).get(account.row.provider)
    addresses = await desk.services.database.ask(hosts.endpoints_of_app, desk.host, account.row.id)
    shown: dict[str, Any] = {
        "account": account,
        "app": account.row,
        "spec": spec,
        "values": _open_settings(spec, account.row) if desk.may(Right.CONNECT) else {},
        "hook": spec.hook if spec else None,
        "addresses": addresses,
        "address": None,
        "error": error,
    }
    return desk.page("console/lock_apps/app.html", {**PART, **shown, **more}, status=status)


def _open_settings(spec: ProviderSpec | None, row: LockAppRow) -> dict[str, str]:
    """The account's answers that are no secrets."""
    names = [field.name for field in spec.fields if not field.secret] if spec else []
    return {name: row.settings[name] for name in names if name in row.settings}


@router.post("/lock-apps/{app}/test")
async def test(desk: Resyncing, app: int) -> Response:
    """Ask the account for its locks now: one that answers counts as connected again."""
    account = await _one(desk, app)

    async def work(progress: Progress) -> dict[str, Any]:
        await progress.say(f"asking {account.row.name} for its locks")
        now = progress.services.clock.now()
        return await _listed(account, connect.sync_locks(progress.services, account.row, now))

    return await _go(desk, f"Test of {account.row.name}", desk.who, work)


async def _listed(account: Account, asking: Awaitable[list[LockRow]]) -> dict[str, Any]:
    page = {"form": f"lock-apps/{account.row.id}", "app": account.row.id, "name": account.row.name}
    try:
        found = await connect.in_time(asking, account.row.name)
    except (BadInput, ProviderError) as error:
        return {"problem": str(error), **page}
    known = {lock.id for lock in account.locks}
    return {**page, "locks": [_lock(row) | {"new": row.id not in known} for row in found]}


@router.post("/lock-apps/{app}/change")
async def change(desk: Connecting, app: int) -> Response:
    """Give the account another password or address; it stays as it was when that does not let us in."""
    account = await _one(desk, app)
    try:
        settings = answers(desk, _spec(desk, account.row.provider), account.row.settings)
    except BadInput as error:
        return await _page(desk, account, error=str(error), status=422)

    async def work(progress: Progress) -> dict[str, Any]:
        await progress.say(f"asking {account.row.name} for its locks, with the new settings")
        now = progress.services.clock.now()
        report = await _listed(account, connect.reconnect(progress.services, account.row, settings, now))
        if "problem" not in report:
            await desk.note("reconnected the lock app", account.row.name)
        return report

    return await _go(desk, f"Reconnecting {account.row.name}", desk.who, work)


@router.post("/lock-apps/{app}/name")
async def rename(desk: Connecting, app: int) -> Response:
    """Call the account something else."""
    account = await _one(desk, app)
    try:
        name = connect.clean_name(desk.text("name"), "the name of the account")
    except BadInput as error:
        return await _page(desk, account, error=str(error), status=422)
    await transact(desk.services, lambda c: hosts.rename_lock_app(c, desk.host, account.row.id, name))
    await desk.note("renamed the lock app", f"{account.row.name} to {name}")
    return desk.go(f"{desk.base}/lock-apps/{app}", f"It is called {name} now.")


@router.post("/lock-apps/{app}/webhook")
async def add_webhook(desk: Connecting, app: int) -> Response:
    """Make the address for the lock app's webhooks; it and its secret are shown this once."""
    account = await _one(desk, app)
    hook = desk.services.accounts.hooks.get(account.row.provider)
    if hook is None:
        raise NotHere
    secret = desk.text("secret")
    try:
        address = await connect.add_hook(desk.services, account.row, secret or None, desk.now)
    except BadInput as error:
        return await _page(desk, account, error=str(error), status=422)
    await desk.note("made a webhook address for", account.row.name)
    url = f"{desk.site.url}{PREFIX}{hook.key}/{address.token}"
    return await _page(desk, account, address=address, address_url=url, given=bool(secret))
