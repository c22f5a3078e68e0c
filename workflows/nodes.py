"""Runs a node of the tree for the pattern that holds it: inside the pattern's workflow, or as a child workflow.

Either way the answer is a ``RunResult``, failed or not: what a failure means is the pattern's decision.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureKind
    from activities.contracts.steps import Usage
    from activities.errors import HandoffRejected, LimitExceeded, OstinatoError
    from workflows import policies
    from workflows.agent import Boundary
    from workflows.agent_step import run_agent
    from workflows.budget_asking import account_of
    from workflows.budget_grants import granted
    from workflows.call_step import run_call
    from workflows.children import to_its_result, was_ended
    from workflows.contracts import AgentState, NodePlan, RunInput, RunResult, RunStatus, Task
    from workflows.deadlines import after, earliest, end_of_budget, within
    from workflows.failures import failure_of, result_of, stop_if_requested
    from workflows.fallbacks import at_breach, other_node, stands_in, told_why
    from workflows.frame import Frame
    from workflows.handoffs import handed_over, identity, not_taken, unanswered, with_cut
    from workflows.person_step import run_person
    from workflows.progress import AGENTS, PATTERN, TEAM, Row
    from workflows.results import OUTCOME, together
    from workflows.reviewing.bounds import asking_seconds, judges_of
    from workflows.reviewing.places import review_handoff
    from workflows.step_context import StepContext
    from workflows.teams.bounds import longest_seconds, once_tools, runs_inline
    from workflows.teams.patience import patience_seconds
    from workflows.teams.routes import owners
    from workflows.teams.tree import (
        AgentNode,
        CallNode,
        Node,
        PersonNode,
        TeamSpec,
        node_key,
        node_name,
        plan_name,
        plan_names,
        walk,
        workflow_type,
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
    result = await _attempted(step, node, _monitored(step, task), inline=inline)
    return committed(step, node, result, key=task.key) if step.commits else result


def committed(step: StepContext, node: Node, result: RunResult, *, key: str | None = None) -> RunResult:
    """The result, with its output as a new version of the workflow's state; nothing of what failed or was left out.

    What a rewind or a fork puts in place of the output is held to what its place wants, as the output was.
    """
    if result.status is RunStatus.FAILED or (result.status is RunStatus.PARTIAL and result.output is None):
        return result
    if step.frame.state.replaces(step.path):
        other = step.frame.state.instead(step.path, result.output)
        result = step.accept(result.model_copy(update={"output": other}))
        if result.status is RunStatus.FAILED:
            return result
    partial, owner = result.status is RunStatus.PARTIAL, result.owner or identity(step, node)
    try:
        output = step.frame.state.commit(
            key or node_key(node), result.output, step=step.path, owner=owner, partial=partial
        )
    except LimitExceeded as error:
        failure = failure_of(error, agent=node_name(node), step=step.path)
        return result.model_copy(update={"status": RunStatus.FAILED, "output": None, "failure": failure})
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
    step = replace(step, partial=node.budget is not None and node.budget.on_breach == "partial")
    match node:
        case CallNode():
            result = await run_call(step, node)
        case PersonNode():
            result = await run_person(step, node)
        case AgentNode():
            result = await run_agent(step, node.agent, plan=plan_name(node), state=state, boundary=boundary)
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
    step = frame.step(task=frame.task if state else within(frame.task, frame.deadline))
    if frame.run.task is None:
        try:
            step = replace(step, task=handed_over(step, node, step.task or frame.task))
        except HandoffRejected as error:
            return not_taken(step, node, error)
    return committed(step, node, await run_inline(step, node, state=state, boundary=boundary))


def _monitored(step: StepContext, task: Task) -> Task:
    """The task with what reviews all that this workflow does."""
    if not (monitors := step.frame.monitors):
        return task
    more = (spec for spec in task.monitors if spec not in monitors)
    return task.model_copy(update={"monitors": (*monitors, *more)})


async def _attempted(step: StepContext, node: Node, task: Task, *, inline: bool = True) -> RunResult:
    """The step by its node, or by what stands in for it: both are paid from the node's budget, and share its time."""
    stop_if_requested()  # the call or child before may have ended well in spite of it
    frame, began = step.frame, workflow.time()
    if frame.halted:
        return RunResult(status=RunStatus.FAILED, failure=frame.halted)
    inline = isinstance(node, CallNode | PersonNode) or (inline and runs_inline(step.run.team, node))
    over = end_of_budget(node, began)
    end = earliest(frame.deadline, after(began, task.seconds), over)
    step = replace(step, account=account_of(step, node, inline=inline))
    try:
        result = step.accept(await _offer(step, node, within(task, end), inline=inline))
    except OstinatoError as error:
        failure = failure_of(error, agent=node_name(node), step=step.path)
        result = RunResult(status=RunStatus.FAILED, failure=failure)
    return await after_all(step, node, task, at_breach(node, step.funds, over, result), end)


async def after_all(step: StepContext, node: Node, task: Task, result: RunResult, end: float | None) -> RunResult:
    """A node's result, or that of what stands in for it where it failed.

    Args:
        step: the step, with the account that the node drew on.
        node: what was run.
        task: what it was to do.
        result: how it ended.
        end: workflow time at which whatever stands in has to have ended too.

    Raises:
        CancelledError: the run was stopped.
    """
    frame = step.frame
    if result.failure and result.failure.kind is FailureKind.HALTED and result.status is RunStatus.FAILED:
        frame.halt(result.failure)
    if frame.halted:  # nothing stands in, and nothing is gone on without
        return result.model_copy(update={"status": RunStatus.FAILED, "output": None, "failure": frame.halted})
    if result.status is RunStatus.FAILED and was_ended():
        return result  # its pattern has no use for it any more
    if result.status is RunStatus.FAILED and (other := other_node(node, result)):
        step.frame.decide(f"{node_key(node)} failed, {plan_name(other)} stands in")
        below = replace(step, path=f"{step.path}/fallback")
        second = await _attempted(below, other, within(told_why(task, node, result), end))
        second = second.model_copy(update={"owner": second.owner or identity(below, other)})
        result = together([result, second], **{name: getattr(second, name) for name in OUTCOME})
    return stands_in(step, node, result)


async def in_place_of_root(frame: Frame, result: RunResult) -> RunResult:
    """What a workflow comes to: its own budget may allow a partial result, and a root's fallback stands in for it.

    Raises:
        CancelledError: the run was stopped.
    """
    root, over = frame.run.team.root, end_of_budget(frame.run.team.root, frame.started_at)
    result = at_breach(root, frame.account, over, result)
    if result.status is not RunStatus.FAILED or frame.run.task is not None:
        return result  # whoever runs a nested workflow knows what stands in for it
    stop_if_requested()
    frame.deadline = over  # whatever stands in has its own time
    step = frame.step()
    instead = await after_all(step, root, Task(prompt=frame.run.goal), result, over)
    return instead if instead is result else committed(step, root, instead)


async def _offer(step: StepContext, node: Node, task: Task, *, inline: bool) -> RunResult:
    """One owner's attempt."""
    task = within(task, after(workflow.time(), node.timeout_seconds))
    if step.frame.task.punctual:
        task = task.model_copy(update={"punctual": True})
    try:
        task = handed_over(step, node, task)
        if step.frame.monitors:
            await review_handoff(step, node, task)
            task = within(task, task.handoff.deadline if task.handoff else None)  # a person may have been asked
    except HandoffRejected as error:
        return not_taken(step, node, error)
    step = replace(step, task=task)
    if inline and isinstance(node, CallNode | PersonNode | AgentNode):
        return with_cut(task, node, await run_inline(step, node))
    with step.frame.waits():
        return with_cut(task, node, await _run_child(step, node, task))


async def _run_child(step: StepContext, node: Node, task: Task) -> RunResult:
    run, path, board = step.run, step.path, step.board
    info = workflow.info()
    root = info.root.workflow_id if info.root else info.workflow_id
    name = node_name(node)
    row = Row(path=path, agent=name)
    board.show(row)
    try:
        grant = await granted(step, node, task)
    except LimitExceeded as error:
        if task.handoff:
            step.frame.note(handoffs=[unanswered(task.handoff, error.detail(), sent=False)])
        raise
    child = run.model_copy(
        update={
            "team": below(run.team, node, judges_of(task.monitors)),
            "plans": plans_below(run, node, judges_of(task.monitors)),
            "path": path,
            "task": task.model_copy(update={"budget": grant.budget, "payer": grant.payer}),
            "state": None,
            "carried": None,
            "rewind": run.rewind.below(path) if run.rewind else None,
        }
    )
    longest = longest_seconds(run.team, node, run.tool_seconds, once_tools(run.plans))
    longest += patience_seconds(run.team, run.plans, node) + asking_seconds(task.monitors, run.team.people)
    usage: Usage | None = None
    result: RunResult | None = None
    try:
        stop_if_requested()  # it may have waited for its grant
        nested = await workflow.start_child_workflow(
            workflow_type(node),
            child,
            id=f"{root}/{path}",
            result_type=RunResult,
            task_timeout=policies.WORKFLOW_TASK_TIMEOUT,
            execution_timeout=timedelta(seconds=longest + run.people_seconds) + policies.EXECUTION_MARGIN,
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
        result = RunResult.model_validate(await to_its_result(nested, lambda: step.frame.halted is None))
        usage = result.usage
    except ChildWorkflowError as error:
        result = result_of(error, path=path)
        usage = result.usage if error.cause and isinstance(error.cause, ApplicationError) else None
    finally:
        grant.settle(usage, short=result.short if result else "")
    step.frame.take(result)
    if result.status is RunStatus.FAILED and workflow.cancellation_reason() is not None:
        step.frame.results.append(result)  # nobody else will
        stop_if_requested()
    state = AgentState(usage=result.usage)
    board.show(row.at(state, result.status))
    return result


def below(team: TeamSpec, node: Node, judges: Sequence[str] = ()) -> TeamSpec:
    """The part of a team that a nested workflow needs: what it does not know costs no bytes, and cannot be used.

    Args:
        team: the team.
        node: the nested workflow's.
        judges: agents of the monitors above it.
    """
    names = dict.fromkeys([*agents_below(team, node), *judges])
    agents = {name: team.agents[name] for name in names if name in team.agents}
    return team.model_copy(update={"agents": agents, "root": node})


def plans_below(run: RunInput, node: Node, judges: Sequence[str] = ()) -> dict[str, NodePlan]:
    """What was resolved for that part."""
    names = (*plan_names(node), *agents_below(run.team, node), *judges)
    return {name: run.plans[name] for name in names if name in run.plans}


def agents_below(team: TeamSpec, node: Node) -> list[str]:
    """The agents of a tree, and those to which its steps may be transferred."""
    agents = (inner.agent for inner in walk(node) if isinstance(inner, AgentNode))
    return list(dict.fromkeys(owner for agent in agents for owner in owners(team, agent)))


def names_in(node: Node) -> list[str]:
    """The agents and calls of a tree, its own name first, as many as a search attribute holds."""
    return list(dict.fromkeys([node_name(node), *(node_name(inner) for inner in walk(node))]))[:MAX_SEARCHED_AGENTS]
