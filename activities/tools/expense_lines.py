"""Expense lines of CSV files: read, checked by rules, and never trusted. Amounts are decimals, here and nowhere else.

Spreadsheets of other people hold surprises: columns that are missing or named otherwise, decimal commas, formulas that
a spreadsheet would run, the same receipt twice. A line that cannot be read is rejected with its reason; a line that can
be read and should be looked at is flagged; nothing is guessed.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal

from pydantic import BaseModel

from activities.text import escape_control

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

_FORMULA = re.compile(r"\s*[=@+]|\s*-\s*[^\d\s.,]")
_NUMBER = re.compile(r"(?:[A-Z]{3}|[€$£])?\s*(\(?-?\d(?:[\d.,' ]*\d)?\)?)\s*(?:[A-Z]{3}|[€$£])?")
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%Y/%m/%d")


class ExpenseLine(BaseModel):
    """One line. ``line`` is its place, ``path:line`` in the file."""

    line: str
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
    """Why a person should look at it."""


def read_lines(path: str, text: str, currency: str) -> Iterator[ExpenseLine]:
    """The lines of one file. ``currency`` is that of lines that name none."""
    rows = csv.reader(text.splitlines(keepends=True), delimiter=_delimiter(text), strict=False)
    header: dict[str, int] = {}
    while True:
        before = rows.line_num
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield ExpenseLine(line=f"{path}:{rows.line_num}", rejected=[f"it is no CSV: {error}"])
            return
        if not any(cell.strip() for cell in row):
            continue
        if not header:
            header = _columns(row)
            if missing := [name for name in REQUIRED if name not in header]:
                why = f"the file has no column {' and no column '.join(missing)}"
                yield from (
                    ExpenseLine(line=f"{path}:{number}", rejected=[why]) for number in _numbers(text, rows.line_num)
                )
                return
            continue
        yield _line(f"{path}:{before + 1}", {name: row[at] for name, at in header.items() if at < len(row)}, currency)


def flag_duplicates(lines: list[ExpenseLine]) -> None:
    """Flag every line that says the same as an earlier one."""
    first: dict[tuple[str, ...], str] = {}
    for line in lines:
        key = (line.date, line.employee.lower(), line.merchant.lower(), line.amount, line.currency)
        if line.amount and first.setdefault(key, line.line) != line.line:
            line.flags.append(f"the same date, person, merchant and amount as {first[key]}")


def amount_of(text: str) -> Decimal | None:
    """A number with a decimal point or comma; ``None`` where it is none, or could be read in two ways."""
    found = _NUMBER.fullmatch(text.strip())
    if not found:
        return None
    bare = found[1]
    sign = -1 if bare.startswith(("-", "(")) else 1
    digits = re.sub(r"[()\-' ]", "", bare)
    whole, mark, cents = max(digits.rpartition("."), digits.rpartition(","), key=lambda part: len(part[0]))
    if mark and len(cents) == 3 and re.sub(r"[.,]", "", whole) == whole:
        return None  # 1,234 is a thousand to some and one to others
    if mark and len(cents) > 3:
        return None
    if mark and len(cents) == 3:
        whole, cents = whole + cents, "0"  # 1.234.567
    number = re.sub(r"[.,]", "", whole) if mark else digits
    return sign * Decimal(f"{number or '0'}.{cents if mark else '0'}")


def _line(place: str, cells: Mapping[str, str], currency: str) -> ExpenseLine:
    kept = {name: escape_control(" ".join(cell.split()), MAX_CELL) for name, cell in cells.items()}
    line = ExpenseLine(line=place, **{n: kept.get(n, "") for n in ("employee", "merchant", "description")})
    line.currency = (kept.get("currency") or currency).upper()
    line.flags += [f"the column {name} holds a formula" for name, cell in cells.items() if _FORMULA.match(cell)]
    day, amount = _date(kept.get("date", "")), amount_of(kept.get("amount", ""))
    line.date = day.isoformat() if day else kept.get("date", "")
    if day is None:
        line.rejected.append("its date cannot be read" if line.date else "it has no date")
    if amount is None:
        said = kept.get("amount", "")
        line.rejected.append(f"its amount {said!r} cannot be read" if said else "it has no amount")
    elif abs(amount) >= 10**9:
        line.rejected.append("its amount is out of all bounds")
    else:
        line.amount = f"{amount:.2f}"
        line.flags += ["a negative amount"] if amount < 0 else ["an amount of zero"] if amount == 0 else []
    if not line.description and not line.merchant:
        line.rejected.append("it does not say what it was for")
    if not re.fullmatch(r"[A-Z]{3}", line.currency):
        line.rejected.append(f"its currency {line.currency!r} is none")
    return line


def _columns(row: list[str]) -> dict[str, int]:
    names = [cell.strip().lstrip("\ufeff").lower() for cell in row]
    found: dict[str, int] = {}
    for column, known in COLUMNS.items():
        at = next((names.index(name) for name in known if name in names), None)
        if at is not None:
            found[column] = at
    return found


def _numbers(text: str, header: int) -> Iterator[int]:
    """The numbers of the lines after the header that hold something."""
    return (n for n, line in enumerate(text.splitlines(), 1) if n > header and line.strip(" ,;\t"))


def _date(text: str) -> date | None:
    for pattern in _DATES:
        try:
            return datetime.strptime(text, pattern).date()  # noqa: DTZ007 -- a day has no time zone
        except ValueError:
            continue
    return None


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)
