"""``ostinato show --state`` and ``--diff``, and what a stopped run says of its effects: as a user sees them."""

from collections.abc import Callable

import pytest

from tests.scripts.support import Cli, Ended, until

TRIP = """team: trip
root:
  kind: pipeline
  name: trip
  stages:
    - {kind: call, name: reserve, tool: reserve_room, arguments: {room: blue}}
    - kind: pipeline
      name: inner
      stages:
        - {kind: call, name: first, tool: echo, arguments: {text: $goal}}
        - {kind: call, name: second, tool: echo, arguments: {text: "[1, 2]"}}
    - {kind: call, name: gate, tool: wait_at_gate, arguments: {who: $goal}}
"""


@pytest.fixture(scope="module")
def user(new_user: Callable[[], Cli]) -> Cli:
    """A user with a run that waits in the middle, is looked at, and is then stopped."""
    cli = new_user()
    cli.extra["OSTINATO_TOOL_MODULES"] = "tests.scripts.gate,tests.support.tools"
    cli.extra["OSTINATO_TEST_EFFECTS"] = str(cli.folder / "effects.txt")
    (cli.folder / "trip.yaml").write_text(TRIP)
    return cli


def test_a_run_is_looked_at_while_it_runs_and_undone_when_it_is_stopped(user: Cli) -> None:
    running = user.start("run", "trip.yaml", "--goal", "eve", "--id", "trip")
    until(lambda: user.arrived("eve"), by=running)
    seen = user.run("show", "trip", "--state", "--json").json()
    assert (seen["status"], seen["version"], seen["values"]) == (
        "running",
        2,
        {"reserve": "reserved blue", "inner": [1, 2]},
    )

    stopped = user.run("stop", "trip")
    assert stopped.code == 0, stopped.err
    running.communicate(timeout=60)
    line = "effect reserve_room in trip/reserve t1 (idempotent): compensated by cancel_room"
    shown = user.run("show", "trip")
    assert line in shown.out
    assert "failure: cancelled: the run was stopped" in shown.out
    assert [kind.split()[0] for kind in (user.folder / "effects.txt").read_text().splitlines()] == [
        "reserve_room",
        "cancel_room",
    ]
    value = user.run("show", "trip", "--json").json()
    assert [(e["tool"], e["outcome"], e["compensation"]) for e in value["effects"]] == [
        ("reserve_room", "compensated", "cancel_room")
    ]
    assert [step["step"] for step in value["steps"]] == [
        "trip/reserve",
        "trip/gate",
        "trip/inner/first",
        "trip/inner/second",
    ]

    after = user.run("show", "trip", "--state", "--json").json()
    assert (after["status"], after["values"]) == ("failed", seen["values"])
    assert after["versions"] == seen["versions"]

    first = user.run("show", "trip", "--state", "--at", "1")
    assert "version 1 of 2, failed" in first.out
    assert "inner" not in first.out

    nested = user.run("show", "trip/trip/inner", "--diff", "1..2")
    assert "+ second, version 2, by trip/inner/second" in nested.out
    same = user.run("show", "--diff", "2..0", "trip", "--state", "--step", "trip/inner", "--json").json()
    assert [(c["key"], c["change"], c["before"]["value"]) for c in same["changes"]] == [
        ("first", "removed", "eve"),
        ("second", "removed", [1, 2]),
    ]

    assert refused(user.run("show", "trip", "--at", "7")) == "the state of 'trip' has no version 7"
    assert refused(user.run("show", "trip", "--diff", "1..x")) == "'1..x' names no two versions"
    assert refused(user.run("show", "trip/trip/iner", "--state")) == (
        "nothing nested in the run 'trip' has a state of its own at 'trip/iner'"
    )
    assert refused(user.run("show", "trap", "--state")) == "there is no run 'trap'"


def refused(ended: Ended) -> str:
    assert ended.code == 2, ended.out
    return ended.err.split("error: ")[1].split("\n")[0]
