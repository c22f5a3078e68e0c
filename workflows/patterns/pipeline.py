"""Pipeline: ordered stages, each on what the one before has made (sequential workflow, prompt chaining).

Use it where the steps are known in advance and each needs the last one's result. Not where they could be done side by
side (a supervisor), or where the order depends on what is found.

::

    goal ─▶ stage ─▶ output ─▶ stage ─▶ output ─▶ ... ─▶ output
              │         │
           input contract, checked before it starts; every output is a version of the run's state

Bounds: ``seconds`` for the whole, each stage's ``timeout_seconds`` and budget. On failure: a stage's fallback stands in;
one that is not critical is left out and named as missing; otherwise the run fails where it stands, and ``resume`` goes on
from there. ``escalate``: a stage that failed for good goes to a person, whose answer is what it made. Messages: none. History: what its stages take.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.teams.tree import PipelineNode, node_key


@workflow.defn(name="pipeline")
class PipelineWorkflow:
    """A pipeline and its stages."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Run stage after stage.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, PipelineNode, _work)


async def _work(work: PatternWork[PipelineNode]) -> JsonValue:
    stages, output = work.node.stages, work.given
    for index, stage in enumerate(stages):
        work.frame.pending = tuple(map(node_key, stages[index + 1 :]))
        if work.is_late:
            raise work.too_late(f"its stage {node_key(stage)!r} was not begun")
        result = await work.run(f"stages.{index}", node_key(stage), Ask(given=output, draft=True))
        if result.status is RunStatus.FAILED:
            raise PartFailed(result)
        # A stage that was left out passes on what it was given.
        if result.output is not None or result.status is RunStatus.COMPLETE:
            work.so_far = output = result.output
    return output
