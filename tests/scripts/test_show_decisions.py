"""The deployment's policy as a user meets it: a setting, and what ``ostinato show`` tells of its decisions."""

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
    assert "decision pipeline/save t1: write_artifact: edit by policy (no markdown)" in text
    assert "no rule of the deployment's policy allows this action" in text
    (cli.folder / "policy.yaml").write_text("rules: [{tool: write_artefact, verdict: block}]")
    broken = cli.run("run", "files.yaml", "--goal", "Save it.", "--id", "other")
    assert broken.code != 0
    assert "policy.yaml:1: tool: it names the tool 'write_artefact', which is not known" in broken.err
    assert "did you mean 'write_artifact'?" in broken.err
