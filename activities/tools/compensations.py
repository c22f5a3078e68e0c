"""Compensations: which tool may undo the effect of which, and what it is given.

It is called with what the original call was called with, by the names of its parameters, and with the original's result
where it asks for ``result``. So whether it can be called is known when the tool is registered, long before it is needed.
"""

import json
from typing import Any

from pydantic import JsonValue

from activities.contracts.effects import Undo
from activities.contracts.profile import Effect, ToolSpec
from activities.errors import ConfigurationInvalid

RESULT = "result"
"""The parameter that gets the result of what is undone."""


def check_compensation(original: ToolSpec, undo: ToolSpec) -> None:
    """See that one tool can undo the effect of another.

    Raises:
        ConfigurationInvalid: one of them has no effect, or the original's call does not say all that is needed.
    """
    what = f"the tool {undo.name!r}, which compensates {original.name!r},"
    if original.effect is Effect.READ:
        raise ConfigurationInvalid(
            f"the tool {original.name!r} only reads, so there is nothing to compensate", fix="leave compensate out"
        )
    if undo.effect is Effect.READ:
        raise ConfigurationInvalid(f"{what} only reads", fix="declare it idempotent or once, as it changes something")
    if undo.name == original.name:
        raise ConfigurationInvalid(f"the tool {undo.name!r} compensates itself", fix="name the tool that undoes it")
    given, needed = _properties(original), _properties(undo)
    for name in needed:
        if name == RESULT:
            continue
        if name not in given and name in _required(undo):
            raise ConfigurationInvalid(
                f"{what} needs {name!r}, which the original call does not say",
                fix=f"give it parameters of {original.name!r} ({', '.join(given) or 'it has none'}), result, or defaults",
            )
        if name in given and _type(given[name]) and _type(needed[name]) not in {None, _type(given[name])}:
            raise ConfigurationInvalid(
                f"{what} takes {name!r} as {_type(needed[name])}, and the original call says {_type(given[name])}",
                fix="give both parameters the same type",
            )


def arguments_of(undo: ToolSpec, told: Undo) -> str:
    """The arguments of a compensating call, as JSON."""
    given: dict[str, JsonValue] = {**json.loads(told.arguments or "{}"), RESULT: told.result}
    return json.dumps({name: given[name] for name in _properties(undo) if name in given}, ensure_ascii=False)


def _properties(spec: ToolSpec) -> dict[str, Any]:
    found = spec.parameters.get("properties")
    return dict(found) if isinstance(found, dict) else {}


def _required(spec: ToolSpec) -> tuple[str, ...]:
    found = spec.parameters.get("required")
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _type(schema: Any) -> str | None:
    found = schema.get("type") if isinstance(schema, dict) else None
    return found if isinstance(found, str) else None
