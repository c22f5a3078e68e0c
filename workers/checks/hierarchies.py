"""Hierarchies: no deeper than their cap, and no tier is told what those above it work towards."""

from workers.checks.findings import Finding, Findings, Place, TeamView, Weight
from workers.checks.names import not_known
from workers.checks.supervisors import MAX_EVENTS
from workflows.teams.bounds import CHILD_EVENTS
from workflows.teams.kinds.hierarchy import MAX_DEPTH, HierarchyNode, tiers_in
from workflows.teams.kinds.supervisor import dispatches
from workflows.teams.tree import AgentNode


def hierarchies(view: TeamView) -> Findings:
    """What cannot work in a hierarchy."""
    for place in view.places:
        if isinstance(place.node, HierarchyNode):
            yield from _reroutes(place, place.node)
            yield from _size(place, place.node)
            if not place.is_outer:
                yield from _depth(place, place.node)


def _depth(place: Place, node: HierarchyNode) -> Findings:
    deep = tiers_in(node.model_copy(update={"fallback": None}))
    if node.above:
        yield Finding(
            (*place.at, "above"), f"{place.label} says how many tiers are above it", "leave it away: tiers says it all"
        )
    elif deep > node.max_depth:
        yield Finding(
            (*place.at, "max_depth") if "max_depth" in node.model_fields_set else (*place.at, "tiers"),
            f"{place.label} is {deep} tiers deep, more than max_depth={node.max_depth}",
            f"take a tier out, or raise max_depth to {deep}" if deep <= MAX_DEPTH else "take tiers out",
        )


def _reroutes(place: Place, node: HierarchyNode) -> Findings:
    if len(node.tiers) > 1:
        return  # said of the tier that has the workers
    for name, worker in node.workers.items():
        for other in worker.reroute:
            if other not in node.workers:
                yield Finding(
                    (*place.base, "workers", name, "reroute"),
                    f"{place.label} has no worker type {other!r}",
                    not_known(other, node.workers),
                )


def _size(place: Place, node: HierarchyNode) -> Findings:
    top = node.top
    if any(other not in top.workers for worker in top.workers.values() for other in worker.reroute):
        return
    if dispatches(top) * CHILD_EVENTS > MAX_EVENTS:
        yield Finding(
            (*place.base, "tiers", str(node.above)),
            f"{place.label} may dispatch {dispatches(top):,} attempts; its history holds {MAX_EVENTS // CHILD_EVENTS:,}",
            "lower max_subtasks, attempts or reroute",
        )


def secrets(view: TeamView) -> Findings:
    """Agents below a hierarchy's top that would be told the goal of all."""
    for place in view.places:
        below = any(isinstance(above.node, HierarchyNode) for above in place.chain)
        # The root's own summary answers the goal of the whole.
        below = below and not (place.role == "summary" and len(place.at) == len(("root", "tiers", "0", "summary")))
        if below and isinstance(place.node, AgentNode) and place.node.context == "full":
            yield Finding(
                (*place.at, "context"),
                f"the agent {place.node.agent!r} is told the goal of the whole, and in a hierarchy each has its own part only",
                "leave context away, or use a supervisor",
                Weight.ERROR,
            )
