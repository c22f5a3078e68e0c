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
    from activities.errors import ConfigurationInvalid
    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.frame import Frame
    from workflows.lifecycle import to_its_end
    from workflows.nodes import run_node
    from workflows.results import together
    from workflows.stages import task_of_stage
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
        return await to_its_end(run, _work)


async def _work(frame: Frame) -> RunResult:
    node = frame.run.team.root
    if not isinstance(node, PipelineNode):
        raise ConfigurationInvalid(f"the workflow 'pipeline' is no {node.kind}", fix="start it as its kind says")
    deadline = workflow.time() + min(node.seconds, frame.task.seconds or node.seconds)
    done: list[RunResult] = []
    output = frame.task.inputs.get("input")
    for index, stage in enumerate(node.stages):
        frame.pending = tuple(map(node_key, node.stages[index + 1 :]))
        task = task_of_stage(frame, output, deadline - workflow.time())
        result = await run_node(frame.step(node_key(stage)), stage, task)
        done.append(result)
        if result.status is RunStatus.FAILED:
            break
        output = result.output if result.output is not None else output
    last = done[-1]
    partial = any(result.status is RunStatus.PARTIAL for result in done)
    status = RunStatus.FAILED if last.failure else RunStatus.PARTIAL if partial else RunStatus.COMPLETE
    return together(
        done, status=status, output=None if last.failure else output, failure=last.failure, thread=last.thread
    )
