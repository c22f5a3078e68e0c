"""A step done by a person: a human task is opened as a child workflow, and its decision is the step's result."""

import asyncio
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.grants import Verdict
    from activities.contracts.handoffs import Acceptance
    from activities.contracts.people import Choice, HumanDecision, HumanTask
    from activities.errors import NotAllowed
    from workflows.contracts import DecisionReport, RunResult, RunStatus, StepReport
    from workflows.failures import failure_of, stop_if_requested
    from workflows.handoffs import received, unanswered
    from workflows.people import after_a_no, ask_person
    from workflows.results import of_steps
    from workflows.step_context import StepContext
    from workflows.teams.tree import PersonNode

ORDINAL = "ask"
_VERDICTS = {Choice.REJECT: Verdict.BLOCK, Choice.EDIT: Verdict.EDIT}


async def run_person(step: StepContext, node: PersonNode) -> RunResult:
    """Ask a person: ``approve`` passes on what the step was given, ``edit`` and ``answer`` what the person gives.

    A rejection fails the step as ``not_allowed``; nobody's decision, where there is no default, as
    ``deadline_exceeded``.

    Raises:
        CancelledError: the run was stopped.
    """
    started = workflow.time()
    noted: dict[str, Any] = {"status": RunStatus.COMPLETE}
    try:
        decision = await ask_person(step, _question(step, node))
        noted |= _reports(step, node, decision)
        if decision.choice is Choice.REJECT:
            why = f": {decision.reason}" if decision.reason else ""
            raise NotAllowed(f"{decision.by} rejected {node.name!r}{why}", fix=after_a_no())
        noted["output"] = (
            _given(step).get("input", "approved") if decision.choice is Choice.APPROVE else decision.answer
        )
    except (Exception, asyncio.CancelledError) as error:
        if not workflow.in_workflow():
            raise  # thrown away with a workflow that a worker forgets
        stop_if_requested()
        noted |= {"status": RunStatus.FAILED, "failure": failure_of(error, agent=node.name, step=step.path)}
        if step.task and step.task.handoff and "handoffs" not in noted:
            noted["handoffs"] = (unanswered(step.task.handoff, noted["failure"], sent=True),)
    status, failure = noted["status"], noted.get("failure")
    report = StepReport(
        agent=f"{step.run.team.team}/{node.name}@{step.run.team.version}",
        step=step.path,
        status=status,
        milliseconds=round((workflow.time() - started) * 1000),
        task=" ".join(_asked(step, node).split())[:200],
        reason=failure.message if failure else "",
    )
    return of_steps((report,), **noted)


def _question(step: StepContext, node: PersonNode) -> HumanTask:
    given = _given(step)
    return HumanTask(
        key=step.key(ORDINAL),
        question=_asked(step, node),
        asking=node.asking,
        choices=node.choices,
        handoff=step.task.handoff if step.task else None,
        context=given or None,
        reasons=step.task.reasons if step.task else (),
        answer_schema=node.answer,
    )


def _asked(step: StepContext, node: PersonNode) -> str:
    return node.question or (step.task.prompt if step.task else step.run.goal)


def _given(step: StepContext) -> dict[str, JsonValue]:
    """What the person is to look at: the input, and the keys of the state that the node declares."""
    handoff = step.task.handoff if step.task else None
    names = ("input", *(handoff.needs if handoff else ()))
    inputs = step.task.inputs if step.task else {}
    return {name: inputs[name] for name in names if inputs.get(name) is not None}


def _reports(step: StepContext, node: PersonNode, decision: HumanDecision) -> dict[str, Any]:
    report = DecisionReport(
        step=step.path,
        tool=node.name,
        verdict=_VERDICTS.get(decision.choice, Verdict.PROCEED),
        by=decision.by,
        reason=decision.reason,
        rule=decision.task_id,
        ordinal=ORDINAL,
    )
    noted: dict[str, Any] = {"decisions": (report,)}
    if handoff := step.task.handoff if step.task else None:
        waited = max(0, round((decision.decided_at - handoff.offered_at) * 1000))
        size = len(handoff.model_dump_json())
        noted["handoffs"] = (received(handoff, Acceptance(milliseconds=waited, size_bytes=size), None),)
    return noted
