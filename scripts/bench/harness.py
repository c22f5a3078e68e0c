"""Both sides under one roof: one throw-away server, one process, workers of the same settings, runs of one shape."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry import trace
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.providers.base import ModelProvider
from activities.threads import Threads
from scripts.bench.floor import PLAIN_MODELS, PLAIN_TOOLS, PLAIN_WORKFLOWS, PlainActivities, PlainStep, PlainWorkflow
from scripts.bench.payload import plain_steps
from scripts.bench.scripted import BenchModel, Shape
from scripts.bench.tools import make_text
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.pools import Pool, make_worker, running_pools
from workers.runs import start_run
from workers.server import ServerInfo
from workers.settings import load_settings
from workflows.contracts import RunInput, RunResult

PHASE_SECONDS = 120.0
"""No batch of runs takes longer; the longest takes some 10 s on two cores."""


@dataclass(frozen=True)
class Batch:
    """Runs that were under way together."""

    handles: Sequence[WorkflowHandle[Any, Any]]
    results: Sequence[Any]
    seconds: float
    cpu_seconds: float
    """Of this process: the workers of both kinds and the client, not the server."""


@dataclass
class Harness:
    """Starts runs of ours and of the floor."""

    deployment: Deployment
    plain: Client
    model: BenchModel
    floor: PlainActivities
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def ours(self, shape: Shape, runs: int = 1) -> Batch:
        """Runs of an agent, all at once. Admission is over before the clock starts."""
        self.model.shape = shape
        # In a trace, as a client has one: its context rides in every activity's header, and that counts as ours.
        with trace.get_tracer(__name__).start_as_current_span("bench"):
            admitted = [await self._admit(shape) for _ in range(runs)]
            return await _timed([start_run(self.deployment.client, run) for run in admitted])

    async def theirs(self, shape: Shape, steps: Sequence[PlainStep], runs: int = 1) -> Batch:
        """Runs of the floor, all at once."""
        self.floor.delay_seconds = shape.delay_seconds
        starts = [
            self.plain.start_workflow(PlainWorkflow.run, list(steps), id=self._id(), task_queue=PLAIN_WORKFLOWS)
            for _ in range(runs)
        ]
        return await _timed(starts)

    async def floor_of(self, shape: Shape) -> list[PlainStep]:
        """The floor's steps for a shape, read from a run of ours; it warms up both sides."""
        batch = await self.ours(shape)
        result: RunResult = batch.results[0]
        assert result.thread is not None  # noqa: S101 -- a complete run has one
        scope_id = batch.handles[0].id
        steps = plain_steps(await Threads(self.deployment.store).read(scope_id, result.thread))
        await self.theirs(shape, steps)
        return steps

    async def history(self, batch: Batch) -> list[HistoryEvent]:
        """The events of a batch's first run."""
        return list((await batch.handles[0].fetch_history()).events)

    async def _admit(self, shape: Shape) -> RunInput:
        goal = make_text("goal", shape.goal_bytes)
        return await admit(self.deployment, shape.team(), RunOrder(goal=goal, run_id=self._id(), provider="offline"))

    def _id(self) -> str:
        # Of one length, because it is in every payload.
        return f"bench-{next(self._numbers):06}"


@asynccontextmanager
async def bench_workers(server: ServerInfo, home: Path) -> AsyncIterator[Harness]:
    """Workers of both kinds in this process, with default settings whatever the environment says."""
    settings = load_settings(
        home=home,
        store="",
        codec="",
        otlp_endpoint="",
        log_level="error",
        tool_modules=("scripts.bench.tools",),
        model_concurrency=50,
        tool_concurrency=50,
        workflow_cache=500,
    )
    deployment = await Deployment.connect(settings, address=server.address)
    plain = await Client.connect(server.address, data_converter=pydantic_data_converter)
    model, floor = BenchModel(), PlainActivities()
    providers: dict[str, ModelProvider] = {"offline": model}
    pools = (
        Pool("plain-workflows", PLAIN_WORKFLOWS, workflows=(PlainWorkflow,)),
        Pool("plain-models", PLAIN_MODELS, (), (floor.model,), settings.model_concurrency),
        Pool("plain-tools", PLAIN_TOOLS, (), (floor.tool,), settings.tool_concurrency),
    )
    async with (
        running_pools(deployment, ["workflows", "tools", "models-offline"], providers),
        AsyncExitStack() as stack,
    ):
        for pool in pools:
            await stack.enter_async_context(make_worker(plain, pool, settings))
        yield Harness(deployment, plain, model, floor)


async def _timed(starts: Sequence[Any]) -> Batch:
    async with asyncio.timeout(PHASE_SECONDS):
        cpu, started = time.process_time(), time.perf_counter()
        handles = await asyncio.gather(*starts)
        results = await asyncio.gather(*(handle.result() for handle in handles))
        return Batch(handles, results, time.perf_counter() - started, time.process_time() - cpu)
