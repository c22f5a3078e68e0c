"""A pipeline of agents that each say a line, for tests of handoffs."""

import json
from typing import Any

from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench
from tests.support.scripted import says
from workflows.teams.tree import TeamSpec

SEARCH = {"kind": "agent", "agent": "search", "key": "found"}


WRITE = {"kind": "agent", "agent": "write"}


def team(*stages: dict[str, Any], **changes: Any) -> TeamSpec:
    """A pipeline of the agents ``search`` and ``write``."""
    root = {"kind": "pipeline", "name": "line", "stages": stages}
    used = [name for name in ("search", "title", "write", "stand-in") if f'"agent": "{name}"' in json.dumps(root)]
    agents = {name: {"instructions": f"You {name}.", "tier": "small"} for name in used}
    for name, agent in changes.pop("agents", {}).items():
        agents[name] |= agent
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root, **changes}, extra="forbid")


def roles(**answers: str | ProviderAnswer) -> Any:
    """Each agent says its line."""

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        answer = answers[call.instructions.removeprefix("You ").removesuffix(".").replace("-", "_")]
        return says(answer) if isinstance(answer, str) else answer

    return script


def said_to(bench: Bench, agent: str) -> str:
    """What an agent was told first."""
    return next(c.messages[0].text for c in bench.provider.calls if c.instructions == f"You {agent}.")
