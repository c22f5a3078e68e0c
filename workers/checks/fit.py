"""Whether what one JSON Schema describes can ever be what another one wants.

Conservative: a sentence only where nothing fits both, and where something might, none. References are followed inside
their document, and not for ever.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from activities.contracts.base import Schema
from activities.outputs import schema_validator

MAX_DEPTH = 12
"""Levels that are looked at."""
MAX_CHOICES = 100
"""Values of an enumeration that are tried."""
_NAMES = {
    "null": "null",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "number": "a number",
    "string": "a text",
}
_TYPES = frozenset(_NAMES)
_BOUNDS = (
    ("minimum", "maximum", "number", "a number"),
    ("minLength", "maxLength", "string", "a length"),
    ("minItems", "maxItems", "array", "a number of items"),
)


def misfit(made: Schema, wanted: Schema) -> str:
    """Why nothing of what is made is what is wanted; empty where it may be.

    The sentence begins with the place, such as ``findings.0: ...``, or with ``it``.
    """
    return _Pair(made, wanted).misfit(made, wanted, ())


def undeclared(made: Schema, wanted: Schema) -> tuple[str, ...]:
    """Required properties that the maker's contract allows and does not speak of."""
    made, wanted = _Pair(made, wanted).resolved(made, wanted)
    properties = made.get("properties")
    if not isinstance(properties, dict) or made.get("additionalProperties") is False:
        return ()
    return tuple(name for name in _names(wanted, "required") if name not in properties)


class _Pair:
    """Two documents, for the references in them."""

    def __init__(self, made: Schema, wanted: Schema) -> None:
        self._made, self._wanted = made, wanted

    def resolved(self, made: Any, wanted: Any) -> tuple[Any, Any]:
        return _follow(made, self._made), _follow(wanted, self._wanted)

    def misfit(self, made: Any, wanted: Any, at: tuple[str, ...]) -> str:
        made, wanted = self.resolved(made, wanted)
        if wanted is False:
            return f"{_where(at)} is made, and must not be there"
        if len(at) > MAX_DEPTH or not isinstance(made, dict) or not isinstance(wanted, dict):
            return ""
        return self._branches(made, wanted, at) or self._plain(made, wanted, at)

    def _branches(self, made: Mapping[str, Any], wanted: Mapping[str, Any], at: tuple[str, ...]) -> str:
        """Of alternatives one has to fit, of conditions all."""
        for part in _parts(wanted, "allOf"):
            if why := self.misfit(made, part, (*at, "")):
                return why
        for part in _parts(made, "allOf"):
            if why := self.misfit(part, wanted, (*at, "")):
                return why
        for key in ("anyOf", "oneOf"):
            for found in (
                [self.misfit(made, part, (*at, "")) for part in _parts(wanted, key)],
                [self.misfit(part, wanted, (*at, "")) for part in _parts(made, key)],
            ):
                if found and all(found):
                    return found[0]
        return ""

    def _plain(self, made: Mapping[str, Any], wanted: Mapping[str, Any], at: tuple[str, ...]) -> str:
        where, types, others = _where(at), _types(made), _types(wanted)
        if not types & others:
            return f"{where} is {_list(types)}, and {_list(others)} is wanted"
        if why := self._choices(made, wanted, where):
            return why
        both = types & others
        if len(both) > 1:
            return ""
        for lower, upper, kind, what in _BOUNDS:
            if both == {kind} and (_over(made, lower, wanted, upper) or _over(wanted, lower, made, upper)):
                return f"{where} is {what} that is not wanted ({lower} and {upper} exclude each other)"
        if both == {"object"}:
            return self._objects(made, wanted, at)
        if both == {"array"} and max(_number(made, "minItems"), _number(wanted, "minItems")) > 0:
            return self.misfit(made.get("items", {}), wanted.get("items", {}), (*at, "0"))
        return ""

    def _choices(self, made: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> str:
        for one, other, document in ((made, wanted, self._wanted), (wanted, made, self._made)):
            choices = _values(one)
            if choices is None or "$ref" in str(other) or len(choices) > MAX_CHOICES:
                continue
            validator = schema_validator({**_bare(other), "$defs": document.get("$defs", {})})
            if not any(validator.is_valid(value) for value in choices):
                listed = ", ".join(map(repr, choices[:5]))
                verb = "may be" if one is made else "has to be"
                return f"{where} {verb} {listed}, which is not what is {'wanted' if one is made else 'made'}"
        return ""

    def _objects(self, made: Mapping[str, Any], wanted: Mapping[str, Any], at: tuple[str, ...]) -> str:
        ours, theirs = _properties(made), _properties(wanted)
        needed, given = _names(wanted, "required"), _names(made, "required")
        for name in needed:
            if name not in ours and made.get("additionalProperties") is False:
                return f"{_where((*at, name))} is required, and is not made"
        for name in given:
            if name not in theirs and wanted.get("additionalProperties") is False:
                return f"{_where((*at, name))} is made, and must not be there"
        for name in dict.fromkeys((*needed, *given)):
            if name in ours and name in theirs and (why := self.misfit(ours[name], theirs[name], (*at, name))):
                return why
        return ""


def _follow(schema: Any, document: Schema) -> Any:
    """The schema that a reference inside the document leads to; anything where it cannot be followed."""
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, dict) or "$ref" not in schema:
            return schema
        found: Any = document
        for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
            found = (
                found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, dict) and part else found
            )
        schema = found
    return {}


def _bare(schema: Mapping[str, Any]) -> dict[str, JsonValue]:
    return {key: value for key, value in schema.items() if key not in {"$id", "$schema", "$defs"}}


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    declared = schema.get("type")
    if declared is None:
        values = _values(schema)
        return _TYPES if values is None else frozenset(_type_of(value) for value in values)
    listed = declared if isinstance(declared, list) else [declared]
    return frozenset("number" if one == "integer" else str(one) for one in listed) & _TYPES or _TYPES


def _type_of(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _values(schema: Mapping[str, Any]) -> list[JsonValue] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return list(values) if isinstance(values, list) else None


def _parts(schema: Mapping[str, Any], key: str) -> list[Any]:
    parts = schema.get(key)
    return parts if isinstance(parts, list) else []


def _properties(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _names(schema: Any, key: str) -> list[str]:
    found = schema.get(key) if isinstance(schema, dict) else None
    return [str(name) for name in found] if isinstance(found, list) else []


def _number(schema: Mapping[str, Any], key: str) -> float:
    value = schema.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _over(one: Mapping[str, Any], lower: str, other: Mapping[str, Any], upper: str) -> bool:
    return lower in one and upper in other and _number(one, lower) > _number(other, upper)


def _where(at: tuple[str, ...]) -> str:
    return ".".join(part for part in at if part) or "it"


def _list(types: frozenset[str]) -> str:
    return " or ".join(_NAMES[one] for one in sorted(types))
