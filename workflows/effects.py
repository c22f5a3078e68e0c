"""What steps have done to the world, as reports that travel up with their results."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import ToolRequest, ToolResponse
    from activities.contracts.effects import EffectOutcome, EffectReport
    from activities.contracts.failures import FailureDetail
    from activities.contracts.profile import Effect
    from workflows.contracts import NodePlan
    from workflows.step_context import StepContext


def effect_of(
    step: StepContext, plan: NodePlan, request: ToolRequest, answer: ToolResponse | None, failure: FailureDetail | None
) -> tuple[EffectReport, ...]:
    """The effect of a call that ended: none of a tool that only reads, and none of one that answered with an error."""
    tool = request.call.tool
    if tool not in plan.effects or (answer is not None and (answer.error or answer.message is None)):
        return ()
    undo = plan.compensations.get(tool, "")
    return (
        EffectReport(
            tool=tool,
            step=step.path,
            ordinal=request.key.step,
            effect=Effect.ONCE if tool in plan.once else Effect.IDEMPOTENT,
            outcome=EffectOutcome.UNKNOWN if answer is None else EffectOutcome.DONE,
            compensation=undo,
            reason=failure.message if failure else "",
            profile=request.profile if undo else None,
            arguments=request.call.arguments if undo else "",
            result=answer.message.digest if answer and answer.message and undo else None,
            repeated=bool(answer and answer.from_record),
        ),
    )
