"""Plan: a graph of tasks, each done as soon as those before it are (plan-and-execute, DAG workflow, task decomposition).

Use it where a goal falls into tasks that build on each other, and some of them can be done side by side. Not where the
order is one line (a pipeline), where no part needs another's result (a supervisor), or where the next task follows from
what the last one found (a supervisor with rounds).

::

    goal ─▶ planner ─▶ graph ─▶ checks ─▶ task ─────────▶ task ─▶ outputs ─▶ synthesis ─▶ output
               ▲                   │        └──▶ task ──┬──▶ task ──┘
               └─── what is wrong ─┘                    │
                                          executor ─▶ checker ─ not met ─▶ fallback ─▶ person

The graph is the team's (``tasks``: checked before a run is admitted) or a planner's (checked before its first task). An
executor is told its own task and the results that it names, nothing else. Bounds: ``max_tasks``, ``replans``,
``max_parallel``, time, and the limits of every node. On failure: a task's fallback executor is told why, then the person
of ``escalate`` does it, who holds no place of those at work, and leaves a synthesis its time; else the tasks that wait for
it are left out, or run without it as they say, and the result is partial and names all of them. The plan fails where no output came to anything, where the planner makes no graph that can
be carried out, where the synthesis fails, and where its own budget gives out (unless ``on_breach`` says ``partial``).
Messages: none. History: what its tasks take; it continues as new between tasks, never in one.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureKind
    from workflows.contracts import RunInput, RunResult
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.planning import prompts
    from workflows.planning.graph import outputs_of
    from workflows.planning.making import graph_of
    from workflows.planning.tasks import Memory, Tasks
    from workflows.teams.tree import PlanNode


@workflow.defn(name="plan")
class PlanWorkflow:
    """A plan and its executors."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Work off the graph.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, PlanNode, _work)


async def _work(work: PatternWork[PlanNode]) -> JsonValue:
    tasks = await _tasks(work)
    while tasks.left:
        await tasks.go_on()
        if tasks.left:
            work.continue_if_long(tasks.memory)
    outputs = outputs_of(tasks.tasks, work.node.outputs)
    results = {name: tasks.outputs[name] for name in outputs if name in tasks.outputs}
    if not results:
        raise tasks.nothing()
    if work.node.synthesis is None:
        return results
    work.so_far = results
    prompt = prompts.for_synthesis(work.goal, tasks.missing)
    inputs: dict[str, JsonValue] = {"results": results, "missing": list(tasks.missing)}
    try:
        if not work.is_late:
            return await work.answer("synthesis", "synthesis", Ask(prompt=prompt, given=results, inputs=inputs))
    except PartFailed as failed:
        failure = failed.result.failure
        if not work.is_late or failure is None or failure.kind is not FailureKind.DEADLINE_EXCEEDED:
            raise
    work.missing.append("no time was left for the synthesis: these are the outputs as they are")
    return results


async def _tasks(work: PatternWork[PlanNode]) -> Tasks:
    if work.memory is not None:
        memory = Memory.model_validate(work.memory)
        return Tasks(work, memory.tasks, memory.ended)
    return Tasks(work, await graph_of(work), {})
