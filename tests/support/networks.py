"""Networks for tests: peers that are agents, and a model that plays each by a function of the event that it gets."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench
from tests.support.scripted import Script, says_json
from workers.runs import RunHandle
from workflows.contracts import RunResult
from workflows.teams.tree import TeamSpec

LIMITS = {"model_calls": 4, "turns": 3, "tool_calls": 2}
_EVENT = re.compile(
    r"^Event: (\S+)\n\nIt is from (\S+?)(?: to you alone)?, and has the event_id (\S+?)\. ", re.MULTILINE
)


@dataclass(frozen=True)
class Got:
    """What a peer is told."""

    event_type: str
    """``question`` where it is asked one."""
    sender: str
    event_id: str
    payload: Any
    answer: str
    """What it is told in its last message, where that is on a question of its own."""
    messages: int


Peer = Callable[[Got], Any]
"""What it answers, or awaits to that."""


def sends(*events: str | dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer: event types, or whole events; ``ask`` and ``answer``."""
    return {"events": [{"event_type": one} if isinstance(one, str) else one for one in events], **more}


def event(event_type: str, payload: Any = None, **more: Any) -> dict[str, Any]:
    return {"event_type": event_type, "payload": payload, **more}


def asks(to: str, question: str) -> dict[str, Any]:
    return {"ask": {"to": to, "question": question}}


def played(**peers: Peer) -> Script:
    """A model that plays these agents."""

    async def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        said = peers[name_of(call)](got(call))
        return says_json(await said if hasattr(said, "__await__") else said)

    return script


def name_of(call: ProviderCall) -> str:
    return call.instructions.removeprefix("You are ").split(".")[0]


def got(call: ProviderCall) -> Got:
    users = [message.text for message in call.messages if message.role == "user"]
    kind = _EVENT.search(users[0])
    asker = re.search(r"^(\S+) asks you a question", users[0], re.MULTILINE)
    given = users[0].rpartition("Input:\n")[2] if "Input:\n" in users[0] else "null"
    return Got(
        event_type=kind[1] if kind else "question",
        sender=kind[2] if kind else asker[1] if asker else "",
        event_id=kind[3] if kind else "",
        payload=_value(given),
        answer=users[-1] if len(users) > 1 else "",
        messages=len(users),
    )


def network(
    peers: dict[str, Any], *, wrap: Callable[[dict[str, Any]], dict[str, Any]] | None = None, **node: Any
) -> TeamSpec:
    """A team of one network. A peer is the topics that it hears of, or what its file says; without a node it is the agent
    of its name."""
    specs: dict[str, Any] = {}
    for name, spec in peers.items():
        whole = {"subscribes": spec} if isinstance(spec, list) else spec
        specs[name] = {"node": {"kind": "agent", "agent": name}, **whole}
    named = [spec["node"]["agent"] for spec in specs.values() if spec["node"].get("kind") == "agent"]
    named += node.pop("agents", ())
    root = {"kind": "network", "name": "net", "peers": specs, **node}
    agents = {name: {"instructions": f"You are {name}.", "limits": LIMITS} for name in named}
    return TeamSpec.model_validate(
        {"team": "t", "agents": agents, "root": wrap(root) if wrap else root}, extra="forbid"
    )


def steps(result: RunResult) -> set[str]:
    return {step.step for step in result.steps}


async def until_closed(bench: Bench, handle: RunHandle) -> None:
    """Nothing of the run is open; visibility follows."""
    query = f'WorkflowId STARTS_WITH "{handle.id}" AND ExecutionStatus = "Running"'
    async with asyncio.timeout(10):
        while (await bench.deployment.client.count_workflows(query)).count:
            await asyncio.sleep(0.05)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
