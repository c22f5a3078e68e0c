"""The deterministic half of the team ``expenses``: lines in, amounts, rules, terminal states. No model counts money.

Every line ends in one state: ``rejected`` (it cannot be processed), ``suspicious`` (a person decides), ``unprocessed`` (no
worker managed it; a person decides), or ``approved``.
"""

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel

from activities.tools.base import ToolContext, tool
from activities.tools.expense_lines import MAX_LINES, ExpenseLine, flag_duplicates, read_lines

CHUNK = 20
"""Lines of one part: with two subtasks a line, a part's workflow stays small."""
MAX_NOTES = 20
"""Suspicious lines that get a sentence of their own; the others have their reasons."""

Results = list[dict[str, Any]]


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


@tool(effect="read")
async def expense_work(
    context: ToolContext,
    round: int,  # noqa: A002 -- what the pattern offers
    results: Results,
    limits: dict[str, Decimal],
    currency: str = "EUR",
) -> list[dict[str, Any]]:
    """Lay out the work: parts of the lines first, and then a note for each suspicious line."""
    lines = await _lines(context, currency)
    if round == 1:
        good = [line for line in lines if not line.rejected]
        return [_part(good[start : start + CHUNK]) for start in range(0, len(good), CHUNK)]
    if round > 2:
        return []
    settled = _settle(lines, _findings(results), {}, limits)
    return [_note_wanted(line) for line in settled if line.state == "suspicious"][:MAX_NOTES]


@tool(effect="read")
def expense_subtasks(input: list[dict[str, str]], round: int, results: Results) -> list[dict[str, Any]]:  # noqa: A002 -- what the pattern offers
    """Lay out one part: a category for each line, and then its compliance."""
    if round == 1:
        return [
            {"type": "categorise", "task": f"Which category is this expense? {_said(line)}", "input": line}
            for line in input
        ]
    if round > 2:
        return []
    return [
        {
            "type": "comply",
            "task": f"What, if anything, speaks against this expense? {_said(done['input'])}",
            "input": {**done["input"], "category": done["output"]["category"]},
        }
        for done in results
        if done.get("output")
    ]


@tool(effect="idempotent")
async def settle_expenses(
    context: ToolContext, results: Results, limits: dict[str, Decimal], missing: list[str], currency: str = "EUR"
) -> dict[str, Any]:
    """Bring every line into its terminal state, add up, and write expenses.csv, expenses.json and expenses.md."""
    lines = await _lines(context, currency)
    settled = _settle(lines, _findings(results), _notes(results), limits)
    report = {
        "counts": dict(sorted(Counter(line.state for line in settled).items())),
        "approved_by_category": {
            category: _sums(settled, state="approved", category=category)
            for category in sorted({line.category for line in settled if line.state == "approved"})
        },
        "totals": {state: _sums(settled, state=state) for state in ("approved", "suspicious", "unprocessed")},
        "for_a_person": [line.model_dump() for line in settled if line.state in {"suspicious", "unprocessed"}],
        "rejected": [line.model_dump() for line in settled if line.state == "rejected"],
        "lines": len(settled),
    }
    if context.artifacts:
        await context.artifacts.write("expenses.csv", _table(settled).encode(), "text/csv")
        whole = {**report, "all": [line.model_dump() for line in settled]}
        await context.artifacts.write(
            "expenses.json", json.dumps(whole, indent=2, ensure_ascii=False).encode(), "application/json"
        )
        await context.artifacts.write("expenses.md", _markdown(report, missing).encode(), "text/markdown")
    return report


async def _lines(context: ToolContext, currency: str) -> list[ExpenseLine]:
    if context.snapshot is None:
        raise ValueError("this run has no input folder: give the CSV files with --input")
    files = [file.path for file in context.snapshot.files if file.path.lower().endswith(".csv")]
    if not files:
        raise ValueError("the input folder has no CSV file")
    lines = [line for path in files for line in read_lines(path, await context.snapshot.text(path), currency)]
    if len(lines) > MAX_LINES:
        raise ValueError(f"there are {len(lines):,} expense lines, and one run takes {MAX_LINES:,}: split the files")
    flag_duplicates(lines)
    return lines


def _part(lines: Sequence[ExpenseLine]) -> dict[str, Any]:
    # Amounts stay here: no model sees one, so no model can change one.
    shown = [line.model_dump(include={"line", "date", "merchant", "description"}) for line in lines]
    return {"type": "lines", "task": f"Work on the lines {lines[0].line} to {lines[-1].line}.", "input": shown}


def _said(line: Mapping[str, Any]) -> str:
    return f"{line['merchant']}: {line['description']}".strip(": ")


def _note_wanted(line: Settled) -> dict[str, Any]:
    task = f"Write one sentence for the person who decides on this expense. {_said(line.model_dump())}. {'; '.join(line.reasons)}."
    return {"type": "format", "task": task, "input": {"line": line.line, "reasons": line.reasons}}


def _findings(results: Results) -> dict[str, dict[str, Any]]:
    """What the workers found, by line: only lines that they were given, and only the fields that they decide on."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for part in results:
        for done in part.get("output") or [] if part["type"] == "lines" else []:
            output = done.get("output") or {}
            found[str(done["input"]["line"])] |= {
                key: output[key] for key in ("category", "objection", "reason") if key in output
            }
    return found


def _notes(results: Results) -> dict[str, str]:
    return {
        str(done["input"]["line"]): str(done["output"].get("note", ""))
        for done in results
        if done["type"] == "format" and isinstance(done.get("output"), dict)
    }


def _settle(
    lines: Sequence[ExpenseLine],
    findings: Mapping[str, Mapping[str, Any]],
    notes: Mapping[str, str],
    limits: Mapping[str, Decimal],
) -> list[Settled]:
    settled = []
    for line in lines:
        found = findings.get(line.line, {})
        category = str(found.get("category", ""))
        reasons = list(line.flags)
        limit = limits.get(category, limits.get("any"))
        if line.amount and limit is not None and Decimal(line.amount) > limit:
            reasons.append(
                f"{line.amount} {line.currency} is over the limit of {limit} for {category or 'any expense'}"
            )
        if found.get("objection", "none") != "none":
            reasons.append(f"{found['objection']}: {found.get('reason', '')}".strip(": ")[:300])
        state = (
            "rejected"
            if line.rejected
            else "suspicious"
            if reasons
            else "approved"
            if "objection" in found
            else "unprocessed"
        )
        if state == "unprocessed":
            reasons = ["no worker managed to " + ("judge" if category else "categorise") + " it"]
        fields = line.model_dump(exclude={"rejected", "flags"})
        settled.append(
            Settled(
                **fields,
                state=state,
                category=category,
                reasons=line.rejected or reasons,
                note=notes.get(line.line, ""),
            )
        )
    return settled


def _sums(lines: Sequence[Settled], **wanted: str) -> dict[str, str]:
    """Exact sums by currency, of the lines with these values: currencies are never added to each other."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.amount and all(getattr(line, name) == value for name, value in wanted.items()):
            sums[line.currency] += Decimal(line.amount)
    return {currency: f"{value:.2f}" for currency, value in sorted(sums.items())}


def _table(lines: Sequence[Settled]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    names = [name for name in Settled.model_fields if name != "reasons"]
    writer.writerow([*names, "reasons"])
    for line in lines:
        values = line.model_dump()
        writer.writerow([_harmless(str(values[name])) for name in names] + [_harmless("; ".join(line.reasons))])
    return file.getvalue()


def _harmless(cell: str) -> str:
    """No cell that a spreadsheet would run: what looks like a formula is led by an apostrophe."""
    is_number = cell.lstrip("-").replace(".", "", 1).isdigit()
    return f"'{cell}" if cell[:1] in {"=", "@", "+", "-", "\t"} and not is_number else cell


def _markdown(report: Mapping[str, Any], missing: Sequence[str]) -> str:
    parts = ["# Expenses", ", ".join(f"{n} {state}" for state, n in report["counts"].items())]
    rows = [
        f"| {category} | {value} | {cur} |"
        for category, by in report["approved_by_category"].items()
        for cur, value in by.items()
    ]
    if rows:
        parts.append("\n".join(["| approved | amount | currency |", "|---|---|---|", *rows]))
    for title, lines in (("For a person to decide", report["for_a_person"]), ("Rejected", report["rejected"])):
        if lines:
            told = [
                f"- `{line['line']}` {_plain(_said(line))}, {line['amount'] or '?'} {line['currency']}: "
                f"{_plain('; '.join(line['reasons']))}" + (f" ({_plain(line['note'])})" if line["note"] else "")
                for line in lines
            ]
            parts.append(f"## {title}\n\n" + "\n".join(told))
    if missing:
        parts.append("## Not read\n\n" + "\n".join(f"- {_plain(line)}" for line in missing))
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text of other people as text: nothing in it is markup."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in " ".join(text.split()))
