"""``ostinato replay``: do the workflows of this code still do what these histories say?"""

from pathlib import Path

from activities.errors import ConfigurationInvalid, redact
from scripts.session import quiet
from scripts.terminal import COMPLETE, FAILED, USAGE, Json, Output
from workers.bundles import read_bundle, replay_bundle
from workers.settings import Settings, load_settings


async def replay(*paths: Path, as_json: Json = False) -> int:
    """Replay exported histories; nothing is called, and no server is needed.

    Args:
        paths: Files, or folders of them, that `ostinato history export` has written.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    quiet()
    files = [file for path in paths for file in (sorted(path.rglob("*.json")) if path.is_dir() else [path])]
    if not files:
        raise ConfigurationInvalid("there is nothing to replay", fix="give files or folders of exported histories")
    verdicts = []
    for file in files:
        state, problem = await _verdict(file, settings)
        output.text(f"{state} {file}{': ' + problem if problem else ''}")
        verdicts.append({"path": str(file), "state": state, "problem": problem})
    output.object({"replays": verdicts})
    states = {verdict["state"] for verdict in verdicts}
    return FAILED if "failed" in states else USAGE if "unreadable" in states else COMPLETE


async def _verdict(file: Path, settings: Settings) -> tuple[str, str]:
    try:
        bundle = read_bundle(file)
    except ConfigurationInvalid as error:
        return "unreadable", f"{error}; fix: {error.fix}"
    try:
        await replay_bundle(bundle, settings)
    except Exception as error:
        return "failed", redact(f"{type(error).__name__}: {error}")
    return "ok", ""
