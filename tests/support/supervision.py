"""Small supervisors for tests, and models that play their parts."""

from typing import Any

from activities.providers.base import ProviderAnswer, ProviderCall
from tests.support.scripted import says, says_json
from workflows.teams.agents import AgentLimits
from workflows.teams.tree import TeamSpec

RESULT = {
    "type": "object",
    "required": ["subtask_id", "answer"],
    "properties": {"subtask_id": {"type": "string"}, "answer": {"type": "string"}},
}


def team(**supervisor: Any) -> TeamSpec:
    """A supervisor with the worker types ``a`` and ``b`` and a writer."""
    root = {
        "kind": "supervisor",
        "workers": {"a": {"node": {"agent": "a"}}, "b": {"node": {"agent": "b"}}},
        "synthesis": {"kind": "agent", "agent": "writer"},
        **supervisor,
    }
    for worker in root["workers"].values():
        worker["node"].setdefault("kind", "agent")
    agent = {"tier": "small", "output": {"schema": RESULT}, "limits": {"model_calls": 4, "tool_calls": 2}}
    agents = {
        "a": {**agent, "instructions": "You are a."},
        "b": {**agent, "instructions": "You are b."},
        "writer": {"instructions": "You write."},
        "boss": {"instructions": "You plan."},
    }
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")


def prompt(call: ProviderCall) -> str:
    return call.messages[-1].text


def subtask_id(call: ProviderCall) -> str:
    return next(m.text for m in call.messages if "This is subtask" in m.text).split("This is subtask ")[1].split(" ")[0]


def obedient(call: ProviderCall, index: int) -> ProviderAnswer:
    """Does what each role is asked for."""
    if "plan" in call.instructions:
        return says_json({"subtasks": [{"type": "a", "task": "one"}, {"type": "b", "task": "two"}]})
    if "write" in call.instructions:
        return says(f"whole of {prompt(call).count('complete')}")
    return says_json({"subtask_id": subtask_id(call), "answer": f"{call.instructions} {index}"})


def growing(call: ProviderCall, index: int) -> ProviderAnswer:
    """Plans two rounds, of a worker each time."""
    if "plan" not in call.instructions:
        return obedient(call, index)
    rounds = sum("results so far" in message.text for message in call.messages)
    return says_json({"subtasks": [{"type": "b", "task": f"round {rounds + 1}"}] if rounds < 2 else []})


SUBTASKS = [{"type": "a", "task": "one"}, {"type": "b", "task": "two"}]


def failing(*names: str) -> Any:
    """The agents of these names answer what fits no contract."""

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        return says("no JSON") if any(call.instructions == f"You are {n}." for n in names) else obedient(call, index)

    return script


A, B = {"node": {"agent": "a"}}, {"node": {"agent": "b"}}
CALL_A = {"node": {"kind": "call", "name": "mail", "tool": "send_mail", "arguments": {"to": "$task"}}}


def spacious(spec: TeamSpec) -> TeamSpec:
    """With an agent whose bounds make it a workflow of its own."""
    agent = spec.agents["a"].model_copy(update={"limits": AgentLimits(model_calls=500)})
    return spec.model_copy(update={"agents": {**spec.agents, "a": agent}})
