"""Stand-ins for Google's and Azure's stores, as far as an object store uses them: over HTTP, in memory, no credentials.

They follow the published protocols (XML API; Blob service with its batches), and are no proof of how the clouds behave.
"""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 100
"""Objects of one answer to a listing, so that some hundred objects take several."""


class Cloud(ThreadingHTTPServer):
    """One bucket, ``ostinato``, that all protocols share."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.lock = threading.Lock()


@contextmanager
def cloud_server() -> Iterator[str]:
    """A stand-in; its address."""
    server = Cloud()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or each answer waits 40 ms for an acknowledgement
    server: Cloud

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class's name
        """Nothing: tests have their own output."""

    def do_PUT(self) -> None:
        data, key = self._body(), self._key()
        once = self.headers.get("x-goog-if-generation-match") == "0" or self.headers.get("If-None-Match") == "*"
        with self.server.lock:
            if once and key in self.server.objects:
                azure = "x-ms-version" in self.headers
                return self._send(409 if azure else 412, _code("BlobAlreadyExists" if azure else "PreconditionFailed"))
            self.server.objects[key] = (data, datetime.now(UTC).replace(microsecond=0))
        return self._send(201)

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        if not self._key():
            return self._list(query, azure="comp" in query)
        data, written = self.server.objects.get(self._key(), (None, None))
        if data is None or written is None:
            return self._send(404, _code("NoSuchKey"))
        return self._send(200, data, {"Last-Modified": format_datetime(written, usegmt=True)})

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        with self.server.lock:
            known = self.server.objects.pop(self._key(), None)
        self._send(204 if known else 404)

    def do_POST(self) -> None:
        """Azure's batch: each part is a DELETE, and is answered by a part."""
        parts = []
        for number, target in enumerate(re.findall(rb"DELETE (\S+) HTTP/1.1", self._body())):
            with self.server.lock:
                known = self.server.objects.pop(self._key(target.decode()), None)
            status = "202 Accepted" if known else "404 The specified blob does not exist."
            head = f"--answer\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\nHTTP/1.1 {status}\r\n"
            parts.append(f"{head}x-ms-request-id: {number}\r\nx-ms-version: 2018-11-09\r\n\r\n")
        kind = {"Content-Type": "multipart/mixed; boundary=answer"}
        self._send(202, ("".join(parts) + "--answer--").encode(), kind)

    def _list(self, query: dict[str, list[str]], *, azure: bool) -> None:
        prefix, after = query.get("prefix", [""])[0], query.get("marker" if azure else "continuation-token", [""])[0]
        keys = sorted(k for k in self.server.objects if k.startswith(prefix) and k > after)
        shown, token = keys[:PAGE], keys[PAGE - 1] if len(keys) > PAGE else ""
        rows = "".join((_azure_row if azure else _google_row)(key, *self.server.objects[key]) for key in shown)
        if azure:
            answer = f"<EnumerationResults><Blobs>{rows}</Blobs><NextMarker>{escape(token)}</NextMarker></EnumerationResults>"
        else:
            more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
            answer = f"<ListBucketResult>{rows}{more}</ListBucketResult>"
        self._send(200, answer.encode(), {"Content-Type": "application/xml"})

    def _key(self, target: str = "") -> str:
        return unquote(urlsplit(target or self.path).path).removeprefix("/ostinato").removeprefix("/")

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status, HTTPStatus(status).phrase)
        for name, value in {"ETag": '"1"', "x-goog-generation": "1", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _google_row(key: str, data: bytes, written: datetime) -> str:
    when = written.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"<Contents><Key>{escape(key)}</Key><LastModified>{when}</LastModified><ETag>1</ETag><Size>{len(data)}</Size></Contents>"


def _azure_row(key: str, data: bytes, written: datetime) -> str:
    facts = f"<Last-Modified>{format_datetime(written, usegmt=True)}</Last-Modified><Etag>1</Etag>"
    facts += f"<Content-Length>{len(data)}</Content-Length><Content-Type>application/octet-stream</Content-Type>"
    return f"<Blob><Name>{escape(key)}</Name><Properties>{facts}</Properties></Blob>"


def _code(code: str) -> bytes:
    return f"<Error><Code>{code}</Code></Error>".encode()
