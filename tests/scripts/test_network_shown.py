"""A network is drawn with its topics, and its events are shown as what happened to each."""

from activities.contracts.events import EventOutcome, EventReport
from scripts.mermaid import flowchart
from scripts.network_events import event_lines, event_objects
from tests.support.networks import network


def test_a_network_is_drawn_with_what_its_peers_listen_to_and_whom_they_ask() -> None:
    peers = {
        "a": {"subscribes": ["goal", "fact.*"], "asks": ["b"]},
        "b": {"subscribes": ["fact.*"], "group": "g"},
    }
    lines = [line.strip() for line in flowchart(network(peers)).splitlines()]
    drawn = [line for line in lines if "n_e" in line or "asks" in line]
    assert drawn == [
        'n_e0(["goal"])',
        'n_e1(["fact.*"])',
        "n_e0 --> n_0",
        "n_e1 --> n_0",
        "n_0 -. asks .-> n_1",
        "n_e1 -- one of g --> n_1",
    ]


def test_an_event_says_who_sent_it_and_what_became_of_it() -> None:
    known = {"network": "net", "task_id": "net", "agent_id": "net", "timestamp": 1.0}
    reports = [
        EventReport(event_id="#1", event_type="goal", handled_by=("a", "b"), duplicates=2, **known),
        EventReport(event_id="#1.a.1", event_type="x", to="who", outcome=EventOutcome.UNDELIVERED, **known),
        EventReport(event_id="#1.a.2", event_type="end", outcome=EventOutcome.GOAL, **known),
        EventReport(
            event_id="#1.a.3", event_type="more", outcome=EventOutcome.UNFINISHED, left_with=("b", "c"), **known
        ),
    ]
    assert list(event_lines(reports)) == [
        "event #1 goal: net -> a, b, sent again 2 times",
        "event #1.a.1 x: net -> who, nobody listens",
        "event #1.a.2 end: net -> -, ended the network",
        "event #1.a.3 more: net -> -, not worked on by b, c",
        "4 events, 1 reached nobody, 1 not worked on",
    ]
    shown = event_objects(reports)[1]
    assert shown["to"] == "who"
    assert shown["handled_by"] == []
    assert shown["outcome"] == "undelivered"
