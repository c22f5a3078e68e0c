"""Prose as sentences: paragraphs, lists, tables of Markdown, and code that a sentence leads to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from activities.text import lines

MAX_SENTENCE = 500
"""Characters of one sentence; a longer one is cut at a space. It stays verbatim."""
SHORT_LINE = 50
"""A line that ends before this, without a sentence's end, is not wrapped: it is an entry, and the next line begins anew."""
MAX_TITLE = 60
"""Characters of a line that may be a title."""

_FENCE = re.compile(r"\s*(```|~~~)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*\S)")
_UNDERLINE = re.compile(r"([=\-~^\"'*+#])\1{2,}\s*")
_RULE = re.compile(r"[\s|:=+*_~.#-]*")
_ROW = re.compile(r"\s*(?=\|)")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+(?=\S)")
_ALONE = re.compile(r"\s*(?:>+|//+|#+|--)\s*(?=\S)")
_STAMP = re.compile(r"\s*[\[(<]?(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d)")
_LABEL = re.compile(r"\s*(?:[*_`]{0,3}[^\W\d_][\w/()&.'\u2019 -]{0,38}[*_`]{0,3}:[*_`]{0,3}\s+\S|:\s+\S)")
_ALIGNED = re.compile(r"[^\s|][^\S\n]{3,}\S|\S\t+\S")
_BLANK = re.compile(r"\s*")
_CODE = re.compile(
    r"\s*(?:(?:async )?def \w+\(|class \w+[:({]|import \w|from [\w.]+ import |@\w|\$ |</?\w+[ >]|return\b.*[()\[\]{}])|.*[;{}]\s*$"
)
_CLOSING = "\"'*_`)\\]\u201d\u2019"
# Latin sentences end before white space; Chinese and Japanese ones at the full-width stop itself.
_END = re.compile(f"[.!?\u2026]+[{_CLOSING}]*(?=\\s)|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d\u2019\uff09]*")
_SHORT = re.compile(
    r"(?:(?i:\b(?:e\.g|i\.e|etc|cf|vs|approx|incl|fig|no|nr|z\.b|d\.h|bzw|ca|dr|mr|mrs|ms|prof|st))|(?<![\w'\u2019])[A-Z]"
    r"|(?<![\w.])\d{1,2}(?=\. [A-Z][a-zä]+))\.$"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Where a sentence is, and how much it reads like one."""

    start: int
    end: int
    heading: str
    """The heading above it within the same text, and of a nested entry the names that it lies below."""
    weight: float
    """1 for prose, less for table rows and code."""
    columns: str = ""
    """Of a table's row: the table's first row."""
    block: int = 0
    """Sentences of one paragraph or list have the same number."""


class Prose:
    """Paragraphs, lists and tables, one line after the other."""

    def __init__(self, text: str, start: int = 0, end: int | None = None, heading: str = "", block: int = 0) -> None:
        """Read a text, or a part of it that lies below a heading."""
        self._text = text
        self._from, self._to = start, len(text) if end is None else end
        self._heading, self._columns = heading, ""
        self._headings: list[tuple[int, str]] = []
        self._block = block
        self._start, self._end = -1, 0
        """The paragraph under way."""
        self._lead = -1
        """Where a sentence begins that ends with a colon, and nothing came after it yet."""

    def sentences(self) -> Iterator[Sentence]:
        """The sentences of the part, in order."""
        part = self._text[self._from : self._to]
        spans = [(self._from + start, self._from + end) for _, start, end in lines(part)]
        fenced, blank = self._begins_fenced(), True
        for at, (start, end) in enumerate(spans):
            line = self._text[start:end]
            # Most lines are prose: the first character rules most forms out without a regular expression.
            first = line.lstrip()[:1]
            fence = bool(first in ("`", "~") and _FENCE.match(line))
            if fence:
                yield from self._paragraph()
                yield from self._example(end) if fenced else ()
            fenced ^= fence
            if fenced or fence or not first or (not first.isalnum() and _RULE.fullmatch(line)):
                yield from self._paragraph()
                blank = blank or not first
                self._block += not first
                self._columns = self._columns if first == "|" else ""
                continue
            following = self._text[slice(*spans[at + 1])] if at + 1 < len(spans) else ""
            if title := self._title(line, following, begins=blank):
                yield from self._paragraph()
                self._below(line, title)
                self._block += 1
            else:
                yield from self._line(line, start, end, following)
            blank = False
        yield from self._paragraph()

    def _begins_fenced(self) -> bool:
        """A part of a document may begin within code: its first fence then closes, and names no language."""
        fences = list(re.finditer(r"(?m)^[ \t]*(?:```|~~~)(.*)$", self._text))
        if len(fences) % 2 == 0 or fences[0][1].strip():
            return False
        return bool(_ALIGNED.search(self._text[: fences[0].start()])) or not fences[0].start()

    def _example(self, end: int) -> Iterator[Sentence]:
        """A lead-in with the code that it leads to: how something is done."""
        lead, self._lead = self._lead, -1
        if lead < 0:
            return
        if end - lead > MAX_SENTENCE:
            end = self._text.rfind("\n", lead, lead + MAX_SENTENCE)
        if self._text.count("\n", lead, max(lead, end)) > 1:
            yield Sentence(lead, end, self._heading, 0.95, "", self._block)

    def _title(self, line: str, following: str, *, begins: bool) -> str:
        """The heading that a line is: marked, underlined, in capitals, or a short line that others follow at once."""
        if line.lstrip()[:1] == "#" and (found := _HEADING.match(line[:300])):
            return found[1].strip("# ")
        said = line.strip()
        if not begins or len(said) > MAX_TITLE or not said[0].isalpha() or said[-1] in ".!?,;:":
            return ""
        underlined = _UNDERLINE.fullmatch(following.strip()) and len(following.strip()) * 2 >= len(said)
        lone = not following.strip() and not any(character.isdigit() for character in said)
        listed = following.strip() and not any(character.isdigit() for character in said) and ":" not in said
        entry = bool(listed and len(said) <= 30 and len(following.strip()) < MAX_TITLE and not following[:1].isspace())
        short = len(said.split()) <= 6
        return (
            said
            if underlined
            or (short and ((lone and said.istitle() | said.isupper()) or (entry and not _continues(said, following))))
            else ""
        )

    def _below(self, line: str, title: str) -> None:
        """Headings by their level; one without a level lies below the first."""
        level = len(line.lstrip()) - len(line.lstrip().lstrip("#")) or (1 if not self._headings else 2)
        self._headings = [*((depth, said) for depth, said in self._headings if depth < level), (level, title)]
        self._heading = " / ".join(said for _, said in self._headings)

    def _line(self, line: str, start: int, end: int, following: str) -> Iterator[Sentence]:
        first = line.lstrip()[:1]
        code = _CODE.fullmatch(line[:MAX_SENTENCE])
        alone = code or (_STAMP.match(line[:40]) if first.isdigit() or first in "[(<" else None)
        if not alone and _ALIGNED.search(line[:MAX_SENTENCE]):
            alone = _BLANK.match(line)
        if not alone and not first.isalnum():
            alone = _ROW.match(line) or _ALONE.match(line)
        item = None if first.isalpha() or alone else _ITEM.match(line)
        if alone:
            yield from self._paragraph()
            row = first == "|"
            yield from self._pieces(
                start if code else start + alone.end() * (not _STAMP.match(line[:40])),
                end,
                0.5 if code else 0.9 if row else 0.75 if first == ">" else 0.9,
            )
            if row and not self._columns and following.startswith("|") and _RULE.fullmatch(following):
                self._columns = line.strip()
            return
        if item or _LABEL.match(line[:80]) or self._is_new(line):
            yield from self._paragraph()
        if self._start < 0:
            self._start = start + (item.end() if item else 0)
        self._end = end

    def _is_new(self, line: str) -> bool:
        """Whether the line does not go on with the one before, which was too short to have been wrapped."""
        if self._start < 0:
            return False
        before = self._text[self._text.rfind("\n", 0, self._end) + 1 : self._end]
        return len(before.strip()) < SHORT_LINE and not _continues(before, line)

    def _paragraph(self) -> Iterator[Sentence]:
        start, end, self._start = self._start, self._end, -1
        if start < 0:
            return
        for begin, stop in _sentence_ranges(self._text, start, end):
            yield from self._pieces(begin, stop, 1.0)

    def _pieces(self, start: int, end: int, weight: float) -> Iterator[Sentence]:
        for piece in pieces(self._text, start, end, weight, self._heading, self._columns, self._block):
            self._lead = piece.start if self._text[piece.end - 1] == ":" else -1
            yield piece


def _sentence_ranges(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    at = start
    for found in _END.finditer(text, start, end):
        if _is_end(text, at, found, end):
            yield at, found.end()
            at = found.end()
    yield at, end


def _continues(before: str, line: str) -> bool:
    said = before.rstrip()
    return said[-1:] in {",", ";", "-", "(", "&"} or line.lstrip()[:1].islower() or said[-1:] in {".", "!", "?"}


def paragraph(text: str, start: int, end: int, heading: str, block: int) -> Iterator[Sentence]:
    """The sentences of one paragraph."""
    for begin, stop in _sentence_ranges(text, start, end):
        yield from pieces(text, begin, stop, 1.0, heading, "", block)


def _is_end(text: str, start: int, found: re.Match[str], end: int) -> bool:
    """Whether a sentence ends here: not after an abbreviation, and not before a lower-case letter."""
    following = text[found.end() : min(end, found.end() + 20)].lstrip()[:1]
    if found[0].startswith(".") and (following.islower() or text[found.start() - 1 : found.start()].isspace()):
        return False
    if found[0] == "." and re.match(
        r"\s+(?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)",
        text[found.end() : found.end() + 12],
    ):
        return False
    return not (found[0] == "." and _SHORT.search(text, max(start, found.end() - 8), found.end()))


def pieces(  # noqa: PLR0913, PLR0917 -- the fields of a Sentence
    text: str, start: int, end: int, weight: float, heading: str = "", columns: str = "", block: int = 0
) -> Iterator[Sentence]:
    """A sentence, in pieces of at most ``MAX_SENTENCE``; nothing where it has no word."""
    while start < end:
        stop = min(end, start + MAX_SENTENCE)
        if stop < end:
            space = text.rfind(" ", start + 1, stop)
            stop = space if space > 0 else stop
        piece = text[start:stop]
        lead = len(piece) - len(piece.lstrip())
        tail = len(piece.rstrip())
        if any(character.isalnum() for character in piece):
            asks = 0.5 if piece.rstrip().endswith(("?", ":")) else 1.0  # a question or a lead-in answers nothing
            yield Sentence(start + lead, start + tail, heading, weight * asks, columns, block)
        start = stop
