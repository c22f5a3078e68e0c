"""``search_documents`` and ``read_document``: the run's input folder, as an agent sees it.

Each text comes with its source ``path:line``, the line on which the text starts, so that an agent can cite it; a text
of a PDF with ``path:pPAGE``, and then it is of that page alone.
"""

import asyncio
import difflib
import json
from typing import Annotated, Any

from pydantic import Field

from activities.text import escape_control, line_count, words
from activities.tools.base import SnapshotReader, ToolContext, tool
from activities.tools.citations import find_place
from activities.tools.search import IndexCache, PassageIndex

MAX_RESULT_BYTES = 15_000
"""Bytes of one answer as JSON: below the 16 KiB beyond which a model would get a preview only."""
MAX_QUERY = 4_000
"""Characters of a query that are read."""
PARALLEL_READS = 32
"""Files that are fetched at a time when an index is built."""

_INDEXES = IndexCache()


@tool(effect="read")
async def search_documents(
    context: ToolContext, query: str, limit: Annotated[int, Field(ge=1, le=20)] = 8
) -> list[dict[str, str]]:
    """Search the documents and return the passages that fit best, each with its text and its source.

    A source is path:line, or path:pPAGE in a PDF. Rows of a table come with the names of their columns.
    """
    snapshot = _snapshot(context)
    if not words(query[:MAX_QUERY]):
        raise ValueError("the query is empty: give a few words to search for")
    if not 1 <= limit <= 20:
        raise ValueError(f"limit is {limit}: give a number from 1 to 20")
    index = await _index(snapshot)
    found: list[dict[str, str]] = []
    room = MAX_RESULT_BYTES
    for passage in await asyncio.to_thread(index.search, query[:MAX_QUERY], limit):
        result = {"source": passage.source, "text": passage.text}
        if passage.columns:
            result["columns"] = passage.columns
        room -= _json_bytes(result)
        if room < 0:
            break
        found.append(result)
    return found


@tool(effect="read")
async def read_document(
    context: ToolContext,
    path: str,
    start_line: Annotated[int, Field(ge=1)] = 1,
    max_lines: Annotated[int, Field(ge=1)] = 200,
    start_page: Annotated[int, Field(ge=1)] = 1,
) -> dict[str, Any]:
    """Read lines of one document: its text from a line on, the source as path:line, and how many lines it has in all.

    Where more follows, next_line is the line to go on with. Of a PDF it reads pages from start_page on, each with its
    source as path:pPAGE; next_page is the page to go on with (and next_line the line in it, where it was cut).
    """
    snapshot = _snapshot(context)
    if start_line < 1 or max_lines < 1 or start_page < 1:
        raise ValueError("start_line, max_lines and start_page count from 1")
    files = {file.path: file for file in snapshot.files}
    if path not in files and (place := find_place(path, files)):
        # The source of a passage, given where its path is asked for.
        path = place.file.path
        if place.number and place.file.pages:
            start_page, start_line = place.number, 1
        elif place.number and start_line == 1:
            start_line = max(1, place.number)
    if path not in files:
        raise ValueError(_unknown(path, snapshot))
    text = await snapshot.text(path)
    if files[path].pages:
        return _pages(path, text, start_page, start_line, max_lines)
    if start_page > 1:
        raise ValueError(f"{escape_control(path, 200)} has no pages: give start_line")
    total = line_count(text)
    if start_line > max(1, total):
        raise ValueError(f"{escape_control(path, 200)} has {total} lines: start_line {start_line} is after its end")
    part, taken = _lines_from(text, start_line, max_lines)
    result: dict[str, Any] = {"source": f"{path}:{start_line}", "text": part, "lines": total}
    if start_line + taken <= total:
        result["next_line"] = start_line + taken
    return result


def _pages(path: str, text: str, page: int, line: int, max_lines: int) -> dict[str, Any]:
    """Pages from one on, as many as fit; a page that does not fit in an answer alone is cut at a line."""
    pages = text.split("\f")
    if page > len(pages):
        raise ValueError(f"{escape_control(path, 200)} has {len(pages)} pages: start_page {page} is after its end")
    found: list[dict[str, str]] = []
    result: dict[str, Any] = {"passages": found, "pages": len(pages)}
    room = MAX_RESULT_BYTES
    while page <= len(pages):
        part, taken = _lines_from(pages[page - 1], line, max_lines)
        passage = {"source": f"{path}:p{page}", "text": part}
        room -= _json_bytes(passage)
        if found and room < 1_000:
            break
        found.append(passage)
        max_lines -= taken
        cut = line + taken <= line_count(pages[page - 1])
        if cut:
            result["next_line"] = line + taken
            break
        page, line = page + 1, 1
        if max_lines < 1:
            break
    if page <= len(pages):
        result["next_page"] = page
    return result


async def _index(snapshot: SnapshotReader) -> PassageIndex:
    index = _INDEXES.get(snapshot.digest)
    if index is not None:
        return index
    texts: list[tuple[str, str]] = []
    paths = [file.path for file in snapshot.files]
    paged = {file.path for file in snapshot.files if file.pages}
    for at in range(0, len(paths), PARALLEL_READS):
        batch = paths[at : at + PARALLEL_READS]
        texts += zip(batch, await asyncio.gather(*map(snapshot.text, batch)), strict=True)
    return await asyncio.to_thread(_INDEXES.get_or_build, snapshot.digest, lambda: PassageIndex(texts, paged))


def _lines_from(text: str, start_line: int, max_lines: int) -> tuple[str, int]:
    """Verbatim lines within the bounds, and how many they are; one enormous line is cut."""
    taken: list[str] = []
    room = MAX_RESULT_BYTES - 1_000  # the source and the braces around it
    for line in text.split("\n")[start_line - 1 : start_line - 1 + max_lines]:
        room -= _json_bytes(line)
        if room < 0 and taken:
            break
        # A character takes at most 6 bytes in JSON (\u001f), so this always fits.
        taken.append(line if room >= 0 else line[: MAX_RESULT_BYTES // 7])
    return "\n".join(taken), len(taken)


def _json_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


def _snapshot(context: ToolContext) -> SnapshotReader:
    if context.snapshot is None:
        raise ValueError("this run has no input folder, so there are no documents")
    return context.snapshot


def _unknown(path: str, snapshot: SnapshotReader) -> str:
    names = [file.path for file in snapshot.files]
    tail = path.rsplit("/", 1)[-1].lower()
    near = [name for name in names if tail and name.rsplit("/", 1)[-1].lower() == tail]
    near += [name for name in difflib.get_close_matches(path[:300], names, n=3, cutoff=0.5) if name not in near]
    message = f"there is no document {escape_control(path, 200)!r}"
    return (
        f"{message}; the nearest names are {', '.join(near[:3])}"
        if near
        else f"{message}; search for its words instead"
    )
