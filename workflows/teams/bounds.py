"""What a node may need at most: time, and events of its history. Pure functions of what is frozen in a run."""

from collections.abc import Mapping

from workflows.policies import tool_schedule_to_close
from workflows.teams.routes import owners, stand_in, tries, types_of
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    Node,
    PersonNode,
    PipelineNode,
    SupervisorNode,
    TeamSpec,
    WorkflowNode,
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


def longest_seconds(team: TeamSpec, node: Node, tool_seconds: Mapping[str, float]) -> float:
    """How long a node may take by its own bounds, its fallback included.

    People's time counts where the team says that they are asked: a person's node, a budget that asks, grants that do. A
    call that is under way at a deadline is ended within seconds, but a ``once`` effect is let to its end.
    """
    return _longest(team, node, tool_seconds, frozenset())


def _longest(team: TeamSpec, node: Node, tool_seconds: Mapping[str, float], asked: frozenset[str]) -> float:
    """Below nodes whose grants ask a person for the tools ``asked``."""
    asked |= {tool for tool, grant in (node.grants or {}).items() if grant.ask}
    own, budget, other = _own(team, node, tool_seconds, asked), node.budget, stand_in(node)
    if budget and budget.on_breach == "ask":
        own += MAX_ASKS * (budget.asking or team.people).seconds
    total = _least(own, node.timeout_seconds)
    if other:
        total += _longest(team, other, tool_seconds, asked)
    return _least(total, budget.seconds if budget else None)


def _own(team: TeamSpec, node: Node, tool_seconds: Mapping[str, float], asked: frozenset[str]) -> float:
    match node:
        case AgentNode():
            return sum(_agent(team, name, asked) for name in owners(team, node.agent))
        case CallNode():
            wait = MAX_ASKS * team.people.seconds if node.tool in asked else 0
            return tool_schedule_to_close(tool_seconds.get(node.tool, 60.0)).total_seconds() + wait
        case SupervisorNode() if node.phases:
            return node.phases.total
        case SupervisorNode():
            ends = [part for part in (node.synthesis, node.review, node.gate) if part]
            drafts = 1 + node.corrections if node.gate else 1
            return node.seconds + drafts * sum(_longest(team, part, tool_seconds, asked) for part in ends)
        case PersonNode():
            return (node.asking or team.people).seconds
        case PipelineNode():
            return min(node.seconds, sum(_longest(team, stage, tool_seconds, asked) for stage in node.stages))
        case WorkflowNode():
            return node.seconds


def _least(seconds: float, bound: float | None) -> float:
    return seconds if bound is None else min(seconds, bound)


def _agent(team: TeamSpec, name: str, asked: frozenset[str]) -> float:
    """An agent's own time, and that of the people who are asked for its calls: it does not count against its own."""
    agent = team.agents[name]
    own = {tool for tool, grant in agent.grants.items() if grant.ask}
    asks = MAX_ASKS * agent.limits.tool_calls if (own | asked) & set(agent.tools) else 0
    return agent.limits.seconds + asks * team.people.seconds


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


def inline_types(team: TeamSpec, node: SupervisorNode) -> frozenset[str]:
    """The worker types whose work runs inside the supervisor's workflow: all small ones, where all of it fits, or none."""
    small = frozenset(name for name, worker in node.workers.items() if runs_inline(team, worker.node))
    each = max((events(team, node.workers[name].node) for name in small), default=0)
    return small if dispatches(node) * max(each, CHILD_EVENTS) <= PATTERN_EVENTS else frozenset()


def dispatches(node: SupervisorNode) -> int:
    """Attempts of subtasks that a supervisor makes at most, re-routed ones included."""
    if node.subtasks:
        named = [(spec.type, spec.attempts) for spec in node.subtasks if spec.type in node.workers]
        return sum(tries(node, *one).total() for one in named)
    return node.max_subtasks * max(tries(node, *one).total() for one in types_of(node))
