"""A small hierarchy for tests, and a model that plays all its parts: two areas, two jobs in each."""

from typing import Any

from activities.providers.base import ProviderAnswer, ProviderCall
from tests.support.scripted import says, says_json
from workflows.teams.tree import TeamSpec


def hierarchy(
    *, tiers: list[dict[str, Any]] | None = None, agents: dict[str, Any] | None = None, **node: Any
) -> TeamSpec:
    """A director, managers and workers."""
    tiers = tiers or [
        {"name": "top", "planner": "director", "summary": {"kind": "agent", "agent": "chronicler"}},
        {"name": "area", "planner": "manager", "summary": {"kind": "agent", "agent": "reporter"}, "description": "Takes an area."},
    ]  # fmt: skip
    names = {tier["planner"] for tier in tiers} | {"chronicler", "reporter", "worker"}
    limits = {"model_calls": 4, "tool_calls": 2, "turns": 3}
    known = {name: {"instructions": f"You are the {name}.", "limits": limits} for name in sorted(names)}
    root = {"kind": "hierarchy", "tiers": tiers, "workers": {"digger": {"node": {"kind": "agent", "agent": "worker"}}}}
    return TeamSpec.model_validate(
        {"team": "t", "agents": {**known, **(agents or {})}, "root": {**root, **node}}, extra="forbid"
    )


def role(call: ProviderCall) -> str:
    return call.instructions.removeprefix("You are the ").partition(".")[0]


def prompt(call: ProviderCall) -> str:
    """What it was told first."""
    return call.messages[0].text


def played(call: ProviderCall, index: int = 0) -> ProviderAnswer:
    """Everybody does its part: two areas, two jobs in each."""
    del index
    match role(call):
        case "director":
            return says_json(
                {"subtasks": [{"type": "area", "task": f"take the {side} side"} for side in ("north", "south")]}
            )
        case "manager":
            side = "north" if "north" in prompt(call) else "south"
            return says_json({"subtasks": [{"type": "digger", "task": f"dig {side} {n}"} for n in (1, 2)]})
        case "worker":
            return says(f"dug: {prompt(call).partition(chr(10))[0]}")
        case "reporter":
            return says(
                f"report of {prompt(call).count('dug: dig north')} north and {prompt(call).count('dug: dig south')} south"
            )
    return says(f"chronicle: {prompt(call).count('report of')} reports")
