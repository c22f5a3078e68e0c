"""A deployment as its clients and workers see it: settings, connection, object store, tools."""

import importlib
from dataclasses import dataclass

from temporalio.client import Client

from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore
from activities.tools.base import Tool, collect_tools
from workers.client import connect
from workers.plugin import load_codec
from workers.server import running_server
from workers.settings import Settings, load_settings
from workflows.teams.platform import PLATFORM_TOOLS

BUILT_IN_TOOLS = (
    "activities.tools.artifacts",
    "activities.tools.briefs",
    "activities.tools.documents",
    "activities.tools.expenses",
    "activities.tools.fetch",
    "activities.tools.line_labels",
    "activities.tools.quotes",
)


@dataclass(frozen=True)
class Deployment:
    """What every command and worker starts from."""

    settings: Settings
    client: Client
    store: ObjectStore
    tools: dict[str, Tool]

    @classmethod
    async def connect(cls, settings: Settings | None = None, *, address: str = "") -> "Deployment":
        """Connect to a deployment; to that of the environment where nothing is given.

        Raises:
            ConfigurationInvalid: settings, tools, store or server cannot be used.
        """
        settings = settings or load_settings()
        tools, codec = load_tools(settings), load_codec(settings)
        if not address and (server := await running_server(settings)) and server.origin != "configured":
            address = server.address  # the dev server of this home, on whichever port it found
        client = await connect(settings, address=address)
        store = ObjectStore(settings.store_address, namespace=client.namespace, codec=codec)
        return cls(settings, client, store, tools)


def load_tools(settings: Settings) -> dict[str, Tool]:
    """The tools that this deployment offers.

    Raises:
        ConfigurationInvalid: a module that cannot be imported, or two tools of one name.
    """
    modules = []
    for name in (*BUILT_IN_TOOLS, *settings.tool_modules):
        try:
            modules.append(importlib.import_module(name))
        except ImportError as error:
            raise ConfigurationInvalid(
                f"the tool module {name!r} cannot be imported: {error}", fix="correct OSTINATO_TOOL_MODULES"
            ) from error
    tools = collect_tools(modules)
    for name in PLATFORM_TOOLS & tools.keys():
        raise ConfigurationInvalid(f"a tool is named {name!r}, which is the platform's own", fix="rename it")
    return tools
