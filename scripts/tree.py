"""A run as a tree: what each step does, did and used, put together from its progress and at last from its result."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text
from rich.tree import Tree

from scripts.terminal import one_line
from workers.progress import Progress
from workflows.contracts import RunResult, RunStatus

MAX_ROWS = 300
"""Steps that are shown; the rest is counted."""
LIVE_CALLS, ALL_CALLS = 3, 12
"""Calls that are shown below a step: while it runs, and in the final tree."""
_STYLES = {
    "running": "bold cyan",
    "complete": "green",
    "partial": "yellow",
    "failed": "red",
    "retrying": "yellow",
    "done": "green",
}


@dataclass
class Row:
    """One step."""

    path: str
    agent: str = ""
    state: str = "running"
    begun: float = 0.0
    ended: float = 0.0
    tokens: int = 0
    cost_usd: float = 0.0
    turns: int = 0
    tools: int = 0
    detail: str = ""
    is_refused: bool = False
    """A check found fault with its last answer."""
    calls: dict[str, Progress] = field(default_factory=dict)
    """By ordinal, the newest last: what is under way, or its end."""

    def add(self, progress: Progress) -> None:
        """Note what happened to one of its calls."""
        self.agent = progress.what.partition(": ")[0]  # before that, a workflow's type
        self.begun = self.begun or progress.at
        self.calls.pop(progress.step, None)
        self.calls[progress.step] = progress
        if progress.state in {"started", "retrying", "retried"}:
            self.state = "running"
            return
        self.is_refused = progress.is_refused
        self.ended = progress.at
        self.tokens += progress.tokens
        self.cost_usd += progress.cost_usd
        self.turns += progress.kind == "model"
        self.tools += progress.kind == "tool"
        if progress.is_answer or (progress.state == "failed" and not self._under_way()):
            self.state = "complete" if progress.is_answer else "failed"
            self.detail = progress.detail

    def close(self, *, failed: bool) -> None:
        """What came after it has begun: it has ended, whatever its own calls tell."""
        if self.state == "running" and self.calls and not self._under_way():
            self.state = "failed" if failed or self.is_refused else "complete"

    def _under_way(self) -> bool:
        return any(call.state in {"started", "retrying", "retried"} for call in self.calls.values())


class RunTree:
    """All steps of one run by their paths."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._rows: dict[str, Row] = {}

    def add(self, progress: Progress) -> None:
        """Note what happened."""
        if progress.path not in self._rows:
            self._close_before(progress.path)
        row = self._rows.setdefault(progress.path, Row(progress.path))
        if progress.kind != "workflow":
            row.add(progress)
        elif progress.state == "started":
            row.begun, row.agent, row.detail = progress.at, row.agent or progress.what, progress.detail
        else:
            row.state = "complete" if progress.state == "done" else "failed"
            row.ended, row.detail = progress.at, progress.detail

    def _close_before(self, path: str) -> None:
        """Close what has ended where this begins: earlier attempts, and earlier phases of the same parent."""
        above, _, name = path.rpartition("/")
        if name.isdigit():
            for row in self._rows.values():
                if row.path == above or (_is_below(row.path, above) and row.path[len(above) + 1 :].isdigit()):
                    row.close(failed=True)
            return
        for row in self._rows.values() if above else ():
            if _is_below(row.path, above):
                other = row.path[len(above) + 1 :].partition("/")[0]
                if _phase(other) != _phase(name):
                    row.close(failed=False)

    def settle(self, result: RunResult) -> None:
        """Note what the run says of its steps: that is what counts."""
        for step in result.steps:
            row = self._rows.setdefault(step.step, Row(step.step))
            row.agent = step.agent.partition("/")[2].partition("@")[0] or row.agent
            row.state, row.detail = step.status.value, step.reason
            row.tokens, row.cost_usd = step.tokens, step.cost_usd
        for row in self._rows.values():
            if row.state == "running":
                row.state = "failed" if result.status is RunStatus.FAILED else "complete"

    def live(self) -> "Fitted":
        """The tree as it is now, in as many lines as there are."""
        return Fitted(self)

    def show(self, *, final: bool = False, fold: int = 0) -> RenderableType:
        """The tree as it is now. ``fold``: 1 hides the calls of steps that have ended, 2 these steps themselves."""
        now = time.time()
        top = Tree(Text(one_line(self._title), style="bold"), guide_style="dim")
        branches = {"": top}
        rows = [row for row in self._rows.values() if fold < 2 or self._is_live(row)]
        if hidden := len(self._rows) - len(rows):
            top.add(Text(f"{hidden} steps that have ended", style="dim"))
        for row in rows[:MAX_ROWS]:
            above = next(path for path in _above(row.path) if path in branches)
            branch = branches[above].add(self._line(row, above, now))
            branches[row.path] = branch
            if final or row.state == "running" or (row.state == "failed" and not fold):
                self._add_calls(branch, row, ALL_CALLS if final else LIVE_CALLS, now)
        if len(rows) > MAX_ROWS:
            top.add(Text(f"and {len(rows) - MAX_ROWS} more steps", style="dim"))
        return Group(top)

    def _is_live(self, row: Row) -> bool:
        rows = self._rows.values()
        return row.state == "running" or any(r.state == "running" and _is_below(r.path, row.path) for r in rows)

    def _line(self, row: Row, above: str, now: float) -> Text:
        below = [other for other in self._rows.values() if _is_below(other.path, row.path)]
        tokens = row.tokens or sum(other.tokens for other in below)
        cost = row.cost_usd or sum(other.cost_usd for other in below)
        name = row.path.removeprefix(above).lstrip("/")
        name = f"attempt {name}" if above and name.isdigit() else name
        line = Text(one_line(name))
        if row.agent and row.agent != name:
            line.append(f" {one_line(row.agent)}", style="dim")
        line.append(f" {row.state}", style=_STYLES.get(row.state, ""))
        counts = [f"{row.turns} turns" if row.turns else "", f"{row.tools} tool calls" if row.tools else ""]
        end = now if row.state == "running" else max([row.ended, *(other.ended for other in below)])
        spent = [f"{tokens:,} tokens", f"{cost:.4f} USD", f"{max(0.0, end - row.begun):.1f} s"] if row.begun else []
        line.append(f" {', '.join(part for part in [*counts, *spent] if part)}", style="dim")
        if row.detail:
            line.append(f" {one_line(row.detail)[:200]}", style="red" if row.state == "failed" else "")
        return line

    def _add_calls(self, branch: Tree, row: Row, most: int, now: float) -> None:
        calls = list(row.calls.values())
        if len(calls) > most:
            branch.add(Text(f"{len(calls) - most} earlier calls", style="dim"))
        for call in calls[-most:]:
            state = {"started": "running", "retried": "running"}.get(call.state, call.told)
            line = Text(one_line(call.what.partition(": ")[2] or call.what))
            line.append(f" {state}", style=_STYLES.get(state, ""))
            seconds = call.milliseconds / 1000 if call.milliseconds else max(0.0, now - call.at)
            spent = f" {call.tokens:,} tokens, {seconds:.1f} s" if call.tokens else f" {seconds:.1f} s"
            line.append(spent, style="dim")
            if call.detail:
                line.append(f" {one_line(call.detail)[:200]}")
            branch.add(line)


class Fitted:
    """A live tree that is never higher than its terminal: what is under way stays in sight."""

    def __init__(self, tree: RunTree) -> None:
        self._tree = tree

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As much as fits; of what is too high even when folded, the title and the tail."""
        most, lines = options.size.height, list[list[Segment]]()
        for fold in range(3):
            lines = console.render_lines(self._tree.show(fold=fold), options.update(height=None), pad=False)
            if len(lines) <= most:
                break
        else:
            lines = [*lines[:1], *lines[len(lines) - most + 1 :]] if most > 1 else lines[:1]
        for line in lines:
            yield from line
            yield Segment.line()


def plain_line(progress: Progress) -> str:
    """One thing that happened, for logs and pipes."""
    at = time.strftime("%H:%M:%S", time.localtime(progress.at))
    line = f"{at} {progress.path} {progress.what}: {progress.told}"
    if progress.milliseconds:
        used = f", {progress.tokens:,} tokens, {progress.cost_usd:.4f} USD" if progress.tokens else ""
        line += f" ({progress.milliseconds / 1000:.1f} s{used})"
    return f"{line}: {progress.detail}" if progress.detail else line


def progress_object(run_id: str, progress: Progress) -> dict[str, Any]:
    """The same as the one object of a line of JSON."""
    return {
        "run_id": run_id,
        "workflow_id": progress.workflow_id,
        "path": progress.path,
        "step": progress.step,
        "kind": progress.kind,
        "what": progress.what,
        "state": progress.state,
        "detail": progress.detail,
        "at": round(progress.at, 3),
        "milliseconds": progress.milliseconds,
        "tokens": progress.tokens,
        "cost_usd": progress.cost_usd,
    }


def _above(path: str) -> Iterator[str]:
    """The paths above a path, nearest first; the empty one last."""
    while path:
        path = path.rpartition("/")[0]
        yield path
    yield ""


def _phase(name: str) -> str:
    """Subtasks of one round are made side by side; all else below a parent is made one after the other."""
    subtask = re.fullmatch(r"(s\d+)-\d+", name)
    return subtask[1] if subtask else name


def _is_below(path: str, top: str) -> bool:
    return path.startswith(f"{top}/")
