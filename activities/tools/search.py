"""Full-text search: passages of documents, ranked by BM25.

A passage of a CSV is whole rows, of a PDF it lies on one page.

The index is SQLite's FTS5 in memory. It is built once per snapshot and process, never written anywhere.
"""

import re
import sqlite3
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from activities.text import content_words, lines, searchable

MAX_PASSAGE = 1200
"""Characters of one passage: a long paragraph, about 300 tokens."""
MIN_PASSAGE = 300
"""Shorter paragraphs are joined with the next one: a heading or a lead-in means little alone."""
MAX_INDEXES = 4
"""Snapshots whose index a process keeps. An index takes about three times the size of its snapshot."""

_TABLES = (".csv", ".tsv", ".tab")
_MARKDOWN = (".md", ".markdown", ".mdx", ".txt")
_HEADING = re.compile(r"^(#{1,6})\s+(.*\S)")
_FENCE = re.compile(r"^\s*(```|~~~)")


@dataclass(frozen=True, slots=True)
class Passage:
    """A verbatim slice of a file."""

    path: str
    line: int
    """Number of its first line, from 1."""
    text: str
    heading: str
    """The Markdown headings above it, or a table's first row. They are searched, they are no part of the text."""
    page: int = 0
    """Of a PDF, from 1; the line is then one of the page."""

    @property
    def source(self) -> str:
        """How it is cited."""
        return f"{self.path}:p{self.page}" if self.page else f"{self.path}:{self.line}"

    @property
    def columns(self) -> str:
        """The first row of the table that its rows are of."""
        return self.heading if self.path.lower().endswith(_TABLES) and self.line > 1 else ""


class TextIndex:
    """BM25 over rows of (context, body). Rows are known by their position; equal scores keep that order."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        """Index the rows; a match in the context weighs half of one in the body."""
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._db.close)
        self._db.execute(
            "CREATE VIRTUAL TABLE units USING fts5"
            "(context, body, content='', tokenize='porter unicode61 remove_diacritics 2')"
        )
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO units(rowid, context, body) VALUES (?, ?, ?)",
            ((at, searchable(context), searchable(body)) for at, (context, body) in enumerate(rows)),
        )
        self._db.execute("COMMIT")

    def search(self, query_words: Sequence[str], limit: int) -> list[tuple[int, float]]:
        """The best rows that hold any of the words, best first, with their score (higher is better)."""
        if not query_words:
            return []
        with self._lock:
            found = self._db.execute(
                "SELECT rowid, -bm25(units, 0.5, 1.0) FROM units WHERE units MATCH ? ORDER BY bm25(units, 0.5, 1.0), rowid LIMIT ?",
                (" OR ".join(map(_quoted, query_words)), limit),
            )
            return [(int(row), float(score)) for row, score in found]

    def rows(self, word: str, column: str) -> set[int]:
        """The rows whose ``context`` or ``body`` holds a word."""
        with self._lock:
            found = self._db.execute("SELECT rowid FROM units WHERE units MATCH ?", (f"{column} : {_quoted(word)}",))
            return {int(row) for (row,) in found}


class PassageIndex:
    """The passages of one snapshot and their index."""

    def __init__(self, texts: Iterable[tuple[str, str]], paged: Collection[str] = ()) -> None:
        """Split and index files, given as (path, text); ``paged`` are the paths of PDFs."""
        self._passages = [
            passage for path, text in sorted(texts) for passage in passages(path, text, paged=path in paged)
        ]
        self._index = TextIndex((f"{passage.path} {passage.heading}", passage.text) for passage in self._passages)

    def search(self, query: str, limit: int) -> list[Passage]:
        """The best passages; equal ones in the order of path and line."""
        return [self._passages[row] for row, _ in self._index.search(content_words(query), limit)]


class IndexCache:
    """The indexes used last, by snapshot digest. Safe to use from threads."""

    def __init__(self, size: int = MAX_INDEXES) -> None:
        self._size = size
        self._indexes: OrderedDict[str, PassageIndex] = OrderedDict()
        self._lock = threading.Lock()
        # Parallel searches of one turn need the same index: the second waits for the first instead of building it again.
        self._building = threading.Lock()

    def get(self, digest: str) -> PassageIndex | None:
        """The index, if it is still here."""
        with self._lock:
            if digest in self._indexes:
                self._indexes.move_to_end(digest)
            return self._indexes.get(digest)

    def get_or_build(self, digest: str, build: Callable[[], PassageIndex]) -> PassageIndex:
        """The index, built by the first caller; the one used longest ago makes room."""
        with self._building:
            index = self.get(digest) or build()
            with self._lock:
                self._indexes[digest] = index
                while len(self._indexes) > self._size:
                    self._indexes.popitem(last=False)
            return index


def passages(path: str, text: str, *, paged: bool = False) -> Iterator[Passage]:
    """Split a file at blank lines, headings, rows and pages into slices of at most ``MAX_PASSAGE`` characters."""
    if path.lower().endswith(_TABLES) and not paged:
        yield from _rows(path, text)
        return
    for page, part in enumerate(text.split("\f"), 1) if paged else [(0, text)]:
        splitter = _Splitter(path, part, page)
        for number, start, end in lines(part):
            yield from splitter.add(number, start, end)
        yield from splitter.flush()


def _rows(path: str, text: str) -> Iterator[Passage]:
    """Some rows of a table at a time. A line end between quotation marks ends no row, unless the row gets too long."""
    splitter = _Splitter(path, text)
    first = 0  # the line on which the row under way begins
    begin = 0
    for number, start, end in lines(text):
        first, begin = (first, begin) if first else (number, start)
        whole = text.count('"', begin, end) % 2 == 0
        if not whole and end - begin <= MAX_PASSAGE:
            continue
        if whole or begin == start:
            yield from splitter.add_row(first, begin, end)
        else:  # a quotation mark that opens nothing: each of the lines is a row
            for line, since, until in lines(text[begin:end]):
                yield from splitter.add_row(first + line - 1, begin + since, begin + until)
        first = 0
    if first:
        for line, since, until in lines(text[begin:]):
            yield from splitter.add_row(first + line - 1, begin + since, begin + until)
    yield from splitter.flush()


class _Splitter:
    """The passage under way: a range of offsets, and what decides where it ends."""

    def __init__(self, path: str, text: str, page: int = 0) -> None:
        self._path, self._text, self._page = path, text, page
        self._markdown = path.lower().endswith(_MARKDOWN)
        self._headings: list[tuple[int, str]] = []
        self._start = self._end = self._line = 0
        self._has_body = self._after_blank = self._fenced = False

    def add(self, number: int, start: int, end: int) -> Iterator[Passage]:
        if not self._text[start:end].strip():
            self._after_blank = True
            return
        line = self._text[start : min(end, start + MAX_PASSAGE)]
        heading = _HEADING.match(line) if self._markdown and not self._fenced else None
        self._fenced ^= self._markdown and bool(_FENCE.match(line))
        long_enough = self._after_blank and self._end - self._start >= MIN_PASSAGE
        if (heading and self._has_body) or long_enough or end - self._start > MAX_PASSAGE:
            yield from self.flush()
        if heading:
            level = len(heading[1])
            self._headings = [
                *((depth, title) for depth, title in self._headings if depth < level),
                (level, heading[2]),
            ]
        if end - start > MAX_PASSAGE:
            yield from self._pieces(number, start, end)
            return
        if self._end == 0:
            self._start, self._line = start, number
        self._end, self._after_blank = end, False
        self._has_body = self._has_body or not heading

    def add_row(self, number: int, start: int, end: int) -> Iterator[Passage]:
        """The same for a row of a table, over one line or several."""
        if not self._text[start:end].strip():
            return
        if self._end and (self._end - self._start >= MIN_PASSAGE or end - self._start > MAX_PASSAGE):
            yield from self.flush()
        if end - start > MAX_PASSAGE:
            yield from self._pieces(number, start, end)
        elif self._end == 0:
            self._start, self._end, self._line = start, end, number
        else:
            self._end = end
        if not self._headings:
            self._headings = [(0, self._text[start : min(end, start + MIN_PASSAGE)].strip())]

    def flush(self) -> Iterator[Passage]:
        if self._end:
            yield self._passage(self._line, self._start, self._end)
        self._start = self._end = 0
        self._has_body = False

    def _pieces(self, number: int, start: int, end: int) -> Iterator[Passage]:
        while start < end:
            if self._text[start] == "\n":  # a row over several lines, cut at a line end
                number, start = number + 1, start + 1
                continue
            stop = min(end, start + MAX_PASSAGE)
            if stop < end:
                space = self._text.rfind(" ", start + MIN_PASSAGE, stop)
                stop = space if space > 0 else stop
            if self._text[start:stop].strip():
                yield self._passage(number, start, stop)
            number += self._text.count("\n", start, stop)
            start = stop

    def _passage(self, line: int, start: int, end: int) -> Passage:
        heading = " / ".join(title for _, title in self._headings)
        return Passage(self._path, line, self._text[start:end].rstrip(), heading, self._page)


def _quoted(word: str) -> str:
    """A word as an FTS5 string, so that nothing in it is an operator."""
    return '"' + word.replace('"', '""') + '"'
