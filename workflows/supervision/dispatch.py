"""Dispatch: subtasks to workers by type, side by side, tried again, re-routed, or given up with a reason."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.failures import FailureKind
    from workflows.contracts import RunResult, RunStatus, Task
    from workflows.frame import Frame
    from workflows.nodes import run_node
    from workflows.phases import PhaseClock
    from workflows.supervision import prompts
    from workflows.teams.bounds import inline_types
    from workflows.teams.tree import SubtaskSpec, SupervisorNode

NOT_AGAIN = frozenset(
    {FailureKind.OUTCOME_UNKNOWN, FailureKind.CONFIGURATION_INVALID, FailureKind.CANCELLED, FailureKind.BLOB_MISSING}
)
"""Where another attempt would repeat an effect, or fail alike."""


@dataclass
class Subtask:
    """One subtask and what became of it."""

    subtask_id: str
    spec: SubtaskSpec
    tries: list[RunResult] = field(default_factory=list)
    """Every attempt's result, the last one's last."""
    done_by: str = ""
    """The worker type that did it; empty where it was given up."""
    reason: str = ""
    """Why it was given up."""

    @property
    def output(self) -> JsonValue:
        """What came of it."""
        return self.tries[-1].output if self.done_by else None

    def whole(self) -> dict[str, JsonValue]:
        """The same with what the worker was given, for calls."""
        return {**self.report(), "input": self.spec.input}

    def report(self) -> dict[str, JsonValue]:
        """The result as planners and the synthesis see it."""
        known: dict[str, JsonValue] = {"subtask_id": self.subtask_id, "type": self.spec.type, "task": self.spec.task}
        if not self.done_by:
            return {**known, "status": "given_up", "reason": self.reason}
        return {**known, "status": self.tries[-1].status.value, "done_by": self.done_by, "output": self.output}

    def missing(self) -> str:
        """What a reader of the whole has to know of a subtask that was given up; empty where it was done."""
        return (
            ""
            if self.done_by
            else f"subtask {self.subtask_id} ({self.spec.type}: {self.spec.task[:200]}): {self.reason[:600]}"
        )


class Dispatcher:
    """Sends out the subtasks of one supervisor."""

    def __init__(self, frame: Frame, node: SupervisorNode, goal: str, clock: PhaseClock) -> None:
        self._frame, self._node, self._goal, self._clock = frame, node, goal, clock
        self._inline = inline_types(frame.run.team, node)

    async def dispatch(self, subtasks: Sequence[Subtask]) -> None:
        """Bring every subtask to its end, at most ``max_parallel`` at a time.

        Raises:
            CancelledError: the run was stopped; nothing is under way any more.
        """
        gate = asyncio.Semaphore(self._node.max_parallel)

        async def one(subtask: Subtask) -> None:
            async with gate:
                await self._do(subtask)

        # All end before the first error is raised: none is left running.
        for ended in await asyncio.gather(*(one(subtask) for subtask in subtasks), return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    async def _do(self, subtask: Subtask) -> None:
        rejecting: set[str] = set()
        for worker_type in self._route(subtask):
            if worker_type in rejecting:
                continue  # it lacks what it lacks: the next type gets the subtask at once
            if workflow.time() >= self._clock.workers:
                seconds = self._clock.seconds[1] if self._clock.phased else self._node.seconds
                whose = "the workers'" if self._clock.phased else "the supervisor's"
                subtask.reason = subtask.reason or f"{whose} time of {seconds:g} s is used up"
                return
            result = await self._attempt(subtask, worker_type)
            subtask.tries.append(result)
            if result.status is not RunStatus.FAILED:
                subtask.done_by, subtask.reason = worker_type, ""
                return
            subtask.reason = result.failure.message if result.failure else "it failed"
            if result.effects:
                subtask.reason += " (it has had effects, so it was not tried again)"
                return
            if result.failure and result.failure.kind in NOT_AGAIN:
                return
            if result.failure and result.failure.kind is FailureKind.HANDOFF_REJECTED:
                rejecting.add(worker_type)

    def _route(self, subtask: Subtask) -> Iterator[str]:
        """The worker types that get the subtask, one after the other: its own, then those that it is re-routed to."""
        own = subtask.spec.type
        for worker_type in (own, *self._node.workers[own].reroute):
            attempts = self._node.workers[worker_type].attempts
            yield from [worker_type] * (subtask.spec.attempts or attempts if worker_type == own else attempts)

    async def _attempt(self, subtask: Subtask, worker_type: str) -> RunResult:
        worker, spec = self._node.workers[worker_type], subtask.spec
        number = len(subtask.tries) + 1
        task = Task(
            prompt=prompts.for_worker(self._goal, subtask.subtask_id, spec),
            goal=spec.task,
            inputs={"task": spec.task, "input": spec.input, "subtask_id": subtask.subtask_id},
            subtask_id=subtask.subtask_id,
            key=subtask.subtask_id,
            seconds=spec.timeout_seconds or worker.timeout_seconds,
        )
        task = self._clock.bounded(task, self._clock.workers)
        attempt = () if number == 1 else (str(number),)
        step = self._frame.step(subtask.subtask_id, *attempt)
        return await run_node(step, worker.node, task, inline=worker_type in self._inline)
