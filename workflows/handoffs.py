"""Handoffs: how a step comes to its next owner (design, section 7).

What the sender can see is checked here, before anything is scheduled: depth, time, declared needs, the input contract.
What only the receiver knows is checked inside its first activity (``activities.handoffs``), which costs no event of its
own. A rejection is a value: the sender supplies what is missing, lets somebody else have the step, or fails.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from opentelemetry import trace

    from activities.contracts.budgets import Budget
    from activities.contracts.failures import FailureDetail, FailureKind
    from activities.contracts.handoffs import (
        MAX_LISTED,
        MAX_OWNERS,
        Acceptance,
        Handoff,
        HandoffReport,
        Rejection,
        RejectionReason,
    )
    from activities.errors import HandoffRejected
    from activities.input_contracts import input_problems, missing_properties
    from workflows.budget import Account
    from workflows.contracts import RunResult, RunStatus, Task
    from workflows.failures import failure_of
    from workflows.frame import Frame
    from workflows.lacking import lacking
    from workflows.needs import given_to, supplied, told, values_of, with_needs
    from workflows.step_context import StepContext
    from workflows.teams.tree import Node, node_key, node_name

LEAST_SECONDS = 0.005
"""A step with less time than this cannot begin: the way to a worker alone takes as long."""
MAX_OFFERS = 2
"""Offers of one step to one owner: the first, and one with what the first lacked."""


def handed_over(step: StepContext, node: Node, task: Task) -> Task:
    """The task with its handoff, made from what the sender's workflow holds now.

    What the input lacks is supplied from the state, and offered once more. Every refusal is noted in the frame.

    Raises:
        HandoffRejected: it cannot be handed over.
    """
    task, lacked = with_needs(step, node, task), tuple[str, ...]()
    for _ in range(MAX_OFFERS - 1):
        rejection = refusal(step, node, task)
        more = supplied(step, task, rejection) if rejection else None
        if rejection is None or more is None:
            break
        step.frame.note(handoffs=[refused(step, node, rejection)])
        step.frame.decide(f"{node_name(node)} lacked {', '.join(rejection.missing)}, and was given it from the state")
        task, lacked = more, rejection.missing
    if rejection := refusal(step, node, task):
        raise HandoffRejected(rejection, owner=node_name(node))
    return told(node, task, made(step, node, task), values_of(step, node, lacked))


def refusal(step: StepContext, node: Node, task: Task) -> Rejection | None:
    """Why a step cannot be handed over to a node; nothing: it can."""
    if len(_owners_above(step, node)) >= MAX_OWNERS:
        return Rejection(
            reason=RejectionReason.DEPTH, message=f"there are more than {MAX_OWNERS} owners above each other"
        )
    if task.seconds is not None and task.seconds < LEAST_SECONDS:
        return Rejection(reason=RejectionReason.DEADLINE, message="its time is over before it begins")
    if missing := tuple(key for key in node.needs if key not in task.inputs):
        listed = ", ".join(map(repr, missing[:8]))
        return Rejection(
            reason=RejectionReason.NEEDS_MISSING, message=f"the state has no {listed}, which it needs", missing=missing
        )
    if node.input is not None and (problems := input_problems(given_to(task), node.input)):
        return Rejection(
            reason=RejectionReason.INPUT_MISMATCH,
            message=f"its input does not fit: {'; '.join(problems)}"[:1000],
            missing=tuple(name[:1000] for name in missing_properties(given_to(task), node.input)[:64]),
        )
    return None


def check_root(frame: Frame) -> None:
    """Refuse a run whose root is a pattern and is not given what it declares: what it is given is the goal.

    Raises:
        HandoffRejected: what it lacks.
    """
    root = frame.run.team.root
    if rejection := refusal(frame.step(), root, frame.task):
        raise HandoffRejected(rejection, owner=node_name(root))


def made(step: StepContext, node: Node, task: Task) -> Handoff:
    """The envelope. It always carries goal, constraints and decisions; of the state it names keys, the task has values."""
    frame, run = step.frame, step.run
    before = run.task.handoff if run.task else None
    return Handoff(
        task_id=step.path[:1000],
        goal=run.goal[:2000],
        owner=identity(step, node),
        path=_owners_above(step, node),
        version=frame.state.version,
        given=tuple(key for key in node.needs if key in task.inputs),
        needs=node.needs,
        completed=(*(before.completed if before else ()), *(commit.key for commit in frame.state.commits))[
            -MAX_LISTED:
        ],
        pending=(*frame.pending, *(before.pending if before else ()))[:MAX_LISTED],
        constraints=constraints(step, node),
        decisions=((*before.decisions, *frame.log) if before else tuple(frame.log))[-MAX_LISTED:],
        summary=before.summary if before else "",
        deadline=None if task.seconds is None else workflow.time() + task.seconds,
        offered_at=workflow.time(),
        trace_id=_trace_id(),
    )


def sent(handoff: Handoff, account: Account) -> Handoff:
    """The handoff as it leaves, once its first call is paid for: with what the receiver may use of all accounts above."""
    budget, above = Budget(), account
    while above:
        budget = budget.narrowed(above.limit.minus(above.used))
        above = above.parent  # type: ignore[assignment] # the last one's is None, and ends the loop
    return handoff.model_copy(update={"budget": budget})


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
        present=len(handoff.needs) - len(handoff.missing) - len(set(handoff.needs) & set(handoff.cut)),
        cut=handoff.cut,
    )


def refused(step: StepContext, node: Node, rejection: Rejection) -> HandoffReport:
    """How a handoff went that was not even sent."""
    above = _owners_above(step, node)
    absent = len(rejection.missing) if rejection.reason is RejectionReason.NEEDS_MISSING else 0
    return HandoffReport(
        step=step.path[:1000],
        sender=above[-1] if above else "",
        receiver=identity(step, node),
        version=step.frame.state.version,
        rejected=rejection,
        declared=len(node.needs),
        present=len(node.needs) - absent,
    )


def not_taken(step: StepContext, node: Node, error: HandoffRejected) -> RunResult:
    """The result of a step that nobody took, noted in the frame."""
    report = refused(step, node, error.rejection)
    step.frame.note(handoffs=[report])
    failure = failure_of(error, agent=node_name(node), step=step.path)
    return RunResult(status=RunStatus.FAILED, failure=failure, handoffs=(report,))


def arrived(task: Task, handoff: Handoff) -> HandoffReport:
    """How a handoff went to a pattern, which has no first activity: that its workflow has begun is the yes."""
    milliseconds = max(0, round((workflow.time() - handoff.offered_at) * 1000))
    return received(
        handoff, Acceptance(milliseconds=milliseconds, size_bytes=len(task.model_dump_json().encode())), None
    )


def unanswered(handoff: Handoff, failure: FailureDetail, *, sent: bool) -> HandoffReport:
    """How a handoff went of a step that ended before the receiver said anything.

    Args:
        handoff: the handoff.
        failure: what ended the step.
        sent: whether the receiver was given it: then it has the step, and nobody else may think that it was never begun.
    """
    reason = None if sent else _ENDED_BY.get(failure.kind)
    rejection = Rejection(reason=reason, message=failure.message) if reason else None
    return received(handoff, None, rejection).model_copy(update={"unanswered": sent})


def with_cut(task: Task, node: Node, result: RunResult) -> RunResult:
    """The result of a step that was shown only a part of what it was given: it lacks the rest."""
    cut = task.handoff.cut if task.handoff else ()
    if not cut or result.status is RunStatus.FAILED:
        return result
    said = f"{node_key(node)} was shown only the start of what it was given: {', '.join(cut)}"[:1000]
    return result.model_copy(update={"status": RunStatus.PARTIAL, **lacking(result, said)})


_ENDED_BY = {
    FailureKind.LIMIT_EXCEEDED: RejectionReason.BUDGET,
    FailureKind.DEADLINE_EXCEEDED: RejectionReason.DEADLINE,
}


def _owners_above(step: StepContext, node: Node) -> tuple[str, ...]:
    """The stack of owners down to the sender. A root that is one step was started by nobody of the team."""
    before = step.run.task.handoff if step.run.task else None
    sender = identity(step, step.run.team.root)
    if before is None:
        return () if sender == identity(step, node) else (sender,)
    return (*before.path, sender)


def _trace_id() -> str:
    """The trace that runs through the workflow; empty where there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""
