"""The dev server's ports, its YAML file, its dynamic settings, and the command lines that start it."""

import json
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workers.server_state import Program

HOST = "127.0.0.1"
DATABASE = "temporal.db"

DYNAMIC: dict[str, int | bool | str] = {
    # The default of 20 polls a second and shard makes a sequential activity take 100 ms instead of 13.
    "history.transferProcessorMaxPollRPS": 1000,
    "history.timerProcessorMaxPollRPS": 1000,
    # A run is deleted only after the queue's checkpoint: 13 to 36 s with the default, about one with this.
    "history.transferProcessorUpdateAckInterval": "1s",
    # Otherwise timers and retry back-offs have a grain of one second.
    "history.timerProcessorMaxTimeShift": "1ms",
    "matching.enableFairness": True,
    # Strict priority order and exact weights need one partition.
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    "frontend.WorkflowTimeSkippingEnabled": True,
    "frontend.WorkflowPauseEnabled": True,
    # A search attribute or namespace just registered can be used at once, not after the caches' next round.
    "system.forceSearchAttributesCacheRefreshOnRead": True,
    "system.namespaceCacheRefreshInterval": "500ms",
}


@dataclass(frozen=True)
class Ports:
    """Every port of one server, all on loopback."""

    frontend: int
    ui: int
    http: int
    inner: tuple[int, ...]
    """gRPC of matching, history, worker; then membership of frontend, matching, history, worker."""


def choose_ports(port: int, ui_port: int) -> tuple[Ports, tuple[str, ...]]:
    """The wanted ports where they are free (0: any), free ones for all else, and what to tell the user."""
    notes: list[str] = []
    with ExitStack() as stack:
        # All are held at once, so that they are distinct, and let go together right before the server takes them.
        frontend = _hold(stack, port)
        ui = _hold(stack, ui_port)
        for what, wanted, got in (("server", port, frontend), ("web UI", ui_port, ui)):
            if wanted and wanted != got:
                notes.append(f"port {wanted} is taken: the {what} uses port {got}")
        http, *inner = (_hold(stack, 0) for _ in range(8))
    return Ports(frontend, ui, http, tuple(inner)), tuple(notes)


def write_files(folder: Path, ports: Ports) -> None:
    """Write the files that a server and a UI of their own start with."""
    (folder / "ui" / "config").mkdir(parents=True, exist_ok=True)
    dynamic = {name: [{"value": value}] for name, value in DYNAMIC.items()}
    for name, content in (
        ("dynamic.yaml", dynamic),
        ("server.yaml", _server_file(folder, ports)),
        ("ui/config/development.yaml", _ui_file(ports)),
    ):
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False))


def server_command(program: Program, folder: Path, ports: Ports) -> list[str]:
    """The command line of the server. It is started in ``folder``."""
    if program.kind == "pair":
        return [program.server, "--config-file", str(folder / "server.yaml"), "--allow-no-auth", "start"]
    command = [program.server, "server", "start-dev", "--ip", HOST, "--port", str(ports.frontend)]
    command += ["--http-port", str(ports.http), "--ui-ip", HOST, "--ui-port", str(ports.ui)]
    command += ["--db-filename", DATABASE, "--log-level", "error"]
    command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    for name, value in DYNAMIC.items():
        command += ["--dynamic-config-value", f"{name}={json.dumps(value)}"]
    return command


def ui_command(program: Program, folder: Path) -> list[str]:
    """The command line of the UI; empty where the program brings its own, or has none."""
    if not program.ui:
        return []
    return [program.ui, "-r", str(folder / "ui"), "-c", "config", "-e", "development", "start"]


def _hold(stack: ExitStack, port: int) -> int:
    for wanted in (port, 0):
        candidate = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        # As the server does it: a port whose last connections are only being wound up counts as free.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, wanted))
            # Listening tells apart what binding does not: another socket of ours that is bound but not yet used.
            candidate.listen(1)
        except OSError:
            if wanted == 0:
                raise
            continue
        return int(candidate.getsockname()[1])
    raise AssertionError("unreachable: the last round returns or raises")


def _server_file(folder: Path, ports: Ports) -> dict[str, Any]:
    store = {
        "sql": {
            "pluginName": "sqlite",
            # Relative to the folder it is started in: the server builds a URI of it, in which ? # % mean something.
            "databaseName": DATABASE,
            "connectAddr": "localhost",
            "connectProtocol": "tcp",
            "connectAttributes": {
                "mode": "rwc",
                "cache": "private",
                "setup": "true",
                # A write-ahead log with synchronous=NORMAL triples the throughput of the file.
                "journal_mode": "wal",
                "synchronous": "1",
                "busy_timeout": "5000",
            },
            "maxConns": 1,
            "maxIdleConns": 1,
            "maxConnLifetime": "1h",
        }
    }
    matching, history, worker, *membership = ports.inner
    grpc = {"frontend": ports.frontend, "matching": matching, "history": history, "worker": worker}
    services: dict[str, Any] = {
        name: {"rpc": {"grpcPort": port, "membershipPort": member, "bindOnLocalHost": True}}
        for (name, port), member in zip(grpc.items(), membership, strict=True)
    }
    services["frontend"]["rpc"]["httpPort"] = ports.http
    return {
        "log": {"stdout": True, "level": "error"},
        "persistence": {
            "defaultStore": "main",
            "visibilityStore": "visibility",
            "numHistoryShards": 4,
            "datastores": {"main": store, "visibility": store},
        },
        "global": {"membership": {"maxJoinDuration": "30s", "broadcastAddress": HOST}},
        "services": services,
        "clusterMetadata": {
            "enableGlobalNamespace": False,
            "failoverVersionIncrement": 10,
            "masterClusterName": "active",
            "currentClusterName": "active",
            "clusterInformation": {
                "active": {
                    "enabled": True,
                    "initialFailoverVersion": 1,
                    "rpcName": "frontend",
                    "rpcAddress": f"{HOST}:{ports.frontend}",
                    "httpAddress": f"{HOST}:{ports.http}",
                }
            },
        },
        "dynamicConfigClient": {"filepath": str(folder / "dynamic.yaml"), "pollInterval": "60s"},
    }


def _ui_file(ports: Ports) -> dict[str, Any]:
    return {
        "temporalGrpcAddress": f"{HOST}:{ports.frontend}",
        "host": HOST,
        "port": ports.ui,
        "enableUi": True,
        "defaultNamespace": "default",
    }
