"""Runs a node of the tree for the pattern that holds it: inside the pattern's workflow, or as a child workflow.

Either way the answer is a ``RunResult``, failed or not: what a failure means is the pattern's decision.
"""

from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.contracts.steps import Usage
    from activities.errors import HandoffRejected
    from workflows import policies
    from workflows.agent import Boundary
    from workflows.agent_step import run_agent
    from workflows.budget import Account
    from workflows.budget_grants import granted
    from workflows.call_step import run_call
    from workflows.contracts import AgentState, NodePlan, RunInput, RunResult, RunStatus, Task
    from workflows.failures import failure_of, result_of, stop_if_requested
    from workflows.fallbacks import stands_in
    from workflows.frame import Frame
    from workflows.handoffs import handed_over, identity
    from workflows.needs import with_needs
    from workflows.person_step import run_person
    from workflows.progress import AGENTS, PATTERN, TEAM, Row
    from workflows.results import OUTCOME, together
    from workflows.step_context import StepContext
    from workflows.teams.bounds import longest_seconds, runs_inline
    from workflows.teams.tree import (
        AgentNode,
        CallNode,
        Node,
        NodeBase,
        PersonNode,
        TeamSpec,
        WorkflowNode,
        node_key,
        node_name,
        walk,
    )

MAX_SEARCHED_AGENTS = 25
"""Names that a workflow is found by: 25 of 64 characters and their quotes are 1,700 of the 2,048 bytes that the server
takes for one search attribute."""


async def run_node(step: StepContext, node: Node, task: Task, *, inline: bool = True) -> RunResult:
    """Run a node on a task: handed over, paid from the workflow's account, bounded in time, and committed to its state.

    Args:
        step: the step.
        node: what to run.
        task: what to do.
        inline: an agent within its bounds runs inside this workflow.

    Raises:
        CancelledError: the run was stopped.
    """
    result = await _offer(step, node, task, inline=inline)
    if result.status is RunStatus.FAILED:
        result = await _fall_back(step, node, task, result)
    if result.status is RunStatus.FAILED:
        return result
    output = step.frame.state.commit(
        task.key or node_key(node), result.output, step=step.path, owner=identity(step, node)
    )
    return result.model_copy(update={"output": output})


async def run_inline(
    step: StepContext,
    node: AgentNode | CallNode | PersonNode,
    *,
    state: AgentState | None = None,
    boundary: Boundary = lambda _: None,
) -> RunResult:
    """A step inside this workflow; what it reports goes into the frame.

    Raises:
        CancelledError: the run was stopped.
    """
    match node:
        case CallNode():
            result = await run_call(step, node)
        case PersonNode():
            result = await run_person(step, node)
        case AgentNode():
            result = await run_agent(step, node.agent, state=state, boundary=boundary)
    step.frame.note(handoffs=result.handoffs, decisions=result.decisions, done=result.done)
    return result


async def run_own(
    frame: Frame,
    node: AgentNode | CallNode | PersonNode,
    *,
    state: AgentState | None = None,
    boundary: Boundary = lambda _: None,
) -> RunResult:
    """The single step that a whole workflow is about. A root is handed its step by whoever started the run.

    Raises:
        CancelledError: the run was stopped.
    """
    step = frame.step(task=frame.task)
    if frame.run.task is None:
        step = replace(step, task=handed_over(step, node, with_needs(step, node, frame.task)))
    result = await run_inline(step, node, state=state, boundary=boundary)
    if result.status is RunStatus.FAILED:
        return result
    output = frame.state.commit(node_key(node), result.output, step=step.path, owner=identity(step, node))
    return result.model_copy(update={"output": output})


async def _offer(step: StepContext, node: Node, task: Task, *, inline: bool) -> RunResult:
    """One owner's attempt."""
    bounds = [seconds for seconds in (task.seconds, node.timeout_seconds) if seconds is not None]
    task = with_needs(step, node, task.model_copy(update={"seconds": min(bounds, default=None)}))
    try:
        task = handed_over(step, node, task)
    except HandoffRejected as error:
        return RunResult(status=RunStatus.FAILED, failure=failure_of(error, agent=node_name(node), step=step.path))
    account = step.funds
    if node.budget:
        account = Account(f"the node {node_name(node)!r}", node.budget, parent=account)
    step = replace(step, task=task, account=account)
    if isinstance(node, CallNode | PersonNode):
        return await run_inline(step, node)
    if isinstance(node, AgentNode) and inline and runs_inline(step.run.team, node):
        return await run_inline(step, node)
    return await _run_child(step, node, task)


async def _fall_back(step: StepContext, node: Node, task: Task, failed: RunResult) -> RunResult:
    if isinstance(node.fallback, NodeBase):
        step.frame.decide(f"{node_key(node)} failed, {node_name(node.fallback)} stands in")
        other = await run_node(replace(step, path=f"{step.path}/fallback"), node.fallback, task)
        return together([failed, other], **{name: getattr(other, name) for name in OUTCOME})
    return stands_in(step, node, failed)


async def _run_child(step: StepContext, node: Node, task: Task) -> RunResult:
    run, path, board, account = step.run, step.path, step.board, step.funds
    info = workflow.info()
    root = info.root.workflow_id if info.root else info.workflow_id
    name = node_name(node)
    row = Row(path=path, agent=name)
    board.show(row)
    grant = await granted(account, run, node)
    child = run.model_copy(
        update={
            "team": below(run.team, node),
            "plans": plans_below(run, node),
            "path": path,
            "task": task.model_copy(update={"budget": grant.budget}),
            "state": None,
        }
    )
    longest = longest_seconds(run.team, node, run.tool_seconds)
    usage: Usage | None = None
    try:
        result: RunResult = await workflow.execute_child_workflow(
            node.workflow if isinstance(node, WorkflowNode) else node.kind,
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
        usage = result.usage
    except ChildWorkflowError as error:
        stop_if_requested()
        result = result_of(error, path=path)
        usage = result.usage if error.cause and isinstance(error.cause, ApplicationError) else None
    finally:
        grant.settle(usage)
    step.frame.note(handoffs=result.handoffs, decisions=result.decisions, done=result.done)
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
