"""Today: who comes and goes, what needs somebody, and the one button that helps."""

import gzip
import re

import pytest
from sqlalchemy import event

from lockbridge.domain.lock import Capabilities
from lockbridge.domain.people import Role
from lockbridge.storage import journal, tables
from lockbridge.storage.rows import dump_capabilities
from lockbridge.workflows import connect, healthcheck, today
from providers.simulator import Faults
from tests.web.console.conftest import plain
from tests.workflows.engine import DAY, HOUR, MINUTE, OPENS

REFUSES = Faults(rejected=1.0)
MORNING = OPENS - 8 * HOUR
"""8:00 in New York on the day of arrival, when the check runs."""


async def test_a_refused_code_stands_first_with_its_button_and_is_gone_when_it_is_mended(opened, database_url):
    console = await opened(database_url, {"front": "standard", "gate": "standard"}, at=OPENS - DAY + HOUR)
    engine, owner = console.engine, console.owner
    await engine.unmatch("gate")
    await engine.match("gate", (await engine.add_property("Barn", "prop-9")))
    await engine.book(id="fine-1", code="FINE", home="prop-9", arrival="2026-06-13", guest="Abe Early")
    await engine.book(
        id="fine-2", code="FINE2", home="prop-9", arrival="2026-06-14", check_in="14:00", guest="Ada Fine"
    )
    engine.app.set_faults(REFUSES, "front")
    await engine.book()
    page = (await owner.get()).text
    said = plain(page)
    assert "1 stay needs you" in said
    arrivals = said.partition("Arrivals in the next 24 hours")[2]
    assert arrivals.index("Ida Example") < arrivals.index("Ada Fine")
    assert "front does not have the code: " in arrivals
    assert f'action="{owner.base}/stays/{engine.stay().id}/try-again"' in page
    assert page.count("/try-again") == 1
    engine.app.set_faults(None, "front")
    mended = await owner.follow(await owner.post(f"stays/{engine.stay().id}/try-again", back=owner.base))
    assert engine.opens("front", at=OPENS)
    assert "Every code is where it should be" in mended
    assert "try again" not in mended.lower()


async def test_close_to_the_arrival_the_button_gives_the_backup_that_is_ready_and_then_nothing_is_left_to_do(console):
    engine = console.engine
    await engine.until(OPENS - DAY)
    engine.app.set_faults(REFUSES, "front")
    await engine.until(OPENS - 2 * HOUR)
    await engine.book(arrival="2026-06-14")
    page = (await console.owner.get()).text
    assert f'action="{console.owner.base}/stays/{engine.stay().id}/give-backup"' in page
    assert f'name="lock" value="{engine.locks["front"]}"' in page
    given = {"lock": str(engine.locks["front"]), "back": console.owner.base}
    said = await console.owner.follow(await console.owner.post(f"stays/{engine.stay().id}/give-backup", **given))
    await engine.work()
    assert engine.told_guest("backup_code")
    assert "backup given" in said
    assert "Every code is where it should be" in said
    assert "Give backup" not in said


async def test_a_lock_that_is_offline_or_low_is_shown_with_the_arrivals_it_threatens(any_console):
    engine = any_console.engine
    await engine.until(OPENS - DAY * 2)
    await engine.book()
    engine.app.offline("front")
    engine.app.battery("front", 0.08)
    await engine.book(id="res-2", code="SECOND", arrival="2026-06-16", departure="2026-06-18", guest="Bo Second")
    await engine.until(OPENS - 20 * HOUR)
    said = await any_console.owner.text()
    assert "1 lock is in trouble ." in said.partition("Locks in trouble")[0]
    trouble = said.partition("Locks in trouble")[2]
    assert "front offline since" in trouble
    assert "2 arrivals depend on it" in trouble
    assert "Ida Example , Lake House, Sun 14 Jun 2026, 16:00 EDT – the code is on the lock" in trouble
    assert "Bo Second , Lake House, Tue 16 Jun 2026, 16:00 EDT – the code is not on the lock" in trouble
    engine.app.online("front")
    await engine.look_at()
    await engine.passes(HOUR)
    low = (await any_console.owner.text()).partition("Locks in trouble")[2]
    assert "battery low 8 %" in low
    assert "offline" not in low.partition("Arrivals after that")[0]


async def test_an_arrival_at_an_offline_lock_leads_to_the_lock(console):
    engine = console.engine
    engine.app.offline("front")
    await engine.until(OPENS - 10 * HOUR)
    await engine.book()
    page = (await console.owner.get()).text
    assert "front does not have the code: the lock is offline." in plain(page)
    assert f'<a class="button main" href="{console.owner.base}/locks/{engine.locks["front"]}">' in page


async def test_stays_without_a_code_say_why(any_console):
    engine, owner = any_console.engine, any_console.owner
    await engine.add_property("Bare Cabin", "prop-8")
    await engine.until(OPENS - 20 * HOUR)
    await engine.book(id="a", code="A", home="prop-99", guest="Una Unknown")
    await engine.book(id="b", code="B", home="prop-8", guest="Bea Bare")
    said = await owner.text()
    assert "2 stays need you" in said
    assert "it is not known which of your properties this is. Say which property this is" in said
    assert "No code: its property has no lock. Match a lock" in said
    assert "Sun 14 Jun 2026, 16:00 EDT Una Unknown prop-99 no code" in said
    assert "Also" not in said  # the alarm about it would say the same


async def test_sources_that_disagree_for_long_count_as_a_problem(console):
    engine = console.engine
    await engine.until(OPENS - DAY)
    await engine.book()
    values = {"disagreement": "Calendar says cancelled", "disagreed_at": engine.now - 2 * HOUR}
    mine = tables.STAY.c.id == engine.stay().id
    await engine.write(lambda c: c.execute(tables.STAY.update().where(mine).values(**values)))
    assert "Two sources say different things: Calendar says cancelled. Open the stay" in await console.owner.text()


async def test_accounts_that_need_a_person_are_named_with_where_to_connect_them_again(console):
    engine = console.engine
    engine.app.disconnect()
    await engine.look_at()
    page = (await console.owner.get()).text
    assert "App main This lock app no longer lets us in" in plain(page)
    assert f'href="{console.owner.base}/lock-apps/{engine.account}"' in page


async def test_who_leaves_is_shown_with_the_time_and_when_the_code_goes_on_the_propertys_clock(console):
    engine = console.engine
    await engine.add_property("Tokyo Flat", "prop-8", zone="Asia/Tokyo", country="JP")
    await engine.book()
    await engine.until(OPENS + DAY)
    said = await console.owner.text()
    leaving = said.partition("Departures in the next 24 hours")[2]
    assert "Tue 16 Jun 2026, 11:00 EDT Ida Example Lake House set comes off Wed 17 Jun 2026, 11:00 EDT" in leaving


async def test_an_arrival_counts_on_its_own_clock_not_on_ours(console):
    engine = console.engine
    await engine.match("front", await engine.add_property("Tokyo Flat", "prop-8", zone="Asia/Tokyo", country="JP"))
    await engine.until(OPENS - 12 * HOUR)  # 17:00 in Tokyo, 4:00 in New York
    await engine.book(id="t", code="T", home="prop-8", arrival="2026-06-15", departure="2026-06-17", guest="Tomo Tokyo")
    day = (await console.owner.text()).partition("Arrivals in the next 24 hours")[2].partition("Departures in")[0]
    assert "Mon 15 Jun 2026, 16:00 JST Tomo Tokyo Tokyo Flat" in day
    await engine.until(OPENS + DAY)
    assert "Tomo Tokyo" not in (await console.owner.text()).partition("Departures in")[0]


async def test_a_guest_who_is_there_and_whose_code_is_lost_stands_above_all(console):
    engine = console.engine
    await engine.book()
    await engine.until(OPENS + HOUR)
    engine.app.set_faults(REFUSES, "front")
    (held,) = engine.held()
    engine.app.delete_by_hand("front", held.ref)
    await engine.look_at()
    said = await console.owner.text()
    now = said.partition("Needs you now")[2].partition("Arrivals in")[0]
    assert "Ida Example" in now


async def test_other_alarms_are_listed_and_those_said_elsewhere_are_not(console):
    engine = console.engine
    facts = {"platform": "Generic", "received": "now", "reason": "no", "attempts": 3, "delivery": 9}
    await engine.write(
        lambda c: journal.open_alarm(c, engine.host, "delivery_dead:delivery-9", "delivery_dead", facts, engine.now)
    )
    said = await console.owner.text()
    assert "Also A webhook from Generic could not be read since Wed 10 Jun 2026" in said


async def test_the_health_check_says_what_the_last_one_came_to_for_this_host_and_when_the_next_is(any_console):
    engine = any_console.engine
    assert "Next Thu 11 Jun 2026, 08:00 EDT" in await any_console.owner.text()
    await engine.until(OPENS - DAY)
    engine.app.set_faults(REFUSES, "front")
    await engine.book()
    await engine.until(MORNING + HOUR)
    said = (await any_console.owner.text()).partition("Health check Last")[2]
    assert (
        "Sun 14 Jun 2026, 08:00 EDT – 1 code was not on its lock: 0 set now, 1 backup code given, 0 left to you" in said
    )
    assert "Next Mon 15 Jun 2026, 08:00 EDT" in said
    other = await connect.add_host(engine.services, "Bo Other", "bo@example.com", engine.now)
    theirs = engine.ask(today.view, engine.services, other, engine.now).check
    assert (theirs.ran_at, theirs.looked_at) == (MORNING, 0)


async def test_the_check_can_be_run_now_for_this_host_alone_and_reports(any_console):
    engine, owner = any_console.engine, any_console.owner
    await engine.until(OPENS - DAY + HOUR)
    engine.app.set_faults(REFUSES, "front")
    await engine.book()
    engine.app.set_faults(None, "front")
    answer = await owner.post("health-check")
    await any_console.finish()
    assert engine.statuses() == {"front": "scheduled"}
    assert "now set 1" in await owner.follow(answer)
    said = await owner.text()
    assert "1 code was not on its lock: 1 set now" in said
    assert engine.ask(journal.last_run, healthcheck.run_of(engine.host)).scheduled_for == engine.now


async def test_staff_see_what_is_wrong_and_are_given_no_button_they_may_not_press(console):
    engine = console.engine
    await engine.until(OPENS - 20 * HOUR)
    engine.app.set_faults(REFUSES, "front")
    await engine.book()
    staff = await console.person(Role.STAFF)
    page = (await staff.get()).text
    assert "front does not have the code" in plain(page)
    assert "try-again" not in page
    assert "health-check" not in page
    assert (await staff.post("health-check")).status_code == 403


async def test_a_host_without_locks_is_told_what_to_do_first(console):
    engine = console.engine
    other = await connect.add_host(engine.services, "Bo New", "bo@example.com", engine.now)
    person = await console.person(Role.OWNER, host=other, name="Bo")
    said = plain((await person.client.get(f"/console/{other}")).text)
    assert "No locks yet" in said
    assert "Connect a lock app" in said


@pytest.fixture
def statements(console):
    """The SQL statements that were sent."""
    sent: list[str] = []
    reader = console.engine.world.database._reader

    def note(_connection, _cursor, statement, *_rest):
        sent.append(statement)

    event.listen(reader, "before_cursor_execute", note)
    yield sent
    event.remove(reader, "before_cursor_execute", note)


HOMES = 30


async def filled(engine, batch, each):
    """Homes with a lock and so many stays each, one after the other; every second code was refused."""
    await engine.write(lambda c: [_home(c, engine, batch * HOMES + n, each) for n in range(HOMES)])


def _home(connection, engine, n, each):
    def add(table, **values):
        return connection.execute(table.insert().values(host_id=engine.host, **values)).inserted_primary_key[0]

    like = {"capabilities": dump_capabilities(Capabilities()), "lock_app_id": engine.account}
    lock = add(tables.LOCK, ref=f"many {n}", name=f"many {n}", offline_since=None if n % 5 else engine.now, **like)
    home = add(tables.PROPERTY, name=f"House {n}", zone="Asia/Tokyo", settings={}, created_at=engine.now)
    connection.execute(tables.MATCH.insert().values(host_id=engine.host, property_id=home, lock_id=lock))
    for k in range(each):
        opens = engine.now + k * 2 * DAY + n * MINUTE
        facts = {"platform": "generic", "property_ref": "x", "external_id": f"{n}-{k}", "reservation_code": f"{n}-{k}"}
        facts |= {"arrival": opens.date(), "departure": (opens + 2 * DAY).date(), "guest_name": f"Guest {n} {k}"}
        stay = add(tables.STAY, property_id=home, status="confirmed", created_at=engine.now, **facts)
        window = {"opens_at": opens, "closes_at": opens + 2 * DAY}
        code = add(tables.CODE, kind="guest", stay_id=stay, created_at=engine.now, **window)
        connection.execute(tables.STAY.update().where(tables.STAY.c.id == stay).values(code_id=code))
        state = {"state": "failed" if k % 2 else "set", "detail": "the lock app said no", "failures": 1, **window}
        due = {"push_at": engine.now - DAY, "made_at": engine.now - DAY, "live_at": opens}
        add(tables.PLACEMENT, code_id=code, lock_id=lock, kind="guest", **state, **due)


async def test_the_page_takes_few_statements_however_many_stays_there_are_and_stays_small(console, statements):
    engine = console.engine
    await filled(engine, 0, 2)
    statements.clear()
    await console.owner.get()
    few = len(statements)
    await filled(engine, 1, 8)
    await filled(engine, 2, 8)
    statements.clear()
    page = (await console.owner.get()).text
    assert len(statements) <= 30
    assert len(statements) == few
    assert len(gzip.compress(page.encode(), 6)) <= 60_000
    rows = re.findall(r"<tr>", page.partition("Arrivals after that")[2].partition("Departures after that")[0])
    assert len(rows) == today.MOST_LINES + 1
    assert "more: all of them in Stays" in page
