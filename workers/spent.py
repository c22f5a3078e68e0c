"""What a run used that ended without a result of its own: stopped, terminated or out of time. Read from its histories.

A run that was stopped says itself what it has done and committed (``workers.runs.left_behind``), and so does what was nested
in it and had no parent any more to tell. Of one that was ended from outside the histories tell which effects it has had, and
a worker what it had decided.
"""

import asyncio
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError

from activities.contracts.effects import MAX_LISTED_EFFECTS
from activities.contracts.failures import FailureKind
from activities.contracts.messages import ThreadRef
from activities.contracts.steps import Usage
from activities.errors import ConfigurationInvalid
from workers.effects_read import EffectsRead
from workers.executions import histories_of
from workers.progress import HistoryReader, Progress
from workers.runs import left_behind
from workers.states import heard
from workers.told import united
from workflows.contracts import RunInput, RunResult, RunStatus, StepReport
from workflows.frame import MAX_NOTES
from workflows.results import of_steps

MAX_READ = 1000
"""Executions that are read for it."""
MAX_ROWS = 2000
"""Steps that are told apart, as many as a result names; usage is summed up over all."""
SECONDS = 20.0
"""How long reading may take."""
ASK_SECONDS = 3.0
"""How long a worker may take to say what a run had decided that could not say so itself."""


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


@dataclass
class _Found:
    """What the histories tell, as far as they were read."""

    effects: EffectsRead
    missing: list[str]
    used: Usage = field(default_factory=Usage)
    steps: dict[str, _Step] = field(default_factory=dict)
    said: list[RunResult] = field(default_factory=list)
    """By nested workflows that had no parent any more to tell."""


async def with_spent(client: Client, run: RunInput, result: RunResult) -> RunResult:
    """The result, with what was used and which steps there were where it does not say so itself.

    Calls that were under way at the end are not counted: nobody knows what they used.
    """
    was_stopped = result.failure is not None and result.failure.kind is FailureKind.CANCELLED
    says_so = not was_stopped and (result.steps or result.usage != Usage())
    if result.status is not RunStatus.FAILED or says_so:
        return result
    says_nothing = result == RunResult(status=result.status, failure=result.failure)
    own = await heard(client.get_workflow_handle(run.workflow_id), seconds=ASK_SECONDS) if says_nothing else None
    found = _Found(EffectsRead(run), list(result.missing))
    try:
        async with asyncio.timeout(SECONDS):
            await _read(client, run.workflow_id, found)
    except (TimeoutError, RPCError, ConfigurationInvalid):
        found.missing.append("what this run used could not be read in whole: more was used than is counted")
    parts = (result, *found.said)
    steps = [_report(run, path, step) for path, step in found.steps.items()]
    # What was refused before it was called has left no call in any history.
    steps += [report for part in parts for report in part.steps if report.step not in found.steps]
    before = run.rewind.earlier if run.rewind else ()
    sums = of_steps(steps, usage=found.used, missing=found.missing, status=result.status)
    return result.model_copy(
        update={
            **united([own or result, *found.said]),
            **{name: getattr(sums, name) for name in ("usage", "steps", "agents", "missing", "unlisted")},
            "notes": tuple(note for part in parts for note in part.notes)[-MAX_NOTES:],
            "done": result.done or (*before, *found.effects.reports)[-MAX_LISTED_EFFECTS:],
        }
    )


async def _read(client: Client, workflow_id: str, found: _Found) -> None:
    readers: dict[str, HistoryReader] = {}
    count = 0
    async for history in histories_of(client, workflow_id):
        count += 1
        if count > MAX_READ:
            found.missing.append(
                f"usage is that of the first {MAX_READ} workflows of the run: more was used than is counted"
            )
            break
        if history.workflow_id != workflow_id and (left := await _left_behind(client, history)):
            found.said.append(left)
        # One reader for all executions of a workflow: they come one after the other.
        reader = readers.setdefault(history.workflow_id, HistoryReader(client, history.workflow_id))
        for event in history.events:
            progress = await reader.read(event)
            if progress is None or progress.kind not in {"model", "tool"}:
                continue
            if found.effects.add(progress):
                continue  # a compensation is no step's, and counts against no budget
            found.used += progress.usage
            if progress.path in found.steps or len(found.steps) < MAX_ROWS:
                agent = progress.what.partition(": ")[0]
                found.steps.setdefault(progress.path, _Step(agent, progress.at)).add(progress)


async def _left_behind(client: Client, history: WorkflowHistory) -> RunResult | None:
    """What a nested workflow says of itself that ended as cancelled: its parent never had it."""
    last = history.events[-1]
    if last.event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
        return None
    started = history.events[0].workflow_execution_started_event_attributes
    return await left_behind(client.get_workflow_handle(history.workflow_id, run_id=started.original_execution_run_id))


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
