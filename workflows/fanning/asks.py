"""What each branch is to do: its goal and its own input, and nothing of the others."""

import math
from collections.abc import Sequence
from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.errors import ContractViolated
    from workflows.contracts import RunResult, RunStatus
    from workflows.deadlines import after, earliest
    from workflows.failures import failure_of
    from workflows.fanning import prompts
    from workflows.fanning.batches import entry
    from workflows.fanning.jobs import Job
    from workflows.fanning.reducers import unfit
    from workflows.fanning.slots import INPUT, Slot, over_goal
    from workflows.part_asks import Ask
    from workflows.pattern_work import PatternWork
    from workflows.phases import PhaseClock
    from workflows.teams.references import declared
    from workflows.teams.tree import FanOutNode


class Asks:
    """Makes the tasks of one fan-out's branches."""

    def __init__(self, work: PatternWork[FanOutNode]) -> None:
        self._work, self._node = work, work.node
        self._over_goal = over_goal(work)
        end = earliest(work.deadline, after(work.frame.started_at, work.node.branch_seconds))
        self.end: float = math.inf if end is None else end
        """Workflow time at which every branch has to have ended."""
        clock = PhaseClock.sharing(work.frame.started_at, work.deadline)
        self._people_until = clock.workers if work.node.reducer else None
        """So that the reducer keeps its time."""

    def is_batch(self, job: Job) -> bool:
        """Whether a step fills several slots."""
        return job.place == "each" and self._node.batch > 1

    def of(self, job: Job, slots: Sequence[Slot]) -> Ask:
        """What a step is to do for these slots of its own."""
        return replace(self._of(job, slots), person_until=self._people_until)

    def _of(self, job: Job, slots: Sequence[Slot]) -> Ask:
        # As with a supervisor's phases: whoever bounds the time of a part does not wait for a call to end.
        punctual = self._node.branch_seconds is not None
        if self.is_batch(job):
            entries = [entry(slot) for slot in slots]
            given: list[JsonValue] = [shown for shown, _ in entries]
            cuts = [line for _, lines in entries for line in lines]
            prompt = prompts.for_batch("" if self._over_goal else self._work.goal, cuts)
            key = job.step if len(slots) == len(job.slots) else f"{job.step}-2"
            return Ask(prompt=prompt, given=given, key=key, until=self.end, punctual=punctual)
        (slot,), part = slots, self._work.parts[job.place]
        if slot.index is None:
            return Ask(
                given=self._work.given, key=part.key, until=self.end, punctual=punctual, accept=self._only_fitting
            )
        offered: dict[str, JsonValue] = {"item": slot.item, "index": slot.index}
        # Only what somebody names: a nested workflow's input holds all that it is given.
        inputs = {name: offered[name] for name in declared(part.node) if name in offered}
        ask = Ask(given=slot.item, inputs=inputs, until=self.end, punctual=punctual, accept=self._only_fitting)
        if not self._over_goal:
            return ask
        # The line is the task itself.
        return replace(ask, prompt=str(slot.item), given=None, inputs={INPUT: slot.item, **inputs})

    def unfit(self, output: JsonValue) -> str:
        """Why an answer is none of which anything can be made here; empty: it is one."""
        return "" if self._node.reducer else unfit(self._node.reduce, self._node.by, output)

    def _only_fitting(self, result: RunResult) -> RunResult:
        """The result, failed where nothing can be made of it."""
        left_out = result.status is RunStatus.PARTIAL and result.output is None
        why = "" if left_out or result.status is RunStatus.FAILED else self.unfit(result.output)
        if not why:
            return result
        error = ContractViolated(
            why, fix=f"lay it down in its output contract, or change reduce of {self._node.name!r}"
        )
        failure = failure_of(error, agent="", step=self._work.frame.path)
        return result.model_copy(update={"status": RunStatus.FAILED, "output": None, "failure": failure})
