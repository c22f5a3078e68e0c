"""The committed shapes of the wire: fields may be added with defaults, and nothing else may happen.

``python -m tests.contracts.test_schema_lock`` writes the lock anew, after the comparison allows it.
"""

import importlib
import json
import pkgutil
from enum import EnumType
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

import activities.contracts
from activities.contracts.base import WireModel
from workflows import contracts as workflow_contracts
from workflows import rewinds, sessions, stopped
from workflows.teams import agents, budget_spec, kinds, tree

LOCK = Path(__file__).with_name("schema_lock.json")
Shapes = dict[str, dict[str, dict[str, Any]]]


def wire_modules() -> list[ModuleType]:
    names = [info.name for info in pkgutil.iter_modules(activities.contracts.__path__, "activities.contracts.")]
    names += [info.name for info in pkgutil.iter_modules(kinds.__path__, "workflows.teams.kinds.")]
    return [
        workflow_contracts,
        rewinds,
        sessions,
        stopped,
        agents,
        budget_spec,
        tree,
        *map(importlib.import_module, names),
    ]


def current() -> Shapes:
    """Each wire model's fields: type as JSON Schema, whether it must be given, and its default."""
    models = {
        value
        for module in wire_modules()
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, WireModel) and value.__module__ == module.__name__
    }
    return {f"{model.__module__}.{model.__name__}": shape(model) for model in sorted(models, key=lambda m: m.__name__)}


def shape(model: type[BaseModel]) -> dict[str, dict[str, Any]]:
    schema = model.model_json_schema()
    required = set(schema.get("required", []))
    fields = schema.get("properties", {})
    return {
        name: {"type": strip(field), "required": name in required, "default": field.get("default")}
        for name, field in fields.items()
    }


def vocabularies() -> dict[str, list[str]]:
    """The words of each closed set that is on the wire."""
    found = {value for module in wire_modules() for value in vars(module).values() if isinstance(value, EnumType)}
    own = (value for value in found if value.__module__.startswith(("activities.contracts", "workflows.")))
    return {f"{value.__module__}.{value.__name__}": sorted(map(str, value.__members__.values())) for value in own}


def strip(value: Any) -> Any:
    """Types and bounds only: descriptions and titles may change freely. (The words of closed sets are locked apart.)"""
    if isinstance(value, dict):
        return {k: strip(v) for k, v in sorted(value.items()) if k not in {"description", "title", "default"}}
    return [strip(item) for item in value] if isinstance(value, list) else value


def breaks(locked: Shapes, now: Shapes) -> list[str]:
    """What a history or record written under the lock could not be read by."""
    found = []
    for model, fields in locked.items():
        if model not in now:
            found.append(f"{model} is gone")
            continue
        for name, field in fields.items():
            if name not in now[model]:
                found.append(f"{model}.{name} is gone")
            elif now[model][name]["type"] != field["type"]:
                found.append(f"{model}.{name} changed its type")
            elif now[model][name].get("default") != field.get("default"):
                found.append(f"{model}.{name} changed its default, which histories leave out")
            elif now[model][name]["required"] and not field["required"]:
                found.append(f"{model}.{name} became required")
        found += [
            f"{model}.{name} is new and has no default"
            for name, field in now[model].items()
            if name not in fields and field["required"]
        ]
    return found


def lost_words(locked: dict[str, list[str]], now: dict[str, list[str]]) -> list[str]:
    """Words that histories may hold and that nobody could read any more."""
    return [f"{name}: {word}" for name, words in locked.items() for word in words if word not in now.get(name, [])]


def whole() -> dict[str, Any]:
    return {"models": current(), "vocabularies": vocabularies()}


def test_no_contract_breaks() -> None:
    locked = json.loads(LOCK.read_text())
    assert breaks(locked["models"], current()) == []
    assert lost_words(locked["vocabularies"], vocabularies()) == []


def test_the_lock_is_up_to_date() -> None:
    assert json.loads(LOCK.read_text()) == whole(), "run python -m tests.contracts.test_schema_lock"


def test_the_lock_bites() -> None:
    locked: Shapes = {
        "m.A": {"x": {"type": {"type": "string"}, "required": True}, "y": {"type": {}, "required": False}}
    }
    assert breaks(locked, {}) == ["m.A is gone"]
    assert breaks(locked, {"m.A": {"x": locked["m.A"]["x"]}}) == ["m.A.y is gone"]
    retyped = {"x": {"type": {"type": "integer"}, "required": True}, "y": {"type": {}, "required": True}}
    assert breaks(locked, {"m.A": retyped}) == ["m.A.x changed its type", "m.A.y became required"]
    grown = {**locked["m.A"], "z": {"type": {}, "required": True}}
    assert breaks(locked, {"m.A": grown}) == ["m.A.z is new and has no default"]
    grown["z"]["required"] = False
    assert breaks(locked, {"m.A": grown}) == []
    other_default = {**locked["m.A"], "y": {**locked["m.A"]["y"], "default": 3}}
    assert breaks(locked, {"m.A": other_default}) == ["m.A.y changed its default, which histories leave out"]
    assert lost_words({"m.E": ["a", "b"]}, {"m.E": ["a", "c"]}) == ["m.E: b"]


if __name__ == "__main__":
    LOCK.write_text(json.dumps(whole(), indent=1, sort_keys=True) + "\n")
