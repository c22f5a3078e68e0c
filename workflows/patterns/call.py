"""Call: one tool, no model (deterministic step). Deterministic logic is code, not an agent.

Use it wherever the step can be written as a function: gates, arithmetic, look-ups, effects.

::

    arguments ─▶ tool ─▶ result

Bounds: the tool's timeout and the retry policy of its activity. On failure: a tool error fails the run as
``tool_failed``. Messages: none. History: 11 events.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import ConfigurationInvalid
    from workflows.contracts import RunInput, RunResult
    from workflows.frame import Frame
    from workflows.lifecycle import to_its_end
    from workflows.nodes import run_own
    from workflows.teams.tree import CallNode


@workflow.defn(name="call")
class CallWorkflow:
    """One tool call as a workflow of its own."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Call the tool; its result, read as JSON where it is JSON.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await to_its_end(run, _work)


async def _work(frame: Frame) -> RunResult:
    node = frame.run.team.root
    if not isinstance(node, CallNode):
        raise ConfigurationInvalid(f"the workflow 'call' is no {node.kind}", fix="start it as its kind says")
    return await run_own(frame, node)
