"""Runs that go on from other runs, for tests: a pipeline of agents and calls, and the way back without a command."""

from typing import Any

from activities.providers.base import ProviderAnswer, ProviderCall
from tests.support.scripted import calls, says
from workers.checkpoints import read_origin
from workers.deployment import Deployment
from workers.rewinding import Order, close_tree, find_way, go_on
from workers.runs import RunHandle, read_result
from workflows.contracts import RunInput, RunResult
from workflows.teams.tree import PipelineNode, TeamSpec


def stages(*names: str, tools: dict[str, list[str]] | None = None, **root: Any) -> TeamSpec:
    """A pipeline ``flow`` of agents, each an inline step; an agent's instructions are its name."""
    agents = {
        name: {
            "instructions": name,
            "tier": "small",
            "tools": (tools or {}).get(name, []),
            "limits": {"model_calls": 6},
        }
        for name in names
    }
    flow = {"kind": "pipeline", "name": "flow", "stages": [{"kind": "agent", "agent": name} for name in names]}
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": {**flow, **root}})


def parts(team: TeamSpec) -> list[Any]:
    """The stages of a pipeline as a file would have them."""
    assert isinstance(team.root, PipelineNode)
    return [stage.model_dump() for stage in team.root.stages]


def echoing(call: ProviderCall, index: int) -> ProviderAnswer:
    """Every agent says its name and the last line that it was given, so what is changed upstream is seen downstream."""
    del index
    return says(f"{call.instructions}({call.messages[-1].text.splitlines()[-1][-60:]})")


def mailing(call: ProviderCall, index: int) -> ProviderAnswer:
    """The same, but who may mail does so first."""
    if any(tool.name == "send_mail" for tool in call.tools) and not any(m.role == "tool" for m in call.messages):
        return calls(("send_mail", {"to": call.instructions}))
    return echoing(call, index)


async def started(deployment: Deployment, run_id: str, order: Order) -> tuple[RunInput, RunHandle]:
    """The run that goes on, as the commands start it."""
    origin = await read_origin(deployment.client, run_id)
    way = find_way(origin, order)
    if order.kind != "fork":
        await close_tree(deployment.client, run_id, origin.execution)
        if origin.is_open:
            way = find_way(await read_origin(deployment.client, run_id), order)
    return await go_on(deployment, way)


async def gone_on(deployment: Deployment, run_id: str, order: Order) -> RunResult:
    """Its result."""
    _, handle = await started(deployment, run_id, order)
    return await read_result(handle)
