"""The skeleton of the scripted provider servers: real HTTP, replies by script, every fault that a wire shows.

A subclass says which paths its protocol has and what its errors look like; ``fake_openai``, ``fake_anthropic`` and
``fake_gemini`` are the three. ``GET /requests`` lists what was received, ``GET /disconnects`` how many clients left a
hanging call.
"""

import argparse
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

MAX_RECORDED = 1000
MAX_HANG_SECONDS = 60.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What goes over the wire, and how."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay_seconds: float = 0.0
    manner: Literal["whole", "cut_before", "cut_within", "trickle", "hang"] = "whole"


Responder = Reply | Callable[[Json], Reply]


@dataclass(frozen=True)
class Received:
    """One request as it came in. Header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: Json
    arrived: float
    """Seconds on the monotonic clock of this machine."""


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    """Any JSON. Headers as keywords, with ``_`` for ``-``."""
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Reply(json.dumps(value).encode(), status, named)


def delay(seconds: float, reply: Reply) -> Reply:
    return replace(reply, delay_seconds=seconds)


def truncated(whole: Reply) -> Reply:
    """The first half as if it were all."""
    return replace(whole, body=whole.body[: len(whole.body) // 2])


def html(status: int = 200) -> Reply:
    return Reply(b"<html><body>Bad gateway</body></html>", status, {"Content-Type": "text/html"})


def cut_before() -> Reply:
    return Reply(manner="cut_before")


def cut(whole: Reply) -> Reply:
    """The connection breaks in the middle of the body."""
    return replace(whole, manner="cut_within")


def dripping(whole: Reply) -> Reply:
    """One byte every 20 ms, so that no wait for a byte is long and the whole is."""
    return replace(whole, manner="trickle")


def hang() -> Reply:
    """No answer until the client goes away, which is counted."""
    return Reply(manner="hang")


class FakeServer(ABC):
    """The server. Replies are consumed in order; a function as ``respond`` answers whenever they are used up.

    A function gets the request's JSON, with the headers in lower case as ``_headers``.
    """

    root = ""
    """The end of ``base_url``, where the protocol's clients expect one."""

    def __init__(self, *script: Responder, respond: Callable[[Json], Reply] | None = None, port: int = 0) -> None:
        self.script: deque[Responder] = deque(script)
        self.requests: deque[Received] = deque(maxlen=MAX_RECORDED)
        self.disconnects = 0
        self.closing = threading.Event()
        self._respond = respond
        self._changed = threading.Condition()
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", port), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @abstractmethod
    def serves(self, path: str) -> bool:
        """Whether the protocol has this path."""

    @abstractmethod
    def refusal(self, status: int, message: str) -> Reply:
        """An error in the protocol's form."""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.root}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every connection and thread. Idempotent."""
        self.closing.set()
        self._server.shutdown()
        self._thread.join(10)
        for connection in self._open_connections():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def wait_until(self, condition: Callable[[Self], bool], timeout_seconds: float = 10.0) -> None:
        """Wait for a condition on ``requests`` or ``disconnects``."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self), timeout_seconds):
                message = f"not within {timeout_seconds} s: {len(self.requests)} requests, {self.disconnects} left"
                raise TimeoutError(message)

    def receive(self, received: Received) -> Reply:
        with self._changed:
            self.requests.append(received)
            self._changed.notify_all()
            responder = self.script.popleft() if self.script else self._respond
        if responder is None:
            # Not retryable, so a test that asks too often fails at once.
            return self.refusal(400, "the script has no reply left")
        return responder if isinstance(responder, Reply) else responder({**received.body, "_headers": received.headers})

    def left(self) -> None:
        with self._changed:
            self.disconnects += 1
            self._changed.notify_all()

    def track(self, connection: socket.socket, *, is_open: bool) -> None:
        with self._changed:
            (self._connections.add if is_open else self._connections.discard)(connection)

    def _open_connections(self) -> list[socket.socket]:
        with self._changed:
            return list(self._connections)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Clients that go away are what this server is for."""


def _handler_for(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        owner = fake

    return Handler


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    owner: FakeServer

    def setup(self) -> None:
        super().setup()
        self.owner.track(self.connection, is_open=True)

    def finish(self) -> None:
        self.owner.track(self.connection, is_open=False)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Quiet: tests read ``requests``."""

    def do_POST(self) -> None:
        arrived = time.monotonic()
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not self.owner.serves(self.path):
            self._send(self.owner.refusal(404, "no such path"))
            return
        reply = self.owner.receive(Received(self.path, headers, json.loads(raw), arrived))
        if reply.delay_seconds and self.owner.closing.wait(reply.delay_seconds):
            return
        self._send(reply)

    def do_GET(self) -> None:
        if self.path == "/requests":
            self._send(as_json([{"headers": dict(r.headers), "body": r.body} for r in list(self.owner.requests)]))
        elif self.path == "/disconnects":
            self._send(as_json(self.owner.disconnects))
        else:
            self._send(self.owner.refusal(404, "no such path"))

    def _send(self, reply: Reply) -> None:
        self.close_connection = reply.manner != "whole" or self.owner.closing.is_set()
        if reply.manner == "hang":
            self._hang()
        elif reply.manner != "cut_before":
            head = [f"HTTP/1.1 {reply.status} {self.responses.get(reply.status, ('Unknown',))[0]}"]
            head += [f"{name}: {value}" for name, value in reply.headers.items()]
            head += [f"Content-Length: {len(reply.body)}", "", ""]
            for piece in _pieces("\r\n".join(head).encode(), reply):
                if piece is None and self.owner.closing.wait(0.02):
                    return
                self.wfile.write(piece or b"")

    def _hang(self) -> None:
        deadline = time.monotonic() + MAX_HANG_SECONDS
        while time.monotonic() < deadline and not self.owner.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.02)
            if readable and self._has_left():
                self.owner.left()
                return

    def _has_left(self) -> bool:
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True


def _pieces(head: bytes, reply: Reply) -> Iterator[bytes | None]:
    """What to write; ``None`` is a pause."""
    if reply.manner == "trickle":
        yield head
        for byte in reply.body:
            yield None
            yield bytes([byte])
    elif reply.manner == "cut_within":
        yield head + reply.body[: len(reply.body) // 2]
    else:
        yield head + reply.body


def serve(make: Callable[..., FakeServer]) -> None:
    """Be a process of its own: print the base URL as the first line, end on SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="A provider-shaped server that answers by script.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", required=True, help="Python file with respond(request) or script = [...]")
    options = parser.parse_args()
    names = runpy.run_path(options.script)
    done, parent = threading.Event(), os.getppid()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with make(*names.get("script", ()), respond=names.get("respond"), port=options.port) as server:
        sys.stdout.write(f"{server.base_url}\n")
        sys.stdout.flush()
        # A parent that was killed leaves nothing running.
        while os.getppid() == parent and not done.wait(1):
            pass
