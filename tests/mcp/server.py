"""A real MCP server for tests: ``python tests/mcp/server.py STATE_FILE [http PORT_FILE]``.

STATE_FILE is JSON: which tools it has and how it fails, read at its start.
Every start appends its pid to STATE_FILE.pids, every effect a line to STATE_FILE.effects.
"""

import asyncio
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from starlette.responses import Response

STATE = Path(sys.argv[1])
SERVER = MCPServer("tests", log_level="CRITICAL")


def state() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(STATE.read_text())
    return found


def note(what: str) -> None:
    with Path(f"{STATE}.effects").open("a") as file:
        file.write(what + "\n")


def add(a: int, b: int) -> str:
    note(f"add {a} {b}")
    return str(a + b)


async def busy() -> str:
    note("busy")
    time.sleep(1.5)  # noqa: ASYNC251 -- its loop stands still
    return "done"


async def hang() -> str:
    note("hang")
    await asyncio.sleep(3600)
    return "never"


async def slow() -> str:
    note("slow")
    await asyncio.sleep(1)
    return "done"


def cut() -> str:
    return "never"


def die() -> str:
    note("die")
    sys.stderr.write("out of luck\n")
    sys.stderr.flush()
    os._exit(3)


def big() -> str:
    note("big")
    return "x" * (50 * 1024 * 1024)


def fail() -> str:
    raise ToolError("there is no such row")


def picture() -> list[Any]:
    return ["a chart", Image(data=b"\x89PNG", format="png")]


def rename() -> str:
    SERVER.remove_tool("add")
    SERVER.add_tool(add, name="sum")
    return "add is sum now"


def secret() -> str:
    return os.environ.get("MCP_TEST_KEY", "none") + " " + " ".join(sorted(os.environ))


def build() -> MCPServer:
    told = state()
    SERVER.add_tool(add, name=told.get("add", "add"), description=told.get("description", "Add two numbers."))
    for tool in (busy, cut, hang, slow, die, big, fail, picture, rename, secret):
        SERVER.add_tool(tool, description=f"Do {tool.__name__}.", structured_output=False)
    return SERVER


class Faults:
    """What a proxy before the server may do: no discovery, as before 2026; or half an answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = scope.get("headers", ())
        if "old" in state() and (b"mcp-method", b"server/discover") in headers:
            await Response(status_code=400)(scope, receive, send)
        elif (b"mcp-name", b"cut") in headers:
            half = {"content-type": "application/json", "content-length": "1000"}
            whole = state().get("cut")
            answer = Response(whole, media_type="application/json") if whole else Response(b"{", headers=half)
            await answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def serve_by_hand(told: dict[str, Any]) -> None:
    """What no library would send: TOOLS tools at once, an endless listing, ANSWER in the place of a result."""
    tools = [{"name": f"t{n}", "inputSchema": {"type": "object"}} for n in range(told.get("tools", 1))]
    server = {"capabilities": {"tools": {}}, "serverInfo": {"name": "by hand", "version": "1"}}
    for line in sys.stdin:
        asked = json.loads(line)
        method = asked["method"]
        answer = '"error":{"code":-32601,"message":"unknown"}'
        if method == "initialize":
            version = asked["params"]["protocolVersion"]
            answer = f'"result":{json.dumps({**server, "protocolVersion": version})}'
        elif method == "tools/list":
            note(method)
            pages = {"nextCursor": "more"} if told.get("endless") else {}
            answer = f'"result":{json.dumps({"tools": tools, **pages})}'
        elif method == "tools/call":
            note(method)
            answer = told["answer"].replace("ID", str(asked["id"]))
        if "id" in asked:
            print(f'{{"jsonrpc":"2.0","id":{json.dumps(asked["id"])},{answer}}}', flush=True)


async def serve_http(port_file: Path) -> None:
    app = build().streamable_http_app()
    app.add_middleware(Faults)
    listener = socket.create_server(("127.0.0.1", int(port_file.read_text()) if port_file.exists() else 0))
    port_file.write_text(str(listener.getsockname()[1]))
    await uvicorn.Server(uvicorn.Config(app, log_level="critical")).serve([listener])


if __name__ == "__main__":
    with Path(f"{STATE}.pids").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    if "crash" in state():
        sys.exit("no license found")
    if "mute" in state():
        sys.stdin.read()
    if "by_hand" in state():
        serve_by_hand(state()["by_hand"])
    elif sys.argv[2:3] == ["http"]:
        asyncio.run(serve_http(Path(sys.argv[3])))
    else:
        build().run()
