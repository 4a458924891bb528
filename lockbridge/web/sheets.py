"""CSV and XLSX files into rows of text and back: encodings, separators, dates, and nothing that a spreadsheet runs."""

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from lockbridge.workflows.connect import BadInput
from lockbridge.workflows.sheets import Table

MOST_BYTES = 5_000_000
MOST_ROWS = 20_000
MOST_COLUMNS = 60
MOST_UNPACKED = 40_000_000
"""A workbook that unpacks to more than this is not opened."""
ZIP = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
RISKY = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet might run as a formula."""
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def read(body: bytes) -> Table:
    """What stands in a file. Raises BadInput."""
    if len(body) > MOST_BYTES:
        msg = f"the file has {len(body) / 1e6:.1f} MB: at most {MOST_BYTES // 1_000_000} MB, please; split it"
        raise BadInput(msg)
    if body.startswith(OLD_EXCEL):
        msg = "this is a file of an old Excel: save it as .xlsx or .csv and choose that"
        raise BadInput(msg)
    rows = list(islice(_rows_of_workbook(body) if body.startswith(ZIP) else _rows_of_text(body), MOST_ROWS + 2))
    filled = [(number, row) for number, row in rows if any(row)]
    if not filled:
        msg = "the file is empty: its first row is the heading, as in the example"
        raise BadInput(msg)
    if len(filled) > MOST_ROWS + 1:
        msg = f"the file has more than {MOST_ROWS} rows: split it"
        raise BadInput(msg)
    return Table(filled[0][1], filled[1:])


# --------------------------------------------------------------------------------------------------------------- CSV


def _rows_of_text(body: bytes) -> Iterator[tuple[int, list[str]]]:
    text = _decoded(body)
    named = re.match(r"sep=(.)\r?\n", text)
    lines = io.StringIO(text[named.end() :] if named else text, newline="")
    separator = named[1] if named else _separator(text)
    rows = csv.reader(lines, delimiter=separator)
    try:
        for row in rows:
            yield (
                rows.line_num + (1 if named else 0),
                _without_end([unguarded(cell.strip()) for cell in row[:MOST_COLUMNS]]),
            )
    except csv.Error as error:
        msg = f"line {rows.line_num} of the file cannot be read as CSV ({error}): save it again as CSV or .xlsx"
        raise BadInput(msg) from error


def _decoded(body: bytes) -> str:
    """UTF-8 or UTF-16 with or without a mark, else as Windows writes it in the West."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if body.startswith(mark):
            return _as(body, encoding)
    if b"\0" in body[:200]:
        return _as(body, "utf-16-le" if body[1:2] == b"\0" else "utf-16-be")
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace")


def _as(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding)
    except UnicodeDecodeError as error:
        msg = "the file's letters cannot be read: save it as “CSV UTF-8” or .xlsx"
        raise BadInput(msg) from error


def _separator(text: str) -> str:
    """The one that stands most often in the heading, outside quotation marks."""
    heading = re.sub(r'"[^"]*"', "", text.lstrip("\r\n").partition("\n")[0])
    return max(",;\t", key=heading.count)


# -------------------------------------------------------------------------------------------------------------- XLSX


def _rows_of_workbook(body: bytes) -> Iterator[tuple[int, list[str]]]:
    """The rows of the first sheet. Raises BadInput; a file that unpacks to too much is not opened."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as packed:
            unpacked = sum(part.file_size for part in packed.infolist())
        if unpacked > MOST_UNPACKED:
            msg = "the workbook unpacks to far more than its size: save the one sheet alone, or as CSV"
            raise BadInput(msg)
        book = load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS), 1):
            yield number, _without_end([unguarded(_written(cell)) for cell in row])
    except _BROKEN as error:
        msg = "the workbook cannot be read: save it again as .xlsx, or as CSV"
        raise BadInput(msg) from error


def _without_end(cells: list[str]) -> list[str]:
    """The cells up to the last one that says something."""
    while cells and not cells[-1]:
        cells.pop()
    return cells


_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    InvalidFileException,
    ParseError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
"""What a broken or hostile workbook makes its reader raise."""


def _written(cell: Any) -> str:
    """A cell as somebody would have written it: dates in ISO format, whole numbers without a point."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, datetime):
        return _moment(cell)
    if isinstance(cell, date | time):
        return cell.isoformat() if isinstance(cell, date) else cell.isoformat("minutes")
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _moment(cell: datetime) -> str:
    if cell.year < 1901:  # noqa: PLR2004 - a time of day alone counts from the end of 1899
        return cell.time().isoformat("minutes")
    return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ", "minutes")


# ------------------------------------------------------------------------------------------------------------- write


def guarded(text: str) -> str:
    """The cell so that no spreadsheet runs it; reading takes the mark away again."""
    return f"'{text}" if text.startswith(RISKY) else text


def unguarded(text: str) -> str:
    """The cell as it was before :func:`guarded`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(RISKY) else text


def written(table: Table, ending: str) -> bytes:
    """A table as a file: ``csv`` or ``xlsx``."""
    rows = [table.header, *(cells for _, cells in table.rows)]
    safe = ([guarded(cell) for cell in row] for row in rows)
    return _workbook(safe) if ending == "xlsx" else _text(safe)


def _text(rows: Iterable[Sequence[str]]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue().encode("utf-8-sig")


_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def _workbook(rows: Iterable[Sequence[str]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("lockbridge")
    for row in rows:
        sheet.append([_NOT_XML.sub("", cell) for cell in row])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()
