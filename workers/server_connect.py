"""Checks that a Temporal server answers, and that its namespace can be used."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetSystemInfoRequest,
    RegisterNamespaceRequest,
)
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import ConfigurationInvalid
from workers.server_state import MINIMUM_SERVER, parse_version

CONNECT_SECONDS = 10.0
USABLE_SECONDS = 30.0  # it takes 0.6 s: the server's own caches learn of a new namespace every half second
RETENTION = timedelta(days=30)  # set explicitly: how long closed runs can be shown, exported and resumed
REFUSED = (RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED)


@dataclass(frozen=True)
class Answer:
    """What a configured server said of itself."""

    address: str
    version: str


async def configured_server(notify: Callable[[str], None]) -> Answer | None:
    """The server of ``TEMPORAL_ADDRESS`` or of a Temporal profile; None where neither names one.

    Raises:
        ConfigurationInvalid: where the profile cannot be read, or the server does not answer as it should.
    """
    try:
        config = ClientConfig.load_client_connect_config()
    except Exception as error:
        raise ConfigurationInvalid(
            f"Temporal's own configuration cannot be read: {error}",
            fix="correct the TEMPORAL_* variables or the profile's file",
        ) from error
    address = config.get("target_host")
    if not address:
        return None
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            client = await Client.connect(**config)
            said = await client.workflow_service.get_system_info(GetSystemInfoRequest())
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        raise _not_as_it_should(address, config.get("namespace") or "default", error) from error
    except TimeoutError as error:
        raise _unreachable(address, f"no answer within {CONNECT_SECONDS:.0f} s") from error
    except (RuntimeError, OSError, ValueError) as error:
        raise _unreachable(address, str(error).removeprefix("Failed client connect: ")[:200]) from error
    warn_of_age(address, said.server_version, notify)
    return Answer(address, said.server_version)


def warn_of_age(address: str, version: str, notify: Callable[[str], None]) -> None:
    """Say what is missing on an older server. One that does not tell its version (Temporal Cloud) is current."""
    parsed = parse_version(version)
    if parsed and parsed < MINIMUM_SERVER:
        wanted = ".".join(map(str, MINIMUM_SERVER))
        notify(
            f"the Temporal server {version} at {address} is older than {wanted}:"
            " pausing runs and skipping time do not work there"
        )


async def prepare_namespace(address: str, log: Path) -> None:
    """Make sure that the dev server has the namespace ``default`` and that it can be used.

    Raises:
        ConfigurationInvalid: where it cannot within ``USABLE_SECONDS``.
    """
    deadline = time.monotonic() + USABLE_SECONDS
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            async with asyncio.timeout(max(0.1, deadline - time.monotonic())):
                client = await Client.connect(address)
                await _register_once(client)
                # Answered from the caches that starting a workflow asks too.
                await client.count_workflows()
        except (RPCError, RuntimeError, TimeoutError) as error:
            # A server that has just begun to listen is not healthy yet, and does not know a new namespace yet.
            problem = error
            await asyncio.sleep(0.05)
        else:
            return
    raise ConfigurationInvalid(
        f"the Temporal server at {address} listens, but cannot be used: {problem or 'no answer'}",
        fix=f"read {log}, end the other ostinato commands of this folder, and try again",
    )


async def _register_once(client: Client) -> None:
    service = client.workflow_service
    try:
        await service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        try:
            await service.register_namespace(
                RegisterNamespaceRequest(
                    namespace=client.namespace,
                    workflow_execution_retention_period=Duration(seconds=int(RETENTION.total_seconds())),
                )
            )
        except RPCError as failure:
            if failure.status != RPCStatusCode.ALREADY_EXISTS:
                raise


def _unreachable(address: str, reason: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"the Temporal server at {address} does not answer: {reason}",
        fix="start it or correct TEMPORAL_ADDRESS; unset it to use a dev server of this machine",
    )


def _not_as_it_should(address: str, namespace: str, error: RPCError) -> ConfigurationInvalid:
    if error.status == RPCStatusCode.NOT_FOUND:
        return ConfigurationInvalid(
            f"the Temporal server at {address} has no namespace {namespace!r}",
            fix=f"register it (temporal operator namespace create --namespace {namespace}), or set TEMPORAL_NAMESPACE",
        )
    if error.status in REFUSED:
        return ConfigurationInvalid(
            f"the Temporal server at {address} refuses us: {error.message}",
            fix="check TEMPORAL_API_KEY, the TLS settings and TEMPORAL_NAMESPACE",
        )
    return _unreachable(address, error.message)
