"""What a monitor asks people: whether one action may happen, as it is or as they change it."""

import json
from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.base import Schema
    from activities.contracts.grants import Verdict
    from activities.contracts.monitors import ActionKind, MonitorSpec
    from activities.contracts.people import Choice, HumanDecision, HumanTask, ProposedAction
    from activities.errors import DeadlineExceeded
    from activities.records import request_hash
    from workflows.contracts import DecisionReport
    from workflows.monitor_rules import Proposed, Said, read
    from workflows.people import ask_person
    from workflows.step_context import StepContext

_VERDICTS = {Choice.APPROVE: Verdict.PROCEED, Choice.EDIT: Verdict.EDIT}


async def ask_about(
    step: StepContext, spec: MonitorSpec, said: Said, action: Proposed, ordinal: str, schema: Schema | None
) -> tuple[Proposed, Said | None]:
    """Ask a person about an action, and note what came of it.

    Returns:
        The action as it was approved, and the refusal where it was not.

    Raises:
        DeadlineExceeded: nobody decided in time, and there is no default.
        CancelledError: the run was stopped.
    """
    try:
        with step.frame.waits():
            decision = await ask_person(step, _question(step, said, action, ordinal, schema))
    except DeadlineExceeded as error:
        _note(
            step,
            spec,
            action,
            ordinal,
            Verdict.BLOCK,
            HumanDecision(choice=Choice.REJECT, by="nobody", reason=str(error)[:500]),
        )
        raise
    verdict = _VERDICTS.get(decision.choice, Verdict.BLOCK)
    action = _as_decided(action, decision)
    _note(step, spec, action, ordinal, verdict, decision)
    if verdict is Verdict.BLOCK:
        why = f": {decision.reason}" if decision.reason else ""
        return action, Said(Verdict.BLOCK, decision.task_id, f"{decision.by} does not allow it{why}")
    if action.problem:
        return action, Said(
            Verdict.BLOCK, decision.task_id, f"as {decision.by} wants it, it cannot be judged: {action.problem}"
        )
    return action, None


def _question(step: StepContext, said: Said, action: Proposed, ordinal: str, schema: Schema | None) -> HumanTask:
    handoff = step.task.handoff if step.task else None
    asked = HumanTask(
        key=step.key(ordinal),
        question="",
        asking=said.asking,
        reasons=(said.reason,) if said.reason else (),
        handoff=handoff,
    )
    editable = (Choice.APPROVE, Choice.EDIT, Choice.REJECT)
    match action.kind:
        case ActionKind.TOOL_CALL:
            arguments = json.dumps(action.value, ensure_ascii=False)
            given = {
                "question": f"May {action.actor} call {action.tool}?",
                "choices": editable,
                "action": ProposedAction(tool=action.tool, arguments=arguments),
            }
        case ActionKind.HANDOFF:
            given = {"question": f"May {action.actor} hand this on to {action.recipient}?", "context": action.value}
        case ActionKind.ANSWER:
            given = {
                "question": f"May {action.actor} answer this?",
                "choices": editable,
                "context": action.value,
                "answer_schema": schema,
            }
    return asked.model_copy(update=given)


def _as_decided(action: Proposed, decision: HumanDecision) -> Proposed:
    if decision.choice is not Choice.EDIT:
        return action
    if action.kind is ActionKind.TOOL_CALL:
        value, problem = read(decision.arguments or "{}")
        return replace(action, value=value, problem=problem)
    return replace(action, value=decision.answer)


def _note(
    step: StepContext, spec: MonitorSpec, action: Proposed, ordinal: str, verdict: Verdict, decision: HumanDecision
) -> None:
    report = DecisionReport(
        step=step.path,
        tool=action.about,
        verdict=verdict,
        by=decision.by,
        reason=decision.reason,
        rule=decision.task_id,
        ordinal=ordinal,
        action=action.kind,
        monitor=spec.name,
        digest=request_hash({"answer": action.value}) if action.kind is ActionKind.ANSWER else None,
    )
    step.frame.note(decisions=[report])
