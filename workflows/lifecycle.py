"""How every pattern's workflow begins and ends."""

from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.failures import failed_run, failure_of, stop_if_requested
    from workflows.frame import Frame
    from workflows.mcp import with_mcp_tools
    from workflows.progress import record_failure
    from workflows.results import of_the_run


async def to_its_end(run: RunInput, work: Callable[[Frame], Awaitable[RunResult]]) -> RunResult:
    """Do the work of a pattern; a failure ends the workflow as failed in Temporal's eyes too.

    The root lists MCP tools first, where its team has any; what is nested or goes on gets them from it.

    Raises:
        ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        CancelledError: the run was stopped.
    """
    frame = Frame.of(run)
    try:
        frame.run = await with_mcp_tools(run)
        result = await work(frame)
    except Exception as error:
        stop_if_requested()
        result = RunResult(status=RunStatus.FAILED, failure=failure_of(error, agent="", step=run.own_path))
    result = of_the_run(frame, result)
    if result.status is not RunStatus.FAILED or result.failure is None:
        return result
    record_failure(result.failure)
    raise failed_run(result)
