"""Places in which a pattern says what has to be answered: an agent there does no other work, and has no contract of its own."""

from activities.contracts.base import Schema
from activities.contracts.profile import OutputContract
from activities.input_contracts import input_problems
from workers.checks.findings import Finding, Findings, Place, TeamView
from workflows.teams.tree import AgentNode, ConstantFallback, PatternBase, TeamSpec


def answers_of(place: Place) -> Schema | None:
    """What has to be answered in this place, by whoever stands in too; nothing where that is the node's own affair."""
    if place.role == "fallback" and place.above:
        return answers_of(place.above)
    return place.part.answers if place.part else None


def contract_of(place: Place) -> OutputContract | None:
    """What an agent has to answer in this place; nothing where that is its own affair."""
    schema = answers_of(place)
    return OutputContract(schema_=schema) if isinstance(place.node, AgentNode) and schema is not None else None


def completed(view: TeamView) -> TeamSpec:
    """The team with the contracts that its places give to agents. Completing twice changes nothing."""
    agents = dict(view.team.agents)
    for place in view.places:
        if isinstance(place.node, AgentNode) and (contract := contract_of(place)):
            agents[place.node.agent] = agents[place.node.agent].model_copy(update={"output": contract})
    return view.team.model_copy(update={"agents": agents})


def roles(view: TeamView) -> Findings:
    """Agents that cannot answer as their place wants it."""
    wanted: dict[str, OutputContract] = {}
    for place in view.places:
        yield from _constant(place)
        contract = contract_of(place)
        if contract is None or not isinstance(place.node, AgentNode) or place.node.agent not in view.team.agents:
            continue
        name, role = place.node.agent, place.role
        others = [contract_of(other) for other in view.agents_in_tree.get(name, ())]
        own = view.team.agents[name].output
        if None in others:
            yield Finding(
                place.at,
                f"the agent {name!r} is a {role}, whose answers the pattern lays down, and does other work in the tree too",
                "give the other work to an agent of its own",
            )
        elif wanted.setdefault(name, contract) != contract or own not in (None, contract):
            yield Finding(
                place.at,
                f"the agent {name!r} answers as {role} of {place.above.label if place.above else 'its place'},"
                " and has an output contract of its own",
                "leave its output away: the pattern makes it; or give this job to another agent",
            )


def _decides(place: Place) -> Schema | None:
    """What the person of a pattern, or whoever stands in, decides for it."""
    if place.role == "fallback" and place.above:
        return _decides(place.above)
    above = place.above.node if place.above and place.role == "escalate" else None
    return above.decides() if isinstance(above, PatternBase) else None


def _constant(place: Place) -> Findings:
    """A constant stands in for an answer that the pattern reads."""
    fallback = place.node.fallback
    schema = _decides(place) or answers_of(place)
    if schema is None or not isinstance(fallback, ConstantFallback) or fallback.value is None:
        return
    for problem in input_problems(fallback.value, schema)[:1]:
        yield Finding(
            (*place.at, "fallback"),
            f"the constant that stands in for {place.label} is not what its place as {place.role} wants: {problem}",
            "give it the shape of that answer, or make it kind: skip",
        )
