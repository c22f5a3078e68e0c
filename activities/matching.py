"""Regular expressions on an engine whose time grows with the text's length and no faster, whatever the pattern.

It is Rust's, which pydantic brings. It only says whether a pattern occurs: where, is found by asking it about parts.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from pydantic import JsonValue
from pydantic_core import SchemaError, core_schema
from pydantic_core import SchemaValidator as Matcher

LONGEST_MATCH = 128
"""Characters of the longest piece that is redacted as one; a longer one is redacted in pieces."""
MAX_EFFORT = 25_000_000
"""Looks of one review, each at most 15 ns: 0.4 s, of the 2 s after which a worker gives a workflow task up."""
_ONE_LOOK = 100
"""What asking once costs, however short the text: up to 1 us."""
_SHORT_LOOK = 40
"""The same where one short text after the other is asked about: the engine knows its way."""
_FIRST_WINDOW = 512
_TOKEN = re.compile(r"\\(?:[pPx]\{[^}]*\}|.)|\[(?:\\.|[^\]\\])+\]|\{(\d+),?(\d*)\}|.", re.DOTALL)


class TooMuch(Exception):
    """A value is too long to be looked at for all that is looked for."""


class Effort:
    """What one review may still look at: characters, times the places of the patterns that they are held against."""

    def __init__(self) -> None:
        self.left = MAX_EFFORT

    @property
    def spent(self) -> int:
        """What it has looked at."""
        return MAX_EFFORT - self.left

    def scan(self, pattern: str, text: str) -> None:
        """Pay for holding a text against a pattern.

        Raises:
            TooMuch: there is too much to look at.
        """
        self.spend(_ONE_LOOK + len(text) * width(pattern))

    def spend(self, looks: int) -> None:
        """Pay for looks.

        Raises:
            TooMuch: there is too much to look at.
        """
        self.left -= looks
        if self.left < 0:
            raise TooMuch


@lru_cache(maxsize=1000)
def width(pattern: str) -> int:
    """Places of a pattern, its counted repetitions written out: what one character costs at most, in looks."""
    open_, last = [0], 0
    for token in _TOKEN.finditer(pattern):
        match token[0]:
            case "(":
                open_.append(0)
            case ")" if len(open_) > 1:
                last = open_.pop()
                open_[-1] += last
            case "?" | "*" | "+" | "|":
                pass
            case _ if token[1]:
                times = max(int(token[1]), int(token[2] or 1), 1)
                open_[-1] += last * (times - 1)
                last *= times
            case _:
                last = 1
                open_[-1] += 1
    return max(1, sum(open_))


@lru_cache(maxsize=1000)
def matcher(pattern: str, *, whole: bool) -> Matcher | str:
    """What holds a text against a pattern, or why the pattern cannot be read.

    Args:
        pattern: without look-around and references to groups.
        whole: the whole text has to match; else the pattern may occur anywhere in it.
    """
    try:
        # Alone first: ``a)|(b`` would mean something else inside our own parentheses.
        made = _made(pattern)
        return _made(rf"\A(?:{pattern})\z") if whole else made
    except SchemaError as error:
        return " ".join(str(error).split()).partition("regex parse error: ")[2][-200:] or "it is too large"


def holds(found: Matcher | str, text: str) -> bool:
    """Whether a text is one that a matcher takes; never where the pattern cannot be read."""
    if isinstance(found, str):
        return False
    try:
        return found.isinstance_python(text)
    except UnicodeError:
        return False


def occurs(pattern: str, value: JsonValue, effort: Effort) -> bool:
    """Whether a pattern occurs in one of the texts, names or numbers of a value.

    Raises:
        TooMuch: there is too much to look at.
    """
    found = matcher(pattern, whole=False)
    for text in texts(value):
        effort.scan(pattern, text)
        if holds(found, text):
            return True
    return False


def texts(value: JsonValue) -> Iterator[str]:
    """All texts of a value: names of fields and numbers too. Half a surrogate pair counts as a question mark."""
    waiting = [value]
    while waiting:
        match one := waiting.pop():
            case str():
                yield one.encode("utf-8", "replace").decode("utf-8")
            case dict():
                waiting += [*one.values(), *one]
            case list():
                waiting += one
            case bool() | None:
                pass
            case _:
                yield repr(one)


def redacted(pattern: str, value: JsonValue, instead: str, effort: Effort) -> JsonValue:
    """The value with everything in its texts that matches replaced. Names and numbers stay as they are.

    What cannot be redacted is left: whether the pattern still occurs is for the caller to ask (``occurs``). Parts are
    matched by themselves, so with a word's boundary in the pattern a little more may be taken than matches, and no less.

    Raises:
        TooMuch: there is too much to look at.
    """
    return _Redaction(pattern, instead, effort).of(value)


class _Redaction:
    """Of one value. A text is gone through once: a match costs what lies between it and the one before."""

    def __init__(self, pattern: str, instead: str, effort: Effort) -> None:
        self._pattern, self._instead, self._effort = pattern, instead, effort
        self._found, self._whole = matcher(pattern, whole=False), matcher(pattern, whole=True)

    def of(self, value: JsonValue) -> JsonValue:
        match value:
            case str():
                return self._without(value)
            case list():
                return [self.of(one) for one in value]
            case dict():
                return {name: self.of(one) for name, one in value.items()}
            case _:
                return value

    def _without(self, text: str) -> str:
        pieces, at = list[str](), 0
        while (window := self._window(text, at)) is not None:
            start, end = self._longest(text, at, *self._first(text, at, window))
            if end == at:
                break  # it matches an empty text: there is nothing to take out
            pieces += text[at:start], self._instead
            at = end
        return "".join((*pieces, text[at:]))

    def _window(self, text: str, at: int) -> int | None:
        """The end of a part from ``at`` on that has a match, at most twice as long as it has to be."""
        if at == 0 and not self._occurs(text):
            return None
        size = _FIRST_WINDOW
        while not self._occurs(text[at : at + size]):
            if at + size >= len(text):
                return None
            size *= 2
        return min(at + size, len(text))

    def _first(self, text: str, at: int, window: int) -> tuple[int, int]:
        """The shortest beginning that has a match, and the shortest end of that which has one."""
        low, high = at, window
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._occurs(text[at:middle]) else (middle + 1, high)
        end, low, high = low, at, low
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._occurs(text[middle:end]) else (low, middle - 1)
        return low, end

    def _longest(self, text: str, at: int, start: int, end: int) -> tuple[int, int]:
        """The longest match around the shortest one, from ``at`` on."""
        furthest, earliest = min(len(text), start + LONGEST_MATCH), max(at, end - LONGEST_MATCH)
        self._effort.spend((furthest - end + start - earliest) * _SHORT_LOOK)
        whole = self._whole
        end = next((one for one in range(furthest, end, -1) if holds(whole, text[start:one])), end)
        return next((one for one in range(earliest, start) if holds(whole, text[one:end])), start), end

    def _occurs(self, text: str) -> bool:
        self._effort.scan(self._pattern, text)
        return holds(self._found, text)


def _made(pattern: str) -> Matcher:
    return Matcher(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex", strict=True))
