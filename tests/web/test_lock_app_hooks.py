"""Webhooks of lock apps over a real socket: verified and stored like bookings, and never more than a look."""

import hashlib
import hmac
from datetime import timedelta
from typing import Any

import orjson
import pytest

from lockbridge.domain.ids import LockAppId
from lockbridge.domain.lock import Capabilities
from lockbridge.signatures import sign_standard_webhook
from lockbridge.storage import hosts, locks
from lockbridge.storage.rows import dump_capabilities
from lockbridge.workflows import connect, receive
from lockbridge.workflows.connect import Address, BadInput
from tests.web.conftest import Site

LATER = timedelta(days=1)


def connected(site: Site, kind: str, *refs: str) -> LockAppId:
    """An account with these locks, none of which is to be looked at before tomorrow."""
    now, services = site.clock.now(), site.services
    with services.database.write() as connection:
        app = hosts.add_lock_app(connection, services.vault, site.host, kind, kind.title(), {}, now)
        for ref in refs:
            values: dict[str, Any] = {"host_id": site.host, "lock_app_id": app, "ref": ref, "name": ref}
            told = {"capabilities": dump_capabilities(Capabilities()), "online": True, "battery": None}
            key = locks.upsert_lock(connection, {**values, **told, "missing": False, "next_at": now + LATER})
            locks.look_soon(connection, app, [ref], now + LATER)
            assert key
    return app


def looked_at(site: Site, app: LockAppId) -> dict[str, bool]:
    """Which locks are going to be looked at within the minute."""
    soon = site.clock.now() + timedelta(minutes=1)
    with site.services.database.read() as connection:
        return {row.ref: row.look_at is not None and row.look_at <= soon for row in locks.of_app(connection, app)}


async def address_of(site: Site, app: LockAppId, secret: str | None = None) -> Address:
    with site.services.database.read() as connection:
        row = hosts.lock_apps(connection, site.services.vault, [app])[app]
    return await connect.add_hook(site.services, row, secret, site.clock.now())


def nuki(body: bytes, secret: str) -> dict[str, str]:
    return {"x-nuki-signature-sha256": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


STATUS = orjson.dumps({"feature": "DEVICE_STATUS", "smartlockId": 11, "state": {"state": 1}, "serverState": 4})


async def test_a_signed_webhook_of_a_lock_app_has_its_lock_looked_at_and_no_other(site: Site):
    app = connected(site, "nuki", "11", "12")
    address = await address_of(site, app, "a secret of ours")
    path = f"/webhooks/nuki/{address.token}"
    answer = await site.client.post(path, content=STATUS, headers=nuki(STATUS, "a secret of ours"))
    assert answer.status_code == 200
    assert looked_at(site, app) == {"11": False, "12": False}
    await receive.read_deliveries(site.services, site.clock.now())
    assert looked_at(site, app) == {"11": True, "12": False}
    assert [row.state for row in site.deliveries()] == ["done"]


async def test_a_forged_webhook_of_a_lock_app_is_refused_and_the_host_is_told(site: Site):
    app = connected(site, "nuki", "11")
    address = await address_of(site, app, "a secret of ours")
    path = f"/webhooks/nuki/{address.token}"
    answer = await site.client.post(path, content=STATUS, headers=nuki(STATUS, "another secret"))
    assert answer.status_code == 401
    assert site.deliveries() == []
    assert site.told("bad_signature") == 1


async def test_a_webhook_that_names_a_lock_of_another_account_moves_nothing_there(site: Site):
    mine, other = connected(site, "nuki", "11"), connected(site, "seam", "11")
    address = await address_of(site, mine, "s")
    await site.client.post(f"/webhooks/nuki/{address.token}", content=STATUS, headers=nuki(STATUS, "s"))
    await receive.read_deliveries(site.services, site.clock.now())
    assert looked_at(site, other) == {"11": False}


async def test_svix_signed_webhooks_are_taken_from_seam(site: Site):
    app = connected(site, "seam", "d-1", "d-2")
    address = await address_of(site, app)
    body = orjson.dumps({"event_id": "e1", "event_type": "device.disconnected", "device_id": "d-2"})
    signed = sign_standard_webhook(address.secret, "msg_1", site.clock.now(), body)
    headers = {name.replace("webhook-", "svix-"): value for name, value in signed.items()}
    assert (await site.client.post(f"/webhooks/seam/{address.token}", content=body, headers=headers)).status_code == 200
    await receive.read_deliveries(site.services, site.clock.now())
    assert looked_at(site, app) == {"d-1": False, "d-2": True}


async def test_a_sender_that_signs_nothing_is_known_by_its_address_and_gets_the_answer_it_wants(site: Site):
    app = connected(site, "ttlock", "7")
    address = await address_of(site, app)
    form = {"lockId": "7", "notifyType": "1", "admin": "a", "records": "[]"}
    answer = await site.client.post(f"/webhooks/ttlock/{address.token}", data=form)
    assert (answer.status_code, answer.text) == (200, "success")
    wrong = await site.client.post(f"/webhooks/ttlock/{'x' * 32}", data=form)
    assert wrong.status_code == 404


async def test_nonsense_from_a_lock_app_is_kept_and_set_aside(site: Site):
    app = connected(site, "nuki", "11")
    address = await address_of(site, app, "s")
    body = b'{"feature": ['
    answer = await site.client.post(f"/webhooks/nuki/{address.token}", content=body, headers=nuki(body, "s"))
    assert answer.status_code == 200
    await receive.read_deliveries(site.services, site.clock.now())
    assert site.deliveries()[0].error


async def test_the_address_of_one_lock_app_takes_nothing_of_another(site: Site):
    address = await address_of(site, connected(site, "nuki", "11"), "s")
    answer = await site.client.post(f"/webhooks/seam/{address.token}", content=STATUS, headers=nuki(STATUS, "s"))
    assert answer.status_code == 404


async def test_a_lock_app_without_webhooks_says_so(site: Site):
    with pytest.raises(BadInput, match="sends no webhooks"):
        await address_of(site, connected(site, "manual"))
