"""Where a run goes on from what another run of its lineage has come to, and which of its records are made anew."""

from collections.abc import Collection, Iterator
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from activities.contracts.base import Line, Name, WireModel
from activities.contracts.effects import MAX_LISTED_EFFECTS, EffectReport

MAX_RENEWALS = 32
"""Times that one lineage has its records renewed (``--fresh``, ``--repeat-effects``), one after the other."""


class Renewal(WireModel):
    """From one point of a lineage on records are deliberately not used again."""

    generation: Annotated[int, Field(ge=1)]
    """Of what is recorded instead: the number of the re-run that asked for it, unlike that of any other."""
    kept: Annotated[tuple[Line, ...], Field(max_length=4000)] = ()
    """Paths of the steps up to that point: whatever lies at or below them is used as it is."""
    fresh: bool = False
    """All other steps are made anew, except what ``once`` tools have done."""
    repeat_effects: Annotated[tuple[Name, ...], Field(max_length=64)] = ()
    """Tools ``once`` that may do it again in all other steps."""


class Rewind(WireModel):
    """Where a run goes on from what another run of its lineage has come to."""

    kind: Annotated[str, StringConstraints(pattern="^(resume|rewind|fork)$")]
    run_id: Line
    """The workflow id of the run that it goes on from."""
    number: Annotated[int, Field(ge=1)]
    """Its place among all re-runs of the lineage."""
    execution: Line = ""
    """That run's Temporal run id."""
    checkpoint: Line = ""
    """The checkpoint of its state that it goes on from; empty: its end."""
    renewals: Annotated[tuple[Renewal, ...], Field(max_length=MAX_RENEWALS)] = ()
    """Oldest first; those of the runs before it come along."""
    values: Annotated[dict[Line, JsonValue], Field(max_length=64)] = {}
    """Path of a step to the value put in place of what it commits."""
    failed: Annotated[tuple[Line, ...], Field(max_length=2000)] = ()
    """Steps that failed before: an error that one of their tools answered with is no answer this time."""
    earlier: Annotated[tuple[EffectReport, ...], Field(max_length=MAX_LISTED_EFFECTS)] = ()
    """Effects of this run's earlier executions that stand; none of a fork. Where they are made again, or the run fails,
    they are dealt with as its own."""

    def generation_of(self, path: str, tool: str = "") -> int:
        """The generation of a step's records, or of those of a ``once`` tool there; 0: never renewed."""
        for renewal in reversed(self.renewals):
            wanted = tool in renewal.repeat_effects if tool else renewal.fresh
            if wanted and not is_within(path, renewal.kept):
                return renewal.generation
        return 0

    def below(self, path: str) -> "Rewind":
        """What of it a nested workflow needs."""
        renewals = tuple(
            renewal.model_copy(update={"kept": tuple(k for k in renewal.kept if _touches(k, path))})
            for renewal in self.renewals
        )
        values = {step: value for step, value in self.values.items() if is_within(step, (path,))}
        failed = tuple(step for step in self.failed if is_within(step, (path,)))
        return self.model_copy(update={"renewals": renewals, "values": values, "failed": failed, "earlier": ()})


def is_within(path: str, roots: Collection[str]) -> bool:
    """Whether a step's path is one of these, or nested in one."""
    return any(prefix in roots for prefix in _prefixes(path))


def _prefixes(path: str) -> Iterator[str]:
    """The path, and those of what it is nested in, the longest first."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def _touches(kept: str, path: str) -> bool:
    """Whether a kept path says something on steps at or below ``path``."""
    return is_within(kept, (path,)) or is_within(path, (kept,))
