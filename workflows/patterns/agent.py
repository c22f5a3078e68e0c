"""Agent: one model with tools, in a loop, until its answer fits (single agent, tool-calling agent, ReAct).

Use it where one identity can do the whole job: it is the simplest shape that works. Not where steps are known in
advance (a pipeline is cheaper) or where roles have to check each other (refine, debate).

::

    goal ─▶ model ─▶ tools ─▶ model ─▶ ... ─▶ answer ─▶ contract ─▶ result
              ▲                                  │ does not fit
              └──────────── correction ──────────┘

Bounds: ``AgentLimits``, every one of them. On failure: the run fails with its kind, or ends partial where the team says
so. Messages: none. History: 6 events a model call, 6 a tool call; continues as new at turn boundaries.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.errors import ConfigurationInvalid
    from workflows.contracts import AgentState, RunInput, RunResult, RunStatus
    from workflows.frame import Frame
    from workflows.lifecycle import to_its_end
    from workflows.nodes import run_own
    from workflows.progress import continue_when_long
    from workflows.results import together
    from workflows.teams.tree import AgentNode


@workflow.defn(name="agent")
class AgentWorkflow:
    """One agent as a workflow of its own."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Work until an answer fits.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await to_its_end(run, _work)


async def _work(frame: Frame) -> RunResult:
    node = frame.run.team.root
    if not isinstance(node, AgentNode):
        raise ConfigurationInvalid(f"the workflow 'agent' is no {node.kind}", fix="start it as its kind says")

    def boundary(state: AgentState) -> None:
        held = {
            "done": tuple(report for report in frame.done if not report.earlier),
            "decisions": tuple(frame.decisions),
            "unlisted": dict(frame.unlisted),
            "budget": frame.budget_asked(),
            "beside": together(frame.beside, status=RunStatus.COMPLETE) if frame.beside else None,
        }
        continue_when_long(frame.run, state.model_copy(update=held))

    return await run_own(frame, node, state=frame.run.state, boundary=boundary)
