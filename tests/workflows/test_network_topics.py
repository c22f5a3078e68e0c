"""What topics mean, who of a group is next, what events and steps are called, and which waits close a circle."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.contracts.events import EventOutcome
from tests.support.networks import network
from workflows.networking.exchange import MAX_BYTES, Exchange
from workflows.networking.topics import MAX_DERIVED, derived, in_order, listeners, matches, slug
from workflows.networking.waits import circle
from workflows.teams.tree import NetworkNode

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,5}", fullmatch=True)
PATHS = st.lists(st.tuples(NAMES, st.integers(1, 99)), min_size=0, max_size=4)


@pytest.mark.parametrize(
    ("topic", "event_type", "means"),
    [
        ("order.paid", "order.paid", True),
        ("order.paid", "order.paid.late", False),
        ("order.*", "order.paid", True),
        ("order.*", "order.item.sold", True),
        ("order.*", "order", False),
        ("*.paid", "order.paid", True),
        ("*.paid", "order.item.paid", False),
        ("*", "goal", True),
        ("*", "order.paid.late", True),
        ("*.*", "goal", False),
        ("a.*.c", "a.b.c", True),
    ],
)
def test_a_topic_is_words_with_stars(topic: str, event_type: str, means: bool) -> None:
    assert matches(topic, event_type) is means


def test_a_group_takes_turns_along_what_led_to_an_event_and_among_what_was_sent_together() -> None:
    group = {name: {"subscribes": ["job"], "group": "g"} for name in ("a", "b", "c")}
    node = network({**group, "all": ["*"]}).root
    assert isinstance(node, NetworkNode)
    had: dict[str, int] = {}
    taken = []
    for number in range(1, 7):
        first, last = listeners(node, "job", f"#1.x.{number}", had)
        assert last == "all"
        had[first] = had.get(first, 0) + 1
        taken.append(first)
    assert sorted(taken) == ["a", "a", "b", "b", "c", "c"]
    assert {listeners(node, "job", f"#1.x.{number}.y.1", {})[0] for number in range(1, 4)} == {"a", "b", "c"}
    assert listeners(node, "job", "#1", {"a": 1, "b": 0, "c": 1})[0] == "b"
    assert listeners(node, "other", "#1", {}) == ["all"]


@given(PATHS, PATHS)
def test_different_events_have_different_ids_and_steps(
    one: list[tuple[str, int]], other: list[tuple[str, int]]
) -> None:
    first, second = ("#1" + "".join(f".{name}.{number}" for name, number in path) for path in (one, other))
    assert (slug(first) == slug(second)) is (first == second)
    assert (in_order(first) == in_order(second)) is (first == second)


def test_ids_stay_short_and_are_never_those_that_a_peer_may_give() -> None:
    ids = ["#1"]
    for _ in range(100):
        ids.append(derived(ids[-1], "a" * 64, "1"))
    assert len(set(ids)) == 101
    assert max(map(len, ids)) <= MAX_DERIVED
    assert all(one.startswith("#") for one in ids)
    assert derived("given", "a", "1").startswith("#")
    assert slug("1") != slug("#1")
    assert all(in_order(before) != in_order(after) for before, after in pairwise(ids))


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=30))
def test_no_circle_of_waits_ever_closes(asks: list[tuple[int, int]]) -> None:
    waits: dict[str, str] = {}
    for asker, asked in ((str(one), str(other)) for one, other in asks):
        if asker in waits:
            continue
        path = circle(waits, asker, asked)
        if not path:
            waits[asker] = asked
        else:
            assert path[0] == path[-1] == asker
            assert all(waits[one] == other for one, other in pairwise(path[1:]))
        for start in waits:
            at, seen = start, set[str]()
            while at in waits:
                assert at not in seen
                seen.add(at)
                at = waits[at]


def test_a_storm_and_large_events_stay_within_bounds() -> None:
    """What is kept of a network does not grow with what its peers would send."""
    group = {f"p{n}": {"subscribes": ["*"], "group": "g"} for n in range(4)}
    node = network(group, max_events=200, max_hops=100).root
    assert isinstance(node, NetworkNode)
    for payload, most in (("x", 300_000), ("x" * 20_000, 3 * MAX_BYTES)):
        exchange = Exchange(node)
        exchange.begin("go", None, "net", 1.0)
        begun = 0
        while ready := exchange.ready(()):
            peer, begun = ready[0][0], begun + 1
            said: Any = {"events": [{"event_type": "drop", "payload": payload}] * 16}
            exchange.ended(peer, exchange.take(peer), said, step=f"net/{peer}/{begun}", now=1.0)
        assert begun <= 200
        memory = exchange.memory.model_dump(mode="json")
        assert len(json.dumps(memory)) < most
        assert exchange.memory.size_bytes <= MAX_BYTES
        passed_on = [one for one in exchange.memory.events.values() if one.outcome is not EventOutcome.LIMIT]
        assert sum(exchange.memory.dropped.values()) + len(passed_on) == 1 + 16 * begun, "none is lost without a word"
        assert Exchange(node, memory).memory == exchange.memory
