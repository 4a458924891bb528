"""The stage of the demo: a new database, and real servers for everything that lockbridge speaks to, all on loopback."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import orjson
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.types import ASGIApp

from lockbridge import worker
from lockbridge.bootstrap import Instead, services
from lockbridge.clock import VirtualClock
from lockbridge.config import DatabaseSettings, MessagesSettings, SecretsSettings, Settings, SmtpSettings
from lockbridge.domain.ids import LockRef
from lockbridge.domain.retry import next_healthcheck
from lockbridge.services import Services
from lockbridge.signatures import sign_standard_webhook
from lockbridge.storage.database import migrate
from lockbridge.storage.due import next_due
from lockbridge.web.app import build_web
from lockbridge.web.server import listen, serve
from lockbridge.workflows.connect import Address
from providers.simulator import SimulatedLockApp, simulator_asgi

CONTROL_TOKEN = "control"  # noqa: S105 - opens the simulated lock app to the people of the story
ACCOUNT_TOKEN = "simulator"  # noqa: S105 - lets lockbridge into it
LEAST_STEP = timedelta(seconds=1)
SEED = 7
"""Random PINs are drawn from dice with this seed: the story is the same each time it is told."""


@dataclass(slots=True)
class Mailbox:
    """A mail server's memory: every e-mail that was delivered, in order."""

    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002 - the name aiosmtpd calls
        """Keep an e-mail."""
        content = envelope.original_content or b""
        self.mails.append(message_from_bytes(content.replace(b"\r\n", b"\n"), policy=policy.default))
        return "250 kept"

    def to(self, address: str) -> list[EmailMessage]:
        """What somebody has been sent so far."""
        return [mail for mail in self.mails if address in str(mail["To"])]


@dataclass(frozen=True, slots=True)
class Stage:
    """The real parts, and the clock that moves them."""

    services: Services
    clock: VirtualClock
    mailbox: Mailbox
    web: str
    """Where lockbridge listens for webhooks."""
    lock_app: str
    """Where the simulated lock app listens."""

    @property
    def now(self) -> datetime:
        """What the story's clock shows, in UTC."""
        return self.clock.now()

    async def until(self, instant: datetime) -> None:
        """Let time pass, stopping wherever something is due: a worker that ticks every second would do the same."""
        while (due := await self._next_due()) <= instant:
            self.clock.set(max(due, self.now + LEAST_STEP))
            await worker.run_once(self.services, self.now)
        self.clock.set(max(instant, self.now))
        await worker.run_once(self.services, self.now)

    async def _next_due(self) -> datetime:
        due = await self.services.database.ask(next_due)
        instants = (due.inbox, due.book, due.push, due.watch, due.outbox, next_healthcheck(self.now))
        return min(instant for instant in instants if instant is not None)

    async def webhook(self, address: Address, body: dict[str, Any], *, event: str, secret: str | None = None) -> int:
        """Post a signed booking over HTTP and have it worked on; the status of the answer."""
        raw = orjson.dumps(body)
        headers = sign_standard_webhook(secret or address.secret, event, self.now, raw)
        url = f"{self.web}/webhooks/{address.platform}/{address.token}"
        answer = await self.services.accounts.http.post(url, content=raw, headers=headers)
        await self.until(self.now)
        return answer.status_code

    async def try_door(self, lock: LockRef, pin: str) -> bool:
        """Somebody stands before the door now and types."""
        answer = await self._ask("POST", f"/locks/{lock}/try", ACCOUNT_TOKEN, {"pin": pin})
        return bool(answer["opens"])

    async def by_hand(self, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What people and fate do to the locks: a route under ``/control`` of the lock app."""
        return await self._ask(verb, f"/control{path}", CONTROL_TOKEN, body or {})

    async def held(self, lock: LockRef) -> list[dict[str, Any]]:
        """What is physically on a lock."""
        return list((await self.by_hand("GET", f"/locks/{lock}"))["holds"])

    async def _ask(self, verb: str, path: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"}
        answer = await self.services.accounts.http.request(verb, self.lock_app + path, json=body, headers=headers)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def staged(folder: Path, start: datetime) -> AsyncIterator[Stage]:
    """The stage, its database and key in ``folder``, its clock at ``start``; all servers stop at the end."""
    clock, mailbox = VirtualClock(start), Mailbox()
    world = SimulatedLockApp(clock.now, random.Random(SEED))  # noqa: S311 - make-believe locks, the same each time
    async with AsyncExitStack() as stack:
        settings = _settings(folder, await stack.enter_async_context(_mail_server(mailbox)))
        migrate(settings.database.url)
        real = await stack.enter_async_context(services(settings, Instead(clock=clock)))
        parts = replace(real, below=random.Random(SEED).randrange)  # noqa: S311 - invented guests, the same each time
        lock_app = await stack.enter_async_context(_served(simulator_asgi(world, control_token=CONTROL_TOKEN)))
        web = await stack.enter_async_context(_served(build_web(parts, max_body=settings.server.max_body)))
        yield Stage(parts, clock, mailbox, web, lock_app)


def _settings(folder: Path, mail_port: int) -> Settings:
    """The defaults, whatever the environment says – but in the demo's folder, and without a wait for the disk."""
    return Settings.model_construct(
        database=DatabaseSettings(url=f"sqlite:///{folder / 'lockbridge.sqlite3'}", synchronous="NORMAL"),
        secrets=SecretsSettings(key_file=folder / "lockbridge.key"),
        smtp=SmtpSettings(host="127.0.0.1", port=mail_port, security="none"),
        messages=MessagesSettings(from_address="Ana's Homes <doors@homes.example>"),
    )


@asynccontextmanager
async def _mail_server(mailbox: Mailbox) -> AsyncIterator[int]:
    """A mail server on a free port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, hostname="mail.example", loop=loop), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@asynccontextmanager
async def _served(app: ASGIApp) -> AsyncIterator[str]:
    """The application on a free port of loopback; its address."""
    listening, stop = listen("127.0.0.1", 0), asyncio.Event()
    port = listening.getsockname()[1]
    serving = asyncio.create_task(serve(app, listening, stop, quiet=True))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        await serving
