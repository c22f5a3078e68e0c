"""The tasks of a plan at work: each begins as soon as those before it have ended, so many at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, JsonValue

    from activities.contracts.failures import FailureDetail
    from activities.errors import ContractViolated, OstinatoError
    from workflows.contracts import RunResult, RunStatus
    from workflows.escalation import NOT_TO_PEOPLE
    from workflows.fallbacks import is_unknown
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.phases import PhaseClock
    from workflows.planning import prompts
    from workflows.planning.judging import judged
    from workflows.teams.kinds.plan import PlanTask
    from workflows.teams.references import filled
    from workflows.teams.tree import PlanNode


class Ended(BaseModel):
    """What became of a task."""

    reason: str = ""
    """Why nothing came of it; empty: it is done."""
    failure: FailureDetail | None = None
    """Of one that was tried and failed."""


@dataclass(frozen=True)
class _Lost:
    """A task that failed for good: its last attempt, and what that was to do."""

    place: str
    step: str
    ask: Ask
    result: RunResult


class Memory(BaseModel):
    """Where a plan stands when it continues as new. What its tasks have come to is in the run's state."""

    tasks: tuple[PlanTask, ...]
    ended: dict[str, Ended]


class Tasks:
    """The graph of one plan, and what has become of it so far."""

    def __init__(self, work: PatternWork[PlanNode], tasks: Sequence[PlanTask], ended: dict[str, Ended]) -> None:
        self._work, self.tasks, self.ended = work, tasks, ended
        self._results: dict[str, RunResult] = {}
        self._over: dict[str, asyncio.Event] = {}
        self._gate = asyncio.Semaphore(work.node.max_parallel)
        self._begun = 0
        """Tasks of this execution."""
        clock = PhaseClock.sharing(work.frame.started_at, work.deadline)
        self._people_until = clock.workers if work.node.synthesis else None
        """So that the synthesis keeps its time."""
        values = work.frame.state.values
        self.outputs: dict[str, JsonValue] = {name: values.get(name) for name, one in ended.items() if not one.reason}
        """What came of each task that is done, by its id."""
        self._keep()

    @property
    def left(self) -> list[PlanTask]:
        """Those that have not ended."""
        return [task for task in self.tasks if task.task_id not in self.ended]

    @property
    def memory(self) -> JsonValue:
        """Where it stands, for a continue-as-new."""
        return cast("JsonValue", Memory(tasks=tuple(self.tasks), ended=self.ended).model_dump(mode="json"))

    @property
    def missing(self) -> list[str]:
        """The tasks that came to nothing, a sentence each."""
        return [_line(task, ended) for task in self.tasks if (ended := self.ended.get(task.task_id)) and ended.reason]

    def nothing(self) -> OstinatoError | PartFailed:
        """What ends a plan of which no output came to anything: the first failure."""
        name = self._work.node.name
        for task in self.tasks:
            ended = self.ended[task.task_id]
            if ended.failure:
                said = f"no output of the plan {name!r} came to anything; {task.task_id}: {ended.failure.message}"[:600]
                failure = ended.failure.model_copy(update={"message": said})
                return PartFailed(RunResult(status=RunStatus.FAILED, failure=failure))
        if self._work.is_late:
            return self._work.too_late("no task was done in time")
        return ContractViolated(
            f"no output of the plan {name!r} came to anything: {next(iter(self.missing), '')}"[:600],
            fix="let its executors be critical, or give the tasks fallbacks",
        )

    async def go_on(self) -> None:
        """Bring every task to its end; where the history is long, only those that are under way.

        Raises:
            PartFailed: this plan's own budget gave out, and is to fail it.
            CancelledError: the run was stopped; nothing is under way any more.
        """
        left = self.left
        self._over = {task.task_id: asyncio.Event() for task in left}
        jobs = [partial(self._one, task) for task in left]
        await self._work.side_by_side(jobs)
        self._work.check_budget(self._results.items())

    async def _one(self, task: PlanTask) -> None:
        """Bring a task to its end. Who waits for a person holds no place of those at work."""
        work = self._work
        try:
            for before in task.after:
                if before in self._over:
                    await self._over[before].wait()
            async with self._gate:
                # What it waited for has not ended where nothing more is begun.
                if self._leaves_off or any(before not in self.ended for before in task.after):
                    return
                self._begun += 1
                work.frame.pending = tuple(other.task_id for other in self.left if other is not task)
                done = await self._do(task)
            ended = done if isinstance(done, Ended) else self._noted(task, await self._put_to_person(done))
            self.ended[task.task_id] = ended
            if ended.reason:
                work.missing.append(_line(task, ended))
                work.frame.decide(f"{task.task_id} came to nothing: {ended.reason}")
            self._keep()
        finally:
            self._over[task.task_id].set()

    def _keep(self) -> None:
        """What there is, should the plan fail now."""
        done = {task.task_id: self.outputs[task.task_id] for task in self.tasks if task.task_id in self.outputs}
        self._work.so_far = done or None

    async def _do(self, task: PlanTask) -> Ended | _Lost:
        """Do a task that is ready; what nobody of the team could do is for a person."""
        work = self._work
        lacking = {name: self.ended[name].reason for name in dict.fromkeys(task.after) if self.ended[name].reason}
        if lacking and task.without == "skip":
            return Ended(reason=f"it was left out: {', '.join(lacking)} came to nothing")
        if work.is_late:
            return Ended(reason=f"the plan's time of {work.seconds:g} s was over before it began")
        if self._unpaid:
            return Ended(reason="the plan's budget gave out before it began")
        result = await self._tried(task, lacking)
        return result if isinstance(result, _Lost) else self._noted(task, result)

    async def _put_to_person(self, lost: _Lost) -> RunResult:
        """What a person makes of a task that failed for good; a failed result where nobody is asked, or says no."""
        work = self._work
        return work.known(await work.escalated(lost.place, lost.step, lost.ask, lost.result))

    def _noted(self, task: PlanTask, result: RunResult) -> Ended:
        """What became of a task."""
        self._results[f"the task {task.task_id}"] = result
        if result.status is RunStatus.FAILED:
            return Ended(reason=result.failure.message if result.failure else "it failed", failure=result.failure)
        if result.status is RunStatus.PARTIAL and result.output is None:
            return Ended(reason=next(reversed(result.missing), "it was left out"))
        self.outputs[task.task_id] = result.output
        return Ended()

    @property
    def _leaves_off(self) -> bool:
        """Whether what is left is for the next execution; each begins at least one task."""
        return self._begun > 0 and self._work.is_long and not self._work.frame.halted

    @property
    def _unpaid(self) -> bool:
        try:
            self._work.check_budget(self._results.items())
        except PartFailed:
            return True
        return False

    async def _tried(self, task: PlanTask, lacking: dict[str, str]) -> RunResult | _Lost:
        """What its executor made of a task, else its fallback; committed where it is done."""
        work, why = self._work, ""
        executors = (task.executor, task.fallback) if task.fallback else (task.executor,)
        for number, executor in enumerate(executors, 1):
            place, step = f"executors.{executor}.node", f"task-{task.task_id}" + (f".{number}" if number > 1 else "")
            ask = self._ask(task, executor, lacking, why)
            result = await work.attempt(place, step, ask)
            if result.status is not RunStatus.FAILED:
                result = await judged(work, task, number, result)
            if result.status is not RunStatus.FAILED:
                return work.commit(place, step, ask, result)
            why = result.failure.message if result.failure else "it failed"
            if number == len(executors) or work.is_late or _is_final(result) or is_unknown(result):
                break
            work.frame.decide(f"{task.task_id} failed with {executor}, {task.fallback} does it: {why}")
        return _Lost(place, step, ask, result)

    def _ask(self, task: PlanTask, executor: str, lacking: dict[str, str], why: str) -> Ask:
        """What an executor is told and may name: its own task, and what came of those that this one comes after."""
        work = self._work
        results = {name: self.outputs.get(name) for name in task.after if name not in lacking}
        own = filled(task.input, {"goal": work.goal, "input": work.given})
        given: JsonValue = own if own is not None else (results or None)
        if own is not None and results:
            given = {"input": own, "results": results}
        # A name of the pattern's own stands before that of a task.
        by_id = {name: self.outputs.get(name) for name in task.after}
        offered: dict[str, JsonValue] = {
            "input": given,
            "task": task.task,
            "results": results,
            "missing": [f"{name}: {reason}" for name, reason in lacking.items()],
        }
        return Ask(
            prompt=prompts.for_executor(task, lacking, why),
            given=given,
            inputs={**by_id, **offered},
            key=task.task_id,
            seconds=work.node.executors[executor].timeout_seconds,
            person_until=self._people_until,
            reasons=(why,) if why else (),
            commits=False,
        )


def _is_final(result: RunResult) -> bool:
    """Whether nobody else of the team may try: it has had effects, or the run has ended."""
    return bool(result.effects) or (result.failure is not None and result.failure.kind in NOT_TO_PEOPLE)


def _line(task: PlanTask, ended: Ended) -> str:
    return f"task {task.task_id} ({task.executor}: {task.task[:200]}): {ended.reason[:600]}"
