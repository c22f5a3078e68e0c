"""Servers that answer exactly what a test says, hostile ones included, and names that resolve as a test says."""

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.tools.addresses import FetchPolicy
from activities.tools.fetch import Fetcher

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
"""Gets the request's head and writes whatever it likes; the connection is closed after it."""


@dataclass
class Raw:
    """A server of bare sockets."""

    port: int = 0
    heads: list[str] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def allowing(self, *more: str, **changes: object) -> Fetcher:
        """A fetcher that may reach this server by its number, and nothing else that is not public."""
        return Fetcher(FetchPolicy.parse([f"127.0.0.1:{self.port}", *more]), **changes)  # type: ignore[arg-type]  # test doubles


@asynccontextmanager
async def serving(answer: Answer, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> AsyncIterator[Raw]:
    raw = Raw()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            raw.heads.append(head)
            await answer(head, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()


def saying(body: bytes, *headers: str, status: str = "200 OK", media_type: str = "text/plain") -> Answer:
    """One answer to everything."""

    async def answer(head: str, writer: asyncio.StreamWriter) -> None:
        del head
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return answer


def redirecting(location: str) -> Answer:
    return saying(b"", f"Location: {location}", status="302 Found")


def resolving(**names: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A resolver that knows these names; a name asked again and again goes through its list of answers."""
    asked: dict[str, int] = {}

    async def resolve(host: str, port: int) -> Sequence[str]:
        del port
        if host not in names:
            raise OSError(f"no such host: {host}")
        at = asked[host] = asked.get(host, -1) + 1
        answers = names[host]
        return answers[min(at, len(answers) - 1)].split()

    return resolve


def authority(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for one name, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    client = ssl.create_default_context(cadata=pem)
    return _server_context(pem, key), client


def _server_context(pem: str, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "both.pem")
        path.write_text(secret + pem)
        context.load_cert_chain(path)
    return context
