"""Routers: labels that there are, rules that can hold, and somebody who decides."""

from activities.errors import ConfigurationInvalid
from activities.grants import check_rules
from workers.checks.findings import At, Finding, Findings, Place, TeamView, Weight
from workers.checks.names import not_known
from workflows.routing.rules import compiled
from workflows.teams.kinds.router import RouteRule
from workflows.teams.tree import RouterNode


def routers(view: TeamView) -> Findings:
    """What cannot work in a router, or cannot be meant."""
    for place in view.places:
        if isinstance(place.node, RouterNode):
            yield from _labels(place, place.node)
            for index, rule in enumerate(place.node.rules):
                yield from _rule(place, rule, index)
            yield from _deciding(place, place.node)


def _labels(place: Place, node: RouterNode) -> Findings:
    named: list[tuple[At, str]] = [(("rules", str(index), "to"), rule.to) for index, rule in enumerate(node.rules)]
    named += [(("default",), node.default)] if node.default is not None else []
    for at, label in named:
        if label not in node.routes:
            yield Finding((*place.at, *at), f"{place.label} has no route {label!r}", not_known(label, node.routes))


def _rule(place: Place, rule: RouteRule, index: int) -> Findings:
    at, what = (*place.at, "rules", str(index)), f"the rule {index + 1} of {place.label}"
    if not rule.pattern and not rule.fields:
        yield Finding(
            at,
            f"{what} says nothing, so that it never holds",
            "give it a pattern or fields; what is left over goes to the default",
            Weight.ERROR,
        )
    if rule.pattern and isinstance(problem := compiled(rule.pattern), str):
        yield Finding(
            (*at, "pattern"),
            f"the pattern of {what} cannot be read: {problem}",
            "write a regular expression without look-around and references to groups",
        )
    try:
        check_rules(rule.fields, what)
    except ConfigurationInvalid as error:
        yield Finding((*at, "fields"), str(error), error.fix)


def _deciding(place: Place, node: RouterNode) -> Findings:
    if node.classifier is not None:
        return
    # The person of ``escalate`` chooses among all labels, but only where there is no default.
    chooses = node.escalate is not None and node.default is None
    if not node.rules and not chooses:
        if node.default is None:
            yield Finding(
                place.at, f"{place.label} has nothing that decides", "give it rules, a classifier or a person"
            )
        else:
            yield Finding(
                (*place.at, "default"),
                f"{place.label} always goes to {node.default!r}: it has neither rules nor a classifier",
                "give it one of them, or put that destination in its place",
                Weight.ERROR,
            )
        return
    reached = {rule.to for rule in node.rules} | {node.default}
    for label in node.routes:
        if label not in reached and not chooses:
            yield Finding(
                (*place.at, "routes", label),
                f"{place.label} never goes to {label!r}: no rule names it, and there is no classifier",
                "give it a rule, or a classifier that knows it",
                Weight.ERROR,
            )
    if "threshold" in node.model_fields_set:
        yield Finding(
            (*place.at, "threshold"),
            f"{place.label} has a threshold, and no classifier whose confidence it could be held against",
            "leave it away, or give it a classifier",
            Weight.ERROR,
        )
