"""The gate as a workflow sees it: the activity decides right before the effect; here its decision is acted on.

One decision point, one vocabulary: ``proceed | edit | block | ask | halt`` (design, section 4). Monitors decide before a
call is sent (``workflows.reviewing.review``). A call that is simply let through costs nothing. ``ask`` opens a human task
and sends the call again with the person's approval, which the activity looks at once more: a person cannot exceed what
grants and policy refuse, and what one has edited the monitors' rules look at again.
"""

from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.calls import ToolErrorKind, ToolRequest, ToolResponse
    from activities.contracts.grants import Approval, GateDecision, Verdict
    from activities.contracts.people import Choice, HumanDecision, HumanTask, ProposedAction
    from activities.errors import DeadlineExceeded, Halted
    from activities.records import call_hash
    from workflows.contracts import DecisionReport
    from workflows.people import ask_person
    from workflows.reviewing.places import reviewed_call, reviewed_edit
    from workflows.reviewing.rules import shortened
    from workflows.step_context import StepContext

Send = Callable[[ToolRequest], Awaitable[ToolResponse]]

MAX_ASKS = 3
"""Times that people are asked about one call: an approval may expire, and what a person has edited may need another yes."""
_VERDICTS = {Choice.APPROVE: Verdict.PROCEED, Choice.EDIT: Verdict.EDIT}


async def through_the_gate(step: StepContext, request: ToolRequest, send: Send) -> ToolResponse:
    """Make a call as the gate allows it.

    Args:
        step: the step that makes it.
        request: the call.
        send: makes it; each time with timeouts of its own.

    Returns:
        The answer. One that monitors, grants, the policy or a person refuse has ``error=BLOCKED`` and says why; where it was
        a monitor or a person it has no ``message``: its ``text`` is what the agent is told.

    Raises:
        Halted: the gate ends the run at this action.
        DeadlineExceeded: nobody decided in time, and there is no default.
        ActivityError: the call failed for good.
        CancelledError: the run was stopped.
    """
    reviewed = await reviewed_call(step, request)
    if isinstance(reviewed, ToolResponse):
        return reviewed
    answer = await send(request := reviewed)
    if answer.decision is None:
        return answer
    _note(step, request, answer.decision)
    made = await _acted_on(step, request, answer, send)
    return made.model_copy(update={"accepted": answer.accepted})


async def _acted_on(step: StepContext, request: ToolRequest, answer: ToolResponse, send: Send) -> ToolResponse:
    """What comes of a call of which the gate has said something."""
    asked = call_hash(request)
    for number in range(1, MAX_ASKS + 1):
        decision = answer.decision
        if decision is None or decision.verdict is not Verdict.ASK:
            break
        said = await _ask(step, request, decision, number)
        if said.choice not in _VERDICTS or said.action is None or said.expires_at is None:
            return _rejected(said)
        request = _approved(request, decision, said, asked)
        if said.choice is Choice.EDIT:
            held = await reviewed_edit(step, request)
            if isinstance(held, ToolResponse):
                return held
            # What a rule has made of it nobody has approved: it is asked about once more.
            request = held if held is request else held.model_copy(update={"approval": None})
        answer = await send(request)
        if answer.decision and answer.decision.verdict is not Verdict.PROCEED:
            _note(step, request, answer.decision)
    if answer.decision and answer.decision.verdict is Verdict.HALT:
        raise _halt(step, request, answer.decision)
    if answer.decision and answer.decision.verdict is Verdict.ASK:
        return _not_made(f"This call was asked about {MAX_ASKS} times, and never approved as it is to be made.")
    return answer


def report(step: StepContext, tool: str, ordinal: str, decision: GateDecision) -> DecisionReport:
    """A decision as the run's record has it."""
    return DecisionReport(
        step=step.path,
        tool=tool,
        verdict=decision.verdict,
        by=decision.by,
        reason=decision.reason,
        rule=decision.rule,
        ordinal=ordinal,
        arguments=shortened(decision.arguments or "") if decision.verdict is Verdict.EDIT else "",
    )


def _note(step: StepContext, request: ToolRequest, decision: GateDecision) -> None:
    step.frame.note(decisions=[report(step, request.call.tool, request.key.step, decision)])


async def _ask(step: StepContext, request: ToolRequest, decision: GateDecision, number: int) -> HumanDecision:
    """Ask a person about a call; the decision is noted, and so is that nobody made one."""
    call = request.call
    arguments = call.arguments if decision.arguments is None else decision.arguments
    question = HumanTask(
        key=step.key(f"{request.key.step}.ask{number if number > 1 else ''}"),
        question=f"May {_actor(step)} call {call.tool}?"[:1000],
        asking=decision.asking,
        choices=(Choice.APPROVE, Choice.EDIT, Choice.REJECT),
        action=ProposedAction(tool=call.tool, arguments=arguments),
        reasons=(decision.reason,) if decision.reason else (),
        handoff=step.task.handoff if step.task else None,
    )
    try:
        with step.frame.waits():
            said = await ask_person(step, question)
    except DeadlineExceeded as error:
        _note(step, request, GateDecision(verdict=Verdict.BLOCK, by="nobody", reason=str(error)[:500]))
        raise
    verdict = _VERDICTS.get(said.choice, Verdict.BLOCK)
    _note(
        step,
        request,
        GateDecision(verdict=verdict, by=said.by, reason=said.reason, rule=said.task_id, arguments=said.arguments),
    )
    return said


def _approved(request: ToolRequest, decision: GateDecision, said: HumanDecision, asked: str) -> ToolRequest:
    """The call with a person's yes, under the same key; its handoff was taken already. ``asked``: as it was proposed."""
    given = request.call.arguments if decision.arguments is None else decision.arguments
    call = request.call.model_copy(update={"arguments": given if said.arguments is None else said.arguments})
    approval = Approval(
        task_id=said.task_id,
        by=said.by,
        action=said.action or "",
        expires_at=said.expires_at or 0.0,
        decided_at=said.decided_at,
        asked=asked,
    )
    return request.model_copy(update={"call": call, "approval": approval, "handoff": None})


def _rejected(said: HumanDecision) -> ToolResponse:
    why = f": {said.reason}" if said.reason else ""
    return _not_made(f"{said.by} does not allow this call{why}.")


def _not_made(text: str) -> ToolResponse:
    return ToolResponse(error=ToolErrorKind.BLOCKED, text=text)


def _halt(step: StepContext, request: ToolRequest, decision: GateDecision) -> Halted:
    error = Halted(
        f"the gate halts the run at {request.call.tool!r}: {decision.reason}",
        fix="look at what led to it (ostinato show), and at the rule of the deployment's policy",
    )
    step.frame.halt(error.detail().model_copy(update={"step": step.path}))
    return error


def _actor(step: StepContext) -> str:
    handoff = step.task.handoff if step.task else None
    return handoff.owner if handoff and handoff.owner else f"the step {step.path}"
