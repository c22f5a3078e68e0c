"""One agent's step from its task to a result, whatever happens on the way: shared by every pattern that has agents."""

import asyncio
from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureDetail, FailureKind
    from activities.contracts.messages import UserMessage
    from activities.errors import ConfigurationInvalid
    from workflows.agent import AgentLoop
    from workflows.agent_work import AgentWork
    from workflows.contracts import AgentState, RunResult, RunStatus, StepReport
    from workflows.failures import failure_of, stop_if_requested
    from workflows.progress import Row
    from workflows.results import of_steps
    from workflows.step_context import StepContext

_LIMITS = {FailureKind.LIMIT_EXCEEDED, FailureKind.DEADLINE_EXCEEDED}


async def run_agent(
    step: StepContext,
    agent: str,
    *,
    state: AgentState | None = None,
    boundary: Callable[[AgentState], None] = lambda _: None,
) -> RunResult:
    """Work until an answer fits; failed or partial where none does.

    Args:
        step: the step.
        agent: the agent's name.
        state: where to go on after a continue-as-new.
        boundary: called between two turns; may raise to continue as new.

    Raises:
        CancelledError: the run was stopped.
    """
    run, task, board = step.run, step.task, step.board
    state = state or AgentState(
        thread=task.thread if task else None,
        append=(UserMessage(text=task.prompt if task else run.goal),),
        started_at=workflow.time(),
    )
    row = Row(path=step.path, agent=agent)
    try:
        work = AgentWork(step, agent, state)
    except ConfigurationInvalid as error:
        return RunResult(status=RunStatus.FAILED, failure=error.detail())

    def between_turns(state: AgentState) -> None:
        board.show(row.at(state))
        boundary(state)

    board.show(row.at(state))
    try:
        async with asyncio.timeout(max(0.0, work.deadline - workflow.time())):
            answer = await AgentLoop(work).work(between_turns)
    except (Exception, asyncio.CancelledError) as error:
        result = _ended(step, work, _why(work, error))
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
    late = workflow.time() >= work.deadline
    return failure_of(work.too_late() if late else error, agent=work.agent, step=work.path)


def _ended(step: StepContext, work: AgentWork, failure: FailureDetail) -> RunResult:
    """A partial result where a limit allows one, a failed one otherwise."""
    if failure.kind in _LIMITS and work.spec.on_limit == "partial" and work.state.last_text:
        partial = _result(step, work, RunStatus.PARTIAL, failure)
        missing = (*partial.missing, failure.message)[-100:]
        return partial.model_copy(update={"output": work.state.last_text, "missing": missing})
    return _result(step, work, RunStatus.FAILED, failure)


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
    return of_steps(
        (report,),
        status=status,
        usage=state.usage,
        missing=tuple(unknown.message for unknown in work.unknown),
        thread=state.thread,
        artifacts=state.artifacts,
        effects=state.effects,
        handoffs=state.handoffs,
        done=state.done,
        failure=failure,
    )
