"""Settings: the host, how its codes are made, what guests find, keys, webhooks, alarms, and the demo host."""

import re

import pytest
from sqlalchemy import select, text

from lockbridge.contract import Unreachable
from lockbridge.domain.messages import QUIET_IF_WISHED, HostAlarm
from lockbridge.domain.people import Role, Scope
from lockbridge.storage import api_keys, demo, hosts, people
from lockbridge.storage.tables import PLACEMENT, STAY, metadata
from lockbridge.web.console.settings.alarms import WORDS
from lockbridge.web.console.settings.keys import SCOPES
from lockbridge.workflows import alarms, demo_host
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.ports import transact
from tests.web.console.conftest import Console, plain
from tests.workflows.engine import HOUR, OPENS


def deeds(console: Console) -> list[str]:
    with console.engine.world.database.read() as connection:
        return list(connection.execute(text("SELECT what FROM audit ORDER BY id")).scalars())


# --------------------------------------------------------------------------------------------------------- the host


async def test_the_host_gets_another_name_address_and_language(any_console):
    console = any_console
    answer = await console.owner.post("settings/host", name="Lake Homes", email="doors@example.com", language="de")
    assert "Lake Homes" in await console.owner.follow(answer)
    row = console.engine.ask(hosts.get_host, console.engine.services.vault, console.host)
    assert (row.email, row.language) == ("doors@example.com", "de")
    assert "changed the host's name, address or language" in deeds(console)


@pytest.mark.parametrize(
    ("wrong", "why"), [({"name": ""}, "1 to 200"), ({"email": "here"}, "e-mail"), ({"language": "tlh"}, "language")]
)
async def test_what_cannot_be_is_refused_and_what_was_typed_stays(console, wrong, why):
    fields = {"name": "Lake Homes", "email": "doors@example.com", "language": "en", **wrong}
    answer = await console.owner.post("settings/host", **fields)
    assert answer.status_code == 422
    assert why in plain(answer.text)
    assert console.engine.ask(hosts.get_host, console.engine.services.vault, console.host).name == "Ana Host"


async def test_a_manager_sees_what_managers_may_set_and_nothing_else(console):
    manager = await console.person(Role.MANAGER)
    page = (await manager.get("settings")).text
    assert "settings/codes" in page
    assert "settings/members" not in page
    for part in ("host", "members", "keys", "webhooks", "alarms", "demo"):
        assert (await manager.get(f"settings/{part}")).status_code == 403
    staff = await console.person(Role.STAFF)
    assert (await staff.get("settings")).status_code == 403


# ------------------------------------------------------------------------------------------------------------- codes


async def agree(console: Console, **fields: str) -> str:
    """Ask for other codes, read what would happen, and have it done; what was shown."""
    page = (await console.owner.post("settings/codes", **fields)).text
    draw, seen = (re.search(rf'name="{name}" value="(\w+)"', page)[1] for name in ("draw", "seen"))
    answer = await console.owner.post("settings/codes", **fields, draw=draw, seen=seen, do="it")
    assert "Saved; it holds at 1 of 1 properties: Lake House" in await console.owner.follow(answer)
    return plain(page)


async def test_longer_windows_are_shown_before_they_are_made_and_then_open_the_door(any_console):
    console, engine = any_console, any_console.engine
    await engine.book()
    early = OPENS - HOUR
    page = await agree(console, buffer_before_minutes="60")
    assert "Nothing has been changed yet" in page
    assert "1 of 1 properties: Lake House" in page
    await engine.until(early)
    assert engine.opens("front")
    assert "changed how codes are made" in deeds(console)


async def test_stays_booked_from_now_on_get_the_other_pins(console):
    engine = console.engine
    await engine.book()
    answer = await console.owner.post("settings/codes", pin_mode="random", pin_length="6", backups="no")
    if answer.status_code == 200:
        await agree(console, pin_mode="random", pin_length="6", backups="no")
    await engine.book(id="R-2", arrival="2026-07-01", departure="2026-07-03")
    assert (len(engine.pin()), len(engine.pin("R-2"))) == (4, 6)
    assert engine.backups() == []


async def test_a_property_that_says_otherwise_is_not_concerned(opened, sqlite_url):
    console = await opened(sqlite_url, settings={"pin_length": 5})
    answer = await console.owner.post("settings/codes", pin_length="6")
    assert "Saved; it holds at no property there is now" in await console.owner.follow(answer)
    assert console.engine.ask(hosts.get_host, console.engine.services.vault, console.host).settings == {"pin_length": 6}


async def test_settings_that_make_no_sense_are_refused(console):
    for wrong in ({"pin_length": "2"}, {"pin_length": "²"}, {"pin_mode": "eye colour"}, {"backups": "perhaps"}):
        answer = await console.owner.post("settings/codes", **wrong)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert console.engine.ask(hosts.get_host, console.engine.services.vault, console.host).settings == {}


# -------------------------------------------------------------------------------------------------------- guest page


async def test_whom_guests_call_is_kept_sealed_and_shown_again(any_console):
    console, vault = any_console, any_console.engine.services.vault
    fields = {"contact_name": "Ana", "phone": "+34 600 11 22 33", "email": "ana@example.com", "note": "Ring twice."}
    await console.owner.post("settings/guest-page", **fields, may_open="stay")
    known = console.engine.ask(hosts.guest_help, vault, console.host)
    assert known == hosts.GuestHelp("Ana", "+34 600 11 22 33", "ana@example.com", "Ring twice.", may_open=True)
    assert "600" not in repr(known)
    page = (await console.owner.get("settings/guest-page")).text
    assert "+34 600 11 22 33" in page
    with console.engine.world.database.read() as connection:
        sealed = connection.execute(text("SELECT guests_sealed FROM host")).scalar_one()
    assert b"600" not in bytes(sealed)
    assert "changed what guests find on their page" in deeds(console)


async def test_before_anything_is_said_guests_may_open_nothing(console):
    assert console.engine.ask(hosts.guest_help, console.engine.services.vault, console.host) == hosts.GuestHelp()
    answer = await console.owner.post("settings/guest-page", phone="call me")
    assert answer.status_code == 422
    assert "phone number" in plain(answer.text)


# -------------------------------------------------------------------------------------------------------------- keys


async def test_a_key_is_shown_once_and_is_of_no_use_once_revoked(any_console):
    console = any_console
    answer = await console.owner.post("settings/keys", name="Cleaning app", scope=["stays:read", "locks:read"])
    token = re.search(r"lbk_[\w-]{43}", answer.text)[0]
    found = console.engine.ask(api_keys.find, people.digest(token))
    assert (found.name, found.host, found.hint) == ("Cleaning app", console.host, token[-4:])
    assert found.scopes == {Scope.STAYS_READ, Scope.LOCKS_READ}
    page = (await console.owner.get("settings/keys")).text
    assert token not in page
    assert "never" in page
    await transact(console.engine.services, lambda c: api_keys.used(c, found.id, console.engine.now))
    assert "12:30" in await console.owner.text("settings/keys")
    await console.owner.post(f"settings/keys/{found.id}/revoke")
    assert console.engine.ask(api_keys.find, people.digest(token)) is None
    assert "revoked" in await console.owner.text("settings/keys")
    assert (await console.owner.post(f"settings/keys/{found.id}/revoke")).status_code == 404
    assert deeds(console) == ["made the API key Cleaning app", "revoked an API key"]


async def test_a_key_needs_a_name_and_something_it_may_do(console):
    nothing = await console.owner.post("settings/keys", name="Idle")
    nameless = await console.owner.post("settings/keys", scope="stays:read")
    assert [each.status_code for each in (nothing, nameless)] == [422, 422]
    assert "lbk_" not in nothing.text + nameless.text
    assert re.search(r'value="stays:read" checked', nameless.text), "what was chosen stays chosen"


def test_every_scope_is_explained_where_it_is_chosen():
    assert set(SCOPES) == set(Scope)


# ---------------------------------------------------------------------------------------------------------- webhooks


async def test_an_address_for_a_platform_is_shown_once_and_takes_webhooks(any_console):
    console = any_console
    answer = await console.owner.post("settings/webhooks", platform="generic")
    url = re.search(r"http://lockbridge\.test/webhooks/generic/([\w-]+)", answer.text)
    secret = re.search(r"whsec_[\w+/=]+", answer.text)
    assert url
    assert secret
    found = console.engine.ask(hosts.find_endpoint, console.engine.services.vault, hosts.token_hash(url[1]))
    assert found.host == console.host
    again = (await console.owner.get("settings/webhooks")).text
    assert url[1] not in again
    assert secret[0] not in again


async def test_a_platform_nobody_knows_or_a_bad_secret_makes_no_address(console):
    before = len(console.engine.ask(hosts.endpoints_of_host, console.host))
    for fields in ({"platform": "pigeon"}, {"platform": "generic", "secret": "too short"}):
        answer = await console.owner.post("settings/webhooks", **fields)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    assert len(console.engine.ask(hosts.endpoints_of_host, console.host)) == before


async def test_the_hosts_own_system_is_told_signed_with_a_secret_shown_once(any_console):
    console, vault = any_console, any_console.engine.services.vault
    answer = await console.owner.post("settings/hook", url="https://example.com/hooks")
    secret = re.search(r"whsec_[\w+/=]+", answer.text)[0]
    assert console.engine.ask(hosts.hook_of, vault, console.host).secret == secret
    page = (await console.owner.get("settings/webhooks")).text
    assert "https://example.com/hooks" in page
    assert secret not in page
    await console.owner.post("settings/hook/off")
    assert console.engine.ask(hosts.hook_of, vault, console.host) is None
    wrong = await console.owner.post("settings/hook", url="http://example.com/hooks")
    assert wrong.status_code == 422


# ------------------------------------------------------------------------------------------------------------ alarms


def note(console: Console, alarm: HostAlarm, about: str, **facts: str):
    engine = console.engine
    return transact(engine.services, lambda c: alarms.begin(c, console.host, alarm, about, facts, engine.now))


CHANGED = {"code_name": "Ida", "deleted": "", "lock_app_name": "App", "lock_name": "front"}


async def test_an_e_mail_nobody_wants_is_left_out_and_a_grave_one_is_not(any_console):
    console, engine = any_console, any_console.engine
    wanted = [alarm.value for alarm in QUIET_IF_WISHED if alarm is not HostAlarm.CODE_CHANGED_BY_HAND]
    await console.owner.post("settings/alarms", wanted=wanted)
    page = (await console.owner.get("settings/alarms")).text
    assert re.search(r'value="code_changed_by_hand">', page), "it is not ticked any more"
    assert await note(console, HostAlarm.CODE_CHANGED_BY_HAND, "lock-1", **CHANGED), "it is noted all the same"
    await note(console, HostAlarm.POOL_EMPTY, "lock-1", lock_app_name="App", lock_name="front")
    await engine.passes(HOUR)
    assert [mail.subject for mail in engine.mail.sent] == ["No backup codes are left on front"]


async def test_what_can_leave_a_guest_before_a_closed_door_cannot_be_switched_off(console):
    await console.owner.post("settings/alarms", wanted=[])
    off = console.engine.ask(hosts.alarms_off, console.host)
    assert off == {alarm.value for alarm in QUIET_IF_WISHED}
    await note(console, HostAlarm.POOL_EMPTY, "lock-1", lock_app_name="App", lock_name="front")
    await console.engine.passes(HOUR)
    assert len(console.engine.mail.sent) == 1


async def test_an_e_mail_that_is_switched_off_still_goes_to_the_hosts_own_system(console):
    await console.owner.post("settings/alarms", wanted=[])
    await console.owner.post("settings/hook", url="https://example.com/hooks")
    await note(console, HostAlarm.CODE_CHANGED_BY_HAND, "lock-1", **CHANGED)
    await console.engine.passes(HOUR)
    assert console.engine.mail.sent == []
    assert [each.payload["type"] for each in console.engine.world.postings.sent] == ["alarm.code_changed_by_hand"]


def test_every_alarm_has_its_words():
    assert set(HostAlarm) - set(WORDS) == set()


# -------------------------------------------------------------------------------------------------------------- demo


async def test_a_demo_host_has_places_locks_and_stays_and_is_gone_when_removed(any_console):
    console, engine = any_console, any_console.engine
    engine.app.add_lock("demo-door", name="Demo door", rules="standard")
    owner = engine.ask(people.by_email, engine.services.vault, f"owner{console.host}@example.com")
    host = await demo_host.make(engine.services, owner, {}, engine.now)
    await engine.work()
    assert len(engine.ask(hosts.properties_of_host, host)) == 3
    with engine.world.database.read() as connection:
        booked = connection.execute(select(STAY.c.id).where(STAY.c.host_id == host)).all()
        coded = connection.execute(select(PLACEMENT.c.id).where(PLACEMENT.c.host_id == host)).all()
    assert len(booked) == len(demo_host.STAYS)
    assert coded
    assert engine.mail.sent == [], "nobody is written to"
    page = await console.owner.text(f"/console/{host}/settings/demo")
    assert "This is a demo host" in page
    answer = await console.owner.post(f"/console/{host}/settings/demo/remove")
    assert answer.status_code == 303
    assert (await console.owner.get(f"/console/{host}/settings")).status_code == 404
    with engine.world.database.read() as connection:
        left = {
            table.name
            for table in metadata.sorted_tables
            if "host_id" in table.c and connection.execute(select(table).where(table.c.host_id == host)).first()
        }
    assert left == set()
    await engine.work()
    assert "Lake House" in str(engine.ask(hosts.properties_of_host, console.host)), "the other host is untouched"


async def test_the_page_makes_one_demo_host_and_no_second(console):
    answer = await console.owner.post("settings/demo")
    assert re.fullmatch(r"/console/\d+", answer.headers["location"])
    assert answer.headers["location"] != f"/console/{console.host}"
    assert "Demo of Owner" in await console.owner.text("settings/demo")
    again = await console.owner.post("settings/demo")
    assert again.status_code == 422
    assert "already" in plain(again.text)


async def test_a_real_host_is_never_removed(console):
    assert (await console.owner.post("settings/demo/remove")).status_code == 404
    with pytest.raises(BadInput, match="no demo host"):
        await demo_host.remove(console.engine.services, console.host, console.engine.now)
    assert (await console.owner.get("settings")).status_code == 200


async def test_a_demo_host_whose_lock_app_does_not_answer_leaves_nothing_behind(console):
    engine = console.engine
    owner = engine.ask(people.by_email, engine.services.vault, f"owner{console.host}@example.com")

    async def away(verb: str, _lock: str) -> None:
        msg = "nobody listens there"
        raise Unreachable(msg)

    engine.tap.before = away
    with pytest.raises(BadInput, match="does not answer"):
        await demo_host.make(engine.services, owner, {}, engine.now)
    assert [row.name for row in engine.ask(hosts.all_hosts, engine.services.vault)] == ["Ana Host"]


def test_whatever_belongs_to_a_host_is_found_when_it_is_removed():
    of_nobody = {"host", "person", "sign_in", "throttle", "run_ledger", "key_check"}
    found = {table.name for table in metadata.sorted_tables if demo._of(table, 1) is not None}
    assert found == {table.name for table in metadata.sorted_tables} - of_nobody
