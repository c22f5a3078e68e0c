"""One agent's step from its task to a result, whatever happens on the way: shared by every pattern that has agents."""

import asyncio
from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureDetail, FailureKind
    from activities.contracts.handoffs import HandoffReport
    from activities.contracts.messages import UserMessage
    from activities.errors import ConfigurationInvalid, Halted
    from workflows import transfers
    from workflows.agent import AgentLoop
    from workflows.agent_work import AgentWork
    from workflows.contracts import AgentState, RunResult, RunStatus, StepReport
    from workflows.failures import failure_of, stop_if_requested
    from workflows.handoffs import unanswered
    from workflows.lacking import lacking
    from workflows.progress import Row
    from workflows.results import of_steps
    from workflows.reviewing.last_text import review_last_text
    from workflows.reviewing.review import monitors_of
    from workflows.step_context import StepContext

_LIMITS = {FailureKind.LIMIT_EXCEEDED, FailureKind.DEADLINE_EXCEEDED}


async def run_agent(
    step: StepContext,
    agent: str,
    *,
    plan: str = "",
    state: AgentState | None = None,
    boundary: Callable[[AgentState], None] = lambda _: None,
) -> RunResult:
    """Work until an answer fits; failed or partial where none does.

    Args:
        step: the step.
        agent: the agent's name.
        plan: what was resolved for it, where that is not found by its name.
        state: where to go on after a continue-as-new.
        boundary: called between two turns; may raise to continue as new.

    Raises:
        CancelledError: the run was stopped.
    """
    task = step.task
    state = state or AgentState(
        thread=task.thread if task else None,
        append=(UserMessage(text=task.prompt if task else step.run.goal),),
        started_at=workflow.time(),
    )
    before: AgentWork | None = None
    while True:  # ends: each agent has the step once, and each rejection is a tool error of the sender's
        own_step, owner = transfers.owner_of(step, agent, state)
        try:
            work = AgentWork(own_step, owner, state, plan="" if state.ownership else plan)
        except ConfigurationInvalid as error:
            return RunResult(status=RunStatus.FAILED, failure=error.detail())
        result = await _turns(own_step, work, boundary)
        rejection = None if work.state.taken or not result.handoffs else result.handoffs[-1].rejected
        if before and before.transfer and rejection:
            tried = work.state.model_copy(update={"handoffs": result.handoffs})
            state, before = transfers.handed_back(before.state, before.transfer, rejection, tried), None
        elif work.transfer:
            report = result.steps[-1].model_copy(update={"reason": f"handed on to {work.transfer.to}"})
            state, before = transfers.handed_on(own_step, owner, work.state, work.transfer, report), work
        else:
            return result


async def _turns(step: StepContext, work: AgentWork, boundary: Callable[[AgentState], None]) -> RunResult:
    """The work of one owner, until it has an answer, hands the step on, or fails."""
    board, row = step.board, Row(path=step.path, agent=work.agent)

    def between_turns(state: AgentState) -> None:
        board.show(row.at(state))
        boundary(state)

    board.show(row.at(work.state))
    try:
        async with step.frame.clock.until(work.deadline) as work.bound:
            answer = await AgentLoop(work).work(between_turns)
    except (Exception, asyncio.CancelledError) as error:
        if not workflow.in_workflow():
            raise  # thrown away with a workflow that a worker forgets
        result = await _ended(step, work, _why(work, error))
    else:
        output = answer.text if work.spec.output is None else answer.output
        result = _result(step, work, RunStatus.COMPLETE).model_copy(update={"output": output})
    board.show(row.at(work.state, result.status))
    return result


def _why(work: AgentWork, error: BaseException) -> FailureDetail:
    """What ended the step: an unknown outcome before all else, then a stop, then the deadline, then the error itself.

    Raises:
        CancelledError: the run was stopped.
    """
    if work.unknown:
        return work.unknown[0]
    stop_if_requested()
    return failure_of(work.too_late() if work.is_late else error, agent=work.agent, step=work.path)


async def _ended(step: StepContext, work: AgentWork, failure: FailureDetail) -> RunResult:
    """A partial result where a limit allows one, a failed one otherwise. Either holds only what monitors let pass.

    Raises:
        CancelledError: the run was stopped.
    """
    partial, withheld = work.spec.on_limit == "partial", ""
    if monitors_of(work.step):
        wanted = failure.kind in _LIMITS and (partial or step.partial)
        try:
            withheld = await review_last_text(work) if wanted else ""
        except (Halted, asyncio.CancelledError) as error:
            stop_if_requested()
            return _result(step, work, RunStatus.FAILED, failure_of(error, agent=work.agent, step=work.path))
        if not wanted:  # nobody asks for it, so nobody is asked about it
            work.update(last_text="")
    text = work.state.last_text
    if failure.kind in _LIMITS and partial and text:
        result = _result(step, work, RunStatus.PARTIAL, failure)
        return result.model_copy(update={"output": text, **lacking(result, failure.message)})
    result = _result(step, work, RunStatus.FAILED, failure)
    return result.model_copy(update={"so_far": text or None, **(lacking(result, withheld) if withheld else {})})


def _result(step: StepContext, work: AgentWork, status: RunStatus, failure: FailureDetail | None = None) -> RunResult:
    run, task = step.run, step.task
    state = work.state
    report = StepReport(
        agent=work.identity,
        step=work.path,
        status=status,
        attempts=1 + state.retries,
        tokens=state.usage.tokens,
        cost_usd=state.usage.cost_usd,
        milliseconds=round((workflow.time() - state.started_at) * 1000),
        task="" if task is None or task.prompt == run.goal else " ".join(task.prompt.split())[:200],
        model=work.plan.models[state.choice].model,
        reason=failure.message if failure else "",
        thread=state.thread,
    )
    own = state.ownership
    return of_steps(
        (*(own.before if own else ()), report),
        status=status,
        usage=state.total,
        missing=tuple(unknown.message for unknown in work.unknown),
        thread=state.thread,
        owner=work.identity,
        artifacts=state.artifacts,
        effects=state.effects,
        handoffs=_handoffs(work, failure),
        failure=failure,
    )


def _handoffs(work: AgentWork, failure: FailureDetail | None) -> tuple[HandoffReport, ...]:
    """How the step came to its owners. One that ended before its owner said anything has a report too."""
    reports, handoff = work.state.handoffs, work.handoff
    if handoff is None or work.state.taken or failure is None or failure.kind is FailureKind.CANCELLED:
        return reports
    if reports and reports[-1].rejected and reports[-1].receiver == handoff.owner:
        return reports
    return (*reports, unanswered(handoff, failure, sent=work.sent))[-transfers.MAX_REPORTS :]
