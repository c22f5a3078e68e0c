"""The smallest sensible team of every pattern, and what the model says in each of its roles.

Whoever does the pattern's own work is called ``w``. It answers in words, so that a pattern may stand in its place.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from activities.contracts.messages import AssistantMessage
from activities.providers.base import ProviderAnswer, ProviderCall
from scripts.bench.scripted import TEXT_BYTES, UNBOUNDED, says
from scripts.bench.tools import make_text
from workflows.teams.tree import TeamSpec

WORKER = "w"
LIMITS = {"model_calls": 3, "tool_calls": 0, "tokens": UNBOUNDED, "context_tokens": UNBOUNDED}
Node = dict[str, Any]
Work = Callable[[str], Node]
"""Makes the node that does the pattern's own work, under a key unlike that of any other of the team."""
_NOT_YET = "Say it in other words."
_BETTER = "In other words: "


def _works(call: ProviderCall) -> str:
    """Something better where it is told to."""
    told = any(_NOT_YET in message.text for message in call.messages)
    return (_BETTER if told else "").ljust(TEXT_BYTES, "x")


def _splits(*, into: str) -> Callable[[ProviderCall], str]:
    return lambda _: json.dumps({"subtasks": [{"type": into, "task": f"part {n} ".ljust(100, ".")} for n in (1, 2)]})


def _votes(call: ProviderCall) -> str:
    """One of three is of another opinion, until it has heard the others."""
    stubborn = "contra" in call.instructions and not any(isinstance(said, AssistantMessage) for said in call.messages)
    return json.dumps({"position": "no" if stubborn else "yes", "confidence": 0.9, "reasons": ["x" * 100]})


def _judges(call: ProviderCall) -> str:
    good = any(_BETTER in message.text for message in call.messages)
    return json.dumps({"accepted": good, "score": 0.9 if good else 0.4, "problems": [] if good else [_NOT_YET]})


def _plans(_: ProviderCall) -> str:
    tasks = [
        {"task_id": name, "executor": WORKER, "task": f"Do {name}.".ljust(100, "."), "after": after}
        for name, after in (("a", []), ("b", []), ("c", ["a", "b"]))
    ]
    return json.dumps({"tasks": tasks})


def _sends(event: str) -> Callable[[ProviderCall], str]:
    return lambda _: json.dumps({"events": [{"event_type": event, "payload": "x" * TEXT_BYTES}]})


SAYS: Mapping[str, Callable[[ProviderCall], str]] = {
    WORKER: _works,
    "splitter": _splits(into=WORKER),
    "director": _splits(into="managers"),
    "sorter": lambda _: json.dumps({"label": "here", "confidence": 0.9}),
    "pro": _votes,
    "also-pro": _votes,
    "contra": _votes,
    "critic": _judges,
    "strategist": _plans,
    "finder": _sends("found"),
    "prover": _sends("proved"),
    "guard": lambda _: json.dumps({"score": 0.0, "reasons": [], "correction": ""}),
}
"""What the agents say, by name."""


@dataclass(frozen=True)
class Shown:
    """One pattern at its smallest: its node, and what of it is done one after the other (see ``Staged``)."""

    node: Callable[[Work], Node]
    phases: tuple[str, ...] = ("",)
    managers: int = 0
    """Nested patterns that it has of itself."""


def _agent(name: str) -> Node:
    return {"kind": "agent", "agent": name}


def _hierarchy(work: Work) -> Node:
    top = {"name": "directors", "planner": "director", "summary": work("whole")}
    managers = {"name": "managers", "planner": "splitter", "summary": work("part")}
    return {"tiers": [top, managers], "workers": {WORKER: {"node": work("work")}}}


def _network(work: Work) -> Node:
    finder = {"node": _agent("finder"), "subscribes": ["goal"]}
    return {
        "peers": {"finder": finder, "prover": {"node": _agent("prover"), "subscribes": ["found"]}},
        "result": work("result"),
    }


def _monitor(work: Work) -> Node:
    judge = {"name": "j", "on": "answer", "agent": WORKER, "judge": "guard", "policy": "Nothing is said of prices."}
    return {"node": work("work"), "judges": [judge]}


SHOWN: Mapping[str, Shown] = {
    "call": Shown(lambda _: {"tool": "fetch_text", "arguments": {"seed": "$goal", "size": TEXT_BYTES}}),
    "agent": Shown(lambda _: {"agent": WORKER}),
    "router": Shown(
        lambda work: {
            "classifier": _agent("sorter"),
            "routes": {"here": {"node": work("here")}, "there": {"node": work("there")}},
        },
        ("classify", "to-here"),
    ),
    "monitor": Shown(_monitor, ("work$", "work/judge")),
    "pipeline": Shown(lambda work: {"stages": [work("a"), work("b"), work("c")]}, ("a", "b", "c")),
    "network": Shown(_network, ("finder", "prover", "result")),
    "fan_out": Shown(lambda work: {"branches": {key: work(key) for key in "abcd"}}),
    "supervisor": Shown(
        lambda work: {
            "planner": "splitter",
            "workers": {WORKER: {"node": work("work")}},
            "synthesis": work("whole"),
        },
        ("plan", r"s\d", "synthesis"),
    ),
    "plan": Shown(
        lambda work: {"planner": _agent("strategist"), "executors": {WORKER: {"node": work("work")}}},
        ("plan", "task-[ab]", "task-c"),
    ),
    "refine": Shown(
        lambda work: {"writer": work("draft"), "editor": _agent("critic")},
        ("draft-1", "review-1", "draft-2", "review-2"),
    ),
    "debate": Shown(
        lambda work: {
            "debaters": {name: _agent(name) for name in ("pro", "also-pro", "contra")},
            "positions": ["yes", "no"],
            "judge": work("answer"),
        },
        ("r1-", "r2-", "judge"),
    ),
    "hierarchy": Shown(
        _hierarchy, ("plan", r"s[\d-]+/plan", r"s[\d-]+/s\d", r"s[\d-]+/synthesis", "synthesis"), managers=2
    ),
}
"""By the number of model calls."""
SINGLE = ("call", "agent")


@dataclass(frozen=True)
class PatternPlay:
    """One pattern at its smallest."""

    kind: str
    nested: bool = False
    """Whoever does its own work is a pattern too: a pipeline of one."""
    delay_seconds: float = 0.0
    provider: str = "offline"
    at_once: int = 0

    @property
    def goal(self) -> str:
        """A short one."""
        return make_text("goal", TEXT_BYTES)

    @property
    def phases(self) -> Sequence[str]:
        """As they are shown."""
        return SHOWN[self.kind].phases

    def called(self, output: JsonValue) -> tuple[JsonValue, JsonValue]:
        """The tool."""
        return {"seed": self.goal, "size": TEXT_BYTES}, output

    def team(self) -> TeamSpec:
        """The pattern as the root."""
        name = {} if self.kind == "agent" else {"name": self.kind}
        return team_of({"kind": self.kind, **name, **SHOWN[self.kind].node(self._work)})

    def answer(self, call: ProviderCall) -> ProviderAnswer:
        """What the role says."""
        return in_role(call)

    def _work(self, key: str) -> Node:
        if not self.nested:
            return {"kind": "agent", "agent": WORKER, "key": key}
        return {"kind": "pipeline", "name": f"in-{key}", "key": key, "stages": [_agent(WORKER)]}


@dataclass(frozen=True)
class Branches:
    """A fan-out over the lines of the goal: one agent for each, so many of them at a time."""

    count: int
    at_once: int
    delay_seconds: float = 0.0
    provider: str = "offline"
    phases: Sequence[str] = ("",)

    @property
    def goal(self) -> str:
        """A line for each branch."""
        return "\n".join(f"item {number:03}" for number in range(1, self.count + 1))

    def called(self, output: JsonValue) -> tuple[JsonValue, JsonValue]:
        """There is no call."""
        return None, output

    def team(self) -> TeamSpec:
        """The fan-out as the root."""
        return team_of(
            {"kind": "fan_out", "each": _agent(WORKER), "max_branches": self.count, "max_parallel": self.at_once}
        )

    def answer(self, call: ProviderCall) -> ProviderAnswer:
        """What the worker says."""
        return in_role(call)


def team_of(root: Node) -> TeamSpec:
    """A team of one tree, with the agents that it names."""
    written = json.dumps(root)
    agents = {
        name: {"instructions": f"You are {name}.", "tier": "small", "limits": LIMITS}
        for name in SAYS
        if f': "{name}"' in written
    }
    return TeamSpec.model_validate({"team": "bench", "agents": agents, "root": root}, extra="forbid")


def in_role(call: ProviderCall) -> ProviderAnswer:
    """What the agent says that is asked."""
    return says(SAYS[call.instructions.partition("You are ")[2].partition(".")[0]](call))
