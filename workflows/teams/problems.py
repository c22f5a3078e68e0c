"""What is wrong with a team, in a sentence: pydantic's errors read along the model tree.

Everything here is derived from the models: a new kind of node, a new field or a new choice is known without a word added.
"""

import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

MAX_WORD = 80
"""Characters of what somebody wrote that a message repeats."""
MAX_LISTED = 24
"""Known words that a fix lists."""


class Problem(NamedTuple):
    """One thing that is wrong."""

    at: tuple[str, ...]
    """Where: the fields and positions from the top, as the writer sees them."""
    message: str
    fix: str


def problems_of(model: type[BaseModel], error: ValidationError) -> list[Problem]:
    """All that is wrong, what says most first: a misspelt field is both unknown and missing."""
    found = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
    return [_problem(model, details) for details in found]


def nearest(word: str, known: Sequence[str]) -> str:
    """A proposal for a word that is not known, as the start of a fix; the known words where none is near."""
    close = difflib.get_close_matches(word[:MAX_WORD], known, n=1)
    more = f" and {len(known) - MAX_LISTED} more" if len(known) > MAX_LISTED else ""
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known[:MAX_LISTED]) or 'none'}{more}"


class _Place(NamedTuple):
    """A place of the model tree that pydantic's location leads to."""

    at: tuple[str, ...]
    owner: type[BaseModel] | None
    """The model whose field it is, where it is a field."""
    annotation: Any
    is_key: bool


def _problem(model: type[BaseModel], error: ErrorDetails) -> Problem:
    place = _follow(model, error["loc"])
    field = ".".join(place.at)[:200] or "the file"
    word, given = (place.at[-1] if place.at else ""), _shown(error.get("input"))
    match error["type"]:
        case "extra_forbidden":
            message, fix = f"the field {word[:MAX_WORD]!r} is not known", _known_field(word, place.owner)
        case "missing":
            message, fix = f"the field {word!r} is missing", f"add {word}:"
        case "union_tag_not_found":
            message, fix = _without_kind(error.get("input"), _members(place.annotation))
        case "union_tag_invalid":
            kind = str(error.get("ctx", {}).get("tag", ""))[:MAX_WORD]
            message, fix = f"{kind!r} is no kind", nearest(kind, sorted(_members(place.annotation)))
        case "literal_error" | "enum":
            message, fix = (
                f"{given} is not allowed here",
                nearest(str(error["input"]), list(_choices(place.annotation))),
            )
        case "string_pattern_mismatch" if place.is_key or "A-Za-z0-9_-]{0,63}" in error["msg"]:
            message = f"{given} is no name"
            fix = "a name begins with a letter and has at most 64 letters, digits, '_' and '-'"
        case "tuple_type" | "list_type":
            message, fix = f"a list is wanted, not {given}", f"write {word}: [...], or one line each with a dash"
        case "dict_type" | "model_type" | "model_attributes_type":
            message, fix = f"fields are wanted, not {given}", f"write what belongs to {field} below it, indented"
        case "too_short" | "too_long":
            bounds = error.get("ctx", {})
            least, most = bounds.get("min_length"), bounds.get("max_length")
            message = f"at least {least} is wanted" if least else f"at most {most} are taken"
            fix = f"add to {field}" if least else f"shorten {field}"
        case _:
            said = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
            message, fix = said[:1].lower() + said[1:], f"correct {field}"
    return Problem(place.at, message, fix)


def _follow(model: type[BaseModel], location: Iterable[int | str]) -> _Place:
    """Walk a location down the models. The kinds that pydantic puts into it are no part of what somebody wrote."""
    at: tuple[str, ...] = ()
    owner: type[BaseModel] | None = None
    current, is_key = _bare(model), False
    for part in location:
        word = str(part)
        if word == "[key]":
            is_key = True
        elif members := _members(current):
            current = members.get(word)
        elif isinstance(current, type) and issubclass(current, BaseModel):
            owner, field = current, _field(current, word)
            at, current = (*at, word), _bare(field) if field else None
        elif typing.get_origin(current) in {dict, tuple, list}:
            owner, at = None, (*at, word)
            current = _bare(next(a for a in reversed(typing.get_args(current)) if a is not Ellipsis))
        else:
            break  # inside a free JSON value: the field that holds it is named
    return _Place(at, owner, current, is_key)


def _bare(annotation: Any) -> Any:
    """A type without what stands around it: constraints, ``None``, names of aliases."""
    if isinstance(annotation, FieldInfo):
        annotation = annotation.annotation
    while True:
        if hasattr(annotation, "__value__"):
            return None  # the alias JsonValue: anything
        if typing.get_origin(annotation) is Annotated:
            annotation = typing.get_args(annotation)[0]
            continue
        rest = [a for a in typing.get_args(annotation) if a is not types.NoneType]
        if not _is_union(annotation) or len(rest) != 1:
            return annotation
        annotation = rest[0]


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in {typing.Union, types.UnionType}


def _members(annotation: Any) -> dict[str, type[BaseModel]]:
    """The models of a union that are told apart by their kind; empty: it is none."""
    found: dict[str, type[BaseModel]] = {}
    for member in typing.get_args(annotation) if _is_union(annotation) else ():
        bare = _bare(member)
        if isinstance(bare, type) and issubclass(bare, BaseModel) and "kind" in bare.model_fields:
            found |= dict.fromkeys(typing.get_args(bare.model_fields["kind"].annotation), bare)
    return found


def _field(model: type[BaseModel], word: str) -> FieldInfo | None:
    return next((field for name, field in model.model_fields.items() if word in {name, field.alias}), None)


def _choices(annotation: Any) -> Iterator[str]:
    """The words that a place takes."""
    if typing.get_origin(annotation) is Literal:
        yield from map(str, typing.get_args(annotation))
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(member.value) for member in annotation)


def _known_field(word: str, model: type[BaseModel] | None) -> str:
    return nearest(word, sorted(field.alias or name for name, field in model.model_fields.items()) if model else [])


def _without_kind(given: Any, members: dict[str, type[BaseModel]]) -> tuple[str, str]:
    """What to say of a node without a kind: which one it is, where its fields tell."""
    fields = set(given) if isinstance(given, dict) else set()
    own = {kind: set(model.model_fields) for kind, model in members.items()}
    shared = set.intersection(*own.values()) if own else set()
    fitting = [kind for kind, names in own.items() if (fields - shared) and (fields - shared) <= names]
    if len(fitting) == 1:
        return "the field 'kind' is missing", f"add kind: {fitting[0]}"
    return "the field 'kind' is missing", f"add kind: with one of {', '.join(sorted(members))}"


def _shown(value: Any) -> str:
    if isinstance(value, str | int | float | bool | None):
        text = repr(value)
        return text if len(text) <= MAX_WORD else f"{text[:MAX_WORD]}..."
    return "a list" if isinstance(value, list | tuple) else "fields" if isinstance(value, dict) else "this"
