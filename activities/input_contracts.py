"""The input contract of a node: does what it is given fit? Asked inside workflows, so the same value gets the same answer.

``activities.outputs`` looks at answers, in activities: there a pattern has a time limit, which no replay could repeat.
Here patterns run on an engine whose time is linear in the text, and nothing depends on a clock.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any

from jsonschema import ValidationError
from jsonschema.validators import extend
from pydantic import JsonValue, PydanticUserError, StringConstraints, TypeAdapter
from pydantic import ValidationError as DoesNotFit
from pydantic_core import SchemaError

from activities.contracts.base import MAX_TEXT, Schema
from activities.errors import ConfigurationInvalid
from activities.json_values import is_deep
from activities.outputs import SHOWN_VALUE, check_schema, schema_validator

MAX_PROBLEMS = 3
MAX_CHECKED = 4 * MAX_TEXT
"""Characters of the longest input that is checked, as JSON: 50 ms of a workflow task, which has two seconds."""


def check_input_schema(schema: Schema, where: str) -> None:
    """Refuse an input contract that cannot be checked.

    Raises:
        ConfigurationInvalid: what is wrong with it.
    """
    try:
        check_schema(schema)
    except ConfigurationInvalid as error:
        raise ConfigurationInvalid(f"the input schema of {where}: {error}", fix=error.fix) from error
    for pattern in _patterns(schema):
        if _compiled(pattern) is None:
            raise ConfigurationInvalid(
                f"the input schema of {where} has the pattern {pattern[:200]!r}, which cannot be checked in linear time",
                fix="write it without look-around and back-references (the syntax of RE2)",
            )


def input_problems(value: JsonValue, schema: Schema) -> tuple[str, ...]:
    """What of a value does not fit, a sentence each; empty: it fits."""
    if is_deep(value):
        return ("it is nested too deeply",)
    if len(json.dumps(value, ensure_ascii=False)) > MAX_CHECKED:
        return (f"it has more than {MAX_CHECKED:,} characters",)
    try:
        errors = sorted(_validator(schema).iter_errors(value), key=lambda error: error.json_path)
    except RecursionError:
        return ("it is nested too deeply",)
    return tuple(_sentence(error) for error in errors[:MAX_PROBLEMS])


def missing_properties(value: JsonValue, schema: Schema) -> tuple[str, ...]:
    """The required properties of an object that a value lacks. What is no object lacks all of them."""
    required = schema.get("required")
    have = value if isinstance(value, dict) else {}
    return tuple(str(name) for name in required if name not in have) if isinstance(required, list) else ()


def _validator(schema: Schema) -> Any:
    plain = schema_validator(schema)
    kind = extend(type(plain), {"pattern": _pattern, "uniqueItems": _unique})  # type: ignore[no-untyped-call] # of jsonschema
    return kind(schema, registry=plain._registry)  # noqa: SLF001 -- the one that fetches nothing


def _sentence(error: ValidationError) -> str:
    message, value = error.message, repr(error.instance)
    if len(value) > SHOWN_VALUE:  # a wrong value is quoted as far as it helps
        message = message.replace(value, f"{value[:SHOWN_VALUE]}…")
    return f"{error.json_path}: {message}"[:300]


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> TypeAdapter[str] | None:
    """Matches whatever has the pattern in it; ``None``: there is no way to do so in linear time."""
    try:
        return TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    except (SchemaError, PydanticUserError):
        return None


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    del validator, schema
    compiled = _compiled(pattern)
    if not isinstance(instance, str):
        return
    try:
        if compiled is None:
            yield ValidationError(f"the pattern {pattern[:200]!r} cannot be checked")
        else:
            compiled.validate_python(instance)
    except DoesNotFit:
        yield ValidationError(f"{instance[:100]!r} does not match {pattern[:200]!r}")


def _unique(validator: Any, unique: bool, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """The keyword ``uniqueItems`` in linear time: the library compares every pair of objects."""
    del validator, schema
    if not unique or not isinstance(instance, list):
        return
    seen = {json.dumps(item, sort_keys=True) for item in instance}
    if len(seen) < len(instance):
        yield ValidationError("it has the same item twice")


def _patterns(value: JsonValue) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(pattern := value.get("pattern"), str):
            yield pattern
        for inner in value.values():
            yield from _patterns(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _patterns(inner)
