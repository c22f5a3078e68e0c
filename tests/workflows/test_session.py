"""The session: messages answered once and in order, across failures, continue-as-new, restarts and long silence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.service import RPCError
from temporalio.testing import TimeSkipper

from activities.contracts.failures import FailureKind
from activities.errors import AuthenticationFailed, ConfigurationInvalid
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers, new_run_id
from tests.support.scripted import Script, ScriptedProvider, calls, in_order, says
from tests.support.teams import one_agent
from workers.admission import RunOrder
from workers.bundles import export_bundle, replay_bundle
from workers.client import connect
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.runs import RunHandle, read_result, run_chain
from workers.server import ServerInfo
from workers.sessions import admit_session, end_session, read_session, send, session_goal, team_of
from workers.states import ask
from workflows.contracts import RunResult, RunStatus
from workflows.sessions import SessionInput, SessionReply, SessionSettings
from workflows.teams.tree import TeamSpec


@dataclass
class Talk:
    """One session of a test."""

    deployment: Deployment
    start: SessionInput

    @property
    def session_id(self) -> str:
        return self.start.scope_id

    @property
    def handle(self) -> RunHandle:
        return self.deployment.client.get_workflow_handle(self.session_id, result_type=RunResult)

    async def say(self, text: str, message_id: str = "") -> SessionReply:
        return await send(self.deployment.client, self.session_id, text, message_id or f"id-{text}", start=self.start)

    async def end(self) -> object:
        await end_session(self.deployment.client, self.session_id)
        return (await asyncio.wait_for(read_result(self.handle), 30)).output


async def talk(
    deployment: Deployment, team: TeamSpec | None = None, *, max_history_events: int = 4000, **settings: object
) -> Talk:
    team = team_of(team or one_agent())
    order = RunOrder(goal=session_goal(team), run_id=new_run_id())
    start = await admit_session(deployment, team, order, SessionSettings.model_validate(settings))
    return Talk(deployment, start.model_copy(update={"max_history_events": max_history_events}))


def remembers(call: ProviderCall, index: int) -> ProviderAnswer:
    """Says how many messages it sees, and what the last one is."""
    del index
    return says(f"{len(call.messages)}: {call.messages[-1].text}")


class Gate:
    """A model that answers when the test lets it."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, call: ProviderCall) -> ProviderAnswer:
        await self.opened.wait()
        return remembers(call, 0)

    @property
    def script(self) -> Script:
        return lambda call, _: self(call)


async def until_asked(bench: Bench, times: int) -> None:
    async with asyncio.timeout(30):
        while len(bench.provider.calls) < times:
            await asyncio.sleep(0.01)


async def until_waiting(session: Talk, count: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if len((await read_session(session.deployment.client, session.session_id)).waiting) == count:
                    return
            except RPCError:
                pass  # not started yet
            await asyncio.sleep(0.02)


async def test_a_conversation_goes_on_message_by_message_and_ends_when_asked_to(workers: Workers) -> None:
    async with workers(remembers) as bench:
        session = await talk(bench.deployment)
        first, second = await session.say("one"), await session.say("two")
        view = await read_session(bench.deployment.client, session.session_id)
        output = await session.end()
        with pytest.raises(ConfigurationInvalid, match="has ended"):
            await session.say("three")
        again = await session.say("two")
    assert (first.output, first.number, first.status) == ("1: one", 1, RunStatus.COMPLETE)
    assert (second.output, second.number) == ("3: two", 2)
    assert second.total.tokens == first.usage.tokens + second.usage.tokens > 0
    assert view.last == second == again
    assert output == {"ended": "somebody ended it", "messages": 2, "failed": 0, "last_answer": "3: two"}


async def test_the_same_id_twice_at_once_is_answered_once_and_another_text_under_it_is_refused(
    workers: Workers,
) -> None:
    gate = Gate()
    async with workers(gate.script) as bench:
        session = await talk(bench.deployment)
        both = asyncio.gather(session.say("one", "m"), session.say("one", "m"))
        await until_asked(bench, 1)
        gate.opened.set()
        first, second = await asyncio.wait_for(both, 30)
        with pytest.raises(ConfigurationInvalid, match="another text"):
            await session.say("other", "m")
        await session.end()
    assert first == second
    assert len(bench.provider.calls) == 1


async def test_a_new_worker_knows_what_the_one_before_it_has_answered(workers: Workers) -> None:
    async with workers(remembers) as bench:
        session = await talk(bench.deployment)
        first = await session.say("one")
    async with workers(remembers) as bench:
        again, second = await session.say("one"), await session.say("two")
        await session.end()
    assert again == first
    assert second.output == "3: two"
    assert len(bench.provider.calls) == 1


async def test_ids_are_remembered_over_continue_as_new_and_bounded(workers: Workers) -> None:
    async with workers(remembers) as bench:
        session = await talk(bench.deployment, max_history_events=30, remembered=3)
        said = [await session.say(str(number)) for number in range(8)]
        client = bench.deployment.client
        chain = await run_chain(client, session.session_id)
        asked = len(bench.provider.calls)
        again = await session.say("6")
        with pytest.raises(ConfigurationInvalid, match="another text"):
            await session.say("x", "id-6")
        with pytest.raises(ConfigurationInvalid, match="so long ago"):
            await session.say("0")
        more = await session.say("8")
        await session.end()
        bundle = await export_bundle(client, bench.deployment.store, session.session_id)
    assert len(chain) > 1
    assert again == said[6]
    assert asked == 8
    assert (more.number, more.output) == (9, "17: 8")
    await replay_bundle(bundle, bench.deployment.settings)


async def test_messages_are_answered_in_order_of_arrival_and_the_queue_is_bounded(workers: Workers) -> None:
    gate = Gate()
    async with workers(gate.script) as bench:
        session = await talk(bench.deployment, queue=3)
        waiting = []
        for number in range(3):
            waiting.append(asyncio.create_task(session.say(str(number))))
            await until_waiting(session, number + 1)
        with pytest.raises(ConfigurationInvalid, match="3 messages are unanswered"):
            await session.say("too-many")
        gate.opened.set()
        replies = await asyncio.wait_for(asyncio.gather(*waiting), 30)
        after = await session.say("too-many")
        await session.end()
    assert [reply.number for reply in replies] == [1, 2, 3]
    assert [reply.output for reply in replies] == ["1: 0", "3: 1", "5: 2"]
    assert after.output == "7: too-many"


async def test_many_at_once_while_the_history_turns_over_are_all_answered_once(workers: Workers) -> None:
    async with workers(remembers) as bench:
        session = await talk(bench.deployment, max_history_events=25)
        gate = asyncio.Semaphore(4)

        async def one(number: int) -> SessionReply:
            async with gate:
                return await session.say(str(number))

        replies = await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(16))), 60)
        chain = await run_chain(bench.deployment.client, session.session_id)
        await session.end()
    assert sorted(reply.number for reply in replies) == list(range(1, 17))
    assert len(bench.provider.calls) == 16
    assert len(chain) > 1


async def test_a_failed_answer_is_a_reply_and_the_next_message_goes_on_from_the_last_good_version(
    workers: Workers,
) -> None:
    # It fails after it has asked for a tool: a thread that ends so is one that no provider takes.
    asks, refused = calls(("add", {"a": 1, "b": 2})), AuthenticationFailed("no key", fix="set one")
    async with workers(in_order(says("hello"), asks, refused, says("back"))) as bench:
        session = await talk(bench.deployment, one_agent(tools=["add"]))
        good, bad, next_one = await session.say("one"), await session.say("two"), await session.say("three")
        result = await session.end()
    assert bad.failure
    assert (bad.status, bad.failure.kind, bad.thread) == (
        RunStatus.FAILED,
        FailureKind.AUTHENTICATION_FAILED,
        good.thread,
    )
    assert next_one.output == "back"
    assert [message.text for message in bench.provider.calls[3].messages] == ["one", "hello", "three"]
    assert isinstance(result, dict)
    assert (result["messages"], result["failed"]) == (3, 1)


async def test_an_agents_limits_hold_for_each_message_and_the_sessions_for_all(workers: Workers) -> None:
    def loops(call: ProviderCall, index: int) -> ProviderAnswer:
        return calls(("add", {"a": 1, "b": 1})) if call.messages[-1].text != "answer" else says(f"ok {index}")

    agent = one_agent(tools=["add"], limits={"turns": 2, "output_tokens": 50})
    async with workers(loops) as bench:
        session = await talk(bench.deployment, agent, tokens=250)
        looping, fine = await session.say("loop"), await session.say("answer")
        others: list[SessionReply] = []

        async def go_on() -> None:
            for message_id in "bcdefghijklmnop":
                others.append(await session.say("answer", message_id))  # noqa: PERF401 -- until one is refused

        with pytest.raises(ConfigurationInvalid, match="has ended"):
            await go_on()
        result = await asyncio.wait_for(read_result(session.handle), 30)
    assert looping.failure
    assert looping.failure.kind is FailureKind.LIMIT_EXCEEDED
    assert fine.status is RunStatus.COMPLETE
    assert 1 < len(others) < 14
    assert isinstance(result.output, dict)
    assert result.output["ended"] == "its limit of 250 tokens is reached"
    assert result.usage.tokens <= 250


@pytest.mark.parametrize(
    ("text", "message_id", "problem"),
    [(" \n", "m", "empty"), ("x" * 32_001, "m", "32,001 characters"), ("x", "a b", "id 'a b' is not valid")],
)
async def test_what_cannot_be_answered_is_refused_and_leaves_no_trace(
    workers: Workers, text: str, message_id: str, problem: str
) -> None:
    async with workers(remembers) as bench:
        session = await talk(bench.deployment)
        await session.say("one")
        events = [await _events(session)]
        with pytest.raises(ConfigurationInvalid, match=problem):
            await session.say(text, message_id)
        events.append(await _events(session))
        await session.end()
    assert events[0] == events[1]


async def _events(session: Talk) -> int:
    description = await session.handle.describe()
    return description.history_length


async def test_the_last_message_of_a_session_ends_it(workers: Workers) -> None:
    async with workers(remembers) as bench:
        session = await talk(bench.deployment, messages=1)
        assert (await session.say("only")).output == "1: only"
        result = await read_result(session.handle)
    assert isinstance(result.output, dict)
    assert result.output["ended"] == "its limit of 1 messages is reached"


async def test_a_stopped_session_answers_whoever_waits(workers: Workers) -> None:
    gate = Gate()
    async with workers(gate.script) as bench:
        session = await talk(bench.deployment)
        first = asyncio.create_task(session.say("one"))
        await until_asked(bench, 1)
        second = asyncio.create_task(session.say("two"))
        await until_waiting(session, 2)
        await session.handle.cancel()
        replies = await asyncio.wait_for(asyncio.gather(first, second), 30)
        result = await asyncio.wait_for(read_result(session.handle), 30)
    assert {reply.status for reply in replies} == {RunStatus.FAILED}
    assert all(reply.failure and "stopped" in reply.failure.message for reply in replies)
    assert result.failure
    assert result.failure.kind is FailureKind.CANCELLED


POLICY = """rules:
  - {tool: send_mail, arguments: {to: {one_of: [eve]}}, verdict: block, reason: not to eve}
  - {tool: send_mail, arguments: {to: {one_of: [boss]}}, verdict: halt, reason: no mail to the boss}
  - {verdict: proceed}
"""


def ruled(folder: Path) -> dict[str, Path]:
    path = folder / "policy.yaml"
    path.write_text(POLICY)
    return {"policy": path}


BOOKER = one_agent(tools=["charge", "send_mail"])
CHARGE = calls(("charge", {"amount": 12}))


async def test_a_session_tells_what_was_decided_and_done_in_all_its_messages(
    workers: Workers, effects: Path, tmp_path: Path
) -> None:
    effects.write_text("")
    blocked = calls(("send_mail", {"to": "eve"}))
    script = in_order(CHARGE, says("paid"), blocked, says("I may not"), says("bye"))
    async with workers(script, **ruled(tmp_path)) as bench:
        session = await talk(bench.deployment, BOOKER, max_history_events=10)
        for text in ("pay", "write", "thanks"):
            await session.say(text)
        state = await ask(session.handle)
        await session.end()
        result = await read_result(session.handle)
        executions = await run_chain(bench.deployment.client, session.session_id)
    assert len(executions) > 2, "it continued as new"
    for told in (state, result):
        assert [(one.tool, one.verdict.value, one.step) for one in told.decisions] == [("send_mail", "block", "a/m2")]
        assert [(one.tool, one.outcome.value, one.step) for one in told.done] == [("charge", "done", "a/m1")]


@pytest.mark.parametrize("how", ["halt", "stop"])
async def test_what_was_answered_stands_and_the_message_under_way_is_compensated(
    workers: Workers, effects: Path, tmp_path: Path, how: str
) -> None:
    effects.write_text("")
    hanging = asyncio.Event()

    async def hang() -> ProviderAnswer:
        hanging.set()
        await asyncio.sleep(60)
        return says("never")

    async def script(call: ProviderCall, index: int) -> ProviderAnswer:
        del call
        if index in {0, 2}:
            return CHARGE
        return says("paid") if index == 1 else calls(("send_mail", {"to": "boss"})) if how == "halt" else await hang()

    async with workers(script, **ruled(tmp_path)) as bench, asyncio.timeout(40):
        session = await talk(bench.deployment, BOOKER)
        await session.say("pay")
        saying = asyncio.create_task(session.say("pay again", "second"))
        if how == "stop":
            await hanging.wait()
            await session.handle.cancel()
        reply, result = await saying, await read_result(session.handle)
        with pytest.raises(ConfigurationInvalid, match="has ended") as refused:
            await session.say("and now?", "third")
    assert reply.failure
    assert result.failure
    assert result.failure.kind is (FailureKind.HALTED if how == "halt" else FailureKind.CANCELLED)
    assert [(one.step, one.outcome.value) for one in result.done] == [("a/m1", "done"), ("a/m2", "compensated")]
    assert result.failure.message in str(refused.value)
    assert len(bench.provider.calls) == 4


async def test_a_long_answer_and_a_long_conversation_stay_out_of_history(workers: Workers) -> None:
    async with workers(lambda *_: says("word " * 20_000)) as bench:
        session = await talk(bench.deployment, max_history_events=20)
        replies = [await session.say("x" * 30_000, f"m{number}") for number in range(4)]
        description = await session.handle.describe()
        await session.end()
    assert all(reply.output == "word " * 20_000 for reply in replies)
    assert description.raw_description.workflow_execution_info.history_size_bytes < 60_000


@asynccontextmanager
async def skipping(
    deployment: Deployment, server: ServerInfo, script: Script
) -> AsyncIterator[tuple[TimeSkipper, Deployment]]:
    skipper = TimeSkipper(await connect(deployment.settings, address=server.address))
    changed = Deployment(deployment.settings, skipper.client, deployment.store, deployment.tools)
    async with running_pools(changed, ["workflows", "models-offline"], {"offline": ScriptedProvider(script)}):
        yield skipper, changed


async def test_a_session_lasts_for_weeks_and_ends_when_nobody_says_anything(
    deployment: Deployment, server: ServerInfo
) -> None:
    async with skipping(deployment, server, remembers) as (skipper, changed):
        session = await talk(changed)
        with skipper.with_time_skipping_disabled():
            await session.say("one")
        await skipper.fast_forward(session.handle, timedelta(days=20))
        later = await session.say("two")
        await skipper.fast_forward(session.handle, timedelta(days=31))
        result = await asyncio.wait_for(read_result(session.handle), 30)
    assert later.output == "3: two"
    assert isinstance(result.output, dict)
    assert result.output["ended"] == "nobody said anything for 30 days"
