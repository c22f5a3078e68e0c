"""A server at an address, over streamable HTTP, its answers bounded while they are read.

The library follows redirects within the address's origin only, and nothing else is followed.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED

from activities.mcp.base import MAX_ANSWER_BYTES
from activities.mcp.policy import Access

BYTE_LIMIT = "byte limit"
"""What the message of an error has where an answer was too long: the library's for events, and ours."""

# It logs what servers say, tracebacks included; what matters of that is in our errors.
logging.getLogger("mcp.client").setLevel(logging.CRITICAL)

NOT_SENT, NO_SESSION = -770_001, -770_002
LOST = "the connection broke"
"""Codes and message of the answers that stand in for requests which got none. The library would end the whole session,
and every other call with it, which nobody could tell from calls that the server has done."""

_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_NOT_FOUND = 404
_TIMEOUT = httpx2.Timeout(connect=10, write=30, pool=10, read=3600)
"""The bound of a call is the call's own; an open stream may be silent for as long as the longest call may take."""


@asynccontextmanager
async def http_transport(access: Access) -> AsyncIterator[TransportStreams]:
    """Yield the message streams of an address."""
    # Not compressed: a small body could unfold to any length.
    headers = {**access.headers, "Accept-Encoding": "identity"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=_TIMEOUT, transport=_Bounded()) as client,
        streamable_http_client(access.endpoint.url, http_client=client, max_sse_event_size=MAX_ANSWER_BYTES) as streams,
    ):
        yield streams


class _Bounded(httpx2.AsyncHTTPTransport):
    """Cuts a body that is longer than what is kept. A stream of events has a bound for each event instead."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send, and watch the answer."""
        try:
            response = await super().handle_async_request(request)
        except _UNSENT as error:
            return _instead(NOT_SENT, f"{type(error).__name__}: {error}")
        except httpx2.TransportError as error:
            return _instead(CONNECTION_CLOSED, f"{LOST}: {type(error).__name__}")
        if response.status_code == _NOT_FOUND and "mcp-session-id" in request.headers:
            await response.aclose()
            return _instead(NO_SESSION, "the server does not know the session any more")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            return _instead(CONNECTION_CLOSED, "the server compresses its answer, which was not asked for")
        events = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        if not events and isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Cut(response.stream)
        return response


def _instead(code: int, message: str) -> httpx2.Response:
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return httpx2.Response(502, json=error)


class _Cut(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        try:
            async for chunk in self._stream:
                read += len(chunk)
                if read > MAX_ANSWER_BYTES:
                    raise httpx2.StreamError(f"the answer exceeded the {MAX_ANSWER_BYTES} {BYTE_LIMIT}")
                yield chunk
        except httpx2.TransportError as error:
            raise httpx2.StreamError(f"{LOST}: {type(error).__name__}") from error

    async def aclose(self) -> None:
        await self._stream.aclose()
