"""A tree that cannot work is refused in one sentence with a fix, before anything is spent."""

from typing import Any

import pytest

from activities.errors import ConfigurationInvalid
from activities.tools.base import collect_tools
from tests.support import tools
from tests.support.supervision import SUBTASKS, A, team
from workers.profiles import build_profiles
from workers.settings import load_settings
from workers.team_check import complete

KNOWN = collect_tools([tools])
ADD = {"kind": "call", "name": "sum", "tool": "add"}
ECHO = {"kind": "call", "name": "echo", "tool": "echo"}


@pytest.mark.parametrize(
    ("supervisor", "said", "fix"),
    [
        ({}, "no decomposition", "one of subtasks, split and planner"),
        ({"subtasks": SUBTASKS, "planner": "boss"}, "subtasks and planner", "one of"),
        ({"subtasks": [{"type": "bb", "task": "x"}]}, "no worker type 'bb'", "did you mean 'b'?"),
        ({"workers": {"a": {**A, "reroute": ["z"]}}, "planner": "boss"}, "no worker type 'z'", "known are: a"),
        ({"planner": "bos"}, "agent 'bos'", "did you mean 'boss'?"),
        ({"workers": {"a": {"node": {"kind": "agent", "agent": "c"}}}, "planner": "boss"}, "agent 'c'", "known are"),
        ({"planner": "writer", "synthesis": None, "gate": ECHO}, "a gate without a synthesis", "decides on"),
        ({"planner": "boss", "review": {"kind": "agent", "agent": "a"}}, "a review without a gate", "goes to a gate"),
        ({"planner": "a", "workers": {"b": {"node": {"kind": "agent", "agent": "b"}}}}, "contract of its own", "leave"),
        ({"planner": "writer"}, "does other work in the tree too", "an agent of its own"),
        ({"subtasks": SUBTASKS * 5}, "10 subtasks, more than max_subtasks=8", "raise max_subtasks"),
        ({"planner": "boss", "name": "writer"}, "named 'writer'", "a name of its own"),
        ({"planner": "boss", "max_subtasks": 200, "workers": {"a": {**A, "attempts": 5, "reroute": ["a"]}}}, "may dispatch 2,000", "lower"),
        ({"split": {**ADD, "arguments": {"a": "$draft", "b": 1}}}, "names $draft", "known are: goal, input, results, round"),
        ({"split": {**ADD, "arguments": {"a": "$goal"}}}, "do not fit the tool 'add': b: is missing", "its arguments are: a, b"),
        ({"split": {**ADD, "arguments": {"a": 1, "c": 1, "b": 1}}}, "c: is no argument of it", "known are: a, b"),
        ({"split": {**ADD, "arguments": {"a": 1, "b": "x"}}}, "b: Input should be", "its arguments are: a, b"),
    ],
)  # fmt: skip
def test_a_supervisor_that_cannot_work_is_refused(supervisor: dict[str, Any], said: str, fix: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        build_profiles(complete(team(**supervisor)), load_settings(), KNOWN, "offline")
    assert said in str(caught.value)
    assert fix in caught.value.fix


def test_a_planner_can_name_only_worker_types_that_there_are() -> None:
    done = complete(team(planner="boss", max_subtasks=3))
    contract = done.agents["boss"].output
    assert contract
    subtasks: Any = contract.schema_["properties"]
    assert subtasks["subtasks"]["maxItems"] == 3
    assert subtasks["subtasks"]["items"]["properties"]["type"]["enum"] == ["a", "b"]
    assert complete(done) == done
