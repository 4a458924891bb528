"""The guest's page: before, during and after the stay; and at a closed door, step by step until it opens."""

import asyncio
import re
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from lockbridge.domain.guest_help import Step
from lockbridge.domain.stay import StayStatus
from lockbridge.storage import hosts, journal
from lockbridge.storage.database import Database
from lockbridge.storage.hosts import GuestHelp
from lockbridge.storage.rules import Written
from lockbridge.storage.tables import MATCH
from lockbridge.web.app import build_web
from lockbridge.workflows import clean_up, guest, guest_at_door, rules, stay_actions
from providers.simulator.faults import Fault, Verb
from tests.web.conftest import shows
from tests.web.console.conftest import plain
from tests.workflows.engine import CLOSES, DAY, HOUR, MINUTE, OPENS, Engine

URL = "http://lockbridge.test"
START = OPENS - 26 * HOUR
WORDS = {
    file.stem: tomllib.loads(file.read_text(encoding="utf-8"))
    for file in (Path(__file__).parents[2] / "templates" / "guest_page").glob("*.toml")
}
EN = WORDS["en"]
HELP = GuestHelp("Ana Host", "+1 555 0100", "ana@example.com", "Ring twice.", may_open=True)


@dataclass
class Page:
    """A guest's page over a whole engine, in the hands of a guest."""

    engine: Engine
    client: httpx.AsyncClient
    web: Any
    token: str = ""

    async def link(self, ref: str = "res-4711") -> str:
        self.token = await guest.link(self.engine.services, self.engine.host, self.engine.stay(ref).id, self.engine.now)
        return self.token

    async def get(self, lang: str = "", **headers: str) -> httpx.Response:
        return await self.client.get(f"/g/{self.token}" + (f"?lang={lang}" if lang else ""), headers=headers)

    async def text(self, lang: str = "en") -> str:
        answer = await self.get(lang)
        assert answer.status_code == 200, (answer.status_code, plain(answer.text))
        return plain(answer.text)

    async def send(self, door: str | int = "front", client: httpx.AsyncClient | None = None) -> httpx.Response:
        """Press the button of a door on the page that is open."""
        page = (await self.get()).text
        (csrf, *_) = re.findall('name="csrf" value="([^"]+)"', page)
        number = self.engine.locks[door] if isinstance(door, str) else door
        fields = {"csrf": csrf, "door": str(number)}
        return await (client or self.client).post(f"/g/{self.token}/help?lang=en", data=fields)

    async def press(self, door: str | int = "front", *, after: timedelta = MINUTE) -> str:
        """Some time passes, the button is pressed, and the page says what to do."""
        self.engine.clock.advance(after)
        answer = await self.send(door)
        assert answer.status_code == 303, plain(answer.text)
        assert answer.headers["location"].startswith(f"/g/{self.token}?lang=en#door-")
        return await self.text()

    def steps(self) -> list[str]:
        """The steps as the stay's history has them."""
        kinds = [entry.kind for entry in self.engine.view().history]
        return [kind.removeprefix("guest_") for kind in kinds if kind.startswith("guest_")]


OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture
async def opened(open_database: Callable[..., Database]) -> AsyncIterator[OpenPage]:
    async with AsyncExitStack() as stack:

        async def open_one(url: str, rules: dict[str, Any] | None = None, **options: Any) -> Page:
            engine = await Engine.start(open_database(url, read_threads=0), rules, at=START, **options)
            stack.push_async_callback(engine.close)
            web = build_web(engine.services, max_body=1_000_000, url=URL)
            stack.push_async_callback(web.background.finish)
            transport = httpx.ASGITransport(app=web)
            client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=URL))
            await engine.write(lambda c: hosts.set_guest_help(c, engine.services.vault, engine.host, HELP))
            facts = {"address": "7 Lake Road\nSpringfield", "arrival_note": "Past the boat house."}
            await engine.write(lambda c: hosts.change_property(c, engine.host, engine.place, facts))
            return Page(engine, client, web)

        yield open_one


@pytest.fixture
async def page(opened: OpenPage, sqlite_url: str) -> Page:
    """A page of a stay that is booked, a day and two hours before its code opens."""
    page = await opened(sqlite_url)
    await page.engine.book()
    await page.link()
    return page


@pytest.fixture
async def any_page(opened: OpenPage, database_url: str) -> Page:
    """The same on a fresh database, once of each kind."""
    page = await opened(database_url)
    await page.engine.book()
    await page.link()
    return page


# ------------------------------------------------------------------------------------------- before, during and after


async def test_long_before_the_page_says_where_and_when_and_when_the_code_will_be_there(page):
    said = await page.text()
    assert "Hello Ida, welcome to Lake House" in said
    assert "7 Lake Road Springfield" in said
    assert "Past the boat house." in said
    assert "Check-in Sunday, 14 June 4:00 PM EDT" in said
    assert "Check-out Tuesday, 16 June 11:00 AM EDT" in said
    assert "Your code appears here on Saturday, 13 June at 4:00 PM EDT." in said
    assert "+1 555 0100" in said
    assert page.engine.pin() not in said
    assert EN["not_working"] not in said, "there is no code yet that could fail"


async def test_r35_the_code_is_there_when_its_time_has_come_and_not_a_second_earlier(any_page):
    engine = any_page.engine
    await engine.until(OPENS - DAY - timedelta(seconds=1))
    assert engine.statuses() == {"front": "scheduled"}
    assert not shows(await any_page.text(), engine.pin())
    engine.clock.set(OPENS - DAY)
    said = await any_page.text()
    assert engine.pin() in said
    assert "It opens from Sunday, 14 June, 4:00 PM EDT." in said


async def test_r35_a_code_that_is_not_on_the_lock_is_not_shown_and_the_page_looks_again(opened, sqlite_url):
    page = await opened(sqlite_url, settings={"backups": False})
    engine = page.engine
    engine.app.offline("front")
    await engine.book()
    await page.link()
    await engine.until(OPENS - HOUR)
    answer = await page.get("en")
    assert not shows(answer.text, engine.pin())
    assert EN["waits"] in plain(answer.text)
    assert 'class="waiting"' in answer.text
    engine.app.online("front")
    await engine.passes(HOUR)
    assert engine.pin() in await page.text()


async def test_a_code_that_the_lock_chooses_is_shown_once_it_has(opened, sqlite_url):
    page = await opened(sqlite_url, {"gate": "algorithmic"})
    await page.engine.book()
    await page.link()
    await page.engine.until(OPENS + HOUR)
    assert page.engine.pin(lock="gate") in await page.text()


async def test_during_the_stay_the_digits_stand_there_with_how_to_type_them(page):
    await page.engine.until(OPENS + HOUR)
    answer = await page.get("en")
    said = plain(answer.text)
    assert page.engine.pin() in said
    assert " ".join(page.engine.pin()) in said, "read out digit by digit"
    assert "✓ or #" in said
    assert "It works until Tuesday, 16 June, 11:00 AM EDT." in said
    assert page.engine.opens("front", re.search(r'translate="no">(\d+)<', answer.text)[1])


async def test_after_the_stay_there_is_a_goodbye_without_code_or_address(page):
    engine = page.engine
    pin = engine.pin()
    await engine.until(CLOSES)
    said = await page.text()
    assert pin not in said
    assert "Your code has ended" in said
    assert "7 Lake Road" in said, "for a while: something may have been left behind"
    await engine.until(CLOSES + 7 * HOUR)
    answer = await page.get("en")
    assert answer.status_code == 200
    said = plain(answer.text)
    assert "Your stay is over" in said
    assert not re.search(rf"{pin}|Lake|Springfield|boat house|555|Ida|Ana", said)


async def test_the_doors_stand_in_the_order_of_the_way_and_backups_are_not_shown(opened, sqlite_url):
    page = await opened(sqlite_url, {"attic": "standard", "gate": "standard", "front": "standard"})
    engine = page.engine
    await engine.book()
    await page.link()
    order = {"gate": 1, "front": 2, "attic": 2}
    await engine.write(lambda c: _order(c, engine, order))
    await engine.until(OPENS)
    said = (await page.get("en")).text
    assert re.findall(r"</span> (\w+)</h3>", said) == ["gate", "attic", "front"]
    for lock in order:
        assert not any(pin in said for pin in engine.backup_pins(lock)), lock
        assert engine.pin(lock=lock) in said


def _order(connection: Any, engine: Engine, order: dict[str, int]) -> None:
    for lock, position in order.items():
        connection.execute(MATCH.update().where(MATCH.c.lock_id == engine.locks[lock]).values(position=position))


async def test_another_rule_of_the_host_for_telling_the_code_moves_the_page_too(page):
    engine = page.engine
    held = {each.rule.name: each.rule for each in await rules.rules_of(engine.services, engine.host, None)}
    later = replace(held["access-code"], hours=2)
    await rules.set_rule(engine.services, engine.host, None, later, engine.now)
    await engine.until(OPENS - 3 * HOUR)
    assert "Your code appears here on Sunday, 14 June at 2:00 PM EDT." in await page.text()
    await engine.until(OPENS - 2 * HOUR)
    assert engine.pin() in await page.text()


# ------------------------------------------------------------------------------------------------ who may see the page


async def test_there_is_one_link_and_when_it_is_withdrawn_there_is_another(any_page):
    engine, first = any_page.engine, any_page.token
    assert await any_page.link() == first
    stay = engine.stay().id
    assert await guest.revoke_link(engine.services, engine.host, stay, engine.now)
    assert not await guest.revoke_link(engine.services, engine.host, stay, engine.now)
    gone = await any_page.get("en")
    assert gone.status_code == 404
    assert "Lake" not in gone.text
    assert await any_page.link() != first
    assert "Lake House" in await any_page.text()


async def test_two_who_ask_for_the_link_at_once_get_the_same(any_page):
    engine = any_page.engine
    stay = engine.stay().id
    await guest.revoke_link(engine.services, engine.host, stay, engine.now)
    asked = (guest.link(engine.services, engine.host, stay, engine.now) for _ in range(5))
    assert len(set(await asyncio.gather(*asked))) == 1


async def test_another_hosts_stay_has_no_link(page):
    engine = page.engine
    with pytest.raises(guest.BadInput, match="no stay"):
        await guest.link(engine.services, guest.HostId(engine.host + 1), engine.stay().id, engine.now)


async def test_a_cancelled_stay_has_no_page_until_it_is_on_again(page):
    await page.engine.book(happening="cancelled", status=StayStatus.CANCELLED)
    assert (await page.get()).status_code == 404
    page.engine.clock.advance(MINUTE)
    await page.engine.book(happening="changed")
    assert "Lake House" in await page.text()


async def test_a_revoked_code_is_not_shown_and_no_door_is_opened_for_it(page):
    engine = page.engine
    await engine.until(OPENS + HOUR)
    await page.press()
    await page.press()
    pins = {engine.pin(), *engine.backup_pins()}
    form = (await page.get()).text
    (csrf, *_) = re.findall('name="csrf" value="([^"]+)"', form)
    await stay_actions.revoke(engine.services, engine.host, engine.stay().id, engine.now)
    said = await page.text()
    assert not any(pin in said for pin in pins)
    assert "+1 555 0100" in said
    engine.clock.advance(MINUTE)
    await page.client.post(f"/g/{page.token}/help", data={"csrf": csrf, "door": str(engine.locks["front"])})
    assert page.steps()[-1] == "call"
    assert ("open", "front") not in engine.tap.calls


async def test_a_reservation_that_only_asks_has_no_page(page):
    engine = page.engine
    await engine.book(
        id="res-3", code="HMASKS", arrival="2026-07-14", departure="2026-07-16", status=StayStatus.PENDING
    )
    await page.link("res-3")
    assert (await page.get()).status_code == 404
    await engine.passes(MINUTE)
    await engine.book(id="res-3", code="HMASKS", arrival="2026-07-14", departure="2026-07-16", happening="changed")
    assert "Lake House" in await page.text()


async def test_a_moved_stay_shows_its_new_dates_and_its_new_door(page):
    engine = page.engine
    other = await engine.add_property("Barn", "prop-8")
    engine.app.add_account("second", token="t")
    await engine.connect_locks({"barn": "standard"}, account="second")
    await engine.match("barn", other)
    await engine.until(OPENS)
    assert "front" in await page.text()
    await engine.book(happening="changed", home="prop-8", departure="2026-06-18")
    await engine.passes(MINUTE)
    said = await page.text()
    assert "welcome to Barn" in said
    assert "Thursday, 18 June" in said
    assert "front" not in said
    assert engine.pin(lock="barn") in said


async def test_r45_an_erased_guest_has_no_page_and_no_link(page):
    engine = page.engine
    await clean_up.erase_guest(engine.services, engine.host, engine.stay().id, engine.now)
    assert (await page.get()).status_code == 404
    known = engine.ask(guest.guest_links.of_stay, engine.services.vault, engine.host, engine.stay().id)
    assert known is None


async def test_nothing_of_another_guest_is_on_a_page(page):
    engine = page.engine
    await engine.book(id="res-2", code="HMOTHER", arrival="2026-06-16", departure="2026-06-18", guest="Bo Person")
    await engine.until(OPENS)
    mine = await page.text()
    assert engine.pin() in mine
    assert "Bo" not in mine
    assert engine.pin("res-2") not in mine


@pytest.mark.parametrize("path", ["/g/guessed", "/g/" + "x" * 32, "/g/%00", "/g/" + "ä" * 20])
async def test_a_link_that_leads_nowhere_says_so_and_nothing_else(page, path):
    answer = await page.client.get(path)
    assert answer.status_code == 404
    assert "Please ask your host for the right one" in plain(answer.text)


async def test_links_are_not_to_be_guessed_by_trying_many(page):
    tried = [(await page.client.get(f"/g/guess-{number}")).status_code for number in range(30)]
    assert tried == [404] * guest.STRANGERS_PER_MINUTE + [429] * (30 - guest.STRANGERS_PER_MINUTE)
    assert (await page.get()).status_code == 200, "a guest's own link still opens"


async def test_a_page_that_is_loaded_without_end_is_told_to_wait(page):
    answers = [(await page.get()).status_code for _ in range(guest.LOADS_PER_MINUTE + 1)]
    assert answers[-2:] == [200, 429]
    page.engine.clock.advance(MINUTE)
    assert (await page.get()).status_code == 200


async def test_browsers_keep_nothing_tell_nobody_and_search_engines_stay_out(page):
    for answer in (await page.get(), await page.client.get("/g/nobody")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
    assert "https://" not in (await page.get()).text, "nothing from other sites"


# ------------------------------------------------------------------------------------------------------------ languages


def keys(words: Any, at: str = "") -> set[str]:
    if isinstance(words, dict):
        return {key for name, inner in words.items() for key in keys(inner, f"{at}.{name}")}
    blanks = sorted(re.findall(r"{\w+}", words)) if isinstance(words, str) else [str(len(words))]
    return {f"{at} {' '.join(blanks)}"}


def test_every_language_has_every_word_with_the_same_blanks():
    assert set(WORDS) == {"en", "de", "es", "fr", "it", "pt"}
    for language, words in WORDS.items():
        assert keys(words) == keys(EN), language
    assert set(EN["step"]) == set(EN["done"]) - {"check"} == set(Step)


async def test_the_page_speaks_the_bookings_language_else_the_browsers_and_the_one_that_is_chosen(opened, sqlite_url):
    page = await opened(sqlite_url)
    await page.engine.book(guest="Ida Example")
    await page.link()
    assert (await page.get(**{"accept-language": "nl, fr-CA;q=0.9, de;q=0.4"})).headers["content-language"] == "fr"
    assert (await page.get(**{"accept-language": "xx;q=oops, nl"})).headers["content-language"] == "en"
    guest_of = {"name": "Ida Example", "first_name": "Ida", "language": "de-AT", "phone": "+15550101234"}
    page.engine.clock.advance(MINUTE)
    await page.engine.book(happening="changed", extra={"guest": guest_of})
    said = await page.get(**{"accept-language": "fr"})
    assert said.headers["content-language"] == "de"
    assert '<html lang="de">' in said.text
    assert "Sonntag, 14. Juni" in plain(said.text)
    assert "Sonntag" not in await page.text("es")
    assert (await page.get("../en")).headers["content-language"] == "de"


@pytest.mark.parametrize("language", sorted(WORDS))
async def test_every_step_is_told_in_every_language(page, language):
    engine = page.engine
    await engine.until(OPENS + HOUR)
    for step in Step:
        entry = journal.Entry(
            engine.now, engine.host, f"guest_{step}", "said", engine.stay().id, lock=engine.locks["front"]
        )
        await engine.write(lambda c, entry=entry: journal.write(c, [entry]))
        said = await page.text(language)
        assert WORDS[language]["step"][step]["title"] in said
        assert not re.search(r"[{}]", said)


# ------------------------------------------------------------------------------------------------------- a closed door


async def test_from_a_code_that_was_deleted_by_hand_to_a_door_that_opens(any_page):
    engine, page = any_page.engine, any_page
    await engine.until(OPENS + HOUR)
    pin = engine.pin()
    (code,) = engine.held()
    engine.app.delete_by_hand("front", code.ref)
    assert not engine.opens("front", pin)
    said = await page.press()
    assert EN["step"]["type_again"]["title"] in said, "the lock was looked at, and the code put back"
    assert engine.opens("front", pin)

    said = await page.press()
    assert EN["step"]["backup"]["title"] in said
    shown = re.findall(r'translate="no">(\d+)<', (await page.get()).text)
    backup = next(digits for digits in shown if digits != pin)
    assert engine.opens("front", backup)
    await engine.work()
    assert backup in engine.told_guest("backup_code")[0].text, "the rules' message tells it, too"

    said = await page.press()
    assert EN["step"]["open"]["title"] in said
    assert ("open", "front") in engine.tap.calls

    said = await page.press()
    assert EN["step"]["call"]["title"] in said
    assert "+1 555 0100" in said
    await engine.work()
    assert page.steps() == ["type_again", "backup", "open", "call"]
    (alarm,) = engine.told_host("guest_at_door")
    assert "Ida Example" in alarm.text
    assert "front" in alarm.text


async def test_no_digits_and_no_names_of_other_doors_are_in_the_history(page):
    await page.engine.until(OPENS + HOUR)
    await page.press()
    await page.press()
    pins = {page.engine.pin(), *page.engine.backup_pins()}
    assert not any(pin in page.engine.whys() for pin in pins)
    assert "the guest says that the code does not work at front" in page.engine.whys()


async def test_r25_two_phones_at_once_get_one_backup_and_take_one_step(any_page):
    engine, page = any_page.engine, any_page
    await engine.until(OPENS + HOUR)
    await page.press()
    engine.clock.advance(MINUTE)
    await asyncio.gather(*(page.send() for _ in range(3)))
    given = [each for each in engine.backups() if each.given_to is not None]
    assert len(given) == 1
    assert page.steps() == ["type_again", "backup"]
    await engine.work()
    assert len(engine.told_guest("backup_code")) == 1


async def test_r25_a_guest_who_has_a_backup_never_gets_another(page):
    engine = page.engine
    await engine.until(OPENS + HOUR)
    for _ in range(4):
        await page.press(after=3 * MINUTE)
    await engine.passes(3 * HOUR)
    for _ in range(4):
        await page.press(after=3 * MINUTE)
    assert page.steps() == ["type_again", "backup", "open", "call", "type_again", "open", "call", "call"]
    assert len([each for each in engine.backups() if each.given_to is not None]) == 1


async def test_a_code_on_its_way_is_waited_for_and_then_stands_there(opened, sqlite_url):
    page = await opened(sqlite_url, {"front": "nuki"}, settings={"backups": False})
    engine = page.engine
    engine.app.offline("front")
    await engine.book()
    await page.link()
    await engine.until(OPENS + HOUR)
    engine.app.online("front")
    said = await page.press()
    assert EN["step"]["wait"]["title"] in said
    await engine.passes(5 * MINUTE)
    said = await page.text()
    assert engine.pin() in said
    assert EN["waits"] not in said


async def test_at_a_lock_that_cannot_be_reached_the_backup_helps_and_then_the_host(page):
    engine = page.engine
    await engine.until(OPENS - DAY)
    engine.app.offline("front")
    await engine.until(OPENS + HOUR)
    assert EN["step"]["type_again"]["title"] in await page.press()
    assert EN["step"]["backup"]["title"] in await page.press()
    assert EN["step"]["call"]["title"] in await page.press()
    assert ("open", "front") not in engine.tap.calls


async def test_where_the_host_does_not_allow_it_no_door_is_opened(page):
    engine = page.engine
    await engine.write(lambda c: hosts.set_guest_help(c, engine.services.vault, engine.host, GuestHelp()))
    await engine.until(OPENS + HOUR)
    for _ in range(3):
        said = await page.press()
    assert page.steps() == ["type_again", "backup", "call"]
    assert "Please write to your host where you booked." in said
    assert ("open", "front") not in engine.tap.calls


async def test_a_lock_that_does_not_open_leads_to_the_host(page):
    engine = page.engine
    await engine.until(OPENS + HOUR)
    await page.press()
    await page.press()
    engine.app.script("front", Fault.ERROR_BEFORE, on={Verb.OPEN})
    said = await page.press()
    assert EN["step"]["call"]["title"] in said
    assert "the guest, on their page asked to open the door" in engine.whys()
    await engine.work()
    assert len(engine.told_host("guest_at_door")) == 1


async def test_the_host_is_told_once_an_hour_at_most(page):
    engine = page.engine
    await engine.until(OPENS + HOUR)
    for _ in range(12):
        await page.press(after=6 * MINUTE)
        await engine.work()
    assert page.steps().count("call") > 5
    assert len(engine.told_host("guest_at_door")) == 1
    await page.press(after=15 * MINUTE)
    await engine.work()
    assert len(engine.told_host("guest_at_door")) == 2


async def test_too_early_nothing_is_done_at_the_lock(page):
    engine = page.engine
    await engine.until(OPENS - 2 * HOUR)
    calls = len(engine.tap.calls)
    said = await page.press()
    assert "Your code opens from Sunday, 14 June, 4:00 PM EDT" in said
    assert len(engine.tap.calls) == calls
    assert not engine.told_host("guest_at_door")


async def test_after_the_stay_a_page_that_was_still_open_helps_no_more(page):
    engine = page.engine
    await engine.until(CLOSES - MINUTE)
    form = (await page.get()).text
    (csrf, *_) = re.findall('name="csrf" value="([^"]+)"', form)
    await engine.until(CLOSES + HOUR)
    calls = len(engine.tap.calls)
    await page.client.post(f"/g/{page.token}/help", data={"csrf": csrf, "door": str(engine.locks["front"])})
    assert page.steps() == ["over"]
    assert len(engine.tap.calls) == calls
    assert not [each for each in engine.backups() if each.given_to is not None]


async def test_at_another_door_the_guest_hears_which_are_theirs(page):
    engine = page.engine
    engine.app.add_account("second", token="t")
    await engine.connect_locks({"neighbour": "standard"}, account="second")
    await engine.until(OPENS + HOUR)
    calls = len(engine.tap.calls)
    said = await page.press("neighbour")
    assert "Your code is for: front" in said
    assert "neighbour" not in said
    assert len(engine.tap.calls) == calls, "nobody's lock is looked at for somebody else's guest"
    said = await page.press(0)
    assert EN["step"]["call"]["title"] in said


async def test_steps_are_limited_and_the_page_stays(page):
    await page.engine.until(OPENS + HOUR)
    page.engine.clock.advance(MINUTE)
    answers = [(await page.send()).status_code for _ in range(guest_at_door.STEPS_PER_STAY + 1)]
    assert answers == [303] * guest_at_door.STEPS_PER_STAY + [429]
    assert "+1 555 0100" in await page.text()


async def test_a_form_from_elsewhere_does_nothing(page):
    engine = page.engine
    await engine.until(OPENS + HOUR)
    door = {"door": str(engine.locks["front"])}
    assert (await page.client.post(f"/g/{page.token}/help", data=door)).status_code == 403
    forged = door | {"csrf": "0.0"}
    assert (await page.client.post(f"/g/{page.token}/help", data=forged)).status_code == 403
    (csrf, *_) = re.findall('name="csrf" value="([^"]+)"', (await page.get()).text)
    cross = {"sec-fetch-site": "cross-site"}
    answer = await page.client.post(f"/g/{page.token}/help", data=door | {"csrf": csrf}, headers=cross)
    assert answer.status_code == 403
    assert page.steps() == []
    plain_http = {"origin": "null"}
    answer = await page.client.post(f"/g/{page.token}/help", data=door | {"csrf": csrf}, headers=plain_http)
    assert answer.status_code == 303, "browsers send no origin from a page that tells no referrer"


# ------------------------------------------------------------------------------------------------ the link in a message


async def test_r34_a_message_can_tell_the_address_of_the_page(page):
    engine = page.engine
    text = Written("access_code", "en", "Your way in", "All you need: %guest_page%")
    await rules.set_text(engine.services, engine.host, text, engine.now)
    await engine.until(OPENS - DAY + MINUTE)
    (mail,) = engine.mails()
    assert f"{engine.services.policy.public_url}/g/{page.token}" in mail.text
    assert re.match(r"http://127\.0\.0\.1:\d+$", engine.services.policy.public_url)


async def test_r36_a_guest_who_was_told_only_the_page_gets_the_code_when_the_door_opens(page):
    engine = page.engine
    text = Written("access_code", "en", "Your way in", "All you need: %guest_page%")
    await rules.set_text(engine.services, engine.host, text, engine.now)
    await engine.until(OPENS + MINUTE)
    assert engine.pin() in engine.mails()[-1].text
