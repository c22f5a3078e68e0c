"""Topics: which event types a pattern means, and which member of a group takes an event."""

import hashlib
from collections.abc import Mapping, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.teams.tree import NetworkNode

MAX_DERIVED = 120
"""Characters of an event id; a longer one is shortened to its hash, from which the next ones are derived."""
MAX_SLUG = 24
DERIVED = "#"
"""What every id begins with that was not given by a peer."""


def matches(topic: str, event_type: str) -> bool:
    """Whether a pattern means an event type: ``*`` is any one word, and at the end any one or more."""
    wanted, said = topic.split("."), event_type.split(".")
    if wanted[-1] == "*" and len(said) > len(wanted):
        said = said[: len(wanted)]
    return len(wanted) == len(said) and all(want in ("*", word) for want, word in zip(wanted, said, strict=True))


def listeners(node: NetworkNode, event_type: str, event_id: str, had: Mapping[str, int]) -> list[str]:
    """Who gets an event: every subscriber without a group, and of each group one.

    That one is the member that has had the fewest of the events that led to this one; of several the next in the order of
    the file. It does not hang on what is at work at the moment, so that a re-run gives the event to the same peer.

    Args:
        node: the network.
        event_type: the event's.
        event_id: the event's.
        had: peer to events that it has had, of those that led to this one and those sent together with it.
    """
    found: list[str] = []
    groups: dict[str, list[str]] = {}
    for name, peer in node.peers.items():
        if any(matches(topic, event_type) for topic in peer.subscribes):
            if peer.group is None:
                found.append(name)
            else:
                groups.setdefault(peer.group, []).append(name)
    found += [_one_of(members, event_id, had) for members in groups.values()]
    return [name for name in node.peers if name in found]


def derived(cause: str, sender: str, number: str) -> str:
    """The id of the event that a peer sends in answer to another."""
    event_id = f"{cause if cause.startswith(DERIVED) else DERIVED + _hash(cause)}.{sender}.{number}"
    return event_id if len(event_id) <= MAX_DERIVED else DERIVED + _hash(event_id)


def slug(event_id: str) -> str:
    """A short name for an event, fit for a step's, and unlike that of any other event."""
    plain = event_id.removeprefix(DERIVED).replace("-", "--").replace(".", "-")
    short = event_id.startswith(DERIVED) and len(plain) <= MAX_SLUG
    return plain if short else _hash(event_id)


def in_order(event_id: str) -> list[tuple[int, int, str]]:
    """What sorts event ids by where they come from, and never by when."""
    return [
        (0, int(word), "") if word.isdecimal() else (1, 0, word) for word in event_id.removeprefix(DERIVED).split(".")
    ]


def _one_of(members: Sequence[str], event_id: str, had: Mapping[str, int]) -> str:
    fewest = min(had.get(name, 0) for name in members)
    free = [name for name in members if had.get(name, 0) == fewest]
    return free[_spread(event_id) % len(free)]


def _spread(event_id: str) -> int:
    """A number that differs between events of different origin: 0 for the first of each."""
    if not event_id.startswith(DERIVED):
        return int(_hash(event_id)[1:], 16)
    words = event_id.removeprefix(DERIVED).split(".")
    return sum(int(word) - 1 for word in words if word.isdecimal())


def _hash(text: str) -> str:
    # The letter keeps it apart from ids that begin with the number of a first event.
    return "x" + hashlib.sha256(text.encode()).hexdigest()[:12]
