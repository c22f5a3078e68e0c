"""``ostinato gc``: deletes lineages that are past their retention and that nobody runs in, with all that is kept of them."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from activities.errors import ConfigurationInvalid
from scripts.commands.delete import remove_result, request_deletion
from scripts.results import result_folder
from scripts.session import Session, open_existing, quiet
from scripts.terminal import COMPLETE, Json, Output
from workers.retention import Finding, Lineage, cutoff_of, examine, retention_of, survey, with_saved
from workers.settings import Settings, load_settings

BATCH = 8
"""Lineages that are looked at and deleted at once."""
NOTE_EVERY = 400
"""Lineages between two lines of progress."""
SHOWN = 1000
"""Lineages that are listed one by one; all of them are counted."""
_AGE = re.compile(r"(\d{1,5})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass
class Tally:
    """What was deleted, or would be, and why the rest was not."""

    objects: int = 0
    size: int = 0
    deleted: list[Finding] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        """Count one lineage."""
        self.verdicts[finding.verdict.value] += 1
        if finding.verdict.goes:
            self.objects += len(finding.paths)
            self.size += finding.lineage.size
            self.deleted.append(finding)

    def as_json(self, *, dry_run: bool, retention: timedelta) -> dict[str, Any]:
        """The one object of ``--json``."""
        goes = [_row(finding) for finding in self.deleted[:SHOWN]]
        kept = {name: count for name, count in self.verdicts.items() if name not in {"closed", "unreferenced"}}
        return {
            "dry_run": dry_run,
            "retention_days": round(retention / timedelta(days=1), 3),
            "lineages": len(self.deleted),
            "objects": self.objects,
            "bytes": self.size,
            "kept": kept,
            "deleted": goes,
        }


async def gc(*, older_than: str = "", dry_run: bool = False, as_json: Json = False) -> int:
    """Delete lineages whose runs have all ended, and that nobody has used for as long as they are to be kept.

    A lineage is a run with all that belongs to it: records, blobs, large payloads, its saved result, and its history
    where the server still has it. What the namespace still shows is never deleted, however short the age.

    Args:
        older_than: How long ago the last use must be, such as 12h, 45d or 8w; OSTINATO_RETENTION_DAYS by default.
        dry_run: Show what would be deleted, and delete nothing.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    wanted = _age(older_than) if older_than else timedelta(days=settings.retention_days)
    quiet()
    async with open_existing(settings, output) as session:
        store = session.deployment.store
        retention = await retention_of(session.client, store, wanted)
        if retention > wanted:
            output.note(f"note: the namespace shows histories for {_days(retention)}, so nothing younger is deleted")
        lineages = with_saved(await survey(store), _saved(settings))
        tally = await sweep(session, lineages, cutoff_of(retention), output, dry_run=dry_run)
    _report(tally, output, dry_run=dry_run)
    output.object(tally.as_json(dry_run=dry_run, retention=retention))
    return COMPLETE


async def sweep(session: Session, lineages: list[Lineage], cutoff: datetime, output: Output, *, dry_run: bool) -> Tally:
    """Examine lineages, and delete those that may go, a few at once. Cut short, it leaves the rest to the next one."""
    tally, settings = Tally(), session.deployment.settings

    async def one(lineage: Lineage) -> Finding:
        finding = await examine(session.client, session.deployment.store, lineage, cutoff)
        if finding.verdict.goes and not dry_run:
            await session.deployment.store.delete_paths(finding.paths)
            await request_deletion(session.client, finding.executions)
            remove_result(settings, lineage.scope_id)
        return finding

    for start in range(0, len(lineages), BATCH):
        for finding in await asyncio.gather(*(one(lineage) for lineage in lineages[start : start + BATCH])):
            tally.add(finding)
        if start and start % NOTE_EVERY == 0:
            output.note(f"{start} of {len(lineages)} lineages looked at, {len(tally.deleted)} to delete")
    return tally


def _saved(settings: Settings) -> Iterator[tuple[str, datetime]]:
    """The runs whose results are saved here, and when."""
    folder = result_folder(settings, "any").parent
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir():
            yield path.name, datetime.fromtimestamp(max(_written(path)), UTC)


def _written(folder: Path) -> Iterator[float]:
    yield folder.stat().st_mtime
    for path in folder.rglob("*"):
        yield path.lstat().st_mtime


def _report(tally: Tally, output: Output, *, dry_run: bool) -> None:
    for finding in tally.deleted[:SHOWN]:
        row = _row(finding)
        used, size = row["last_used"][:10], f"{row['bytes']:,} bytes"
        output.text(f"{row['lineage']}: {row['objects']} objects, {size}, last used {used}, {row['why']}")
    if len(tally.deleted) > SHOWN:
        output.text(f"and {len(tally.deleted) - SHOWN} more")
    kept = ", ".join(f"{count} {name}" for name, count in sorted(tally.verdicts.items()) if not _goes(name))
    done = "would delete" if dry_run else "deleted"
    output.text(f"{done} {len(tally.deleted)} lineages, {tally.objects} objects, {tally.size:,} bytes")
    output.text(f"kept: {kept or 'none'}")


def _row(finding: Finding) -> dict[str, Any]:
    lineage = finding.lineage
    return {
        "lineage": lineage.scope_id,
        "objects": len(finding.paths),
        "bytes": lineage.size,
        "last_used": lineage.used.isoformat(),
        "why": "all its runs have ended" if finding.executions else "the server knows no run of it",
    }


def _goes(name: str) -> bool:
    return name in {"closed", "unreferenced"}


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text.strip())
    if not match:
        raise ConfigurationInvalid(f"{text!r} is no age", fix="write a number and h, d or w, such as --older-than 45d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _days(value: timedelta) -> str:
    days = value / timedelta(days=1)
    return f"{days:g} {'day' if days == 1 else 'days'}"
