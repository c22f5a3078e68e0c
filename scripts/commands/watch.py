"""``ostinato watch``: a run as it happens, a tree in a terminal and lines elsewhere."""

import sys
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.live import Live

from scripts.lookup import find_run, is_running
from scripts.results import EXIT_CODES
from scripts.session import Session, open_existing, pools_of, quiet, unserved
from scripts.terminal import Output
from scripts.tree import RunTree, plain_line, progress_object
from workers.following import follow
from workers.runs import RunHandle, read_input, read_result
from workers.settings import load_settings
from workers.spent import with_spent
from workflows.contracts import RunResult

FRAMES = 4
"""Pictures of the live tree a second."""


_Lines = Annotated[
    bool, Parameter(name="--json", negative="", help="Print one JSON object per line: each change, then the end.")
]


async def watch(run: str, /, *, as_json: _Lines = False) -> int:
    """Watch a run until it ends: a live tree in a terminal, one line for each change elsewhere.

    Args:
        run: The run's id.
        as_json: Print one JSON object for each change, and one for the end.
    """
    output, settings = Output(as_json=as_json), load_settings()
    quiet()
    async with open_existing(settings, output) as session:
        handle, description = await find_run(session, run)
        given = await read_input(session.client, run)
        tree = RunTree(f"run {run}: {given.team.team}")
        running = is_running(description)
        if running and (missing := await unserved(session.client, pools_of(given.queues))):
            output.note(f"no worker serves {', '.join(missing)}: the run waits for one; see `ostinato up`")
        if running and sys.stdout.isatty() and not as_json:
            await _live(session, handle, tree)
        else:
            async for progress in follow(session.client, run):
                tree.add(progress)
                if as_json:
                    output.object(progress_object(run, progress))
                elif running:
                    output.text(plain_line(progress))
                output.flush()
        result = await read_result(handle, rpc_timeout=timedelta(seconds=60))
        result = await with_spent(session.client, given, result)
        tree.settle(result)
        if not as_json:
            _console().print(tree.show(final=True))
        _end(run, result, output)
    return EXIT_CODES[result.status]


async def _live(session: Session, handle: RunHandle, tree: RunTree) -> None:
    """The tree as it grows; it gives way to the final one."""
    with Live(console=_console(), get_renderable=tree.live, refresh_per_second=FRAMES, transient=True):
        async for progress in follow(session.client, handle.id):
            tree.add(progress)


def _console() -> Console:
    # Where nobody says how wide it is, no line is broken.
    width = None if sys.stdout.isatty() else 400
    return Console(highlight=False, markup=False, emoji=False, width=width)


def _end(run: str, result: RunResult, output: Output) -> None:
    usage = result.usage
    line = f"run {run}: {result.status.value}, {usage.model_calls} model calls, {usage.tool_calls} tool calls"
    output.text(f"{line}, {usage.tokens:,} tokens, {usage.cost_usd:.4f} USD")
    value: dict[str, Any] = {
        "run_id": run,
        "workflow_id": run,
        "status": result.status.value,
        "tokens": usage.tokens,
        "cost_usd": usage.cost_usd,
    }
    if result.failure:
        output.note(f"failure: {result.failure.kind.value}: {result.failure.message}")
        value["failure"] = {"kind": result.failure.kind.value, "message": result.failure.message}
    output.object(value)
