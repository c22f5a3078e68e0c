"""What a result lacks: as many sentences as it lists, and how many more there are. None is dropped without being counted."""

from collections.abc import Iterable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows.contracts import RunResult

MAX_MISSING = 100


def listed(lines: Iterable[str], unlisted: int = 0) -> dict[str, Any]:
    """The fields of a result that say what it lacks. ``unlisted``: how many sentences were left out before."""
    found = tuple(dict.fromkeys(lines))
    return {"missing": found[-MAX_MISSING:], "unlisted": unlisted + max(0, len(found) - MAX_MISSING)}


def lacking(result: RunResult, *lines: str) -> dict[str, Any]:
    """The same fields of a result that lacks this too."""
    return listed((*result.missing, *lines), result.unlisted)


def as_told(lines: Iterable[str], unlisted: int) -> tuple[str, ...]:
    """What a run lacks, for its reader: where not all is listed, the last line says how much more there is."""
    found = tuple(dict.fromkeys(lines))
    more = unlisted + max(0, len(found) - MAX_MISSING)
    if not more:
        return found
    kept = found[-(MAX_MISSING - 1) :]
    return (*kept, f"and {unlisted + len(found) - len(kept):,} more that are not listed")
