"""The table of pools: task queue, workflows, activities, limits. ``ALL_WORKFLOWS`` is the only registry of built-in ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from activities.embed_call import EmbedActivities
from activities.errors import ConfigurationInvalid
from activities.human_records import HumanActivities
from activities.mcp.listing import McpActivities
from activities.model_call import ModelActivities
from activities.providers.base import EmbeddingProvider, ModelProvider
from activities.providers.offline_embedding import OfflineEmbedding
from activities.tool_call import ToolActivities
from activities.tools.addresses import FetchPolicy
from workers.deployment import Deployment
from workers.mcp import mcp_clients
from workers.own_workflows import load_workflows, not_for_the_sandbox
from workers.policy import NO_POLICY, load_policy
from workers.registration import bind_policy, bind_store, register_search_attributes
from workers.settings import Settings
from workflows import policies, steps
from workflows.entities.human_task import HumanTaskWorkflow
from workflows.patterns.agent import AgentWorkflow
from workflows.patterns.call import CallWorkflow
from workflows.patterns.debate import DebateWorkflow
from workflows.patterns.fan_out import FanOutWorkflow
from workflows.patterns.hierarchy import HierarchyWorkflow
from workflows.patterns.monitor import MonitorWorkflow
from workflows.patterns.network import NetworkWorkflow
from workflows.patterns.person import PersonWorkflow
from workflows.patterns.pipeline import PipelineWorkflow
from workflows.patterns.plan import PlanWorkflow
from workflows.patterns.refine import RefineWorkflow
from workflows.patterns.router import RouterWorkflow
from workflows.patterns.session import SessionWorkflow
from workflows.patterns.supervisor import SupervisorWorkflow

ALL_WORKFLOWS: tuple[type, ...] = (
    AgentWorkflow,
    CallWorkflow,
    PipelineWorkflow,
    FanOutWorkflow,
    SupervisorWorkflow,
    HierarchyWorkflow,
    RouterWorkflow,
    PlanWorkflow,
    NetworkWorkflow,
    SessionWorkflow,
    PersonWorkflow,
    MonitorWorkflow,
    DebateWorkflow,
    RefineWorkflow,
    HumanTaskWorkflow,
)

PROVIDERS = ("offline", "openai", "anthropic", "gemini")
POOLS = ("workflows", "tools", *(f"models-{name}" for name in PROVIDERS))
EXIT_PAUSE_SECONDS = 0.5
"""SDK 1.35 can crash at interpreter exit right after a worker or replayer ends: what runs one sleeps this long before
its event loop closes."""


def load_provider(name: str, settings: Settings) -> ModelProvider:
    """One provider with its keys. The only place that imports implementations."""
    if name == "offline":
        from activities.providers.offline import OfflineProvider  # noqa: PLC0415 -- a pool loads only its own provider

        return OfflineProvider()
    if name == "anthropic":
        from activities.providers.anthropic import AnthropicProvider  # noqa: PLC0415 -- as above

        return AnthropicProvider(api_key=settings.anthropic_api_key, base_url=settings.anthropic_base_url)
    if name == "gemini":
        from activities.providers.gemini import GeminiProvider  # noqa: PLC0415 -- as above

        return GeminiProvider(api_key=settings.gemini_api_key, base_url=settings.gemini_base_url)
    from activities.providers.openai import OpenAIProvider  # noqa: PLC0415 -- a pool loads only its own provider

    return OpenAIProvider(api_key=settings.openai_api_key, base_url=settings.openai_base_url)


@dataclass(frozen=True)
class Pool:
    """One row of the table: what polls one task queue."""

    name: str
    task_queue: str
    workflows: Sequence[type] = ()
    activities: Sequence[Callable[..., Any]] = ()
    max_concurrent_activities: int | None = None
    providers: Sequence[ModelProvider] = field(default=())
    closing: Sequence[Callable[[], Awaitable[None]]] = ()
    """What to end when its worker has drained."""


def build_pool(
    name: str, deployment: Deployment, providers: Mapping[str, ModelProvider], beside: Sequence[str] = ()
) -> Pool:
    """Read one row of the table.

    Args:
        name: one of ``POOLS``.
        deployment: store, tools, limits and keys.
        providers: in place of the real ones, by name; tests script them.
        beside: all pools that the process serves.

    Raises:
        ConfigurationInvalid: no such pool.
    """
    settings, store = deployment.settings, deployment.store
    if name == "workflows":
        return Pool(name, steps.WORKFLOW_QUEUE, workflows=load_workflows(settings, ALL_WORKFLOWS))
    if name == "tools":
        policy = load_policy(settings.policy, deployment.tools)
        told = (FetchPolicy.parse(settings.fetch_allowed_hosts), *([policy] if policy else ()))
        mcp = mcp_clients(settings)
        tools = ToolActivities(store, deployment.tools, settings.secrets, told, mcp)
        people = HumanActivities(store)
        activities = (tools.call_tool, McpActivities(store, mcp).list_tools, people.find, people.record)
        return Pool(name, steps.TOOL_QUEUE, (), activities, settings.tool_concurrency, closing=(mcp.aclose,))
    provider_name = name.removeprefix("models-")
    if name not in POOLS and provider_name not in providers:
        raise ConfigurationInvalid(f"there is no pool {name!r}", fix=f"choose among {', '.join(POOLS)}, or all")
    provider = providers.get(provider_name) or load_provider(provider_name, settings)
    # Which tools there are only those know who serve them: a worker of models alone asks nobody, and the call will tell.
    models = ModelActivities(store, {provider_name: provider}, deployment.tools if "tools" in beside else None)
    queue = steps.model_queue(provider_name)
    # N-grams are everywhere: a run whose provider has no embeddings needs no other pool for them.
    embedding: dict[str, EmbeddingProvider] = {"offline": OfflineEmbedding()}
    if isinstance(provider, EmbeddingProvider):
        embedding[provider_name] = provider
    served = (models.call_model, EmbedActivities(store, embedding).embed)
    return Pool(name, queue, (), served, settings.model_concurrency, (provider,))


def make_worker(client: Client, pool: Pool, settings: Settings, identity: str | None = None) -> Worker:
    """A worker for one pool, with the timings that the recovery promise rests on."""
    return Worker(
        client,
        identity=identity,
        task_queue=pool.task_queue,
        workflows=pool.workflows,
        activities=pool.activities,
        max_cached_workflows=settings.workflow_cache,
        max_concurrent_activities=pool.max_concurrent_activities,
        sticky_queue_schedule_to_start_timeout=policies.STICKY_TIMEOUT,
        # The throttle is also the latency of a cancellation.
        max_heartbeat_throttle_interval=policies.HEARTBEAT_TIMEOUT / 3,
        graceful_shutdown_timeout=timedelta(seconds=settings.grace_seconds),
    )


@asynccontextmanager
async def running_pools(
    deployment: Deployment,
    names: Sequence[str],
    providers: Mapping[str, ModelProvider] | None = None,
    identity: str | None = None,
) -> AsyncIterator[None]:
    """Workers for the pools, from a checked namespace to a drained shutdown.

    Args:
        deployment: where they serve.
        names: rows of the table.
        providers: in place of the real ones, by name; tests script them.
        identity: what the server calls these workers; the SDK's ``pid@host`` where absent.

    Raises:
        ConfigurationInvalid: as ``workers.registration`` and ``build_pool`` say.
    """
    await register_search_attributes(deployment.client)
    await bind_store(deployment.client, deployment.store)
    if "tools" in names:
        settings = deployment.settings
        policy = load_policy(settings.policy, deployment.tools)
        await bind_policy(deployment.store, policy, given_up=settings.policy == NO_POLICY)
    pools = [build_pool(name, deployment, providers or {}, names) for name in names]
    async with AsyncExitStack() as stack:
        workers: list[Worker] = []
        for pool in pools:
            for provider in pool.providers:
                stack.push_async_callback(provider.aclose)
            for close in pool.closing:
                stack.push_async_callback(close)
            try:
                worker = make_worker(deployment.client, pool, deployment.settings, identity)
            except RuntimeError as error:
                raise not_for_the_sandbox(error) or error from error
            workers.append(await stack.enter_async_context(worker))
        # All stop taking work at once: one after the other, the last would go on while the first drain.
        stack.push_async_callback(_drain, workers)
        yield


async def _drain(workers: Sequence[Worker]) -> None:
    await asyncio.gather(*(worker.shutdown() for worker in workers))
