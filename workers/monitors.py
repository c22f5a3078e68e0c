"""What monitors need to know of tools at admission: what a tool fills in where an argument is not given."""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from activities.contracts.profile import AgentProfile, ToolSpec
from workflows.contracts import NodePlan
from workflows.teams.tree import MonitorNode, TeamSpec, walk


def with_defaults(
    team: TeamSpec, profiles: Mapping[str, AgentProfile], plans: Mapping[str, NodePlan]
) -> dict[str, NodePlan]:
    """The plans with the defaults of the arguments that any monitor of the team looks at."""
    rules = [rule for node in walk(team.root) if isinstance(node, MonitorNode) for rule in node.rules]
    names = {name for rule in rules for name in (*rule.arguments, *rule.limit)}
    found = {
        name: {spec.name: given for spec in profile.tools if (given := _defaults(spec, names))}
        for name, profile in profiles.items()
    }
    return {name: plan.model_copy(update={"defaults": found.get(name, {})}) for name, plan in plans.items()}


def _defaults(spec: ToolSpec, names: set[str]) -> dict[str, JsonValue]:
    properties: Any = spec.parameters.get("properties")
    if not isinstance(properties, dict):
        return {}
    return {
        name: given["default"]
        for name, given in properties.items()
        if name in names and isinstance(given, dict) and "default" in given
    }
