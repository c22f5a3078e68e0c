"""Fan-outs: branches that there are, and answers that can come."""

from workers.checks.contracts import committed
from workers.checks.findings import Finding, Findings, Place, TeamView, Weight
from workers.checks.names import not_known
from workflows.teams.kinds.fan_out import REDUCER
from workflows.teams.tree import AgentNode, FanOutNode

INPUT = "input"
FALLBACK = "fallback"


def fan_outs(view: TeamView) -> Findings:
    """What cannot work in the shape of a fan-out, or cannot be meant."""
    for place in view.places:
        if isinstance(place.node, FanOutNode):
            yield from _branches(place, place.node)
            yield from _items(place, place.node)
            yield from _wanted(place, place.node)
            yield from _reduction(place, place.node)


def _branches(place: Place, node: FanOutNode) -> Findings:
    if bool(node.branches) == (node.each is not None):
        given = "both branches and each" if node.branches else "neither branches nor each"
        yield Finding(place.at, f"{place.label} has {given}", "give one of the two")
    keys: dict[str, str] = {}
    for part in node.parts():
        name = part.place.partition(".")[2]
        at = (*place.at, *part.place.split("."))
        if name in {REDUCER, FALLBACK}:
            yield Finding(
                at,
                f"{place.label} has a branch {name!r}, and a step of its own that is called so: both would have one path",
                "give the branch another name",
            )
        elif part.key and (other := keys.setdefault(part.key, part.place)) != part.place:
            yield Finding(
                at,
                f"{part.place} and {other} of {place.label} have the key {part.key!r}: the second would take the place of"
                " what the first has made",
                "give one of them a key of its own",
            )


def _items(place: Place, node: FanOutNode) -> Findings:
    name = node.items[1:]
    if node.each is None:
        given = [field for field in ("items", "batch", "max_branches") if field in node.model_fields_set]
        if given and node.branches:
            yield _not_meant(place, given[0], f"{place.label} has {given[0]} and no each", "leave it away, or use each")
        return
    if name != INPUT and name not in node.needs:
        yield Finding(
            (*place.at, "items"),
            f"{place.label} goes over the items of {node.items}, which its needs do not name",
            _to_have(place, name),
        )
    if node.batch > 1 and not isinstance(node.each, AgentNode):
        yield Finding(
            (*place.at, "batch"),
            f"{place.label} has batches of {node.batch}, and a {node.each.kind} for each item",
            "only an agent answers several items in one call: leave batch away",
        )
    if node.answer is not None and node.batch == 1:
        yield _not_meant(
            place,
            "answer",
            f"{place.label} says what the answer for one item of a batch is, and has no batches",
            "give it as the agent's own output, or set batch",
        )


def _to_have(place: Place, name: str) -> str:
    """How a list can be had: what nobody commits before cannot be declared either."""
    keys, supervised, is_open = committed(place)
    if name in keys or supervised or is_open:
        return f"declare it there (needs: [{name}])"
    fix = not_known(name, (INPUT, *place.node.needs, *keys))
    if fix.startswith("did you mean"):
        return fix
    why = (
        ": the goal is no key of the state, and $input is the goal where nothing comes before" if name == "goal" else ""
    )
    return f"it cannot be had there{why}; {fix}"


def _wanted(place: Place, node: FanOutNode) -> Findings:
    most = node.max_branches if node.each else len(node.branches)
    if isinstance(node.at_least, int) and most and node.at_least > most:
        yield Finding(
            (*place.at, "at_least"),
            f"{place.label} waits for {node.at_least} answers, and has at most {most} branches",
            f"lower at_least to {most} or less",
        )
    if node.grace_seconds and node.at_least == "all":
        yield _not_meant(
            place,
            "grace_seconds",
            f"{place.label} waits for all its branches: there is nobody left for its grace_seconds",
            "leave it away, or say how many answers are enough (at_least)",
        )
    if node.branch_seconds and node.branch_seconds > node.seconds:
        yield _not_meant(
            place,
            "branch_seconds",
            f"the branches of {place.label} have {node.branch_seconds:g} s, more than its seconds: {node.seconds:g}",
            f"shorten them, or raise seconds to {node.branch_seconds:g}",
        )


def _reduction(place: Place, node: FanOutNode) -> Findings:
    if node.reducer and "reduce" in node.model_fields_set:
        yield _not_meant(
            place,
            "reduce",
            f"{place.label} has both a reducer and reduce, and the reducer does it",
            "take one of them out",
        )
    if node.by and (node.reducer or node.reduce not in {"vote", "rank"}):
        how = "its reducer" if node.reducer else f"reduce: {node.reduce}"
        yield _not_meant(
            place,
            "by",
            f"{place.label} names a property in by, which {how} never reads",
            "leave it away, or vote or rank",
        )
    if node.reduce == "first" and node.at_least != 1 and not node.reducer:
        yield _not_meant(
            place,
            "reduce",
            f"{place.label} takes the answer that comes first, and waits for others too",
            "set at_least: 1, or collect them",
        )


def _not_meant(place: Place, field: str, message: str, fix: str) -> Finding:
    return Finding((*place.at, field), message, fix, Weight.ERROR)
