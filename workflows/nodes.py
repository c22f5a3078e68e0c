"""Runs a node of the tree for the pattern that holds it: inside the pattern's workflow, or as a child workflow.

Either way the answer is a ``RunResult``, failed or not: what a failure means is the pattern's decision.
"""

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ChildWorkflowError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from workflows import policies
    from workflows.agent_step import run_agent
    from workflows.call_step import run_call
    from workflows.contracts import AgentState, NodePlan, RunInput, RunResult, Task
    from workflows.failures import result_of, stop_if_requested
    from workflows.progress import AGENTS, PATTERN, TEAM, Row
    from workflows.step_context import StepContext
    from workflows.teams.bounds import longest_seconds, runs_inline
    from workflows.teams.tree import AgentNode, CallNode, Node, TeamSpec, node_name, walk

MAX_SEARCHED_AGENTS = 25
"""Names that a workflow is found by: 25 of 64 characters and their quotes are 1,700 of the 2,048 bytes that the server
takes for one search attribute."""


async def run_node(step: StepContext, node: Node, task: Task, *, inline: bool = True) -> RunResult:
    """Run a node on a task.

    Args:
        step: the step.
        node: what to run.
        task: what to do.
        inline: an agent within its bounds runs inside this workflow.

    Raises:
        CancelledError: the run was stopped.
    """
    step = replace(step, task=task)
    if isinstance(node, CallNode):
        return await run_call(step, node)
    if isinstance(node, AgentNode) and inline and runs_inline(step.run.team, node):
        return await run_agent(step, node.agent)
    return await _run_child(step, node, task)


async def _run_child(step: StepContext, node: Node, task: Task) -> RunResult:
    run, path, board = step.run, step.path, step.board
    info = workflow.info()
    root = info.root.workflow_id if info.root else info.workflow_id
    name = node_name(node)
    row = Row(path=path, agent=name)
    board.show(row)
    child = run.model_copy(
        update={
            "team": below(run.team, node),
            "plans": plans_below(run, node),
            "path": path,
            "task": task,
            "state": None,
        }
    )
    longest = longest_seconds(run.team, node, run.tool_seconds)
    try:
        result: RunResult = await workflow.execute_child_workflow(
            node.kind,
            child,
            id=f"{root}/{path}",
            result_type=RunResult,
            task_timeout=policies.WORKFLOW_TASK_TIMEOUT,
            execution_timeout=timedelta(seconds=longest) + policies.EXECUTION_MARGIN,
            # A stopped run ends only when all below it has: nothing is left running behind its back.
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(TEAM, run.team.team),
                    SearchAttributePair(PATTERN, node.kind),
                    SearchAttributePair(AGENTS, names_in(node)),
                ]
            ),
            static_summary=f"{name}: {' '.join(task.prompt.split())}"[:200],
            static_details=f"`{path}` of `{root}`\n\n{task.prompt[:2000]}",
        )
    except ChildWorkflowError as error:
        stop_if_requested()
        result = result_of(error, path=path)
    state = AgentState(usage=result.usage)
    board.show(row.at(state, result.status))
    return result


def below(team: TeamSpec, node: Node) -> TeamSpec:
    """The part of a team that a nested workflow needs: what it does not know costs no bytes, and cannot be used."""
    agents = {inner.agent: team.agents[inner.agent] for inner in walk(node) if isinstance(inner, AgentNode)}
    return team.model_copy(update={"agents": agents, "root": node})


def plans_below(run: RunInput, node: Node) -> dict[str, NodePlan]:
    """What was resolved for that part."""
    return {name: run.plans[name] for name in map(node_name, walk(node)) if name in run.plans}


def names_in(node: Node) -> list[str]:
    """The agents and calls of a tree, its own name first, as many as a search attribute holds."""
    return list(dict.fromkeys([node_name(node), *(node_name(inner) for inner in walk(node))]))[:MAX_SEARCHED_AGENTS]
