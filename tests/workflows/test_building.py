"""Teams in Python are the teams of files."""

from pathlib import Path
from typing import Any

import pytest

from activities.errors import ConfigurationInvalid
from workers.team_file import load_team
from workflows.teams.building import (
    agent,
    call,
    constant,
    own,
    person,
    pipeline,
    skip,
    supervisor,
    team,
    tier,
)
from workflows.teams.tree import PipelineNode, node_key

FILE = """
team: report
agents:
  finder: {instructions: Find., tier: small}
  writer: {instructions: Write.}
root:
  kind: pipeline
  name: report
  seconds: 600
  stages:
  - {kind: agent, agent: finder, key: facts, fallback: {kind: tier, tier: mid}}
  - kind: supervisor
    name: parts
    workers:
      part: {node: {kind: agent, agent: writer, fallback: {kind: constant, value: none}}}
      other: {node: {kind: call, tool: add, name: add, arguments: {a: 1}}, attempts: 1}
    subtasks: [{type: part, task: Do it.}]
  - {kind: person, name: editor, question: "Good?", choices: [approve, reject], critical: false, fallback: {kind: skip}}
  - kind: workflow
    workflow: mine
    nodes: {a: {kind: agent, agent: writer}}
    max_steps: 3
  - {kind: call, tool: write_artifact, name: save, needs: [facts], budget: {tool_calls: 1}, arguments: {text: $input}}
"""


def test_a_team_in_python_is_the_one_of_the_file(tmp_path: Path) -> None:
    root = pipeline(
        agent("finder", key="facts", fallback=tier("mid")),
        supervisor(
            "parts",
            {
                "part": agent("writer", fallback=constant("none")),
                "other": {"node": call("add", {"a": 1}), "attempts": 1},
            },
            subtasks=[{"type": "part", "task": "Do it."}],
        ),
        person("Good?", name="editor", choices=("approve", "reject"), critical=False, fallback=skip()),
        own("mine", {"a": agent("writer")}, max_steps=3),
        call("write_artifact", {"text": "$input"}, name="save", needs=("facts",), budget={"tool_calls": 1}),
        name="report",
        seconds=600,
    )
    agents = {"finder": {"instructions": "Find.", "tier": "small"}, "writer": {"instructions": "Write."}}
    file = tmp_path / "report.yaml"
    file.write_text(FILE)
    assert team("report", root, agents=agents) == load_team(file)


def test_stages_in_a_row_are_one_flat_pipeline() -> None:
    a, b, c, d = (agent(name) for name in "abcd")
    assert a >> b >> c == pipeline(a, b, c)
    assert a >> (b >> c) >> d == pipeline(a, b, c, d)
    assert (a >> b) >> (c >> d) == pipeline(a, b, c, d)


def test_a_pipeline_that_says_anything_of_its_own_stays_whole() -> None:
    a, b, c = (agent(name) for name in "abc")
    for inner in (pipeline(b, c, name="inner"), pipeline(b, c, seconds=5), pipeline(b, c, fallback=skip())):
        outer = a >> inner
        assert isinstance(outer, PipelineNode)
        assert outer.stages == (a, inner)
    named = pipeline(a, b, name="first") >> c
    assert [node_key(stage) for stage in named.stages] == ["first", "c"]


NOTHING: Any = None
WRONG: dict[str, Any] = {
    "none in a row": (
        lambda: agent("a") >> NOTHING,
        "a stage of a pipeline is a node, not None",
        "chain nodes, as in agent('a') >> call('b')",
    ),
    "keyword": (lambda: agent("a", neds=("x",)), "the field 'neds' is not known", "did you mean 'needs'?"),  # type: ignore[call-arg] # the mistake is meant
    "value": (lambda: agent("a", context="ful"), "'ful' is not allowed here", "did you mean 'full'?"),
    "name": (lambda: agent("9"), "'9' is no name", "a name begins with a letter"),
    "empty": (pipeline, "at least 1 is wanted", "add to stages"),
    "tier": (lambda: tier("larg"), "'larg' is not allowed here", "known are: small"),
    "worker": (lambda: supervisor("s", {"w": {"nod": agent("a")}}), "the field 'nod' is not known", "'node'?"),
    "team": (
        lambda: team("t", agent("a"), agents={"a": {"instruction": "x"}}),
        "the field 'instruction'",
        "'instructions'?",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_a_sentence_and_a_fix(name: str) -> None:
    make, message, fix = WRONG[name]
    with pytest.raises(ConfigurationInvalid) as caught:
        make()
    assert message in str(caught.value)
    assert fix in caught.value.fix


def test_a_tree_that_is_too_deep_is_a_sentence() -> None:
    node = agent("a")
    tree = pipeline(node, name="p0")
    for depth in range(1, 2000):
        tree = pipeline(tree, name=f"p{depth}")
    with pytest.raises(ConfigurationInvalid, match="deeper than 16 nodes"):
        team("t", tree, agents={"a": {"instructions": "x"}})
