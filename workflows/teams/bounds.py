"""What a node may need at most: time, and events of its history. Pure functions of what is frozen in a run."""

from collections.abc import Mapping

from workflows.policies import tool_schedule_to_close
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    Node,
    NodeBase,
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
CHILD_EVENTS = 9
"""Of one child workflow: initiated, started, completed, and two workflow tasks."""


def longest_seconds(team: TeamSpec, node: Node, tool_seconds: Mapping[str, float]) -> float:
    """How long a node may take by its own bounds, its fallback included."""
    own = _longest(team, node, tool_seconds)
    own = own if node.timeout_seconds is None else min(own, node.timeout_seconds)
    return own + (longest_seconds(team, node.fallback, tool_seconds) if isinstance(node.fallback, NodeBase) else 0)


def _longest(team: TeamSpec, node: Node, tool_seconds: Mapping[str, float]) -> float:
    match node:
        case AgentNode():
            return team.agents[node.agent].limits.seconds
        case CallNode():
            return tool_schedule_to_close(tool_seconds.get(node.tool, 60.0)).total_seconds()
        case SupervisorNode():
            ends = [part for part in (node.synthesis, node.review, node.gate) if part]
            each = sum(longest_seconds(team, part, tool_seconds) for part in ends)
            return node.seconds + (1 + node.corrections) * each
        case PersonNode():
            return (node.asking or team.people).seconds
        case PipelineNode() | WorkflowNode():
            return node.seconds


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

    def tries(worker_type: str) -> int:
        worker = node.workers[worker_type]
        return worker.attempts + sum(node.workers[other].attempts for other in worker.reroute if other in node.workers)

    return node.max_subtasks * max(tries(worker_type) for worker_type in node.workers)
