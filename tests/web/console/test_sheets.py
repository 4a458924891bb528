"""Sheets in and out: what is wrong is said by row and column, what would happen is shown, and then it does."""

import io
import re
import zipfile
from datetime import date, datetime, time

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockbridge.domain.people import Role
from lockbridge.storage import audit, hosts, stays
from lockbridge.storage.tables import AUDIT
from lockbridge.web import sheets as files
from lockbridge.workflows import sheets
from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.sheets import Kind, Table
from tests.web.console.conftest import plain
from tests.workflows.engine import DAY, MINUTE, OPENS

STAYS = "reservation_code,property,arrival,departure,guest_name,phone,email\n"
IDA = "HMX42A,Lake House,2026-06-14,2026-06-16,Ida Example,+1 555 010 4321,ida@example.com\n"


async def choose(browser, body, name="sheet.csv", kind=""):
    """Upload a file; the page that says what it comes to, and where it is."""
    data = body if isinstance(body, bytes) else body.encode()
    answer = await browser.post("import", {"file": (name, data, "text/csv")}, kind=kind)
    if answer.status_code != 303:
        return plain(answer.text), ""
    where = answer.headers["location"]
    return (await browser.get(where)).text, where


def agreed(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(draw|seen)" value="([^"]*)"', page))


async def bring_in(console, body, **options):
    """Upload, agree, and wait: what the page of the import says."""
    page, where = await choose(console.owner, body, **options)
    answer = await console.owner.post(where, good="yes", **agreed(page))
    assert answer.status_code == 303, plain(answer.text)
    await console.finish()
    return await console.owner.text(answer.headers["location"])


@pytest.fixture
async def tomorrow(opened, sqlite_url):
    return await opened(sqlite_url, at=OPENS - DAY)


async def test_imported_stays_are_previewed_and_get_their_codes(tomorrow):
    engine = tomorrow.engine
    page, where = await choose(tomorrow.owner, STAYS + IDA)
    said = plain(page)
    assert "1 row of stays can be imported" in said
    assert "Codes added: 1" in said
    assert engine.held() == []
    answer = await tomorrow.owner.post(where, **agreed(page))
    await tomorrow.finish()
    assert "Added 1" in await tomorrow.owner.text(answer.headers["location"])
    await engine.work()
    (held,) = engine.held()
    assert (held.name, held.pin) == ("Ida Example", "4321")
    assert (await tomorrow.owner.get(where)).status_code == 404, "the sheet is kept no longer than it is needed"


async def test_the_same_stay_again_is_changed_not_made_twice(any_console):
    await bring_in(any_console, STAYS + IDA)
    engine = any_console.engine
    await engine.passes(MINUTE)
    said = await bring_in(any_console, (STAYS + IDA).replace("2026-06-16", "2026-06-18"))
    assert "Changed 1" in said
    assert "Unchanged 1" in await bring_in(any_console, (STAYS + IDA).replace("2026-06-16", "2026-06-18"))
    (stay,) = engine.ask(stays.of_host, engine.services.vault, engine.host)
    assert (stay.departure, stay.source, stay.contact.phone) == (date(2026, 6, 18), None, "+1 555 010 4321")
    await engine.passes(MINUTE)
    header = "reservation_code,property,arrival,departure,status\n"
    await bring_in(any_console, f"{header}HMX42A,Lake House,2026-06-14,2026-06-18,cancelled\n")
    await engine.passes(DAY)
    assert engine.held() == []


async def test_a_stay_that_a_platform_told_is_not_doubled_by_a_sheet(tomorrow):
    engine = tomorrow.engine
    await engine.book(code="HMX42A")
    await bring_in(tomorrow, STAYS + IDA)
    await engine.work()
    assert len(engine.ask(stays.of_host, engine.services.vault, engine.host)) == 1
    assert len(engine.held()) == 1


async def test_every_fault_is_named_by_row_and_column_and_nothing_is_imported_unless_one_says_so(tomorrow):
    body = (
        STAYS
        + IDA
        + "HM2,Lake Hose,2026-06-14,2026-06-16,,,\n"
        + "HM3,Lake House,14/06/2026,2026-06-16,,,\n"
        + "HM4,Lake House,2026-06-16,2026-06-14,,,\n"
        + "HMX42A,Lake House,2026-06-20,2026-06-22,,,\n"
        + "HM6,Lake House,2026-06-20,2026-06-22,,12,\n"
        + ",Lake House,2026-06-20,2026-06-22,,,\n"
    )
    page, where = await choose(tomorrow.owner, body)
    said = plain(page)
    for row, column, what in (
        (3, "property", "did you mean Lake House?"),
        (4, "arrival", "is no date: write it like 2026-06-14"),
        (5, "departure", "is before the arrival"),
        (6, "reservation_code", "stands in row 2 already"),
        (7, "phone", "is no phone number"),
        (8, "reservation_code", "is empty"),
    ):
        assert re.search(rf"Row {row} {column} [^|]*{re.escape(what)}", said), (row, said)
    refused = await tomorrow.owner.post(where, **agreed(page))
    assert refused.status_code == 422
    assert "tick that the good rows" in plain(refused.text)
    assert tomorrow.engine.ask(stays.of_host, tomorrow.engine.services.vault, tomorrow.engine.host) == []
    await tomorrow.owner.post(where, good="yes", **agreed(page))
    await tomorrow.finish()
    assert len(tomorrow.engine.ask(stays.of_host, tomorrow.engine.services.vault, tomorrow.engine.host)) == 1


async def test_a_heading_that_is_not_ours_is_refused_with_the_name_that_was_probably_meant(console):
    page, _ = await choose(console.owner, "reservation_code,proprety,arrival,departure\nA,B,C,D\n", kind="stays")
    said = plain(page)
    assert "did you mean property?" in said
    assert "property is missing" in said
    assert "0 rows of stays can be imported" in said
    page, where = await choose(console.owner, "a,b\n1,2\n")
    assert "no column of the file is known here" in page
    assert where == ""


async def test_properties_and_matches_come_in_and_go_out_again_unchanged(any_console):
    engine = any_console.engine
    said = await bring_in(
        any_console,
        "name;zone;check in;pin mode;backups;names;arrival note\n"
        "Bergblick;Europe/Berlin;15:00;random;no;generic:b1;=Schlüssel?\n"
        "Lake House;;;-;yes;;\n",
    )
    assert "Added 1" in said
    assert "Changed 1" in said
    assert "Added 1" in await bring_in(any_console, "property,lock,door\nBergblick,FRONT,1\n")
    rows = {row.name: row for row in engine.ask(hosts.properties_of_host, engine.host)}
    assert rows["Bergblick"].settings == {"pin_mode": "random", "backups": False}
    assert rows["Bergblick"].arrival_note == "=Schlüssel?"
    assert rows["Lake House"].settings == {"backups": True}
    assert engine.ask(hosts.find_property, engine.host, "generic", "b1") == rows["Bergblick"].id
    for kind in ("properties", "matches"):
        for ending in ("csv", "xlsx"):
            exported = await any_console.owner.get(f"export/{kind}.{ending}")
            assert exported.status_code == 200
            assert "'=Schl" in exported.text or kind != "properties" or ending != "csv"
            assert "Unchanged 2" in await bring_in(any_console, exported.content, name=f"x.{ending}")


async def test_an_export_tells_no_contacts_and_no_digits_unless_one_may_see_them_and_asks(tomorrow):
    engine = tomorrow.engine
    await engine.book()
    pin = engine.pin()
    public = (await tomorrow.owner.get("export/stays.csv")).text
    assert "Ida Example" in public
    assert pin not in public
    assert "ida@example.com" not in public
    unasked = (await tomorrow.owner.post("export/stays.csv")).text
    assert pin not in unasked
    private = (await tomorrow.owner.post("export/stays.csv", private="yes")).text
    assert pin in private
    assert "ida@example.com" in private
    staff = await tomorrow.person(Role.STAFF)
    assert (await staff.get("export/stays.csv")).status_code == 403
    with engine.world.database.read() as connection:
        deeds = [row.what for row in connection.execute(AUDIT.select())]
    assert deeds.count("exported stays with contacts and codes") == 1
    assert audit.write.__doc__


async def test_a_sheet_is_imported_as_it_was_shown_or_not_at_all(tomorrow):
    page, where = await choose(tomorrow.owner, STAYS + IDA)
    await tomorrow.engine.book(id="R9", code="HM9", guest="Ida Example", phone="+15550104321")
    answer = await tomorrow.owner.post(where, **agreed(page))
    await tomorrow.finish()
    said = await tomorrow.owner.text(answer.headers["location"])
    assert "something has changed since the preview" in said
    assert len(tomorrow.engine.ask(stays.of_host, tomorrow.engine.services.vault, tomorrow.engine.host)) == 1


async def test_a_long_sheet_is_imported_in_portions(console, monkeypatch):
    monkeypatch.setattr(sheets, "AT_ONCE", 3)
    monkeypatch.setattr(sheets, "CHUNK", 2)
    rows = [f"C{day},Lake House,2026-07-{day:02},2026-07-{day + 1:02},Guest {day},,\n" for day in range(1, 8)]
    assert "Added 7" in await bring_in(console, STAYS + "".join(rows))
    await console.engine.work()
    assert len(console.engine.ask(stays.of_host, console.engine.services.vault, console.engine.host)) == 7


async def test_the_page_explains_every_column_and_has_examples_that_can_be_read(console):
    page = await console.owner.text("import")
    for kind, columns in sheets.COLUMNS.items():
        assert all(column.name in page and column.help in page for column in columns)
        for ending in ("csv", "xlsx"):
            answer = await console.owner.get(f"import/example/{kind}.{ending}")
            assert sheets.kind_of(files.read(answer.content).header) is kind
    assert (await console.owner.get("export/secrets.csv")).status_code == 404
    assert (await console.owner.get("export/stays.exe")).status_code == 404


# ------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_usual_encoding_and_separator_is_read(encoding, separator):
    text = f"name{separator}zone\r\nSeehäuschen{separator}Europe/Berlin\r\n"
    table = files.read(text.encode(encoding))
    assert table == Table(["name", "zone"], [(2, ["Seehäuschen", "Europe/Berlin"])])


def test_a_separator_that_excel_names_is_believed_and_rows_keep_their_numbers():
    table = files.read(b'sep=;\r\n\r\na;b\r\n"x\ny";1\r\n\r\n2;3\r\n')
    assert [row for row, _ in table.rows] == [5, 7]


def workbook(*rows) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def test_dates_times_and_numbers_of_a_workbook_are_read_as_they_are_meant():
    body = workbook(
        ["reservation_code", "arrival", "departure", "check_in", "phone"],
        [4711, datetime(2026, 6, 14), date(2026, 6, 16), time(15, 30), 15550104321.0],  # noqa: DTZ001 - a cell
    )
    assert files.read(body).rows[0][1] == ["4711", "2026-06-14", "2026-06-16", "15:30", "15550104321"]


def test_files_that_are_too_large_broken_or_swell_are_refused_plainly():
    with pytest.raises(BadInput, match="5 MB"):
        files.read(b"x" * 5_000_001)
    with pytest.raises(BadInput, match="old Excel"):
        files.read(b"\xd0\xcf\x11\xe0rest")
    with pytest.raises(BadInput, match="empty"):
        files.read(b"\n\n")
    with pytest.raises(BadInput, match="20000 rows"):
        files.read(b"a\n" + b"1\n" * 20_001)
    with pytest.raises(BadInput, match="cannot be read"):
        files.read(b"PK\x03\x04 this is no workbook")
    swollen = io.BytesIO()
    with zipfile.ZipFile(swollen, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * 90_000_000)
    with pytest.raises(BadInput, match="unpacks to far more"):
        files.read(swollen.getvalue())


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body):
    for file in (body, files.ZIP + body):
        try:
            table = files.read(file)
        except BadInput:
            continue
        assert table.header


cells = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20).map(str.strip)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=4), st.sampled_from(["csv", "xlsx"]))
def test_what_is_written_is_read_again_and_no_cell_is_a_formula(rows, ending):
    table = Table(["a", "b"], list(enumerate(rows, 2)))
    body = files.written(table, ending)
    wanted = [row if row[1] else row[:1] for row in rows if any(row)]
    assert [row for _, row in files.read(body).rows] == wanted
    if ending == "xlsx":
        for row in openpyxl.load_workbook(io.BytesIO(body)).active.iter_rows():
            assert all(cell.data_type != "f" for cell in row)


@pytest.mark.parametrize("cell", ["=1+1", "+1 555", "-2", "@SUM(A1)", "\t=1", "\uff1d1"])
def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text(cell):
    body = files.written(Table([cell], []), "csv").decode("utf-8-sig")
    assert body.lstrip('"').startswith("'")


def test_the_kind_of_a_sheet_is_told_from_its_heading():
    for kind in Kind:
        assert sheets.kind_of(sheets.example(kind).header) is kind
    assert sheets.kind_of(["x"]) is None
