"""Person: a step done by a person as a workflow of its own (human in the loop).

Use it as a stage, a worker, a fallback; as a root it is a question that stands alone.

::

    question ─▶ human task ─▶ decision

Bounds: ``asking.seconds``. On failure: a rejection fails the run as ``not_allowed``, a deadline without a default as
``deadline_exceeded``. Messages: none; its human task has them. History: 9 events.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import ConfigurationInvalid
    from workflows.contracts import RunInput, RunResult
    from workflows.frame import Frame
    from workflows.lifecycle import to_its_end
    from workflows.nodes import run_own
    from workflows.teams.tree import PersonNode


@workflow.defn(name="person")
class PersonWorkflow:
    """One question as a workflow of its own."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Ask, and wait for the decision.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await to_its_end(run, _work)


async def _work(frame: Frame) -> RunResult:
    node = frame.run.team.root
    if not isinstance(node, PersonNode):
        raise ConfigurationInvalid(f"the workflow 'person' is no {node.kind}", fix="start it as its kind says")
    return await run_own(frame, node)
