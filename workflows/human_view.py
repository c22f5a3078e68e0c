"""How a human task stands: a function of its input, its start and the time alone, so no worker is needed to tell."""

import json
import math

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.people import BY_DEFAULT, Asking, Choice, DecideRequest, HumanDecision, HumanTask
    from activities.contracts.people import HumanTaskView as View
    from activities.gate import action_hash
    from activities.records import request_hash
    from workflows.human_checks import canonical

MAX_REMINDERS = 100
"""Of one task: with the timers behind them 500 events, so its history never needs to be begun anew."""


def task_id(root: str, task: HumanTask) -> str:
    """The workflow id of a run's human task. A slash in it would keep it from Temporal's HTTP API; ``~`` is in no name."""
    return "~".join((root, *task.key.path.split("/"), task.key.step))


def asked(task: HumanTask) -> str:
    """Hash of what is asked: nothing of time, people or budget, so a re-run asks the same."""
    action = {"tool": task.action.tool, "arguments": task.action.arguments} if task.action else None
    return request_hash(
        {
            "question": task.question,
            "choices": list(task.choices),
            "action": action,
            "context": task.context,
            "answer_schema": task.answer_schema,
        }
    )


def view_of(task: HumanTask, workflow_id: str, opened_at: float, now: float, decision: HumanDecision | None) -> View:
    """How a task stands. All times are seconds since 1970."""
    asking = task.asking or Asking()
    deadline = opened_at + asking.seconds
    escalates_at = None if asking.escalate_seconds is None else opened_at + asking.escalate_seconds
    escalated = escalates_at is not None and now >= escalates_at
    # Anybody may decide anyway where nobody is named.
    people = asking.people + (asking.escalate_to if escalated and asking.people else ())
    expires_at = None if task.action is None else float(math.ceil(deadline + asking.valid_seconds))
    return View(
        task_id=workflow_id,
        run_id=workflow_id.partition("~")[0],
        step=task.key.path,
        question=task.question,
        people=tuple(dict.fromkeys(people))[:100],
        choices=task.choices,
        opened_at=opened_at,
        deadline=deadline,
        default=_default(task),
        reminders=min(MAX_REMINDERS, int((min(now, deadline) - opened_at + 0.001) // every))
        if (every := _every(asking))
        else 0,
        escalates_at=escalates_at,
        escalates_to=asking.escalate_to,
        escalated=escalated,
        action=task.action,
        action_hash=_bound(task, workflow_id, expires_at),
        expires_at=expires_at,
        reasons=task.reasons,
        context=task.context,
        handoff=task.handoff,
        answer_schema=task.answer_schema,
        decision=decision,
    )


def next_change(view: View, asking: Asking, now: float) -> float:
    """When something changes by itself: a reminder, the escalation, or the deadline."""
    moments = [view.deadline]
    if (every := _every(asking)) and view.reminders < MAX_REMINDERS:
        moments.append(view.opened_at + (view.reminders + 1) * every)
    if view.escalates_at is not None and not view.escalated:
        moments.append(view.escalates_at)
    return min(moment for moment in moments if moment > now or moment == view.deadline)


def decision_of(task: HumanTask, view: View, request: DecideRequest, now: float) -> HumanDecision:
    """A person's decision, bound to the action that it is about."""
    said = HumanDecision(
        choice=request.choice,
        by=canonical(request.by, view.people),
        answer=request.answer,
        arguments=request.arguments,
        reason=request.reason,
        decided_at=now,
    )
    return _bind(task, view, said)


def default_of(task: HumanTask, view: View) -> HumanDecision | None:
    """What holds at the deadline, where something does."""
    choice = view.default
    if choice is None:
        return None
    given = (task.asking or Asking()).default_answer
    arguments = json.dumps(given, ensure_ascii=False) if choice is Choice.EDIT and task.action else None
    answer = given if arguments is None and choice in {Choice.EDIT, Choice.ANSWER} else None
    said = HumanDecision(
        choice=choice,
        by=BY_DEFAULT,
        answer=answer,
        arguments=arguments,
        reason="nobody decided in time",
        decided_at=view.deadline,
    )
    return _bind(task, view, said)


def _default(task: HumanTask) -> Choice | None:
    """The team's default, where it is offered here: one way of asking serves many questions."""
    default = task.asking.default if task.asking else None
    return default if default in task.choices else None


def _every(asking: Asking) -> float:
    """Seconds between two reminders; 0: there are none."""
    return max(asking.remind_seconds, asking.seconds / MAX_REMINDERS) if asking.remind_seconds else 0.0


def _bound(task: HumanTask, workflow_id: str, expires_at: float | None, arguments: str | None = None) -> str | None:
    if task.action is None or expires_at is None:
        return None
    return action_hash(task.action.tool, arguments or task.action.arguments, workflow_id, expires_at)


def _bind(task: HumanTask, view: View, said: HumanDecision) -> HumanDecision:
    """A yes to an action holds for this action alone, and not for ever."""
    update: dict[str, object] = {"task_id": view.task_id}
    if task.action is not None and said.choice in {Choice.APPROVE, Choice.EDIT}:
        update |= {
            "action": _bound(task, view.task_id, view.expires_at, said.arguments),
            "expires_at": view.expires_at,
        }
    return said.model_copy(update=update)
