"""``ostinato stop``: ends a run."""

import asyncio
from contextlib import AsyncExitStack
from typing import Annotated

from cyclopts import Parameter

from activities.contracts.failures import FailureKind
from scripts.effects import effect_lines
from scripts.lookup import find_run, is_running
from scripts.session import log_to_file, open_existing, serve_here, unserved
from scripts.terminal import COMPLETE, FAILED, Json, Output
from workers.runs import read_input, read_result
from workers.settings import load_settings
from workers.spent import with_spent

STOP_SECONDS = 30.0
"""A cancelled run ends when its calls have: they learn of it with their next heartbeat, within a second."""


async def stop(run: str, /, *, force: Annotated[bool, Parameter(negative="")] = False, as_json: Json = False) -> int:
    """Stop a run: its calls under way are cancelled, then it ends.

    Args:
        run: The run's id.
        force: End it at once, without giving it a chance to clean up.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    log_to_file(settings)
    async with open_existing(settings, output) as session, AsyncExitStack() as stack:
        handle, description = await find_run(session, run)
        was_running = is_running(description)
        if was_running and force:
            await handle.terminate("ostinato stop --force")
        elif was_running:
            await handle.cancel()
            if await unserved(session.client, ["workflows"]):
                # Nobody is there who could carry the cancellation out. Its calls need no worker to be cancelled.
                await serve_here(stack, session.deployment, ["workflows"])
        try:
            async with asyncio.timeout(STOP_SECONDS):
                result = await read_result(handle)
            if was_running:
                result = await with_spent(session.client, await read_input(session.client, run), result)
        except TimeoutError:
            output.error(
                f"the run {run} did not end within {STOP_SECONDS:.0f} s: it makes nothing new, but ends only with its call under"
                " way, and may be undoing its effects",
                f"ostinato watch {run} shows it; ostinato stop {run} --force ends it at once, and leaves them as they are",
            )
            return FAILED
        stopped = was_running and result.failure is not None and result.failure.kind is FailureKind.CANCELLED
        how = f"{result.status.value}: {result.failure.message}" if result.failure else result.status.value
        ended = f"run {run} ended by itself meanwhile: {how}" if was_running else f"run {run} has ended already: {how}"
        output.text(f"stopped run {run}" if stopped else ended)
        if was_running:
            usage = result.usage
            output.text(
                f"used until then: {usage.model_calls} model calls, {usage.tool_calls} tool calls, "
                f"{usage.tokens:,} tokens, {usage.cost_usd:.4f} USD"
            )
        for line in effect_lines(result.done) if was_running else ():
            output.text(line)
        for sentence in result.missing if was_running else ():
            output.note(sentence)
        output.object({"run_id": run, "workflow_id": run, "stopped": stopped, "status": result.status.value})
    return COMPLETE
