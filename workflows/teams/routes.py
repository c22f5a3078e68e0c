"""Which ways work may take through a team: owners of a step after transfers, and what stands in for a node."""

from workflows.teams.tree import AgentNode, Node, NodeBase, TeamSpec, TierFallback, on_tier


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
