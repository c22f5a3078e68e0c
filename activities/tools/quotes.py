"""``check_quotes``: a gate for answers that quote, so that no quotation is invented and every line number is right."""

import re
from collections.abc import Iterator
from typing import Any

from activities.text import escape_control
from activities.tools.base import SnapshotReader, ToolContext, tool

MAX_PROBLEMS = 10
MAX_QUOTES = 1_000
"""Quotations of one answer that are checked."""
MAX_OCCURRENCES = 1_000
"""Places of one quotation that are looked at to name the right line: a single letter is found everywhere."""

_SOURCE = re.compile(r"(?s)(.+):(\d{1,9})")


@tool(effect="read")
async def check_quotes(context: ToolContext, output: Any) -> list[str]:
    """Check every object with a quote and a source (path:line): the quote has to start on that line, word for word.

    White space around the quote does not count; line ends within it may be written either way.
    """
    problems: list[str] = []
    texts: dict[str, str | None] = {}
    for quote, source in _quotations(output):
        found = _SOURCE.fullmatch(source.strip())
        path = found[1] if found else ""
        if found and path not in texts:
            texts[path] = await _text(context.snapshot, path)
        problem = _problem(quote, source, int(found[2]) if found else None, texts.get(path))
        if problem:
            problems.append(problem)
        if len(problems) == MAX_PROBLEMS:
            break
    return problems


def _quotations(output: Any) -> Iterator[tuple[str, str]]:
    """All (quote, source) pairs of a JSON value, in document order. No recursion: the nesting is the model's choice."""
    stack, count = [output], 0
    while stack and count < MAX_QUOTES:
        value = stack.pop()
        if isinstance(value, dict):
            quote, source = value.get("quote"), value.get("source")
            if isinstance(quote, str) and isinstance(source, str):
                count += 1
                yield quote, source
            stack += reversed(list(value.values()))
        elif isinstance(value, list | tuple):
            stack += reversed(value)


async def _text(snapshot: SnapshotReader | None, path: str) -> str | None:
    if snapshot is None:
        return None
    try:
        return _line_feeds(await snapshot.text(path))
    except KeyError:
        return None


def _problem(quote: str, source: str, line: int | None, text: str | None) -> str:
    wanted = _line_feeds(quote).strip()
    shown, place = escape_control(wanted, 80), escape_control(source.strip(), 200)
    if not wanted:
        return f"the quote of {place} is empty: quote the document or leave the entry out"
    if line is None:
        return f'the source "{place}" of the quote "{shown}" is not written as path:line'
    if text is None:
        return f'the source {place} of the quote "{shown}" names no document of this run'
    if _starts_on(line, wanted, text):
        return ""
    at = _lines_of(wanted, text)
    if at:
        near = min(at, key=lambda other: (abs(other - line), other))
        return f'the quote "{shown}" is not at {place}: it starts at line {near}'
    return f'the quote "{shown}" is not in the document of {place}, word for word'


def _starts_on(line: int, wanted: str, text: str) -> bool:
    parts = text.split("\n", line - 1) if line > 0 else []
    if line < 1 or len(parts) < line:
        return False
    rest = parts[-1]
    end = rest.find("\n")
    at = rest.find(wanted, 0, (len(rest) if end < 0 else end) + len(wanted))
    return at >= 0


def _lines_of(wanted: str, text: str) -> list[int]:
    """The first lines on which the quotation starts, in one pass."""
    found: list[int] = []
    line, counted, start = 1, 0, text.find(wanted)
    while start >= 0 and len(found) < MAX_OCCURRENCES:
        line, counted = line + text.count("\n", counted, start), start
        found.append(line)
        # Once per line is enough.
        end = text.find("\n", start)
        start = text.find(wanted, end + 1) if end >= 0 else -1
    return found


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n")
