"""Any JSON Schema filled from evidence: names say what belongs where, types and bounds say what is allowed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from activities.contracts.base import Schema
from activities.outputs import schema_validator
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_values import Slot, booleans, labels, numbers, strings

MAX_DEPTH = 12
"""Levels of nesting that are filled; a schema that refers to itself ends there."""
MAX_FILLED = 50
"""Entries of one array that ``minItems`` can make us write without evidence for each."""


@dataclass(frozen=True)
class Material:
    """What there is to fill a schema with."""

    question: str
    subject: str
    evidence: tuple[Evidence, ...]
    subtask_id: str = ""
    said: str = ""
    """A worker's task, where it has nothing to find documents with: its free text is written in these words."""
    told: Mapping[str, str] = field(default_factory=dict)
    """What the instructions say of labels, where they describe them."""
    given: str = ""
    """What is to be labelled, where that is not the whole message."""


def fill(schema: Schema, material: Material) -> Any:
    """A value that fits the schema. Without evidence: empty, false, null, or the words ``not in these documents``.

    Where a schema uses what is not supported here (patterns that no text of the evidence has, ``if``, ``not``), the
    closest value is returned: the caller checks every answer, and this one is then reported as what it is.
    """
    filler = _Filler(schema, material)
    return filler.value(
        schema,
        Slot(
            "",
            "",
            material.question,
            material.subject,
            material.evidence,
            subtask_id=material.subtask_id,
            said=material.said,
            told=material.told,
            given=material.given,
        ),
        0,
    )


class _Filler:
    def __init__(self, schema: Schema, material: Material) -> None:
        self._root = schema
        self._material = material
        self._validator = schema_validator(schema)

    def value(self, schema: Any, slot: Slot, depth: int) -> Any:
        """The first candidate that fits, else the first at all."""
        first: list[Any] = []
        for candidate in self._candidates(schema, slot, depth):
            if self._is_valid(schema, candidate):
                return candidate
            if not first:
                first.append(candidate)
        return first[0] if first else None

    def _candidates(self, schema: Any, slot: Slot, depth: int) -> Iterator[Any]:
        if not isinstance(schema, dict):
            yield from strings({}, slot)
            return
        schema = self._resolved(schema)
        slot = replace(slot, description=str(schema.get("description") or slot.description))
        branches = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(branches, list) and branches:
            # Past the bound only what ends: a null or a plain value, before what refers to the schema itself.
            for branch in sorted(branches, key=lambda branch: self._preference(branch, slot, depth)):
                yield self.value(self._merged(schema, branch), slot, depth + 1)
            return
        if "const" in schema:
            yield schema["const"]
        elif isinstance(schema.get("enum"), list):
            yield from labels(schema["enum"], slot)
        else:
            for kind in self._kinds(schema, slot):
                yield from self._of_kind(kind, schema, slot, depth)

    def _of_kind(self, kind: str, schema: dict[str, Any], slot: Slot, depth: int) -> Iterator[Any]:
        if kind == "object":
            yield self._object(schema, slot, depth)
            yield self._object({**schema, "required": list(schema.get("properties", {}))}, slot, depth)
        elif kind == "array":
            yield from self._arrays(schema, slot, depth)
        elif kind == "string":
            yield from strings(schema, slot)
        elif kind in {"number", "integer"}:
            yield from numbers(schema, slot, whole=kind == "integer")
        elif kind == "boolean":
            yield from booleans(slot)
        else:
            yield None

    def _object(self, schema: dict[str, Any], slot: Slot, depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        required = [name for name in schema.get("required", ()) if isinstance(name, str)]
        siblings = frozenset(properties)
        filled: dict[str, Any] = {}
        names = [*properties, *(name for name in required if name not in properties)]
        # A reason speaks of the label beside it, wherever it stands.
        for name in sorted(names, key=lambda name: not _is_label(properties.get(name))) if slot.said else names:
            part = properties.get(name, schema.get("additionalProperties", {}))
            chosen = tuple(str(value) for key, value in filled.items() if _is_label(properties.get(key)))
            inner = replace(slot, name=name, description="", siblings=siblings, labels=chosen)
            if name in required or (depth < MAX_DEPTH // 2 and self._is_wanted(part, inner)):
                value = self.value(part, inner, depth + 1) if depth < MAX_DEPTH else None
                if name in required or self._is_valid(part, value):
                    filled[name] = value
        extra = schema.get("additionalProperties", {})
        for number in range(1, min(int(schema.get("minProperties", 0)), MAX_FILLED) + 1):
            if len(filled) >= int(schema.get("minProperties", 0)):
                break
            filled.setdefault(f"item{number}", self.value(extra, replace(slot, name="item"), depth + 1))
        return {name: filled.pop(name) for name in names if name in filled} | filled

    def _is_wanted(self, schema: Any, slot: Slot) -> bool:
        """Optional parts need evidence, but for what says that there is none; and they end what refers to itself."""
        says_nothing = isinstance(schema, dict) and schema.get("type") in ("boolean", "array")
        return (bool(slot.evidence) or says_nothing) and not self._refers(schema)

    def _arrays(self, schema: dict[str, Any], slot: Slot, depth: int) -> Iterator[list[Any]]:
        items = schema.get("items", {})
        items = self._resolved(items) if isinstance(items, dict) else items
        least = int(schema.get("minItems", 0))
        most = int(schema.get("maxItems", MAX_FILLED))
        slot = replace(slot, name=slot.name.removesuffix("s"))
        named = items.get("properties", {}) if isinstance(items, dict) else {}
        evidence = slot.evidence
        if "source" in named or "citation" in named:
            evidence = tuple(item for item in evidence if item.cited)
        if slot.is_absence:
            evidence = ()
        head = [self.value(part, slot, depth + 1) for part in schema.get("prefixItems", ())[:most]]
        values = [] if depth >= MAX_DEPTH or items is False else self._entries(items, slot, evidence, depth)
        for value in self._padding(items, slot, least, depth):
            if len(head) + len(values) >= least:
                break
            values.append(value)
        if schema.get("uniqueItems"):
            values = [value for at, value in enumerate(values) if not any(_same(value, other) for other in values[:at])]
        yield (head + values)[:most]
        yield (head + values)[: max(least, 0)]

    def _entries(self, items: Any, slot: Slot, evidence: tuple[Evidence, ...], depth: int) -> list[Any]:
        """One entry for each piece of evidence, those that fit."""
        if isinstance(items, dict) and "enum" in items:
            one = self.value(items, slot, depth + 1)
            return [one] if evidence and self._is_valid(items, one) else []
        made = [self.value(items, replace(slot, evidence=(item,)), depth + 1) for item in evidence]
        kept: list[Any] = []
        for value in made:
            if self._is_valid(items, value) and not any(_same(value, other) for other in kept):
                kept.append(value)
        return kept

    def _padding(self, items: Any, slot: Slot, least: int, depth: int) -> Iterator[Any]:
        """Entries that only ``minItems`` asks for; distinct where the schema leaves room."""
        if not least or depth >= MAX_DEPTH:
            return
        choices: list[Any] = list(self._candidates(items, replace(slot, evidence=()), depth + 1))
        if isinstance(items, dict) and isinstance(items.get("enum"), list):
            choices += items["enum"]
        yield from (choice for choice in choices if self._is_valid(items, choice))
        for number in range(MAX_FILLED + 1):
            varied = replace(slot, evidence=(), variant=number)
            yield self.value(items, varied, depth + 1)

    def _kinds(self, schema: dict[str, Any], slot: Slot) -> list[str]:
        kinds = schema.get("type")
        if isinstance(kinds, str):
            return [kinds]
        if isinstance(kinds, list) and kinds:
            return sorted(kinds, key=lambda kind: (kind == "null") == bool(slot.evidence))
        for kind, words in _SIGNS.items():
            if any(word in schema for word in words):
                return [kind, "string", "null"]
        return ["string", "null", "object", "array", "integer", "boolean"]

    def _preference(self, branch: Any, slot: Slot, depth: int) -> tuple[bool, bool]:
        null = isinstance(branch, dict) and (
            branch.get("type") == "null" or ("const" in branch and branch["const"] is None)
        )
        return (depth >= MAX_DEPTH // 2 and self._refers(branch), null == bool(slot.evidence))

    def _refers(self, schema: Any) -> bool:
        """Whether a schema refers to the root, or to a definition that refers on: it may never end."""
        if not isinstance(schema, dict) or "$ref" not in schema:
            return False
        return schema["$ref"] == "#" or '"$ref"' in str(self._resolved(schema)).replace("'", '"')

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """References followed and ``allOf`` merged, a bounded number of times."""
        for _ in range(MAX_DEPTH):
            parts: list[Any] = list(schema.get("allOf", ()))
            if isinstance(schema.get("$ref"), str):
                parts.append(self._target(schema["$ref"]))
            if not parts:
                return schema
            schema = {key: value for key, value in schema.items() if key not in {"allOf", "$ref"}}
            for part in parts:
                schema = self._merged(schema, part)
        return schema

    def _target(self, reference: str) -> Any:
        value: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            value = value.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(value, dict) else {}
        return value

    def _merged(self, schema: dict[str, Any], branch: Any) -> dict[str, Any]:
        """A schema and one more that holds too; the branch's own words win."""
        base = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf"}}
        if not isinstance(branch, dict):
            return base
        merged = {**base, **branch}
        for key in ("properties", "$defs"):
            if key in base and key in branch:
                merged[key] = {**base[key], **branch[key]}
        if "required" in base and "required" in branch:
            merged["required"] = [*base["required"], *branch["required"]]
        return merged

    def _is_valid(self, schema: Any, value: Any) -> bool:
        return bool(self._validator.evolve(schema=schema).is_valid(value))


_SIGNS = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "contains"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


def _is_label(schema: Any) -> bool:
    return isinstance(schema, dict) and isinstance(schema.get("enum"), list)


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)
