"""What a supervisor's agents are told, however much there is of it."""

from typing import Any

from activities.contracts.base import MAX_TEXT
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Workers
from tests.support.scripted import says
from tests.support.supervision import (
    SUBTASKS,
    obedient,
    prompt,
    team,
)
from workflows.contracts import RunResult, RunStatus
from workflows.lacking import as_told
from workflows.results import together
from workflows.supervision.prompts import for_review, for_synthesis, for_worker, whole_again
from workflows.teams.tree import SubtaskSpec, TeamSpec


def test_a_synthesis_is_told_what_to_do_however_much_there_is_and_what_it_is_not_shown() -> None:
    results: list[dict[str, Any]] = [{"subtask_id": f"s1-{n}", "output": "x" * 90_000} for n in range(200)]
    gaps = [f"subtask s1-{n}: " + "y" * 900 for n in range(200)]
    for longest, told in (
        (MAX_TEXT, for_synthesis("g" * 100_000, results, gaps)),
        (MAX_TEXT, whole_again("g" * 100_000, results, gaps, "d" * 300_000, gaps)),
        (MAX_TEXT, for_review("g" * 100_000, "d" * 300_000)),
        (MAX_TEXT, for_worker("g" * 100_000, "s1-1", SubtaskSpec(type="a", task="one", input="i" * 300_000))),
    ):
        assert len(told) <= longest
        assert any(cut.endswith(" characters of the goal") for cut in told.cuts)
        assert not any(cut.endswith("its task") for cut in told.cuts), "each part is cut by itself"
    first = for_synthesis("g", results, gaps)
    assert first.endswith("Answer the goal from these results, and from nothing else.")
    assert "more\n\nAnswer" in first
    assert any(cut.endswith("of the result of s1-199") for cut in first.cuts)
    assert whole_again("g", results, gaps, "draft", gaps).endswith("Answer again, whole and corrected.")


def test_what_is_missing_beyond_what_is_listed_is_counted() -> None:
    one = together([], status=RunStatus.PARTIAL, missing=[f"line {n}" for n in range(130)])
    two = together([one, RunResult(status=RunStatus.PARTIAL, missing=("line 5", "line 129"))], status=RunStatus.PARTIAL)
    assert (len(two.missing), two.unlisted) == (100, 31)
    told = as_told(two.missing, two.unlisted)
    assert (len(told), told[-1]) == (100, "and 32 more that are not listed")
    assert as_told(("one", "one", "two"), 0) == ("one", "two")


async def test_a_correction_says_all_to_a_writer_that_remembers_nothing(workers: Workers) -> None:
    """A nested pattern has no conversation that could go on."""
    writers = {"kind": "pipeline", "name": "writers", "stages": [{"kind": "agent", "agent": "writer"}]}
    gate = {"kind": "call", "name": "gate", "tool": "strict_gate", "arguments": {"draft": "$draft", "final": "$final"}}

    def script(call: ProviderCall, index: int) -> ProviderAnswer:
        if "write" not in call.instructions:
            return obedient(call, index)
        return says("good" if "An earlier answer" in prompt(call) else "bad")

    async with workers(script) as bench:
        result = await bench.run(team(subtasks=SUBTASKS, synthesis=writers, gate=gate), "Say it.")
        told = prompt(bench.provider.calls[-1])
    assert result.status is RunStatus.COMPLETE
    assert told.startswith("Say it.\n\nAnswer the goal from the results below")
    assert '\n\nAn earlier answer:\n"bad"\n\nYour answer cannot be used as it is:' in told
    assert "\n\nInput:\n[{" in told


async def test_a_planner_in_a_pipeline_sees_what_the_stage_before_made(workers: Workers) -> None:
    """Only the goal would leave it guessing."""
    first = {"kind": "call", "name": "first", "tool": "echo", "arguments": {"text": "the facts"}}
    spec = team(planner="boss")
    line = TeamSpec.model_validate(
        {
            **spec.model_dump(mode="json"),
            "root": {"kind": "pipeline", "stages": [first, spec.root.model_dump(mode="json")]},
        }
    )
    async with workers(obedient) as bench:
        result = await bench.run(line, "Work on it.")
        told = prompt(bench.provider.calls[0])
    assert result.output == "whole of 2"
    assert told.startswith("Work on it.\n\nBreak this goal down")
    assert told.endswith("\n\nInput:\nthe facts")
