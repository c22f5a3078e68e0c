"""One way back: resume, rewind and fork go on by records, unpaid where nothing has changed."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from activities.contracts.failures import FailureKind
from activities.errors import AuthenticationFailed, ConfigurationInvalid
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.lineages import echoing, gone_on, parts, stages, started
from workers.checkpoints import read_origin
from workers.lineages import members_of, reruns_of
from workers.rewinding import Order, find_way, go_on
from workers.runs import read_result
from workflows.contracts import RunStatus
from workflows.teams.tree import TeamSpec


async def test_a_rewind_pays_only_for_what_has_changed(workers: Workers) -> None:
    async with workers(echoing) as bench:
        handle = await bench.start(stages("a", "b", "c"))
        first = await read_result(handle)
        assert first.failure is None, first.failure
        assert len(bench.provider.calls) == 3
        again = await gone_on(bench.deployment, handle.id, Order("rewind", "1"))
        assert (again.output, again.usage.model_calls, len(bench.provider.calls)) == (first.output, 0, 3)
        changed = await gone_on(bench.deployment, handle.id, Order("rewind", "b", {"b": "other"}))
        assert changed.output == "c(other)"
        assert [commit.value for commit in changed.state] == [first.state[0].value, "other", "c(other)"]
        assert len(bench.provider.calls) == 4
        origin = await read_origin(bench.deployment.client, handle.id)
        assert [checkpoint.name for checkpoint in origin.checkpoints] == ["1", "2", "3"]
        assert origin.run.rewind
        assert (origin.run.rewind.kind, origin.run.rewind.number) == ("rewind", 2)
        assert changed.status is RunStatus.COMPLETE


async def test_what_failed_is_resumed_where_it_failed(workers: Workers) -> None:
    """Twice: the second time it fails again at the next step, and what was paid before is never paid again."""
    broken = {"b", "c"}

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions in broken:
            raise AuthenticationFailed("the key is wrong")
        return echoing(call, index)

    async with workers(script) as bench:
        handle = await bench.start(stages("a", "b", "c"))
        assert (await read_result(handle)).status is RunStatus.FAILED
        broken.remove("b")
        again = await gone_on(bench.deployment, handle.id, Order("resume"))
        assert again.failure
        assert (again.failure.kind, again.failure.agent) == (FailureKind.AUTHENTICATION_FAILED, "c")
        assert again.usage.model_calls == 1
        broken.remove("c")
        whole = await gone_on(bench.deployment, handle.id, Order("resume"))
        assert whole.status is RunStatus.COMPLETE
        answered = [call.instructions for call in bench.provider.calls if call.instructions not in broken]
        assert sorted(answered) == ["a", "b", "b", "c", "c"]
        with pytest.raises(ConfigurationInvalid, match="is complete: there is nothing to resume"):
            await gone_on(bench.deployment, handle.id, Order("resume"))
        reruns = await reruns_of(bench.deployment.store, handle.id)
    assert [(run.number, run.kind, run.workflow_id) for run in reruns] == [
        (1, "resume", handle.id),
        (2, "resume", handle.id),
    ]


async def test_a_tool_that_failed_a_step_is_called_again_and_a_changed_team_pays_for_its_change(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = stages("a", "b")
    call = {"kind": "call", "name": "read", "tool": "moody", "arguments": {"what": "$input"}}
    team = TeamSpec.model_validate(
        {**team.model_dump(), "root": {**team.root.model_dump(), "stages": [*parts(team), call]}}
    )
    monkeypatch.setenv("OSTINATO_TEST_MOOD", "bad")
    async with workers(echoing) as bench:
        handle = await bench.start(team)
        failed = await read_result(handle)
        assert failed.failure
        assert failed.failure.kind is FailureKind.TOOL_FAILED, failed.failure
        monkeypatch.setenv("OSTINATO_TEST_MOOD", "good")
        changed = team.model_copy(
            update={"agents": {**team.agents, "b": team.agents["b"].model_copy(update={"instructions": "B"})}}
        )
        resumed = await gone_on(bench.deployment, handle.id, Order("resume", team=changed))
        assert resumed.status is RunStatus.COMPLETE, resumed.failure
        assert str(resumed.output).startswith("good: B(")
        assert [call.instructions for call in bench.provider.calls] == ["a", "b", "B"]


async def test_a_fork_leaves_its_run_alone_and_forks_again(workers: Workers) -> None:
    async with workers(echoing) as bench:
        deployment = bench.deployment
        handle = await bench.start(stages("a", "b", "c"))
        first = await read_result(handle)
        fork = f"{handle.id}-fork"
        forked = await gone_on(deployment, handle.id, Order("fork", "1", {"a": "new"}, new_id=fork))
        assert str(forked.output).endswith("b(new))")
        twice = await gone_on(deployment, fork, Order("fork", "2", {"b": "newer"}, new_id=f"{fork}-2"))
        assert (twice.output, twice.state[0].value) == ("c(newer)", "new")
        back = await gone_on(deployment, f"{fork}-2", Order("rewind", "0"))
        assert (back.output, back.usage.model_calls) == (first.output, 0)
        assert (await read_result(handle)).output == first.output
        assert await members_of(deployment.store, handle.id) == [handle.id, fork, f"{fork}-2"]
        with pytest.raises(ConfigurationInvalid, match="cannot have its id"):
            await gone_on(deployment, fork, Order("fork", "1", new_id=fork))
        with pytest.raises(ConfigurationInvalid, match="is there already"):
            await gone_on(deployment, fork, Order("fork", "1", new_id=handle.id))
        assert len(bench.provider.calls) == 6


async def test_names_of_checkpoints_and_values_are_checked(workers: Workers) -> None:
    async with workers(echoing) as bench:
        handle = await bench.start(stages("a", "b"))
        await read_result(handle)
        origin = await read_origin(bench.deployment.client, handle.id)
    for order, said in (
        (Order("rewind", "9"), "has no checkpoint '9'"),
        (Order("rewind", "aa"), "has no checkpoint 'aa'"),
        (Order("rewind", "a", {"b": 1}), "nothing is committed under 'b' at this checkpoint"),
        (Order("rewind", "0", {"a": 1}), "nothing is committed under 'a' at this checkpoint"),
        (Order("rewind", "a", {"goal": ""}), "the goal is not valid"),
        (Order("rewind", "a", {"a": "x" * 70_000}), "has more than 65,536 characters"),
        (Order("fork", "a", new_id="../x"), "the run id is not valid"),
    ):
        with pytest.raises(ConfigurationInvalid, match=re.escape(said)):
            find_way(origin, order)
    doubled = replace(origin, checkpoints=(*origin.checkpoints, origin.checkpoints[0]))
    with pytest.raises(ConfigurationInvalid, match="'a' was committed 2 times"):
        doubled.find("a")
    assert origin.find("flow/b") == origin.find("b") == origin.find("2")
    assert origin.find("start") is origin.find("0") is None


async def test_the_goal_can_be_another(workers: Workers) -> None:
    async with workers(echoing) as bench:
        handle = await bench.start(stages("a", "b"), "One.")
        await read_result(handle)
        origin = await read_origin(bench.deployment.client, handle.id)
        run, again = await started(bench.deployment, handle.id, Order("rewind", "2", {"goal": "Two."}))
        result = await read_result(again)
    assert (run.goal, result.state[0].value, result.usage.model_calls) == ("Two.", "a(Two.)", 2)
    assert origin.run.goal == "One."


async def test_of_two_commands_at_once_one_wins(workers: Workers) -> None:
    async with workers(echoing) as bench:
        deployment = bench.deployment
        handle = await bench.start(stages("a", "b"))
        await read_result(handle)
        origin = await read_origin(deployment.client, handle.id)
        ways = [find_way(origin, Order("rewind", "a", {"a": str(number)})) for number in range(3)]
        outcomes = await asyncio.gather(*(go_on(deployment, way) for way in ways), return_exceptions=True)
        won = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        lost = [str(outcome) for outcome in outcomes if isinstance(outcome, ConfigurationInvalid)]
        assert (len(won), len(lost)) == (1, 2)
        assert all("another command goes on from the run" in sentence for sentence in lost)
        await read_result(won[0][1])
        with pytest.raises(ConfigurationInvalid, match="another command goes on"):
            await go_on(deployment, ways[0])
        assert len(await reruns_of(deployment.store, handle.id)) == 1


async def test_a_terminated_run_is_resumed(workers: Workers) -> None:
    held = asyncio.Event()

    async def hang(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions == "b" and not held.is_set():
            held.set()
            await asyncio.sleep(60)
        return echoing(call, index)

    async with workers(hang) as bench:
        handle = await bench.start(stages("a", "b"))
        await asyncio.wait_for(held.wait(), 30)
        await handle.terminate()
        origin = await read_origin(bench.deployment.client, handle.id)
        assert [checkpoint.commit.key for checkpoint in origin.checkpoints] == ["a"]
        result = await gone_on(bench.deployment, handle.id, Order("resume"))
        assert (result.status, result.usage.model_calls) == (RunStatus.COMPLETE, 1)


async def test_nested_workflows_have_checkpoints_of_their_own(workers: Workers) -> None:
    inner = {"kind": "pipeline", "name": "inner", "stages": [{"kind": "agent", "agent": name} for name in ("b", "c")]}
    ends = [{"kind": "agent", "agent": "a"}, inner, {"kind": "agent", "agent": "d"}]
    team = stages("a", "b", "c", "d")
    team = TeamSpec.model_validate({**team.model_dump(), "root": {**team.root.model_dump(), "stages": ends}})
    async with workers(echoing) as bench:
        deployment = bench.deployment
        handle = await bench.start(team)
        assert (await read_result(handle)).status is RunStatus.COMPLETE
        origin = await read_origin(deployment.client, handle.id)
        names = [(checkpoint.name, checkpoint.commit.step) for checkpoint in origin.checkpoints]
        assert names == [
            ("1", "flow/a"),
            ("flow/inner:1", "flow/inner/b"),
            ("flow/inner:2", "flow/inner/c"),
            ("2", "flow/inner"),
            ("3", "flow/d"),
        ]
        assert [checkpoint.name for checkpoint in origin.kept(origin.find("b"))] == ["1", "flow/inner:1"]
        fresh = await gone_on(deployment, handle.id, Order("rewind", "flow/inner:1", {"b": "B"}, fresh=True))
        assert (fresh.output, fresh.usage.model_calls) == ("d(c(B))", 2)
        kept = await gone_on(deployment, handle.id, Order("rewind", "3"))
        assert (kept.output, kept.usage.model_calls) == ("d(c(B))", 0)
        # Back before what was set: it is what it was, and that is on record.
        before = await gone_on(deployment, handle.id, Order("rewind", "1"))
        assert before.state[1].value == "c(b(a(Do it.)))"


async def test_a_rewind_of_a_rewind_knows_what_was_made_anew(workers: Workers) -> None:
    async with workers(echoing) as bench:
        handle = await bench.start(stages("a", "b", "c"))
        await read_result(handle)
        orders = (
            Order("rewind", "1", fresh=True),  # b and c
            Order("rewind", "2"),
            Order("rewind", "2", fresh=True),  # c
            Order("rewind", "0"),
            Order("rewind", "0", fresh=True),  # all
            Order("rewind", "3"),
        )
        paid = [(await gone_on(bench.deployment, handle.id, order)).usage.model_calls for order in orders]
    assert paid == [2, 0, 1, 0, 3, 0]


async def test_a_run_whose_input_is_gone_is_not_started_again(workers: Workers, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("A note.")
    async with workers(echoing) as bench:
        deployment = bench.deployment
        handle = await bench.start(stages("a"), folder=tmp_path)
        await read_result(handle)
        again = await gone_on(deployment, handle.id, Order("rewind", "0"))
        assert again.usage.model_calls == 0
        await deployment.store.delete_paths(
            [path async for path in deployment.store.list_paths(f"lineages/{handle.id}/blobs/")]
        )
        with pytest.raises(ConfigurationInvalid, match="is not in the object store any more"):
            await gone_on(deployment, handle.id, Order("rewind", "0"))
        reruns = await reruns_of(deployment.store, handle.id)
    assert len(reruns) == 1


async def test_a_fork_may_be_of_a_run_that_is_under_way(workers: Workers) -> None:
    held, let_go = asyncio.Event(), asyncio.Event()

    async def slow(call: ProviderCall, index: int) -> ProviderAnswer:
        if call.instructions == "b" and "other" not in call.messages[-1].text:
            held.set()
            await asyncio.wait_for(let_go.wait(), 30)
        return echoing(call, index)

    async with workers(slow) as bench:
        handle = await bench.start(stages("a", "b"))
        await asyncio.wait_for(held.wait(), 30)
        forked = await gone_on(bench.deployment, handle.id, Order("fork", "a", {"a": "other"}, new_id=f"{handle.id}-f"))
        assert (forked.output, forked.usage.model_calls) == ("b(other)", 1)
        let_go.set()
        assert (await read_result(handle)).output == "b(a(Do it.))"
