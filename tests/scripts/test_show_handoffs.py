"""``ostinato show RUN --handoffs``: who got each step from whom, and why somebody did not take one."""

from tests.scripts.support import Cli

TEAM = """team: two
agents:
  reader: {instructions: Answer from the documents., tier: small, tools: [search_documents]}
  clerk: {instructions: Answer in one letter., tier: small}
root:
  kind: pipeline
  stages:
    - {kind: agent, agent: reader, key: answer}
    - {kind: agent, agent: clerk, needs: [answer], critical: false, input: {type: string, maxLength: 1}}
"""


def test_a_run_shows_its_handoffs_taken_and_rejected(cli: Cli) -> None:
    (cli.folder / "two.yaml").write_text(TEAM)
    ended = cli.run(
        "run", "two.yaml", "--goal", "When does the harbour open?", "--input", "documents", "--id", "two", "--json"
    )
    assert ended.json()["status"] == "partial", ended.err
    shown = cli.run("show", "two", "--handoffs", "--json").json()
    reader, clerk = shown["handoffs"]
    assert (reader["sender"], reader["receiver"], reader["rejected"]) == ("two/pipeline@1", "two/reader@1", None)
    assert reader["bytes"] > 0
    assert (clerk["version"], clerk["declared"], clerk["present"]) == (1, 1, 1)
    assert clerk["rejected"]["reason"] == "input_mismatch"
    text = cli.run("show", "two", "--handoffs").out
    assert "handoff pipeline/answer: two/pipeline@1 -> two/reader@1, state 0: taken in" in text
    assert "-> two/clerk@1, state 1: rejected (input_mismatch): its input does not fit" in text
    assert "2 handoffs, 1 rejected" in text
