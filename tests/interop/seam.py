"""Seam's own fake, behind a proxy that examines every request by Seam's own description; and an engine on it."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx

from lockbridge import signatures
from lockbridge.bootstrap import Instead, build
from lockbridge.config import load
from lockbridge.services import Services
from lockbridge.storage import hosts
from lockbridge.storage.database import Database
from lockbridge.web.app import build_web
from lockbridge.workflows import connect
from providers.seam import PROVIDER
from tests.contract.brands import in_no_time
from tests.interop import node
from tests.platforms.make_believe import Booking, Generic
from tests.workflows.engine import HOST_EMAIL, NOW, Engine, Tap, World

FAKE, SCHEMA, PRISM = "@seamapi/fake-seam-connect", "@seamapi/types", "@stoplight/prism-cli"
ROUTES = ("/access_codes/create", "/access_codes/update", "/access_codes/delete", "/access_codes/list", "/locks/get")


@dataclass(frozen=True)
class Running:
    """The fake's control port, the fake itself, the examining proxy in front of it, and what it examines by."""

    control: str
    fake: str
    proxy: str
    description: dict[str, Any] = field(repr=False)

    def do(self, method: str, *arguments: Any) -> Any:
        """Call a method of the fake's database."""
        answer = httpx.post(f"{self.control}/{method}", json=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Fake and proxy, for the length of the block."""
    node.meet(FAKE, SCHEMA, PRISM)
    description = folder / "seam.json"
    description.write_text(node.run("seam-schema.mjs"), encoding="utf-8")
    port, control, proxy = (node.free_port() for _ in range(3))
    script = node.MODULES / PRISM / "dist" / "index.js"
    with node.running("seam-fake.mjs", port=port, CONTROL=str(control)) as fake:
        options = ("proxy", str(description), fake.url, "--host", "127.0.0.1", "--port", str(proxy))
        with node.running(script, *options, port=proxy) as prism:
            said = json.loads(description.read_text(encoding="utf-8"))
            yield Running(f"http://127.0.0.1:{control}", fake.url, prism.url, said)


@dataclass
class Workspace:
    """One customer of Seam with an API key of its own, and what the proxy said of the requests made with it."""

    running: Running
    key: str = field(default_factory=lambda: f"seam_test_{token_hex(8)}")
    sent: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.id = self.running.do("addWorkspace", {"name": "Lakeside rentals"})["workspace_id"]
        self.running.do("addApiKey", {"workspace_id": self.id, "token": self.key})
        brand = {"provider": "august", "workspace_id": self.id}
        self._account = self.running.do("addConnectedAccount", brand)["connected_account_id"]

    async def note(self, answer: httpx.Response) -> None:
        """Hook of an HTTP client: what was sent, and in what it is not as Seam describes it."""
        self.sent[answer.request.url.path] += 1
        said = json.loads(answer.headers.get("sl-violations", "[]"))
        self.violations += [f"{answer.request.url.path}: {each['message']}" for each in said]

    def settings(self) -> dict[str, str]:
        return {"url": self.running.proxy, "api_key": self.key}

    # -- what the fake holds ---------------------------------------------------------------------------------

    def add_lock(self, name: str, **properties: Any) -> str:
        device = {
            "workspace_id": self.id,
            "connected_account_id": self._account,
            "device_type": "august_lock",
            "name": name,
            "display_name": name,
            "can_remotely_unlock": True,
            "can_remotely_lock": True,
            "can_program_online_access_codes": True,
            "properties": {
                "name": name,
                "locked": True,
                "battery": {"level": 0.6, "status": "good"},
                "supported_code_lengths": [6],
                "max_active_codes_supported": 20,
                **properties,
            },
        }
        return str(self.running.do("addDevice", device)["device_id"])

    def device(self, lock: str) -> dict[str, Any]:
        (device,) = (each for each in self.running.do("state")["devices"] if each["device_id"] == lock)
        return device

    def codes(self, lock: str, *, managed: bool = True, name: str | None = None) -> list[dict[str, Any]]:
        """Codes on a lock; of one name, where it is given."""
        every = self.running.do("state")["access_codes"]
        return [
            code
            for code in every
            if code["device_id"] == lock and code["is_managed"] is managed and name in (None, code["name"])
        ]

    def stranger(self, lock: str, name: str, code: str, **more: Any) -> str:
        """A code made with the maker's own app."""
        made = {"device_id": lock, "workspace_id": self.id, "name": name, "code": code, "type": "ongoing"}
        made |= {"is_managed": False, "status": "set", **more}
        return str(self.running.do("addAccessCode", made)["access_code_id"])

    def bring(self, lock: str) -> None:
        """What Seam does by itself in the course of time: every code it manages is on the lock."""
        for code in self.codes(lock):
            self.running.do("updateAccessCode", {"access_code_id": code["access_code_id"], "status": "set"})

    def outage(self, *routes: str) -> None:
        """These routes answer 503 from now on."""
        body = {"workspace_id": self.id, "routes": routes}
        answer = httpx.post(f"{self.running.fake}/_fake/simulate_workspace_outage", json=body)
        assert answer.status_code == 200, answer.text

    def recover(self) -> None:
        self.outage()


class SeamWorld(World):
    """The world of an engine whose lock app is the real driver; only its pauses take no time."""

    def process(self, tap: Tap, *, inline: bool = True, doom: object = None, **policy: Any) -> Services:
        driver = replace(PROVIDER, connect=lambda connection: in_no_time(PROVIDER.connect(connection)))
        parts = {"database": self.database, "vault": self.vault, "clock": self.clock, "channel": self.mail}
        services = build(load(), Instead(**parts, providers={"seam": driver}, inline=inline))
        return replace(services, policy=replace(services.policy, **policy))


class SeamEngine(Engine):
    """A host with one property whose front door is a lock of a workspace; webhooks come in over the real web."""

    @classmethod
    async def on(
        cls, database: Database, seam: Workspace, *locks: str, at: datetime = NOW, **settings: Any
    ) -> "SeamEngine":
        """An engine on these locks, which are all of the workspace's; matched with the property in this order."""
        engine = cls(SeamWorld.fresh(database, at))
        services = engine.services
        services.accounts.http.event_hooks = {"response": [seam.note]}
        engine.host = await connect.add_host(services, "Ana Host", HOST_EMAIL, at)
        engine.place = await engine.add_property("Lake House", "prop-7", settings=settings)
        engine.account, rows = await connect.add_lock_app(services, engine.host, "seam", "Seam", seam.settings(), at)
        engine.locks = {row.ref: row.id for row in rows}
        for lock in locks:
            await engine.match(lock)
        engine.bookings = await connect.add_address(services, engine.host, "generic", Generic.secret, at)
        app = engine.ask(hosts.lock_apps, services.vault, [engine.account])[engine.account]
        engine.events = await connect.add_hook(services, app, None, at)
        web = httpx.ASGITransport(build_web(services, max_body=100_000))
        engine.web = httpx.AsyncClient(transport=web, base_url="http://lockbridge")
        await engine.work()
        return engine

    async def close(self) -> None:
        await self.web.aclose()
        await super().close()

    async def deliver(self, body: bytes, *, vendor: Any = None, event: str = "evt-of-nonsense") -> None:
        """A booking arrives as a signed webhook."""
        signed = signatures.sign_standard_webhook(self.bookings.secret, event, self.now, body)
        answer = await self.web.post(f"/webhooks/generic/{self.bookings.token}", content=body, headers=signed)
        assert answer.status_code == 200, answer.text

    async def seam_says(self, kind: str, lock: str, *, secret: str | None = None) -> int:
        """Seam's own webhook arrives, signed by Svix; what it was answered with."""
        body = json.dumps({"event_id": token_hex(8), "event_type": kind, "device_id": lock}).encode()
        signed = signatures.sign_standard_webhook(secret or self.events.secret, token_hex(8), self.now, body)
        headers = {name.replace("webhook-", "svix-"): value for name, value in signed.items()}
        answer = await self.web.post(f"/webhooks/seam/{self.events.token}", content=body, headers=headers)
        return answer.status_code

    async def book(self, *, guest: str | None = None, **facts: Any) -> None:
        await self.say(Booking(**facts), guest=guest)
        await self.passes(timedelta(seconds=30))
