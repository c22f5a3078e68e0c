"""Network: peers on topics, without a coordinator."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, JsonValue

from activities.contracts.base import Name, Schema, Text, WireModel
from workflows.teams.kinds.base import Part, PatternBase, choice, listed, record, text
from workflows.teams.kinds.single import AgentNode, PersonNode

if TYPE_CHECKING:
    from workflows.teams.tree import Node

MAX_EVENTS = 1000
MAX_EMITTED = 16
"""Events that one peer may send in one answer."""
Topic = Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]+|\*)(\.([A-Za-z0-9_-]+|\*))*$", max_length=200)]
"""An event type, or a pattern of them: words with dots between; ``*`` is any one word, and at the end any one or more:
``order.*`` means ``order.paid`` and ``order.item.sold``, not ``order``."""
EVENT_TYPE = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$"
EventType = Annotated[str, Field(pattern=EVENT_TYPE, max_length=200)]


class PeerSpec(WireModel):
    """One peer: what it hears of, and what it does then."""

    node: "Node"
    """Gets one event at a time, and remembers none of those before; answers with the events that it sends, where it may
    ask perhaps a question, and where it was asked the answer: ``{events: [{event_type, payload, to}], ask: {to, question},
    answer}``. A call may take ``$goal``, ``$payload`` (or ``$input``), ``$event`` (all of it but its time) and ``$answer``
    (of the peer that it has asked)."""
    subscribes: Annotated[tuple[Topic, ...], Field(max_length=32)] = ()
    """Event types that it gets, its own events too; with none it gets what is sent to it alone, and questions."""
    group: Name | None = None
    """Of the subscribers of one group one gets each event: whoever has had the fewest of those that led to it, then the
    next in the order of the file."""
    asks: Annotated[tuple[Name, ...], Field(max_length=32)] = ()
    """Peers that it may ask. It waits for the answer, goes on with it, and works on nothing else meanwhile."""
    description: Text = ""
    """What it is for; peers that may ask it read it."""


class SeedEvent(WireModel):
    """An event that the network begins with."""

    event_type: EventType
    payload: JsonValue = None
    """What it says; ``$goal`` and ``$input`` stand for the network's own."""
    to: Name | None = None


class NetworkNode(PatternBase):
    """Peers that work on events, and send more of them, until nothing is left to do."""

    kind: Literal["network"] = "network"
    name: Name = "network"
    peers: Annotated[dict[Name, PeerSpec], Field(min_length=1, max_length=32)]
    start: Annotated[tuple[SeedEvent, ...], Field(min_length=1, max_length=32)] = (
        SeedEvent(event_type="goal", payload="$goal"),
    )
    goal_event: Topic | None = None
    """The event that ends it: its payload is the output. Absent: it ends when nobody has anything left to do."""
    max_events: Annotated[int, Field(ge=1, le=MAX_EVENTS)] = 100
    """Events that peers work on: one that three get is three. Questions count too."""
    max_hops: Annotated[int, Field(ge=1, le=100)] = 16
    """Events one after the other, each sent in answer to the one before: what is sent after so many reaches nobody."""
    max_asks: Annotated[int, Field(ge=0, le=5)] = 2
    """Questions that a peer may ask about one event, one after the other."""
    max_parallel: Annotated[int, Field(ge=1, le=32)] = 4
    """Peers at work at once; each works on one event at a time."""
    at_limit: Literal["partial", "fail"] = "partial"
    """What it comes to where a limit has kept it from its end, or its goal event never came."""
    result: "Node | None" = None
    """Makes the output of the goal event, or of those that nobody had subscribed to; of all where there is none. A call may
    take ``$goal``, ``$input`` (these), ``$events`` (all that peers have sent) and ``$missing``. Absent: the output is what
    the goal event says, or the list of what those say that nobody had subscribed to."""

    def parts(self) -> tuple[Part, ...]:
        """The peers, one of them for each event, and the result."""
        found = []
        offers: tuple[str, ...] = ("input", "event", "payload", "answer")
        for name, peer in self.peers.items():
            place, turns = f"peers.{name}.node", 1 + (self.max_asks if peer.asks else 0)
            step, answers = f"{name}/{'1' * 24}.6", sent(self, peer)
            found.append(
                Part(
                    place,
                    peer.node,
                    self.max_events * turns,
                    1,
                    "peers",
                    offers,
                    answers,
                    step,
                    at_once=self.max_parallel,
                )
            )
        if self.result:
            before = tuple(part.place for part in found)
            offers = ("input", "events", "missing")
            found.append(Part("result", self.result, 1, 1, "", offers, None, "result", before))
        return tuple(found)


def sent(node: NetworkNode, peer: PeerSpec) -> Schema:
    """What a peer answers. Agents and people are held to peers that there are; what others send to nobody is reported."""
    chooses = isinstance(peer.node, AgentNode | PersonNode)
    to = "The one peer that it is for; leave it away for all who listen."
    event = record(
        {
            "event_type": {
                **text("Words with dots between, such as order.checked.", longest=200),
                "pattern": EVENT_TYPE,
            }
        },
        {
            "payload": {"description": "What it says: a text or an object."},
            "to": choice(tuple(node.peers), to) if chooses else text(to, longest=200),
            "event_id": text("Only to say that it is the same event as one before.", longest=100),
        },
    )
    events = listed(
        event, most=MAX_EMITTED, description="What you tell the others; empty where there is nothing to tell."
    )
    more: dict[str, JsonValue] = {}
    if any(other.asks for other in node.peers.values()):  # of all alike: several peers may be the same agent
        more["answer"] = {"description": "The answer, where you are asked a question: a text or an object."}
    if peer.asks:
        question = record({"to": choice(peer.asks, "Who is asked."), "question": text("What you want to know.")})
        more["ask"] = {**question, "description": "Only where you cannot go on without an answer."}
    return record({"events": events}, more)
