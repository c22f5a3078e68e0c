"""The deployment's policy as a user meets it: a setting, and what ``ostinato show`` tells of its decisions."""

import shutil

from tests.scripts.support import Cli

TEAM = """team: files
root:
  kind: pipeline
  stages:
    - {kind: call, name: save, tool: write_artifact, arguments: {name: a.md, text: hello}}
    - {kind: call, name: again, tool: write_artifact, arguments: {name: b.txt, text: hello}, critical: false}
"""
POLICY = """rules:
  - {name: no markdown, tool: write_artifact, arguments: {name: {pattern: '.*[.]md'}}, verdict: edit, replace: {text: gone}}
"""


def test_a_policy_decides_and_a_run_shows_it(cli: Cli) -> None:
    (cli.folder / "files.yaml").write_text(TEAM)
    (cli.folder / "policy.yaml").write_text(POLICY)
    cli.extra["OSTINATO_POLICY"] = "policy.yaml"
    ended = cli.run("run", "files.yaml", "--goal", "Save it.", "--id", "files", "--json")
    assert ended.json()["status"] == "partial", ended.err
    shown = cli.run("show", "files", "--json").json()
    edited, blocked = shown["decisions"]
    assert (edited["step"], edited["verdict"], edited["rule"]) == ("pipeline/save", "edit", "no markdown")
    assert (blocked["call"], blocked["verdict"], blocked["by"]) == ("t1", "block", "policy")
    text = cli.run("show", "files").out
    changed = '{"name":"a.md","text":"gone"}'
    assert edited["arguments"].replace(" ", "") == changed
    assert "decision pipeline/save t1: write_artifact: edit to {" in text
    assert "} by policy (no markdown)" in text
    assert "missing: again is missing: " in text
    assert "not on this disk" not in text
    shutil.rmtree(cli.folder / ".ostinato/runs/files")
    assert "`ostinato run TEAM --goal TEXT --id files` writes them" in cli.run("show", "files").out
    again = cli.run("run", "files.yaml", "--goal", "Save it.", "--id", "files")
    assert "not on this disk" not in cli.run("show", "files").out, again.err
    assert "no rule of the deployment's policy allows this action" in text
    (cli.folder / "policy.yaml").write_text("rules: [{tool: write_artefact, verdict: block}]")
    broken = cli.run("run", "files.yaml", "--goal", "Save it.", "--id", "other")
    assert broken.code != 0
    assert "policy.yaml:1: tool: it names the tool 'write_artefact', which is not known" in broken.err
    assert "did you mean 'write_artifact'?" in broken.err
    del cli.extra["OSTINATO_POLICY"]
    without = cli.run("run", "files.yaml", "--goal", "Save it.", "--id", "other")
    assert without.code != 0
    assert "this namespace has a policy" in without.err
    assert "OSTINATO_POLICY" in without.err
