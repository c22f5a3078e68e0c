"""How every pattern's workflow begins and ends."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio import workflow
from temporalio.exceptions import CancelledError

with workflow.unsafe.imports_passed_through():
    from workflows.children import is_left
    from workflows.compensation import compensates, goes_on, undo_effects, with_outcomes
    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.failures import failed_run, failure_of, stop_if_requested
    from workflows.frame import Frame
    from workflows.handoffs import arrived, check_root
    from workflows.mcp import with_mcp_tools
    from workflows.nodes import in_place_of_root
    from workflows.progress import record_failure
    from workflows.results import cut_short, of_the_run
    from workflows.reviewing.running import run_judge
    from workflows.stopped import STATE_QUERY, leave_behind, so_far
    from workflows.teams.tree import AgentNode, CallNode, PersonNode


async def to_its_end(run: RunInput, work: Callable[[Frame], Awaitable[RunResult]]) -> RunResult:
    """Do the work of a pattern; a failure ends the workflow as failed in Temporal's eyes too.

    Where it fails or is stopped, its effects are compensated before that. The root lists MCP tools first, where its team
    has any; what is nested or goes on gets them from it.

    Raises:
        ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        CancelledError: the run was stopped.
    """
    frame = Frame.of(run)
    frame.run_judge = run_judge
    workflow.set_query_handler(STATE_QUERY, lambda: so_far(frame))
    if (
        run.task
        and run.task.handoff
        and not run.goes_on
        and not isinstance(run.team.root, AgentNode | CallNode | PersonNode)
    ):
        frame.note(handoffs=[arrived(run.task, run.task.handoff)])  # others say so in their first call
    stopped = False
    try:
        frame.run = await with_mcp_tools(run)
        result = await in_place_of_root(frame, await _worked(frame, work))
        if result.status is not RunStatus.FAILED and compensates():
            stop_if_requested()  # asked for during its last call: it was stopped too. Its parent stops what is nested.
    except (Exception, asyncio.CancelledError) as error:
        if not workflow.in_workflow():
            raise  # thrown away by a worker: it is no end
        stopped = workflow.cancellation_reason() is not None
        if isinstance(error, asyncio.CancelledError) and not stopped and not frame.halted:
            raise  # evicted from a worker's memory: it is no end
        why = CancelledError("stopped") if stopped else error
        result = cut_short(frame, failure_of(why, agent="", step=run.own_path))
    if frame.halted:
        result = result.model_copy(update={"status": RunStatus.FAILED, "output": None, "failure": frame.halted})
    kept = stopped and goes_on()  # what fails by itself in that moment does not go on
    if result.failure and result.status is RunStatus.FAILED and compensates() and not kept:
        await undo_effects(frame)
        result = result.model_copy(update={"failure": with_outcomes(result.failure, frame.done)})
    result = of_the_run(frame, result)
    if result.status is not RunStatus.FAILED or result.failure is None:
        return result
    if stopped and (compensates() or not _has_come_to_something(result)) and not is_left():
        leave_behind(result)
        raise CancelledError("the run was stopped")
    # What is nested ends so where it was stopped too, if it has come to something or its parent goes on: only a failure
    # brings that, and what it has used, to its parent.
    record_failure(result.failure)
    raise failed_run(result)


def _has_come_to_something(result: RunResult) -> bool:
    """Whether there is more to tell of it than that it was begun."""
    return any((result.steps, result.done, result.decisions, result.log, result.events))


async def _worked(frame: Frame, work: Callable[[Frame], Awaitable[RunResult]]) -> RunResult:
    """What the pattern comes to, whatever it raises besides a stop."""
    try:
        if (
            frame.run.task is None
            and not frame.run.goes_on
            and not isinstance(frame.run.team.root, AgentNode | CallNode | PersonNode)
        ):
            check_root(frame)
        return await work(frame)
    except Exception as error:
        if not workflow.in_workflow() or workflow.cancellation_reason() is not None:
            raise
        return cut_short(frame, failure_of(error, agent="", step=frame.path))
