"""Refinements: shifts that there can be and that may come, and an acceptance that asks for something."""

from workers.checks.findings import Finding, Findings, Place, TeamView, Weight
from workflows.teams.kinds.refine import STUCK_AFTER
from workflows.teams.tree import AgentNode, RefineNode


def refines(view: TeamView) -> Findings:
    """What cannot work in a refinement, and what nobody can have meant."""
    for place in view.places:
        if isinstance(place.node, RefineNode):
            yield from _shifts(place, place.node)
            yield from _acceptance(place, place.node)


def _shifts(place: Place, node: RefineNode) -> Findings:
    at = (*place.at, "shifts")
    if node.shifts and not isinstance(node.writer, AgentNode):
        yield Finding(
            at,
            f"{place.label} has shifts, and its writer is a {node.writer.kind}",
            "only an agent's temperature, persona and tier can be shifted: make the writer an agent, or take shifts out",
        )
        return
    for index, shift in enumerate(node.shifts):
        if isinstance(node.writer, AgentNode) and shift.of(node.writer) == node.writer:
            yield Finding(
                (*at, str(index)),
                f"the shift {index + 1} of {place.label} changes nothing",
                "give it a temperature, a persona or a tier that the writer does not have",
            )
    each = min(node.shift_after, STUCK_AFTER) if node.looks_stuck else node.shift_after
    reached = (node.iterations - 1) // each
    if node.shifts and reached < len(node.shifts):
        yield Finding(
            (*at, str(reached)),
            f"the shift {reached + 1} of {place.label} never comes: there are {node.iterations} iterations, and a shift"
            f" after {each} drafts at the earliest",
            f"allow at least {len(node.shifts) * each + 1} iterations, shift earlier, or take it out",
            Weight.ERROR,
        )


def _acceptance(place: Place, node: RefineNode) -> Findings:
    if node.accept_score == 0:
        yield Finding(
            (*place.at, "accept_score"),
            f"{place.label} accepts every draft: its accept_score is 0",
            "raise it, or leave it away",
            Weight.ERROR,
        )
    if node.comparer and not node.looks_stuck:
        yield Finding(
            (*place.at, "comparer"),
            f"the comparer of {place.label} is never asked: it compares {STUCK_AFTER} drafts before a further one, and there are"
            f" {node.iterations} iterations",
            f"allow more than {STUCK_AFTER} iterations, or take it out",
            Weight.ERROR,
        )
