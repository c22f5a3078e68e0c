"""``ostinato show RUN --state`` and ``--diff``: the versions of a run's state, as text and as JSON."""

import difflib
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import JsonValue

from activities.errors import ConfigurationInvalid
from scripts.lookup import find_run, is_running
from scripts.session import Session, serve_here, unserved
from scripts.terminal import Output
from workers.states import RunStateView, read_state
from workflows.contracts import StateCommit

MAX_TEXT = 1000
"""Characters of a value that people are shown; JSON has it whole."""
MAX_LINES = 40
"""Lines of one value's difference."""
MAX_PATH = 400


@dataclass(frozen=True)
class StateWanted:
    """What of a run's state is wanted."""

    state: Annotated[bool, Parameter(negative="")] = False
    """Show the run's state: what its steps have committed, version by version."""
    at: int | None = None
    """Show it at this version; 0 is the start."""
    diff: str = ""
    """Show what changed between two versions, such as 1..3; 0 is the start."""

    def __bool__(self) -> bool:
        return self.state or self.at is not None or bool(self.diff)


NO_STATE = StateWanted()


async def show_state(session: Session, run: str, output: Output, wanted: StateWanted, *, step: str = "") -> None:
    """Show the state of a run, or of what is nested in it, at a version, or what changed between two.

    Args:
        session: where the run is.
        run: the run's id, with the path of a nested workflow where one is meant.
        output: where it is shown.
        wanted: which version, or which two.
        step: that path.

    Raises:
        ConfigurationInvalid: there is no such run, path or version.
    """
    run_id, _, path = run.partition("/")
    path = _path(step or path)
    versions = _versions(wanted.diff) if wanted.diff else None
    _, description = await find_run(session, run_id)
    async with AsyncExitStack() as stack:
        if is_running(description) and await unserved(session.client, ["workflows"]):
            await serve_here(stack, session.deployment, ["workflows"])  # what it has come to, a worker has to say
        view = await read_state(session.client, f"{run_id}/{path}" if path else run_id)
    value: dict[str, Any] = {"run_id": run_id, "workflow_id": view.workflow_id, "status": view.status}
    if versions:
        _show_difference(view, *versions, value, output)
    else:
        _show_version(view, wanted.at, value, output)
    output.object(value)


def _show_version(view: RunStateView, at: int | None, value: dict[str, Any], output: Output) -> None:
    version = len(view.commits) if at is None else at
    values = view.at(version)
    value |= {
        "version": version,
        "newest": len(view.commits),
        "values": {key: commit.value for key, commit in values.items()},
        "left_out": [key for key, commit in values.items() if commit.left_out],
        "versions": [_version(commit) for commit in view.commits],
    }
    output.text(f"state of {view.workflow_id}: version {version} of {len(view.commits)}, {view.status}", style="bold")
    for commit in view.commits[:version]:
        current = "" if values[commit.key] is commit else ", replaced later"
        partial = ", partial" if commit.partial else ""
        put = ", set anew (--set)" if commit.replaced else ""
        output.text(
            f"version {commit.version}: {commit.key}, by {commit.step} ({commit.owner}), {_when(commit)}, "
            f"{commit.size_bytes:,} bytes, {commit.digest[:12]}{partial}{put}{current}"
        )
    for key, commit in values.items():
        output.text()
        output.text(f"{key} =", style="bold")
        output.text(_shown(commit))


def _show_difference(view: RunStateView, one: int, other: int, value: dict[str, Any], output: Output) -> None:
    changes = view.between(one, other)
    value |= {
        "from": one,
        "to": other,
        "changes": [
            {
                "key": key,
                "change": "added" if before is None else "removed" if after is None else "changed",
                "before": _version(before) | {"value": before.value} if before else None,
                "after": _version(after) | {"value": after.value} if after else None,
            }
            for key, before, after in changes
        ],
    }
    output.text(f"state of {view.workflow_id}: from version {one} to version {other}", style="bold")
    for key, before, after in changes:
        output.text()
        if before is None and after is not None:
            output.text(f"+ {key}, version {after.version}, by {after.step}", style="green")
            output.text(_shown(after))
        elif before is not None and after is None:
            output.text(f"- {key}, version {before.version}, by {before.step}", style="red")
        elif before is not None and after is not None:
            output.text(f"~ {key}, version {before.version} and then {after.version}, by {after.step}", style="yellow")
            for line in _difference(before, after):
                output.text(line)
    if not changes:
        output.text("nothing has changed")


def _difference(before: StateCommit, after: StateCommit) -> Iterator[str]:
    if before.left_out or after.left_out:
        yield f"{before.size_bytes:,} bytes ({before.digest[:12]}) became {after.size_bytes:,} ({after.digest[:12]})"
        return
    old, new = _text(before.value).splitlines(), _text(after.value).splitlines()
    lines = [line for line in difflib.unified_diff(old, new, lineterm="", n=1) if line[:3] not in {"---", "+++"}]
    yield from (line[:MAX_TEXT] for line in lines[:MAX_LINES])
    if len(lines) > MAX_LINES:
        yield f"and {len(lines) - MAX_LINES} more lines; --json has both values whole"


def _version(commit: StateCommit) -> dict[str, Any]:
    return {
        "version": commit.version,
        "key": commit.key,
        "step": commit.step,
        "owner": commit.owner,
        "committed_at": commit.committed_at,
        "size_bytes": commit.size_bytes,
        "digest": commit.digest,
        "partial": commit.partial,
        "replaced": commit.replaced,
        "left_out": commit.left_out,
    }


def _shown(commit: StateCommit) -> str:
    if commit.left_out:
        return f"({commit.size_bytes:,} bytes, not kept where the run was stopped)"
    text = _text(commit.value)
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}\n({len(text) - MAX_TEXT:,} more characters; --json has all of it)"


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _when(commit: StateCommit) -> str:
    return f"{datetime.fromtimestamp(commit.committed_at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _path(path: str) -> str:
    """The path of a nested workflow, as ``show`` names steps."""
    path = path.strip("/")
    if len(path) > MAX_PATH or any(part in {"", ".", ".."} for part in path.split("/") if path):
        raise ConfigurationInvalid("that is no path of a step", fix="copy one from ostinato show RUN")
    return path


def _versions(diff: str) -> tuple[int, int]:
    """Two versions, as ``1..3``."""
    words = diff.split("..")
    if len(words) != 2 or not all(word.isdecimal() and word.isascii() and len(word) <= 6 for word in words):
        raise ConfigurationInvalid(
            f"{diff[:60]!r} names no two versions", fix="give two, as in --diff 1..3; 0 is the start"
        )
    return int(words[0]), int(words[1])
