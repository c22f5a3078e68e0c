"""Dispatch: subtasks to workers by type, side by side, tried again, re-routed, put to a person, or given up with a reason."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.failures import FailureKind
    from workflows.contracts import RunStatus
    from workflows.part_asks import Ask
    from workflows.supervision import prompts
    from workflows.supervision.lead import Lead
    from workflows.supervision.subtasks import Subtask, given_up

NOT_AGAIN = frozenset(
    {FailureKind.OUTCOME_UNKNOWN, FailureKind.CONFIGURATION_INVALID, FailureKind.CANCELLED, FailureKind.BLOB_MISSING}
)
"""Where another attempt would repeat an effect, or fail alike."""


class Dispatcher:
    """Sends out the subtasks of one supervisor."""

    def __init__(self, lead: Lead) -> None:
        self._lead, self._work, self._node, self._clock = lead, lead.work, lead.node, lead.clock

    async def dispatch(self, subtasks: Sequence[Subtask]) -> None:
        """Bring every subtask to its end, at most ``max_parallel`` at a time; whoever waits for a person holds nobody up.

        Raises:
            CancelledError: the run was stopped; nothing is under way any more.
        """
        gate = asyncio.Semaphore(self._node.max_parallel)

        async def one(subtask: Subtask) -> None:
            async with gate:
                await self._do(subtask)
            if not subtask.done_by:
                await self._escalate(subtask)

        # All end before the first error is raised: none is left running.
        for ended in await asyncio.gather(*(one(subtask) for subtask in subtasks), return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
        self._work.missing += given_up(subtasks)

    async def _do(self, subtask: Subtask) -> None:
        rejecting: set[str] = set()
        for worker_type in self._route(subtask):
            if worker_type in rejecting:
                continue  # it lacks what it lacks: the next type gets the subtask at once
            if workflow.time() >= self._clock.workers:
                whose = "the workers'" if self._clock.phased else f"the {self._work.node.kind}'s"
                seconds = self._clock.seconds[1]
                subtask.reason = subtask.reason or f"{whose} time of {seconds:g} s is used up"
                return
            if subtask.tried and subtask.tried[-1] != worker_type:
                before = f"{subtask.tried[-1]} failed: {subtask.reason}"
                self._work.frame.decide(f"{subtask.subtask_id} is re-routed to {worker_type}, {before}")
            number = len(subtask.tries) + 1
            step = subtask.subtask_id if number == 1 else f"{subtask.subtask_id}/{number}"
            result = await self._work.attempt(self._place(worker_type), step, self._ask(subtask, worker_type))
            if result.status is not RunStatus.FAILED:
                subtask.done(worker_type, result)
                return
            subtask.failed(worker_type, result)
            if result.effects:
                subtask.reason += " (it has had effects, so it was not tried again)"
                return
            if result.failure and result.failure.kind in NOT_AGAIN:
                return
            if result.failure and result.failure.kind is FailureKind.HANDOFF_REJECTED:
                rejecting.add(worker_type)

    async def _escalate(self, subtask: Subtask) -> None:
        """Let a person do what every worker failed of. What was not even begun in time is not begun by a person either."""
        if not subtask.tries:
            return
        failed, person = subtask.tries[-1], self._work.node.escalate
        if person is None:
            self._work.known(failed)
            return
        worker_type = subtask.tried[-1]  # the last one that had it, and not the first
        effects = ("it has had effects, so it was not tried again",) if failed.effects else ()
        ask = replace(self._ask(subtask, worker_type), reasons=(*subtask.attempts(), *effects))
        said = await self._work.escalated(self._place(worker_type), subtask.subtask_id, ask, failed)
        self._work.known(said)
        if said.status is RunStatus.FAILED:
            subtask.refused(failed, said)
        else:
            subtask.done(person.name, said)

    def _route(self, subtask: Subtask) -> Iterator[str]:
        """The worker types that get the subtask, one after the other: its own, then those that it is re-routed to."""
        own = subtask.spec.type
        for worker_type in (own, *self._node.workers[own].reroute):
            attempts = self._node.workers[worker_type].attempts
            yield from [worker_type] * (subtask.spec.attempts or attempts if worker_type == own else attempts)

    def _place(self, worker_type: str) -> str:
        return self._lead.place(f"workers.{worker_type}.node")

    def _ask(self, subtask: Subtask, worker_type: str) -> Ask:
        spec = subtask.spec
        goal = self._work.goal if self._lead.tells_goal else ""
        return self._lead.ask(
            prompts.for_worker(goal, subtask.subtask_id, spec),
            self._clock.workers,
            goal=spec.task,
            inputs={"task": spec.task, "input": spec.input, "subtask_id": subtask.subtask_id},
            subtask_id=subtask.subtask_id,
            key=subtask.subtask_id,
            seconds=spec.timeout_seconds or self._node.workers[worker_type].timeout_seconds,
        )
