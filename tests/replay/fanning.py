"""Fan-outs to record: all of them, a quorum with late ones, batches asked twice, a tie, children, what fails and waits."""

import asyncio
import json
import re
from typing import Any

from activities.contracts.people import Choice
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.replay.composition import PEOPLE, left_asking, says
from tests.replay.scenario import Scenario, scheduled, stopped
from tests.support.scripted import says as answers
from tests.support.scripted import says_json
from tests.support.supervision import spacious
from workflows.teams.tree import TeamSpec

PERSON = {"kind": "person", "name": "chief", **PEOPLE}
LINES = {"kind": "call", "name": "lines", "tool": "echo", "arguments": {"text": json.dumps([1, 2, 3, 4, 5])}}


def agent(name: str) -> dict[str, Any]:
    return {"kind": "agent", "agent": name}


def fan(*branches: str, **node: Any) -> dict[str, Any]:
    """A fan-out with a branch for each of these agents."""
    named = {"branches": {name: agent(name) for name in branches}} if branches else {}
    return {"kind": "fan_out", "name": "fan", **named, **node}


def team(root: dict[str, Any]) -> TeamSpec:
    """A team of this tree, with all agents that it names."""
    names = dict.fromkeys(re.findall(r'"agent": "(\w+)"', json.dumps(root)))
    agents = {
        name: {"instructions": f"You are {name}.", "limits": {"model_calls": 3, "tool_calls": 0}} for name in names
    }
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")


def nested(name: str) -> dict[str, Any]:
    return {"kind": "pipeline", "name": f"in_{name}", "stages": [agent(name)]}


async def by_name(call: ProviderCall, index: int) -> ProviderAnswer:
    """Agents by name: ``bad`` fails, ``slow`` takes for ever, the others say who they are."""
    del index
    name = call.instructions.removeprefix("You are ").split(".")[0]
    if name == "bad":
        raise AuthenticationFailed("no key", fix="set one")
    if name.startswith("slow"):
        await asyncio.sleep(60)
    return answers(name)


def forgetful(call: ProviderCall, index: int) -> ProviderAnswer:
    """Answers all items of a batch but the last, of which it has never heard."""
    del index
    items = json.loads(call.messages[-1].text.partition("Input:")[2])
    return says_json({"answers": [{"item_id": one["item_id"], "answer": "x"} for one in items[:-1] or items]})


BATCHES = {"kind": "pipeline", "stages": [LINES, fan(each=agent("a"), batch=3)]}
RACE = fan(at_least=1, branches={"late": nested("slow"), "quick": agent("a"), "last": agent("b")}, max_parallel=2)
VOTE = {"reduce": "vote", "escalate": PERSON}
REDUCED = fan("a", "bad", reducer=agent("judge"))

SCENARIOS = (
    Scenario("fan_out", "success", team(fan("a", "b", "c", max_parallel=2)), by_name),
    Scenario("fan_out", "success_quorum", team(fan("a", "slow", "b", at_least=2, grace_seconds=0.2)), by_name),
    Scenario("fan_out", "success_race", team(RACE), by_name),
    Scenario("fan_out", "success_batches", team(BATCHES), forgetful),
    Scenario("fan_out", "success_children", spacious(team(fan("a", "b"))), by_name),
    Scenario("fan_out", "success_vote", team(fan("a", "b", **VOTE)), by_name, says(Choice.ANSWER, answer="b")),
    Scenario("fan_out", "partial", team(REDUCED), by_name),
    Scenario("fan_out", "partial_late", team(fan("a", "slow", branch_seconds=1.0)), by_name),
    Scenario("fan_out", "failure", team(fan("a", "bad", "slow", at_least=3)), by_name),
    Scenario("fan_out", "failure_budget", team(fan("a", "b", budget={"model_calls": 1})), by_name),
    Scenario("fan_out", "waiting", team(fan("a", "b")), end=scheduled, pools=("workflows",)),
    Scenario("fan_out", "waiting_asked", team(fan("a", "b", **VOTE)), by_name, left_asking),
    Scenario("fan_out", "cancelled", team(fan("a", "b", at_least=1)), end=stopped, pools=("workflows",)),
)
