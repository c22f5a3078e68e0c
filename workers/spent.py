"""What a run used that ended without a result of its own: stopped, terminated or out of time. Read from its histories.

A run that was stopped says itself what it has done and committed (``workers.runs.left_behind``); of one that was ended from
outside the histories tell which effects it has had.
"""

import asyncio
from dataclasses import dataclass, field

from temporalio.client import Client
from temporalio.service import RPCError

from activities.contracts.effects import MAX_LISTED_EFFECTS
from activities.contracts.failures import FailureKind
from activities.contracts.messages import ThreadRef
from activities.contracts.steps import Usage
from activities.errors import ConfigurationInvalid
from workers.effects_read import EffectsRead
from workers.executions import histories_of
from workers.progress import HistoryReader, Progress
from workflows.contracts import RunInput, RunResult, RunStatus, StepReport
from workflows.results import of_steps

MAX_READ = 1000
"""Executions that are read for it."""
MAX_ROWS = 2000
"""Steps that are told apart, as many as a result names; usage is summed up over all."""
SECONDS = 20.0
"""How long reading may take."""


@dataclass
class _Step:
    """One step, as its calls tell it."""

    agent: str
    begun: float
    ended: float = 0.0
    usage: Usage = field(default_factory=Usage)
    attempts: int = 1
    answered: bool = False
    reason: str = ""
    thread: ThreadRef | None = None

    def add(self, progress: Progress) -> None:
        """Note what happened to one of its calls."""
        if progress.state == "retried":
            self.attempts += max(1, progress.attempt - 1)
        if progress.state not in {"done", "failed"}:
            self.answered = False
            return
        self.ended, self.answered = progress.at, progress.is_answer
        self.usage += progress.usage
        self.thread = progress.thread or self.thread
        self.reason = progress.detail


async def with_spent(client: Client, run: RunInput, result: RunResult) -> RunResult:
    """The result, with what was used and which steps there were where it does not say so itself.

    Calls that were under way at the end are not counted: nobody knows what they used.
    """
    was_stopped = result.failure is not None and result.failure.kind is FailureKind.CANCELLED
    says_so = not was_stopped and (result.steps or result.usage != Usage())
    if result.status is not RunStatus.FAILED or says_so:
        return result
    found: dict[str, _Step] = {}
    used, missing, effects = Usage(), list(result.missing), EffectsRead(run)
    try:
        async with asyncio.timeout(SECONDS):
            used = await _read(client, run.workflow_id, found, missing, effects)
    except (TimeoutError, RPCError, ConfigurationInvalid):
        used = sum((step.usage for step in found.values()), Usage())
        missing.append("what this run used could not be read in whole: more was used than is counted")
    steps = [_report(run, path, step) for path, step in found.items()]
    before = run.rewind.earlier if run.rewind else ()
    said = of_steps(steps, status=result.status, failure=result.failure, usage=used, missing=missing)
    return said.model_copy(
        update={
            "state": result.state,
            "handoffs": result.handoffs,
            "decisions": result.decisions,
            "done": result.done or (*before, *effects.reports)[-MAX_LISTED_EFFECTS:],
        }
    )


async def _read(
    client: Client, workflow_id: str, found: dict[str, _Step], missing: list[str], effects: EffectsRead
) -> Usage:
    readers: dict[str, HistoryReader] = {}
    used, count = Usage(), 0
    async for history in histories_of(client, workflow_id):
        count += 1
        if count > MAX_READ:
            missing.append(f"usage is that of the first {MAX_READ} workflows of the run: more was used than is counted")
            break
        # One reader for all executions of a workflow: they come one after the other.
        reader = readers.setdefault(history.workflow_id, HistoryReader(client, history.workflow_id))
        for event in history.events:
            progress = await reader.read(event)
            if progress is None or progress.kind not in {"model", "tool"}:
                continue
            if effects.add(progress):
                continue  # a compensation is no step's, and counts against no budget
            used += progress.usage
            if progress.path in found or len(found) < MAX_ROWS:
                agent = progress.what.partition(": ")[0]
                found.setdefault(progress.path, _Step(agent, progress.at)).add(progress)
    return used


def _report(run: RunInput, path: str, step: _Step) -> StepReport:
    return StepReport(
        agent=f"{run.team.team}/{step.agent}@{run.team.version}",
        step=path,
        status=RunStatus.COMPLETE if step.answered else RunStatus.FAILED,
        attempts=step.attempts,
        tokens=step.usage.tokens,
        cost_usd=step.usage.cost_usd,
        milliseconds=round(max(0.0, (step.ended or step.begun) - step.begun) * 1000),
        reason="" if step.answered else (step.reason or "stopped")[:500],
        thread=step.thread,
    )
