"""Fan-outs for tests: the nodes of a team, and a model whose agents are slow, late or bad by name."""

import asyncio
import json
import re
from collections import Counter
from typing import Any

from temporalio.api.enums.v1 import EventType

from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench
from tests.support.scripted import says
from workers.runs import RunHandle
from workflows.contracts import RunResult
from workflows.teams.tree import TeamSpec

Node = dict[str, Any]


LIMITS = {"model_calls": 3, "tool_calls": 0, "turns": 3}


def agent(name: str, **node: Any) -> Node:
    return {"kind": "agent", "agent": name, **node}


def call(tool: str, name: str, /, **arguments: Any) -> Node:
    return {"kind": "call", "tool": tool, "name": name, "arguments": arguments}


def fan(**fields: Any) -> Node:
    return {"kind": "fan_out", "name": "fan", **fields}


def line(*stages: Node, name: str = "line") -> Node:
    return {"kind": "pipeline", "name": name, "stages": list(stages)}


def team(root: Node, output: dict[str, Any] | None = None, **fields: Any) -> TeamSpec:
    """A team of this tree, with all agents that it names."""
    found = set(re.findall(r'"agent": "(\w+)"', json.dumps(root)))
    agents = {name: {"instructions": f"You are {name}.", "tier": "small", "limits": LIMITS} for name in found}
    for name, contract in (output or {}).items():
        agents[name]["output"] = {"schema": contract}
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root, **fields}, extra="forbid")


def listed(items: Any, *stages: Node) -> Node:
    """A pipeline that begins with this list."""
    return line(call("echo", "source", text=json.dumps(items)), *stages)


def name_of(asked: ProviderCall) -> str:
    return asked.instructions.removeprefix("You are ").split(".")[0]


def input_of(asked: ProviderCall) -> str:
    return asked.messages[-1].text.partition("Input:")[2].strip()


class Model:
    """Agents by name: ``bad...`` fail, ``slow...`` take for ever, ``late...`` a moment,
    ``after...`` until others are well on their way; the others say what they were given."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.at_work = self.most = 0
        self.slow = asyncio.Event()

    async def __call__(self, asked: ProviderCall, _: int) -> ProviderAnswer:
        name = name_of(asked)
        self.asked[name] += 1
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            await self._work(name)
        finally:
            self.at_work -= 1
        self.answered[name] += 1
        return says(f"{name}: {asked.messages[-1].text if name.startswith('line') else input_of(asked)}")

    async def _work(self, name: str) -> None:
        if name.startswith("bad"):
            raise AuthenticationFailed("no key", fix="set one")
        if name.startswith("slow"):
            self.slow.set()
            await asyncio.sleep(60)
        if name.startswith("after"):
            while not self.answered["quick"] or not self.slow.is_set():
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.4 if "late" in name else 0.02)


def text_of(result: RunResult) -> str:
    return json.dumps(result.output, ensure_ascii=False)


async def together(*runs: Any) -> list[RunResult]:
    return list(await asyncio.gather(*runs))


async def events_of(handle: RunHandle) -> Counter[str]:
    """The events of a run, by type."""
    history = await handle.fetch_history()
    return Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history.events)


async def still_open(bench: Bench, handle: RunHandle) -> int:
    """Executions of a run that are open when visibility has had its time."""
    query = f'WorkflowId STARTS_WITH "{handle.id}" AND ExecutionStatus = "Running"'
    for _ in range(100):
        if not (count := (await bench.deployment.client.count_workflows(query)).count):
            return 0
        await asyncio.sleep(0.05)
    return count
