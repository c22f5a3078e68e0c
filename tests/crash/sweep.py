"""Runs teams while their worker process, or the server, is killed at a named point."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import new_run_id
from tests.providers.fake_openai import FakeOpenAI, Reply, hang
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.registration import bind_store, register_search_attributes
from workers.runs import RunHandle, read_result, start_run
from workers.server import ServerInfo
from workflows.contracts import RunResult
from workflows.teams.tree import TeamSpec

Model = Callable[[dict[str, Any]], Reply]


@dataclass
class Outcome:
    """What a run left behind, as the world sees it."""

    run_id: str
    result: RunResult
    effects: list[str]
    requests: int


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.support.crash"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(10)
        assert process.stdout
        process.stdout.close()


@asynccontextmanager
async def restarted(environment: dict[str, str]) -> AsyncIterator[list[subprocess.Popen[str]]]:
    """A worker that is started anew whenever it dies, as a process manager would."""
    processes: list[subprocess.Popen[str]] = []

    async def keep() -> None:
        for _ in range(5):
            with worker(environment) as process:
                processes.append(process)
                await asyncio.to_thread(process.wait)
        raise AssertionError("the worker died more often than it was killed")

    keeper = asyncio.create_task(keep())
    try:
        yield processes
    finally:
        keeper.cancel()
        for process in processes:
            process.kill()
        with suppress(asyncio.CancelledError):
            await keeper


@dataclass
class Sweep:
    """One run under one fault."""

    deployment: Deployment
    server: ServerInfo
    folder: Path
    """For what the processes note; new for each run."""
    team: TeamSpec
    model: Model
    """The model's side: which answer it is follows from the request, so a repeated request is answered alike."""
    input: Path | None = None

    async def run(self, point: str, *, cache: int = 500, kill_server_at: int = 0) -> Outcome:
        """Run to the end. ``kill_server_at``: the model request at which the server dies."""
        during = int(point.removeprefix("during:")) if point.startswith("during:") else 0
        hung: list[int] = []

        def respond(body: dict[str, Any]) -> Reply:
            turn = 1 + sum(message["role"] == "assistant" for message in body["messages"])
            if turn == during and not hung:
                hung.append(turn)
                return hang()
            return self.model(body)

        with FakeOpenAI(respond=respond) as fake:
            environment = self.environment(fake, point, cache)
            async with restarted(environment) as processes:
                handle = await self._start()
                if during:
                    await asyncio.to_thread(fake.wait_until, lambda _: bool(hung), 30.0)
                    processes[-1].kill()
                if kill_server_at:
                    await asyncio.to_thread(fake.wait_until, lambda f: len(f.requests) >= kill_server_at, 30.0)
                    os.kill(_server_pid(self.deployment.settings.home), signal.SIGKILL)
                result = await asyncio.wait_for(read_result(handle), 60)
                killed = [p for p in processes if p.poll() == -signal.SIGKILL]
            assert len(killed) == (0 if point == "none" else 1), f"the worker was killed {len(killed)} times at {point}"
            return Outcome(handle.id, result, self.effects(), len(fake.requests))

    async def all_at_once(
        self, points: Mapping[str, str], *, teams: Mapping[str, TeamSpec] | None = None, cache: int = 500
    ) -> dict[str, Outcome]:
        """Run as many runs as there are names, and kill the worker once, when each is at its own point.

        Args:
            points: by name; a run with an empty one goes on while the others are held.
            teams: by name, where they are not all alike.
            cache: workflows that the worker keeps in memory.

        Returns:
            By name; the effects are those of all runs.
        """
        ids = {name: new_run_id() for name in points}
        file = self.folder / "points.json"
        file.write_text(json.dumps({ids[name]: point for name, point in points.items() if point}))
        with FakeOpenAI(respond=self.model) as fake:
            environment = {**self.environment(fake, "", cache), "OSTINATO_TEST_POINTS": str(file)}
            async with restarted(environment) as processes:
                runs = [await self._start(ids[name], (teams or {}).get(name), f"Go {name}.") for name in points]
                results = await asyncio.wait_for(asyncio.gather(*map(read_result, runs)), 150)
                assert len(processes) == (2 if any(points.values()) else 1)
            asked = [json.dumps(request.body) for request in fake.requests]
        effects = self.effects()
        return {
            name: Outcome(ids[name], result, effects, sum(f"Go {name}." in body for body in asked))
            for name, result in zip(points, results, strict=True)
        }

    async def _start(self, run_id: str = "", team: TeamSpec | None = None, goal: str = "Go.") -> RunHandle:
        await register_search_attributes(self.deployment.client)
        await bind_store(self.deployment.client, self.deployment.store)
        order = RunOrder(goal=goal, run_id=run_id or new_run_id(), provider="openai", folder=self.input)
        run = await admit(self.deployment, team or self.team, order)
        return await start_run(self.deployment.client, run)

    def environment(self, fake: FakeOpenAI, point: str, cache: int) -> dict[str, str]:
        return {
            **os.environ,
            "OSTINATO_HOME": str(self.deployment.settings.home),
            "OSTINATO_TOOL_MODULES": "tests.support.tools",
            "OSTINATO_WORKFLOW_MODULES": ",".join(self.deployment.settings.workflow_modules),
            "OSTINATO_WORKFLOW_CACHE": str(cache),
            "OSTINATO_TEST_EFFECTS": str(self.folder / "effects.txt"),
            "OSTINATO_TEST_CRASH": point,
            "OSTINATO_TEST_CRASHED": str(self.folder / "crashed"),
            "TEMPORAL_ADDRESS": self.server.address,
            "OPENAI_BASE_URL": fake.base_url,
            "OPENAI_API_KEY": "test-key",
        }

    def effects(self) -> list[str]:
        path = self.folder / "effects.txt"
        return path.read_text().splitlines() if path.exists() else []


def _server_pid(home: Path) -> int:
    state = json.loads((home / "server" / "state.json").read_text())
    pid: int = state["server_pid"]
    return pid
