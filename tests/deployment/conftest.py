"""Users whose server is the one of this test process, and worker processes that they deploy."""

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scripts.support import ROOT, Cli
from workers.server import ServerInfo
from workers.settings import Settings


@dataclass(frozen=True)
class WorkerProcess:
    """One ``ostinato worker`` that polls."""

    process: "subprocess.Popen[str]"
    health: str

    def ask(self, path: str) -> tuple[int, str]:
        """Status and state, as a probe sees them."""
        host, _, port = self.health.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())["state"]
        finally:
            connection.close()

    def probe(self) -> int:
        """The exit code of the container's health check."""
        command = [sys.executable, "-m", "workers.probe", self.health.rpartition(":")[2], "/readyz"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=30).returncode


DeployWorker = Callable[..., WorkerProcess]


@pytest.fixture
def user(tmp_path: Path, server: ServerInfo, settings: Settings) -> Cli:
    return Cli(
        tmp_path / "user",
        {
            "TEMPORAL_ADDRESS": server.address,
            "OSTINATO_STORE": settings.store_address,
            "OSTINATO_HEALTH_ADDRESS": "127.0.0.1:0",
        },
    )


@pytest.fixture
def deploy(user: Cli) -> Iterator[DeployWorker]:
    """``deploy("tools", OSTINATO_...="...")``: a worker process, ended with the test."""
    with ExitStack() as stack:

        def start(*pools: str, **environment: str) -> WorkerProcess:
            usual, user.extra = user.extra, {**user.extra, **environment}
            process = stack.enter_context(user.start("worker", *pools, "--json"))
            user.extra = usual
            stack.callback(process.kill)
            assert process.stdout
            ready = process.stdout.readline()
            assert ready, process.communicate()[1]
            return WorkerProcess(process, json.loads(ready)["health"])

        yield start
