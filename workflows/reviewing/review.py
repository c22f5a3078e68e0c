"""Monitors at work: every proposed action below a monitored node is reviewed before it happens.

The rules of all monitors first, the innermost first, so that an outer one has the last word on what an inner one has
edited; then judges, as long as nothing is refused; then the people whom a monitor asks. The strictest verdict holds:
halt over block over ask over edit over proceed. A monitor only narrows: grants and the deployment's policy decide after
it as ever, where the call is made. Each monitor's decision is noted, that to let the action through too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.grants import Verdict
    from activities.contracts.monitors import ActionKind, MonitorSpec
    from activities.errors import Halted
    from activities.grants import same_json
    from activities.matching import Effort
    from workflows.contracts import DecisionReport
    from workflows.needs import as_text
    from workflows.reviewing.asking import ask_about
    from workflows.reviewing.effort import given_time
    from workflows.reviewing.judges import judged
    from workflows.reviewing.rules import Proposed, Said, by_rules, digest_of, looks_at, shortened, strictest
    from workflows.step_context import StepContext

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


async def review(step: StepContext, action: Proposed, monitors: Sequence[MonitorSpec]) -> Reviewed:
    """Review an action, and note what each monitor says.

    Args:
        step: the step that proposes it.
        action: the action.
        monitors: the outermost first.

    Raises:
        Halted: a monitor ends the run at this action.
        DeadlineExceeded: a person is asked who did not decide in time.
        CancelledError: the run was stopped.
    """
    looking = _looking(monitors, action)
    if not looking:
        return Reviewed(action.value)
    await given_time(step.frame)
    everything, action = _by_all_rules(step, looking, action)
    said = [one[-1] for one in everything]
    for index, spec in enumerate(looking):
        for judge in spec.judges:
            if not any(one.verdict in REFUSED for one in said):
                everything[index].append(one := await judged(step, spec, judge, action))
                said[index] = said[index].stricter(one)
    _note(step, looking, everything, said, action)
    return _refusal(step, looking, said, action) or await _as_people_say(step, looking, said, action)


async def review_edited(step: StepContext, action: Proposed, monitors: Sequence[MonitorSpec]) -> Reviewed:
    """Hold what a person has made of an action against all rules once more: a yes is no leave to do what a rule refuses.

    Args:
        step: the step that proposes it.
        action: as the person wants it.
        monitors: the outermost first.

    Raises:
        Halted: a monitor ends the run at this action.
    """
    looking = _looking(monitors, action)
    return await _once_more(step, looking, action) if looking else Reviewed(action.value)


def _looking(monitors: Sequence[MonitorSpec], action: Proposed) -> list[MonitorSpec]:
    """Those that have anything to say to an action of its kind, the innermost first."""
    return [spec for spec in reversed(monitors) if looks_at(spec, action.kind)]


async def _as_people_say(
    step: StepContext, monitors: Sequence[MonitorSpec], said: Sequence[Said], action: Proposed
) -> Reviewed:
    """What comes of an action that nothing refuses: the people of each monitor that asks have to say yes to it."""
    proposed = action.value
    for index, (spec, one) in enumerate(zip(monitors, said, strict=True)):
        if one.verdict is Verdict.ASK:
            action, no = await ask_about(step, spec, one, action, index)
            if no:
                return Reviewed(action.value, no, spec)
    if same_json(action.value, proposed) and not action.problem:
        return Reviewed(action.value)
    return await _once_more(step, monitors, action)


async def _once_more(step: StepContext, monitors: Sequence[MonitorSpec], action: Proposed) -> Reviewed:
    await given_time(step.frame)
    everything, action = _by_all_rules(step, monitors, action)
    again = [one[-1] for one in everything]
    if strictest(again).verdict in REFUSED or any(one.verdict is Verdict.EDIT for one in chain(*everything)):
        _note(step, monitors, everything, again, action)
    return _refusal(step, monitors, again, action) or Reviewed(action.value)


def _by_all_rules(
    step: StepContext, monitors: Sequence[MonitorSpec], action: Proposed
) -> tuple[list[list[Said]], Proposed]:
    """What all rules of each monitor say, and the action as they have edited it. An edit that makes no answer is none."""
    given, said, effort = action.value, list[list[Said]](), Effort()
    for spec in monitors:
        one, action = by_rules(spec, action, effort)
        said.append(one)
    step.frame.looked.spend(effort.spent)
    if not same_json(action.value, given) and (problem := action.misfit):
        last = next(one for one in reversed(said) if any(s.verdict is Verdict.EDIT for s in one))
        edit = next(one for one in reversed(last) if one.verdict is Verdict.EDIT)
        if last[-1].verdict not in REFUSED:
            last.append(Said(Verdict.BLOCK, edit.rule, f"edited, {problem}"[:500], edit.correction))
    return said, action


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


def _what(action: Proposed) -> str:
    match action.kind:
        case ActionKind.TOOL_CALL:
            return f"the call of {action.tool!r} by {action.actor!r}"
        case ActionKind.HANDOFF:
            return f"the handoff to {action.about!r}"
        case ActionKind.ANSWER:
            return f"the answer of {action.actor!r}"


def _note(
    step: StepContext,
    monitors: Sequence[MonitorSpec],
    everything: Sequence[Sequence[Said]],
    said: Sequence[Said],
    action: Proposed,
) -> None:
    """List all that was said to an action: each edit, each objection, and last what the monitor comes to."""
    reports = [
        DecisionReport(
            step=step.path,
            tool=action.about,
            verdict=one.verdict,
            by="monitor",
            reason=one.reason,
            rule=one.rule,
            ordinal=action.ordinal,
            arguments=shortened(as_text(one.edited)) if one.verdict is Verdict.EDIT else "",
            action=action.kind,
            monitor=spec.name,
            score=one.score,
            correction=one.correction,
            digest=digest_of(spec, action),
        )
        for spec, every, last in zip(monitors, everything, said, strict=True)
        for one in _listed(every, last)
    ]
    step.frame.note(decisions=reports)


def _listed(every: Sequence[Said], last: Said) -> list[Said]:
    """What one monitor has said beside letting through, and the last word: that has the score of all its judges."""
    others = [one for one in every if one.verdict is not Verdict.PROCEED and replace(one, score=last.score) != last]
    return [*others, last]


def was_reviewed(decisions: Sequence[DecisionReport], spec: MonitorSpec, answer: Proposed) -> bool:
    """Whether a monitor has let an answer through already, as it is, and looks at whoever gives it now as it did then."""
    wanted = (digest_of(spec, answer), spec.name)
    last = next((one for one in reversed(decisions) if (one.digest, one.monitor) == wanted), None)
    return last is not None and last.verdict in {Verdict.PROCEED, Verdict.EDIT}
