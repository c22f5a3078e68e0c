"""``list_lines`` and ``write_labels``: each line of the input folder with its source, and a table of what each was called.

Lines come whole or not at all: a list that is too long is refused, since a part of it would be taken for all.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from activities.text import escape_control
from activities.tools.base import ToolContext, tool
from activities.tools.expense_records import records

MAX_LINES = 400
"""Lines of all files: as many as one fan-out has branches."""
MAX_LINE = 400
"""Characters of one line that are passed on: 400 of them stay below what one step may return."""
_TABLES = (".csv", ".tsv", ".tab")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@tool(effect="read")
async def list_lines(context: ToolContext, ending: str = "") -> list[dict[str, str]]:
    """Every line of the documents that says something, with its source path:line; of a table each row with its columns.

    ending: only files whose names end so, such as .csv.
    """
    if context.snapshot is None:
        raise ValueError("this run has no input folder, so there are no lines")
    found: list[dict[str, str]] = []
    for file in context.snapshot.files:
        if not file.path.endswith(ending):
            continue
        text = await context.snapshot.text(file.path)
        rows = _rows(text) if file.path.lower().endswith(_TABLES) else _lines(text)
        found += ({"source": f"{file.path}:{number}", "text": line[:MAX_LINE]} for number, line in rows)
        if len(found) > MAX_LINES:
            raise ValueError(f"the documents have more than {MAX_LINES} lines: give fewer of them at a time")
    return found


@tool(effect="idempotent")
async def write_labels(
    context: ToolContext,
    lines: Annotated[list[dict[str, str]], Field(max_length=MAX_LINES)],
    labels: Annotated[list[str | None], Field(max_length=MAX_LINES)],
    name: str = "labels.csv",
) -> dict[str, Any]:
    """Save a table of lines and the label of each; how many have which label, and the sources of those that have none."""
    if context.artifacts is None:
        raise ValueError("files cannot be written outside a run")
    if len(lines) != len(labels):
        raise ValueError(f"there are {len(lines)} lines and {len(labels)} labels: give a label, or null, for each line")
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("source", "label", "text"))
    for line, label in zip(lines, labels, strict=True):
        rows.writerow(map(_harmless, (line.get("source", ""), label or "", line.get("text", ""))))
    await context.artifacts.write(name, table.getvalue().encode("utf-8", "replace"), "text/csv")
    counted = Counter(label for label in labels if label)
    without = [line.get("source", "") for line, label in zip(lines, labels, strict=True) if not label]
    return {"lines": len(lines), "labels": dict(counted.most_common()), "unlabelled": without, "file": name}


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines of prose with their numbers; headings and rules are none."""
    for number, line in enumerate(text.split("\n"), start=1):
        said = line.strip().lstrip("-*>").strip()
        if any(map(str.isalnum, said)) and not said.startswith("#"):
            yield number, escape_control(said, MAX_LINE)


def _rows(text: str) -> Iterator[tuple[int, str]]:
    """Rows of a table with their lines, each cell under the name of its column."""
    columns: tuple[str, ...] = ()
    for record in records(text):
        if not columns:
            columns = record.cells or ("text",)
            continue
        named = zip((*columns, *("" for _ in record.cells)), record.cells, strict=False)
        cells = [f"{column}: {cell}" if column else cell for column, cell in named if cell.strip()]
        if said := "; ".join(cells) or record.problem:
            yield record.first, escape_control(said, MAX_LINE)


def _harmless(cell: str) -> str:
    """No cell that a spreadsheet would run."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
