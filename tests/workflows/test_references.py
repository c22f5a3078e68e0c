"""``$name`` stands for what a place offers, however deep it is written, and a text can begin with a dollar sign too."""

from typing import Any

import pytest

from activities.contracts.events import EventOutcome
from workflows.call_step import fill
from workflows.networking.exchange import Exchange
from workflows.teams.references import declared, filled
from workflows.teams.tree import CallNode, NetworkNode


def call(**arguments: Any) -> CallNode:
    return CallNode(tool="echo", name="c", arguments=arguments)


def test_a_name_is_replaced_in_lists_and_objects_and_what_is_put_in_is_data() -> None:
    node = call(text=["$one", "$goal", {"deep": "$one", "not": "$late"}], plain="$5 and $one")
    assert declared(node) == ("one", "goal", "late")
    assert fill(node, {"goal": "the goal", "one": ["$goal"]}) == {
        "text": [["$goal"], "the goal", {"deep": ["$goal"], "not": None}],
        "plain": "$5 and $one",
    }


@pytest.mark.parametrize(
    ("written", "meant"), [("$$one", "$one"), ("$$$one", "$$one"), ("$$5", "$$5"), ("$", "$"), ("$$a b", "$$a b")]
)
def test_a_text_that_looks_like_a_name_has_one_dollar_sign_more(written: str, meant: str) -> None:
    assert filled([written], {"one": 1}) == [meant]
    assert declared(call(text=written)) == ()


def test_a_network_begins_with_names_at_any_depth() -> None:
    start = [{"event_type": "go", "payload": {"what": ["$goal", "$$goal"], "of": "$input"}}]
    peers = {"a": {"node": {"kind": "call", "tool": "echo", "name": "a"}, "subscribes": ["go"]}}
    exchange = Exchange(NetworkNode.model_validate({"kind": "network", "peers": peers, "start": start}))
    exchange.begin("the goal", 7, "n", 0.0)
    (record,) = exchange.memory.events.values()
    assert record.outcome is EventOutcome.WAITING
    assert record.event.payload == {"what": ["the goal", "$goal"], "of": 7}
