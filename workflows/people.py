"""Asks a person, and waits: a human task is a child workflow, found in the inbox and decided by an update."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ChildWorkflowError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureKind
    from activities.contracts.people import HUMAN_TASK, Asking, Choice, HumanDecision, HumanTask
    from activities.errors import DeadlineExceeded
    from workflows import policies
    from workflows.failures import failure_of, stop_if_requested
    from workflows.human_checks import check_asking
    from workflows.human_text import details_of, summary_of
    from workflows.human_view import task_id, view_of
    from workflows.progress import PATTERN, TEAM, Row
    from workflows.step_context import StepContext

MAX_AGENTS = 200
MAX_REASONS = 20
LEAST_SECONDS = 0.001
NEARLY = 0.99
"""Of the time that people are to have: what is lost on the way to them cuts nothing short."""


async def ask_person(step: StepContext, question: HumanTask) -> HumanDecision:
    """Put a question to a person; the recorded decision where the lineage has one.

    Nothing is held while it waits: no worker slot, no budget. It costs the asking workflow what a child costs.

    Args:
        step: the step that cannot go on without it. Its hard deadline bounds that of the decision.
        question: with ``key=step.key("t3.c0.ask")`` or the like; the agents of the run are filled in. Where ``asking``
            is absent, the team's ``people`` decide. Where people get less time than it says, only a default that
            rejects holds.

    Raises:
        DeadlineExceeded: nobody decided in time, and there is no default.
        ConfigurationInvalid: the way of asking cannot work.
        CancelledError: the run was stopped.
    """
    stop_if_requested()
    run, info = step.run, workflow.info()
    asking = question.asking or run.team.people
    check_asking(asking, question.choices, question)
    asking, cut = _in_time(asking, _seconds(step, question, asking))
    question = question.model_copy(update={"reasons": (*question.reasons, *cut)[:MAX_REASONS]})
    agents = (*question.agents, *(f"{run.team.team}/{name}@{run.team.version}" for name in run.team.agents))
    task = question.model_copy(update={"asking": asking, "agents": tuple(dict.fromkeys(agents))[:MAX_AGENTS]})
    root = info.root.workflow_id if info.root else info.workflow_id
    name, now = task_id(root, task), workflow.time()
    view = view_of(task, name, now, now, None)
    row = Row(path=f"{step.path}/{task.key.step}", agent=", ".join(asking.people)[:200] or "a person", status="waiting")
    step.board.show(row)
    try:
        with step.paused():
            decision: HumanDecision = await workflow.execute_child_workflow(
                HUMAN_TASK,
                task,
                id=name,
                result_type=HumanDecision,
                task_timeout=policies.WORKFLOW_TASK_TIMEOUT,
                execution_timeout=timedelta(seconds=asking.seconds) + policies.DECISION_MARGIN,
                # A stopped run ends only when all below it has, and nobody is asked for a run that is gone.
                cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
                parent_close_policy=ParentClosePolicy.REQUEST_CANCEL,
                search_attributes=TypedSearchAttributes(
                    [SearchAttributePair(TEAM, run.team.team), SearchAttributePair(PATTERN, HUMAN_TASK)]
                ),
                static_summary=summary_of(view),
                static_details=details_of(view, standing=False),
            )
    except ChildWorkflowError as error:
        stop_if_requested()
        step.board.show(row.model_copy(update={"status": "not decided"}))
        detail = failure_of(error, agent="", step=step.path)
        if detail.kind is FailureKind.DEADLINE_EXCEEDED:
            raise DeadlineExceeded(detail.message, fix=detail.fix) from error
        raise
    step.board.show(row.model_copy(update={"status": f"{decision.choice} by {decision.by}"[:200]}))
    return decision


def after_a_no() -> str:
    """What to do after a rejection: it is on record, so a run that is resumed is told no again."""
    info = workflow.info()
    run = info.root.workflow_id if info.root else info.workflow_id
    return (
        f"mend what was rejected, or change the team; ostinato rewind {run} --to CHECKPOINT --fresh asks again"
        f" (ostinato checkpoints {run} lists them)"
    )


def _in_time(asking: Asking, seconds: float) -> tuple[Asking, tuple[str, ...]]:
    """The way of asking in so many seconds, and what is to be said of it.

    A default is what holds when people had their time. Where a hurry ended it, saying nothing is no yes: else whoever
    writes a team, or a short deadline, could take from a policy's people what it gives them.
    """
    cut = asking.model_copy(update={"seconds": seconds})
    if seconds >= NEARLY * asking.seconds or asking.default in {None, Choice.REJECT}:
        return cut, ()
    why = f"there are {seconds:g} s of the {asking.seconds:g} s to decide: the default ({asking.default}) does not hold"
    return cut.model_copy(update={"default": None, "default_answer": None}), (why,)


def _seconds(step: StepContext, question: HumanTask, asking: Asking) -> float:
    """How long people have: as is said, and no longer than the step and this workflow are there to hear it.

    What bounds the step bounds the decision, so that it ends in time, and not by the server's end of the run. A policy
    may give more time than the team has for people: its runs are ended by then.
    """
    info, now = workflow.info(), workflow.time()
    handoff = step.task.handoff if step.task else None
    bounds = [asking.seconds, *([step.run.team.people.seconds] if question.action else [])]
    if handoff and handoff.deadline is not None:
        bounds.append(handoff.deadline - now)
    if info.execution_timeout:
        ends_at = (info.workflow_start_time + info.execution_timeout - policies.ENDING_MARGIN).timestamp()
        bounds.append(ends_at - now)
    return max(LEAST_SECONDS, min(bounds))
