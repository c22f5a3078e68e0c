"""Handoffs: how a step comes to its next owner (design, section 7).

What the sender can see is checked here, before anything is scheduled: path, depth, time, budget, declared needs. What only
the receiver knows is checked inside its first activity (``activities.handoffs``), which costs no event of its own.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.handoffs import MAX_LISTED, Acceptance, Handoff, HandoffReport, Rejection
    from workflows.contracts import Task
    from workflows.step_context import StepContext
    from workflows.teams.tree import Node, node_name


def handed_over(step: StepContext, node: Node, task: Task) -> Task:
    """The task with the handoff that it comes with, made from what the sender's workflow holds now."""
    frame, run = step.frame, step.run
    before = run.task.handoff if run.task else None
    sender = identity(step, run.team.root)
    seconds = task.seconds
    handoff = Handoff(
        task_id=step.path,
        goal=run.goal[:2000],
        owner=identity(step, node),
        path=(*(before.path if before else ()), sender),
        version=frame.state.version,
        given=tuple(key for key in node.needs if key in frame.state.values),
        needs=node.needs,
        completed=tuple(commit.key for commit in frame.state.commits)[-MAX_LISTED:],
        pending=frame.pending[:MAX_LISTED],
        constraints=constraints(step, node),
        decisions=tuple(frame.log)[-MAX_LISTED:],
        deadline=None if seconds is None else workflow.time() + seconds,
        budget=step.funds.left,
        offered_at=workflow.time(),
    )
    return task.model_copy(update={"handoff": handoff})


def constraints(step: StepContext, node: Node) -> tuple[str, ...]:
    """What holds for a step: the team's constraints, and those of every node above it."""
    run = step.run
    before = run.task.handoff if run.task else None
    above = before.constraints if before else run.team.constraints
    return tuple(dict.fromkeys((*above, *run.team.root.constraints, *node.constraints)))[:MAX_LISTED]


def identity(step: StepContext, node: Node) -> str:
    """``team/agent@version``; a pattern's by its node's name."""
    return f"{step.run.team.team}/{node_name(node)}@{step.run.team.version}"


def received(handoff: Handoff, accepted: Acceptance | None, rejected: Rejection | None) -> HandoffReport:
    """How a handoff went, by what the receiver said."""
    return HandoffReport(
        step=handoff.task_id,
        sender=handoff.path[-1] if handoff.path else "",
        receiver=handoff.owner,
        version=handoff.version,
        rejected=rejected,
        milliseconds=accepted.milliseconds if accepted else 0,
        size_bytes=accepted.size_bytes if accepted else 0,
        declared=len(handoff.needs),
        present=len(handoff.needs) - len(handoff.missing),
    )
