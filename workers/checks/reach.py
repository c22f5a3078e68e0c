"""Parts that nothing ever reaches: whoever wrote them expects something of them that will not happen."""

from workers.checks.findings import Finding, Findings, Place, TeamView, Weight
from workflows.teams.routes import owners
from workflows.teams.tree import AgentNode, NodeBase, PersonNode, SupervisorNode


def reach(view: TeamView) -> Findings:
    """Agents, worker types, servers and stand-ins that no run comes to."""
    team = view.team
    reached = {name for agent in view.agents_in_tree for name in owners(team, agent)}
    for name in team.agents:
        if name not in reached:
            yield _unreached(
                ("agents", name), f"the agent {name!r} stands nowhere in the tree", "use it there, or take it out"
            )
    used = {tool.partition("__")[0] for agent in team.agents.values() for tool in agent.tools if "__" in tool}
    used |= {tool.partition("__")[0] for place in view.places for tool in view.tools_of(place.node) if "__" in tool}
    for server in team.mcp:
        if server not in used:
            yield _unreached(
                ("mcp", server),
                f"no agent or call has a tool of the MCP server {server!r}",
                "grant one, or take it out",
            )
    for place in view.places:
        if isinstance(place.node, SupervisorNode):
            yield from _supervisor(place, place.node)
        yield from _fallback(place)


def _supervisor(place: Place, node: SupervisorNode) -> Findings:
    if not node.subtasks or node.split or node.planner:
        return
    reached, waiting = set[str](), [spec.type for spec in node.subtasks]
    while waiting:
        worker_type = waiting.pop()
        if worker_type in node.workers and worker_type not in reached:
            reached.add(worker_type)
            waiting += node.workers[worker_type].reroute
    for name in node.workers:
        if name not in reached:
            yield _unreached(
                (*place.at, "workers", name),
                f"{place.label} never uses the worker type {name!r}: no subtask is of it, and none is re-routed to it",
                "name it in a subtask or in reroute, or take it out",
            )
    if node.rounds > 1:
        yield Finding(
            (*place.at, "rounds"),
            f"{place.label} has {node.rounds} rounds, and all its subtasks are made in the first",
            "leave rounds away, or let a planner or a tool make the subtasks",
            Weight.WARNING,
        )


def _fallback(place: Place) -> Findings:
    node, fallback = place.node, place.node.fallback
    if fallback is None:
        return
    at = (*place.at, "fallback")
    same = isinstance(fallback, NodeBase) and fallback.model_copy(update={"fallback": None, "key": None}) == (
        node.model_copy(update={"fallback": None, "key": None})
    )
    if same or (isinstance(node, AgentNode) and isinstance(fallback, AgentNode) and node.agent == fallback.agent):
        yield Finding(
            at,
            f"{place.label} is its own fallback",
            "name another node; another tier of the same agent is {kind: tier, tier: ...}",
        )
    if fallback.kind == "tier" and not isinstance(node, AgentNode):
        yield Finding(
            at, f"{place.label} has no tier to fall back to", "only an agent's node falls back to another tier"
        )
    if isinstance(node, PersonNode) and node.asking and node.asking.default and "reject" not in node.choices:
        yield _unreached(
            at,
            f"{place.label} never fails: its deadline has a default and nobody may reject",
            "take the fallback or the default out",
        )


def _unreached(at: tuple[str, ...], message: str, fix: str) -> Finding:
    return Finding(at, message, fix, Weight.ERROR)
