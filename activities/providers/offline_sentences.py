"""Sentences of prose, tables and lists as offsets, so that a quotation is a slice and its line is exact."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from activities.text import lines

MAX_SENTENCE = 500
"""Characters of one sentence; a longer one is cut at a space. It stays verbatim."""

_FENCE = re.compile(r"\s*(```|~~~)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*\S)")
_RULE = re.compile(r"[\s|:=+*_~.#-]*")
_ROW = re.compile(r"\s*(?=\|)")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+(?=\S)")
_ALONE = re.compile(r"\s*(?:>+|//+|#+|--)\s*(?=\S)")
_CODE = re.compile(
    r"\s*(?:(?:async )?def \w+\(|class \w+[:({]|import \w|from [\w.]+ import |@\w|\$ |</?\w+[ >]|return\b.*[()\[\]{}])|.*[;{}]\s*$"
)
_CLOSING = "\"'*_`)\\]\u201d\u2019"
# Latin sentences end before white space; Chinese and Japanese ones at the full-width stop itself.
_END = re.compile(f"[.!?\u2026]+[{_CLOSING}]*(?=\\s)|[\u3002\uff01\uff1f]+[\u300d\u300f\u201d\u2019\uff09]*")
_SHORT = re.compile(
    r"(?:(?i:\b(?:e\.g|i\.e|etc|cf|vs|approx|incl|fig|no|dr|mr|mrs|ms|prof|st))|(?<![\w'\u2019])[A-Z])\.$"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """Where a sentence is, and how much it reads like one."""

    start: int
    end: int
    heading: str
    """The heading above it within the same text."""
    weight: float
    """1 for prose, less for table rows and code."""


def sentences(text: str) -> Iterator[Sentence]:
    """Split a text. Fenced code, headings, rules and table separators are left out."""
    heading, fenced = "", False
    start, end = -1, 0  # the paragraph under way
    for _, line_start, line_end in lines(text):
        line = text[line_start:line_end]
        # Most lines are prose: the first character rules most forms out without a regular expression.
        first = line.lstrip()[:1]
        fence = _FENCE.match(line) if first in "`~" else None
        title = _HEADING.match(line[:300]) if first == "#" else None
        code = _CODE.fullmatch(line[:MAX_SENTENCE])
        alone = code or (None if first.isalnum() else _ROW.match(line) or _ALONE.match(line))
        item = None if first.isalpha() else _ITEM.match(line)
        begins = (
            fenced
            or bool(fence or title or alone or item)
            or not first
            or (not first.isalnum() and bool(_RULE.fullmatch(line)))
        )
        if begins:
            yield from _paragraph(text, start, end, heading)
            start = -1
        fenced ^= bool(fence)
        if fenced or fence or (begins and not (title or alone or item)):
            continue
        if title:
            heading = title[1].strip("# ")
        elif alone:
            yield from _pieces(
                text, line_start if code else line_start + alone.end(), line_end, heading, 0.5 if code else 0.75
            )
        else:
            start = start if start >= 0 else line_start + (item.end() if item else 0)
            end = line_end
    yield from _paragraph(text, start, end, heading)


def _paragraph(text: str, start: int, end: int, heading: str) -> Iterator[Sentence]:
    if start < 0:
        return
    at = start
    for found in _END.finditer(text, start, end):
        if not _is_end(text, at, found, end):
            continue
        yield from _pieces(text, at, found.end(), heading, 1.0)
        at = found.end()
    yield from _pieces(text, at, end, heading, 1.0)


def _is_end(text: str, start: int, found: re.Match[str], end: int) -> bool:
    """Whether a sentence ends here: not after an abbreviation, and not before a lower-case letter."""
    following = text[found.end() : min(end, found.end() + 20)].lstrip()[:1]
    if found[0].startswith(".") and following.islower():
        return False
    return not (found[0] == "." and _SHORT.search(text, max(start, found.end() - 8), found.end()))


def _pieces(text: str, start: int, end: int, heading: str, weight: float) -> Iterator[Sentence]:
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
            yield Sentence(start + lead, start + tail, heading, weight * asks)
        start = stop
