"""One agent's step from its task to a result, whatever happens on the way: shared by every pattern that has agents."""

import asyncio
from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureDetail, FailureKind
    from activities.contracts.messages import UserMessage
    from activities.errors import ConfigurationInvalid
    from workflows.agent import AgentLoop
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
        loop = AgentLoop(run, agent=agent, path=step.path, state=state, task=task)
    except ConfigurationInvalid as error:
        return RunResult(status=RunStatus.FAILED, failure=error.detail())

    def between_turns(state: AgentState) -> None:
        board.show(row.at(state))
        boundary(state)

    board.show(row.at(state))
    try:
        async with asyncio.timeout(max(0.0, loop.deadline - workflow.time())):
            answer = await loop.work(between_turns)
    except (Exception, asyncio.CancelledError) as error:
        result = _ended(step, loop, _why(loop, error))
    else:
        output = answer.text if loop.spec.output is None else answer.output
        result = _result(step, loop, RunStatus.COMPLETE).model_copy(update={"output": output})
    board.show(row.at(loop.state, result.status))
    return result


def _why(loop: AgentLoop, error: BaseException) -> FailureDetail:
    """What ended the step: an unknown outcome before all else, then a stop, then the deadline, then the error itself.

    Raises:
        CancelledError: the run was stopped.
    """
    if loop.unknown:
        return loop.unknown[0]
    stop_if_requested()
    late = workflow.time() >= loop.deadline
    return failure_of(loop.too_late() if late else error, agent=loop.agent, step=loop.path)


def _ended(step: StepContext, loop: AgentLoop, failure: FailureDetail) -> RunResult:
    """A partial result where a limit allows one, a failed one otherwise."""
    if failure.kind in _LIMITS and loop.spec.on_limit == "partial" and loop.state.last_text:
        partial = _result(step, loop, RunStatus.PARTIAL, failure)
        missing = (*partial.missing, failure.message)[-100:]
        return partial.model_copy(update={"output": loop.state.last_text, "missing": missing})
    return _result(step, loop, RunStatus.FAILED, failure)


def _result(step: StepContext, loop: AgentLoop, status: RunStatus, failure: FailureDetail | None = None) -> RunResult:
    run, task = step.run, step.task
    state = loop.state
    report = StepReport(
        agent=f"{run.team.team}/{loop.agent}@{run.team.version}",
        step=loop.path,
        status=status,
        attempts=1 + state.retries,
        tokens=state.usage.tokens,
        cost_usd=state.usage.cost_usd,
        milliseconds=round((workflow.time() - state.started_at) * 1000),
        task=" ".join(task.prompt.split())[:200] if task else "",
        model=loop.plan.models[state.choice].model,
        reason=failure.message if failure else "",
        thread=state.thread,
    )
    return of_steps(
        (report,),
        status=status,
        usage=state.usage,
        missing=tuple(unknown.message for unknown in loop.unknown),
        thread=state.thread,
        artifacts=state.artifacts,
        effects=state.effects,
        failure=failure,
    )
