"""Names: every agent that the tree names is there, every name says one thing, and none is taken for another."""

from collections import Counter
from collections.abc import Iterable

from activities.lookalikes import lookalike, skeleton
from workers.checks.findings import Finding, Findings, TeamView, Weight
from workers.team_file import nearest
from workflows.teams.tree import AgentNode, NodeBase, PipelineNode, TierFallback, node_key, node_name

MAX_PARTS = 16
"""Parts of a step's path."""
MAX_PATH = 400
"""Characters of a step's path."""


def names(view: TeamView) -> Findings:
    """Agents that there are not, names that stand for two things, and paths that are too long."""
    team = view.team
    for place in view.places:
        if isinstance(place.node, AgentNode) and place.node.agent not in team.agents:
            at = place.at if place.role == "planner" else (*place.at, "agent")
            yield Finding(
                at,
                f"the tree names the agent {place.node.agent!r}, which the team does not have",
                not_known(place.node.agent, team.agents),
            )
    for name, agent in team.agents.items():
        for other in agent.transfers_to:
            at = ("agents", name, "transfers_to")
            if other not in team.agents:
                yield Finding(
                    at,
                    f"the agent {name!r} transfers to {other!r}, which the team does not have",
                    not_known(other, team.agents),
                )
            elif other == name:
                yield Finding(at, f"the agent {name!r} transfers to itself", "name other agents, or leave it away")
    yield from _twice(view)
    for place in view.places:
        if len(place.parts) > MAX_PARTS or len("/".join(place.parts)) > MAX_PATH:
            yield Finding(
                place.at,
                f"{place.label} stands too deep: its steps' paths may have {len(place.parts)} parts and"
                f" {len('/'.join(place.parts))} characters, of at most {MAX_PARTS} and {MAX_PATH}",
                "flatten the tree, or shorten the names",
            )
            return  # all that is below stands deeper


def _twice(view: TeamView) -> Findings:
    named = [place for place in view.places if not isinstance(place.node, AgentNode) and not place.is_same]
    count = Counter([*(node_name(place.node) for place in named), *view.team.agents])
    told = set()
    for place in reversed(named):  # the later one is the mistake
        name = node_name(place.node)
        if count[name] > 1 and name not in told:
            told.add(name)
            yield Finding(
                place.at,
                f"two nodes of the tree are named {name!r}",
                "give each call, pattern and agent a name of its own",
            )
    for place in view.places:
        if (
            place.role in {"stages", "nodes"}
            and place.above
            and isinstance(place.above.node.fallback, NodeBase | TierFallback)
        ):
            key = node_key(place.node) if place.role == "stages" else place.at[-1]
            if key == "fallback":
                yield Finding(
                    place.at,
                    f"the {place.above.node.kind} {node_name(place.above.node)!r} has a fallback and a part that is called so"
                    " too: their steps would have the same path",
                    "give that part another key",
                )
        if isinstance(place.node, PipelineNode):
            seen = dict[str, int]()
            for index, stage in enumerate(place.node.stages):
                key = node_key(stage)
                if key in seen:
                    yield Finding(
                        (*place.at, "stages", str(index)),
                        f"the stages {seen[key] + 1} and {index + 1} of the pipeline {place.node.name!r} have the key"
                        f" {key!r}: the second would take the place of what the first has made",
                        "give one of them a key of its own",
                    )
                seen.setdefault(key, index)


def looks(view: TeamView) -> Findings:
    """Names that a reader takes for another."""
    nodes = {node_name(place.node): place.at for place in view.places if not isinstance(place.node, AgentNode)}
    every = {**{name: ("agents", name) for name in view.team.agents}, **nodes}
    shown: dict[str, str] = {}
    for name, at in every.items():
        other = shown.setdefault(skeleton(name), name)
        if other != name:
            yield Finding(at, f"the names {other!r} and {name!r} look alike", "rename one of them", Weight.ERROR)


def not_known(word: str, known: Iterable[str]) -> str:
    """The fix for a name that is not known: what it looks like, what it is near to, or what there is."""
    known = sorted(known)
    like = lookalike(word, known)
    return (
        f"it looks like {like!r} and is written with other characters: write {like}" if like else nearest(word, known)
    )


def or_the_text(fix: str, reference: str) -> str:
    """The fix for a ``$name`` that is not known: where it is like none that is, a text may be meant."""
    return fix if fix.startswith("did you mean") else f"{fix}; the text itself is written $${reference}"
