"""Refinements on a real server: acceptance, the cap, shifts, being stuck, people, and what a failure means."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from activities.contracts.failures import FailureKind
from activities.contracts.people import Choice, DecideRequest, HumanDecision
from activities.errors import AuthenticationFailed
from activities.providers.base import ProviderAnswer, ProviderCall
from tests.conftest import Bench, Workers
from tests.support.cases import Cases, Play, agents, all_of
from tests.support.people import until_asked
from tests.support.scripted import says, says_json
from workers.runs import read_result
from workflows.comparing import MAX_NUMBERED
from workflows.contracts import RunResult, RunStatus
from workflows.teams.tree import TeamSpec

SCORES = (0.3, 0.8, 0.5, 0.8, 0.1, 0.2)
FAR = ("Salt pays no duty.", "The moon orbits the earth.", "Pilots are paid in crowns.", "Bread is baked at night.")
LONG = "A pilot is paid. " * 1200
NEAR = tuple(f"The head of finance approves all expenses above five hundred euros{end}" for end in (".", "!", "?", ";"))


def judged(accepted: bool, score: float, *problems: str) -> ProviderAnswer:
    return says_json({"accepted": accepted, "score": score, "problems": list(problems)})


def play(drafts: Sequence[str] = FAR, accept_at: int = 99, scores: Sequence[float] = SCORES) -> Play:
    """A writer with one draft after the other, and an editor that accepts one of them."""
    written, read = iter(range(99)), iter(range(99))

    def script(name: str, call: ProviderCall) -> ProviderAnswer:
        del call
        if name != "editor":
            return says(drafts[next(written) % len(drafts)])
        number = next(read)
        return judged(number + 1 == accept_at, scores[number % len(scores)], f"problem of {number + 1}")

    return script


def team(*, agent: dict[str, Any] | None = None, around: Callable[[Any], Any] | None = None, **refine: Any) -> TeamSpec:
    root = {
        "kind": "refine",
        "writer": {"kind": "agent", "agent": "writer"},
        "editor": {"kind": "agent", "agent": "editor"},
        **refine,
    }
    known = {**agents("writer", "editor"), **(agent or {})}
    return TeamSpec.model_validate(
        {"team": "t", "agents": known, "root": around(root) if around else root}, extra="forbid"
    )


def prompts(cases: Cases, case: str, name: str) -> list[str]:
    return [call.messages[-1].text for call in cases.of(case, name)]


def failed_of(result: RunResult) -> FailureKind | None:
    return result.failure.kind if result.failure else None


async def test_a_draft_goes_back_until_it_is_accepted_or_the_cap_is_reached(workers: Workers) -> None:
    tight: dict[str, Any] = {"model_calls": 3, "tool_calls": 0}
    cases = Cases(
        {
            "second": play(accept_at=2),
            "score": play(),
            "best": play(),
            "fail": play(),
            "spacious": play(accept_at=3),
            "nested": play(accept_at=2),
            "continued": play(accept_at=4),
            "budget": play(),
            "broke": play(),
            "long": play(accept_at=1),
        }
    )
    large = agents("writer", "editor", limits={"model_calls": 500, "tool_calls": 2})
    async with workers(cases) as bench:

        async def run(case: str, spec: TeamSpec, **changes: Any) -> RunResult:
            return await read_result(await bench.start(spec, f"[{case}] Write.", **changes))

        done = await all_of(
            second=run("second", team(criteria=["It is short."])),
            score=run("score", team(accept_score=0.75)),
            best=run("best", team(iterations=3)),
            fail=run("fail", team(iterations=2, at_cap="fail")),
            spacious=run("spacious", team(agent=large)),
            nested=run("nested", team(around=lambda node: {"kind": "pipeline", "stages": [node]})),
            continued=run("continued", team(), max_history_events=1),
            budget=run("budget", team(budget={**tight, "on_breach": "partial"})),
            broke=run("broke", team(budget=tight)),
            long=run(
                "long", team(writer={"kind": "call", "name": "long", "tool": "big", "arguments": {"size": 70000}})
            ),
        )
    second = done["second"]
    assert (second.status, second.output) == (RunStatus.COMPLETE, FAR[1])
    assert [step.step.removeprefix("refine/") for step in second.steps] == [
        "draft-1",
        "review-1",
        "draft-2",
        "review-2",
    ]
    assert [commit.key for commit in second.state] == ["draft-1", "review-1", "draft-2", "review-2"]
    assert list(second.log) == ["draft 1 was not accepted, with score 0.3", "draft 2 was accepted, with score 0.8"]
    first, again = cases.of("second", "writer")
    assert "Criteria:\n- It is short." in first.messages[0].text
    assert [message.text for message in again.messages[:2]] == [first.messages[0].text, FAR[0]], "its own conversation"
    assert "- problem of 1" in again.messages[2].text
    reviews = prompts(cases, "second", "editor")
    assert all("- It is short." in said for said in reviews)
    assert [FAR[0] in said for said in reviews] == [True, False]
    assert [len(call.messages) for call in cases.of("second", "editor")] == [1, 1], "each draft with fresh eyes"

    assert (done["score"].status, done["score"].output) == (RunStatus.COMPLETE, FAR[1])
    assert (done["best"].status, done["best"].output) == (RunStatus.PARTIAL, FAR[1])
    assert done["best"].missing == ("no draft was accepted; the best of 3 is draft 2, with score 0.8; problem of 2",)
    assert failed_of(done["fail"]) is FailureKind.LIMIT_EXCEEDED
    assert done["fail"].failure.fix
    assert (done["spacious"].status, done["spacious"].output) == (RunStatus.COMPLETE, FAR[2])
    assert [len(call.messages) for call in cases.of("spacious", "writer")] == [1, 3, 5]
    assert (done["nested"].status, done["nested"].output) == (RunStatus.COMPLETE, FAR[1])
    assert list(done["nested"].log) == [f"pipeline/refine: {line}" for line in second.log], "others decide alike"
    continued = done["continued"]
    assert (continued.status, continued.output) == (RunStatus.COMPLETE, FAR[3]), continued.failure
    assert len(continued.steps) == 9, "four drafts, four reviews, one comparison"
    assert [len(call.messages) for call in cases.of("continued", "writer")] == [1, 3, 5, 7]
    assert (done["budget"].status, done["budget"].output) == (RunStatus.PARTIAL, FAR[0])
    assert failed_of(done["broke"]) is FailureKind.LIMIT_EXCEEDED
    assert prompts(cases, "long", "editor")[0].endswith("x\n[cut: the first 65,536 of 70,000 characters]")
    assert done["long"].status is RunStatus.PARTIAL, "it was accepted by one who has not read all of it"
    assert done["long"].missing == ("editor was shown the first 65,536 of 70,000 characters of the draft",)


def grouping(*same: int, drafts: Sequence[str] = FAR) -> Play:
    """As ``play``, with somebody who says which drafts are the same."""
    usual = play(drafts)

    def script(name: str, call: ProviderCall) -> ProviderAnswer:
        if name == "comparer":
            return says_json({"groups": [list(same)]})
        answer = usual(name, call)
        assert isinstance(answer, ProviderAnswer)
        return answer

    return script


async def test_a_writer_that_does_not_get_on_shifts_and_one_that_cannot_ends(workers: Workers) -> None:
    calm, narrow = {"temperature": 1.2}, {"persona": "You write for sailors.", "tier": "mid"}
    same, alike = ("The same.", "the  SAME.", "The same."), NEAR[:3]
    cases = Cases(
        {
            "shifts": play(accept_at=5),
            "same": play(same),
            "alike": play(alike),
            "unlike": play(),
            "blind": play(NEAR),
            "freed": play(alike, accept_at=4),
            "told": grouping(3, 1, 2),
            "untold": grouping(3, 1),
            "tails": grouping(1, 2, 3, drafts=[f"{LONG} end {at}" for at in range(3)]),
            "windows": grouping(1, 2, 3, drafts=[f"{at} {LONG} end {at}" for at in range(3)]),
        }
    )
    comparer, compared = {"kind": "agent", "agent": "comparer"}, agents("comparer")
    async with workers(cases) as bench:

        async def run(case: str, spec: TeamSpec, **changes: Any) -> RunResult:
            return await read_result(await bench.start(spec, f"[{case}] Write.", **changes))

        done = await all_of(
            shifts=run("shifts", team(iterations=6, shift_after=2, shifts=[calm, narrow])),
            same=run("same", team(iterations=5)),
            alike=run("alike", team(iterations=5, stuck={"threshold": 0.9})),
            unlike=run("unlike", team(iterations=4)),
            blind=run("blind", team(iterations=4, stuck={"threshold": 0.9}), embeddings={}),
            freed=run("freed", team(iterations=5, shift_after=9, stuck={"threshold": 0.9}, shifts=[calm])),
            told=run("told", team(iterations=5, comparer=comparer, agent=compared)),
            untold=run("untold", team(iterations=4, comparer=comparer, agent=compared)),
            tails=run("tails", team(iterations=5, comparer=comparer, agent=compared)),
            windows=run("windows", team(iterations=5, comparer=comparer, agent=compared)),
        )
    shifts = done["shifts"]
    assert (shifts.status, shifts.output) == (RunStatus.COMPLETE, FAR[0])
    assert [line for line in shifts.log if line.startswith("shift")] == [
        "shift 1 of the writer, 2 drafts were not accepted: temperature 1.2",
        "shift 2 of the writer, 2 drafts were not accepted: persona You write for sailors., tier mid",
    ]
    written = cases.of("shifts", "writer")
    assert [call.temperature for call in written] == [None, None, 1.2, 1.2, None]
    assert ["for sailors" in call.instructions for call in written] == [False, False, False, False, True]
    assert [len(call.messages) for call in written] == [1, 3, 1, 3, 1], "who shifts begins a conversation"
    assert FAR[1] in written[2].messages[0].text
    assert "- problem of 2" in written[2].messages[0].text

    for case, comparisons in (("same", 0), ("alike", 1), ("told", 1)):
        result = done[case]
        assert len([step for step in result.steps if "draft-" in step.step]) == 3, case
        assert result.status is RunStatus.PARTIAL
        assert "the writer is stuck after draft 3, and has no shift left" in result.log
        asked = [step for step in result.steps if "similarity" in step.step or "compare-" in step.step]
        assert len(asked) == comparisons, case
    for case in ("unlike", "untold"):
        assert len([step for step in done[case].steps if "draft-" in step.step]) == 4
    for case in ("tails", "windows"):
        (said,) = prompts(cases, case, "comparer")
        assert all(f" end {at}" in said for at in range(3)), "what differs is shown, however late it comes"
        cut = f"comparer was shown 4 parts of {MAX_NUMBERED // 4:,} characters of the {len(LONG) + 8:,} of answer 1 of"
        assert any(line.startswith(cut) for line in done[case].missing) is (case == "windows"), done[case].missing
    blind = done["blind"]
    assert len([step for step in blind.steps if "draft-" in step.step]) == 4, "only what is the same to the letter"
    assert "same to the letter" in blind.notes[0]
    assert (done["freed"].status, done["freed"].output) == (RunStatus.COMPLETE, NEAR[0])
    assert "shift 1 of the writer, it is stuck: temperature 1.2" in done["freed"].log


def failing(failed: str) -> Play:
    """As ``play``, with an agent whose key is wrong."""
    usual = play()

    def script(name: str, call: ProviderCall) -> ProviderAnswer:
        if name == failed:
            raise AuthenticationFailed("no key", fix="set one")
        answer = usual(name, call)
        assert isinstance(answer, ProviderAnswer)
        return answer

    return script


def slow(at: int, hanging: asyncio.Event) -> Play:
    """As ``play``, with a writer that has no end with one of its drafts."""
    usual, count = play(), iter(range(99))

    async def script(name: str, call: ProviderCall) -> ProviderAnswer:
        if name == "writer" and next(count) + 1 == at:
            hanging.set()
            await asyncio.sleep(60)
        answer = usual(name, call)
        assert isinstance(answer, ProviderAnswer)
        return answer

    return script


async def test_what_people_and_failures_make_of_it(workers: Workers) -> None:
    person = {"kind": "person", "name": "chief", "asking": {"people": ["nora"], "seconds": 60}}
    asked: dict[str, Any] = {"escalate": {**person, "choices": ["approve", "edit", "reject"]}, "iterations": 2}
    hanging = asyncio.Event()

    verdict = {"accepted": True, "score": 1.0, "problems": []}
    skipped = {"kind": "agent", "agent": "editor", "fallback": {"kind": "skip"}}
    constant = {**skipped, "fallback": {"kind": "constant", "value": verdict}}
    cases = Cases(
        {
            "approved": play(),
            "edited": play(),
            "rejected": play(),
            "unanswered": play(),
            "writer": failing("writer"),
            "editor": failing("editor"),
            "unjudged": failing("editor"),
            "constant": failing("editor"),
            "judge": failing("editor"),
            "late": slow(2, asyncio.Event()),
            "stopped": slow(1, hanging),
        }
    )
    async with workers(cases) as bench:

        async def run(case: str, spec: TeamSpec, *decisions: DecideRequest) -> RunResult:
            handle = await bench.start(spec, f"[{case}] Write.")
            for decision in decisions:
                (task,) = await until_asked(bench.deployment.client, handle.id)
                seen.setdefault(case, task)
                update = bench.deployment.client.get_workflow_handle(task.task_id)
                await update.execute_update("decide", decision, result_type=HumanDecision)
            return await read_result(handle)

        def says_(choice: Choice, answer: Any = None) -> DecideRequest:
            return DecideRequest(by="nora", choice=choice, answer=answer)

        seen: dict[str, Any] = {}
        brief: dict[str, Any] = {**asked, "escalate": {**person, "asking": {"people": ["nora"], "seconds": 0.4}}}
        done = await all_of(
            approved=run("approved", team(**asked), says_(Choice.APPROVE)),
            edited=run("edited", team(**asked), says_(Choice.EDIT, "Better so.")),
            rejected=run("rejected", team(**asked), says_(Choice.REJECT)),
            unanswered=run("unanswered", team(**brief)),
            writer=run("writer", team()),
            editor=run("editor", team()),
            unjudged=run("unjudged", team(editor=skipped)),
            constant=run("constant", team(editor=constant)),
            judge=run("judge", team(escalate=person), says_(Choice.ANSWER, verdict)),
            late=run("late", team(seconds=1.5, escalate=person)),
            stopped=stopped(bench, hanging),
        )
    assert (done["approved"].status, done["approved"].output) == (RunStatus.COMPLETE, FAR[1])
    assert seen["approved"].context == {"input": FAR[1]}, "the best draft"
    assert "problem of 2" in seen["approved"].reasons
    assert (done["edited"].status, done["edited"].output) == (RunStatus.COMPLETE, "Better so.")
    assert failed_of(done["rejected"]) is FailureKind.NOT_ALLOWED
    assert (done["unanswered"].status, done["unanswered"].output) == (RunStatus.PARTIAL, FAR[1])
    assert any(line.startswith("nobody decided on the drafts") for line in done["unanswered"].missing)
    assert failed_of(done["writer"]) is FailureKind.AUTHENTICATION_FAILED
    assert failed_of(done["editor"]) is FailureKind.AUTHENTICATION_FAILED
    for case in ("unjudged", "constant"):
        assert (done[case].status, done[case].output) == (RunStatus.PARTIAL, FAR[0])
        assert len(cases.of(case, "writer")) == 1
    assert "draft 1 was not judged: the editor was left out" in done["unjudged"].missing
    assert "draft 1 was accepted, with score 1" in done["constant"].log
    assert (done["judge"].status, done["judge"].output) == (RunStatus.COMPLETE, FAR[0]), "a person judged in its place"
    assert (done["late"].status, done["late"].output) == (RunStatus.PARTIAL, FAR[0])
    assert "cap: chief is not asked, the time for it is over" in done["late"].log
    assert done["stopped"].status is RunStatus.FAILED


async def stopped(bench: Bench, hanging: asyncio.Event) -> RunResult:
    """A run that is stopped while its writer, a workflow of its own, is at work."""
    large = agents("writer", limits={"model_calls": 500})
    handle = await bench.start(team(agent=large), "[stopped] Write.")
    client, below = bench.deployment.client, f'WorkflowId STARTS_WITH "{handle.id}" AND ExecutionStatus = "Running"'
    while not hanging.is_set() or (await client.count_workflows(below)).count < 2:
        await asyncio.sleep(0.02)
    await handle.cancel()
    result = await read_result(handle)
    while (await client.count_workflows(below)).count:
        await asyncio.sleep(0.02)
    return result
