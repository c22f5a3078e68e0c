"""Branches side by side: begun in order, some at a time, and no more of them than are needed.

The failure this prevents: a race pays for all that run in it, or whoever lost is forgotten. Each slot ends as an answer or
as a loss with its reason. What is at work when enough answers are there is ended, and its fallback does not stand in.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureKind
    from activities.errors import ContractViolated
    from workflows.contracts import RunResult, RunStatus
    from workflows.failures import failure_of, stop_if_requested
    from workflows.fallbacks import is_unknown
    from workflows.fanning.asks import Asks
    from workflows.fanning.batches import items_of
    from workflows.fanning.jobs import Job, jobs_of
    from workflows.fanning.outcome import Outcome
    from workflows.fanning.slots import Slot
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.teams.tree import FanOutNode

ENOUGH = "enough answers were there"
HOPELESS = "so many had failed that there would not have been enough"
NO_TIME = "the time for the branches was over"
_LOOK = "look at its branches (ostinato show), give it a fallback, or lower at_least"


@dataclass(frozen=True)
class _Lost:
    """A step that failed, and what it was to do."""

    job: Job
    step: str
    ask: Ask
    result: RunResult


class Branches:
    """The branches of one fan-out at work."""

    def __init__(self, work: PatternWork[FanOutNode], slots: Sequence[Slot]) -> None:
        self._work, self._node = work, work.node
        self.outcome = Outcome(slots, work.node.wanted(len(slots)), races=work.node.at_least != "all")
        self._asks = Asks(work)
        self._waiting = deque(jobs_of(work.node, slots))
        self._asked_again = work.node.most_batches - len(self._waiting)
        """Batches for which there may still be a second call."""
        self._with_people: list[asyncio.Task[None]] = []
        """Steps that failed and were put to a person: they hold no place of those at work."""
        self._order = {slot.name: place for place, slot in enumerate(slots)}
        self._lost_steps: list[_Lost] = []
        self._done_steps: dict[str, RunResult] = {}
        self._closed = False
        """What is at work has no use any more."""
        self._error: Exception | None = None

    async def run(self) -> Outcome:
        """Run them until enough answers are there, or no more can come. Nothing is under way when it ends.

        Raises:
            PartFailed: the fan-out's own budget gave out, and is to fail it then.
            CancelledError: the run was stopped.
        """
        at_work = [
            asyncio.ensure_future(self._one_after_the_other())
            for _ in range(min(self._node.max_parallel, len(self._waiting)))
        ]

        def ended() -> bool:
            return all(task.done() for task in (*at_work, *self._with_people))

        try:
            await workflow.wait_condition(lambda: ended() or not self._goes_on)
            if not ended() and self.outcome.is_enough and self._node.grace_seconds and not self._is_over:
                with suppress(TimeoutError):
                    grace = min(self._node.grace_seconds, max(0.0, self._asks.end - workflow.time()))
                    await workflow.wait_condition(lambda: ended() or self._is_over, timeout=grace)
        finally:
            self._closed = True
            await _end(at_work)
            # A race waits for people only where nobody knows what a branch has done.
            with suppress(asyncio.CancelledError):
                await workflow.wait_condition(
                    lambda: ended() or self._is_over or workflow.cancellation_reason() is not None
                )
            await _end(self._with_people)
        stop_if_requested()
        if self._error:
            raise self._error
        failed = [(lost.step, lost.result) for lost in self._failed]
        self._work.check_budget([*failed, *self._done_steps.items()])
        for job in self._waiting:
            self._lose(job.slots, f"it was not begun, as {NO_TIME if self._is_late else self._why}")
        if self.outcome.races:
            await self._people_stand_in()
        return self.outcome

    def check_enough(self) -> None:
        """Refuse to make an answer of too few, or of none at all: there is nothing then of which one could be made.

        Raises:
            PartFailed: with the failure of the first branch that failed.
        """
        outcome, node = self.outcome, self._node
        if outcome.is_enough or (outcome.answers and not outcome.races):
            return
        wanted = f"{outcome.wanted} are waited for" if outcome.races else "none of them in time, or as it should"
        said = f"{outcome.count}: {wanted}"
        failures = [lost.result.failure for lost in self._failed if lost.result.failure]
        if failures:
            failure = failures[0].model_copy(update={"message": f"{said}. {failures[0].message}"[:1000]})
        else:
            error = self._work.too_late(said) if self._is_late else ContractViolated(said, fix=_LOOK)
            failure = failure_of(error, agent=node.name, step=self._work.frame.path)
        raise PartFailed(RunResult(status=RunStatus.FAILED, failure=failure))

    @property
    def _failed(self) -> "list[_Lost]":
        """The steps that failed, in the order of the branches."""
        return sorted(self._lost_steps, key=lambda lost: self._order[lost.job.slots[0].name])

    @property
    def _goes_on(self) -> bool:
        """Whether another step has any use."""
        enough = self.outcome.races and self.outcome.is_enough
        return not (self._is_over or self._is_hopeless or enough)

    @property
    def _is_over(self) -> bool:
        return self._error is not None or self._work.frame.halted is not None

    @property
    def _is_hopeless(self) -> bool:
        """Whether so many were lost that the others cannot make it any more. A person may stand in for some."""
        return self.outcome.races and self.outcome.is_hopeless and self._node.escalate is None

    @property
    def _is_late(self) -> bool:
        return workflow.time() >= self._asks.end

    @property
    def _why(self) -> str:
        """Why nothing more is begun, and what is at work is ended."""
        return HOPELESS if self._is_hopeless else ENOUGH

    async def _one_after_the_other(self) -> None:
        while self._waiting and self._goes_on and not self._is_late and not self._closed:
            job = self._waiting.popleft()
            try:
                await self._do(job)
            except asyncio.CancelledError:
                stop_if_requested()
                self._end_late(job)
                return
            except Exception as error:  # it is raised when all others have ended
                self._error = self._error or error

    async def _do(self, job: Job) -> None:
        left, ask = job.slots, self._asks.of(job, job.slots)
        left = self._note(job, job.step, left, ask, await self._run(job, job.step, ask))
        if left and self._asked_again > 0 and self._goes_on and not self._is_late:
            self._asked_again -= 1
            step, ask = f"{job.step}.2", self._asks.of(job, left)
            self._work.frame.decide(
                f"{job.step} lacks {', '.join(slot.name for slot in left)}: they are asked for again"
            )
            left = self._note(job, step, left, ask, await self._run(job, step, ask))
        self._lose(left, "the answer to its batch does not have it")

    async def _run(self, job: Job, step: str, ask: Ask) -> RunResult:
        return await self._work.attempt(job.place, step, ask)

    def _note(self, job: Job, step: str, slots: Sequence[Slot], ask: Ask, result: RunResult) -> tuple[Slot, ...]:
        """Keep what a step has come to; the slots that it neither filled nor lost."""
        if result.status is RunStatus.FAILED:
            kind = result.failure.kind if result.failure else None
            if self._closed and kind is FailureKind.CANCELLED:
                self._end_late(job)
            else:
                self._failed_for_good(_Lost(job, step, ask, result), slots)
                self._put_to_person(self._lost_steps[-1])
            return ()
        self._done_steps[step] = result
        if result.status is RunStatus.PARTIAL and result.output is None:
            self._lose(slots, "it was left out")
        elif self._asks.is_batch(job):
            found, remarks = items_of(result.output, slots, self._asks.unfit)
            for remark in remarks:
                self._work.frame.decide(f"{step}: {remark}")
            for name, output in found.items():
                self.outcome.found(name, output)
            return tuple(slot for slot in slots if slot.name not in found)
        elif why := self._asks.unfit(result.output):  # what stood in for it
            self._lose(slots, why)
        else:
            self.outcome.found(slots[0].name, result.output)
        return ()

    def _end_late(self, job: Job) -> None:
        self._lose(job.slots, f"it was late and was ended, as {self._why}")

    def _lose(self, slots: Sequence[Slot], why: str) -> None:
        for slot in slots:
            self.outcome.lose(slot.name, why)

    def _failed_for_good(self, lost: _Lost, slots: Sequence[Slot]) -> None:
        self._lost_steps.append(lost)
        failure = lost.result.failure
        self._lose(slots, f"it failed: {failure.message if failure else 'it gave no reason'}")

    def _put_to_person(self, lost: _Lost) -> None:
        """Let a person do at once what all are waited for, or look at what nobody knows of. No branch waits for them."""
        if not self.outcome.races or is_unknown(lost.result):
            self._with_people.append(asyncio.ensure_future(self._with_person(lost)))

    async def _with_person(self, lost: _Lost) -> None:
        try:
            await self._stood_in(lost)
        except asyncio.CancelledError:
            stop_if_requested()
        except Exception as error:  # as that of a branch
            self._error = self._error or error

    async def _people_stand_in(self) -> None:
        """Where too few are there, a person is asked for those that failed, one after the other."""
        for lost in self._failed:
            if self.outcome.is_enough or self._is_over:
                return
            await self._stood_in(lost)

    async def _stood_in(self, lost: _Lost) -> None:
        """What a person makes of a step that failed takes its place, be it a no and its reason.

        Raises:
            PartFailed: nobody knows what the step has done, and no person has looked.
        """
        said = lost.result
        try:
            said = await self._work.escalated(lost.job.place, lost.step, lost.ask, lost.result)
        finally:
            self._work.known(said)
        if said is lost.result:
            return
        left = [slot for slot in lost.job.slots if slot.name in self.outcome.lost]
        self._lost_steps.remove(lost)
        for slot in left:
            del self.outcome.lost[slot.name]
        if said.status is RunStatus.FAILED:
            self._failed_for_good(_Lost(lost.job, lost.step, lost.ask, said), left)
        else:
            self._lose(
                self._note(lost.job, lost.step, left, lost.ask, said), "the answer to its batch does not have it"
            )


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """End what is still at work."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
