"""Pipeline: ordered stages, each on what the one before has made (sequential workflow, prompt chaining).

Use it where the steps are known in advance and each needs the last one's result. Not where they could be done side by
side (a supervisor), or where the order depends on what is found.

::

    goal ─▶ stage ─▶ output ─▶ stage ─▶ output ─▶ ... ─▶ output
              │         │
           input contract, checked before it starts; every output is a version of the run's state

Bounds: ``seconds`` for the whole, each stage's ``timeout_seconds`` and budget. On failure: a stage's fallback stands in;
one that is not critical is left out and named as missing; otherwise the run fails where it stands, and ``resume`` goes on
from there. Messages: none. History: what its stages take.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureDetail
    from activities.errors import ConfigurationInvalid, DeadlineExceeded
    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.failures import failure_of
    from workflows.frame import Frame
    from workflows.lifecycle import to_its_end
    from workflows.nodes import run_node
    from workflows.results import together
    from workflows.stages import inline_stages, stage_task, unread
    from workflows.teams.tree import Node, PipelineNode, node_key


@workflow.defn(name="pipeline")
class PipelineWorkflow:
    """A pipeline and its stages."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Run stage after stage.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await to_its_end(run, _work)


async def _work(frame: Frame) -> RunResult:
    node = frame.run.team.root
    if not isinstance(node, PipelineNode):
        raise ConfigurationInvalid(f"the workflow 'pipeline' is no {node.kind}", fix="start it as its kind says")
    ends = workflow.time() + node.seconds
    deadline = ends if frame.deadline is None else min(ends, frame.deadline)
    seconds = deadline - workflow.time()
    inline = inline_stages(frame.run.team, node.stages)
    done: list[RunResult] = []
    missing: list[str] = []
    output = frame.task.inputs.get("input")
    failure: FailureDetail | None = None
    for index, stage in enumerate(node.stages):
        frame.pending = tuple(map(node_key, node.stages[index + 1 :]))
        if workflow.time() >= deadline:
            failure = failure_of(_too_late(node, stage, seconds), agent=node.name, step=frame.path)
            break
        task = stage_task(frame.task.goal or frame.task.prompt, output, deadline - workflow.time())
        result = await run_node(frame.step(node_key(stage)), stage, task, inline=index in inline)
        done.append(result)
        missing += unread(stage, output)
        if result.status is RunStatus.FAILED:
            failure = result.failure
            break
        # A stage that was left out passes on what it was given.
        output = result.output if result.output is not None or result.status is RunStatus.COMPLETE else output
    partial = missing or any(result.status is RunStatus.PARTIAL for result in done)
    status = RunStatus.FAILED if failure else RunStatus.PARTIAL if partial else RunStatus.COMPLETE
    thread = done[-1].thread if done else None
    made = [result for result in done if result.status is not RunStatus.FAILED and result.output is not None]
    return together(
        done,
        status=status,
        output=None if failure else output,
        so_far=made[-1].output if failure and made else None,
        missing=missing,
        failure=failure,
        thread=thread,
    )


def _too_late(node: PipelineNode, stage: Node, seconds: float) -> DeadlineExceeded:
    return DeadlineExceeded(
        f"the pipeline {node.name!r} did not end within {seconds:g} s: its stage {node_key(stage)!r} was not begun",
        fix=f"raise seconds of {node.name!r} (and the timeout_seconds around it), or bound its stages",
    )
