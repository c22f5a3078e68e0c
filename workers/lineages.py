"""Lineages: which runs there are besides the first, each noted in the store before it is started.

The failure this prevents: a fork lives on records that lie under another run's name, and whoever deletes that run strands
the fork. So every re-run leaves a note under ``lineages/<scope>/runs/`` with its number, and nothing of a lineage goes
while one of its runs needs it.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from activities.contracts.base import Line, RunId, WireModel
from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore, encode_model, parse_model

MAX_RERUNS = 1000
"""Re-runs of one lineage."""
CLAIM = timedelta(minutes=2)
"""A command that goes on from a run and is not done after so long has died: another may."""


class LineageRun(WireModel):
    """One re-run of a lineage."""

    number: int
    """From 1 on, in the order in which they were begun."""
    workflow_id: RunId
    kind: Line
    """``resume``, ``rewind`` or ``fork``."""
    from_run: RunId
    """The workflow id of the run that it went on from."""
    from_execution: Line = ""
    """That run's Temporal run id."""
    checkpoint: Line = ""
    begun_at: float = 0.0
    """Seconds since 1970."""


async def reruns_of(store: ObjectStore, scope_id: str) -> list[LineageRun]:
    """The re-runs of a lineage, oldest first."""
    return await _read(store, scope_id, [path async for path in store.list_paths(_folder(scope_id))])


def is_note(scope_id: str, path: str) -> bool:
    """Whether a path of the store is that of a note on a re-run."""
    return path.startswith(_folder(scope_id))


async def noted_in(store: ObjectStore, scope_id: str, notes: list[str]) -> list[str]:
    """The workflow ids of the runs that these notes are about."""
    return list(dict.fromkeys(run.workflow_id for run in await _read(store, scope_id, notes)))


async def members_of(store: ObjectStore, scope_id: str) -> list[str]:
    """The workflow ids of all its runs, the first one's before all."""
    return list(dict.fromkeys([scope_id, *(run.workflow_id for run in await reruns_of(store, scope_id))]))


async def note_rerun(store: ObjectStore, scope_id: str, run: LineageRun) -> LineageRun:
    """Note a re-run that is about to start; the same with the number that it has got.

    Raises:
        ConfigurationInvalid: there are too many.
    """
    number = max((known.number for known in await reruns_of(store, scope_id)), default=0)
    while number < MAX_RERUNS:
        number += 1
        numbered = run.model_copy(update={"number": number, "begun_at": time.time()})
        if await store.create(_path(scope_id, number), encode_model(numbered), scope_id=scope_id):
            return numbered
    raise ConfigurationInvalid(
        f"the lineage {scope_id!r} has {MAX_RERUNS:,} re-runs, and no more are counted", fix="start a new run"
    )


async def forget_rerun(store: ObjectStore, scope_id: str, run: LineageRun) -> None:
    """Take the note back of a re-run that was not started."""
    await store.delete_paths([_path(scope_id, run.number)])


@asynccontextmanager
async def claimed(store: ObjectStore, scope_id: str, workflow_id: str, execution: str) -> AsyncIterator[None]:
    """Go on from one execution of a run while no other command does; after that, none does ever again.

    Raises:
        ConfigurationInvalid: another command does, or has.
    """
    path = f"lineages/{scope_id}/claims/{workflow_id}.{execution}"
    if not await store.create(path, b"claimed", scope_id=scope_id):
        written = await store.modified(path)
        if written is None or datetime.now(UTC) - written < CLAIM:
            raise _is_taken(workflow_id)
        await store.write(path, b"claimed", scope_id=scope_id)
    try:
        yield
    except BaseException:
        await store.delete_paths([path])
        raise


def _is_taken(workflow_id: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"another command goes on from the run {workflow_id!r} in this moment",
        fix=f"look at what became of it: ostinato show {workflow_id}",
    )


async def _read(store: ObjectStore, scope_id: str, paths: list[str]) -> list[LineageRun]:
    datas = [await store.read(path, scope_id=scope_id) for path in sorted(paths)[:MAX_RERUNS]]
    return [parse_model(data, LineageRun) for data in datas if data is not None]


def _folder(scope_id: str) -> str:
    return f"lineages/{scope_id}/runs/"


def _path(scope_id: str, number: int) -> str:
    return f"{_folder(scope_id)}{number:06}"
