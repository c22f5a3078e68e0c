"""Teams made by hypothesis of all nodes that there are, and a model that does its worst.

Every agent of a team stands at one place, so what the provider is asked tells which node it was asked for.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import strategies as st

from activities.contracts.messages import ToolCall
from activities.errors import (
    AuthenticationFailed,
    MalformedAnswer,
    Overloaded,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
)
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.support.patterns import around, said

Value = TypeVar("Value")
Draw = Callable[[st.SearchStrategy[Value]], Value]
DEPTH = 3
SLOWEST = 1.5
"""Seconds of the slowest answer."""
ANSWER = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}
DEFAULTS = {"seconds": 0.3, "default": "reject"}
BOUNDS: dict[str, dict[str, list[Any]]] = {
    "fan_out": {"max_parallel": [1, 4], "at_least": ["all", 1]},
    "hierarchy": {},
    "router": {"threshold": [0.0, 1.0]},
    "debate": {"rounds": [0, 1, 2], "agreement": [0.5, 1.0], "max_disagreement": [0.0, 1.0]},
    "refine": {"iterations": [1, 3], "at_cap": ["best", "fail"], "accept_score": [0.1, 1.0]},
    "plan": {"max_tasks": [2, 4], "replans": [0, 1], "max_parallel": [1, 4]},
    "network": {"max_events": [1, 4], "max_hops": [1, 3], "at_limit": ["partial", "fail"]},
    "monitor": {},
}
"""The patterns that are generated alike, and what bounds them."""


@st.composite
def teams(draw: Draw[Any]) -> dict[str, Any]:
    """A team as a file would hold it. The root always has a bound in time, so that a run ends within a test."""
    made = _Team(draw)
    root = made.node(DEPTH)
    root["timeout_seconds"] = draw(st.sampled_from([1.0, 2.0, 4.0]))
    return {"team": "generated", "agents": made.agents, "root": root, "people": DEFAULTS}


class _Team:
    """Makes one team; names are numbers, so that each is used once."""

    def __init__(self, draw: Draw[Any]) -> None:
        self._draw = draw
        self._names: Counter[str] = Counter()
        self.agents: dict[str, Any] = {}

    def node(self, depth: int) -> dict[str, Any]:
        """A node with at most so many levels."""
        kinds = [self._agent, self._agent, self._call, self._person]
        if depth > 1:
            kinds += [lambda: self._pipeline(depth), lambda: self._supervisor(depth)] * 2
            kinds += [lambda: self._pattern(depth)] * 5
        return self._placed(self._one_of(kinds)(), depth)

    def _placed(self, node: dict[str, Any], depth: int) -> dict[str, Any]:
        if self._odds(3):
            node["budget"] = self._budget()
        if self._odds(4):
            node["timeout_seconds"] = self._one_of([0.5, 1.0, 3.0])
        if self._odds(4):
            node["critical"] = False
        if self._odds(3):
            stand_ins = [lambda: {"kind": "constant", "value": "instead"}, lambda: {"kind": "skip"}]
            if node["kind"] == "agent":
                stand_ins.append(lambda: {"kind": "tier", "tier": "frontier"})
            if depth > 1:
                stand_ins += [self._agent, self._person, self._call]
            node["fallback"] = self._one_of(stand_ins)()
        return node

    def _budget(self) -> dict[str, Any]:
        bounds: dict[str, list[Any]] = {
            "model_calls": [2, 4, 8], "tool_calls": [1, 3], "tokens": [3000, 9000], "seconds": [0.5, 2.0],
        }  # fmt: skip
        names = self._draw(st.sets(st.sampled_from(sorted(bounds)), min_size=1, max_size=3))
        chosen = {name: self._one_of(bounds[name]) for name in sorted(names)}
        breach = self._one_of(["fail", "partial", "ask"])
        return {**chosen, "on_breach": breach, **({"asking": DEFAULTS} if breach == "ask" else {})}

    def _agent(self) -> dict[str, Any]:
        name = self._name("agent")
        limits = {
            "turns": self._one_of([1, 2, 4]),
            "model_calls": self._one_of([1, 3, 6, 400]),  # the last makes it a workflow of its own
            "tool_calls": self._one_of([0, 2, 6]),
            "tokens": self._one_of([2000, 20_000]),
            "seconds": self._one_of([0.5, 3.0, 30.0]),
            "output_tokens": self._one_of([64, 256]),
            "tool_errors": self._one_of([0, 2]),
            "corrections": self._one_of([0, 2]),
        }
        spec: dict[str, Any] = {"instructions": f"You are {name}.", "limits": limits}
        spec["on_limit"] = self._one_of(["fail", "partial"])
        spec["tools"] = sorted(self._draw(st.sets(st.sampled_from(["add", "book_room", "explode", "echo"]))))
        if self._odds(2):
            spec["output"] = {"schema": ANSWER}
        self.agents[name] = spec
        return {"kind": "agent", "agent": name}

    def _call(self) -> dict[str, Any]:
        tool, arguments = self._one_of(
            [("add", {"a": 1, "b": 2}), ("explode", {"what": "it"}), ("sleep_long", {}), ("book_room", {"room": "r"})]
        )
        return {"kind": "call", "name": self._name("call"), "tool": tool, "arguments": arguments}

    def _person(self) -> dict[str, Any]:
        asking = self._one_of([{"seconds": 0.3}, {"seconds": 0.3, "default": "answer", "default_answer": "by default"}])
        return {"kind": "person", "name": self._name("person"), "question": "Well?", "asking": asking}

    def _pipeline(self, depth: int) -> dict[str, Any]:
        stages = [self.node(depth - 1) for _ in range(self._one_of([1, 2, 3]))]
        name = self._name("pipeline")
        return {"kind": "pipeline", "name": name, "stages": stages, "seconds": self._one_of([1.0, 5.0])}

    def _pattern(self, depth: int) -> dict[str, Any]:
        """One of the other patterns around a node, with agents of its own that are as badly bounded as all."""
        kind = self._one_of(sorted(BOUNDS))
        tag = self._name("in")
        node, agents = around(kind, self.node(depth - 1), tag)
        for name in agents:
            spec = self.agents.pop(self._agent()["agent"])
            spec.pop("output", None)
            self.agents[name] = {**spec, "instructions": f"You are {name}."}
        for bound, values in BOUNDS[kind].items():
            node[bound] = self._one_of(values)
        return {**node, "seconds": self._one_of([1.0, 5.0])}

    def _supervisor(self, depth: int) -> dict[str, Any]:
        workers = {
            name: {"node": self.node(depth - 1), "attempts": self._one_of([1, 2]), "timeout_seconds": self._one_of([1.0, 5.0])}
            for name in ("a", "b")[: self._one_of([1, 2])]
        }  # fmt: skip
        if len(workers) == 2:
            workers["a"]["reroute"] = ["b"]
        node: dict[str, Any] = {"kind": "supervisor", "name": self._name("supervisor"), "workers": workers}
        node |= {"max_subtasks": 4, "max_parallel": self._one_of([1, 4]), "seconds": self._one_of([1.0, 5.0])}
        node |= self._one_of([self._static, self._split, self._planner])(list(workers))
        if self._odds(2):
            node["synthesis"] = self._agent()
            if self._odds(2):
                arguments = {"draft": "$draft", "final": "$final"}
                node["gate"] = {
                    "kind": "call",
                    "name": self._name("gate"),
                    "tool": "strict_gate",
                    "arguments": arguments,
                }
        if self._odds(3):
            node |= {"phases": {"planning": 0.3, "workers": 0.6, "synthesis": 0.3, "reserve": 0.2}, "seconds": 5.0}
        return node

    def _static(self, types: list[str]) -> dict[str, Any]:
        # Every worker type is used: one that nobody reaches is refused.
        return {"subtasks": [{"type": types[n % len(types)], "task": f"part {n}"} for n in range(self._one_of([2, 4]))]}

    def _split(self, types: list[str]) -> dict[str, Any]:
        del types
        arguments = {"goal": "$goal", "round": "$round", "results": "$results"}
        return {"split": {"kind": "call", "name": self._name("split"), "tool": "split_words", "arguments": arguments}}

    def _planner(self, types: list[str]) -> dict[str, Any]:
        del types
        name = self._agent()["agent"]
        self.agents[name].pop("output", None)
        self.agents[name]["instructions"] += " You plan."
        return {"planner": name, "rounds": self._one_of([1, 2])}

    def _name(self, kind: str) -> str:
        self._names[kind] += 1
        return f"{kind}{self._names[kind]}"

    def _one_of(self, values: list[Any]) -> Any:
        return values[self._draw(st.integers(0, len(values) - 1))]

    def _odds(self, one_in: int) -> bool:
        """Whether a thing is there that one in so many has."""
        return bool(self._draw(st.integers(1, one_in)) == one_in)


def for_run(spec: dict[str, Any], name: str) -> dict[str, Any]:
    """The team with agents that say for which run they work."""
    agents = {
        agent: {
            **found,
            "instructions": found["instructions"].replace(f"You are {agent}", f"You are {agent} of {name}"),
        }
        for agent, found in spec["agents"].items()
    }
    return {**spec, "agents": agents}


class Adversary:
    """Answers as badly as a model can, by a seed, and counts what each agent of each run has asked for.

    Runs are told apart by what ``for_run`` writes into the instructions. It keeps to ``max_output_tokens``, as every provider does.
    """

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        """Requests that a provider would charge for, or might."""
        self.tokens: Counter[tuple[str, str]] = Counter()
        self._asked: Counter[tuple[str, str]] = Counter()

    async def __call__(self, call: ProviderCall, index: int) -> ProviderAnswer:
        del index
        agent, _, run = call.instructions.removeprefix("You are ").split(".")[0].partition(" of ")
        self._asked[run, agent] += 1
        self.calls[run, agent] += 1
        try:
            answer = await self._answer(call, random.Random(f"{run}/{agent}/{self._asked[run, agent]}"))
        except ProviderError as error:
            self.calls[run, agent] -= not error.charged
            raise
        self.tokens[run, agent] += answer.input_tokens + answer.output_tokens
        return answer

    async def _answer(self, call: ProviderCall, dice: random.Random) -> ProviderAnswer:
        whim = dice.random()
        if whim < 0.15:
            await asyncio.sleep(dice.uniform(0, SLOWEST))  # a model that takes its time
        elif whim < 0.22:
            raise dice.choice([Overloaded, ProviderUnavailable, MalformedAnswer, ProviderTimeout])("as it happens")
        elif whim < 0.25:
            raise AuthenticationFailed("no key")
        if call.tools and dice.random() < 0.5:
            return self._storm(call, dice)
        text = dice.choice(
            [
                "rubbish {",
                "",
                "word " * 4 * call.max_output_tokens,
                *[said(dict(call.output_schema or ANSWER))] * 6,
                *[json.dumps({"answer": "yes", "subtasks": []})] * 3,
                *[json.dumps({"subtasks": [{"type": "a", "task": f"part {n}"} for n in range(dice.randint(1, 9))]})]
                * 3,
            ]
        )[: 4 * call.max_output_tokens]
        return ProviderAnswer(
            text=text,
            finish_reason=dice.choice(["stop", "stop", "stop", "length", "content_filter"]),
            input_tokens=10,
            output_tokens=min(call.max_output_tokens, 1 + len(text) // 4),
        )

    def _storm(self, call: ProviderCall, dice: random.Random) -> ProviderAnswer:
        names = [tool.name for tool in call.tools] + ["no_such_tool"]
        wanted = tuple(
            ToolCall(
                tool_call_id=f"c{n}",
                tool=dice.choice(names),
                arguments=dice.choice(['{"a": 1, "b": 2}', '{"room": "r"}', '{"text": "t"}', "{}", "no JSON"]),
            )
            for n in range(dice.choice([1, 2, 12]))
        )
        return ProviderAnswer(
            text="",
            tool_calls=wanted,
            finish_reason="tool_calls",
            input_tokens=10,
            output_tokens=min(20, call.max_output_tokens),
        )
