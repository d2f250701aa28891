"""What is sent while it may be sent, over real sockets: not a byte before that is looked at, and none when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from typing import TYPE_CHECKING

import aiohttp
import httpx
import pytest

from runware_provider.engine.api import direct_transport
from runware_provider.engine.api.client import Client, Lost, NotSent
from runware_provider.engine.api.direct_transport import RIGHT, DirectTransport
from runware_provider.engine.api.proxies import proxy_for
from runware_provider.engine.endpoint import Endpoint
from tests.raw_server import raw_server, self_signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"
LARGE = b"[" + b" " * 64 * 2**20 + b"]"
"""More than the operating system takes from a sender whose receiver reads nothing."""


class Connections:
    """What a server got: of each connection its bytes, and how it ended."""

    def __init__(self) -> None:
        self.got: list[bytearray] = []
        self.ends: list[asyncio.Future[BaseException | None]] = []
        self.reads = asyncio.Event()
        """Until it is set, nothing is read."""
        self.reads.set()

    @property
    def ended(self) -> asyncio.Future[BaseException | None]:
        """The end of the first."""
        return self.ends[0]


@contextlib.asynccontextmanager
async def answering() -> AsyncIterator[tuple[str, Connections]]:
    """A server that answers each request that is there as a whole with an empty list."""
    connections = Connections()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got, end = bytearray(), asyncio.get_running_loop().create_future()
        connections.got.append(got)
        connections.ends.append(end)
        answered = 0
        try:
            await connections.reads.wait()
            while piece := await reader.read(2**20):
                got += piece
                if got.count(b"\r\n\r\n[") > answered and got.endswith(b"]"):
                    answered += 1
                    writer.write(REPLY)
            end.set_result(None)
        except ConnectionError as error:
            end.set_result(error)
        writer.close()

    async with raw_server(serve, limit=2**16) as port:
        yield f"http://127.0.0.1:{port}/v1", connections


def says(*left_s: float) -> Callable[[], float]:
    """A right to send that says this one after the other, and its last for ever."""
    rest = list(left_s)
    return lambda: rest.pop(0) if len(rest) > 1 else rest[0]


async def test_a_right_that_lapses_while_the_connection_is_made_sends_no_byte() -> None:
    async with answering() as (url, connections):
        async with Client(Endpoint(url, KEY), may_send_s=says(30, 0)) as client:
            with pytest.raises(NotSent, match="no lease"):
                await client.post(b"[]", 5)
        await connections.ended
        assert connections.got == [b""]


async def test_a_right_that_lapses_on_a_connection_that_stands_sends_no_byte_of_the_request() -> None:
    async with answering() as (url, connections):
        async with Client(Endpoint(url, KEY), may_send_s=says(30, 30, 30, 0)) as client:
            await client.post(b"[1]", 5)
            with pytest.raises(NotSent, match="no lease"):
                await client.post(b"[2]", 5)
        await connections.ended
        assert connections.got[0].endswith(b"[1]")
        assert len(connections.got) == 1


async def test_questions_need_no_right() -> None:
    async with answering() as (url, _), Client(Endpoint(url, KEY), may_send_s=says(0)) as client:
        assert (await client.ask(b"[]", 5)).status == 200
        assert (await client.look_up(b"[]", 5)).status == 200
        with pytest.raises(NotSent):
            await client.post(b"[]", 5)


async def test_what_could_not_be_handed_over_while_it_might_be_sent_never_arrives() -> None:
    async with answering() as (url, connections):
        connections.reads.clear()
        async with Client(Endpoint(url, KEY), may_send_s=says(30, 0.05)) as client:
            with pytest.raises(Lost) as lost:
                await client.post(LARGE, 30)
            assert lost.value.timed_out
            # The connection is open no more, though the client is.
            connections.reads.set()
            await connections.ended
        assert len(connections.got[0]) < len(LARGE)


async def test_what_was_given_up_for_time_does_not_arrive_later() -> None:
    async with answering() as (url, connections):
        connections.reads.clear()
        async with Client(Endpoint(url, KEY)) as client:
            with pytest.raises(Lost, match=r"within 0\.2 seconds"):
                await client.post(LARGE, 0.2)
            connections.reads.set()
            await connections.ended
        assert len(connections.got[0]) < len(LARGE)


async def test_the_operating_system_delivers_nothing_late_also_on_a_connection_that_a_question_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[asyncio.Transport] = []
    transport_of = aiohttp.TCPConnector._wrap_create_connection

    async def noted(*arguments: object, **named: object) -> object:
        transport, protocol = await transport_of(*arguments, **named)  # type: ignore[arg-type]
        opened.append(transport)
        return transport, protocol

    monkeypatch.setattr(aiohttp.TCPConnector, "_wrap_create_connection", noted)
    async with answering() as (url, _), Client(Endpoint(url, KEY), undelivered_s=7) as client:
        await client.ask(b"[]", 5)
        await client.post(b"[]", 5)
        (transport,) = opened
        connection = transport.get_extra_info("socket")
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
        linger = connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        assert struct.unpack("ii", linger) == (1, 0)
        # Nothing waits in this process unseen.
        assert transport.get_write_buffer_limits() == (0, 0)


async def test_a_connection_whose_reply_was_read_is_used_again_and_one_that_was_not_is_closed() -> None:
    async with answering() as (url, connections), Client(Endpoint(url, KEY), connections=1) as client:
        for _ in range(3):
            await client.post(b"[]", 5)
        assert len(connections.got) == 1


async def test_a_reply_whose_headers_never_end_is_lost_before_it_takes_memory() -> None:
    written = 0

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\n")
            while written < 2**26:
                lines = b"".join(b"X-%d: %s\r\n" % (written + line, b"x" * 1000) for line in range(64))
                writer.write(lines)
                written += len(lines)
                await writer.drain()
        writer.close()

    async with raw_server(serve) as port, Client(Endpoint(f"http://127.0.0.1:{port}/v1", KEY)) as client:
        with pytest.raises(Lost) as lost:
            await client.ask(b"[]", 30)
    assert not lost.value.timed_out
    assert written < 2**25


def kinds_of(kind: type[BaseException]) -> list[type[BaseException]]:
    return [kind, *(below for each in kind.__subclasses__() for below in kinds_of(each))]


def test_every_error_of_aiohttp_has_one_of_httpx() -> None:
    before = {httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol}
    connecting = [*kinds_of(aiohttp.ClientConnectorError), aiohttp.ConnectionTimeoutError]
    connecting += kinds_of(aiohttp.InvalidURL)
    for kind in kinds_of(aiohttp.ClientError):
        error = kind.__new__(kind)
        told = type(direct_transport._as_httpx(error))  # type: ignore[arg-type]
        assert issubclass(told, httpx.TransportError)
        # Of these alone it is certain that nothing was written.
        assert (told in before) == (kind in connecting), kind


PROXIES = {
    "http://proxy.example:3128": "http://proxy.example:3128",
    "https://a:b@proxy.example": "https://a:b@proxy.example",
    "proxy.example:3128": "http://proxy.example:3128",
}


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("named", PROXIES)
def test_the_proxy_that_the_environment_names_is_taken(
    variable: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, named)
    assert proxy_for("https://api.example/v1") == PROXIES[named]
    for unproxied in ("api.example", "*", ".example", "other.example, api.example"):
        monkeypatch.setenv("NO_PROXY", unproxied)
        assert proxy_for("https://api.example/v1") is None
    monkeypatch.setenv("NO_PROXY", "other.example")
    assert proxy_for("https://api.example/v1") == PROXIES[named]


@pytest.mark.parametrize("named", ["ftp://proxy.example", "socks5://proxy.example", "http://", "http://a:b"])
def test_a_proxy_that_cannot_be_used_is_refused(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(ValueError, match=r"^(?!.*proxy\.example)"):
        proxy_for("https://api.example/v1")


def test_without_a_proxy_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert proxy_for("https://api.example/v1") is None


# the same over TLS, where what was encrypted lies in a transport of its own


@contextlib.asynccontextmanager
async def encrypted(
    folder: Path, *, replies_after_s: float = 0.0, reads: asyncio.Event | None = None
) -> AsyncIterator[tuple[str, DirectTransport, list[bytearray]]]:
    """A server that answers each request; its URL, a transport that trusts it, and the bytes of each of its connections."""
    connections: list[bytearray] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got, answered = bytearray(), 0
        connections.append(got)
        with contextlib.suppress(ConnectionError):
            if reads is not None:
                await reads.wait()
            while piece := await reader.read(2**20):
                got += piece
                if got.count(b"\r\n\r\n[") > answered and got.endswith(b"]"):
                    answered += 1
                    await asyncio.sleep(replies_after_s)
                    writer.write(REPLY)
        writer.close()

    async with raw_server(serve, ssl=self_signed(folder)) as port:
        trusted = ssl.create_default_context(cafile=folder / "server.pem")
        trusted.check_hostname = False
        transport = DirectTransport(connections=4, trusted=trusted, undelivered_s=30)
        try:
            yield f"https://127.0.0.1:{port}/v1", transport, connections
        finally:
            await transport.aclose()


async def sent(transport: DirectTransport, url: str, body: bytes, right_s: float) -> int:
    """Send a request, and read its reply to the end; returns its status."""
    extensions = {"timeout": httpx.Timeout(20).as_dict(), RIGHT: lambda: right_s}
    response = await transport.handle_async_request(
        httpx.Request("POST", url, content=body, extensions=extensions)
    )
    await response.aread()
    await response.aclose()
    return response.status_code


async def test_over_tls_requests_share_a_connection(tmp_path: Path) -> None:
    async with encrypted(tmp_path) as (url, transport, connections):
        assert [await sent(transport, url, b"[%d]" % number, 30) for number in range(30)] == [200] * 30
        assert len(connections) == 1


async def test_over_tls_a_reply_may_come_after_the_right_to_send_has_ended(tmp_path: Path) -> None:
    async with encrypted(tmp_path, replies_after_s=0.4) as (url, transport, _):
        assert [await sent(transport, url, b"[%d]" % number, 0.2) for number in range(4)] == [200] * 4


async def test_over_tls_what_is_not_handed_over_when_the_right_ends_goes_nowhere(tmp_path: Path) -> None:
    reads = asyncio.Event()
    async with encrypted(tmp_path, reads=reads) as (url, transport, connections):
        body = b"[" + b"1" * 40_000_000 + b"]"
        with pytest.raises(httpx.TransportError):
            await sent(transport, url, body, 0.5)
        reads.set()
        while not connections:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    assert len(connections[0]) < len(body)
