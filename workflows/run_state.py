"""The run's state: every validated output is a new version, committed by the workflow that owns it, its single writer.

Versions are immutable and numbered from 1; version n is what commits 1 to n come to. They are values of the workflow:
committing costs no event. What has failed is never committed, nor is a step that was left out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.errors import LimitExceeded
    from workflows.contracts import StateCommit

MAX_COMMITS = 2000
"""Versions of one workflow's state."""
MAX_STATE_BYTES = 4 * 1024 * 1024
"""Of the values of all versions: a result carries them all, beside its output, and has at most 8 MiB."""


class RunState:
    """The versions of one workflow's state."""

    def __init__(self, replaced: Mapping[str, JsonValue] | None = None, commits: Iterable[StateCommit] = ()) -> None:
        """Begin, or go on.

        Args:
            replaced: path of a step to what is put in place of its output (rewind and fork).
            commits: the versions before a continue-as-new.
        """
        self.commits = list(commits)
        self.size_bytes = sum(commit.size_bytes for commit in self.commits)
        self._values: dict[str, JsonValue] = {commit.key: commit.value for commit in self.commits}
        self._replaced = dict(replaced or {})

    @property
    def version(self) -> int:
        """The newest version; 0 at the beginning."""
        return len(self.commits)

    def commit(self, key: str, value: JsonValue, *, step: str, owner: str, partial: bool = False) -> JsonValue:
        """Commit an output; the value that counts, which a rewind may have replaced.

        Raises:
            LimitExceeded: there are too many versions, or they are too large; nothing was committed.
        """
        if len(self.commits) >= MAX_COMMITS:
            raise LimitExceeded(f"a run's state has at most {MAX_COMMITS:,} versions", fix="nest parts of the work")
        value = self.instead(step, value)
        data = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
        if self.size_bytes + len(data) > MAX_STATE_BYTES:
            raise LimitExceeded(
                f"the output of {step!r} has {len(data):,} bytes; with it the run's state would have more than"
                f" {MAX_STATE_BYTES:,}",
                fix="let steps answer in less and write the rest as artifacts, or nest parts of the work",
            )
        self.size_bytes += len(data)
        self._values[key] = value
        self.commits.append(
            StateCommit(
                version=self.version + 1,
                key=key,
                step=step,
                owner=owner,
                digest=hashlib.sha256(data).hexdigest()[:40],
                size_bytes=len(data),
                value=value,
                partial=partial,
                replaced=self.replaces(step),
                committed_at=workflow.time(),
            )
        )
        return value

    def replaces(self, step: str) -> bool:
        """Whether something is put in place of a step's output."""
        return step in self._replaced

    def instead(self, step: str, value: JsonValue) -> JsonValue:
        """The output of a step, or what is put in its place."""
        return self._replaced.get(step, value)

    def view(self, keys: Iterable[str]) -> dict[str, JsonValue]:
        """The newest values of these keys, as far as there are any."""
        return {key: self._values[key] for key in keys if key in self._values}

    @property
    def values(self) -> Mapping[str, JsonValue]:
        """The newest value of every key."""
        return self._values
