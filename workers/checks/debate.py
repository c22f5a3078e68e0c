"""Debates: positions to differ on, thresholds that fit together, and debaters that do not see each other's first answers."""

from collections import Counter

from workers.checks.findings import Finding, Findings, Place, TeamView, Weight
from workflows.teams.platform import READ_STATE
from workflows.teams.routes import owners
from workflows.teams.tree import AgentNode, DebateNode


def debates(view: TeamView) -> Findings:
    """What cannot work in a debate, and what nobody can have meant."""
    for place in view.places:
        if isinstance(place.node, DebateNode):
            yield from _positions(place, place.node)
            yield from _thresholds(place, place.node)
            yield from _debaters(view, place, place.node)


def _positions(place: Place, node: DebateNode) -> Findings:
    at = (*place.at, "positions")
    plain = [" ".join(position.split()).casefold() for position in node.positions]
    twice = next((index for index, position in enumerate(plain) if position in plain[:index]), None)
    if twice is not None:
        yield Finding(
            (*at, str(twice)),
            f"{place.label} has the position {node.positions[twice]!r} twice",
            "give each position once: case and spaces make no difference",
        )
    elif "" in plain:
        yield Finding((*at, str(plain.index(""))), f"{place.label} has an empty position", "who has none abstains")
    elif len(plain) == 1:
        yield Finding(
            at,
            f"{place.label} has one position only: {node.positions[0]!r}",
            "give the others too, or leave positions away where any answer may be given",
            Weight.ERROR,
        )
    if node.positions and node.comparer:
        yield Finding(
            (*place.at, "comparer"),
            f"the comparer of {place.label} is never asked: its positions are given, so they are the same or not",
            "take it out, or leave positions away",
            Weight.ERROR,
        )


def _thresholds(place: Place, node: DebateNode) -> Findings:
    if node.quorum > len(node.debaters):
        yield Finding(
            (*place.at, "quorum"),
            f"{place.label} has {len(node.debaters)} debaters, fewer than its quorum of {node.quorum}",
            "lower quorum, or add debaters",
        )
    if node.max_disagreement < 1 - node.agreement - 1e-9:
        yield Finding(
            (*place.at, "max_disagreement"),
            f"{place.label} ends at an agreement of {node.agreement:g}, which leaves more than max_disagreement="
            f"{node.max_disagreement:g} against it",
            f"raise agreement to {1 - node.max_disagreement:g}, or max_disagreement to {1 - node.agreement:g}",
            Weight.ERROR,
        )


def _debaters(view: TeamView, place: Place, node: DebateNode) -> Findings:
    for name, debater in node.debaters.items():
        if not isinstance(debater, AgentNode):
            continue
        for owner in owners(view.team, debater.agent):
            agent = view.team.agents.get(owner)
            if agent and READ_STATE in agent.tools:
                yield Finding(
                    (*place.at, "debaters", name),
                    f"the debater {name!r} may read the state, in which the others' first votes stand",
                    f"take {READ_STATE} from the agent {owner!r}, or let another agent debate",
                )
    plans = Counter(debater.plan for debater in node.debaters.values() if isinstance(debater, AgentNode))
    for name, debater in node.debaters.items():
        if isinstance(debater, AgentNode) and plans.pop(debater.plan, 0) > 1:
            yield Finding(
                (*place.at, "debaters", name),
                f"several debaters of {place.label} are the agent {debater.agent!r} as it is: they differ by chance alone",
                "give each a persona, a tier or a temperature of its own, or an agent of its own",
                Weight.WARNING,
            )
