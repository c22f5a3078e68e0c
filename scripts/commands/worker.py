"""``ostinato worker``: workers of some pools, for a server that runs already."""

import asyncio

from activities.errors import ConfigurationInvalid
from scripts.commands.up import serve_until_stopped
from scripts.session import check_keys, log_to_stderr, open_session
from scripts.terminal import COMPLETE, Json, Output
from workers.health import serving_health
from workers.pools import POOLS
from workers.server import running_server
from workers.settings import load_settings


async def worker(*pools: str, as_json: Json = False) -> int:
    """Serve pools until SIGTERM or Ctrl-C; logs are JSON lines on stderr.

    Args:
        pools: Names of pools, or all.
        as_json: Print one JSON object when it is ready.
    """
    output, settings = Output(as_json=as_json), load_settings()
    names = POOLS if "all" in pools else tuple(dict.fromkeys(pools))
    unknown = [name for name in names if name not in POOLS]
    if unknown or not names:
        raise ConfigurationInvalid(
            f"there is no pool {unknown[0]!r}" if unknown else "no pool is named",
            fix=f"choose among {', '.join(POOLS)}, or all",
        )
    check_keys(settings, pools)
    log_to_stderr(settings)
    if await running_server(settings) is None:
        raise ConfigurationInvalid(
            "there is no Temporal server to work for",
            fix="set TEMPORAL_ADDRESS to one that runs, or start one with `ostinato up`",
        )
    # A user of the dev server like any other: it stays while this worker does.
    async with serving_health(settings.health_address) as health, open_session(settings, output) as session:
        watching = asyncio.create_task(health.watch(session.client)) if health.address else None
        more = f"health at http://{health.address}/readyz; " if health.address else ""
        try:
            more += "SIGTERM ends it when the calls under way have ended"
            await serve_until_stopped(session, names, output, more, health)
        finally:
            if watching:
                watching.cancel()
    return COMPLETE
