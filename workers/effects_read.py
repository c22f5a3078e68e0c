"""The effects of a run that could not list them itself, as the histories of its calls tell them."""

from activities.contracts.calls import UNCLEAR
from activities.contracts.effects import MAX_LISTED_EFFECTS, EffectOutcome, EffectReport
from activities.contracts.profile import Effect
from workers.progress import Progress
from workflows.contracts import RunInput
from workflows.mcp import has_effect

UNDO = ".u"
"""The end of a compensation's ordinal."""
_ENDS = {"done", "failed"}


class EffectsRead:
    """Effects by the calls that had them. A call that never ended may have had one: its outcome is unknown."""

    def __init__(self, run: RunInput) -> None:
        self._team = run.team
        self._plans = tuple(run.plans.values())
        self._found: dict[tuple[str, str], EffectReport] = {}

    @property
    def reports(self) -> tuple[EffectReport, ...]:
        """In the order in which they were begun."""
        return tuple(self._found.values())[:MAX_LISTED_EFFECTS]

    def add(self, progress: Progress) -> bool:
        """Note what happened to one call; whether it is a compensation."""
        if progress.kind != "tool":
            return False
        if progress.step.endswith(UNDO):
            self._undo(progress)
            return True
        key = (progress.path, progress.step)
        if not self._has_effect(progress.tool):
            return False
        if progress.error and progress.error not in UNCLEAR:
            self._found.pop(key, None)  # it was refused, or the tool says that it has done nothing
        elif progress.error:
            self._found[key] = self._report(progress, EffectOutcome.UNKNOWN)
        elif progress.state == "done":
            self._found[key] = self._report(progress, EffectOutcome.DONE)
        else:
            self._found[key] = self._report(progress, EffectOutcome.UNKNOWN)
        return False

    def _undo(self, progress: Progress) -> None:
        key = (progress.path, progress.step.removesuffix(UNDO))
        if key not in self._found:
            return
        if progress.state not in _ENDS:
            outcome, reason = EffectOutcome.UNKNOWN, f"{progress.tool} had begun to undo it"
        elif progress.error == EffectOutcome.KEPT:
            outcome, reason = EffectOutcome.KEPT, progress.detail
        elif progress.detail:
            outcome, reason = EffectOutcome.COMPENSATION_FAILED, progress.said or progress.detail
        else:
            outcome, reason = EffectOutcome.COMPENSATED, ""
        update = {"outcome": outcome, "compensation": progress.tool, "reason": reason[:1000]}
        self._found[key] = self._found[key].model_copy(update=update)

    def _has_effect(self, tool: str) -> bool:
        return any(tool in plan.effects for plan in self._plans) or has_effect(tool, self._team)

    def _report(self, progress: Progress, outcome: EffectOutcome) -> EffectReport:
        unknown = outcome is EffectOutcome.UNKNOWN
        return EffectReport(
            tool=progress.tool[:200],
            step=progress.path,
            ordinal=progress.step,
            effect=Effect.ONCE if any(progress.tool in plan.once for plan in self._plans) else Effect.IDEMPOTENT,
            outcome=outcome,
            compensation=next(
                (p.compensations[progress.tool] for p in self._plans if progress.tool in p.compensations), ""
            ),
            reason=(progress.said or progress.detail or "it was under way at the end")[:1000] if unknown else "",
            request_id=progress.request_id,
            arguments=progress.arguments,
            result="" if unknown else progress.said,
            at=progress.at,
        )
