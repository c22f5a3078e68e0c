"""One dev server and one namespace for each test process; workers, providers and runs for each test."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from activities.providers.base import ModelProvider
from tests.support.scripted import Script, ScriptedProvider
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.policy import NO_POLICY
from workers.pools import EXIT_PAUSE_SECONDS, running_pools
from workers.runs import RunHandle, read_result, start_run
from workers.server import ServerInfo, dev_server
from workers.settings import Settings, load_settings
from workflows.contracts import RunInput, RunResult
from workflows.teams.tree import TeamSpec

_numbers = itertools.count()


def new_run_id() -> str:
    """An id that no other test of this server has."""
    return f"test-{next(_numbers)}"


def pytest_configure() -> None:
    """Keys and addresses of whoever runs the tests are none of the tests' business."""
    for name in list(os.environ):
        if name.startswith(
            ("OPENAI_", "TEMPORAL_", "OSTINATO_", "OTEL_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "AWS_", "AZURE_")
        ):
            del os.environ[name]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def effects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file in which the tools of ``tests.support.tools`` note their effects."""
    path = tmp_path_factory.mktemp("effects") / "effects.txt"
    path.touch()
    os.environ["OSTINATO_TEST_EFFECTS"] = str(path)
    yield path
    del os.environ["OSTINATO_TEST_EFFECTS"]


@pytest.fixture(scope="session")
async def server(home: Path) -> AsyncIterator[ServerInfo]:
    async with dev_server(home) as info:
        yield info
        await asyncio.sleep(EXIT_PAUSE_SECONDS)


@pytest.fixture(scope="session")
def settings(home: Path) -> Settings:
    # All tests share a store: a policy that one had is given up by the next.
    return load_settings(home=home, tool_modules=("tests.support.tools",), policy=NO_POLICY, log_level="error")


@pytest.fixture(scope="session")
async def deployment(server: ServerInfo, settings: Settings, effects: Path) -> Deployment:
    del effects
    return await Deployment.connect(settings, address=server.address)


@dataclass
class Bench:
    """A test's workers and its model."""

    deployment: Deployment
    provider: ScriptedProvider

    async def admit(self, team: TeamSpec, goal: str = "Do it.", *, folder: Path | None = None) -> RunInput:
        return await admit(self.deployment, team, RunOrder(goal=goal, run_id=new_run_id(), folder=folder))

    async def start(
        self, team: TeamSpec, goal: str = "Do it.", *, folder: Path | None = None, **changes: object
    ) -> RunHandle:
        run = await self.admit(team, goal, folder=folder)
        return await start_run(self.deployment.client, run.model_copy(update=changes))

    async def finish(self, run: RunInput) -> RunResult:
        return await read_result(await start_run(self.deployment.client, run))

    async def run(self, team: TeamSpec, goal: str = "Do it.", *, folder: Path | None = None) -> RunResult:
        return await read_result(await self.start(team, goal, folder=folder))


Workers = Callable[..., AbstractAsyncContextManager[Bench]]


@pytest.fixture
def workers(deployment: Deployment) -> Workers:
    """``async with workers(script) as bench``: all pools in this process, the model scripted."""

    @asynccontextmanager
    async def start(script: Script, **changes: object) -> AsyncIterator[Bench]:
        provider = ScriptedProvider(script)
        changed = replace(deployment, settings=deployment.settings.model_copy(update=changes))
        providers: dict[str, ModelProvider] = {"offline": provider}
        async with running_pools(changed, ["workflows", "tools", "models-offline"], providers):
            yield Bench(changed, provider)

    return start
