"""Lines of the input folder with their sources, and the table of what each was called."""

import json
from typing import Any

import pytest

from activities.tools.base import ToolContext
from activities.tools.line_labels import MAX_LINE, MAX_LINES, list_lines, write_labels
from tests.tools.folder import HARBOUR, Folder

TABLE = 'day,said\n2026-10-02,"one, and\ntwo"\n\n2026-10-03,\n"open\n'


class Written(dict[str, str]):
    """Artifacts in memory."""

    async def write(self, name: str, data: bytes, media_type: str = "text/plain") -> None:
        self[name] = f"{media_type}\n{data.decode()}"


async def lines_of(texts: dict[str, str], **arguments: Any) -> list[dict[str, str]]:
    given = list_lines.arguments.model_validate(arguments)
    found: list[dict[str, str]] = json.loads(await list_lines(ToolContext("request", Folder(texts)), given))
    return found


async def test_lines_come_with_their_sources_and_rows_with_their_columns() -> None:
    found = await lines_of({"a.csv": TABLE, "log.md": HARBOUR, "empty.txt": "\n---\n"})
    of = {line["source"]: line["text"] for line in found}
    assert of["a.csv:2"].startswith("day: 2026-10-02; said: one, and")
    assert of["a.csv:5"] == "day: 2026-10-03"
    assert of["log.md:9"] == "Pilots rest two days after a storm."
    assert not any(text.startswith("#") for text in of.values())
    assert not any(source.startswith("empty") for source in of)
    assert await lines_of({"a.csv": TABLE, "b.txt": "only"}, ending=".txt") == [{"source": "b.txt:1", "text": "only"}]


async def test_a_long_line_is_cut_and_too_many_are_refused() -> None:
    assert len((await lines_of({"a.txt": "x" * 5000}))[0]["text"]) == MAX_LINE
    with pytest.raises(ValueError, match="more than 400 lines"):
        await lines_of({"a.txt": "x\n" * (MAX_LINES + 1)})
    with pytest.raises(ValueError, match="no input folder"):
        await list_lines(ToolContext("request"), list_lines.arguments.model_validate({}))


async def write(lines: list[dict[str, str]], labels: list[str | None]) -> tuple[dict[str, Any], Written]:
    files = Written()
    given = write_labels.arguments.model_validate({"lines": lines, "labels": labels})
    return json.loads(await write_labels(ToolContext("request", None, files), given)), files


async def test_a_table_holds_every_line_and_nothing_that_a_spreadsheet_would_run() -> None:
    lines = [{"source": f"a.txt:{n}", "text": text} for n, text in enumerate(("=1+1", "two, three", "four"), start=1)]
    said, files = await write(lines, ["b", "a", None])
    assert said == {"lines": 3, "labels": {"b": 1, "a": 1}, "unlabelled": ["a.txt:3"], "file": "labels.csv"}
    assert files["labels.csv"] == (
        'text/csv\nsource,label,text\na.txt:1,b,\'=1+1\na.txt:2,a,"two, three"\na.txt:3,,four\n'
    )
    with pytest.raises(ValueError, match="3 lines and 1 labels"):
        await write(lines, ["a"])
