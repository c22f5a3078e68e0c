"""CSV as records that know their lines of the file: each line that holds something belongs to exactly one.

A quotation mark too many makes a reader of CSV take the next lines for the rest of a cell: lines vanish, or the half of
one person's line becomes that of another's. So a line that is no CSV is a record of its own, with the reason, and reading
goes on with the next line; a record of several lines whose inner lines look like lines of their own falls apart into them.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

MAX_RECORD_LINES = 50
"""Lines of one record: an open quotation mark is looked after no further."""
MAX_LINE = 100_000
"""Characters of one line; below the CSV reader's own bound of a cell, which is the process's."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_DATE = re.compile(r"\s*\"?(?:[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{4})\b")


@dataclass(frozen=True)
class Record:
    """Cells, or why there are none, of the lines from ``first`` to ``last``."""

    first: int
    last: int
    cells: tuple[str, ...] = ()
    problem: str = ""


def records(text: str) -> Iterator[Record]:
    """All records in their order, the header first: it is one line, the first that holds something."""
    lines = _LINE.findall(text.removeprefix("\ufeff"))
    header = next((line for line in lines if line.strip()), "")
    mark = max(",;\t", key=header.count)
    at, begun = 0, False
    while at < len(lines):
        if _is_empty(lines[at], mark):
            at += 1
            continue
        record = _record(lines, at, mark, 1 if not begun else MAX_RECORD_LINES)
        inner = lines[at + 1 : record.last]
        if any(line.count(mark) >= header.count(mark) or _DATE.match(line) for line in inner):
            why = f"a quotation mark joins the lines {record.first} to {record.last}"
            for number in range(record.first, record.last + 1):
                if not _is_empty(lines[number - 1], mark):
                    yield Record(number, number, problem=why)
        else:
            yield record
        at, begun = record.last, True


def _record(lines: list[str], at: int, mark: str, limit: int) -> Record:
    if len(lines[at]) > MAX_LINE:
        return Record(at + 1, at + 1, problem=f"it has more than {MAX_LINE:,} characters")
    reader = csv.reader(islice(lines, at, at + limit), delimiter=mark, strict=True)
    try:
        cells = next(reader)
    except csv.Error as error:
        why = "a quotation mark is not closed" if "unexpected end" in str(error) else str(error)[:200]
        return Record(at + 1, at + 1, problem=f"it is no CSV: {why}")
    return Record(at + 1, at + reader.line_num, tuple(cells))


def _is_empty(line: str, mark: str) -> bool:
    return not line.replace(mark, "").strip()
