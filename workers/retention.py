"""Which lineages may go: nobody runs in them, nobody can look at them any more, and nobody has used them for long.

The failure this prevents: a blob that is deleted strands every run that refers to it. So age is only the first sieve.
Before a lineage goes, it is listed again (a young object keeps all of it) and then the server is asked by workflow id,
because its list of runs lags behind; what is deleted is what was seen then, and nothing that came later. A lineage has
more runs than the one whose name it bears: forks live on its records, so all of them are asked for.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore, StoredObject
from workers.external_storage import OTHER, UNKNOWN
from workers.lineages import is_note, noted_in
from workers.registration import check_bond

MAX_LINEAGES = 200_000
"""Lineages of one pass, at about 500 bytes of memory each."""
MAX_OBJECTS = 100_000
"""Objects of one lineage that are deleted in one pass; the next pass takes the rest."""
MAX_EXECUTIONS = 10_000
"""Executions of one lineage that are looked at; a lineage with more is kept."""
_RPC = timedelta(seconds=10)
_OURS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NOT_OURS = re.compile(rf"{re.escape(OTHER)}[0-9a-f]{{40}}|{UNKNOWN}")


_Runs = dict[tuple[str, str], datetime | None]


class Verdict(StrEnum):
    """What becomes of a lineage."""

    CLOSED = "closed"
    """All its runs have ended, long ago. It goes."""
    UNREFERENCED = "unreferenced"
    """The server knows no run of it. It goes."""
    OPEN = "open"
    """A run of it has not ended. Kept."""
    YOUNG = "young"
    """Used within the retention. Kept."""
    FOREIGN = "foreign"
    """Payloads of workflows that are not ours, or of unknown ones: nobody can say who needs them. Kept."""

    @property
    def goes(self) -> bool:
        """Whether the lineage is to be deleted."""
        return self in {Verdict.CLOSED, Verdict.UNREFERENCED}


@dataclass(frozen=True)
class Lineage:
    """A prefix of the store, or a run's saved result without one."""

    scope_id: str
    objects: int
    size: int
    used: datetime
    """The last time that something of it was written."""


@dataclass(frozen=True)
class Finding:
    """A lineage as it was right before its deletion."""

    lineage: Lineage
    verdict: Verdict
    paths: tuple[str, ...] = ()
    executions: tuple[tuple[str, str], ...] = ()
    """Workflow id and run id of its ended runs, which the server still knows."""


async def retention_of(client: Client, store: ObjectStore, wanted: timedelta) -> timedelta:
    """How old a lineage has to be: what is wanted, but no less than the server shows histories.

    Raises:
        ConfigurationInvalid: the store is not this namespace's, so its server cannot say what is in use.
    """
    if not (await check_bond(client, store)).store_id:
        raise ConfigurationInvalid(
            f"the object store {store.address} belongs to no namespace yet, so nobody knows what is in use",
            fix="start a worker with this store first, or correct OSTINATO_STORE",
        )
    described = await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace), timeout=_RPC
    )
    return max(wanted, described.config.workflow_execution_retention_ttl.ToTimedelta())


async def survey(store: ObjectStore) -> list[Lineage]:
    """Every lineage of the store, oldest use first; ``MAX_LINEAGES`` at most."""
    found: dict[str, Lineage] = {}
    async for item in store.list_objects("lineages/"):
        scope_id = item.path.split("/", 2)[1]
        known = found.get(scope_id)
        if known is None and len(found) >= MAX_LINEAGES:
            continue
        found[scope_id] = _add(known or Lineage(scope_id, 0, 0, item.modified), item)
    return sorted(found.values(), key=lambda lineage: lineage.used)


async def examine(client: Client, store: ObjectStore, lineage: Lineage, cutoff: datetime) -> Finding:
    """Decide on one lineage by what store and server say now. Everything that is not certain keeps it."""
    scope_id = lineage.scope_id
    if lineage.used > cutoff:
        return Finding(lineage, Verdict.YOUNG)
    if _NOT_OURS.fullmatch(scope_id) or not _OURS.fullmatch(scope_id):
        return Finding(lineage, Verdict.FOREIGN)
    now, paths, notes = replace(lineage, objects=0, size=0), list[str](), list[str]()
    async for item in store.list_objects(f"lineages/{scope_id}/"):
        now = _add(now, item)
        if len(paths) < MAX_OBJECTS:
            paths.append(item.path)
        if is_note(scope_id, item.path):
            notes.append(item.path)
    members = [scope_id, *await noted_in(store, scope_id, notes)]
    runs = await _known_of(client, members)
    # Last of all, as close to the deletion as can be: a run that started meanwhile has uploaded (a fork its note), or is
    # seen here.
    for member in members:
        runs |= await _described(client, member)
    if len(runs) > MAX_EXECUTIONS or any(closed is None for closed in runs.values()):
        return Finding(now, Verdict.OPEN)
    if max([now.used, *(closed for closed in runs.values() if closed)]) > cutoff:
        return Finding(now, Verdict.YOUNG)
    return Finding(now, Verdict.CLOSED if runs else Verdict.UNREFERENCED, tuple(paths), tuple(runs))


def cutoff_of(retention: timedelta, now: datetime | None = None) -> datetime:
    """What was last used before this may go."""
    return (now or datetime.now(UTC)) - retention


def with_saved(lineages: Iterable[Lineage], saved: Iterable[tuple[str, datetime]]) -> list[Lineage]:
    """The lineages, and those of which only a saved result is left; a result that was written later counts as use."""
    found = {lineage.scope_id: lineage for lineage in lineages}
    for scope_id, written in saved:
        known = found.get(scope_id) or Lineage(scope_id, 0, 0, written)
        found[scope_id] = replace(known, used=max(known.used, written))
    return sorted(found.values(), key=lambda lineage: lineage.used)


async def _known_of(client: Client, members: Iterable[str]) -> _Runs:
    """What the server's list has of all runs of a lineage; it is cut where it is too long to be looked at."""
    runs: _Runs = {}
    for member in members:
        if len(runs) <= MAX_EXECUTIONS:
            runs |= await _known_runs(client, member)
    return runs


async def _known_runs(client: Client, scope_id: str) -> _Runs:
    """The run and its children as the server's list has them; it lags behind by a moment."""
    query = f"WorkflowId = '{scope_id}' OR RootWorkflowId = '{scope_id}' OR WorkflowId STARTS_WITH '{scope_id}/'"
    found = client.list_workflows(query, limit=MAX_EXECUTIONS + 1, rpc_timeout=_RPC)
    return {(run.id, run.run_id): run.close_time async for run in found}


async def _described(client: Client, scope_id: str) -> _Runs:
    """The newest execution of the run as the server has it now."""
    try:
        run = await client.get_workflow_handle(scope_id).describe(rpc_timeout=_RPC)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return {}
        raise
    return {(run.id, run.run_id): run.close_time}


def _add(lineage: Lineage, item: StoredObject) -> Lineage:
    return replace(
        lineage,
        objects=lineage.objects + 1,
        size=lineage.size + item.size,
        used=max(lineage.used, item.modified),
    )
