"""What steps have done to the world: noted where the call ends, whatever becomes of the step.

The failure this prevents: a step is stopped or fails after an effect, its result never arrives, and the effect with it is
forgotten. So the ledger is the workflow's (``Frame.done``) and not the step's; results of nested workflows add to it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import UNCLEAR, ToolRequest, ToolResponse
    from activities.contracts.effects import (
        MAX_EFFECTS,
        MAX_LISTED_EFFECTS,
        MAX_PREVIEW,
        EffectOutcome,
        EffectReport,
    )
    from activities.contracts.failures import FailureKind
    from activities.contracts.profile import Effect
    from activities.errors import LimitExceeded
    from workflows.contracts import NodePlan
    from workflows.failures import failure_of
    from workflows.step_context import StepContext

_NOT_BEGUN = frozenset(
    {
        FailureKind.BLOB_MISSING,
        FailureKind.CONFIGURATION_INVALID,
        FailureKind.HALTED,
        FailureKind.HANDOFF_REJECTED,
        FailureKind.NOT_ALLOWED,
    }
)
"""Failures of a call that come before its effect. After any other, nobody knows whether it happened."""


LATE_SECONDS = 1.0
"""After a deadline: every call under way may take so long to learn of it."""


@contextmanager
def noting_effect(
    step: StepContext, plan: NodePlan, request: ToolRequest, end: Callable[[], float | None]
) -> Iterator[Callable[[ToolResponse], None]]:
    """Note the effect of the call that is made inside, if its tool has any: as done, or as one of which nobody knows.

    One that happens once is let to its end: that it went over the step's ``end``, a workflow time, is noted too.

    Yields:
        What to call with the answer.

    Raises:
        LimitExceeded: there would be more effects than are listed; the call is not to be made.
    """
    if request.call.tool not in plan.effects:
        yield lambda _: None
        return
    frame = step.frame
    listed = sum(not report.earlier for report in frame.done)
    if frame.effects_begun >= MAX_EFFECTS or listed >= MAX_LISTED_EFFECTS:
        raise LimitExceeded(
            f"this workflow has made {frame.effects_begun} effects; one workflow makes at most {MAX_EFFECTS}, and lists at"
            f" most {MAX_LISTED_EFFECTS} with those nested in it",
            fix="nest parts of the work, or let one call do more",
        )
    frame.effects_begun += 1
    try:
        yield lambda answer: frame.note(done=_answered(step, plan, request, answer))
    except ActivityError as error:
        failure = failure_of(error, agent="", step=step.path)
        if failure.kind not in _NOT_BEGUN:
            report = _report(step, plan, request, EffectOutcome.UNKNOWN)
            frame.note(done=[report.model_copy(update={"reason": failure.message, "undo": failure.undo})])
        raise
    finally:
        if workflow.in_workflow():  # not thrown away with a workflow that a worker forgets
            late = workflow.time() - (end() or workflow.time())
            if request.call.tool in plan.once and late > LATE_SECONDS:
                said = f"{step.path} ended {late:.0f} s after its time: {request.call.tool} is called at most once, and was let to its end"
                frame.note(notes=[said])


def _answered(
    step: StepContext, plan: NodePlan, request: ToolRequest, answer: ToolResponse
) -> tuple[EffectReport, ...]:
    """None of a call that was refused, and none of one whose tool said that it has done nothing."""
    if answer.message is None or answer.error not in {None, *UNCLEAR}:
        return ()
    known = {
        "undo": answer.undo,
        "repeated": answer.from_record,
        "request_id": answer.request_id,
        "arguments": answer.arguments,
    }
    text = answer.text[:MAX_PREVIEW]
    if answer.error:
        report = _report(step, plan, request, EffectOutcome.UNKNOWN)
        return (report.model_copy(update={**known, "reason": text}),)
    report = _report(step, plan, request, EffectOutcome.DONE)
    return (report.model_copy(update={**known, "result": text}),)


def _report(step: StepContext, plan: NodePlan, request: ToolRequest, outcome: EffectOutcome) -> EffectReport:
    tool = request.call.tool
    undo = plan.compensations.get(tool, "")
    return EffectReport(
        tool=tool,
        step=step.path,
        ordinal=request.key.step,
        effect=Effect.ONCE if tool in plan.once else Effect.IDEMPOTENT,
        outcome=outcome,
        compensation=undo,
        profile=request.profile if undo else None,
        arguments=request.call.arguments[:MAX_PREVIEW],
        at=workflow.time(),
    )
