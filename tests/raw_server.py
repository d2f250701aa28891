"""A server on this machine that does with each connection what a test says, and leaves none open."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ssl
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path


@contextlib.asynccontextmanager
async def raw_server(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
) -> AsyncIterator[int]:
    """Listen, and yield the port.

    At the end what is still being served is cancelled and each connection is closed: what an event loop leaves open when it
    ends is told by the garbage collector, as a warning in whichever test happens to run then.

    Args:
        serve: called with each connection's reader and writer.
        options: further ones of `asyncio.start_server`.
    """
    connections: list[tuple[asyncio.Task[Any], asyncio.StreamWriter]] = []

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.append((task, writer))
        await serve(reader, writer)

    server = await asyncio.start_server(served, "127.0.0.1", 0, **options)
    async with server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            for task, writer in connections:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                writer.transport.abort()
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await writer.wait_closed()


def self_signed(folder: Path) -> ssl.SSLContext:
    """For a server: a certificate that it signed itself, which lies in `server.pem` of the folder with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    path = folder / "server.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
