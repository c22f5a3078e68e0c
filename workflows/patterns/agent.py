"""Agent: one model with tools, in a loop, until its answer fits (single agent, tool-calling agent, ReAct).

Use it where one identity can do the whole job: it is the simplest shape that works. Not where steps are known in
advance (a pipeline is cheaper) or where roles have to check each other (refine, debate).

::

    goal ─▶ model ─▶ tools ─▶ model ─▶ ... ─▶ answer ─▶ contract ─▶ result
              ▲                                  │ does not fit
              └──────────── correction ──────────┘

Bounds: ``AgentLimits``, every one of them. On failure: the run fails with its kind, or ends partial where the team says
so. Messages: none yet. History: 6 events a model call, 6 a tool call; continues as new at turn boundaries.
"""

import asyncio

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureDetail, FailureKind
    from activities.contracts.messages import UserMessage
    from activities.errors import ConfigurationInvalid
    from workflows.agent import AgentLoop
    from workflows.contracts import AgentState, RunInput, RunResult, RunStatus, StepReport
    from workflows.failures import failed_run, failure_of, stop_if_requested
    from workflows.progress import continue_when_long, record_failure, show_progress

_LIMITS = {FailureKind.LIMIT_EXCEEDED, FailureKind.DEADLINE_EXCEEDED}


@workflow.defn(name="agent")
class AgentWorkflow:
    """One agent as a run of its own."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Work until an answer fits.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        name = run.team.node_name()
        state = run.state or AgentState(append=(UserMessage(text=run.goal),), started_at=workflow.time())
        try:
            loop = AgentLoop(run, agent=name, path=name, state=state)
        except ConfigurationInvalid as error:
            raise failed_run(RunResult(status=RunStatus.FAILED, failure=error.detail())) from error
        try:
            async with asyncio.timeout(max(0.0, loop.deadline - workflow.time())):
                answer = await loop.work(lambda state: _between_turns(run, loop, state))
        except (Exception, asyncio.CancelledError) as error:
            return _ended(run, loop, _why(loop, error))
        output = answer.text if loop.spec.output is None else answer.output
        return _result(run, loop, RunStatus.COMPLETE).model_copy(update={"output": output})


def _between_turns(run: RunInput, loop: AgentLoop, state: AgentState) -> None:
    show_progress(loop.agent, state)
    continue_when_long(run, state)


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


def _ended(run: RunInput, loop: AgentLoop, failure: FailureDetail) -> RunResult:
    """A partial result where a limit allows one, a failed run otherwise."""
    if failure.kind in _LIMITS and loop.spec.on_limit == "partial" and loop.state.last_text:
        partial = _result(run, loop, RunStatus.PARTIAL)
        missing = (*partial.missing, failure.message)[-100:]
        return partial.model_copy(update={"output": loop.state.last_text, "failure": failure, "missing": missing})
    record_failure(failure)
    raise failed_run(_result(run, loop, RunStatus.FAILED).model_copy(update={"failure": failure}))


def _result(run: RunInput, loop: AgentLoop, status: RunStatus) -> RunResult:
    state = loop.state
    step = StepReport(
        agent=f"{run.team.team}/{loop.agent}@{run.team.version}",
        step=loop.path,
        status=status,
        attempts=1 + state.retries,
        tokens=state.usage.tokens,
        cost_usd=state.usage.cost_usd,
        milliseconds=round((workflow.time() - state.started_at) * 1000),
    )
    missing = (*run.missing, *(unknown.message for unknown in loop.unknown))[-100:]
    return RunResult(status=status, usage=state.usage, steps=(step,), missing=missing, thread=state.thread)
