"""Which ways work may take through a team: owners of a step after transfers, attempts of a subtask after re-routes."""

from collections import Counter

from workflows.teams.tree import AgentNode, Node, NodeBase, SupervisorNode, TeamSpec, TierFallback, on_tier


def owners(team: TeamSpec, agent: str) -> tuple[str, ...]:
    """The agents that may come to own an agent's step, itself first. A step never returns to one of them."""
    found, waiting = {agent: None}, [agent] if agent in team.agents else []
    while waiting:
        for other in team.agents[waiting.pop()].transfers_to:
            if other in team.agents and other not in found:
                found[other] = None
                waiting.append(other)
    return tuple(found)


def stand_in(node: Node) -> Node | None:
    """The node that is run where this one fails."""
    if isinstance(node.fallback, NodeBase):
        return node.fallback
    if isinstance(node.fallback, TierFallback) and isinstance(node, AgentNode):
        return on_tier(node, node.fallback.tier)
    return None


def tries(node: SupervisorNode, worker_type: str, attempts: int | None = None) -> Counter[str]:
    """Attempts that one subtask is given at most, by worker type: its own, then those that it is re-routed to.

    Args:
        node: the supervisor.
        worker_type: the subtask's.
        attempts: in place of the worker type's, where the team says so of the subtask.
    """
    count: Counter[str] = Counter()
    for other in (worker_type, *node.workers[worker_type].reroute):
        if other in node.workers:
            count[other] += attempts if attempts and other == worker_type else node.workers[other].attempts
    return count
