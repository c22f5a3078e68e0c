"""``ostinato show`` of a run that is under way: what it has decided, done, handed on and told so far."""

import signal

from tests.scripts.support import Cli, interrupt

TEAM = """team: news
people: {people: [nora], seconds: 86400}
root:
  kind: network
  seconds: 90000
  start: [{event_type: found, payload: $goal}]
  peers:
    desk:
      subscribes: [found]
      node: {kind: call, tool: pass_on, arguments: {what: $payload}}
    chief:
      subscribes: [checked]
      node: {kind: person, name: chief, question: "Print it?", choices: [approve, reject]}
"""
TOOL = '''"""Tools of this user."""

from activities.tools.base import tool


@tool(effect="read")
def pass_on(what: str) -> dict:
    """Send it on as an event."""
    return {"events": [{"event_type": "checked", "payload": what}]}
'''


def test_a_run_that_waits_shows_how_far_it_has_come(cli: Cli) -> None:
    (cli.folder / "news.yaml").write_text(TEAM)
    (cli.folder / "news_tools.py").write_text(TOOL)
    cli.extra |= {"OSTINATO_TOOL_MODULES": "news_tools", "OSTINATO_USER": "nora"}
    process = cli.start("run", "news.yaml", "--goal", "The bridge is open.", "--id", "news", "--json")
    try:
        assert process.stderr
        assert any("waits for nora: Print it?" in line for line in process.stderr)
        shown = cli.run("show", "news", "--handoffs", "--events", "--json").json()
        assert shown["status"] == "running"
        assert [(one["event_type"], one["handled_by"]) for one in shown["network_events"]] == [
            ("found", ["desk"]),
            ("checked", []),
        ]
        assert [one["receiver"] for one in shown["handoffs"]] != []
        text = cli.run("show", "news", "--events").out
        assert "found: network -> desk" in text
    finally:
        interrupt(process, signal.SIGKILL)
