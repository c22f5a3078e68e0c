"""A team as a tree of text: what each node is, what bounds it, and what it may use at most."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from activities.contracts.budgets import COUNTED, Amounts
from activities.contracts.grants import Grants
from workers.checks.findings import Place, TeamView
from workflows.teams.bounds import longest_seconds, once_tools, working_seconds
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    FanOutNode,
    Node,
    PatternBase,
    PersonNode,
    PlanNode,
    node_name,
    plan_name,
)
from workflows.teams.worst_case import worst_case

MAX_LINES = 400
"""Nodes that are shown as text; JSON has them all."""
MAX_LISTED = 6
"""Tools that one line names."""
_BOUNDS = (
    "rounds",
    "iterations",
    "max_subtasks",
    "max_tasks",
    "max_branches",
    "max_events",
    "max_hops",
    "max_depth",
    "max_steps",
    "max_parallel",
    "at_least",
    "corrections",
    "seconds",
)
"""What a pattern may declare as its bounds, in the order of a line."""


@dataclass(frozen=True)
class _Row:
    place: Place
    times: int
    """How often its pattern runs it at most."""
    worst: Amounts
    """Of one time."""
    seconds: float
    working: float
    """The same without what people may take."""

    @property
    def time(self) -> str:
        """How long it takes at most, for people."""
        whole = _time(self.seconds)
        if self.working >= self.seconds:
            return whole
        return (
            f"{_time(self.working)} of work, {whole} with people's time"
            if self.working
            else f"{whole} of people's time"
        )


class TeamTree:
    """A completed team with its plans."""

    def __init__(self, view: TeamView) -> None:
        self._view = view
        self._rows = [self._row(place) for place in view.places]

    def lines(self) -> Iterator[str]:
        """The tree with its bounds, and the total."""
        team = self._view.team
        yield f"{team.team}@{team.version}"
        for row in self._rows[:MAX_LINES]:
            depth = sum(1 for _ in row.place.chain)
            yield f"{'  ' * depth}- {self._title(row)}"
            yield f"{'  ' * depth}    {'; '.join(self._facts(row.place.node))}"
            yield f"{'  ' * depth}    at most {_amounts(row.worst)}, {row.time}{_often(row.times)}"
        if len(self._rows) > MAX_LINES:
            yield f"and {len(self._rows) - MAX_LINES} more nodes (--json has them all)"
        top = self._rows[0]
        yield f"in all at most {_amounts(top.worst)}, {top.time}"

    def rows(self) -> list[dict[str, Any]]:
        """Every node, as JSON."""
        return [self._object(row) for row in self._rows]

    def total(self) -> dict[str, float]:
        """The worst case of the whole."""
        return _worst(self._rows[0])

    def _row(self, place: Place) -> _Row:
        view = self._view
        worst = worst_case(view.team, view.plans, place.node)
        seconds, working = (
            longest(view.team, place.node, view.tool_seconds, once_tools(view.plans))
            for longest in (longest_seconds, working_seconds)
        )
        return _Row(place, _times(place), worst, seconds, working)

    def _title(self, row: _Row) -> str:
        place = row.place
        role = (
            "" if place.role == "root" else f"{'.'.join(place.at[-2:]) if place.role == 'stages' else _role(place)}: "
        )
        return f"{role}{place.node.kind} {node_name(place.node)}"

    def _models(self, node: Node) -> list[str]:
        plan = self._view.plans.get(plan_name(node))
        return [route.model for route in plan.models] if plan else []

    def _facts(self, node: Node) -> Iterator[str]:
        if isinstance(node, AgentNode):
            agent = self._view.team.agents[node.agent]
            yield f"{node.tier or (agent.model and 'model') or agent.tier} ({', '.join(self._models(node))})"
            if agent.transfers_to:
                yield f"transfers to {', '.join(agent.transfers_to)}"
        if tools := self._view.tools_of(node):
            more = f" and {len(tools) - MAX_LISTED} more" if len(tools) > MAX_LISTED else ""
            yield f"tools {', '.join(tools[:MAX_LISTED])}{more}"
        if isinstance(node, AgentNode) and (own := self._view.team.agents[node.agent].grants):
            yield f"its own grants {_granted(own)}"
        for name, value in self._bounds(node).items():
            yield _fact(name, value)
        if node.budget:
            known = {name: value for name in (*COUNTED, "seconds") if (value := getattr(node.budget, name)) is not None}
            listed = ", ".join(_fact(name, value) for name, value in known.items())
            yield f"budget {listed} ({node.budget.on_breach})"
        if node.grants is not None:
            yield f"grants {_granted(node.grants)}"
        if not node.critical:
            yield "not critical"
        if node.fallback and node.fallback.kind in {"constant", "skip", "tier"}:
            yield f"fallback {node.fallback.kind}"

    def _bounds(self, node: Node) -> dict[str, Any]:
        bounds: dict[str, Any] = {}
        match node:
            case AgentNode():
                limits = self._view.team.agents[node.agent].limits
                names: tuple[str, ...] = (
                    "turns",
                    "model_calls",
                    "tool_calls",
                    "tokens",
                    "cost_usd",
                    "seconds",
                    "output_tokens",
                )
                bounds = {name: getattr(limits, name) for name in names}
            case CallNode():
                bounds = {"seconds": self._view.tool_seconds.get(node.tool, 60.0)}
            case PersonNode():
                bounds = {"seconds": (node.asking or self._view.team.people).seconds}
            case PatternBase():
                bounds = {name: getattr(node, name) for name in _BOUNDS if hasattr(node, name)}
                if isinstance(node, FanOutNode) and node.each is None:
                    bounds.pop("max_branches")  # it says them one by one
                if isinstance(node, PlanNode) and node.tasks:
                    bounds["max_tasks"] = len(node.tasks)
        return bounds if node.timeout_seconds is None else {**bounds, "timeout_seconds": node.timeout_seconds}

    def _object(self, row: _Row) -> dict[str, Any]:
        node = row.place.node
        return {
            "at": ".".join(row.place.at),
            "kind": node.kind,
            "name": node_name(node),
            "models": self._models(node),
            "tools": list(self._view.tools_of(node)),
            "bounds": self._bounds(node),
            "budget": node.budget.model_dump(mode="json") if node.budget else None,
            "times": row.times,
            "worst_case": _worst(row),
        }


def _fact(name: str, value: float) -> str:
    """A bound as people read it."""
    if name.endswith("seconds"):
        return f"{'timeout' if name == 'timeout_seconds' else 'time'} {_time(value)}"
    return f"{name.replace('_', ' ')} {f'{value:g}' if isinstance(value, float) else value}"


def _granted(grants: Grants) -> str:
    """Tools with what each is granted under."""
    said = []
    for tool, grant in grants.items():
        terms = ["a person is asked"] if grant.ask else []
        terms += [f"conditions on {', '.join(grant.arguments)}"] if grant.arguments else []
        said.append(f"{tool} ({'; '.join(terms)})" if terms else tool)
    return ", ".join(said) or "nothing"


def _role(place: Place) -> str:
    """``worker research`` and the like."""
    named = {"workers": "worker", "nodes": "node", "branches": "branch", "routes": "route"}
    named |= {"debaters": "debater", "executors": "executor", "peers": "peer"}
    if place.role not in named or place.above is None:
        return place.role
    return f"{named[place.role]} {place.at[len(place.above.base) + 1]}"


def _times(place: Place) -> int:
    """How often a pattern runs a node of it at most."""
    return place.part.most if place.part else 1


def _worst(row: _Row) -> dict[str, float]:
    return {
        **{name: getattr(row.worst, name) for name in COUNTED},
        "seconds": row.seconds,
        "working_seconds": row.working,
    }


def _often(times: int) -> str:
    return f", each of {times:,} times" if times > 1 else ""


def _amounts(worst: Amounts) -> str:
    return (
        f"{worst.model_calls:,} model calls, {worst.tool_calls:,} tool calls, {worst.tokens:,} tokens,"
        f" {worst.cost_usd:,.2f} USD"
    )


def _time(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.1f} {name}".replace(".0 ", " ")
    return f"{seconds:g} s"
