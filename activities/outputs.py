"""The output contract: is the model's answer the JSON that was declared?"""

import json
import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, SchemaError
from pydantic import JsonValue
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from activities.contracts.base import Schema
from activities.errors import ConfigurationInvalid

MAX_PROBLEMS = 5
"""Problems that one correction prompt names: a model mends a few at a time, and a thousand would fill its window."""
MAX_DEPTH = 100
"""Levels of nesting. Far beyond it neither the converter nor the validator can follow."""
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
            resolver.lookup(reference)
    except SchemaError as error:
        raise ConfigurationInvalid(
            f"the output schema is no JSON Schema: {error.message}", fix="correct it at " + (error.json_path or "$")
        ) from error
    except (Unresolvable, RecursionError) as error:
        raise ConfigurationInvalid(
            f"the output schema refers to what is not in it: {error}", fix="put the definition under $defs"
        ) from error


def read_output(text: str, schema: Schema) -> tuple[JsonValue, tuple[str, ...]]:
    """Read an answer by its contract: the value, and what is wrong with it (empty: it fits)."""
    fenced = _FENCE.match(text)
    try:
        value: JsonValue = json.loads(fenced.group(1) if fenced else text, parse_constant=_refuse)
        json.dumps(
            value, ensure_ascii=False
        ).encode()  # half a surrogate pair can be written in JSON, and stored nowhere
    except (ValueError, RecursionError) as error:
        return None, (f"the answer is not JSON: {str(error)[:200]}",)
    if is_deep(value):
        return None, (f"the answer is nested more than {MAX_DEPTH} levels deep",)
    try:
        errors = sorted(
            Draft202012Validator(schema, registry=_OFFLINE).iter_errors(value), key=lambda error: error.json_path
        )
    except RecursionError:
        return None, ("the answer is nested too deeply",)
    return value, tuple(f"{error.json_path}: {error.message}"[:300] for error in errors[:MAX_PROBLEMS])


def is_deep(value: JsonValue) -> bool:
    """Whether a value is nested more than ``MAX_DEPTH`` levels deep."""
    layer: list[JsonValue] = [value]
    for _ in range(MAX_DEPTH):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
        ]
    return bool(layer)


def _references(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _refuse(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is no JSON number")
