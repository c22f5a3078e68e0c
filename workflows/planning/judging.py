"""Whether a result is a success: its task's criterion, judged by the plan's checker."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import ContractViolated
    from workflows.contracts import RunResult, RunStatus
    from workflows.failures import failure_of
    from workflows.part_asks import Ask
    from workflows.pattern_work import PatternWork
    from workflows.planning import prompts
    from workflows.teams.kinds.plan import PlanTask
    from workflows.teams.tree import PlanNode


async def judged(work: PatternWork[PlanNode], task: PlanTask, number: int, result: RunResult) -> RunResult:
    """The result, failed where it is no success, or where nobody could tell.

    Args:
        work: the plan.
        task: the task, whose criterion counts; without one every result is a success.
        number: of the attempt.
        result: what came of it.

    Raises:
        CancelledError: the run was stopped.
    """
    if not task.success or work.node.checker is None or result.output is None:
        return result
    step = f"check-{task.task_id}" + (f".{number}" if number > 1 else "")
    ask = Ask(
        prompt=prompts.for_checker(task),
        given=result.output,
        inputs={"task": task.task, "success": task.success, "result": result.output},
        commits=False,
    )
    verdict = await work.run("checker", step, ask, escalate=False)
    said = verdict.output
    if verdict.status is not RunStatus.FAILED and (
        said is None or (isinstance(said, dict) and said.get("met") is True)
    ):
        return result  # a checker that was left out is named as missing
    if verdict.status is RunStatus.FAILED and verdict.failure:
        failure = verdict.failure.model_copy(
            update={"message": f"its result could not be judged: {verdict.failure.message}"[:600]}
        )
    else:
        reason = str(said.get("reason", "")) if isinstance(said, dict) else ""
        error = ContractViolated(
            f"its result is no success ({task.success[:200]}): {reason or 'the checker gives no reason'}"[:600],
            fix="look at the result and at the verdict; give the task a fallback, or a criterion that can be met",
        )
        failure = failure_of(error, agent="", step=f"{work.frame.path}/{step}")
    return result.model_copy(update={"status": RunStatus.FAILED, "output": None, "failure": failure})
