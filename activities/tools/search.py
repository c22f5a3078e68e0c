"""Full-text search: passages of documents, ranked by BM25.

The index is SQLite's FTS5 in memory. It is built once per snapshot and process, never written anywhere.
"""

import re
import sqlite3
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from activities.text import content_words, lines, searchable

MAX_PASSAGE = 1200
"""Characters of one passage: a long paragraph, about 300 tokens."""
MIN_PASSAGE = 300
"""Shorter paragraphs are joined with the next one: a heading or a lead-in means little alone."""
MAX_INDEXES = 4
"""Snapshots whose index a process keeps. An index takes about three times the size of its snapshot."""

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
    """The Markdown headings above it. They are searched, they are no part of the text."""


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

    def __init__(self, texts: Iterable[tuple[str, str]]) -> None:
        """Split and index files, given as (path, text)."""
        self._passages = [passage for path, text in sorted(texts) for passage in passages(path, text)]
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


def passages(path: str, text: str) -> Iterator[Passage]:
    """Split a file at blank lines and headings into slices of at most ``MAX_PASSAGE`` characters."""
    splitter = _Splitter(path, text)
    for number, start, end in lines(text):
        yield from splitter.add(number, start, end)
    yield from splitter.flush()


class _Splitter:
    """The passage under way: a range of offsets, and what decides where it ends."""

    def __init__(self, path: str, text: str) -> None:
        self._path, self._text = path, text
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

    def flush(self) -> Iterator[Passage]:
        if self._end:
            yield self._passage(self._line, self._start, self._end)
        self._start = self._end = 0
        self._has_body = False

    def _pieces(self, number: int, start: int, end: int) -> Iterator[Passage]:
        while start < end:
            stop = min(end, start + MAX_PASSAGE)
            if stop < end:
                space = self._text.rfind(" ", start + MIN_PASSAGE, stop)
                stop = space if space > 0 else stop
            if self._text[start:stop].strip():
                yield self._passage(number, start, stop)
            start = stop

    def _passage(self, line: int, start: int, end: int) -> Passage:
        heading = " / ".join(title for _, title in self._headings)
        return Passage(self._path, line, self._text[start:end].rstrip(), heading)


def _quoted(word: str) -> str:
    """A word as an FTS5 string, so that nothing in it is an operator."""
    return '"' + word.replace('"', '""') + '"'
