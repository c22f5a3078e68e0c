"""Supervisors: one decomposition, worker types that there are, a history that holds it all."""

from workers.checks.findings import Finding, Findings, Place, TeamView
from workers.checks.names import not_known
from workflows.teams.bounds import CHILD_EVENTS
from workflows.teams.kinds.supervisor import dispatches
from workflows.teams.tree import SupervisorNode

MAX_EVENTS = 10_000
"""Events that the children of one supervisor may make: a fifth of what the server takes."""


def supervisors(view: TeamView) -> Findings:
    """What cannot work in a supervisor."""
    for place in view.places:
        if isinstance(place.node, SupervisorNode):
            yield from _decomposition(place, place.node)
            yield from _workers(place, place.node)
            yield from _phases(place, place.node)


def _decomposition(place: Place, node: SupervisorNode) -> Findings:
    given = [name for name in ("subtasks", "split", "planner") if getattr(node, name)]
    if len(given) != 1:
        yield Finding(
            place.at,
            f"{place.label} has {' and '.join(given) or 'no decomposition'}",
            "give one of subtasks, split and planner",
        )
    if (node.gate and not node.synthesis) or (node.review and not node.gate):
        yield Finding(
            (*place.at, "gate" if node.gate else "review"),
            f"{place.label} has {'a gate without a synthesis' if node.gate else 'a review without a gate'}",
            "a review goes to a gate, and a gate decides on a synthesis",
        )
    if len(node.subtasks) > node.max_subtasks:
        yield Finding(
            (*place.at, "subtasks"),
            f"{place.label} has {len(node.subtasks)} subtasks, more than max_subtasks={node.max_subtasks}",
            "raise max_subtasks",
        )


def _phases(place: Place, node: SupervisorNode) -> Findings:
    """A latency budget is the sum of its phases, and each part that there is has one."""
    if node.phases is None:
        return
    at, total = (*place.at, "phases"), node.phases.total
    if total > node.seconds + 1e-9:
        yield Finding(
            at,
            f"the phases of {place.label} take {total:g} s together, more than its seconds: {node.seconds:g}",
            f"shorten them, or raise seconds to {total:g}",
        )
    for phase, parts in (("planning", node.planner or node.split), ("synthesis", node.synthesis)):
        if parts and not getattr(node.phases, phase):
            yield Finding(at, f"the phases of {place.label} leave no time for {phase}", f"give {phase} its seconds")


def _workers(place: Place, node: SupervisorNode) -> Findings:
    named = [(("subtasks", str(index), "type"), spec.type) for index, spec in enumerate(node.subtasks)]
    named += [(("workers", name, "reroute"), o) for name, worker in node.workers.items() for o in worker.reroute]
    missing = [(at, name) for at, name in named if name not in node.workers]
    for at, name in missing:
        yield Finding((*place.at, *at), f"{place.label} has no worker type {name!r}", not_known(name, node.workers))
    if not missing and dispatches(node) * CHILD_EVENTS > MAX_EVENTS:
        yield Finding(
            place.at,
            f"{place.label} may dispatch {dispatches(node):,} attempts; its history holds {MAX_EVENTS // CHILD_EVENTS:,}",
            "lower max_subtasks, attempts or reroute",
        )
