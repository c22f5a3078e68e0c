"""Client connections: the only place that connects to Temporal, with the plugin and readable errors."""

import asyncio
from typing import Any

from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError

from activities.errors import ConfigurationInvalid, redact
from workers.plugin import ostinato_plugin
from workers.settings import Settings, load_settings

CONNECT_SECONDS = 10.0
"""How long an address may take to answer."""


async def connect(settings: Settings | None = None, *, address: str = "") -> Client:
    """Connect with the plugin.

    Args:
        settings: the deployment's; read from the environment where absent.
        address: a dev server's; otherwise ``TEMPORAL_ADDRESS``, ``TEMPORAL_NAMESPACE``, keys, TLS and profiles, as the
            Temporal SDK reads them.

    Raises:
        ConfigurationInvalid: nothing answers there, or it refuses.
    """
    settings = settings or load_settings()
    try:
        config: dict[str, Any] = {} if address else dict(ClientConfig.load_client_connect_config())
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigurationInvalid(
            f"the Temporal client profile cannot be read: {redact(str(error))}",
            fix="correct it, or unset TEMPORAL_PROFILE",
        ) from error
    target = address or config.pop("target_host", None) or "127.0.0.1:7233"
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await Client.connect(target, plugins=[ostinato_plugin(settings)], **config)
    except (RPCError, RuntimeError, TimeoutError, OSError) as error:
        raise ConfigurationInvalid(
            f"no Temporal server answers at {target}: {redact(str(error)) or 'timeout'}",
            fix="start one with `ostinato up`, or set TEMPORAL_ADDRESS to one that runs",
        ) from error
