"""Regular expressions on an engine whose time grows with the text's length and no faster, whatever the pattern.

It is Rust's, which pydantic brings. It only says whether a pattern occurs: where, is found by asking it about parts.
"""

from collections.abc import Iterator
from functools import lru_cache

from pydantic import JsonValue, ValidationError
from pydantic_core import SchemaError, core_schema
from pydantic_core import SchemaValidator as Matcher

LONGEST_MATCH = 256
"""Characters of the longest piece that is redacted as one; a longer one is redacted in pieces."""
MAX_PIECES = 500
"""Pieces of one value that are redacted: 0.2 ms each."""


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
        found.validate_python(text)
    except (ValidationError, UnicodeError):
        return False
    return True


def occurs(pattern: str, value: JsonValue) -> bool:
    """Whether a pattern occurs in one of the texts, names or numbers of a value."""
    found = matcher(pattern, whole=False)
    return any(holds(found, text) for text in texts(value))


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


def redacted(pattern: str, value: JsonValue, instead: str) -> JsonValue:
    """The value with everything in its texts that matches replaced. Names and numbers stay as they are.

    What cannot be redacted is left: whether the pattern still occurs is for the caller to ask (``occurs``). Parts are
    matched by themselves, so with a word's boundary in the pattern a little more may be taken than matches, and no less.
    """
    return _Redaction(pattern, instead).of(value)


class _Redaction:
    """Of one value, so many pieces at most."""

    def __init__(self, pattern: str, instead: str) -> None:
        self._pattern, self._instead, self._left = pattern, instead, MAX_PIECES
        self._found = matcher(pattern, whole=False)

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
        pieces = list[str]()
        while self._left and holds(self._found, text):
            start, end = _first(self._pattern, self._found, text)
            if end == 0:
                break  # it matches an empty text: there is nothing to take out
            pieces += text[:start], self._instead
            text, self._left = text[end:], self._left - 1
        return "".join((*pieces, text))


def _first(pattern: str, found: Matcher | str, text: str) -> tuple[int, int]:
    """Where the first match begins, and where the longest one that begins there ends."""
    low, high = 0, len(text)  # the shortest beginning of the text that has a match
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(found, text[:middle]) else (middle + 1, high)
    end, low, high = low, 0, low  # the shortest end of that which has one
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(found, text[middle:end]) else (low, middle - 1)
    return _longest(matcher(pattern, whole=True), text, low, end)


def _longest(whole: Matcher | str, text: str, start: int, end: int) -> tuple[int, int]:
    """The longest match around the shortest one."""
    for further in range(min(len(text), start + LONGEST_MATCH), end, -1):
        if holds(whole, text[start:further]):
            end = further
            break
    for earlier in range(max(0, end - LONGEST_MATCH), start):
        if holds(whole, text[earlier:end]):
            return earlier, end
    return start, end


def _made(pattern: str) -> Matcher:
    return Matcher(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex", strict=True))
