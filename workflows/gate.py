"""The gate as a workflow sees it: the activity decides right before the effect; here its decision is acted on.

One decision point, one vocabulary: ``proceed | edit | block | ask | halt`` (design, section 4). A call that is simply let
through costs nothing. ``ask`` opens a human task and sends the call again with the person's approval.
"""

from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import ToolRequest, ToolResponse
    from activities.contracts.grants import Verdict
    from activities.errors import Halted
    from workflows.contracts import DecisionReport
    from workflows.step_context import StepContext

Send = Callable[[ToolRequest], Awaitable[ToolResponse]]


async def through_the_gate(step: StepContext, request: ToolRequest, send: Send) -> ToolResponse:
    """Make a call as the gate allows it.

    Raises:
        Halted: the gate ends the run at this action.
        ActivityError: the call failed for good.
    """
    answer = await send(request)
    decision = answer.decision
    if decision is None:
        return answer
    report = DecisionReport(
        step=step.path, tool=request.call.tool, verdict=decision.verdict, by=decision.by, reason=decision.reason
    )
    step.frame.note(decisions=[report])
    if decision.verdict is Verdict.HALT:
        raise Halted(f"the gate halts the run at {request.call.tool!r}: {decision.reason}")
    return answer
