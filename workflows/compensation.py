"""Compensation: what a run that fails or is stopped has done to the world is undone, the newest first (saga).

The failure this prevents: a run books a room and sends an invitation, fails at the third step, and nobody cancels either.
The root compensates for its whole tree, once its steps have ended: what is nested hands its effects up with its result. A
nested workflow whose parent is gone compensates its own. Each compensation is a call under a key of its own, so a run
that is resumed repeats none; a stop does not interrupt them. What has no compensation stays done, and is listed. An
idempotent effect of which nobody knows whether it happened is compensated too: undoing what is not there does no harm, and
leaving it might. One that happens once and is unknown is left to a person, and the failure names it.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import ToolRequest
    from activities.contracts.effects import MAX_EFFECTS, EffectOutcome, EffectReport
    from activities.contracts.failures import FailureDetail, FailureKind
    from activities.contracts.messages import ToolCall
    from activities.contracts.profile import Effect
    from activities.contracts.steps import StepKey
    from workflows import steps
    from workflows.children import stopped_by_parent
    from workflows.failures import failure_of
    from workflows.frame import Frame
    from workflows.keeping import is_plain_effect, kept
    from workflows.progress import Row

SECONDS = 600.0
"""How long all compensations of one workflow may take. It has 15 minutes between its own bounds and the server's end."""
RESERVE_SECONDS = 30.0
"""Before the server ends the workflow: for saying what could not be undone."""
_MAY_STAND = frozenset({EffectOutcome.DONE, EffectOutcome.UNKNOWN, EffectOutcome.KEPT})
_OF_CALLS = frozenset({FailureKind.OUTCOME_UNKNOWN, FailureKind.TOOL_FAILED})
GOES_ON = "ostinato: the run goes on from here"
"""The reason of a cancellation after which the run is started again at once: its effects stand."""


def compensates() -> bool:
    """Whether this workflow undoes effects itself: the root, or what is nested where nobody above is left to do so."""
    if workflow.info().parent is None:
        return True
    return workflow.cancellation_reason() is not None and not stopped_by_parent()


def goes_on() -> bool:
    """Whether the workflow is stopped for a rewind only."""
    return workflow.cancellation_reason() == GOES_ON


def keep_standing(frame: Frame) -> int:
    """Let what was done so far stand whatever follows, as somebody was told of it; as many as one workflow carries.

    Returns:
        How many are not listed any more.
    """
    standing = [report.model_copy(update={"undo": None}) for report in frame.done]
    frame.done, rest = kept(standing, MAX_EFFECTS, is_plain_effect)
    return len(rest)


async def undo_effects(frame: Frame) -> None:
    """Compensate what can be compensated and still stands, or may; the outcomes are in ``frame.done``.

    Not what another run of the lineage has done, as this one was only answered from its records; and not what a fork that
    has not failed was answered with.
    """
    root = workflow.info().workflow_id.partition("/")[0]
    standing = [
        (report.at, index)
        for index, report in enumerate(frame.done)
        if report.outcome in _MAY_STAND and report.undo and report.undo.run_id == root
    ]
    if not standing:
        return
    indices = [index for _, index in sorted(standing, reverse=True)]
    undoing = asyncio.create_task(_undo_all(frame, indices))
    try:
        await asyncio.shield(undoing)
    except asyncio.CancelledError:
        await undoing  # a stop comes once at most: the server keeps it


async def _undo_all(frame: Frame, indices: list[int]) -> None:
    ends = workflow.time() + _seconds()
    for index in indices:
        report = frame.done[index]
        row = Row(path=f"{report.step}.{report.ordinal}.u", agent=report.compensation, status="undoing")
        frame.board.show(row)
        # Whoever asks, or ends the run, in the meantime: it stands no more, and is not gone.
        begun = f"{report.compensation} had begun to undo it"
        frame.done[index] = report.model_copy(update={"outcome": EffectOutcome.UNKNOWN, "reason": begun})
        outcome, reason = await _undo(frame, report, ends - workflow.time())
        frame.done[index] = report.model_copy(update={"outcome": outcome, "reason": reason[:1000]})
        frame.board.show(row.model_copy(update={"status": outcome.value}))


async def _undo(frame: Frame, report: EffectReport, seconds: float) -> tuple[EffectOutcome, str]:
    """Undo one effect: what became of it, and why it could not be undone."""
    failed = EffectOutcome.COMPENSATION_FAILED
    if seconds <= 0:
        return failed, "the time for compensations was used up"
    tool, run = report.compensation, frame.run
    if report.profile is None or report.undo is None:
        return failed, "nothing is known of its call"
    request = ToolRequest(
        key=StepKey(scope_id=run.scope_id, path=report.step, step=f"{report.ordinal}.u"),
        profile=report.profile,
        call=ToolCall(tool_call_id="undo", tool=tool, arguments=""),
        snapshot=run.snapshot,
        undo=report.undo.digest,
    )
    timeout = timedelta(seconds=run.tool_seconds.get(tool, 60.0))
    try:
        async with asyncio.timeout(seconds):
            answer = await steps.call_tool(request, tool_timeout=timeout, summary=f"undo {report.tool}: {tool}"[:200])
    except TimeoutError:
        return failed, "the time for compensations was used up"
    except ActivityError as error:
        return failed, failure_of(error, agent="", step=report.step).message or "it failed"
    if answer.kept_for:
        return EffectOutcome.KEPT, f"the run {answer.kept_for} goes on from it"
    if answer.message is None:
        return failed, f"it was not allowed: {answer.decision.reason if answer.decision else ''}"
    return (failed, answer.text or "it failed") if answer.error else (EffectOutcome.COMPENSATED, "")


def with_outcomes(failure: FailureDetail, done: list[EffectReport]) -> FailureDetail:
    """The failure, saying too which effects could not be undone, and of which nobody knows; and what to do about them."""
    info = workflow.info()
    run = info.root.workflow_id if info.root else info.workflow_id
    said, fixes = "", [failure.fix]
    unknown = [r for r in done if r.outcome is EffectOutcome.UNKNOWN and r.effect is Effect.ONCE and not r.earlier]
    if tools := sorted({report.tool for report in unknown})[:5]:
        whose, again = ", ".join(tools), " ".join(f"--repeat-effects {tool}" for tool in tools)
        if failure.kind is not FailureKind.OUTCOME_UNKNOWN:
            said += f"; and whether the effect of {whose} happened is not known"
        if any(report.repeated for report in unknown):
            said += "; its answer is on record from an earlier attempt, and it was not called again"
        fix = f"look whether it happened; where it did not: ostinato resume {run} {again}"
        # A call's own fix cannot know the run, and what was begun is not mended by other input.
        fixes = [fix] if failure.kind in _OF_CALLS else [failure.fix, fix]
    if failed := sorted({report.tool for report in done if report.outcome is EffectOutcome.COMPENSATION_FAILED}):
        said += f"; and what {', '.join(failed[:5])} did could not be undone"
        fixes.append(f"undo it by hand: ostinato show {run} says why")
    message = failure.message[: 1000 - len(said)] + said
    return failure.model_copy(update={"message": message, "fix": "; ".join(filter(None, fixes))[:1000]})


def _seconds() -> float:
    """How long they may take, by the server's end of this workflow too."""
    info = workflow.info()
    if info.execution_timeout is None:
        return SECONDS
    end = (info.workflow_start_time + info.execution_timeout).timestamp()
    return min(SECONDS, end - workflow.time() - RESERVE_SECONDS)
