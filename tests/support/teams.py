"""Small teams for tests."""

from typing import Any

from workflows.teams.tree import TeamSpec

ANSWER = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}


def one_agent(team: str = "t", **agent: Any) -> TeamSpec:
    """A team of one agent ``a``."""
    spec = {"instructions": "Do it.", "tier": "small", **agent}
    return TeamSpec.model_validate(
        {"team": team, "agents": {"a": spec}, "root": {"kind": "agent", "agent": "a"}}, extra="forbid"
    )


def one_call(tool: str, arguments: dict[str, Any]) -> TeamSpec:
    """A team of one call."""
    return TeamSpec.model_validate({"team": "t", "root": {"kind": "call", "tool": tool, "arguments": arguments}})
