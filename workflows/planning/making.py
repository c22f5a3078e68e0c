"""The graph of a plan: the team's own, or a planner's, which is admitted by the same checks."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue, TypeAdapter, ValidationError

    from activities.contracts.failures import FailureKind
    from activities.errors import ConfigurationInvalid, ContractViolated
    from workflows.contracts import RunResult, RunStatus
    from workflows.cutting import bounded
    from workflows.failures import failure_of
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.planning import prompts
    from workflows.planning.graph import problems
    from workflows.teams.kinds.plan import PlanTask
    from workflows.teams.tree import PlanNode

MAX_TOLD = 20
"""Problems of one graph that a planner is told of: who mends so many is looked at again."""
_tasks = TypeAdapter(tuple[PlanTask, ...])


async def graph_of(work: PatternWork[PlanNode]) -> tuple[PlanTask, ...]:
    """The tasks, all of which can run.

    Raises:
        ConfigurationInvalid: the team's own cannot be carried out, and was not checked.
        PartFailed: the planner failed, or its last graph cannot be carried out.
        CancelledError: the run was stopped.
    """
    node = work.node
    if node.tasks:
        for problem in problems(node.tasks, node.executors, node.outputs):  # tasks in a circle would wait for ever
            raise ConfigurationInvalid(f"the plan {node.name!r}: {problem.message}", fix=problem.fix)
        return node.tasks
    prompt = prompts.for_planner(work.goal, node.executors, node.max_tasks, node.outputs)
    ask = Ask(prompt=prompt, given=work.given, key="planner", commits=False)
    for number in range(1, node.replans + 2):
        last, step = number == node.replans + 1, "planner" if number == 1 else f"planner.{number}"
        refusing = replace(ask, accept=partial(admitted, node))
        result = await work.run("planner", step, refusing if last else ask, escalate=False)
        wrong = _wrong(node, result)
        if wrong and not last:
            work.frame.decide(f"the plan cannot be carried out, and is made again: {wrong[0]}")
            ask = _again(ask, result, prompt, wrong)
            continue
        if result.status is RunStatus.FAILED:
            afresh = replace(refusing, prompt=prompt, given=work.given, thread=None)  # a person has read nothing yet
            result = await work.escalated("planner", step, afresh, result)
        else:
            result = work.commit("planner", step, ask, admitted(node, result))  # a constant may have stood in
        result = admitted(node, result)  # a rewind or a fork may have set another value as it was committed
        if result.status is RunStatus.FAILED:
            raise PartFailed(result)
        break
    tasks = _read(result.output)
    work.frame.decide(f"the plan: {', '.join(task.task_id for task in tasks)}")
    return tasks


def admitted(node: PlanNode, result: RunResult) -> RunResult:
    """The result, failed where its graph cannot be carried out."""
    if result.status is RunStatus.FAILED:
        return result
    wrong = next(_problems(node, result.output), "")
    if not wrong:
        return result
    error = ContractViolated(
        f"the graph of the planner of {node.name!r} cannot be carried out: {wrong}"[:600],
        fix="look at its thread and its instructions; raise replans, or name a fallback or a person (escalate)",
    )
    failure = failure_of(error, agent="", step="planner")
    return result.model_copy(update={"status": RunStatus.FAILED, "output": None, "failure": failure})


def _again(ask: Ask, result: RunResult, prompt: str, wrong: list[str]) -> Ask:
    """What a planner is asked after a graph that cannot be carried out: on its conversation, where it has one."""
    correction = prompts.for_correction(wrong)
    whole = bounded(f"{prompt}\n\n{correction}", prompt, correction)
    inputs = {"input": ask.inputs.get("input", ask.given), "problems": list[JsonValue](wrong)}
    if result.thread is None:
        return replace(ask, prompt=whole, inputs=inputs)
    return replace(ask, prompt=correction, goal=whole, given=None, inputs=inputs, thread=result.thread)


def _wrong(node: PlanNode, result: RunResult) -> list[str]:
    """What a planner is told of its graph; nothing where that is in order, or it failed of something else."""
    if result.status is not RunStatus.FAILED:
        return [wrong for wrong, _ in zip(_problems(node, result.output), range(MAX_TOLD), strict=False)]
    failure = result.failure
    return [failure.message] if failure and failure.kind is FailureKind.CONTRACT_VIOLATED else []


def _problems(node: PlanNode, output: JsonValue) -> Iterator[str]:
    try:
        tasks = _read(output)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        yield f"it is no graph: {'.'.join(map(str, first['loc'])) or 'all of it'}: {first['msg']}"
        return
    yield from (
        f"{problem.message} ({problem.fix})"
        for problem in problems(tasks, node.executors, node.outputs, node.max_tasks)
    )


def _read(output: JsonValue) -> tuple[PlanTask, ...]:
    return _tasks.validate_python(output.get("tasks") if isinstance(output, dict) else output)
