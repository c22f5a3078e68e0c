"""YAML as a team file may use it: plain JSON values, each with its line, and nothing that surprises.

Scalars are read as YAML 1.2 does and editors show them: ``no`` and ``on`` are words, ``1:30`` and a date are text. There
are no tags, anchors, aliases, merge keys or second documents; no key stands twice; size, depth and numbers have bounds.
The parser underneath keeps its state in lists, so depth costs it nothing; ours is refused before it could.
"""

import math
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from activities.errors import ConfigurationInvalid

MAX_DEPTH = 60
"""Levels of nesting: a supervisor takes three for each node below it."""
MAX_DIGITS = 18
"""Of a whole number: what every JSON reader takes."""

Lines = dict[tuple[str, ...], int]
"""Path of a field or list item to its line, from 1."""

QUOTES = "put the text in quotes: one with ': ' or ' #' needs them, and within { } or [ ] one with a comma or '?'"
_UNQUOTED = (
    "'?'",
    "expected ',' or",
    "expected <block end>",
    "mapping values are not allowed",
    "cannot start any token",
)
"""Words of the parser where a text most likely stands without its quotes."""

_NULL = re.compile(r"^(~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?[0-9]+$")
_BASED = re.compile(r"^0(o[0-7]+|x[0-9a-fA-F]+)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_ODD_FLOAT = re.compile(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")


def read_yaml(data: bytes, path: Path) -> tuple[Any, Lines]:
    """The value of a file, and where each part of it stands.

    Raises:
        ConfigurationInvalid: it is no such YAML; one sentence with file and line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationInvalid(f"{path}:{line}: the file is not UTF-8", fix="save it as UTF-8") from error
    reader = _Reader(path)
    try:
        return reader.read(text), reader.lines
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationInvalid(
            f"{path}:{line}: the character U+{error.character:04X} is not allowed in YAML",
            fix="remove it",
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = " ".join(str(getattr(error, "problem", None) or error).split())[:300]
        if "'\\t'" in problem:
            fix = "indent with spaces, not with tabs"
        else:
            fix = (
                f"{QUOTES}; or close the bracket" if any(word in problem for word in _UNQUOTED) else "correct the file"
            )
        raise ConfigurationInvalid(f"{where}: not YAML: {problem}", fix=fix) from error


class _Reader:
    def __init__(self, path: Path) -> None:
        self.lines: Lines = {}
        self._path = path
        self._events: Any = None

    def read(self, text: str) -> Any:
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        next(self._events)
        event = next(self._events)
        if isinstance(event, StreamEndEvent):
            return None
        value = self._value(next(self._events), ())
        next(self._events)
        after = next(self._events)
        if isinstance(after, DocumentStartEvent):
            raise self._refused(after, "a second document begins here", "write one team a file")
        return value

    def _value(self, event: Event, at: tuple[str, ...]) -> Any:
        self.lines.setdefault(at, _line(event))
        self._check(event, at)
        if isinstance(event, MappingStartEvent):
            return self._mapping(at, flow=bool(event.flow_style))
        if isinstance(event, CollectionStartEvent):
            items: list[Any] = []
            while not isinstance(event := next(self._events), SequenceEndEvent):
                items.append(self._value(event, (*at, str(len(items)))))
            return items
        return self._scalar(event)

    def _mapping(self, at: tuple[str, ...], *, flow: bool) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while isinstance(event := next(self._events), NodeEvent):
            self._check(event, at)
            if not isinstance(event, ScalarEvent):
                raise self._refused(event, "a key is no text", "write a name before the colon")
            key = event.value
            if key == "<<" and event.style is None:
                raise self._refused(event, "merge keys are not allowed", "write the fields out")
            if key in result:
                raise self._refused(event, f"the key {key[:80]!r} stands here twice", "keep one of them")
            self.lines[*at, key] = _line(event)
            value = next(self._events)
            if flow and isinstance(value, ScalarEvent) and value.style is None and not value.value:
                raise self._refused(event, f"{key[:80]!r} has no value", QUOTES)
            result[key] = self._value(value, (*at, key))
        return result

    def _check(self, event: Event, at: tuple[str, ...]) -> None:
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise self._refused(
                event,
                "anchors and aliases are not allowed",
                "write the value out, or put a text with & or * before it in quotes",
            )
        if tag := getattr(event, "tag", None):
            raise self._refused(
                event,
                f"YAML tags are not allowed: {str(tag)[:80]}",
                "remove the tag, or put a text with ! before it in quotes",
            )
        if len(at) > MAX_DEPTH:
            raise self._refused(event, f"this is nested deeper than {MAX_DEPTH} levels", "flatten it")

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise self._refused(event, "half of a surrogate pair is no character", "write the character itself")
        if event.style is not None:  # quoted, or a block
            return text
        if _NULL.match(text):
            return None
        if _BOOL.match(text):
            return text[0] in "tT"
        if _BASED.match(text) or _INT.match(text):
            if len(text.lstrip("+-")) > MAX_DIGITS:
                raise self._refused(event, f"a number has more than {MAX_DIGITS} digits", "write it as text, in quotes")
            return int(text, 0) if _BASED.match(text) else int(text)
        if _ODD_FLOAT.match(text) or (_FLOAT.match(text) and not math.isfinite(float(text))):
            raise self._refused(event, f"{text[:80]} is no number that can be used", "write a finite number")
        return float(text) if _FLOAT.match(text) else text

    def _refused(self, event: Event, problem: str, fix: str) -> ConfigurationInvalid:
        return ConfigurationInvalid(f"{self._path}:{_line(event)}: {problem}", fix=fix)


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1
