"""``ostinato history export``: a run's history with all that it refers to, as one file."""

from pathlib import Path

from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore
from scripts.lookup import find_run
from scripts.session import open_existing, quiet
from scripts.terminal import COMPLETE, Json, Output
from workers.bundles import export_bundle, write_bundle
from workers.settings import load_settings


async def export(run: str, /, *, output: Path | None = None, as_json: Json = False) -> int:
    """Write a run's history with its payloads into one file, which `ostinato replay` replays anywhere.

    Args:
        run: The run's id.
        output: The file to write; RUN.history.json in the current folder where it is not given.
        as_json: Print one JSON object.
    """
    out, settings = Output(as_json=as_json), load_settings()
    quiet()
    path = output or Path(f"{run}.history.json")
    async with open_existing(settings, out) as session:
        await find_run(session, run)
        bundle = await export_bundle(session.client, ObjectStore(settings.store_address), run)
    try:
        write_bundle(bundle, path)
    except OSError as error:
        raise ConfigurationInvalid(
            f"{path} cannot be written: {error.strerror}", fix="give a file in a folder that you can write to"
        ) from error
    events = sum(len(history.events) for history in bundle.histories)
    out.text(f"wrote {path}: {len(bundle.histories)} executions, {events} events, {len(bundle.payloads)} payloads")
    out.object(
        {
            "run_id": run,
            "path": str(path.absolute()),
            "executions": len(bundle.histories),
            "events": events,
            "payloads": len(bundle.payloads),
        }
    )
    return COMPLETE
