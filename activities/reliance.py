"""Which runs go on from an effect that another run of the lineage has made, so that it is not undone beneath them.

The failure this prevents: a run is forked while it is open, the fork is answered with its booking, the run is stopped and
gives the room back, and the fork ends well without a room. So whoever is answered with another run's effect that can be
undone says so first, and looks then whether undoing it was begun; who undoes it says that first, and looks then who goes on
from it. One of the two sees the other. Runs that are answered with their own effects write nothing.
"""

from temporalio import activity
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.contracts.effects import UndoRef
from activities.object_store import ObjectStore

_ALIVE = frozenset({WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.COMPLETED})
MAX_RUNS = 100
"""Runs that are looked at for one effect."""


class Reliance:
    """Who relies on which effects of a lineage."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def note(self, scope_id: str, undo: UndoRef | None, run_id: str) -> None:
        """Note that a run goes on from an effect, where it is another run's and can be undone."""
        if undo and undo.run_id != run_id:
            await self._store.write(f"{_folder(scope_id, undo.digest)}{run_id}", b"relies", scope_id=scope_id)

    async def drop(self, scope_id: str, undo: UndoRef | None, run_id: str) -> None:
        """Take that back: the run is not answered with it."""
        if undo and undo.run_id != run_id:
            await self._store.delete_paths([f"{_folder(scope_id, undo.digest)}{run_id}"])

    async def by(self, scope_id: str, digest: str) -> str:
        """A run that goes on from an effect and has not failed or been stopped; empty where there is none."""
        folder, looked_at = _folder(scope_id, digest), 0
        async for path in self._store.list_paths(folder):
            run_id, looked_at = path.removeprefix(folder), looked_at + 1
            if looked_at > MAX_RUNS or await _is_alive(run_id):
                return run_id
        return ""


async def _is_alive(run_id: str) -> bool:
    try:
        return (await activity.client().get_workflow_handle(run_id).describe()).status in _ALIVE
    except RPCError:
        return True  # nobody can say that it has failed


def _folder(scope_id: str, digest: str) -> str:
    return f"lineages/{scope_id}/relied/{digest}/"
