"""The deterministic half of the team ``expenses``: lines in, amounts, rules, terminal states. No model counts money.

Every line ends in one state: ``rejected`` (it cannot be processed), ``suspicious`` (a person decides), ``unprocessed`` (no
worker managed it; a person decides), or ``approved``: read without a doubt, within the limits, and found harmless by a
worker that said so.

Calls carry numbers of lines and not lines: each reads the snapshot itself, which never changes. So a thousand lines fit
what a call may be given. The numbers count the lines that can be processed, from 0.
"""

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from activities.tools.base import ToolContext, tool
from activities.tools.expense_lines import MAX_LINES, ExpenseLine, flag_duplicates, read_lines
from activities.tools.expense_notes import remark, shortened
from activities.tools.expense_report import markdown, said, summary, table
from activities.tools.expense_rules import Finding, Rules, reasons, settle

CHUNK = 20
"""Lines of one part: with two subtasks a line, a part's workflow stays small."""
MAX_NOTES = 20
"""Suspicious lines that get a sentence of their own; the others have their reasons."""
MAX_REASON = 100
"""Characters of an auditor's reason, as JSON: 1,000 of them fit the arguments of one call."""
MAX_NOTE = 300
MAX_SHOWN = 400
"""Characters of a line's words that the clerk sees."""

MAX_KEPT = 4
"""Snapshots whose lines a process keeps: each part of a run asks for them three times."""

Results = list[dict[str, Any]]
_read: dict[tuple[str, str], tuple[ExpenseLine, ...]] = {}


class Part(BaseModel):
    """Lines that one part works on, by their numbers."""

    start: int = Field(alias="from", ge=0)
    count: int = Field(ge=1, le=CHUNK)

    def numbers(self) -> range:
        """The numbers."""
        return range(self.start, self.start + self.count)


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
    good = _good(lines)
    if round == 1:
        return [
            {
                "type": "lines",
                "task": "Work on these lines.",
                "input": {"from": start, "count": min(CHUNK, len(good) - start)},
            }
            for start in range(0, len(good), CHUNK)
        ]
    if round > 2:
        return []
    findings = _findings(results)
    rules = Rules(limits, currency.upper())
    wanted = [
        _note_wanted(number, line, kinds)
        for number, line in enumerate(good)
        if (kinds := [reason.kind for reason in reasons(line, findings.get(number, Finding()), rules)])
    ]
    return wanted[:MAX_NOTES]


@tool(effect="read")
async def expense_subtasks(
    context: ToolContext,
    input: Part,  # noqa: A002 -- what the pattern offers
    round: int,  # noqa: A002 -- what the pattern offers
    results: Results,
    currency: str = "EUR",
) -> list[dict[str, Any]]:
    """Lay out one part: a category for each line, and then its compliance."""
    own = {number: said(line.merchant, line.description) for number, line in await _part(context, input, currency)}
    if round == 1:
        return [
            {"type": "categorise", "task": f"Which category is this expense? {words}", "input": {"line": number}}
            for number, words in own.items()
        ]
    if round > 2:
        return []
    judged = [done["input"]["line"] for done in results if done["type"] == "categorise" and done.get("output")]
    return [
        {
            "type": "comply",
            "task": f"What, if anything, speaks against this expense? {own[number]}",
            "input": {"line": number},
        }
        for number in judged
        if number in own
    ]


@tool(effect="read")
async def expense_findings(
    context: ToolContext,
    input: Part,  # noqa: A002 -- what the pattern offers
    results: Results,
    currency: str = "EUR",
) -> dict[str, list[str | None]]:
    """Put what was found of one part together: category, objection and reason of each line that a worker managed."""
    own = {number: said(line.merchant, line.description) for number, line in await _part(context, input, currency)}
    found: dict[int, Finding] = {}
    for done in results:
        number, output = done["input"]["line"], done.get("output")
        if number not in own or not isinstance(output, dict):
            continue
        finding = found.setdefault(number, Finding())
        if done["type"] == "categorise":
            finding.category = str(output["category"])
        elif done["type"] == "comply":
            finding.objection = str(output["objection"])
            reason = str(output["reason"]) if finding.objection != "none" else ""
            finding.reason = remark(reason, own[number], MAX_REASON)
    return {str(number): [f.category, f.objection, f.reason] for number, f in sorted(found.items())}


@tool(effect="idempotent")
async def settle_expenses(
    context: ToolContext, results: Results, limits: dict[str, Decimal], missing: list[str], currency: str = "EUR"
) -> dict[str, Any]:
    """Bring every line into its terminal state, add up, and write expenses.csv, expenses.json and expenses.md."""
    lines = await _lines(context, currency)
    good, findings = _good(lines), _findings(results)
    notes, dropped = _notes(results, good)
    numbers = {line.line: number for number, line in enumerate(good)}
    rules = Rules(limits, currency.upper())
    settled = [
        settle(line, findings.get(number, Finding()), notes.get(number, ""), rules)
        for line in lines
        for number in [numbers.get(line.line, -1)]
    ]
    report = summary(settled, dropped + sum(finding.reason is None for finding in findings.values()))
    if context.artifacts is not None:
        await context.artifacts.write("expenses.csv", table(settled).encode(), "text/csv")
        whole = {**report, "all": [line.model_dump() for line in settled]}
        await context.artifacts.write(
            "expenses.json", json.dumps(whole, indent=2, ensure_ascii=False).encode(), "application/json"
        )
        await context.artifacts.write("expenses.md", markdown(report, settled, missing).encode(), "text/markdown")
    return report


async def _lines(context: ToolContext, currency: str) -> Sequence[ExpenseLine]:
    if context.snapshot is None:
        raise ValueError("this run has no input folder: give the CSV files with --input")
    files = [file.path for file in context.snapshot.files if file.path.lower().endswith(".csv")]
    if not files:
        raise ValueError("the input folder has no CSV file")
    key = (context.snapshot.digest, currency)
    lines = _read.get(key)
    if lines is None:
        texts = [(path, await context.snapshot.text(path)) for path in files]
        lines = _read[key] = await asyncio.to_thread(_read_all, texts, currency)
        while len(_read) > MAX_KEPT:
            del _read[next(iter(_read))]
    return lines


def _read_all(texts: Sequence[tuple[str, str]], currency: str) -> tuple[ExpenseLine, ...]:
    lines: list[ExpenseLine] = []
    for path, text in texts:
        for line in read_lines(path, text, currency):
            if len(lines) == MAX_LINES:
                raise ValueError(f"there are more expense lines than the {MAX_LINES:,} of one run: split the files")
            lines.append(line)
    flag_duplicates(lines)
    return tuple(lines)


def _good(lines: Sequence[ExpenseLine]) -> list[ExpenseLine]:
    return [line for line in lines if not line.rejected]


async def _part(context: ToolContext, part: Part, currency: str) -> list[tuple[int, ExpenseLine]]:
    good = _good(await _lines(context, currency))
    return [(number, good[number]) for number in part.numbers() if number < len(good)]


def _note_wanted(number: int, line: ExpenseLine, kinds: Sequence[str]) -> dict[str, Any]:
    words = shortened(said(line.merchant, line.description), MAX_SHOWN)
    task = f"Write one sentence for the person who decides on this expense. {words}. {'; '.join(kinds)}."
    return {"type": "format", "task": task, "input": {"line": number}}


def _findings(results: Results) -> dict[int, Finding]:
    """What the workers found, by the line's number: only of lines that the part was given."""
    found = {}
    for done in results:
        if done["type"] == "lines" and isinstance(done.get("output"), dict):
            numbers = Part.model_validate(done["input"]).numbers()
            for number, (category, objection, reason) in done["output"].items():
                if int(number) in numbers:
                    found[int(number)] = Finding(category=category, objection=objection, reason=reason)
    return found


def _notes(results: Results, good: Sequence[ExpenseLine]) -> tuple[dict[int, str], int]:
    """The clerk's notes by the line's number, and how many were dropped: they named a number of their own."""
    notes: dict[int, str] = {}
    dropped = 0
    for done in results:
        if done["type"] == "format" and isinstance(done.get("output"), dict):
            number = done["input"]["line"]
            own = said(good[number].merchant, good[number].description)
            note = remark(str(done["output"]["note"]), own, MAX_NOTE)
            dropped += note is None
            notes[number] = note or ""
    return notes, dropped
