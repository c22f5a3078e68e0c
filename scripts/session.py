"""What commands share: a quiet SDK, a server, a deployment, and workers where nobody else serves a run."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from activities.errors import ConfigurationInvalid
from activities.providers.vendors import VENDORS, Vendor
from scripts.terminal import INTERRUPTED, Output
from workers.deployment import Deployment
from workers.pools import running_pools
from workers.server import ServerInfo, running_server, temporal_server
from workers.server_state import identity
from workers.settings import Settings
from workers.telemetry import start_logging

LOG_FILE = "ostinato.log"
MAX_LOG_BYTES = 10 * 1024 * 1024
"""A longer log file is begun anew by the next command that writes it."""
POLLER_SECONDS = 75.0
"""A poll lasts a minute, and the server remembers who polled for five: who has not polled for longer is gone."""
PASSING = "/run"
"""The end of the identity of workers that live inside ``ostinato run`` and leave with it."""

_RPC = timedelta(seconds=5)


@dataclass(frozen=True)
class Session:
    """One command's connection."""

    deployment: Deployment
    server: ServerInfo

    @property
    def client(self) -> Client:
        """The connection to Temporal."""
        return self.deployment.client

    def ui_of(self, workflow_id: str) -> str:
        """Where the Temporal UI shows a run; empty where there is no UI that we know of."""
        url = self.server.ui_url
        return f"{url}/namespaces/{self.client.namespace}/workflows/{workflow_id}" if url else ""


@asynccontextmanager
async def open_session(settings: Settings, output: Output) -> AsyncIterator[Session]:
    """A session with the server of this deployment, started where it is a dev server that does not run.

    Raises:
        ConfigurationInvalid: no server, or it cannot be used.
    """
    async with temporal_server(settings, output.note) as server:
        yield Session(await _connect(settings, server), server)


@asynccontextmanager
async def open_existing(settings: Settings, output: Output) -> AsyncIterator[Session]:
    """The same for commands on runs that exist already: where there can be none, nothing is started or made.

    Raises:
        ConfigurationInvalid: there has never been a run here.
    """
    running = await running_server(settings)
    if running is None and not (settings.home / "server").is_dir():
        raise ConfigurationInvalid(
            f"there are no runs in {settings.home}",
            fix="start one with `ostinato run`, or set OSTINATO_HOME or TEMPORAL_ADDRESS to where they are",
        )
    notify = (lambda _: None) if running else output.note
    async with temporal_server(settings, notify) as server:
        yield Session(await _connect(settings, server), server)


async def join_running(settings: Settings) -> Session | None:
    """A session with a server that runs already. Starts nothing."""
    server = await running_server(settings)
    return Session(await _connect(settings, server), server) if server else None


def log_to_stderr(settings: Settings) -> None:
    """JSON lines on stderr, those of the SDK's core too."""
    start_logging(settings)
    core = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    logs = LoggingConfig(filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=core)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logs)), error_if_already_set=False)


def log_to_file(settings: Settings) -> None:
    """The same into a file of the home folder, so that the terminal belongs to the command."""
    log_to_stderr(settings)
    path = settings.home / LOG_FILE
    try:
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size > MAX_LOG_BYTES:
                path.unlink()
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise ConfigurationInvalid(
            f"the home folder {settings.home} cannot be used: {error.strerror}",
            fix="set OSTINATO_HOME to a folder that you can write to",
        ) from error
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(file)


def quiet() -> None:
    """No logs: for commands that run no worker, and say themselves what went wrong."""
    logging.getLogger().addHandler(logging.NullHandler())
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=None)), error_if_already_set=False)


async def unserved(client: Client, pools: Iterable[str], *, lasting: bool = False) -> list[str]:
    """The pools that no living worker polls for, as the server tells it.

    ``lasting``: workers inside another ``ostinato run`` do not count, for they leave with their run.
    """
    names = list(pools)
    served = await asyncio.gather(*(_is_served(client, name, lasting=lasting) for name in names))
    return [name for name, is_served in zip(names, served, strict=True) if not is_served]


def pools_of(queues: Iterable[str]) -> list[str]:
    """The pools that a run needs, by the task queues of its models."""
    return ["workflows", "tools", *sorted({queue.removeprefix("ostinato-") for queue in queues})]


async def serve_here(
    stack: AsyncExitStack, deployment: Deployment, pools: Sequence[str], *, lasting: bool = False
) -> None:
    """Workers of this process for the pools, until the stack ends; ``lasting`` where that is a deployment.

    Raises:
        ConfigurationInvalid: as ``workers.pools.running_pools`` says.
    """
    mark = f"{os.getpid()}@{socket.gethostname()}{'' if lasting else PASSING}"
    await stack.enter_async_context(running_pools(deployment, pools, identity=mark))


def check_keys(settings: Settings, pools: Sequence[str]) -> None:
    """Refuse to serve a provider that would refuse us at the first call, which would end the run.

    Raises:
        ConfigurationInvalid: its key is missing.
    """
    for name, vendor in VENDORS.items():
        if f"models-{name}" in pools and not has_access(settings, vendor):
            raise ConfigurationInvalid(
                f"the provider {name!r} has no key, and no deployment is there that could have one",
                fix=f"set {vendor.key_variable}, or {vendor.address_variable} for a server of your own, "
                "or leave --provider away",
            )


def has_access(settings: Settings, vendor: Vendor) -> bool:
    """Whether this process could call a provider: by a key, or at an address that may need none."""
    key, address = getattr(settings, f"{vendor.name}_api_key"), getattr(settings, f"{vendor.name}_base_url")
    return bool(key.get_secret_value().strip() or address.strip())


def leave_at_second_interrupt() -> None:
    """The first Ctrl-C gives the calls under way their time; who presses it again does not want to wait."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, os._exit, INTERRUPTED)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Ask again and again until something is so on the server.

    Raises:
        TimeoutError: it was not, for as long.
    """
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


async def _connect(settings: Settings, server: ServerInfo) -> Deployment:
    # A configured server has TLS and keys in its profile, so its address alone is not enough.
    return await Deployment.connect(settings, address="" if server.origin == "configured" else server.address)


async def _is_served(client: Client, pool: str, *, lasting: bool) -> bool:
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if pool == "workflows" else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=f"ostinato-{pool}"), task_queue_type=kind
    )
    described = await client.workflow_service.describe_task_queue(request, timeout=_RPC)
    pollers = (p for p in described.pollers if not (lasting and p.identity.endswith(PASSING)))
    return any(_lives(poller) for poller in pollers)


def _lives(poller: PollerInfo) -> bool:
    """The server remembers workers that were killed; of this machine's we know better."""
    if time.time() - poller.last_access_time.seconds > POLLER_SECONDS:
        return False
    pid, _, host = poller.identity.removesuffix(PASSING).partition("@")
    return host != socket.gethostname() or not pid.isdigit() or bool(identity(int(pid)))
