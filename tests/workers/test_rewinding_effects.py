"""What a way back does not do again: effects, and questions to people."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from activities.contracts.effects import EffectOutcome
from activities.contracts.failures import FailureKind
from activities.contracts.messages import ToolCall
from activities.contracts.people import Choice, DecideRequest
from activities.errors import ConfigurationInvalid
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.lineages import echoing, gone_on, mailing, parts, stages, started
from tests.support.scripted import calls as tool_calls
from workers.checkpoints import read_origin
from workers.inbox import decide, open_tasks
from workers.rewinding import Order
from workers.runs import read_result
from workflows.contracts import RunStatus
from workflows.teams.tree import TeamSpec


async def test_fresh_makes_all_anew_but_what_is_kept_and_what_was_done_once(workers: Workers, effects: Path) -> None:
    team = stages("a", "post", "c", tools={"post": ["send_mail"]})

    def mails() -> int:
        return sum(line.startswith("send_mail") for line in effects.read_text().splitlines())

    before = mails()
    async with workers(mailing) as bench:
        deployment = bench.deployment
        handle = await bench.start(team)
        assert (await read_result(handle)).status is RunStatus.COMPLETE
        origin = await read_origin(deployment.client, handle.id)
        assert [(e.tool, e.step) for e in origin.done_after(origin.kept(origin.find("a")))] == [
            ("send_mail", "flow/post")
        ]
        assert origin.done_after(origin.kept(origin.find("post"))) == ()
        asked = len(bench.provider.calls)
        fresh = await gone_on(deployment, handle.id, Order("rewind", "a", fresh=True))
        assert (fresh.usage.model_calls, len(bench.provider.calls) - asked, mails() - before) == (3, 3, 1)
        assert [report.repeated for report in fresh.done] == [True]
        resumed = await gone_on(deployment, handle.id, Order("rewind", "post"))
        assert resumed.usage.model_calls == 0
        allowed = await gone_on(deployment, handle.id, Order("rewind", "a", repeat_effects=("send_mail",)))
        assert (allowed.usage.model_calls, mails() - before) == (0, 2)
        kept = await gone_on(deployment, handle.id, Order("rewind", "c", repeat_effects=("send_mail",), fresh=True))
        assert (kept.usage.model_calls, mails() - before) == (0, 2)
        with pytest.raises(ConfigurationInvalid, match="is no tool of this run that is called once"):
            await gone_on(deployment, handle.id, Order("rewind", "a", repeat_effects=("send_male",)))


async def test_the_same_effect_in_another_turn_is_not_done_twice(workers: Workers, effects: Path) -> None:
    """A fresh agent thinks first and mails in its second turn; its arguments are spelt differently too."""
    thinking: list[bool] = []

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions == "post" and thinking:
            turns = sum(m.role == "tool" for m in call.messages)
            if turns == 0:
                return tool_calls(("add", {"a": 1, "b": 2}))
            if turns == 1:
                spelt = ToolCall(tool_call_id="x", tool="send_mail", arguments='{ "to" : "post" }')
                return ProviderAnswer(text="", tool_calls=(spelt,), finish_reason="tool_calls")
            if turns == 2 and "other" in thinking_of:
                return tool_calls(("send_mail", {"to": "other"}))
        return mailing(call, index)

    thinking_of: list[str] = []
    async with workers(script) as bench:
        handle = await bench.start(stages("a", "post", tools={"post": ["send_mail", "add"]}))
        assert (await read_result(handle)).status is RunStatus.COMPLETE
        before = effects.read_text().count("send_mail")
        thinking.append(True)
        fresh = await gone_on(bench.deployment, handle.id, Order("rewind", "a", fresh=True))
        assert fresh.status is RunStatus.COMPLETE
        assert [(report.ordinal, report.repeated) for report in fresh.done] == [("t2.c0", True)]
        assert effects.read_text().count("send_mail") == before
        thinking_of.append("other")
        other = await gone_on(bench.deployment, handle.id, Order("rewind", "a", fresh=True))
        assert [report.repeated for report in other.done] == [True, False]
        assert effects.read_text().count("send_mail") == before + 1


async def test_an_open_run_is_stopped_first_and_its_effects_stand(workers: Workers, effects: Path) -> None:
    held = asyncio.Event()

    async def hang(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions == "c" and not held.is_set():
            held.set()
            await asyncio.sleep(60)
        return mailing(call, index)

    async with workers(hang) as bench:
        deployment = bench.deployment
        handle = await bench.start(stages("a", "post", "c", tools={"post": ["send_mail"]}))
        await asyncio.wait_for(held.wait(), 30)
        before = effects.read_text().count("send_mail")
        origin = await read_origin(deployment.client, handle.id)
        assert origin.is_open
        assert [checkpoint.commit.key for checkpoint in origin.checkpoints] == ["a", "post"]
        assert [report.tool for report in origin.done] == ["send_mail"]
        result = await gone_on(deployment, handle.id, Order("rewind", "a"))
        assert result.status is RunStatus.COMPLETE
        assert [call.instructions for call in bench.provider.calls].count("post") == 2
        assert effects.read_text().count("send_mail") == before


async def test_a_rewind_stops_an_open_run_though_its_call_under_way_ends_well(workers: Workers, effects: Path) -> None:
    a, wire, c = ({"kind": "call", "tool": "echo", "name": name, "arguments": {"text": name}} for name in "awc")
    wire |= {"tool": "wire", "arguments": {"to": "the rewound"}}
    mail = {"kind": "call", "tool": "send_mail", "name": "m", "arguments": {"to": "the rewound"}}
    stages = [a, wire, mail, c]
    team = TeamSpec.model_validate({"team": "t", "root": {"kind": "pipeline", "name": "flow", "stages": stages}})
    async with workers(echoing) as bench:
        handle = await bench.start(team)
        async with asyncio.timeout(30):
            while not effects.read_text().endswith("the rewound\n"):
                await asyncio.sleep(0.02)
        result = await gone_on(bench.deployment, handle.id, Order("rewind", "a"))
        old = bench.deployment.client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        assert (await old.describe()).status is WorkflowExecutionStatus.CANCELED
    assert result.status is RunStatus.COMPLETE
    assert [(report.tool, report.repeated) for report in result.done] == [("wire", True), ("send_mail", False)]
    assert effects.read_text().count("the rewound") == 2


async def test_an_answer_of_a_person_is_kept(workers: Workers) -> None:
    team = stages("a", "c")
    person = {"kind": "person", "name": "ann", "question": "Which one?", "asking": {"seconds": 60}}
    a, c = parts(team)
    team = TeamSpec.model_validate({**team.model_dump(), "root": {**team.root.model_dump(), "stages": [a, person, c]}})
    async with workers(echoing) as bench:
        client = bench.deployment.client
        handle = await bench.start(team)
        task = f"{handle.id}~flow~ann~ask"
        async with asyncio.timeout(30):
            while task not in await _open_tasks(client):
                await asyncio.sleep(0.05)
        await decide(client, task, DecideRequest(by="ann", choice=Choice.ANSWER, answer="the blue one"))
        assert (await read_result(handle)).output == "c(the blue one)"
        rewound = await gone_on(bench.deployment, handle.id, Order("rewind", "0"))
        assert rewound.output == "c(the blue one)"
        forked = await gone_on(bench.deployment, handle.id, Order("fork", "2", {"ann": "red"}, new_id=f"{handle.id}-f"))
        assert forked.output == "c(red)"


async def _open_tasks(client: Client) -> list[str]:
    return [task.task_id for task in (await open_tasks(client, 0.0)).tasks]


async def test_what_was_undone_is_done_again_by_a_resume(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run fails after an effect that is compensated: its record answers nothing any more."""
    monkeypatch.setenv("OSTINATO_TEST_MOOD", "bad")
    call = {"kind": "call", "tool": "charge", "name": "pay", "arguments": {"amount": 7}}
    last = {"kind": "call", "tool": "moody", "name": "last", "arguments": {"what": "$input"}}
    team = TeamSpec.model_validate({"team": "t", "root": {"kind": "pipeline", "name": "flow", "stages": [call, last]}})
    async with workers(echoing) as bench:
        handle = await bench.start(team)
        failed = await read_result(handle)
        assert [report.outcome for report in failed.done] == [EffectOutcome.COMPENSATED], failed
        monkeypatch.setenv("OSTINATO_TEST_MOOD", "good")
        resumed = await gone_on(bench.deployment, handle.id, Order("resume"))
        assert resumed.status is RunStatus.COMPLETE, resumed.failure
        assert [(report.outcome, report.repeated) for report in resumed.done] == [(EffectOutcome.DONE, False)]


async def test_what_earlier_executions_did_is_listed_and_undone_where_the_run_fails(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three rewinds with other values make three charges: the last execution answers for all of them."""
    monkeypatch.setenv("OSTINATO_TEST_MOOD", "good")
    one = {"kind": "call", "tool": "echo", "name": "one", "arguments": {"text": "7"}}
    pay = {"kind": "call", "tool": "charge", "name": "pay", "arguments": {"amount": "$input"}}
    last = {"kind": "call", "tool": "moody", "name": "last", "arguments": {"what": "x"}}
    flow = {"kind": "pipeline", "name": "flow", "stages": [one, pay, last]}
    async with workers(echoing) as bench:
        deployment = bench.deployment
        handle = await bench.start(TeamSpec.model_validate({"team": "t", "root": flow}))
        assert [report.earlier for report in (await read_result(handle)).done] == [False]
        second = await gone_on(deployment, handle.id, Order("rewind", "one", {"one": 8}))
        assert [(report.earlier, report.outcome) for report in second.done] == [
            (True, EffectOutcome.DONE),
            (False, EffectOutcome.DONE),
        ]
        origin = await read_origin(deployment.client, handle.id)
        assert len({report.request_id for report in origin.done_after(origin.checkpoints)}) == 1, "the first charge"
        back = await gone_on(deployment, handle.id, Order("rewind", "one", {"one": 7}))
        assert [(report.earlier, report.repeated) for report in back.done] == [(True, False), (False, True)]
        monkeypatch.setenv("OSTINATO_TEST_MOOD", "bad")
        failed = await gone_on(deployment, handle.id, Order("rewind", "one", {"one": 9}, fresh=True))
    assert failed.status is RunStatus.FAILED
    assert [(report.earlier, report.outcome) for report in failed.done] == [
        (True, EffectOutcome.COMPENSATED),
        (True, EffectOutcome.COMPENSATED),
        (False, EffectOutcome.COMPENSATED),
    ]


async def test_a_run_that_would_end_at_an_unknown_effect_again_is_not_resumed(workers: Workers, effects: Path) -> None:
    """Nothing is booked and given back a second time on the way there; who has looked may let it happen again."""
    room = {"kind": "call", "tool": "reserve_room", "name": "room", "arguments": {"room": "unknown"}}
    send = {"kind": "call", "tool": "send_slowly", "name": "send"}
    flow = {"kind": "pipeline", "name": "flow", "stages": [room, send]}

    def made(what: str) -> int:
        return sum(line.startswith(what) and "unknown" in line for line in effects.read_text().splitlines())

    async with workers(echoing) as bench:
        deployment, before = bench.deployment, effects.read_text().count("send_slowly")
        handle = await bench.start(TeamSpec.model_validate({"team": "t", "root": flow}))
        failed = await read_result(handle)
        again = f"ostinato resume {handle.id} --repeat-effects send_slowly"
        assert failed.failure
        assert (failed.failure.kind, again in failed.failure.fix) == (FailureKind.OUTCOME_UNKNOWN, True)
        with pytest.raises(ConfigurationInvalid, match="it would end there again") as refused:
            await gone_on(deployment, handle.id, Order("resume"))
        assert again in refused.value.fix
        assert made("reserve_room") == 1
        await gone_on(deployment, handle.id, Order("resume", repeat_effects=("send_slowly",)))
        assert (made("reserve_room"), effects.read_text().count("send_slowly") - before) == (2, 2)


async def test_what_a_fork_goes_on_from_is_not_undone_by_its_origin(workers: Workers, effects: Path) -> None:
    """A fork of an open run is answered with its effect; the run is stopped then. Where the fork has failed, it is undone."""
    room = {"kind": "call", "tool": "reserve_room", "name": "room", "arguments": {"room": "forked"}}
    wait = {"kind": "person", "name": "ann", "question": "Go on?", "asking": {"seconds": 60}}
    flow = {"kind": "pipeline", "name": "flow", "stages": [room, wait]}

    def lines() -> list[str]:
        return [line.split()[0] for line in effects.read_text().splitlines() if "forked" in line]

    async with workers(echoing) as bench:
        deployment = bench.deployment
        handle = await bench.start(TeamSpec.model_validate({"team": "t", "root": flow}))
        forks = [f"{handle.id}-f{number}" for number in range(2)]
        async with asyncio.timeout(30):
            while f"{handle.id}~flow~ann~ask" not in await _open_tasks(deployment.client):
                await asyncio.sleep(0.05)
            handles = [(await started(deployment, handle.id, Order("fork", "1", new_id=fork)))[1] for fork in forks]
            while not {f"{fork}~flow~ann~ask" for fork in forks} <= set(await _open_tasks(deployment.client)):
                await asyncio.sleep(0.05)
        await handle.cancel()
        kept = (await read_result(handle)).done
        assert [report.outcome for report in kept] == [EffectOutcome.KEPT]
        assert forks[0] in kept[0].reason or forks[1] in kept[0].reason
        for fork in handles:
            await fork.cancel()
            (repeated,) = (await read_result(fork)).done
            assert (repeated.outcome, repeated.undo and repeated.undo.run_id) == (EffectOutcome.DONE, handle.id)
        assert lines() == ["reserve_room"]
        _, again = await started(deployment, handle.id, Order("resume"))
        async with asyncio.timeout(30):
            while f"{handle.id}~flow~ann~ask" not in await _open_tasks(deployment.client):
                await asyncio.sleep(0.05)
        await again.cancel()
        assert [report.outcome for report in (await read_result(again)).done] == [EffectOutcome.COMPENSATED]
        assert lines() == ["reserve_room", "cancel_room"]
