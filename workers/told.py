"""What a run and all that is nested in it say of themselves, put together: while they run, and of what was stopped.

The failure this prevents: a run is looked at, or stopped, while the work is done three levels below it, and nothing of
what was blocked there is told, as the root learns of it with the result only.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError

from activities.contracts.events import MAX_EVENT_REPORTS
from activities.contracts.people import HUMAN_TASK
from workers.states import heard
from workflows.contracts import MAX_LOG, RunResult
from workflows.frame import MAX_KEPT
from workflows.keeping import is_plain_decision, kept
from workflows.stopped import RunSoFar

MAX_NESTED = 200
"""Nested workflows that are asked, those nearest to the root first."""
PARALLEL = 16
SECONDS = 3.0
"""For all of them together: whoever looks at a run waits for it."""


@dataclass(frozen=True)
class Told:
    """How far a run has come."""

    so_far: RunSoFar | None
    """Of all that have answered; nothing where the run's own workflow has not."""
    notes: tuple[str, ...] = ()
    """What it lacks."""


async def told_by_all(client: Client, root: WorkflowExecutionDescription, *, most: int = MAX_NESTED) -> Told:
    """Ask a run that is open and what is nested in it and open too; what has ended is in its parent's answer.

    Args:
        client: where the run is.
        root: the run.
        most: nested workflows that are asked.
    """
    asking, answers = _Asking(client, most), dict[str, RunSoFar | None]()
    try:
        async with asyncio.timeout(SECONDS):
            await asking.ask(root, answers)
    except TimeoutError:
        pass  # whoever has not answered is named
    own = answers.pop(root.id, None)
    if own is None:
        return Told(None)
    known = [own, *(nested for nested in answers.values() if nested and not _has(own, nested))]
    silent = [name for name, answer in answers.items() if answer is None]
    notes = []
    if silent:
        notes.append(f"{len(silent)} nested workflows do not say how far they have come, such as {silent[0]}")
    if asking.left_out:
        notes.append(f"{asking.left_out:,} more nested workflows were not asked")
    done = sorted((report for one in known for report in one.done), key=lambda report: report.at)
    return Told(own.model_copy(update={**united(known), "done": tuple(done)}), tuple(notes))


def _has(own: RunSoFar, nested: RunSoFar) -> bool:
    """Whether it has ended between the two questions: then all of it is in the other's answer already."""
    return bool(nested.handoffs) and all(report in own.handoffs for report in nested.handoffs)


def united(parts: Sequence[RunResult | RunSoFar]) -> dict[str, Any]:
    """The reports of several workflows of a run, as a result has them; the root's first."""
    decisions, _ = kept([one for part in parts for one in part.decisions], MAX_KEPT, is_plain_decision)
    return {
        "handoffs": tuple(one for part in parts for one in part.handoffs)[-MAX_KEPT:],
        "decisions": tuple(decisions),
        "log": tuple(one for part in parts for one in part.log)[-MAX_LOG:],
        "events": tuple(one for part in parts for one in part.events)[-MAX_EVENT_REPORTS:],
    }


class _Asking:
    """Asks a tree of workflows; the parents name what is open below them."""

    def __init__(self, client: Client, most: int) -> None:
        self._client = client
        self._most = most
        self._gate = asyncio.Semaphore(PARALLEL)
        self._asked = 0
        self.left_out = 0

    async def ask(self, described: WorkflowExecutionDescription, answers: dict[str, RunSoFar | None]) -> None:
        """Ask one workflow and all that is open below it, at once."""
        answers[described.id] = None
        below = [
            (child.workflow_id, child.run_id)
            for child in described.raw_description.pending_children
            if child.workflow_type_name != HUMAN_TASK
        ]
        room = max(0, self._most - self._asked)
        self.left_out += len(below[room:])
        self._asked += len(below[:room])
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear(described, answers))
            for workflow_id, run_id in below[:room]:
                answers[workflow_id] = None
                group.create_task(self._ask_below(workflow_id, run_id, answers))

    async def _hear(self, described: WorkflowExecutionDescription, answers: dict[str, RunSoFar | None]) -> None:
        async with self._gate:
            answers[described.id] = await heard(
                self._client.get_workflow_handle(described.id, run_id=described.run_id), seconds=SECONDS
            )

    async def _ask_below(self, workflow_id: str, run_id: str, answers: dict[str, RunSoFar | None]) -> None:
        try:
            async with self._gate:
                described = await self._client.get_workflow_handle(workflow_id, run_id=run_id).describe()
        except RPCError:
            return  # it is named as one that has not answered
        await self.ask(described, answers)
