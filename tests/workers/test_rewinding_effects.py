"""What a way back does not do again: effects, and questions to people."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from activities.contracts.effects import EffectOutcome
from activities.contracts.messages import ToolCall
from activities.contracts.people import Choice, DecideRequest
from activities.errors import ConfigurationInvalid
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.lineages import echoing, gone_on, mailing, parts, stages
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
