"""The checkpoints of a run: the versions of its state, and of the state of every workflow nested in it."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from temporalio.client import Client

from activities.contracts.effects import EffectOutcome, EffectReport
from activities.errors import ConfigurationInvalid
from workers.executions import nested_executions
from workers.runs import RunHandle, read_input, read_result
from workers.spent import with_spent
from workers.states import heard
from workers.team_file import nearest
from workflows.contracts import RunInput, RunResult, RunStatus, StateCommit
from workflows.rewinds import is_within

START = "0"
"""The checkpoint before all steps; ``start`` is another word for it."""
MAX_NESTED = 200
"""Nested workflows whose states are read."""
PARALLEL = 16
HUMAN_TASK = "human_task"
"""Nested too, but no pattern."""


@dataclass(frozen=True)
class Checkpoint:
    """One version of one workflow's state."""

    workflow: str
    """The path of the workflow below the root; empty: the root itself."""
    commit: StateCommit

    @property
    def name(self) -> str:
        """How commands call it: ``3``, or ``flow/inner:3`` of a nested workflow."""
        return f"{self.workflow}:{self.commit.version}" if self.workflow else str(self.commit.version)


@dataclass(frozen=True)
class Origin:
    """A run that another one goes on from, as far as it has come."""

    run: RunInput
    execution: str
    """Its Temporal run id."""
    is_open: bool
    checkpoints: tuple[Checkpoint, ...]
    """Oldest first."""
    done: tuple[EffectReport, ...] = ()
    """Its effects, in order."""
    result: RunResult | None = None
    """Absent: it has not ended."""

    def find(self, name: str) -> Checkpoint | None:
        """A checkpoint by version, ``PATH:VERSION``, step or key; None is the start.

        Raises:
            ConfigurationInvalid: there is none of that name, or several.
        """
        if name.strip().casefold() in {START, "start"}:
            return None
        known = {checkpoint.name: checkpoint for checkpoint in self.checkpoints}
        if name in known:
            return known[name]
        for find in (_is_step, _is_key):
            found = [checkpoint for checkpoint in self.checkpoints if find(checkpoint, name)]
            if len(found) > 1:
                versions = ", ".join(checkpoint.name for checkpoint in found[:20])
                raise ConfigurationInvalid(
                    f"{name!r} was committed {len(found)} times", fix=f"name one of its versions: {versions}"
                )
            if found:
                return found[0]
        names = [START, *known, *dict.fromkeys(checkpoint.commit.key for checkpoint in self.checkpoints)]
        raise ConfigurationInvalid(
            f"the run {self.run.workflow_id!r} has no checkpoint {name!r}", fix=nearest(name, names[:200])
        )

    def kept(self, at: Checkpoint | None) -> tuple[Checkpoint, ...]:
        """All checkpoints up to one: in its own workflow by version, in the others by time."""
        if at is None:
            return ()
        version, time = at.commit.version, at.commit.committed_at
        return tuple(
            other
            for other in self.checkpoints
            if (other.commit.version <= version if other.workflow == at.workflow else other.commit.committed_at <= time)
        )

    def done_after(self, kept: Sequence[Checkpoint]) -> tuple[EffectReport, ...]:
        """The effects that stand, and lie in none of the steps that are kept; and all of executions before the last."""
        paths = {checkpoint.commit.step for checkpoint in kept}
        return tuple(r for r in self._standing() if r.earlier or not is_within(r.step, paths))

    @property
    def standing(self) -> tuple[EffectReport, ...]:
        """The effects that stand, as those of an earlier execution."""
        return tuple(report.model_copy(update={"earlier": True}) for report in self._standing())

    def _standing(self) -> Iterator[EffectReport]:
        return (report for report in self.done if report.outcome is not EffectOutcome.COMPENSATED)


async def read_origin(client: Client, workflow_id: str) -> Origin:
    """A run as it is now. Of one that has no result of its own a worker tells what it has come to.

    Raises:
        RPCError: there is no such run.
        ConfigurationInvalid: it is no run of ours, or its input cannot be read.
    """
    described = await client.get_workflow_handle(workflow_id).describe()
    handle: RunHandle = client.get_workflow_handle(workflow_id, run_id=described.run_id, result_type=RunResult)
    run, is_open = await read_input(client, workflow_id), described.close_time is None
    result = None if is_open else await read_result(handle)
    state, done = (result.state, result.done) if result else ((), ())
    if not state and (result is None or result.status is RunStatus.FAILED) and (known := await heard(handle)):
        state, done = known.state, known.done or done
    if result and result.status is RunStatus.FAILED and not result.done:
        # One that was ended from outside: only its history tells what was under way.
        have = {(report.step, report.ordinal) for report in done}
        read = (await with_spent(client, run, result)).done
        done = (*done, *(report for report in read if (report.step, report.ordinal) not in have))
    commits = [Checkpoint("", commit) for commit in state]
    commits += await _nested(client, workflow_id, described.run_id or "")
    commits.sort(key=lambda c: (c.commit.committed_at, -len(c.workflow), c.commit.version))
    return Origin(run, described.run_id or "", is_open, tuple(commits), done, result)


async def _nested(client: Client, workflow_id: str, execution: str) -> list[Checkpoint]:
    """The states of nested workflows. One that is a single step has but its own result, which its parent has too."""
    found = (await nested_executions(client, workflow_id, execution))[:MAX_NESTED]
    gate = asyncio.Semaphore(PARALLEL)

    async def one(nested_id: str, run_id: str) -> list[Checkpoint]:
        path = nested_id.removeprefix(f"{workflow_id}/")
        async with gate:
            commits = await _commits(client.get_workflow_handle(nested_id, run_id=run_id, result_type=RunResult))
        return [Checkpoint(path, commit) for commit in commits if commit.step != path]

    return [each for several in await asyncio.gather(*(one(*nested) for nested in found)) for each in several]


async def _commits(handle: RunHandle) -> tuple[StateCommit, ...]:
    described = await handle.describe()
    if described.workflow_type == HUMAN_TASK:
        return ()
    if described.close_time is not None and (state := (await read_result(handle)).state):
        return state
    known = await heard(handle)
    return known.state if known else ()


def _is_step(checkpoint: Checkpoint, name: str) -> bool:
    return checkpoint.commit.step == name


def _is_key(checkpoint: Checkpoint, name: str) -> bool:
    return checkpoint.commit.key == name
