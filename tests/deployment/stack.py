"""The topology of docker-compose.yml without containers: a real PostgreSQL, the Temporal server on it, worker processes.

Server settings, schema job and dynamic configuration are the compose file's own; only hosts and ports differ. All
processes are children of this one, on loopback, and end with the context; the data lies in a folder that is removed.
"""

import asyncio
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from workers.server_build import SERVER_VERSION, pair_folder
from workers.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "not-a-secret-of-anybody"
BUILD_SECONDS = 600.0
START_SECONDS = 60.0
HEALTH_PATH = "/api/v1/system-info"
"""The server listens before it answers: this one says when it does."""
PORTS = (
    "FRONTEND_GRPC_PORT",
    "FRONTEND_HTTP_PORT",
    "FRONTEND_MEMBERSHIP_PORT",
    "MATCHING_GRPC_PORT",
    "MATCHING_MEMBERSHIP_PORT",
    "HISTORY_GRPC_PORT",
    "HISTORY_MEMBERSHIP_PORT",
    "WORKER_GRPC_PORT",
    "WORKER_MEMBERSHIP_PORT",
)


class Missing(Exception):
    """Something that this machine would need. The text names it."""


@dataclass(frozen=True)
class Programs:
    """What the stack is made of."""

    postgres: Path
    """The folder with initdb, postgres and psql."""
    server: Path
    sql_tool: Path


def find_programs(*, may_build: bool) -> Programs:
    """Find the programs; the schema tool is built with Go, once, where that is allowed.

    Raises:
        Missing: one is not there.
    """
    places = [Path(p).resolve().parent for p in (shutil.which("initdb"), shutil.which("postgres")) if p]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    postgres = next((p for p in places if (p / "initdb").exists() and (p / "postgres").exists()), None)
    if postgres is None:
        raise Missing("PostgreSQL (Debian: apt-get install postgresql)")
    cache = load_settings().cache
    server = pair_folder(cache) / "temporal-server"
    if not server.exists():
        raise Missing(f"a built Temporal server at {server}")
    tool = cache / f"temporal-sql-{SERVER_VERSION}" / "sql"
    if not tool.exists():
        go = shutil.which("go")
        if not may_build or go is None:
            raise Missing(f"the schema tool at {tool} (run tests/deployment/postgres_topology.py with Go there)")
        module = f"go.temporal.io/server/cmd/tools/sql@v{SERVER_VERSION}"
        environment = {**os.environ, "GOBIN": str(tool.parent)}
        subprocess.run([go, "install", module], env=environment, check=True, timeout=BUILD_SECONDS)
    return Programs(postgres, server, tool)


@dataclass
class Stack:
    """The database and the server, running."""

    folder: Path
    address: str
    command: list[str]
    environment: dict[str, str]
    http: int
    """The port of the server's HTTP API, which the compose file's health check asks."""
    server: "subprocess.Popen[bytes]"

    def kill_server(self) -> None:
        """SIGKILL, as a lost machine."""
        self.server.kill()
        self.server.wait()

    def start_server(self) -> None:
        """Bring the server back on the same database and ports."""
        self.server = _start(self.command, self.folder / "server.log", self.environment)
        self.wait_until_healthy()

    def wait_until_healthy(self) -> None:
        """As the compose file's health check does."""
        wait(lambda: _is_healthy(self.http), "the Temporal server")


@contextmanager
def running_stack(programs: Programs) -> Iterator[Stack]:
    """PostgreSQL with the schema, the Temporal server, and its namespace with the compose file's retention.

    Raises:
        Missing: PostgreSQL lacks ``btree_gin``.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ostinato-topology-")))
        folder.chmod(0o755)
        port, *ports = free_ports(1 + len(PORTS))
        stack.enter_context(_postgres(programs.postgres, folder, port))
        tools = folder / "bin"
        tools.mkdir()
        (tools / "temporal-sql-tool").symlink_to(programs.sql_tool)
        services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
        here = {"SQL_HOST": "127.0.0.1", "SQL_PORT": str(port), "PATH": f"{tools}:{os.environ['PATH']}"}
        schema = {**_literal(services["schema"]["environment"]), **here}
        for _ in range(2):  # the job runs at every `up`
            script = ["sh", str(ROOT / "workers" / "compose" / "schema.sh")]
            ran = subprocess.run(script, env=schema, capture_output=True, text=True, check=False, timeout=60)
            assert ran.returncode == 0, ran.stdout + ran.stderr
        environment = {
            **_literal(services["temporal"]["environment"]),
            "POSTGRES_SEEDS": "127.0.0.1",
            "DB_PORT": str(port),
            "BIND_ON_IP": "127.0.0.1",
            "TEMPORAL_BROADCAST_ADDRESS": "127.0.0.1",
            "DYNAMIC_CONFIG_FILE_PATH": str(ROOT / "workers" / "compose" / "dynamic.yaml"),
            **{name: str(number) for name, number in zip(PORTS, ports, strict=True)},
        }
        command = [str(programs.server), "start"]
        server = _start(command, folder / "server.log", environment)
        running = Stack(folder, f"127.0.0.1:{ports[0]}", command, environment, ports[1], server)
        stack.callback(lambda: end(running.server))
        try:
            running.wait_until_healthy()
            asyncio.run(_register(running.address))
        except BaseException:
            print((folder / "server.log").read_text(errors="replace")[-3000:])
            raise
        yield running


def free_ports(count: int) -> list[int]:
    """Free ports below 32768: the server keeps membership ports in two bytes of the database."""
    with ExitStack() as held:
        found: list[int] = []
        for port in range(20000 + os.getpid() % 8000, 32768):
            candidate = held.enter_context(socket.socket())
            with suppress(OSError):
                candidate.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise Missing("free ports")


def wait(condition: Callable[[], object], what: str, seconds: float = START_SECONDS) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.02)


def end(process: "subprocess.Popen[Any]", number: signal.Signals = signal.SIGTERM) -> None:
    """End a child: politely, and then not."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _postgres(programs: Path, folder: Path, port: int) -> Iterator[None]:
    # PostgreSQL refuses to run as root: its own user does, where this process is root.
    user = "postgres" if os.geteuid() == 0 else None
    home, secret = folder / "postgres", folder / "password"
    home.mkdir()
    secret.write_text(PASSWORD)
    if user:
        shutil.chown(home, user, user)
        shutil.chown(secret, user, user)
    secret.chmod(0o600)
    options = {"user": user, "group": user, "extra_groups": []} if user else {}
    data = home / "data"
    initdb = [str(programs / "initdb"), "--pgdata", str(data), "--username", "temporal", "--encoding", "UTF8"]
    initdb += ["--auth", "scram-sha-256", "--pwfile", str(secret), "--no-sync"]
    made = subprocess.run(initdb, cwd=home, capture_output=True, text=True, check=False, timeout=60, **options)  # type: ignore[call-overload] # keyword options of Popen
    assert made.returncode == 0, made.stderr
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(home)]
    command += ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
    process = _start(command, folder / "postgres.log", dict(os.environ), cwd=home, **options)
    try:
        ask = [str(programs / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "temporal", "-d", "postgres", "-Atc"]
        ask.append("select count(*) from pg_available_extensions where name = 'btree_gin'")
        environment, said = {**os.environ, "PGPASSWORD": PASSWORD}, ""

        def answers() -> bool:
            nonlocal said
            asked = subprocess.run(ask, env=environment, capture_output=True, text=True, check=False, timeout=30)
            said = asked.stdout.strip()
            return asked.returncode == 0

        wait(answers, "PostgreSQL")
        if said != "1":
            raise Missing("PostgreSQL's contrib module btree_gin (Debian: part of the package postgresql)")
        yield
    finally:
        end(process, signal.SIGINT)  # a fast shutdown: it waits for no client


def _start(command: list[str], log: Path, environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, **{"cwd": log.parent, **options}
        )


def _literal(environment: dict[str, Any]) -> dict[str, str]:
    """A service's environment with this stack's password where the file asks for one."""
    return {name: PASSWORD if "POSTGRES_PASSWORD" in str(value) else str(value) for name, value in environment.items()}


def _is_healthy(port: int) -> bool:
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        asking.request("GET", HEALTH_PATH)
        return asking.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()


async def _register(address: str) -> None:
    async with asyncio.timeout(START_SECONDS):
        client = await Client.connect(address)
        request = RegisterNamespaceRequest(
            namespace="default", workflow_execution_retention_period=Duration(seconds=720 * 3600)
        )
        registered = usable = False
        while not usable:
            with suppress(RPCError):
                if not registered:
                    await client.workflow_service.register_namespace(request)
                    registered = True
                await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
                await client.count_workflows()
                usable = True
            await asyncio.sleep(0.1)
