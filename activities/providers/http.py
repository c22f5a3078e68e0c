"""The connection pool of a provider family: where it goes, what leaves, and how much comes back is decided here.

The client libraries read dozens of environment variables (addresses, organisations, extra headers, client
certificates). Whatever they make of a request, a hook puts it right before it is sent: the host that was configured,
the headers that we mean, and no others.
"""

from collections.abc import AsyncIterator, Mapping

import httpx2

from activities.errors import AnswerTooLong

CONNECT_SECONDS = 10.0
"""A provider that does not accept a connection in this time will not do so later in the same attempt either."""

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Bytes of one answer that are read: thirty times the longest text that a contract holds."""

_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
"""Headers that belong to the connection; they are left as the HTTP client made them."""


def provider_pool(
    client_class: type[httpx2.AsyncClient], base_url: str, headers: Mapping[str, str]
) -> httpx2.AsyncClient:
    """A pool for one provider.

    Args:
        client_class: The client library's own subclass, for its limits and its TCP keep-alive.
        base_url: The only host that is ever spoken to; redirects are not followed.
        headers: What is sent besides what any JSON request needs: the key, a version of the protocol.
    """
    base = httpx2.URL(base_url)

    async def send_what_we_mean(request: httpx2.Request) -> None:
        request.url = request.url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        for header in set(request.headers) - _FRAMING:
            del request.headers[header]
        request.headers["Host"] = base.netloc.decode("ascii")
        request.headers["Accept"] = "application/json"
        request.headers["Accept-Encoding"] = "identity"  # so that the bound on the body is one on memory
        request.headers["Content-Type"] = "application/json"
        request.headers["User-Agent"] = "ostinato"
        request.headers.update(headers)
        timeouts = request.extensions.get("timeout", {})
        if (connect := timeouts.get("connect")) is None or connect > CONNECT_SECONDS:
            request.extensions["timeout"] = {**timeouts, "connect": CONNECT_SECONDS}

    return client_class(
        follow_redirects=False,
        event_hooks={"request": [send_what_we_mean], "response": [_bound_body]},
        timeout=httpx2.Timeout(600, connect=CONNECT_SECONDS),  # each call sets its own
    )


async def _bound_body(response: httpx2.Response) -> None:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _BoundedStream(response.stream)


class _BoundedStream(httpx2.AsyncByteStream):
    """A body that ends in an error at ``MAX_BODY_BYTES``."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise AnswerTooLong(
                    f"the provider's answer is longer than {MAX_BODY_BYTES >> 20} MiB",
                    fix="lower limits.output_tokens, or ask for less",
                )
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
