"""What comes out of expense lines: exact sums, a table, a page for people, and a summary of bounded size."""

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel

MAX_LISTED_BYTES = 80_000
"""Of each list in the summary, as JSON in UTF-8: both stay far below what a call's result may have (256 KiB)."""


class Settled(BaseModel):
    """One line in its terminal state."""

    line: str
    state: Literal["approved", "suspicious", "rejected", "unprocessed"]
    date: str
    employee: str
    merchant: str
    description: str
    amount: str
    currency: str
    category: str = ""
    reasons: list[str] = []
    note: str = ""


def summary(settled: Sequence[Settled], notes_dropped: int) -> dict[str, Any]:
    """The team's output. Its lists are cut where they are long: expenses.csv has every line."""
    decide, more = _listed([line for line in settled if line.state in {"suspicious", "unprocessed"}])
    rejected, more_rejected = _listed([line for line in settled if line.state == "rejected"])
    return {
        "counts": dict(sorted(Counter(line.state for line in settled).items())),
        "approved_by_category": {
            category: _sums(settled, state="approved", category=category)
            for category in sorted({line.category for line in settled if line.state == "approved"})
        },
        "totals": {state: _sums(settled, state=state) for state in ("approved", "suspicious", "unprocessed")},
        "for_a_person": decide,
        "for_a_person_more": more,
        "rejected": rejected,
        "rejected_more": more_rejected,
        "lines": len(settled),
        "notes_dropped": notes_dropped,
    }


def table(settled: Sequence[Settled]) -> str:
    """Every line, for a spreadsheet."""
    file = io.StringIO()
    writer = csv.writer(file)
    names = [name for name in Settled.model_fields if name != "reasons"]
    writer.writerow([*names, "reasons"])
    for line in settled:
        values = line.model_dump()
        writer.writerow([_harmless(str(values[name])) for name in names] + [_harmless("; ".join(line.reasons))])
    return file.getvalue()


def markdown(report: Mapping[str, Any], settled: Sequence[Settled], missing: Sequence[str]) -> str:
    """The page: sums, and each line that is not approved with its reasons."""
    parts = ["# Expenses", ", ".join(f"{n} {state}" for state, n in report["counts"].items())]
    rows = [
        f"| {_plain(category)} | {value} | {currency} |"
        for category, by in report["approved_by_category"].items()
        for currency, value in by.items()
    ]
    if rows:
        parts.append("\n".join(["| approved | amount | currency |", "|---|---|---|", *rows]))
    for title, states in (("For a person to decide", {"suspicious", "unprocessed"}), ("Rejected", {"rejected"})):
        if told := [_told(line) for line in settled if line.state in states]:
            parts.append(f"## {title}\n\n" + "\n".join(told))
    if report["notes_dropped"]:
        parts.append(f"Left out: {report['notes_dropped']} remarks of models that named a number of their own.")
    if missing:
        parts.append("## Not read\n\n" + "\n".join(f"- {_plain(line)}" for line in missing))
    return "\n\n".join(parts) + "\n"


def said(merchant: str, description: str) -> str:
    """What a line says of itself, and all that models see of it."""
    return f"{merchant}: {description}".strip(": ")


def _told(line: Settled) -> str:
    what = f"{_plain(said(line.merchant, line.description))}, {line.amount or '?'} {_plain(line.currency)}"
    note = f" ({_plain(line.note)})" if line.note else ""
    place = line.line.replace("`", "'")
    return f"- `{place}` {what}: {_plain('; '.join(line.reasons))}{note}"


def _listed(lines: Sequence[Settled]) -> tuple[list[dict[str, Any]], str]:
    listed: list[dict[str, Any]] = []
    left = MAX_LISTED_BYTES
    for line in lines:
        shown = line.model_dump()
        left -= len(json.dumps(shown, ensure_ascii=False).encode()) + 2
        if left < 0:
            return listed, f"and {len(lines) - len(listed)} more in expenses.csv"
        listed.append(shown)
    return listed, ""


def _sums(lines: Sequence[Settled], **wanted: str) -> dict[str, str]:
    """Exact sums by currency, of the lines with these values: currencies are never added to each other."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.amount and all(getattr(line, name) == value for name, value in wanted.items()):
            sums[line.currency] += Decimal(line.amount)
    return {currency: f"{value:.2f}" for currency, value in sorted(sums.items())}


def _harmless(cell: str) -> str:
    """No cell that a spreadsheet would run: what looks like a formula is led by an apostrophe."""
    is_number = cell.lstrip("-").replace(".", "", 1).isdigit()
    return f"'{cell}" if cell[:1] in {"=", "@", "+", "-", "\t"} and not is_number else cell


def _plain(text: str) -> str:
    """Text of other people as text: nothing in it is markup."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in " ".join(text.split()))
