"""``ostinato checkpoints``: the points of a run that can be gone back to."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime

from scripts.effects import effect_lines, effect_objects
from scripts.going_on import origin_object
from scripts.lookup import find_run
from scripts.session import log_to_file, open_existing, serve_here, unserved
from scripts.terminal import COMPLETE, Json, Output
from workers.checkpoints import read_origin
from workers.settings import load_settings


async def checkpoints(run: str, /, *, as_json: Json = False) -> int:
    """List the checkpoints of a run: the versions of its state, and of what is nested in it, oldest first.

    Args:
        run: The run's id.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    log_to_file(settings)
    async with open_existing(settings, output) as session, AsyncExitStack() as stack:
        await find_run(session, run)
        if await unserved(session.client, ["workflows"]):
            # What a run without a result has come to, a worker has to say.
            await serve_here(stack, session.deployment, ["workflows"])
        origin = await read_origin(session.client, run)
        rows = origin_object(origin)
        output.object(
            {
                "run_id": run,
                "workflow_id": run,
                "status": "running" if origin.result is None else origin.result.status.value,
                "checkpoints": rows,
                "effects": effect_objects(origin.done),
            }
        )
        output.text("0: the start")
        for row in rows[1:]:
            at = datetime.fromtimestamp(row["committed_at"], UTC)
            output.text(
                f"{row['checkpoint']}: {row['key']}, by {row['step']} ({row['owner']}), {row['size_bytes']:,} bytes, "
                f"{at:%Y-%m-%d %H:%M:%S}"
            )
        for line in effect_lines(origin.done):
            output.text(line)
        output.note(
            f"go back to one: ostinato rewind {run} --to {rows[-1]['checkpoint']}, or ostinato fork {run} --from ..."
        )
    return COMPLETE
