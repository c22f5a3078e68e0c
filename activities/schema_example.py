"""A small value that is like what a JSON Schema wants, for whoever has to write one and reads no schemas."""

import json

from pydantic import JsonValue

from activities.contracts.base import Schema

MAX_LEVELS = 6
"""Levels that an example shows; below, and in a schema that refers to itself, it says nothing."""
MAX_VALUES = 100
"""Values that are made for one example: more would not be shown."""
MAX_EXAMPLE = 400
"""Characters of an example that help; a longer one is not given."""
MAX_NAMED = 12
"""Words of one choice that are listed."""


def example(schema: Schema, said: str = "") -> str:
    """An example as JSON; empty where it would be too long to help.

    Args:
        schema: what is wanted.
        said: what somebody has written in its place; it stands where it is one of the words to choose from.
    """
    text = json.dumps(_Example(schema, said).value(schema, 0), ensure_ascii=False)
    return text if len(text) <= MAX_EXAMPLE else ""


def choices(schema: Schema) -> list[str]:
    """What the words of each property may be, a line each: an example shows only one."""
    found, wanted = list[str](), schema.get("properties")
    for name, part in wanted.items() if isinstance(wanted, dict) else ():
        words = part.get("enum") if isinstance(part, dict) else None
        if isinstance(words, list) and len(words) > 1:
            more = f" and {len(words) - MAX_NAMED} more" if len(words) > MAX_NAMED else ""
            found.append(f"{name} is one of {', '.join(map(str, words[:MAX_NAMED]))}{more}")
    return found


class _Example:
    def __init__(self, root: Schema, said: str) -> None:
        self._root, self._said, self._shown = root, said, 0

    def value(self, schema: JsonValue, level: int) -> JsonValue:
        self._shown += 1
        if not isinstance(schema, dict) or level > MAX_LEVELS or self._shown > MAX_VALUES:
            return None
        if isinstance(reference := schema.get("$ref"), str):
            return self.value(self._lookup(reference), level + 1)
        for either in ("anyOf", "oneOf"):
            if isinstance(branches := schema.get(either), list) and branches:
                return self.value(branches[0], level + 1)
        if "const" in schema:
            return schema["const"]
        if isinstance(words := schema.get("enum"), list) and words:
            return self._said if self._said in words else words[0]
        kind = schema.get("type")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        return self._of_kind(kind or ("object" if "properties" in schema else "string"), schema, level)

    def _of_kind(self, kind: JsonValue, schema: dict[str, JsonValue], level: int) -> JsonValue:
        match kind:
            case "object":
                properties, required = schema.get("properties"), schema.get("required")
                known = properties if isinstance(properties, dict) else {}
                names = [str(name) for name in required] if isinstance(required, list) and required else list(known)
                return {name: self.value(known.get(name, {}), level + 1) for name in names}
            case "array":
                least = schema.get("minItems")
                count = least if isinstance(least, int) and 1 < least <= MAX_LEVELS else 1
                return [self.value(schema.get("items", {}), level + 1)] * count
            case "number" | "integer":
                above = schema.get("exclusiveMinimum")
                return above + 1 if isinstance(above, int | float) else schema.get("minimum", 0)
            case "boolean":
                return True
            case "null":
                return None
        return "..."

    def _lookup(self, reference: str) -> JsonValue:
        """What a reference into the same schema leads to; nothing where it leads nowhere."""
        found: JsonValue = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
        return found
