"""What a monitor asks people: whether one action may happen, as it is or as they change it."""

import json
from dataclasses import replace
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.grants import Verdict
    from activities.contracts.monitors import ActionKind, MonitorSpec
    from activities.contracts.people import Choice, HumanDecision, HumanTask, ProposedAction
    from activities.errors import DeadlineExceeded
    from workflows.contracts import DecisionReport
    from workflows.needs import as_text
    from workflows.people import ask_person
    from workflows.reviewing.rules import Proposed, Said, digest_of, read, shortened
    from workflows.step_context import StepContext

_VERDICTS = {Choice.APPROVE: Verdict.PROCEED, Choice.EDIT: Verdict.EDIT}


async def ask_about(
    step: StepContext, spec: MonitorSpec, said: Said, action: Proposed, index: int
) -> tuple[Proposed, Said | None]:
    """Ask a person about an action, and note what came of it.

    Args:
        step: the step that proposes it.
        spec: the monitor that asks.
        said: what it says.
        action: the action.
        index: of the monitor, among those that look at the action.

    Returns:
        The action as it was approved, and the refusal where it was not.

    Raises:
        DeadlineExceeded: nobody decided in time, and there is no default.
        CancelledError: the run was stopped.
    """
    try:
        with step.frame.waits():
            decision = await ask_person(step, _question(step, spec, said, action, index))
    except DeadlineExceeded as error:
        nobody = HumanDecision(choice=Choice.REJECT, by="nobody", reason=str(error)[:500])
        _note(step, spec, action, nobody)
        raise
    action = _as_decided(action, decision)
    _note(step, spec, action, decision)
    if decision.choice not in _VERDICTS:
        why = f": {decision.reason}" if decision.reason else ""
        return action, Said(Verdict.BLOCK, decision.task_id, f"{decision.by} does not allow it{why}")
    return action, None


def _question(step: StepContext, spec: MonitorSpec, said: Said, action: Proposed, index: int) -> HumanTask:
    asked: dict[str, Any] = {"choices": (Choice.APPROVE, Choice.EDIT, Choice.REJECT)}
    match action.kind:
        case ActionKind.TOOL_CALL:
            arguments = json.dumps(action.value, ensure_ascii=False)
            asked["question"] = f"May {action.actor} call {action.tool}?"
            asked["action"] = ProposedAction(tool=action.tool, arguments=arguments)
        case ActionKind.HANDOFF:
            asked = {"question": f"May {action.actor} hand this on to {action.about}?", "context": action.value}
        case ActionKind.ANSWER:
            asked["question"] = f"May {action.actor} answer this?"
            asked |= {"context": action.value, "answer_schema": action.schema}
    return HumanTask(
        key=step.key(f"{action.ordinal}.m{index}"),
        asking=said.asking,
        reasons=(_why(spec, said),),
        handoff=step.task.handoff if step.task else None,
        **asked,
    )


def _why(spec: MonitorSpec, said: Said) -> str:
    """Who asks, and why: a reason alone does not say whose it is."""
    who = f"the monitor {spec.name!r}"
    return said.reason if who in said.reason else f"{who} asks by {said.rule!r}: {said.reason}"[:1000]


def _as_decided(action: Proposed, decision: HumanDecision) -> Proposed:
    if decision.choice is not Choice.EDIT:
        return action
    if action.kind is ActionKind.TOOL_CALL:
        value, problem = read(decision.arguments or "{}")
        return replace(action, value=value, problem=problem)
    return replace(action, value=decision.answer)


def _note(step: StepContext, spec: MonitorSpec, action: Proposed, decision: HumanDecision) -> None:
    report = DecisionReport(
        step=step.path,
        tool=action.about,
        verdict=_VERDICTS.get(decision.choice, Verdict.BLOCK),
        by=decision.by,
        reason=decision.reason,
        rule=decision.task_id,
        ordinal=action.ordinal,
        arguments=shortened(as_text(action.value)) if decision.choice is Choice.EDIT else "",
        action=action.kind,
        monitor=spec.name,
        digest=digest_of(spec, action),
    )
    step.frame.note(decisions=[report])
