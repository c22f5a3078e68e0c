"""How long a workflow may be left waiting for people whom only the deployment's policy asks.

A team does not know the policy, which workers read: it may ask about any call that has an effect. That time is no part of
what a team is said to take at most; it keeps the server from ending a run behind whose back a person is still thinking.
"""

from collections.abc import Mapping

from workflows.contracts import NodePlan
from workflows.teams.tree import Node, TeamSpec, plan_names
from workflows.teams.worst_case import worst_case

MAX_WAITS = 20
"""Decisions one after the other that are waited for. More of them than that end the run at its execution timeout."""


def patience_seconds(team: TeamSpec, plans: Mapping[str, NodePlan], node: Node) -> float:
    """The time for people on top of ``longest_seconds``; none where no tool below the node has an effect."""
    if not any(plans[name].effects for name in plan_names(node) if name in plans):
        return 0
    return min(MAX_WAITS, worst_case(team, plans, node).tool_calls) * team.people.seconds
