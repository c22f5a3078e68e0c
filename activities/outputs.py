"""The output contract: is the model's answer the JSON that was declared?"""

import re
from collections.abc import Iterator
from typing import Any

import regex  # type: ignore[import-untyped] # ships no types
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend
from pydantic import JsonValue
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from activities.contracts.base import Schema
from activities.errors import ConfigurationInvalid
from activities.json_values import MAX_DEPTH, is_deep, read_json

MAX_PROBLEMS = 5
"""Problems that one correction prompt names: a model mends a few at a time, and a thousand would fill its window."""
PATTERN_SECONDS = 0.2
"""Bound of matching one pattern on one string; a sane one takes microseconds. Heartbeats come every 0.7 s."""
_FENCE = re.compile(r"^\s*```(?:json)?\s*\n(.*?)\n\s*```\s*$", re.DOTALL)


_OFFLINE: Registry[Any] = Registry()
"""Knows no other document, and fetches none."""
_SCHEMA = DRAFT202012


def check_schema(schema: Schema) -> None:
    """Refuse a contract that is no JSON Schema.

    Raises:
        ConfigurationInvalid: what is wrong with it.
    """
    try:
        Draft202012Validator.check_schema(schema)
        # Every reference is followed once now, so that none is found broken when the first answer comes.
        resolver = _OFFLINE.resolver_with_root(_SCHEMA.create_resource(schema))
        for reference in _references(schema):
            _follow(reference, resolver)
        if _mentions(schema, "patternProperties"):
            raise ConfigurationInvalid(
                "the output schema has patternProperties, which are not supported", fix="name the properties"
            )
    except SchemaError as error:
        raise ConfigurationInvalid(
            f"the output schema is no JSON Schema: {error.message}", fix="correct it at " + (error.json_path or "$")
        ) from error
    except (Unresolvable, RecursionError) as error:
        raise ConfigurationInvalid(
            f"the output schema refers to what is not in it: {error}", fix="put the definition under $defs"
        ) from error


def schema_validator(schema: Schema) -> Any:
    """A validator that looks nowhere else and whose patterns have a time limit: a schema is somebody's input too."""
    return _Validator(schema, registry=_OFFLINE)


def first_match(pattern: str, text: str) -> str:
    """Where a pattern fits in a text; empty where it does not, is none, or takes too long."""
    try:
        found = regex.search(pattern, text, timeout=PATTERN_SECONDS)
    except (TimeoutError, regex.error):
        return ""
    return str(found[0]) if found else ""


SHOWN_VALUE = 60
"""Characters of a wrong value that are quoted back."""


def read_output(text: str, schema: Schema) -> tuple[JsonValue, tuple[str, ...]]:
    """Read an answer by its contract: the value, and what is wrong with it (empty: it fits)."""
    fenced = _FENCE.match(text)
    try:
        value = read_json(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError) as error:
        return None, (f"the answer is not JSON: {str(error)[:200]}",)
    if is_deep(value):
        return None, (f"the answer is nested more than {MAX_DEPTH} levels deep",)
    try:
        errors = sorted(schema_validator(schema).iter_errors(value), key=lambda error: error.json_path)
    except RecursionError:
        return None, ("the answer is nested too deeply",)
    return value, tuple(_problem(error) for error in errors[:MAX_PROBLEMS])


def _problem(error: ValidationError) -> str:
    """One breach in a sentence. The value that it quotes may be long: the reason behind it must not be lost."""
    message, value = error.message, repr(error.instance)
    if len(value) > SHOWN_VALUE:
        message = message.replace(value, f"{value[:SHOWN_VALUE]}…")
    sentence = f"{error.json_path}: {message}"
    return sentence if len(sentence) <= 300 else f"{sentence[:140]} … {sentence[-150:]}"


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The keyword ``pattern`` without the catastrophe: a pattern may be exponential in the answer's length."""
    del validator, schema
    if not isinstance(instance, str):
        return
    try:
        if regex.search(pattern, instance, timeout=PATTERN_SECONDS) is None:
            yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")
    except (TimeoutError, regex.error) as error:
        yield ValidationError(f"the pattern {pattern!r} cannot be checked: {type(error).__name__}")


_Validator: Any = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call] # of jsonschema


def _follow(reference: str, resolver: Any) -> None:
    """Follow a chain of references to its end.

    Raises:
        Unresolvable: it leads out of the schema, or in a circle.
    """
    seen: set[str] = set()
    while reference not in seen:
        seen.add(reference)
        found = resolver.lookup(reference)
        following = found.contents.get("$ref") if isinstance(found.contents, dict) else None
        if not isinstance(following, str):
            return
        reference, resolver = following, found.resolver
    raise Unresolvable(ref=reference)


def _mentions(value: JsonValue, keyword: str) -> bool:
    if isinstance(value, dict):
        return keyword in value or any(_mentions(inner, keyword) for inner in value.values())
    return isinstance(value, list) and any(_mentions(inner, keyword) for inner in value)


def _references(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
