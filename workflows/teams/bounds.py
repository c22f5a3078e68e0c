"""What a node may need at most: time, and events of its history. Pure functions of what is frozen in a run."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from activities.contracts.people import Asking
from workflows.contracts import NodePlan
from workflows.policies import tool_schedule_to_close
from workflows.teams.routes import owners, stand_in
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    Node,
    NodeBase,
    Part,
    PatternBase,
    PersonNode,
    PipelineNode,
    SupervisorNode,
    TeamSpec,
    walk,
)

INLINE_EVENTS = 1_000
"""An agent whose bounds fit this many events runs inside its pattern's workflow."""
PATTERN_EVENTS = 4_000
"""Events of one pattern's history, its inline agents included: where the server begins to suggest a new one."""
CALL_EVENTS = 6
"""Of one activity: scheduled, started, completed, and the workflow task after it."""
MAX_ASKS = 3
"""Times that a person is asked for more of one budget, and about one call (``workflows.gate``)."""
CHILD_EVENTS = 9
"""Of one child workflow: initiated, started, completed, and two workflow tasks."""


def longest_seconds(team: TeamSpec, node: Node, tool_seconds: Mapping[str, float], once: Collection[str] = ()) -> float:
    """How long a node may take by its own bounds, its fallback included.

    People's time counts where the team says that they are asked: a person's node, a budget that asks, grants that do. A
    call that is under way at a deadline is ended within seconds, but one of the tools ``once`` is let to its end.
    """
    return _Longest(team, tool_seconds, frozenset(once)).of(node)


def working_seconds(team: TeamSpec, node: Node, tool_seconds: Mapping[str, float], once: Collection[str] = ()) -> float:
    """The same without the time in which people are waited for."""
    return _Longest(team, tool_seconds, frozenset(once), thinking=False).of(node)


def once_tools(plans: Mapping[str, NodePlan]) -> frozenset[str]:
    """The tools of these agents and calls that are called at most once."""
    return frozenset(tool for plan in plans.values() for tool in plan.once)


def over_seconds(team: TeamSpec, node: Node, tool_seconds: Mapping[str, float], once: Collection[str]) -> float:
    """How much longer than any bound a node may take: the longest call below it of one of the tools ``once``."""
    return _Longest(team, tool_seconds, frozenset(once)).over(node)


@dataclass(frozen=True)
class _Longest:
    """The longest times of nodes. A deadline ends what is under way and begins nothing more, so one call goes over it."""

    team: TeamSpec
    tool_seconds: Mapping[str, float]
    once: frozenset[str]
    thinking: bool = True
    """Whether people take the time that they have."""

    def of(self, node: Node, asked: frozenset[str] = frozenset()) -> float:
        """Of a node below others whose grants ask a person for the tools ``asked``."""
        asked |= {tool for tool, grant in (node.grants or {}).items() if grant.ask}
        own, budget, other, over = self._own(node, asked), node.budget, stand_in(node), self.over(node)
        if budget and budget.on_breach == "ask":
            own += MAX_ASKS * self._people(budget.asking)
        total = _least(own, node.timeout_seconds, over)
        if other:
            total += self.of(other, asked)
        return _least(total, budget.seconds if budget else None, over)

    def over(self, node: Node) -> float:
        """What the longest call below the node takes that is let to its end."""
        if not self.once:
            return 0
        tools: set[str] = set()
        for inner in walk(node):
            if isinstance(inner, AgentNode):
                tools.update(tool for name in owners(self.team, inner.agent) for tool in self.team.agents[name].tools)
            elif isinstance(inner, CallNode):
                tools.add(inner.tool)
        return max((self.tool_seconds.get(tool, 60.0) for tool in tools & self.once), default=0)

    def _own(self, node: Node, asked: frozenset[str]) -> float:
        match node:
            case AgentNode():
                return sum(self._agent(name, asked) for name in owners(self.team, node.agent)) + self.over(node)
            case CallNode():
                wait = MAX_ASKS * self._people() if node.tool in asked else 0
                return tool_schedule_to_close(self.tool_seconds.get(node.tool, 60.0)).total_seconds() + wait
            case SupervisorNode() if node.phases:
                return node.phases.total + self.over(node)
            case SupervisorNode():
                ends = [part for part in (node.synthesis, node.review, node.gate) if part]
                drafts = 1 + node.corrections if node.gate else 1
                return node.seconds + self.over(node) + drafts * sum(self.of(part, asked) for part in ends)
            case PersonNode():
                return self._people(node.asking)
            case PipelineNode():
                return _least(sum(self.of(stage, asked) for stage in node.stages), node.seconds, self.over(node))
            case PatternBase():
                return node.seconds + self.over(node)

    def _people(self, asking: Asking | None = None) -> float:
        """How long people have for one decision."""
        return (asking or self.team.people).seconds if self.thinking else 0

    def _agent(self, name: str, asked: frozenset[str]) -> float:
        """An agent's own time, and that of the people who are asked for its calls: it does not count against its own."""
        agent = self.team.agents[name]
        own = {tool for tool, grant in agent.grants.items() if grant.ask}
        asks = MAX_ASKS * agent.limits.tool_calls if (own | asked) & set(agent.tools) else 0
        return agent.limits.seconds + asks * self._people()


def _least(seconds: float, bound: float | None, over: float) -> float:
    return seconds if bound is None else min(seconds, bound + over)


def events(team: TeamSpec, node: Node) -> int:
    """Events that a node takes at most where it runs inside its pattern's workflow."""
    match node:
        case AgentNode():
            agent = team.agents[node.agent]
            limits = agent.limits
            checks = len(agent.output.checks) if agent.output else 0
            return CALL_EVENTS * (limits.model_calls + limits.tool_calls + (limits.corrections + 1) * checks)
        case CallNode():
            return CALL_EVENTS
        case _:
            return CHILD_EVENTS


def runs_inline(team: TeamSpec, node: Node) -> bool:
    """Whether a single step runs inside its pattern's workflow."""
    return isinstance(node, AgentNode | CallNode | PersonNode) and events(team, node) <= INLINE_EVENTS


def inline_places(team: TeamSpec, node: PatternBase) -> frozenset[str]:
    """The places of a pattern whose single step runs inside its workflow: in order, as long as its history has room."""
    groups: dict[str, list[Part]] = {}
    for part in node.parts():
        groups.setdefault(part.group or f" {part.place}", []).append(part)
    times = {name: node.times(name) if parts[0].group else parts[0].most for name, parts in groups.items()}
    # What continues as new before its history is long holds no more of it than is under way at a time.
    times |= {name: min(times[name], parts[0].at_once) for name, parts in groups.items() if parts[0].at_once}
    room = PATTERN_EVENTS - sum(times.values()) * CHILD_EVENTS
    inline = set()
    for name, parts in groups.items():
        taken = 0
        # Any of a group may be the one that is run each time: the largest that runs inside is what it costs.
        for part in sorted(parts, key=lambda part: _events(team, part.node)):
            more = max(0, times[name] * (_events(team, part.node) - CHILD_EVENTS))
            if runs_inline(team, part.node) and more <= room:
                inline.add(part.place)
                taken = more
        room -= taken
    return frozenset(inline)


def _events(team: TeamSpec, node: Node) -> int:
    """Of a node and what stands in for it: that runs in the same workflow."""
    return events(team, node) + (_events(team, node.fallback) if isinstance(node.fallback, NodeBase) else 0)
