"""A bad team file is one sentence with file, line and field, and a fix, whatever is wrong with it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activities.errors import ConfigurationInvalid
from workers.team_file import line_of, load_team, load_team_with_lines
from workflows.teams.problems import nearest
from workflows.teams.tree import NODE_KINDS

HEAD = "team: t\nagents:\n  a: {instructions: Do it.}\n"
ROOT = "root: {kind: agent, agent: a}\n"
KINDS = ", ".join(sorted(NODE_KINDS))


def refusal(tmp_path: Path, text: str | bytes) -> tuple[str, str]:
    """The message without the path, and the fix."""
    file = tmp_path / "team.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigurationInvalid) as caught:
        load_team(file)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert "\n" not in message
    assert len(message) < 1000
    return message.removeprefix(str(file)), caught.value.fix


FIELDS: dict[str, tuple[str, str, str]] = {
    "misspelt field of a team": (
        HEAD + "roott: {}\n",
        ":4: roott: the field 'roott' is not known",
        "did you mean 'root'?",
    ),
    "misspelt field of an agent": (
        "team: t\nagents:\n  a:\n    instructions: x\n    tolls: []\n" + ROOT,
        ":5: agents.a.tolls: the field 'tolls' is not known",
        "did you mean 'tools'?",
    ),
    "field of a contract by its alias": (
        "team: t\nagents:\n  a: {instructions: x, output: {shema: {}}}\n" + ROOT,
        ":3: agents.a.output.shema: the field 'shema' is not known",
        "did you mean 'schema'?",
    ),
    "missing field": (HEAD + "root:\n  kind: agent\n", ":4: root.agent: the field 'agent' is missing", "add agent:"),
    "no kind, told by its fields": (
        HEAD + "root: {agent: a}\n",
        ":4: root: the field 'kind' is missing",
        "add kind: agent",
    ),
    "no kind": (
        HEAD + "root: {key: a}\n",
        ":4: root: the field 'kind' is missing",
        f"add kind: with one of {KINDS}",
    ),
    "misspelt kind": (
        HEAD + "root: {kind: agnet, agent: a}\n",
        ":4: root: 'agnet' is no kind",
        "did you mean 'agent'?",
    ),
    "foreign kind": (HEAD + "root: {kind: zzz}\n", ":4: root: 'zzz' is no kind", f"known are: {KINDS}"),
    "kind that is no word": (HEAD + "root: {kind: [a]}\n", ":4: root: \"['a']\" is no kind", "known are"),
    "node that is no mapping": (HEAD + "root: 7\n", ":4: root: fields are wanted, not 7", "below it, indented"),
    "stage of a pipeline": (
        HEAD
        + "root:\n  kind: pipeline\n  stages:\n  - {kind: agent, agent: a}\n  - kind: agent\n    agent: a\n    needd: [x]\n",
        ":10: root.stages.1.needd: the field 'needd' is not known",
        "did you mean 'needs'?",
    ),
    "kind of a nested stage": (
        HEAD + "root: {kind: pipeline, stages: [{kind: pipeline, stages: [{kind: cal, tool: x}]}]}\n",
        ":4: root.stages.0.stages.0: 'cal' is no kind",
        "did you mean 'call'?",
    ),
    "empty pipeline": (
        HEAD + "root: {kind: pipeline, stages: []}\n",
        ":4: root.stages: at least 1 is wanted",
        "add to root.stages",
    ),
    "fallback": (
        HEAD + "root: {kind: agent, agent: a, fallback: {kind: constant, valu: 1}}\n",
        ":4: root.fallback.valu: the field 'valu' is not known",
        "did you mean 'value'?",
    ),
    "kind of a fallback": (
        HEAD + "root: {kind: agent, agent: a, fallback: {kind: skipp}}\n",
        ":4: root.fallback: 'skipp' is no kind",
        "did you mean 'skip'?",
    ),
    "tier of a fallback": (
        HEAD + "root: {kind: agent, agent: a, fallback: {kind: tier, tier: larg}}\n",
        ":4: root.fallback.tier: 'larg' is not allowed here",
        "known are: small, mid, frontier, local",
    ),
    "grant": (
        HEAD + "root: {kind: agent, agent: a, grants: {mail: {arguments: {to: {one_off: [x]}}}}}\n",
        ":4: root.grants.mail.arguments.to.one_off: the field 'one_off' is not known",
        "did you mean 'one_of'?",
    ),
    "budget": (
        HEAD + "root: {kind: agent, agent: a, budget: {tokns: 5}}\n",
        ":4: root.budget.tokns: the field 'tokns' is not known",
        "did you mean 'tokens'?",
    ),
    "breach of a budget": (
        HEAD + "root: {kind: agent, agent: a, budget: {on_breach: aks}}\n",
        ":4: root.budget.on_breach: 'aks' is not allowed here",
        "did you mean 'ask'?",
    ),
    "people": (
        HEAD + "people: {deflt: approve}\n" + ROOT,
        ":4: people.deflt: the field 'deflt'",
        "did you mean 'default'?",
    ),
    "choice of people": (
        HEAD + "people: {default: aprove}\n" + ROOT,
        ":4: people.default: 'aprove' is not allowed here",
        "did you mean 'approve'?",
    ),
    "choice of a person": (
        HEAD + "root: {kind: person, choices: [approve, edt]}\n",
        ":4: root.choices.1: 'edt' is not allowed here",
        "did you mean 'edit'?",
    ),
    "node of one's own workflow": (
        HEAD + "root:\n  kind: workflow\n  workflow: w\n  nodes:\n    x: {kind: agent, agnt: a}\n",
        ":8: root.nodes.x.agnt: the field 'agnt' is not known",
        "did you mean 'agent'?",
    ),
    "worker": (
        HEAD + "root:\n  kind: supervisor\n  workers:\n    w: {node: {kind: agent, agent: a}, atempts: 3}\n",
        ":7: root.workers.w.atempts: the field 'atempts' is not known",
        "did you mean 'attempts'?",
    ),
    "server": (
        HEAD + "mcp: {s: {comand: [x]}}\n" + ROOT,
        ":4: mcp.s.comand: the field 'comand'",
        "did you mean 'command'?",
    ),
    "server both ways": (
        HEAD + "mcp: {s: {command: [x], url: http://y}}\n" + ROOT,
        ":4: mcp.s: give either a command",
        "correct",
    ),
    "name of an agent": (
        "team: t\nagents:\n  9a: {instructions: x}\n" + ROOT,
        ":3: agents.9a: '9a' is no name",
        "a name begins",
    ),
    "name of a team": ("team: a b\n" + ROOT, ":1: team: 'a b' is no name", "a name begins"),
    "list that is none": (
        HEAD + "root: {kind: agent, agent: a, needs: 5}\n",
        ":4: root.needs: a list is wanted, not 5",
        "needs: [...]",
    ),
    "text in place of a number": (
        HEAD + 'version: "2"\n' + ROOT,
        ":4: version: should be a valid integer",
        "correct version",
    ),
    "truth in place of a number": (
        HEAD + "version: true\n" + ROOT,
        ":4: version: should be a valid integer",
        "correct version",
    ),
    "number out of bounds": (
        HEAD + "root: {kind: agent, agent: a, timeout_seconds: 0}\n",
        ":4: root.timeout_seconds: should be greater than 0",
        "correct root.timeout_seconds",
    ),
    "empty file": ("", ":1: the file: fields are wanted, not None", "indented"),
    "list": ("- a\n", ":1: the file: fields are wanted, not a list", "indented"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_wrong_field_is_named_with_its_line_and_the_nearest_word(tmp_path: Path, name: str) -> None:
    text, message, fix = FIELDS[name]
    said, proposed = refusal(tmp_path, text)
    assert said.startswith(message)
    assert fix in proposed


SYNTAX: dict[str, tuple[str | bytes, str, str]] = {
    "tag": (HEAD + "root: !!python/object:os.system {}\n", ":4: YAML tags are not allowed", "remove the tag"),
    "tag of a known type": (HEAD + "version: !!int 1\n" + ROOT, ":4: YAML tags are not allowed", "remove the tag"),
    "tag of a key": ("!!str team: t\n", ":1: YAML tags are not allowed", "remove the tag"),
    "anchor": ("team: &x t\n" + ROOT, ":1: anchors and aliases are not allowed", "write the value out"),
    "alias": ("team: t\nroot: *x\n", ":2: anchors and aliases are not allowed", "write the value out"),
    "merge key": ("team: t\n<<: {kind: agent}\n", ":2: merge keys are not allowed", "write the fields out"),
    "key twice": (HEAD + "version: 1\nversion: 2\n" + ROOT, ":5: the key 'version' stands here twice", "keep one"),
    "key twice inside": (
        "team: t\nroot: {kind: agent, kind: call}\n",
        ":2: the key 'kind' stands here twice",
        "keep one",
    ),
    "key that is a list": ("? [a]\n: b\n", ":1: a key is no text", "before the colon"),
    "second document": (HEAD + ROOT + "---\nteam: u\n", ":5: a second document begins here", "one team a file"),
    "deep lists": ("team: " + "[" * 5000 + "]" * 5000, ":1: this is nested deeper than 60 levels", "flatten"),
    "deep fields": ("team: " + "{a: " * 5000 + "}" * 5000, ":1: this is nested deeper than 60 levels", "flatten"),
    "long number": (HEAD + f"version: {'9' * 6000}\n" + ROOT, ":4: a number has more than 18 digits", "in quotes"),
    "infinite number": (HEAD + "version: .inf\n" + ROOT, ":4: .inf is no number that can be used", "finite"),
    "number beyond all bounds": (HEAD + "version: 1e999\n" + ROOT, ":4: 1e999 is no number", "finite"),
    "not UTF-8": (b"team: t\nroot: \xff\xfe\n", ":2: the file is not UTF-8", "save it as UTF-8"),
    "NUL": ("team: t\nroot: \0\n", ":2: the character U+0000 is not allowed in YAML", "remove it"),
    "half a surrogate pair": ('team: "\\ud800"\n', ":1: half of a surrogate pair", "the character itself"),
    "tab": ("team:\n\tx: 1\n", ":2: not YAML", "indent with spaces"),
    "unclosed": ("team: [a\n", ":2: not YAML", "or close the bracket"),
    "question mark without quotes": (
        HEAD + "root: {kind: person, question: May it go?, choices: [approve]}\n",
        ":4: not YAML: expected ',' or '}', but got '?'",
        "put the text in quotes",
    ),
    "comma without quotes": (
        HEAD + "root: {kind: person, question: Well, may it go}\n",
        ":4: 'may it go' has no value",
        "put the text in quotes",
    ),
    "colon without quotes": (
        "team: t\nagents:\n  a:\n    instructions: Say: yes\n",
        ":4: not YAML: mapping values",
        "put the text in quotes",
    ),
}


@pytest.mark.parametrize("name", SYNTAX)
def test_what_a_team_file_may_not_use_is_refused_where_it_stands(tmp_path: Path, name: str) -> None:
    text, message, fix = SYNTAX[name]
    said, proposed = refusal(tmp_path, text)
    assert said.startswith(message)
    assert fix in proposed


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    assert refusal(tmp_path, "# " + "x" * 300_000) == (": a team file has at most 256 KiB", "shorten it")


@pytest.mark.parametrize("path", ["nowhere.yaml", ".", "a\0b"])
def test_what_is_no_file_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="cannot be read"):
        load_team(path)


def test_words_and_dates_stay_what_they_look_like(tmp_path: Path) -> None:
    file = tmp_path / "team.yaml"
    schema = "{enum: [no, on, 1:30, 2026-11-21, 010, 0x1f, ~, true, 1.5, 1e3, '5']}"
    file.write_text(f"team: t\nagents:\n  a: {{instructions: x, output: {{schema: {schema}}}}}\n{ROOT}", "utf-8-sig")
    output = load_team(file).agents["a"].output
    assert output
    assert output.schema_["enum"] == ["no", "on", "1:30", "2026-11-21", 10, 31, None, True, 1.5, 1000.0, "5"]


def test_the_line_of_every_place_is_known(tmp_path: Path) -> None:
    file = tmp_path / "team.yaml"
    file.write_text(HEAD + "root:\n  kind: pipeline\n  stages:\n  - kind: agent\n    agent: a\n")
    _, lines = load_team_with_lines(file)
    assert lines["agents", "a"] == 3
    assert lines["root", "stages", "0", "agent"] == 8
    assert line_of(("root", "stages", "0", "needs", "1"), lines) == 7


def test_a_word_of_any_length_has_a_proposal_at_once() -> None:
    assert nearest("x" * 1_000_000, ["agent"]) == "known are: agent"
    assert nearest("agen", [*"abcdefg", "agent"]) == "did you mean 'agent'?"
    assert nearest("q", [f"n{i}" for i in range(100)]).endswith("and 76 more")


@settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_stands_in_a_file_it_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    good = data.draw(st.sampled_from([FIELDS["fallback"][0], FIELDS["worker"][0], FIELDS["grant"][0]])).encode()
    at = data.draw(st.integers(0, len(good)))
    odd = st.sampled_from(
        [b"*x", b"&x ", b"!!int ", b"<<: ", b"? ", b"{", b"]", b"\t", b"\0", b"\xff", b"- ", b": ", b"|\n", b"%", b"'"]
    )
    piece = data.draw(odd | st.binary(max_size=8) | st.text(max_size=8).map(lambda t: t.encode("utf-8", "replace")))
    file = tmp_path / "team.yaml"
    file.write_bytes(good[:at] + piece + good[at + data.draw(st.integers(0, 20)) :])
    refused = None
    try:
        load_team(file)
    except ConfigurationInvalid as error:
        refused = error
    assert refused is None or (refused.fix and "\n" not in str(refused))
