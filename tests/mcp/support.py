"""Real MCP servers for one test: their state, their processes, and pools that may reach them."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from activities.contracts.mcp import McpServer, McpTool
from activities.contracts.mcp_endpoint import McpEndpoint, McpToolRef
from activities.contracts.profile import Effect, ToolSpec
from activities.mcp.base import ListedTool
from activities.mcp.policy import McpAllowed, McpPolicy
from activities.mcp.pool import CHECK_SECONDS, FRESH_SECONDS, McpPool

SCRIPT = Path(__file__).with_name("server.py")


@dataclass
class RealServer:
    """One server script with its state; over stdio where ``url`` is empty."""

    state: Path
    url: str = ""

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, str(SCRIPT), str(self.state))

    @property
    def endpoint(self) -> McpEndpoint:
        return McpEndpoint(url=self.url) if self.url else McpEndpoint(command=self.command)

    @property
    def allowed(self) -> McpAllowed:
        return McpAllowed(url=self.url) if self.url else McpAllowed(command=self.command)

    def declared(self, **effects: Effect) -> McpServer:
        """A tool ``hang`` has one second, whatever its effect."""
        tools = {name: McpTool(effect=effect) for name, effect in {"hang": Effect.ONCE, **effects}.items()}
        tools["hang"] = tools["hang"].model_copy(update={"timeout_seconds": 1})
        return McpServer(**dict(self.endpoint), tools=tools, timeout_seconds=20)

    def write(self, **state: Any) -> None:
        self.state.write_text(json.dumps(state))

    def effects(self) -> list[str]:
        return lines(Path(f"{self.state}.effects"))

    def pids(self) -> list[int]:
        return [int(line) for line in lines(Path(f"{self.state}.pids"))]


def lines(path: Path) -> list[str]:
    return path.read_text().split("\n")[:-1] if path.exists() else []


def stdio_server(folder: Path, **state: Any) -> RealServer:
    server = RealServer(folder / "state.json")
    server.write(**state)
    return server


@asynccontextmanager
async def http_server(folder: Path, **state: Any) -> AsyncIterator[RealServer]:
    """The same server as a process that listens."""
    server = RealServer(folder / "http.json")
    server.write(**state)
    port_file, started = folder / "port", len(server.pids())
    process = await asyncio.create_subprocess_exec(*server.command, "http", str(port_file))
    try:
        await until(lambda: len(server.pids()) > started and port_file.exists() and port_file.read_text() != "")
        await until(lambda: listens(int(port_file.read_text())))
        server.url = f"http://127.0.0.1:{port_file.read_text()}/mcp"
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def pool_for(
    *servers: RealServer, fresh_seconds: float = FRESH_SECONDS, check_seconds: float = CHECK_SECONDS, **secrets: str
) -> AsyncIterator[McpPool]:
    allowed = [server.allowed.model_copy(update={"secrets": tuple(secrets)}) for server in servers]
    pool = McpPool(McpPolicy(allowed, secrets), fresh_seconds=fresh_seconds, check_seconds=check_seconds)
    try:
        yield pool
    finally:
        await pool.aclose()


def spec_of(server: RealServer, tool: ListedTool, effect: Effect = Effect.ONCE, **changes: Any) -> ToolSpec:
    ref = McpToolRef(server="s", endpoint=server.endpoint, tool=tool.name, schema_hash=tool.digest)
    return ToolSpec(
        name=f"s__{tool.name}",
        description=tool.description,
        parameters=tool.schema,
        effect=effect,
        mcp=ref.model_copy(update=changes),
    )


async def until(condition: Any, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    try:
        return "zombie" not in status.read_text()
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # no such file system here
    except ProcessLookupError:
        return False  # it ended between the two looks
