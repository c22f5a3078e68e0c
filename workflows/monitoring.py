"""Monitors at work: every proposed action below a monitored node is reviewed before it happens.

The rules of all monitors first, the innermost first, so that an outer one has the last word on what an inner one has
edited; then judges, as long as nothing is refused; then the people whom a monitor asks. The strictest verdict holds:
halt over block over ask over edit over proceed. A monitor only narrows: grants and the deployment's policy decide after
it as ever, where the call is made. Each monitor's decision is noted, that to let the action through too.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.base import Digest, Schema
    from activities.contracts.grants import Verdict
    from activities.contracts.monitors import ActionKind, MonitorSpec
    from activities.errors import Halted
    from activities.records import request_hash
    from workflows.contracts import DecisionReport
    from workflows.monitor_asking import ask_about
    from workflows.monitor_judges import judged
    from workflows.monitor_rules import Proposed, Said, by_rules, looks_at, strictest
    from workflows.step_context import StepContext

Problem = Callable[[JsonValue], str]
MAX_SHOWN = 200
"""Characters of changed arguments that a decision is reported with."""
REFUSED = frozenset({Verdict.BLOCK, Verdict.HALT})


@dataclass(frozen=True)
class Reviewed:
    """What comes of an action."""

    value: JsonValue
    """As it may be done, where nothing refuses it."""
    refusal: Said | None = None
    monitor: MonitorSpec | None = None
    """Which one refuses it."""

    @property
    def told(self) -> str:
        """Why it is refused, and what to do instead: a sentence or two."""
        if self.refusal is None:
            return ""
        said = [self.refusal.reason, self.refusal.correction]
        return " ".join(f"{one.rstrip('. ')}." for one in said if one.strip())


def monitors_of(step: StepContext) -> tuple[MonitorSpec, ...]:
    """The monitors above a step, the outermost first."""
    return step.task.monitors if step.task else step.frame.monitors


async def review(
    step: StepContext,
    action: Proposed,
    ordinal: str,
    monitors: Sequence[MonitorSpec],
    *,
    fits: Problem = lambda _: "",
    schema: Schema | None = None,
) -> Reviewed:
    """Review an action, and note what each monitor says.

    Args:
        step: the step that proposes it.
        action: the action.
        ordinal: of the action in its step: ``t3.c0``, ``t3.answer``, ``handoff``.
        monitors: the outermost first.
        fits: says why an edited value is not what it has to be; empty: it is.
        schema: of what a person may put in its place, where it is an answer.

    Raises:
        Halted: a monitor ends the run at this action.
        DeadlineExceeded: a person is asked who did not decide in time.
        CancelledError: the run was stopped.
    """
    looking = [spec for spec in reversed(monitors) if looks_at(spec, action.kind)]
    if not looking:
        return Reviewed(action.value)
    given = action.value
    said, action = _by_all_rules(looking, action)
    if action.value != given and (problem := fits(action.value)):
        last = max(i for i, one in enumerate(said) if one.verdict is Verdict.EDIT)
        said[last] = replace(said[last], verdict=Verdict.BLOCK, reason=f"edited, {problem}"[:500])
    for index, spec in enumerate(looking):
        for judge in spec.judges:
            if not any(one.verdict in REFUSED for one in said):
                said[index] = said[index].stricter(await judged(step, spec, judge, action, ordinal))
    _note(step, looking, said, action, ordinal)
    refused = _refusal(step, looking, said, action)
    if refused:
        return refused
    for index, (spec, one) in enumerate(zip(looking, said, strict=True)):
        if one.verdict is Verdict.ASK:
            action, no = await ask_about(step, spec, one, action, f"{ordinal}.m{index}", schema)
            if no:
                return Reviewed(action.value, no, spec)
    if any(one.verdict is Verdict.ASK for one in said):
        return _once_more(step, looking, action, ordinal, fits)
    return Reviewed(action.value)


def _by_all_rules(monitors: Sequence[MonitorSpec], action: Proposed) -> tuple[list[Said], Proposed]:
    said = []
    for spec in monitors:
        one, action = by_rules(spec, action)
        said.append(one)
    return said, action


def _once_more(
    step: StepContext, monitors: Sequence[MonitorSpec], action: Proposed, ordinal: str, fits: Problem
) -> Reviewed:
    """What the rules say to an action as people have left it: a yes is no leave to do what a rule refuses."""
    said, action = _by_all_rules(monitors, action)
    if problem := fits(action.value):
        said[-1] = Said(Verdict.BLOCK, said[-1].rule, problem)
    refused = _refusal(step, monitors, said, action)
    if refused:
        _note(step, monitors, said, action, ordinal)
    return refused or Reviewed(action.value)


def _refusal(
    step: StepContext, monitors: Sequence[MonitorSpec], said: Sequence[Said], action: Proposed
) -> Reviewed | None:
    worst = strictest(said)
    if worst.verdict not in REFUSED:
        return None
    spec = next(spec for spec, one in zip(monitors, said, strict=True) if one.verdict is worst.verdict)
    if worst.verdict is Verdict.HALT:
        error = Halted(
            f"the monitor {spec.name!r} halts the run at {_what(action)}: {worst.reason}",
            fix=f"look at what led to it (ostinato show), and at {worst.rule!r} of the monitor",
        )
        step.frame.halt(error.detail().model_copy(update={"step": step.path}))
        raise error
    return Reviewed(action.value, worst, spec)


def shortened(text: str) -> str:
    """The start of what a decision has changed, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _what(action: Proposed) -> str:
    match action.kind:
        case ActionKind.TOOL_CALL:
            return f"the call of {action.tool!r} by {action.actor!r}"
        case ActionKind.HANDOFF:
            return f"the handoff to {action.recipient!r}"
        case ActionKind.ANSWER:
            return f"the answer of {action.actor!r}"


def _note(
    step: StepContext, monitors: Sequence[MonitorSpec], said: Sequence[Said], action: Proposed, ordinal: str
) -> None:
    step.frame.note(
        decisions=[
            DecisionReport(
                step=step.path,
                tool=action.about,
                verdict=one.verdict,
                by="monitor",
                reason=one.reason,
                rule=one.rule,
                ordinal=ordinal,
                arguments=shortened(json.dumps(action.value, ensure_ascii=False))
                if one.verdict is Verdict.EDIT
                else "",
                action=action.kind,
                monitor=spec.name,
                score=one.score,
                correction=one.correction,
                digest=digest_of(action),
            )
            for spec, one in zip(monitors, said, strict=True)
        ]
    )


def digest_of(action: Proposed) -> Digest | None:
    """By which an answer is known that was reviewed before."""
    return request_hash({"answer": action.value}) if action.kind is ActionKind.ANSWER else None


def was_reviewed(decisions: Sequence[DecisionReport], spec: MonitorSpec, answer: JsonValue) -> bool:
    """Whether a monitor has let an answer through already, as it is."""
    digest = request_hash({"answer": answer})
    return any(one.digest == digest and one.monitor == spec.name and one.verdict not in REFUSED for one in decisions)
