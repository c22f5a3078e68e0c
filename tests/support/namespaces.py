"""Namespaces of their own on the tests' server: for tests that need another store than the one that all share."""

import asyncio
import itertools
import os
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest, RegisterNamespaceRequest
from temporalio.service import RPCError

from workers.client import connect
from workers.deployment import Deployment
from workers.server import ServerInfo
from workers.settings import Settings, load_settings

_numbers = itertools.count()


async def new_namespace(server: ServerInfo, retention: timedelta = timedelta(days=1)) -> str:
    """Register a namespace, and wait until it can be used."""
    client = await connect(load_settings(store="memory://nothing"), address=server.address)
    name = f"own-{os.getpid()}-{next(_numbers)}"
    period = Duration(seconds=int(retention.total_seconds()))
    request = RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=period)
    await client.workflow_service.register_namespace(request)
    async with asyncio.timeout(30):
        while True:
            try:
                await client.workflow_service.list_workflow_executions(ListWorkflowExecutionsRequest(namespace=name))
            except RPCError:
                await asyncio.sleep(0.05)
            else:
                return name


async def deployment_in(namespace: str, server: ServerInfo, settings: Settings) -> Deployment:
    """A deployment that is configured as users configure an existing server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEMPORAL_ADDRESS", server.address)
        patch.setenv("TEMPORAL_NAMESPACE", namespace)
        return await Deployment.connect(settings)
