"""Monitor: a node whose actions are reviewed before they happen (guardrails, policy layer, constitutional review).

Use it where what agents do has to keep to rules that their instructions alone do not secure: recipients, amounts, personal
data, tone. Not where a grant says the same (``grants`` cost nothing), and not as the only lock: rules and judges of a team
can only narrow what grants and the deployment's policy allow.

::

    goal ─▶ node ─▶ ... ─▶ call, handoff or answer ─▶ rules ─▶ judges ─▶ person ─▶ it happens
             ▲                                          │ block     │        │ no
             └────────── reason and correction ─────────┴───────────┴────────┘

Bounds: ``seconds`` for the whole; an answer is sent back ``corrections`` times; what a limit or a budget leaves of one is
reviewed too. On failure: the node's own, and ``not_allowed`` where what it comes to is not let through; ``halt`` ends the
run. Messages: none. History: what the node takes; rules cost nothing, a judge 6 events an action, a person what a child costs.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from workflows.contracts import RunInput, RunResult, RunStatus
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork, carry_out
    from workflows.reviewing.places import review_output
    from workflows.teams.tree import MonitorNode, node_key


@workflow.defn(name="monitor")
class MonitorWorkflow:
    """A monitor and its node."""

    @workflow.run
    async def run(self, run: RunInput) -> RunResult:
        """Run the node, and review what it comes to.

        Raises:
            ApplicationError: the run failed; the type is the failure's kind, the details hold the RunResult.
        """
        return await carry_out(run, MonitorNode, _work)


async def _work(work: PatternWork[MonitorNode]) -> JsonValue:
    node, task = work.node, work.frame.task
    ask = Ask(
        prompt=task.prompt,
        inputs=task.inputs,
        goal=work.goal,
        thread=task.thread,
        offer_tools=task.offer_tools,
        subtask_id=task.subtask_id,
    )
    result = await work.run("node", node_key(node.node), ask)
    if result.status is RunStatus.FAILED:
        raise PartFailed(result)
    return await review_output(work.frame.step(), node, result.output)
