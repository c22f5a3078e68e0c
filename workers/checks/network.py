"""Networks: peers that there are, events that somebody hears, questions that may be asked."""

from collections import Counter
from collections.abc import Iterator

from workers.checks.findings import At, Finding, Findings, Place, TeamView, Weight
from workers.checks.names import not_known, or_the_text
from workflows.networking.topics import matches
from workflows.teams.references import references
from workflows.teams.tree import NetworkNode


def networks(view: TeamView) -> Findings:
    """Peers that there are not."""
    for place, node in _networks(view):
        named: list[tuple[At, str]] = [
            (("start", str(index), "to"), seed.to) for index, seed in enumerate(node.start) if seed.to is not None
        ]
        named += [(("peers", name, "asks"), other) for name, peer in node.peers.items() for other in peer.asks]
        for at, name in named:
            if name not in node.peers:
                yield Finding((*place.at, *at), f"{place.label} has no peer {name!r}", not_known(name, node.peers))


def exchanges(view: TeamView) -> Findings:
    """Events and questions that nobody can have meant so."""
    for place, node in _networks(view):
        yield from _start(place, node)
        yield from _asks(place, node)
        yield from _topics(place, node)


def _networks(view: TeamView) -> Iterator[tuple[Place, NetworkNode]]:
    return ((place, place.node) for place in view.places if isinstance(place.node, NetworkNode))


def _start(place: Place, node: NetworkNode) -> Findings:
    given = "start" in node.model_fields_set
    for index, seed in enumerate(node.start):
        at = (*place.at, "start", str(index)) if given else place.at
        for below, name in references(seed.payload):
            if name not in {"goal", "input"}:
                yield Finding(
                    (*at, "payload", *below),
                    f"{place.label} begins with {seed.event_type!r}, which names ${name}, and may name $goal and $input",
                    or_the_text(not_known(name, ("goal", "input")), name),
                    Weight.ERROR,
                )
        listened = any(matches(topic, seed.event_type) for peer in node.peers.values() for topic in peer.subscribes)
        if node.goal_event and matches(node.goal_event, seed.event_type):
            yield Finding(
                at,
                f"{place.label} begins with {seed.event_type!r}, which is its goal event: it ends before it has begun",
                "begin with another event, or end with another one",
                Weight.ERROR,
            )
        elif seed.to is None and not listened:
            yield Finding(
                at,
                f"{place.label} begins with the event {seed.event_type!r}, which no peer subscribes to",
                f"let a peer subscribe to {seed.event_type}"
                + ("" if given else ", or say under start what it begins with"),
                Weight.ERROR,
            )


def _asks(place: Place, node: NetworkNode) -> Findings:
    for name, peer in node.peers.items():
        at = (*place.at, "peers", name, "asks")
        if name in peer.asks:
            yield Finding(
                at,
                f"the peer {name!r} of {place.label} asks itself: it would wait for its own answer",
                "name other peers",
                Weight.ERROR,
            )
        if peer.asks and not node.max_asks:
            yield Finding(
                at,
                f"the peer {name!r} of {place.label} may ask others, and max_asks is 0",
                "raise max_asks, or leave asks away",
                Weight.ERROR,
            )


def _topics(place: Place, node: NetworkNode) -> Findings:
    groups = Counter(peer.group for peer in node.peers.values() if peer.group and peer.subscribes)
    for name, peer in node.peers.items():
        at = (*place.at, "peers", name)
        if peer.group and not peer.subscribes:
            yield Finding(
                (*at, "group"),
                f"the peer {name!r} of {place.label} is in the group {peer.group!r} and subscribes to nothing",
                "say which events the group shares, or leave the group away",
                Weight.ERROR,
            )
        elif peer.group and groups[peer.group] == 1:
            yield Finding(
                (*at, "group"),
                f"the peer {name!r} of {place.label} is alone in the group {peer.group!r}",
                "add others to it, or leave the group away",
                Weight.WARNING,
            )
        if node.goal_event in peer.subscribes:
            yield Finding(
                (*at, "subscribes"),
                f"the peer {name!r} of {place.label} subscribes to the goal event {node.goal_event!r}, and never gets it:"
                " it ends the network",
                "take it out, or end with another event",
                Weight.ERROR,
            )
