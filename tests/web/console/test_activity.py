"""Activity: who did what and what was decided, with filters, page by page, and as a sheet."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.people import Role
from lockbridge.storage import audit
from lockbridge.storage.audit import Deed
from lockbridge.web.console import activity
from lockbridge.web.sheets import guarded
from lockbridge.workflows import connect
from tests.web.console.conftest import plain
from tests.workflows.engine import DAY, HOUR, MINUTE


async def did(engine, who, what, about="", why="", *, host=None):
    """Somebody does something."""
    await engine.write(lambda c: audit.write(c, Deed(engine.now, host or engine.host, who, what, about, why)))


async def rows(browser, query=""):
    """The lines of the page, as one reads them."""
    page = (await browser.get(f"activity{query}")).text
    body = page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [plain(line) for line in re.findall(r"<tr>.*?</tr>", body, flags=re.DOTALL)]


async def sheet(browser, query=""):
    answer = await browser.get(f"activity.csv{query}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def test_what_people_did_and_what_was_decided_stand_together_the_newest_first(any_console):
    engine = any_console.engine
    await engine.book()
    await engine.passes(HOUR)
    await did(engine, "Owner", "changed check-in of", f"stay {engine.stay().id}", "the guest asked")
    found = await rows(any_console.owner)
    assert "Owner changed check-in of: the guest asked Ida Example" in found[0]
    assert "Wed 10 Jun 2026, 09:30 EDT" in found[0]
    booked = next(line for line in found if "lockbridge booked" in line)
    assert "Ida Example" in booked
    assert found.index(booked) > 0


async def test_a_reveal_by_support_stands_out_with_its_reason(console):
    engine = console.engine
    await engine.book()
    await did(engine, "Sue (support)", "looked at the code of", f"stay {engine.stay().id}", "the guest is at the door")
    (found,) = await rows(console.owner, "?kind=looks")
    assert "Sue (support) code looked at looked at the code of" in found
    assert "The reason they gave: “the guest is at the door” Ida Example" in found


async def test_filters_leave_only_what_is_looked_for(any_console):
    engine, owner = any_console.engine, any_console.owner
    await engine.book()
    await engine.book(id="res-2", code="SECOND", arrival="2026-06-20", departure="2026-06-22", guest="Bo Second")
    await engine.passes(DAY)
    await did(engine, "Mia", "invited somebody", "as staff")
    await did(engine, "Owner", "changed check-in of", f"stay {engine.stay().id}")
    assert len(await rows(owner, "?kind=people")) == 2
    assert [line for line in await rows(owner, "?who=Mia") if "Mia" not in line] == []
    about_ida = await rows(owner, "?about=ida example")
    assert any("changed check-in" in line for line in about_ida)
    assert any("booked" in line for line in about_ida)
    assert all("Bo Second" not in line for line in about_ida)
    assert about_ida == await rows(owner, f"?stay={engine.stay().id}")
    bookings = await rows(owner, "?kind=bookings")
    assert len(bookings) == 2
    assert all("lockbridge booked" in line for line in bookings)
    today = f"{engine.now:%Y-%m-%d}"
    assert len(await rows(owner, f"?kind=people&since={today}&until={today}")) == 2
    assert await rows(owner, "?kind=people&until=2026-06-10") == []
    assert "Nothing like this happened" in await owner.text("activity?about=nobody")


async def test_a_lock_is_found_by_its_name_with_all_that_happened_on_it(any_console):
    engine = any_console.engine
    await engine.book()
    await did(engine, "Owner", "started a resync of", f"lock {engine.locks['front']}")
    found = await rows(any_console.owner, "?about=Front")
    assert "Owner started a resync of front" in found[0]
    assert any("planned" in line for line in found[1:])
    assert not any("lockbridge booked" in line for line in found)


async def test_page_after_page_shows_each_thing_once_and_in_order(any_console, monkeypatch):
    monkeypatch.setattr(activity, "A_PAGE", 4)
    engine, owner = any_console.engine, any_console.owner
    for number in range(7):
        await did(engine, "Owner", f"did thing {number:02}")
        engine.clock.set(engine.now + MINUTE)
        await engine.book(id=f"r{number}", code=f"R{number}", arrival=f"2026-07-{number * 3 + 1:02}",
                          departure=f"2026-07-{number * 3 + 3:02}")  # fmt: skip
        engine.clock.set(engine.now + MINUTE)
    seen, query = [], ""
    while True:
        seen += await rows(owner, query)
        found = re.search(r'rel="next" href="([^"]*)"', (await owner.get(f"activity{query}")).text)
        if found is None:
            break
        query = "?" + found[1].partition("?")[2].replace("&amp;", "&")
    everything = await sheet(owner)
    # the export itself is a deed, and has come since
    kept = [line for line in everything if line["what"] != "exported"]
    assert len(seen) == len(kept)
    assert [line["utc"] for line in kept] == sorted((line["utc"] for line in kept), reverse=True)
    things = [re.search(r"did thing \d\d", line)[0] for line in seen if "did thing" in line]
    assert things == [f"did thing {number:02}" for number in reversed(range(7))]


async def test_the_sheet_holds_what_the_page_shows_all_of_it_with_the_same_filters(console, monkeypatch):
    monkeypatch.setattr(activity, "A_BATCH", 3)
    engine = console.engine
    await engine.book()
    for number in range(8):
        await did(engine, "Owner", f"did thing {number}", f"stay {engine.stay().id}", "because")
    found = await sheet(console.owner, "?kind=people&about=Ida Example")
    assert len(found) == 8
    assert found[0] == {
        "when": "2026-06-10 08:30:00 EDT",
        "utc": "2026-06-10T12:30:00Z",
        "who": "Owner",
        "what": "did thing 7",
        "guest": "Ida Example",
        "lock": "",
        "about": f"stay {engine.stay().id}",
        "why": "because",
    }
    assert "exported the activity" in (await rows(console.owner, "?kind=people"))[0]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
async def test_what_a_guest_calls_themselves_is_no_formula_in_the_sheet(console, begins):
    engine = console.engine
    await did(engine, "Owner", "wrote", why=f"{begins}HYPERLINK(evil)")
    (found,) = await sheet(console.owner, "?who=Owner&kind=people")
    assert found["why"].startswith("'")


@given(st.text())
def test_no_cell_begins_like_a_formula(text):
    cell = guarded(text)
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r"}
    assert cell.removeprefix("'") in {text, text.removeprefix("'")}


async def test_another_hosts_activity_is_nobodys_business(any_console):
    engine = any_console.engine
    other = await connect.add_host(engine.services, "Bo Other", "bo@example.com", engine.now)
    await did(engine, "Bo", "did something secret", host=other)
    assert "secret" not in await any_console.owner.text("activity")
    assert await rows(any_console.owner, "?who=Bo") == []


async def test_a_day_that_is_none_is_said_to_be_none_and_a_made_up_page_begins_at_the_newest(console):
    answer = await console.owner.get("activity?since=tomorrow")
    assert answer.status_code == 422
    assert "'tomorrow' is not a day: write it like 2026-06-14" in plain(answer.text)
    assert (await console.owner.get("activity?after=x.y&stay=x&lock=x&kind=odd")).status_code == 200
    assert (await console.owner.get("activity?until=9999-12-31")).status_code in {200, 422}


async def test_an_untouched_host_is_told_what_will_be_here(console):
    other = await connect.add_host(console.engine.services, "Bo New", "bo@example.com", console.engine.now)
    person = await console.person(Role.OWNER, host=other, name="Bo")
    assert "Nothing has happened yet" in plain((await person.client.get(f"/console/{other}/activity")).text)
