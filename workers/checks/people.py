"""People: what holds at the deadline is something that could be said, and whoever is named is asked."""

from collections.abc import Iterator

from activities.contracts.people import Asking, Choice
from activities.outputs import schema_validator
from workers.checks.findings import At, Finding, Findings, Place, TeamView, Weight
from workflows.escalation import OF_SOMETHING
from workflows.human_view import MAX_REMINDERS
from workflows.teams.tree import CallNode, PatternBase, PersonNode


def people(view: TeamView) -> Findings:
    """What cannot work where people are asked."""
    agents = {f"{view.team.team}/{name}@{view.team.version}" for name in view.team.agents} | set(view.team.agents)
    calls = {place.node.name for place in view.places if isinstance(place.node, CallNode)} - agents
    for at, asking in _askings(view):
        for name in sorted({*asking.people, *asking.escalate_to} & agents):
            yield Finding(
                (*at, "people"),
                f"{name!r} is an agent of the team, and no agent may decide what people are asked",
                "name people",
            )
        for name in sorted({*asking.people, *asking.escalate_to} & calls):
            yield Finding((*at, "people"), f"{name!r} is a call of the team, and no person", "name people")
        for name, message, fix in never_comes(asking):
            yield Finding((*at, name), message, fix, Weight.ERROR)
        if asking.remind_seconds is not None and asking.remind_seconds < asking.seconds / MAX_REMINDERS:
            yield Finding(
                (*at, "remind_seconds"),
                f"remind_seconds is {asking.remind_seconds:g}, and a question has at most {MAX_REMINDERS} reminders: there is"
                f" one each {asking.seconds / MAX_REMINDERS:g} s",
                "make it larger, or seconds smaller",
                Weight.WARNING,
            )
    for place in view.places:
        if isinstance(place.node, PersonNode):
            yield from _default(place.at, place.node, place.node.asking or view.team.people)
            yield from _of_nothing(place, place.node)


def never_comes(asking: Asking) -> Iterator[tuple[str, str, str]]:
    """What a way of asking says that never happens: field, message and fix."""
    if asking.escalate_to and asking.escalate_seconds is None:
        yield "escalate_to", "nobody is ever escalated to: escalate_seconds is not given", "give it"
    for name in ("escalate_seconds", "remind_seconds"):
        after = getattr(asking, name)
        if after is not None and after >= asking.seconds:
            message = f"{name} is {after:g}, and the question ends after {asking.seconds:g} s"
            yield name, message, f"make {name} smaller than seconds"


def _askings(view: TeamView) -> Iterator[tuple[At, Asking]]:
    yield ("people",), view.team.people
    for place in view.places:
        if isinstance(place.node, PersonNode) and place.node.asking:
            yield (*place.at, "asking"), place.node.asking
        if place.node.budget and place.node.budget.asking:
            yield (*place.at, "budget", "asking"), place.node.budget.asking


def _of_nothing(place: Place, node: PersonNode) -> Findings:
    """Whoever a pattern escalates to says yes to what there is: to nothing, where it has only failed."""
    above = place.above.node if place.above and place.role == "escalate" and not place.is_same else None
    chosen = [choice.value for choice in node.choices if choice in OF_SOMETHING]
    if chosen and isinstance(above, PatternBase) and not above.has_drafts():
        yield Finding(
            (*place.at, "choices"),
            f"{place.label} may {' or '.join(chosen)}, and the {above.kind} {above.name!r} has nothing to show that could be"
            " passed on: it asks for what has failed",
            "make choices [answer, reject]",
            Weight.ERROR,
        )


def _default(at: At, node: PersonNode, asking: Asking) -> Findings:
    if asking.default is not None and asking.default not in node.choices and node.asking is not None:
        yield Finding(
            (*at, "asking", "default"),
            f"the person {node.name!r} may say {', '.join(node.choices)}, and by default it is {asking.default.value}",
            "make it one of the choices, or add it to them",
        )
    if asking.default in {Choice.ANSWER, Choice.EDIT} and node.asking and node.answer is not None:
        problem = next(schema_validator(node.answer).iter_errors(asking.default_answer), None)
        if problem:
            yield Finding(
                (*at, "asking", "default_answer"),
                f"the default answer of the person {node.name!r} is no answer: {problem.message[:200]}",
                "give a default_answer that fits answer",
            )
