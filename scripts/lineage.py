"""Where a run comes from, and what went on from it."""

from typing import Any

from scripts.session import Session
from workers.lineages import LineageRun, reruns_of
from workflows.contracts import RunInput

_WORDS = {"resume": "resumed", "rewind": "rewound", "fork": "forked"}


async def lineage_object(session: Session, run: RunInput) -> dict[str, Any]:
    """The lineage of a run as JSON."""
    rewind, own = run.rewind, run.workflow_id
    family, descendants = {own}, []
    for rerun in await reruns_of(session.deployment.store, run.scope_id):
        if rerun.from_run in family:
            family.add(rerun.workflow_id)
            descendants.append(_row(rerun))
    return {
        "scope": run.scope_id,
        "number": rewind.number if rewind else 0,
        "from": {
            "kind": rewind.kind,
            "run_id": rewind.run_id,
            "execution": rewind.execution,
            "checkpoint": rewind.checkpoint,
            "set": sorted(rewind.values),
        }
        if rewind
        else None,
        "descendants": descendants,
    }


def lineage_lines(value: dict[str, Any]) -> list[str]:
    """The same for people; nothing where the run is alone."""
    lines = []
    if origin := value["from"]:
        at = f" at {origin['checkpoint']}" if origin["checkpoint"] else ""
        put = f", set {', '.join(origin['set'])}" if origin["set"] else ""
        lines.append(f"{_WORDS[origin['kind']]} from {origin['run_id']}{at} (execution {origin['execution']}){put}")
    for row in value["descendants"]:
        if row["number"] != value["number"]:
            at = f" from checkpoint {row['checkpoint']}" if row["checkpoint"] else ""
            lines.append(
                f"re-run {row['number']}: {row['from_run']} was {_WORDS[row['kind']]} as {row['workflow_id']}{at}"
            )
    return lines


def _row(run: LineageRun) -> dict[str, Any]:
    return {
        "number": run.number,
        "kind": run.kind,
        "workflow_id": run.workflow_id,
        "from_run": run.from_run,
        "from_execution": run.from_execution,
        "checkpoint": run.checkpoint,
        "begun_at": run.begun_at,
    }
