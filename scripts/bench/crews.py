"""Supervisors for the bench, and what the model says in each of their roles.

A *crew* of ``workers`` equal workers, each with one subtask. Bare, its subtasks are the team's own and its output is the
list of results: the smallest fan-out there is. Coordinated, a planner lays the subtasks out, each worker reads a text
before it answers, and the whole is written, reviewed and let through a gate: one of everything that a supervisor can have.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import JsonValue

from activities.contracts.messages import AssistantMessage, estimate_tokens
from activities.providers.base import ProviderAnswer, ProviderCall
from scripts.bench.scripted import TEXT_BYTES, UNBOUNDED, asks_for_text, says
from scripts.bench.tools import make_text
from workflows.teams.tree import TeamSpec

WORKER = "w"
DOCUMENT_BYTES = 2_000
"""What each coordinated worker reads."""
ANSWER_BYTES = 800
"""What each coordinated role writes: a long paragraph."""
SMALL, LARGE = "openai:bench-small", "openai:bench-large"
PRICES = {SMALL: {"input": 0.5, "output": 2.0}, LARGE: {"input": 2.5, "output": 10.0}}
"""US dollars for a million tokens: coordination is done by a model of five times the workers' price."""
_ENOUGH_FOR_A_CHILD = 200
"""Model calls that an agent may make so that its bounds do not fit into its pattern's history."""


@dataclass(frozen=True)
class Crew:
    """One kind of run: a supervisor of so many workers."""

    workers: int
    coordinated: bool = False
    children: bool = False
    """Each worker is a workflow of its own."""
    delay_seconds: float = 0.0
    at_once: int = 0

    @property
    def goal(self) -> str:
        """A short one."""
        return make_text("goal", TEXT_BYTES)

    @property
    def phases(self) -> Sequence[str]:
        """Plan, work, writing, review, gate."""
        return ("plan", r"s\d", "synthesis", "review", "gate") if self.coordinated else (r"s\d",)

    def called(self, output: JsonValue) -> tuple[JsonValue, JsonValue]:
        """The gate."""
        return {"draft": output}, {"accepted": True, "problems": [], "output": output}

    @property
    def provider(self) -> str:
        """A priced one where the share of the cost is asked for."""
        return "openai" if self.coordinated else "offline"

    def team(self) -> TeamSpec:
        """The supervisor and its agents."""
        calls = _ENOUGH_FOR_A_CHILD if self.children else 4
        limits = {"model_calls": calls, "tool_calls": 2, "tokens": UNBOUNDED, "context_tokens": UNBOUNDED}
        worker: dict[str, Any] = {"instructions": "You work.", "tier": "small", "limits": limits}
        node = {"kind": "agent", "agent": WORKER}
        root: dict[str, Any] = {"kind": "supervisor", "workers": {WORKER: {"node": node, "attempts": 1}}}
        root |= {"max_parallel": min(32, self.workers), "max_subtasks": self.workers}
        agents = {WORKER: worker}
        if self.coordinated:
            worker["tools"] = ["fetch_text"]
            names = {"planner": "plan", "writer": "write", "critic": "review"}
            agents |= {
                name: {"instructions": f"You {verb}.", "tier": "frontier", "limits": limits}
                for name, verb in names.items()
            }
            root |= {"planner": "planner", "synthesis": {"kind": "agent", "agent": "writer"}}
            root["review"] = {"kind": "agent", "agent": "critic"}
            root["gate"] = {"kind": "call", "name": "gate", "tool": "let_through", "arguments": {"draft": "$draft"}}
        else:
            root["subtasks"] = self._subtasks()
        return TeamSpec.model_validate({"team": "bench", "agents": agents, "root": root}, extra="forbid")

    def answer(self, call: ProviderCall) -> ProviderAnswer:
        """What the role says, with the tokens that a provider would count."""
        if "work" in call.instructions and self.coordinated and not _has_answered(call):
            given = asks_for_text("c1", "a document".ljust(100, "."), DOCUMENT_BYTES)
            written = estimate_tokens(given.tool_calls[0].arguments)
        else:
            given = says(self._text(call.instructions))
            written = estimate_tokens(given.text)
        return replace(given, input_tokens=_prompt_tokens(call), output_tokens=written)

    def _text(self, instructions: str) -> str:
        if "plan" in instructions:
            return json.dumps({"subtasks": self._subtasks()})
        return "x" * (ANSWER_BYTES if self.coordinated else TEXT_BYTES)

    def _subtasks(self) -> list[dict[str, str]]:
        return [{"type": WORKER, "task": f"part {number:02} ".ljust(100, ".")} for number in range(1, self.workers + 1)]


def _has_answered(call: ProviderCall) -> bool:
    return any(isinstance(message, AssistantMessage) for message in call.messages)


def _prompt_tokens(call: ProviderCall) -> int:
    said = [call.instructions, *(message.text for message in call.messages)]
    tools = [json.dumps(tool.parameters) for tool in call.tools]
    schema = [json.dumps(call.output_schema)] if call.output_schema else []
    return sum(map(estimate_tokens, [*said, *tools, *schema]))
