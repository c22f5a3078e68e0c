"""Both sides under one roof: one throw-away server, one process, workers of the same settings, runs of one shape."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opentelemetry import trace
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from activities.contracts.messages import Message, ThreadRef
from activities.errors import OstinatoError
from activities.providers.base import ModelProvider
from activities.threads import Threads
from scripts.bench.crews import LARGE, PRICES, SMALL
from scripts.bench.floor import (
    PLAIN_MODELS,
    PLAIN_TOOLS,
    PLAIN_WORKFLOWS,
    PlainActivities,
    PlainCrew,
    PlainCrewWorkflow,
    PlainStep,
    PlainWorkflow,
)
from scripts.bench.payload import plain_call, plain_steps
from scripts.bench.scripted import BenchModel, Play, Shape, Staged
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.executions import histories_of
from workers.pools import Pool, make_worker, running_pools
from workers.runs import start_run
from workers.server import ServerInfo
from workers.settings import Settings, load_settings
from workflows.contracts import RunInput, RunStatus

PHASE_SECONDS = 120.0
"""No batch of runs takes longer; the longest takes some 10 s on two cores."""

Notify = Callable[[str], None]
"""Says what is being measured."""


@dataclass(frozen=True)
class Batch:
    """Runs that were under way together."""

    handles: Sequence[WorkflowHandle[Any, Any]]
    results: Sequence[Any]
    seconds: float
    cpu_seconds: float
    """Of this process: the workers of both kinds and the client, not the server."""


Sides = tuple[list[Batch], list[Batch]]
"""Ours and plain, round by round."""


@dataclass
class Harness:
    """Starts runs of ours and of the floor."""

    deployment: Deployment
    plain: Client
    model: BenchModel
    floor: PlainActivities
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def ours(self, shape: Play, runs: int = 1) -> Batch:
        """Runs of a team, all at once. Admission is over before the clock starts."""
        self.model.shape = shape
        # In a trace, as a client has one: its context rides in every activity's header, and that counts as ours.
        with trace.get_tracer(__name__).start_as_current_span("bench"):
            admitted = [await self.admit(shape) for _ in range(runs)]
            batch = await _timed([start_run(self.deployment.client, run) for run in admitted])
        for result in batch.results:
            if result.status is not RunStatus.COMPLETE:
                raise OstinatoError(f"a run of the bench did not end well: {result.model_dump_json()[:500]}")
        return batch

    async def theirs(self, shape: Play, floor: list[PlainStep] | PlainCrew, runs: int = 1) -> Batch:
        """Runs of the floor, all at once."""
        self.floor.delay_seconds = shape.delay_seconds
        name = "plain-crew" if isinstance(floor, PlainCrew) else "plain"
        return await _timed(
            [
                self.plain.start_workflow(name, floor, id=self._id(), task_queue=PLAIN_WORKFLOWS, result_type=int)
                for _ in range(runs)
            ]
        )

    async def floor_of(self, shape: Shape) -> list[PlainStep]:
        """The floor's steps for a shape, read from a run of ours; it warms up both sides."""
        batch = await self.ours(shape)
        steps = plain_steps(await self._read(batch, batch.results[0].thread))
        await self.theirs(shape, steps)
        return steps

    async def floor_of_crew(self, crew: Staged) -> PlainCrew:
        """The same for a run of more than one agent: each step's activities, read from the step's conversation."""
        batch = await self.ours(crew)
        floor = PlainCrew([[] for _ in crew.phases], crew.at_once)
        read: list[list[Message]] = []
        for report in batch.results[0].steps:
            below = report.step.partition("/")[2]
            number = next((number for number, phase in enumerate(crew.phases) if re.match(phase, below)), None)
            if number is None:
                raise OstinatoError(f"the step {report.step} belongs to no phase of the bench's run")
            lines = floor.phases[number]
            if report.thread is None:
                arguments, result = crew.called(batch.results[0].output)
                lines.append([plain_call(json.dumps(arguments), json.dumps(result))])
                continue
            said = await self._read(batch, report.thread)
            # A conversation that goes on holds the steps before.
            before = max((len(old) for old in read if len(old) < len(said) and old == said[: len(old)]), default=0)
            lines.append(plain_steps(said[before:]))
            read.append(said)
        if not all(floor.phases):
            raise OstinatoError(f"phases without a step: {floor.phases}")
        await self.theirs(crew, floor)
        return floor

    async def history(self, batch: Batch) -> list[HistoryEvent]:
        """The events of a batch's first run."""
        return list((await batch.handles[0].fetch_history()).events)

    async def histories(self, batch: Batch) -> list[list[HistoryEvent]]:
        """The same with all that followed it and what was nested in them, the root's first."""
        found = histories_of(self.deployment.client, batch.handles[0].id)
        return [list(history.events) async for history in found]

    async def admit(self, shape: Play) -> RunInput:
        """A run that is ready to be started."""
        order = RunOrder(goal=shape.goal, run_id=self._id(), provider=shape.provider)
        return await admit(self.deployment, shape.team(), order)

    async def _read(self, batch: Batch, thread: ThreadRef) -> list[Message]:
        return list(await Threads(self.deployment.store).read(batch.handles[0].id, thread))

    def _id(self) -> str:
        # Of one length, because it is in every payload.
        return f"bench-{next(self._numbers):06}"


async def interleaved(
    rounds: int, ours: Callable[[], Awaitable[Batch]], plain: Callable[[], Awaitable[Batch]]
) -> Sides:
    """Ours, plain, plain, ours, ...: whatever drifts on the machine meets both sides."""
    mine: list[Batch] = []
    theirs: list[Batch] = []
    for number in range(rounds):
        if number % 2:
            theirs.append(await plain())
        mine.append(await ours())
        if not number % 2:
            theirs.append(await plain())
    return mine, theirs


def bench_settings(home: Path) -> Settings:
    """Default settings whatever the environment says, and models that cost something without being asked for."""
    return load_settings(
        home=home,
        store="",
        codec="",
        otlp_endpoint="",
        log_level="error",
        tool_modules=("scripts.bench.tools",),
        model_concurrency=50,
        tool_concurrency=50,
        workflow_cache=500,
        provider="offline",
        models={"small": SMALL, "frontier": LARGE},
        prices=PRICES,
    )


@asynccontextmanager
async def bench_workers(server: ServerInfo, home: Path) -> AsyncIterator[Harness]:
    """Workers of both kinds in this process."""
    settings = bench_settings(home)
    deployment = await Deployment.connect(settings, address=server.address)
    plain = await plain_client(server.address)
    model, floor = BenchModel(), PlainActivities()
    providers: dict[str, ModelProvider] = {"offline": model, "openai": model}
    async with (
        running_pools(deployment, ["workflows", "tools", "models-offline", "models-openai"], providers),
        AsyncExitStack() as stack,
    ):
        for pool in plain_pools(floor, settings):
            await stack.enter_async_context(make_worker(plain, pool, settings))
        yield Harness(deployment, plain, model, floor)


async def plain_client(address: str) -> Client:
    """A client without anything of ours: no plugin, no tracing, no store."""
    return await Client.connect(address, data_converter=pydantic_data_converter)


def plain_pools(floor: PlainActivities, settings: Settings) -> tuple[Pool, ...]:
    """The floor's pools, one queue for each kind of work, as ours."""
    return (
        Pool("plain-workflows", PLAIN_WORKFLOWS, workflows=(PlainWorkflow, PlainCrewWorkflow)),
        Pool("plain-models", PLAIN_MODELS, (), (floor.model,), settings.model_concurrency),
        Pool("plain-tools", PLAIN_TOOLS, (), (floor.tool,), settings.tool_concurrency),
    )


async def _timed(starts: Sequence[Any]) -> Batch:
    async with asyncio.timeout(PHASE_SECONDS):
        cpu, started = time.process_time(), time.perf_counter()
        handles = await asyncio.gather(*starts)
        results = await asyncio.gather(*(handle.result() for handle in handles))
        return Batch(handles, results, time.perf_counter() - started, time.process_time() - cpu)
