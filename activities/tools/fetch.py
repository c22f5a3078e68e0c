"""``fetch_url``: the text of a page on the web, for agents that are granted it.

A page can answer anything, and a URL can mean anything, so everything is bounded and every hop is checked anew: scheme,
port, credentials, and the addresses behind the name (``addresses``). The connection goes to an address that was checked,
by its number, so a name that means something else a moment later gains nothing; TLS and the Host header keep the name.
"""

import asyncio
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Annotated, Any, Final

import httpx
from pydantic import Field

from activities.text import escape_control
from activities.tools.addresses import WEB_PORTS, FetchPolicy
from activities.tools.base import ToolContext, tool
from activities.tools.page_text import decode, html_text

MAX_BODY_BYTES = 2 * 1024 * 1024
"""Bytes of a body that are read, packed or unpacked: text of a long page with all its markup."""
MAX_REDIRECTS = 5
MAX_URL = 2_000
FETCH_SECONDS = 20.0
"""Bound of the whole: resolving, all redirects, the body."""
CONNECT_SECONDS = 5.0
"""Bound of one address: there is time for another."""
MAX_ADDRESSES = 4
"""Addresses of one name that are tried."""

_READABLE: Final = ("application/json", "application/xml", "application/javascript", "application/yaml")
_READABLE_SUFFIXES: Final = ("+json", "+xml")
_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_resolving = ThreadPoolExecutor(8, thread_name_prefix="resolve")  # name servers that hang may starve only each other

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to numeric addresses; ``OSError`` where there are none."""


@dataclass(frozen=True)
class Page:
    """What a URL answered, after its redirects."""

    url: str
    status: int
    media_type: str
    text: str
    cut: bool
    """More came than is read."""


@tool(effect="read", timeout_seconds=FETCH_SECONDS + 10)
async def fetch_url(
    context: ToolContext,
    url: str,
    max_bytes: Annotated[int, Field(ge=1, le=1_000_000)] = 12_000,
    start: Annotated[int, Field(ge=0)] = 0,
) -> dict[str, Any]:
    """Read a public web page (http or https): its final url, status, type, and its text from character start on.

    cut says that there is more; where next_start is given, go on with it as start.
    """
    page = await Fetcher(context.policy(FetchPolicy)).fetch(url)
    rest = page.text[start:]
    part = rest.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")
    result = {"url": page.url, "status": page.status, "type": page.media_type, "text": part, "cut": page.cut}
    return result if len(part) == len(rest) else {**result, "cut": True, "next_start": start + len(part)}


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver, which also reads every way to spell a number: 2130706433, 0x7f.1, 0177.0.0.1."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_resolving, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Fetcher:
    """Fetches under one policy. Nothing is kept between requests: no cookies, no connections."""

    def __init__(
        self,
        policy: FetchPolicy,
        *,
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
        seconds: float = FETCH_SECONDS,
    ) -> None:
        """``tls`` is what certificates are checked by; the usual authorities where absent."""
        self._policy = policy
        self._resolver = resolver
        self._tls = tls
        self._seconds = seconds

    async def fetch(self, url: str) -> Page:
        """Follow a URL to its text.

        Raises:
            ValueError: it cannot be fetched, in a sentence for the agent.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await self._follow(url)
        except TimeoutError:
            raise ValueError(f"{_shown(url)} did not answer in full within {self._seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            detail = escape_control(str(error), 200) or type(error).__name__
            raise ValueError(f"{_shown(url)} cannot be read: {detail}") from None

    async def _follow(self, url: str) -> Page:
        target = _parse(url)
        for _ in range(MAX_REDIRECTS + 1):
            addresses = await self._checked_addresses(target)
            async with httpx.AsyncHTTPTransport(
                verify=self._tls or _public_authorities(), trust_env=False
            ) as transport:
                response = await _send(transport, target, addresses)
                try:
                    if response.has_redirect_location:
                        target = _parse(response.headers["location"], base=target)
                        continue
                    return await _read(target, response)
                finally:
                    await response.aclose()
        raise ValueError(f"{_shown(url)} redirects more than {MAX_REDIRECTS} times")

    async def _checked_addresses(self, url: httpx.URL) -> list[str]:
        """The addresses behind a URL that may be connected to, in the resolver's order; the others are passed over."""
        name, port = _name(url), _port(url)
        if not self._policy.permits_port(port):
            raise ValueError(
                f"{_shown(url)} is at port {port}: only {' and '.join(map(str, WEB_PORTS))} are allowed here"
            )
        try:
            found = [ip_address(text) for text in await self._resolver(name, port)]
        except (OSError, UnicodeError):
            raise ValueError(
                f"there is no host {_shown(name)}: check the address, or search for another source"
            ) from None
        passed = [str(address) for address in found if self._policy.permits(name, port, address)]
        if not passed:
            raise ValueError(
                f"{_shown(url)} is not on the public Internet (or not at its usual ports), and this deployment does not "
                "allow it (setting fetch_allowed_hosts): use another source"
            )
        return passed[:MAX_ADDRESSES]


def _parse(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """A URL that may be resolved: nothing in it that two readers could read differently."""
    text = text.strip()
    if len(text) > MAX_URL or "\\" in text or not text.isprintable():
        raise ValueError(
            f"{_shown(text)} is no usable address: over {MAX_URL} characters, or with characters that no URL has"
        )
    try:
        url = base.join(text) if base else httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(f"{_shown(text)} is no address: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"{_shown(url)} is no web address: give a full one that begins with https:// or http://")
    if url.userinfo:
        raise ValueError("an address with a user name or password in it is not fetched: leave them out")
    return url.copy_with(fragment=None)


async def _send(transport: httpx.AsyncHTTPTransport, url: httpx.URL, addresses: Sequence[str]) -> httpx.Response:
    """One request, to the first address that accepts a connection."""
    headers = {
        "Host": url.netloc.decode("ascii"),
        "User-Agent": "Ostinato-fetch/1",
        "Accept": "text/html, text/*, application/json, application/xml;q=0.9, */*;q=0.1",
        "Accept-Encoding": "gzip",
        "Connection": "close",
    }
    extensions = {"sni_hostname": _name(url), "timeout": {"connect": CONNECT_SECONDS, "read": None, "write": None}}
    refused: httpx.TransportError | None = None
    for address in addresses:
        pinned = httpx.Request("GET", url.copy_with(host=address), headers=headers, extensions=extensions)
        try:
            return await transport.handle_async_request(pinned)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            refused = error
    raise refused or ValueError(f"{_shown(url)} has no address")


async def _read(url: httpx.URL, response: httpx.Response) -> Page:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()[:100]
    if not (media_type.startswith("text/") or media_type in _READABLE or media_type.endswith(_READABLE_SUFFIXES)):
        if response.status_code in {204, 205, 304}:
            return Page(str(url), response.status_code, "", "", cut=False)
        kind = escape_control(media_type, 100) or "of no declared type"
        raise ValueError(f"{_shown(url)} answered {response.status_code} with something that is not text: it is {kind}")
    data, cut = await _body(url, response)
    is_html = media_type in {"text/html", "application/xhtml+xml"}
    text = await asyncio.to_thread(_text, data, response.charset_encoding, is_html)
    return Page(str(url), response.status_code, media_type, text, cut)


async def _body(url: httpx.URL, response: httpx.Response) -> tuple[bytes, bool]:
    """The body within the bound, unpacked here: a library's decoder turns one packed chunk into gigabytes at once."""
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {*_WINDOW_BITS, "identity", ""}:
        raise ValueError(f"{_shown(url)} is packed as {escape_control(coding, 40)!r}, which is not read here")
    unpack = zlib.decompressobj(_WINDOW_BITS[coding]) if coding in _WINDOW_BITS else None
    body, received = bytearray(), 0
    async for chunk in response.aiter_raw():
        received += len(chunk)
        try:
            body += unpack.decompress(chunk, MAX_BODY_BYTES + 1 - len(body)) if unpack else chunk
        except zlib.error:
            raise ValueError(f"{_shown(url)} says that it is packed as {coding}, and is not") from None
        if len(body) > MAX_BODY_BYTES or received > MAX_BODY_BYTES:
            return bytes(body[:MAX_BODY_BYTES]), True
    return bytes(body), unpack is not None and received > 0 and not unpack.eof


def _text(data: bytes, charset: str | None, is_html: bool) -> str:
    text = decode(data, charset, is_html=is_html)
    return html_text(text) if is_html else text


@cache
def _public_authorities() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


def _name(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").strip("[]").rstrip(".").lower()


def _port(url: httpx.URL) -> int:
    return (443 if url.scheme == "https" else 80) if url.port is None else url.port


def _shown(url: httpx.URL | str) -> str:
    return escape_control(str(url), 200)
