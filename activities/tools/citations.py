"""Citations: ``path:LINE`` for text, ``path:pPAGE`` for PDF, and whether a quotation stands where it says it does.

A quotation of a text is compared character by character. In a PDF white space is a guess of whoever reads it (glyphs
have places, not spaces), so there every run of white space counts as one space, and a quotation that begins on its
page may go on to the next. Nowhere may a quotation begin or end within a word or a number: ``legal`` stands in
``illegal``, and ``12`` in ``12.5``, word for word.
"""

import asyncio
import re
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from activities.contracts.snapshot import SnapshotFile
from activities.text import cuts_word, escape_control
from activities.tools.base import SnapshotReader

MAX_OCCURRENCES = 1_000
"""Places of one quotation that are looked at to name the right line: a single letter is found everywhere."""
MAX_OPEN = 8
"""Documents that one check holds: 4 MiB each, and twice that for the search that ignores white space."""

_PLACE = re.compile(r"(?s)(.+):(p?)([0-9]{1,9})")
_LOOSE = re.compile(r"(?s)(.+?):[pPlL]?[0-9]{1,9}(?:[-\u2013:,][pPlL]?[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Place:
    """A source, as far as it can be understood."""

    file: SnapshotFile
    number: int | None
    """Line, or page of a PDF, from 1; ``None`` where the source names none."""
    exact: bool
    """``False`` where it is not written as it should be: a page of a text, a line of a PDF, a range."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What is true of a quotation."""

    status: Literal["verified", "corrected", "failed"]
    """``corrected``: it stands in that document, at one other place or with other white space."""
    problem: str = ""
    """One sentence for whoever wrote it; empty where it is verified."""
    source: str = ""
    """Where it stands; empty where it failed."""
    quote: str = ""
    """The document's own words, verbatim (of a PDF with single spaces); empty where it failed."""


class Library:
    """The documents of a run while quotations are checked."""

    def __init__(self, snapshot: SnapshotReader | None) -> None:
        self._snapshot = snapshot
        self._files = {file.path: file for file in snapshot.files} if snapshot else {}
        self._open: OrderedDict[str, _Document] = OrderedDict()

    def place(self, source: str) -> Place | None:
        """What a source points to; ``None`` where it names no document."""
        return find_place(source, self._files)

    async def document(self, file: SnapshotFile) -> "_Document":
        """A document, read at most once in a row."""
        if file.path not in self._open and self._snapshot:
            self._open[file.path] = _Document(await self._snapshot.text(file.path), paged=file.pages > 0)
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        self._open.move_to_end(file.path)
        return self._open[file.path]


def find_place(source: str, files: dict[str, SnapshotFile]) -> Place | None:
    """The document and the place that a source names. ``x.pdf:p3:7`` is page 3: lines of a page have no numbers."""
    source = source.strip()
    found = _PLACE.fullmatch(source)
    if found and found[1] in files:
        file = files[found[1]]
        return Place(file, int(found[3]), exact=bool(found[2]) == (file.pages > 0))
    inner = _PLACE.fullmatch(found[1]) if found and not found[2] else None
    if inner and inner[2] and inner[1] in files and files[inner[1]].pages:
        return Place(files[inner[1]], int(inner[3]), exact=True)
    loose = _LOOSE.fullmatch(source)
    for path in (source, loose[1] if loose else ""):
        if path in files:
            return Place(files[path], None, exact=False)
    return None


async def verify_quotation(quote: str, source: str, library: Library) -> Verification:
    """Check one quotation against the document that it names. White space around it does not count."""
    wanted = quote.replace("\r\n", "\n").strip()
    shown, where = escape_control(wanted, 80), escape_control(source.strip(), 200)
    if not wanted:
        return _failed(f"the quote of {where} is empty: quote the document or leave the entry out")
    place = library.place(source)
    if place is None and not _PLACE.fullmatch(source.strip()):
        return _failed(f'the source "{where}" of the quote "{shown}" is not written as path:line')
    if place is None:
        return _failed(f'the source {where} of the quote "{shown}" names no document of this run')
    document = await library.document(place.file)
    return await asyncio.to_thread(_verify, wanted, where, place, document)


def _verify(wanted: str, where: str, place: Place, document: "_Document") -> Verification:
    paged = place.file.pages > 0
    shown = f'the quote "{escape_control(wanted, 80)}"'
    same = [] if paged else document.exact(wanted, place.number)
    spaced = not same
    found = same or document.spaced(wanted)
    if not found:
        cut = document.holds(wanted)
        why = "begins or ends within a word or number of" if cut else "is not in"
        return _failed(f"{shown} {why} the document of {where}{'' if cut else ', word for word'}")
    numbers = sorted({number for number, _ in found})
    here = place.number in numbers
    if not here and len(numbers) > 1:
        near = min(numbers, key=lambda other: (abs(other - (place.number or 1)), other))
        return _failed(
            f"{shown} is not at {where}: it {_at(near, paged=paged)}, and {len(numbers) - 1} times elsewhere"
        )
    number = place.number if here and place.number else numbers[0]
    text = next(text for other, text in found if other == number)
    right = f"{place.file.path}:{'p' if paged else ''}{number}"
    if here and place.exact and (paged or not spaced):
        return Verification("verified", "", right, text)
    problem = f"{shown} is not at {where}: it {_at(number, paged=paged)}"
    if not place.exact:
        form = "path:pPAGE" if paged else "path:line"
        problem = f'the source "{where}" of {shown} is not written as {form}: it {_at(number, paged=paged)}'
    elif here:
        problem = f"{shown} is not in the document of {where}, word for word: its white space differs"
    return Verification("corrected", problem, right, text)


def _failed(problem: str) -> Verification:
    return Verification("failed", problem)


def _at(number: int, *, paged: bool) -> str:
    return f"is on page {number}" if paged else f"starts at line {number}"


class _Document:
    """A text, and the ways to find a quotation in it. A number is a line, or a page."""

    def __init__(self, text: str, *, paged: bool) -> None:
        self.text = text.replace("\r\n", "\n")
        self._end = "\f" if paged else "\n"

    def exact(self, wanted: str, number: int | None) -> list[tuple[int, str]]:
        """Where the quotation begins, character by character: on that line, or else wherever."""
        if number and number <= len(self._starts):
            start = self._starts[number - 1]
            end = self._starts[number] - 1 if number < len(self._starts) else len(self.text)
            if any(True for _ in _whole(self.text, wanted, start, end + len(wanted))):
                return [(number, wanted)]
        return [(at, wanted) for at in self._numbers(wanted)]

    def spaced(self, wanted: str) -> list[tuple[int, str]]:
        """The same with every run of white space as one space; with the document's own white space, of a PDF without."""
        target = " ".join(wanted.split())
        found: dict[int, str] = {}
        words, at, places = self._words
        for start in _whole(words, target, 0, len(words)):
            first = self._offset(at, places, start)
            number = bisect_right(self._starts, first)
            end = self._offset(at, places, start + len(target) - 1) + 1
            found.setdefault(number, target if self._end == "\f" else self.text[first:end])
        return list(found.items())

    def holds(self, wanted: str) -> bool:
        """Whether it stands there at all, be it within a word."""
        return " ".join(wanted.split()) in self._words[0]

    def _numbers(self, wanted: str) -> list[int]:
        found: list[int] = []
        for start in _whole(self.text, wanted, 0, len(self.text)):
            number = bisect_right(self._starts, start)
            if not found or found[-1] != number:
                found.append(number)
        return found

    @staticmethod
    def _offset(at: "array[int]", places: "array[int]", offset: int) -> int:
        word = bisect_right(at, offset) - 1
        return places[word] + offset - at[word]

    @cached_property
    def _starts(self) -> "array[int]":
        return array("L", [0, *(found.end() for found in re.finditer(self._end, self.text))])

    @cached_property
    def _words(self) -> "tuple[str, array[int], array[int]]":
        """The words with single spaces between them, the offset of each in that, and in the text."""
        at, places, words, offset = array("L"), array("L"), [], 0
        for found in re.finditer(r"\S+", self.text):
            at.append(offset)
            places.append(found.start())
            words.append(found[0])
            offset += len(found[0]) + 1
        return " ".join(words), at, places


def _whole(text: str, wanted: str, start: int, end: int) -> Iterator[int]:
    """Where a text holds the quotation without cutting a word, at most ``MAX_OCCURRENCES`` looks."""
    at = text.find(wanted, start, end)
    for _ in range(MAX_OCCURRENCES):
        if at < 0:
            return
        if not cuts_word(text, at, at + len(wanted)):
            yield at
        at = text.find(wanted, at + 1, end)
