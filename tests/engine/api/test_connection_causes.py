"""Why a request did not get through: each cause is brought about over a real socket, where this machine can."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.api.client import Client, Lost, NotSent
from runware_provider.engine.api.connection_causes import cause_of
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import Unreachable
from tests.raw_server import raw_server, self_signed

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator
    from pathlib import Path


@contextlib.asynccontextmanager
async def listening(says: bytes = b"", tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that reads a little, says this, and closes; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read(10)
            writer.write(says)
            writer.close()

    async with raw_server(serve, ssl=tls) as port:
        yield port


async def told_of(base_url: str, timeout_s: float = 5) -> NotSent | Lost:
    async with Client(Endpoint(base_url, "some-key")) as client:
        with pytest.raises((NotSent, Lost)) as failed:
            await client.post(b"[]", timeout_s)
        with pytest.raises(Unreachable) as unreachable:
            await client.check_key()
    assert str(failed.value) in unreachable.value.reason
    assert failed.value.remedy in unreachable.value.remedy
    return failed.value


async def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    told = await told_of(f"http://127.0.0.1:{port}/v1")
    assert str(told) == f"connection refused: nobody listens at 127.0.0.1:{port}"
    assert "host and port" in told.remedy


async def test_a_proxy_that_does_not_listen_is_told_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    told = await told_of("https://api.runware.invalid/v1")
    assert str(told) == f"connection refused: no proxy listens at 127.0.0.1:{port}"
    assert told.remedy == "Check HTTPS_PROXY, or leave the host out of it with NO_PROXY."
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    assert str(await told_of("https://api.runware.invalid/v1")).startswith(
        "the name of the proxy proxy.invalid cannot"
    )
    monkeypatch.setenv("NO_PROXY", "runware.invalid")
    assert (
        str(await told_of("https://api.runware.invalid/v1"))
        == "the name api.runware.invalid cannot be resolved"
    )


async def test_a_name_that_nobody_knows() -> None:
    told = await told_of("https://api.runware.invalid/v1")
    assert str(told) == "the name api.runware.invalid cannot be resolved"
    assert "DNS" in told.remedy


async def test_a_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    async with listening(tls=self_signed(tmp_path)) as port:
        told = await told_of(f"https://127.0.0.1:{port}/v1")
    assert str(told).startswith(f"TLS: the certificate of 127.0.0.1:{port} is not trusted (self")
    assert "SSL_CERT_FILE" in told.remedy


async def test_a_server_without_tls() -> None:
    async with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        told = await told_of(f"https://127.0.0.1:{port}/v1")
    assert f"TLS: no secure connection to 127.0.0.1:{port} (" in str(told)
    assert "http or https" in told.remedy


async def test_a_connection_that_is_closed_without_a_word() -> None:
    async with listening() as port:
        told = await told_of(f"http://127.0.0.1:{port}/v1")
    assert str(told) == f"127.0.0.1:{port} closed the connection without a whole reply"
    assert "proxy" in told.remedy


def raised(names: str, cause: BaseException | None = None) -> BaseException:
    """An error of the HTTP library's class of this name, below others, and what brought it about."""
    kind: Any = Exception
    for name in names.split():
        kind = type(name, (kind,), {})
    error: BaseException = kind("https://somebody:secret@api.example/v1")
    error.__cause__ = cause
    return error


def nested(depth: int) -> BaseException:
    error: BaseException = ConnectionRefusedError()
    for _ in range(depth):
        error = raised("Other", error)
    return error


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (raised("TimeoutException ConnectTimeout"), "no connection to api.example in time"),
        (
            raised("TimeoutException ConnectTimeout", ssl.SSLWantReadError()),
            "no connection to api.example in time",
        ),
        (raised("TimeoutException ReadTimeout"), "no whole reply from api.example in time"),
        (raised("ProxyError"), "the proxy does not let this through to api.example"),
        (raised("ConnectError", OSError(errno.ENETUNREACH, "")), "there is no route to api.example"),
        (
            raised("ReadError", ConnectionResetError()),
            "api.example closed the connection without a whole reply",
        ),
        (
            raised("ConnectError", ExceptionGroup("both", [OSError(errno.EADDRINUSE, ""), nested(1)])),
            "connection refused: nobody listens at api.example",
        ),
        (raised("Unheard"), "Unheard"),
        (nested(1_000), "Other"),
    ],
)
def test_what_cannot_be_brought_about_here_is_told_by_its_causes(error: BaseException, what: str) -> None:
    cause = cause_of(error, "api.example")
    assert cause.what == what
    assert "secret" not in cause.what + cause.remedy
    assert len(cause.remedy) <= 100


def test_causes_that_go_round_in_a_circle_end() -> None:
    error = raised("Unheard")
    error.__cause__ = raised("Other", error)
    assert cause_of(error, "api.example").what == "Unheard"
