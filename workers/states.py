"""The state of a run, and of what is nested in it: while it runs, when it has ended, and however it has ended."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import JsonValue
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from workers.runs import RunHandle, read_result
from workers.team_file import nearest
from workflows.contracts import RunResult, RunStatus, StateCommit
from workflows.stopped import STATE_QUERY, RunSoFar

QUERY_SECONDS = 10.0
"""How long a worker may take to say how far a run has come."""


@dataclass(frozen=True)
class RunStateView:
    """The versions of one workflow's state, oldest first."""

    workflow_id: str
    status: str
    """``running``, or how it ended."""
    commits: tuple[StateCommit, ...]

    def at(self, version: int | None) -> dict[str, StateCommit]:
        """What every key holds at a version, in the order in which the keys came up; at the newest where it is absent.

        Raises:
            ConfigurationInvalid: there is no such version.
        """
        newest = len(self.commits)
        if version is not None and not 0 <= version <= newest:
            raise ConfigurationInvalid(
                f"the state of {self.workflow_id!r} has no version {version}", fix=f"choose one from 0 to {newest}"
            )
        return {commit.key: commit for commit in self.commits[: newest if version is None else version]}

    def between(self, one: int, other: int) -> list[tuple[str, StateCommit | None, StateCommit | None]]:
        """The keys whose values differ, each with what it holds at either version.

        Raises:
            ConfigurationInvalid: there is no such version.
        """
        before, after = self.at(one), self.at(other)
        keys = dict.fromkeys([*before, *after])
        return [(key, before.get(key), after.get(key)) for key in keys if _digest(before, key) != _digest(after, key)]


async def read_state(client: Client, workflow_id: str) -> RunStateView:
    """The state of a run, or of a workflow nested in it: ``RUN`` or ``RUN/path/of/the/node``.

    Raises:
        RPCError: there is no such run.
        ConfigurationInvalid: nothing of this path is nested in it, or nobody can say how far it has come.
    """
    run_id, _, path = workflow_id.partition("/")
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or not path:
            raise
        known = [commit.step for commit in (await read_state(client, run_id)).commits]
        raise ConfigurationInvalid(
            f"nothing nested in the run {run_id!r} has a state of its own at {path!r}",
            fix=nearest(path, [step for step in known if step != path]) if known else "see its steps: ostinato show",
        ) from error
    handle: RunHandle = client.get_workflow_handle(workflow_id, run_id=described.run_id, result_type=RunResult)
    if described.close_time is None:
        return RunStateView(workflow_id, "running", (await ask(handle)).state)
    result = await read_result(handle)
    commits = result.state
    if not commits and result.status is RunStatus.FAILED:
        commits = (await ask(handle)).state  # it could not say so itself: a worker reads it from the history
    return RunStateView(workflow_id, result.status.value, commits)


async def heard(handle: Any, *, seconds: float = QUERY_SECONDS) -> RunSoFar | None:
    """As ``ask``; nothing where nobody answers."""
    with suppress(ConfigurationInvalid):
        return await ask(handle, seconds=seconds)
    return None


async def ask(handle: Any, *, seconds: float = QUERY_SECONDS) -> RunSoFar:
    """How far a workflow has come, as a worker says within so many seconds, whether it runs or has ended.

    Raises:
        ConfigurationInvalid: nobody answers.
    """
    try:
        answer = await handle.query(STATE_QUERY, result_type=RunSoFar, rpc_timeout=timedelta(seconds=seconds))
        return RunSoFar.model_validate(answer)
    except (RPCError, WorkflowQueryFailedError) as error:
        raise ConfigurationInvalid(
            f"no worker says how far {handle.id!r} has come: {error}",
            fix="start workers with `ostinato up` or `ostinato worker`, and ask again",
        ) from error


def value_of(commit: StateCommit | None) -> JsonValue:
    """The value of a version; null where there is none, and where it was left out."""
    return commit.value if commit else None


def _digest(values: dict[str, StateCommit], key: str) -> str | None:
    return values[key].digest if key in values else None
