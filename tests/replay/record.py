"""Records the histories that the replay tests replay: real runs on a real server, one bundle a scenario.

``python -m tests.replay.record`` records what is missing and touches nothing that is there. A pattern that changes adds
``.v2`` scenarios and keeps its ``.v1`` replaying behind ``workflow.patched``.
"""

import asyncio
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from activities.contracts.people import Choice
from activities.errors import AuthenticationFailed, Overloaded
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.replay import composition as made
from tests.replay import debating, fanning, monitoring, networking, planning, sessions, supervision
from tests.replay.scenario import HISTORIES, SUMS, Scenario, scheduled, stopped
from tests.support.scripted import ScriptedProvider, calls, in_order, says, says_json
from tests.support.supervision import SUBTASKS, A, B, failing, obedient, spacious, team
from tests.support.teams import ANSWER, one_agent, one_call
from workers.admission import RunOrder, admit
from workers.bundles import export_bundle, write_bundle
from workers.deployment import Deployment
from workers.pools import EXIT_PAUSE_SECONDS, running_pools
from workers.server import dev_server
from workers.settings import load_settings


def thrifty(call: ProviderCall, index: int) -> ProviderAnswer:
    """Long tool results until the window has been summarised."""
    if call.messages[-1].text.startswith("Summarise"):
        return says("the gist")
    if index > 6:
        return says("done")
    return ProviderAnswer(text="", tool_calls=calls(("big", {"size": 4000})).tool_calls)


def echoing(call: ProviderCall, index: int) -> ProviderAnswer:
    return says(f"{index}: {call.messages[-1].text}")


def counting(call: ProviderCall, index: int) -> ProviderAnswer:
    return calls(("add", {"a": index, "b": 1})) if index < 7 else says(f"{len(call.messages)} messages")


GATE = {"kind": "call", "name": "gate", "tool": "strict_gate", "arguments": {"draft": "$draft", "final": "$final"}}
CHECKED = {"schema": ANSWER, "checks": ["always_wrong"]}
SCENARIOS = (
    Scenario("agent", "success", one_agent(tools=["add"]), in_order(calls(("add", {"a": 1, "b": 2})), says("3"))),
    Scenario(
        "agent",
        "success_parallel_tools",
        one_agent(tools=["add", "explode"]),
        in_order(calls(("add", {"a": 1, "b": 2}), ("explode", {"what": "it"}), ("nothing", {})), says("ok")),
    ),
    Scenario(
        "agent",
        "success_corrected",
        one_agent(output={"schema": ANSWER}),
        in_order(says("no"), says_json({"answer": "yes"})),
    ),
    Scenario("agent", "success_retried", one_agent(), in_order(Overloaded("busy"), says("ok"))),
    Scenario("agent", "success_large", one_agent(), in_order(says("word " * 10_000))),
    Scenario("agent", "success_summarised", one_agent(tools=["big"], limits={"context_tokens": 3000}), thrifty),
    Scenario("agent", "success_continued", one_agent(tools=["add"]), counting, changes={"max_history_events": 30}),
    Scenario("agent", "failure_contract", one_agent(output=CHECKED), lambda *_: says_json({"answer": "x"})),
    Scenario("agent", "failure_provider", one_agent(), in_order(AuthenticationFailed("no key", fix="set one"))),
    Scenario(
        "agent",
        "failure_turns",
        one_agent(tools=["add"], limits={"turns": 2}),
        lambda *_: calls(("add", {"a": 1, "b": 1})),
    ),
    Scenario("agent", "failure_deadline", one_agent(limits={"seconds": 0.3}), pools=("workflows",)),
    Scenario(
        "agent",
        "partial",
        one_agent(tools=["add"], limits={"turns": 2}, on_limit="partial"),
        lambda *_: ProviderAnswer(text="so far", tool_calls=calls(("add", {"a": 1, "b": 1})).tool_calls),
    ),
    Scenario("agent", "waiting", one_agent(), end=scheduled, pools=("workflows",)),
    Scenario("agent", "cancelled", one_agent(), end=stopped, pools=("workflows",)),
    Scenario("supervisor", "success", team(subtasks=SUBTASKS), obedient),
    Scenario(
        "supervisor",
        "success_planned_and_checked",
        team(planner="boss", gate=GATE, review={"kind": "agent", "agent": "writer"}),
        obedient,
    ),
    Scenario("supervisor", "success_children", spacious(team(subtasks=SUBTASKS)), obedient),
    Scenario(
        "supervisor",
        "success_rerouted",
        team(subtasks=SUBTASKS, workers={"a": {**A, "reroute": ["b"]}, "b": B}),
        failing("a"),
    ),
    Scenario("supervisor", "partial", team(subtasks=SUBTASKS), failing("a")),
    Scenario("supervisor", "failure", team(subtasks=SUBTASKS), failing("a", "b")),
    Scenario("supervisor", "waiting", team(subtasks=SUBTASKS), end=scheduled, pools=("workflows",)),
    Scenario("supervisor", "cancelled", team(subtasks=SUBTASKS), end=stopped, pools=("workflows",)),
    Scenario("call", "success", one_call("add", {"a": 1, "b": 2})),
    Scenario("call", "failure", one_call("explode", {"what": "$goal"})),
    Scenario("call", "waiting", one_call("add", {"a": 1, "b": 2}), end=scheduled, pools=("workflows",)),
    Scenario("session", "success", one_agent(), echoing, end=sessions.ended, start=sessions.talking("one", "two")),
    Scenario(
        "session",
        "success_continued",
        one_agent(),
        echoing,
        end=sessions.ended,
        changes={"max_history_events": 30},
        start=sessions.talking("one", "two", "three", "four", "three", remembered=2),
    ),
    Scenario(
        "session",
        "success_child",
        one_agent(limits={"model_calls": 200}),
        echoing,
        end=sessions.ended,
        start=sessions.talking("one", "two"),
    ),
    Scenario("session", "success_used_up", one_agent(), echoing, start=sessions.talking("only", messages=1)),
    Scenario(
        "session",
        "failure_then_success",
        one_agent(),
        in_order(AuthenticationFailed("no key", fix="set one"), says("ok")),
        end=sessions.ended,
        start=sessions.talking("one", "two"),
    ),
    Scenario("session", "waiting", one_agent(), echoing, end=sessions.left, start=sessions.talking("one")),
    Scenario("session", "cancelled", one_agent(), echoing, end=sessions.cancelled, start=sessions.talking("one")),
    Scenario("pipeline", "success", made.pipeline(made.A, made.B, made.ECHO), echoing),
    Scenario(
        "pipeline",
        "success_nested",
        spacious(made.pipeline(made.A, {"kind": "pipeline", "name": "in", "stages": [made.B]})),
        echoing,
    ),
    Scenario(
        "pipeline",
        "success_transferred",
        made.root({"kind": "pipeline", "stages": [made.A, made.ECHO]}, agents=made.HAND_ON),
        in_order(calls(("transfer", {"to": "b", "reason": "it is yours"})), says("mine")),
    ),
    Scenario("pipeline", "success_approved", made.pipeline(made.RESERVE, made.MAIL), end=made.says(Choice.APPROVE)),
    Scenario(
        "pipeline", "partial", made.pipeline({**made.BOOM, "fallback": {"kind": "constant", "value": 1}}, made.ECHO)
    ),
    Scenario(
        "pipeline",
        "partial_budget",
        made.pipeline(made.A, made.B, budget={"model_calls": 1, "on_breach": "partial"}),
        echoing,
    ),
    Scenario("pipeline", "failure", made.pipeline(made.A, made.BOOM), echoing),
    Scenario("pipeline", "failure_compensated", made.pipeline(made.RESERVE, made.BOOM)),
    Scenario("pipeline", "waiting", made.pipeline(made.A), end=scheduled, pools=("workflows",)),
    Scenario("pipeline", "cancelled", made.pipeline(made.RESERVE, made.asks()), end=made.stopped_asking),
    Scenario("person", "success", made.root(made.asks()), end=made.says(Choice.ANSWER, answer="yes, by Friday")),
    Scenario("person", "failure", made.root(made.asks(**made.SHORT))),
    Scenario("person", "waiting", made.root(made.asks()), end=made.left_asking),
    Scenario(
        "human_task",
        "success_edited",
        made.root(made.asks(choices=["approve", "edit", "reject"])),
        end=made.says(Choice.EDIT, answer="better so"),
    ),
    Scenario("human_task", "success", made.pipeline(made.MAIL), end=made.says(Choice.REJECT, reason="not now")),
    Scenario("human_task", "failure", made.pipeline({**made.asks(), **made.SHORT})),
    Scenario("human_task", "waiting", made.pipeline(made.asks()), end=made.left_asking),
    *debating.SCENARIOS,
    *supervision.SCENARIOS,
    *fanning.SCENARIOS,
    *monitoring.SCENARIOS,
    *planning.SCENARIOS,
    *networking.SCENARIOS,
)


async def record(scenario: Scenario, deployment: Deployment) -> None:
    """Run a scenario and write its bundle."""
    provider = ScriptedProvider(scenario.script)
    run_id = f"{scenario.workflow}-{scenario.name}"
    async with running_pools(deployment, scenario.pools, {"offline": provider}):
        run = await admit(deployment, scenario.team, RunOrder(goal="Do it.", run_id=run_id))
        handle = await scenario.start(deployment.client, run.model_copy(update=scenario.changes))
        await scenario.end(handle)
        bundle = await export_bundle(deployment.client, deployment.store, run_id)
        if not (await handle.describe()).close_time:
            await handle.terminate()  # a waiting run must not wait into the next scenario
    scenario.path.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(bundle, scenario.path)
    # Stack traces hold paths of this machine, and no replay looks at them.
    bare = without_stack_traces(json.loads(scenario.path.read_text()))
    scenario.path.write_text(json.dumps(bare, indent=1) + "\n")
    with SUMS.open("a", encoding="utf-8") as sums:
        name = scenario.path.relative_to(HISTORIES).as_posix()
        sums.write(f"{hashlib.sha256(scenario.path.read_bytes()).hexdigest()}  {name}\n")


def without_stack_traces(value: Any) -> Any:
    """The same JSON without the fields named so."""
    if isinstance(value, dict):
        return {key: without_stack_traces(inner) for key, inner in value.items() if key != "stackTrace"}
    return [without_stack_traces(inner) for inner in value] if isinstance(value, list) else value


async def main() -> None:
    """Record what is missing."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["OSTINATO_TEST_EFFECTS"] = str(home / "effects.txt")
        async with dev_server(home) as server:
            settings = load_settings(home=home, tool_modules=("tests.support.tools",))
            deployment = await Deployment.connect(settings, address=server.address)
            for scenario in SCENARIOS:
                if not scenario.path.exists():
                    print(f"recording {scenario.path.relative_to(HISTORIES)}")
                    await record(scenario, deployment)
            await asyncio.sleep(EXIT_PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(main())
