"""The JSON Schema of a team file, for editors: they complete, explain and check what is written, as the reader does."""

import json
from typing import Any

from pydantic import JsonValue

from workflows.teams.tree import TeamSpec

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def team_schema() -> dict[str, JsonValue]:
    """The schema: closed (unknown fields are errors), each kind of node told by its ``kind``."""
    schema: dict[str, Any] = TeamSpec.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": DRAFT, **_closed(schema), "title": "A team file of Ostinato"}


def schema_text() -> str:
    """The schema as a file: the same bytes at every call."""
    return json.dumps(team_schema(), indent=1, ensure_ascii=False) + "\n"


def _closed(part: Any) -> Any:
    """A part of pydantic's schema with what the reader insists on besides."""
    if isinstance(part, list):
        return [_closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {name: _closed(value) for name, value in part.items() if not _is_noise(name, value)}
    if isinstance(kept.get("description"), str):
        kept["description"] = " ".join(kept["description"].replace("``", "`").split())
    if kept.get("type") == "object" and ("properties" in kept or "patternProperties" in kept):
        kept.setdefault("additionalProperties", False)
    if discriminator := part.get("discriminator"):
        # A default makes the kind optional to pydantic's schema, but the reader has to be told which one it is.
        kind = discriminator["propertyName"]
        kept["oneOf"] = [{**member, "required": [kind]} for member in kept["oneOf"]]
    return kept


def _is_noise(name: str, value: Any) -> bool:
    """OpenAPI's word, and titles that only repeat names; a property of that name is a schema itself."""
    return (name == "discriminator" and "propertyName" in value) or (name == "title" and isinstance(value, str))
