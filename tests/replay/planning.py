"""Routers and plans to record: rules and labels, graphs and their failures, planners sent back, people asked, waiting."""

import json
import re
from typing import Any

from activities.contracts.people import Choice
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.replay.composition import PEOPLE, left_asking, says
from tests.replay.scenario import Scenario, scheduled, stopped
from tests.support.scripted import Script, says_json
from tests.support.scripted import says as answers
from workflows.teams.agents import AgentLimits
from workflows.teams.tree import TeamSpec

PERSON = {"kind": "person", "name": "chief", **PEOPLE}


def agent(name: str) -> dict[str, Any]:
    return {"kind": "agent", "agent": name}


def _team(root: dict[str, Any]) -> TeamSpec:
    names = dict.fromkeys(re.findall(r'"agent": "(\w+)"', json.dumps(root)))
    agents = {
        name: {"instructions": f"You are {name}.", "limits": {"model_calls": 4, "tool_calls": 2}} for name in names
    }
    return TeamSpec.model_validate({"team": "t", "agents": agents, "root": root}, extra="forbid")


def router(**node: Any) -> TeamSpec:
    """A classifier and two destinations."""
    routes = {name: {"node": agent(name), "description": f"For {name}."} for name in ("bill", "ship")}
    return _team({"kind": "router", "routes": routes, "classifier": agent("sorter"), **node})


def task(name: str, *after: str, **fields: Any) -> dict[str, Any]:
    """A task of ``find``."""
    return {"task_id": name, "executor": "find", "task": f"do {name}", "after": list(after), **fields}


def plan(*tasks: dict[str, Any], **node: Any) -> TeamSpec:
    """The team's own graph, or a planner's."""
    executors = {"find": {"node": agent("finder")}, "write": {"node": agent("writer")}}
    graph = {"tasks": list(tasks)} if tasks else {"planner": agent("boss")}
    return _team({"kind": "plan", "executors": executors, **graph, **node})


def children(team: TeamSpec) -> TeamSpec:
    """With agents whose bounds make them workflows of their own."""
    spacious = {
        name: spec.model_copy(update={"limits": AgentLimits(model_calls=500)}) for name, spec in team.agents.items()
    }
    return team.model_copy(update={"agents": spacious})


def playing(*graphs: list[dict[str, Any]], sure: float = 0.9, broken: str = "", met: str = "") -> Script:
    """A sorter, a planner with one graph after the other, a judge, and agents that say who they are.

    Args:
        graphs: of the planner, the last one again.
        sure: the sorter's confidence.
        broken: the task or agent that fails.
        met: who has to have made a result for it to be a success.
    """
    left = list(graphs)

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        name, said = call.instructions.removeprefix("You are ").split(".")[0], call.messages[-1].text
        if broken and (name == broken or (name == "finder" and said.startswith(f"do {broken}"))):
            raise AuthenticationFailed("no key", fix="set one")
        if name == "sorter":
            return says_json({"label": "ship", "confidence": sure, "reason": "it is heavy"})
        if name == "boss":
            return says_json({"tasks": left.pop(0) if len(left) > 1 else left[0]})
        if name == "judge":
            return says_json({"met": met in said, "reason": "so it is"})
        return answers(f"{name} did it")

    return script


DIAMOND = (task("a"), task("b", "a", fallback="write"), task("c", "a", without="run"), task("d", "b", "c"))
CHECKED = (task("a", success="It is written.", fallback="write"), task("b", "a", executor="write"))
CIRCLE = [task("a", "b"), task("b", "a")]
GOOD = [task("a"), task("b", "a")]
JUDGED: dict[str, Any] = {"checker": agent("judge"), "synthesis": agent("editor")}
RULES = [{"to": "bill", "pattern": "do (it|this)"}]

SCENARIOS = (
    Scenario("router", "success", router(), playing()),
    Scenario("router", "success_rule", router(rules=RULES), playing()),
    Scenario("router", "success_default", router(default="bill"), playing(broken="sorter")),
    Scenario("router", "success_children", children(router()), playing()),
    Scenario("router", "success_chosen", router(escalate=PERSON), playing(sure=0.1), says(Choice.ANSWER, answer={"label": "bill"})),
    Scenario("router", "failure", router(), playing(sure=0.1)),
    Scenario("router", "failure_destination", router(), playing(broken="ship")),
    Scenario("router", "waiting", router(), end=scheduled, pools=("workflows",)),
    Scenario("router", "waiting_asked", router(escalate=PERSON), playing(sure=0.1), left_asking),
    Scenario("router", "cancelled", router(), end=stopped, pools=("workflows",)),
    Scenario("plan", "success", plan(*DIAMOND), playing()),
    Scenario("plan", "success_planned", plan(), playing(CIRCLE, GOOD)),
    Scenario("plan", "success_checked", plan(*CHECKED, **JUDGED), playing(met="writer")),
    Scenario("plan", "success_children", children(plan(*DIAMOND)), playing()),
    Scenario("plan", "success_continued", plan(*DIAMOND), playing(), changes={"max_history_events": 1}),
    Scenario("plan", "success_escalated", plan(*GOOD, escalate=PERSON), playing(broken="b"), says(Choice.ANSWER, answer="done")),
    Scenario("plan", "partial", plan(*DIAMOND, task("e", "a"), max_parallel=1), playing(broken="c")),
    Scenario("plan", "partial_budget", plan(*GOOD, budget={"model_calls": 1, "on_breach": "partial"}), playing()),
    Scenario("plan", "failure", plan(*GOOD), playing(broken="a")),
    Scenario("plan", "failure_planned", plan(), playing(CIRCLE)),
    Scenario("plan", "waiting", plan(*DIAMOND), end=scheduled, pools=("workflows",)),
    Scenario("plan", "waiting_asked", plan(*GOOD, escalate=PERSON), playing(broken="a"), left_asking),
    Scenario("plan", "cancelled", plan(*GOOD, task("c")), end=stopped, pools=("workflows",)),
)  # fmt: skip
