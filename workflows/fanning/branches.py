"""Branches side by side: begun in order, some at a time, and no more of them than are needed.

The failure this prevents: a race pays for all that run in it, or whoever lost is forgotten. Each slot ends as an answer or
as a loss with its reason. What is at work when enough answers are there is ended, and its fallback does not stand in.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureKind
    from activities.errors import ContractViolated
    from workflows.contracts import RunResult, RunStatus
    from workflows.deadlines import after, earliest
    from workflows.failures import failure_of, stop_if_requested
    from workflows.fanning import batches, prompts
    from workflows.fanning.reducers import Answer, unfit
    from workflows.fanning.slots import Job, Slot, jobs_of
    from workflows.pattern_work import Ask, PartFailed, PatternWork
    from workflows.teams.references import declared
    from workflows.teams.tree import FanOutNode

ENOUGH = "it was late: enough answers were there"
NOT_NEEDED = "it was not begun: enough answers were there"
NO_TIME = "it was not begun: the time for the branches was over"
LEFT_OUT = "it was left out"


class Branches:
    """The branches of one fan-out, and what they come to."""

    def __init__(self, work: PatternWork[FanOutNode], slots: Sequence[Slot]) -> None:
        self._work, self._node, self.slots = work, work.node, slots
        self._waiting = deque(jobs_of(work.node, slots))
        self._found: dict[str, JsonValue] = {}
        self.lost: dict[str, str] = {}
        """Slots without an answer, and why."""
        self.failed: dict[str, RunResult] = {}
        """Those of them whose step failed."""
        self._jobs: dict[str, Job] = {}
        self.wanted = work.node.wanted(len(slots))
        self._races = work.node.at_least != "all"
        self._closed = False
        """What is at work has no use any more."""
        self._error: BaseException | None = None
        begun = work.frame.started_at
        self._end = earliest(work.deadline, after(begun, work.node.branch_seconds))

    @property
    def answers(self) -> list[Answer]:
        """The answers that are there, in the order of the branches."""
        return [
            Answer(slot.name, self._found[slot.name], slot.index, slot.item)
            for slot in self.slots
            if slot.name in self._found
        ]

    @property
    def first(self) -> str:
        """Which branch answered first; empty: none has."""
        return next(iter(self._found), "")

    @property
    def is_enough(self) -> bool:
        """Whether there are as many answers as are waited for."""
        return len(self._found) >= self.wanted

    async def run(self) -> None:
        """Run them until enough answers are there, or no more can come. Nothing is under way when it ends.

        Raises:
            PartFailed: the fan-out's own budget gave out, and is to fail it then.
            CancelledError: the run was stopped.
        """
        limit = min(self._node.max_parallel, len(self._waiting))
        at_work = [asyncio.ensure_future(self._one_after_the_other()) for _ in range(limit)]

        def ended() -> bool:
            return all(task.done() for task in at_work)

        try:
            await workflow.wait_condition(lambda: ended() or not self._goes_on())
            grace = min(self._node.grace_seconds, self._work.seconds_left)
            if not ended() and not self._is_hopeless() and not self._error and grace > 0:
                with suppress(TimeoutError):
                    await workflow.wait_condition(ended, timeout=grace)
        finally:
            self._closed = True
            for task in at_work:
                task.cancel()
            await asyncio.gather(*at_work, return_exceptions=True)
        stop_if_requested()
        if self._error:
            raise self._error
        self._work.check_budget(self._work.results)
        for job in self._waiting:
            self._lose(job.slots, NO_TIME if self._is_late() else NOT_NEEDED)
        if self._races:
            await self._ask_people()

    def _goes_on(self) -> bool:
        """Whether another step has any use."""
        if self._error or self._work.frame.halted or self._is_hopeless():
            return False
        return not self._races or not self.is_enough

    def _is_hopeless(self) -> bool:
        """Whether so many were lost that the others cannot make it any more. A person may stand in for some."""
        return self._races and not self._node.escalate and len(self.slots) - len(self.lost) < self.wanted

    def _is_late(self) -> bool:
        return self._end is not None and workflow.time() >= self._end

    async def _one_after_the_other(self) -> None:
        while self._waiting and self._goes_on() and not self._is_late():
            job = self._waiting.popleft()
            try:
                await self._do(job)
            except asyncio.CancelledError:
                stop_if_requested()
                self._lose(job.slots, ENOUGH)
            except Exception as error:  # noqa: BLE001 -- it is raised when the others have ended
                self._error = self._error or error

    async def _do(self, job: Job) -> None:
        if self._node.batch > 1 and job.place == "each":
            await self._do_batch(job)
        else:
            self._note(job, await self._run(job, job.step, self._ask(job)))

    async def _run(self, job: Job, step: str, ask: Ask) -> RunResult:
        self._jobs[job.step] = job
        return await self._work.run(job.place, step, ask, escalate=not self._races)

    def _ask(self, job: Job) -> Ask:
        """What a branch is to do."""
        part, (slot,) = self._work.parts[job.place], job.slots
        bounds = Ask(until=self._end, punctual=self._races, accept=self._fitting)
        if slot.index is None:
            return Ask(given=self._work.given, key=part.key, **_bounds(bounds))
        # Only what is named goes along: a nested workflow's input holds all that it is given.
        names = declared(part.node)
        offered: dict[str, JsonValue] = {"item": slot.item, "index": slot.index}
        inputs = {name: value for name, value in offered.items() if name in names}
        return Ask(given=slot.item, inputs=inputs, **_bounds(bounds))
