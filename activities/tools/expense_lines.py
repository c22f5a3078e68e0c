"""Expense lines of CSV files: read, checked by rules, and never trusted. Amounts are decimals, here and nowhere else.

Spreadsheets of other people hold surprises: columns that are missing or named otherwise, decimal commas, formulas that
a spreadsheet would run, the same receipt twice. A line that cannot be read is rejected with its reason; a line that can
be read and should be looked at is flagged; nothing is guessed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from pydantic import BaseModel

from activities.text import escape_control
from activities.tools.expense_amounts import currency_of, read_amount
from activities.tools.expense_records import Record, records

MAX_LINES = 1_000
"""Lines of all files together."""
MAX_CELL = 500
"""Characters of one cell that are kept."""
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "day", "datum", "transaction date"),
    "employee": ("employee", "name", "person", "mitarbeiter"),
    "merchant": ("merchant", "vendor", "supplier", "payee", "händler"),
    "description": ("description", "purpose", "text", "memo", "details", "zweck", "beschreibung"),
    "amount": ("amount", "total", "sum", "betrag", "gross"),
    "currency": ("currency", "cur", "währung"),
}
"""What each column may be called, in lower case."""
REQUIRED = ("date", "description", "amount")
MONEY = ("amount", "currency")
"""Columns that a file has once, whatever it calls them: nobody knows which of two sums is meant."""

_FORMULA = re.compile(r"\s*[=@+]|\s*-\s*[^\d\s.,]")
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%Y/%m/%d")
_SLASHES = re.compile(r"0?(\d{1,2})/0?(\d{1,2})/\d{4}")


class ExpenseLine(BaseModel):
    """One line. ``line`` is its place, ``path:line`` in the file."""

    line: str
    spans: int = 1
    """Lines of the file, from that one on."""
    date: str = ""
    employee: str = ""
    merchant: str = ""
    description: str = ""
    amount: str = ""
    """With two decimals and a point; empty where it cannot be read."""
    currency: str = ""
    rejected: list[str] = []
    """Why it cannot be processed at all."""
    flags: list[str] = []
    """Why a person should look at it. No number stands in them: models are told."""
    same_as: str = ""
    """The place of an earlier line that says the same."""


def read_lines(path: str, text: str, currency: str) -> Iterator[ExpenseLine]:
    """The lines of one file. ``currency`` is that of lines that name none."""
    rows = records(text)
    header = next(rows, None)
    if header is None:
        return
    names = [cell.strip().lower() for cell in header.cells]
    width = max((at for at, name in enumerate(names, 1) if name), default=0)
    columns = {column: at for column in COLUMNS if (at := _place(names, column)) is not None}
    why = f"the file's header: {header.problem}" if header.problem else _problem(names, columns)
    if header.problem or (why and any(_date(cell.strip()) for cell in header.cells)):
        yield ExpenseLine(
            line=f"{path}:{header.first}", rejected=[why]
        )  # a file without a header begins with an expense
    for row in rows:
        place = f"{path}:{row.first}"
        if why or row.problem:
            yield ExpenseLine(line=place, spans=row.last - row.first + 1, rejected=[why or row.problem])
        else:
            yield _line(place, row, columns, width, currency)


def flag_duplicates(lines: list[ExpenseLine]) -> None:
    """Flag every line that says the same as an earlier one."""
    first: dict[tuple[str, ...], str] = {}
    for line in lines:
        key = (line.date, line.employee.lower(), line.merchant.lower(), line.amount, line.currency)
        if line.amount and (earlier := first.setdefault(key, line.line)) != line.line:
            line.same_as = earlier


def _line(place: str, row: Record, columns: Mapping[str, int], width: int, currency: str) -> ExpenseLine:
    cells = {name: row.cells[at] for name, at in columns.items() if at < len(row.cells)}
    kept = {name: escape_control(" ".join(cell.split()), MAX_CELL) for name, cell in cells.items()}
    line = ExpenseLine(line=place, **{n: kept.get(n, "") for n in ("employee", "merchant", "description")})
    line.spans = row.last - row.first + 1
    line.flags += [f"the column {name} holds a formula" for name, cell in cells.items() if _FORMULA.match(cell)]
    line.flags += ["it goes over several lines of the file"] if line.spans > 1 else []
    _set_date(line, kept.get("date", ""))
    if any(cell.strip() for cell in row.cells[width:]):
        line.rejected.append("it has more cells than the header")  # and none is sure to be in its column
    else:
        _set_amount(line, cells.get("amount", ""), kept.get("currency", "").upper(), currency)
    if not line.description and not line.merchant:
        line.rejected.append("it does not say what it was for")
    return line


def _set_date(line: ExpenseLine, said: str) -> None:
    day = _date(said)
    line.date = day.isoformat() if day else said
    if day is None:
        line.rejected.append("its date cannot be read" if said else "it has no date")
    elif (parts := _SLASHES.fullmatch(said)) and int(parts[2]) <= 12 and int(parts[1]) <= 12 and parts[1] != parts[2]:
        line.flags.append("its date can be read with the day first or with the month first")


def _set_amount(line: ExpenseLine, said: str, cell: str, currency: str) -> None:
    amount = read_amount(said)
    line.currency, why = currency_of(amount.unit if amount else "", cell, currency.upper())
    if amount is None:
        shown = escape_control(" ".join(said.split()), 40)
        line.rejected.append(f"its amount {shown!r} cannot be read" if shown else "it has no amount")
    elif abs(amount.value) >= 10**9:
        line.rejected.append("its amount is out of all bounds")
    elif why:
        line.rejected.append(why)
    else:
        line.amount = f"{amount.value:.2f}"
        zero = ["an amount of zero"] if amount.value == 0 else []
        line.flags += ["a negative amount"] if amount.value < 0 else zero
    if not why and not re.fullmatch(r"[A-Z]{3}", line.currency):
        line.rejected.append(f"its currency {line.currency[:40]!r} is none")


def _place(names: Sequence[str], column: str) -> int | None:
    return next((names.index(name) for name in COLUMNS[column] if name in names), None)


def _problem(names: Sequence[str], columns: Mapping[str, int]) -> str:
    """Why no line of a file can be read; empty where they can."""
    if missing := [name for name in REQUIRED if name not in columns]:
        return f"the file has no column {' and no column '.join(missing)}"
    for column, known in COLUMNS.items():
        found = [name for name in names if name in known]
        if len(found) > (1 if column in MONEY else len(set(found))):
            return f"the file has more than one column for the {column}: {', '.join(found)[:100]}"
    return ""


def _date(text: str) -> date | None:
    for pattern in _DATES:
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007 -- a day has no time zone
        except ValueError:
            continue
    return None
