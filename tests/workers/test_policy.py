"""A policy file is read strictly: a mistake is one sentence with file and line, and the worker does not start."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.contracts.grants import ArgumentRule, Grant, Verdict
from activities.contracts.people import Asking
from activities.errors import ConfigurationInvalid
from activities.tools.base import collect_tools
from tests.conftest import Workers
from tests.support import tools
from tests.support.scripted import in_order
from tests.support.teams import one_agent
from workers.admission import RunOrder, admit
from workers.checks.inspection import inspect_team
from workers.deployment import Deployment
from workers.grants import frozen_grants
from workers.policy import load_policy
from workers.runs import start_options
from workflows.teams.tree import TeamSpec

KNOWN = collect_tools([tools])
GOOD = """\
rules:
  - name: friends
    tool: send_mail
    arguments: {to: {one_of: [ann, bob]}}
    verdict: proceed
  - tool: [book_room, files__*, send_*]
    effect: [once, idempotent]
    verdict: ask
    asking: {people: [petra], seconds: 3600}
"""


def read(folder: Path, text: str, name: str = "policy.yaml") -> Any:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return load_policy(path, KNOWN)


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    toml = """\
[[rules]]
name = "friends"
tool = "send_mail"
arguments = {to = {one_of = ["ann", "bob"]}}
verdict = "proceed"

[[rules]]
tool = ["book_room", "files__*", "send_*"]
effect = ["once", "idempotent"]
verdict = "ask"
asking = {people = ["petra"], seconds = 3600}
"""
    one, other = read(tmp_path, GOOD), read(tmp_path, toml, "policy.toml")
    assert one == other
    assert [rule.verdict for rule in one.rules] == [Verdict.PROCEED, Verdict.ASK]
    assert load_policy(None, KNOWN) is None


@pytest.mark.parametrize(
    ("rule", "line", "message", "fix"),
    [
        ("{tool: send_mial, verdict: block}", 2, "names the tool 'send_mial', which is not known", "send_mail"),
        ("{tool: s\u0435nd_mail, verdict: block}", 2, "which looks like 'send_mail'", "with plain letters"),
        ("{tool: [add, s\u0435nd_*], verdict: block}", 2, "", "begins with a letter"),
        ("{tool: send_rnail, verdict: block}", 2, "looks like 'send_mail'", "send_mail"),
        ("{tool: nothing_*, verdict: block}", 2, "'nothing_*', which is not known", "known are"),
        ("{tool: add, arguments: {too: {}}, verdict: block}", 2, "names the argument 'too'", "known are: a, b"),
        ("{tool: add, verdict: edit, replace: {c: 1}}", 2, "names the argument 'c'", "known are: a, b"),
        ("{tool: add, verdict: allow}", 2, "'allow' is not allowed here", "proceed, edit, block, ask, halt"),
        ("{tool: add, verdit: block}", 2, "the field 'verdit' is not known", "'verdict'"),
        ("{tool: add, arguments: {a: {maximim: 1}}, verdict: block}", 2, "'maximim' is not known", "'maximum'"),
        ("{tool: add, verdict: edit}", 2, "replace and limit go with the verdict edit", "correct"),
        ("{tool: add, verdict: block, replace: {a: 1}}", 2, "replace and limit go with", "correct"),
        ("{tool: add, verdict: block, asking: {people: [a]}}", 2, "asking goes with the verdict ask", "correct"),
        ("{tool: add, verdict: edit, limit: {a: {one_of: [1]}}}", 2, "limit takes minimum", "correct"),
        ("{tool: add, effect: red, verdict: block}", 2, "'red' is not allowed here", "'read'"),
        ("{tool: add, arguments: {a: {pattern: '(?=x)'}}, verdict: block}", 2, "look-ahead", "without look-around"),
        ("{tool: add, arguments: {a: {minimum: 2, maximum: 1}}, verdict: block}", 2, "over its maximum", "swap"),
        ("{tool: add}", 2, "the field 'verdict' is missing", "add verdict:"),
        ("{tool: add, tool: add, verdict: block}", 2, "stands here twice", "keep one"),
        ("{tool: 5, verdict: block}", 2, "", ""),
        (
            "{tool: add, verdict: ask, asking: {people: [a], escalate_to: [b]}}",
            2,
            "escalate_seconds is not given",
            "give",
        ),
        ("{tool: add, verdict: ask, asking: {seconds: 9, escalate_seconds: 10}}", 2, "ends after 9 s", "smaller"),
        (
            "{tool: add, verdict: ask, asking: {default: edit}}",
            2,
            "asking.default: the default edit needs",
            "default_answer",
        ),
        (
            "{tool: add, verdict: ask, asking: {default: answer, default_answer: yes}}",
            2,
            "not decided by answer",
            "approve",
        ),
        ("{tool: add, verdict: ask, asking: {people: ['t/a@1']}}", 2, "asking: 't/a@1' cannot be asked", "people"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_a_fix(
    tmp_path: Path, rule: str, line: int, message: str, fix: str
) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        read(tmp_path, f"rules:\n  - {rule}\n")
    assert f"policy.yaml:{line}: " in str(caught.value)
    assert message in str(caught.value)
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("policy.toml", "rules = [", "not TOML"),
        ("policy.toml", '[[rules]]\nverdict = "block"\n\n[[rules]]\ntool = "add"\n', "policy.toml:4: "),
        ("policy.yaml", "rules: {a: 1}", "policy.yaml:1: rules: "),
        ("policy.yaml", "", "policy.yaml:1: "),
        ("policy.yaml", "rule: []", "'rule' is not known"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        read(tmp_path, text, name)
    assert message in str(caught.value)
    with pytest.raises(ConfigurationInvalid, match="cannot be read"):
        load_policy(tmp_path / "nowhere.yaml", KNOWN)


async def test_a_broken_policy_keeps_the_worker_from_starting(workers: Workers, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("rules:\n  - {tool: send_mial, verdict: block}\n")
    with pytest.raises(ConfigurationInvalid, match=r"policy\.yaml:2: "):
        async with workers(in_order(), policy=path):
            pytest.fail("it has started")


TREE: dict[str, Any] = {
    "team": "t",
    "agents": {
        "a": {"instructions": "x", "tools": ["send_mail", "add"], "grants": {"send_mail": {"ask": True}}},
        "b": {"instructions": "x", "tools": ["send_mail"], "transfers_to": ["a"]},
    },
    "root": {
        "kind": "pipeline",
        "grants": {"send_mail": {"arguments": {"to": {"max_length": 9}}}, "add": {}},
        "stages": [
            {"kind": "agent", "agent": "a", "key": "one"},
            {
                "kind": "agent",
                "agent": "b",
                "grants": {"send_mail": {"arguments": {"to": {"pattern": "a.*"}}}, "add": {}},
            },
            {"kind": "call", "tool": "send_mail", "arguments": {"to": "x"}, "name": "mail"},
        ],
    },
}


def test_all_conditions_from_the_root_down_are_frozen_and_an_agents_places_add_up() -> None:
    frozen = frozen_grants(TeamSpec.model_validate(TREE))
    short = Grant(arguments={"to": ArgumentRule(max_length=9)})
    begins = Grant(arguments={"to": ArgumentRule(pattern="a.*")})
    assert frozen == {
        "a": {"send_mail": (Grant(ask=True), short, begins)},  # it gets steps of b by transfer
        "b": {"send_mail": (short, begins)},
        "mail": {"send_mail": (short,)},
    }


def test_a_tool_that_a_grant_above_does_not_allow_is_refused() -> None:
    tree = {**TREE, "root": {**TREE["root"], "grants": {"send_mail": {}}}}
    with pytest.raises(ConfigurationInvalid, match=r"'a' has the tool 'add', which the grants above it do not allow"):
        frozen_grants(TeamSpec.model_validate(tree))


async def test_a_client_that_knows_the_policy_foresees_what_it_will_say(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "rules:\n  - {tool: book_room, arguments: {room: {pattern: 'b.*'}}, verdict: ask}\n"
        "  - {tool: send_mail, team: other, verdict: proceed}\n"
        "  - {tool: post, verdict: proceed}\n"
    )
    knows = replace(deployment, settings=deployment.settings.model_copy(update={"policy": path}))
    team = one_agent(tools=["send_mail", "book_room", "add", "post"]).model_copy(
        update={"people": Asking(seconds=7200)}
    )
    order = RunOrder(goal="Do it.", run_id="foreseen")
    run, plain = await admit(knows, team, order), await admit(deployment, team, order)
    assert run.notes == (
        "the deployment's policy never allows a to call send_mail",
        "the deployment's policy lets nothing undo what post of a does: no rule lets withdraw proceed",
    )
    found = inspect_team(team, knows.settings, knows.tools)
    assert set(run.notes) <= set(found.warnings), "check says so too"
    assert (run.people_seconds, plain.people_seconds, plain.notes) == (7200, 0, ())
    longer = start_options(run)["execution_timeout"] - start_options(plain)["execution_timeout"]
    assert longer == timedelta(hours=2)
