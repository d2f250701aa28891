"""A stream over a real socket: what comes in time is a reply, and whatever else happens leaves the task's fate open."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.api import client as client_module
from runware_provider.engine.api.client import Client, Lost, NotSent, StreamBounds
from runware_provider.engine.api.error_families import Family
from runware_provider.engine.endpoint import Endpoint
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.raw_server import raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

KEY = "key-of-the-tests-0123456789"
OURS = str(uuid.UUID(int=7, version=4))
BOUNDS = StreamBounds(silence_s=20.0, whole_s=20.0)
TEXT = b'data: {"taskUUID":"%s","delta":{"text":"It is "}}\n\n' % OURS.encode()
STOP = b'data: {"taskUUID":"%s","delta":{"text":"sunny."},"finishReason":"stop"}\n\n' % OURS.encode()
DONE = b"data: [DONE]\n\n"
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END = b"0\r\n\r\n"


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


class Streams:
    """A server that sends to each request some bytes, then keeps silent, drips, or closes the connection.

    Args:
        pieces: sent one after the other, each when the client has had time to read the one before.
        then: what follows them.
    """

    def __init__(self, *pieces: bytes, then: Callable[[asyncio.StreamWriter], Any] | None = None) -> None:
        self.pieces = pieces
        self.then = then
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(size))
                for piece in self.pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if self.then is not None:
                    await self.then(writer)
                    return

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        async with (
            raw_server(self.serve) as port,
            Client(Endpoint(f"http://127.0.0.1:{port}/v1", KEY)) as client,
        ):
            yield client


async def silence(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def cut(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def comments(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(chunk(b": keep-alive\n\n"))
        await writer.drain()
        await asyncio.sleep(0.02)


async def streamed(streams: Streams, bounds: StreamBounds = BOUNDS, **options: Any) -> Any:
    async with streams.client() as client:
        return await client.stream(b"[{}]", OURS, bounds, **options)


async def lost(streams: Streams, bounds: StreamBounds = BOUNDS) -> Lost:
    with pytest.raises(Lost) as caught:
        await streamed(streams, bounds)
    return caught.value


async def test_a_whole_stream_is_a_reply_with_its_answer() -> None:
    told: list[int] = []
    streams = Streams(HEAD, chunk(b": hello\n\n" + TEXT), chunk(STOP + DONE), END)
    reply = await streamed(streams, received=told.append)
    assert reply.results[OURS]["text"] == "It is sunny."
    assert sum(told) == len("It is sunny.")


async def test_the_request_asks_for_a_stream() -> None:
    streams = Streams(HEAD, chunk(STOP + DONE), END)
    await streamed(streams)
    (request,) = streams.requests
    assert b"\r\naccept: text/event-stream\r\n" in request.lower()


async def test_frames_are_read_though_every_byte_comes_alone() -> None:
    content = b"\xef\xbb\xbf: hello\r\n\r\n" + (TEXT + STOP + DONE).replace(b"\n", b"\r\n")
    streams = Streams(HEAD, *[chunk(bytes([byte])) for byte in content], END)
    assert (await streamed(streams)).results[OURS]["text"] == "It is sunny."


async def test_a_connection_is_used_again_after_a_whole_stream() -> None:
    streams = Streams(HEAD, chunk(STOP), chunk(DONE), END)
    async with streams.client() as client:
        for _ in range(3):
            assert (await client.stream(b"[{}]", OURS, BOUNDS)).results
    assert (len(streams.requests), streams.connections) == (3, 1)


async def test_a_stream_is_whole_though_its_server_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "READ_OFF_S", 0.05)
    for then in (silence, comments, cut):
        streams = Streams(HEAD, chunk(TEXT + STOP + DONE), then=then)
        assert (await streamed(streams)).results[OURS]["text"] == "It is sunny."


async def test_a_stream_that_is_cut_off_is_lost() -> None:
    error = await lost(Streams(HEAD, chunk(TEXT + STOP), then=cut))
    assert not error.timed_out
    assert not error.too_large


async def test_a_stream_that_ends_without_its_last_word_is_lost() -> None:
    assert str(await lost(Streams(HEAD, chunk(TEXT + STOP), END))) == "a stream that was cut off"


async def test_a_stream_that_stalls_is_lost_after_a_silence() -> None:
    error = await lost(Streams(HEAD, chunk(TEXT), then=silence), StreamBounds(silence_s=0.2, whole_s=20.0))
    assert error.timed_out


async def test_a_stream_that_never_begins_is_lost_after_a_silence() -> None:
    error = await lost(Streams(then=silence), StreamBounds(silence_s=0.2, whole_s=20.0))
    assert error.timed_out


async def test_comments_keep_a_stream_alive_no_longer_than_the_bound_over_all() -> None:
    error = await lost(Streams(HEAD, then=comments), StreamBounds(silence_s=0.3, whole_s=0.9))
    assert error.timed_out
    assert "0.9 seconds" in str(error)


async def test_an_answer_that_is_too_large_is_one_that_nobody_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runware_provider.engine.api.streamed_reply.MOST_BYTES", 1_000)
    large = json.dumps({"taskUUID": OURS, "delta": {"text": "x" * 1_001}}).encode()
    error = await lost(Streams(HEAD, chunk(b"data: " + large + b"\n\n"), chunk(STOP + DONE), END))
    assert error.too_large


async def test_the_key_is_taken_out_of_what_came_in_pieces() -> None:
    halves = [json.dumps({"delta": {"text": half}}).encode() for half in (KEY[:9], KEY[9:])]
    frames = b"".join(b"data: " + half + b"\n\n" for half in halves)
    reply = await streamed(Streams(HEAD, chunk(frames), chunk(STOP + DONE), END))
    assert KEY not in reply.results[OURS]["text"]


async def test_an_error_that_names_the_task_is_its_end() -> None:
    error = b'data: {"errors":[{"code":"contentPolicyViolation","taskUUID":"%s"}]}\n\n' % OURS.encode()
    reply = await streamed(Streams(HEAD, chunk(TEXT + error), END))
    assert reply.failures[OURS].family is Family.SAFETY


async def test_an_error_that_names_no_task_leaves_its_fate_open() -> None:
    error = b'data: {"error":{"code":"insufficientCredits"}}\n\n'
    assert "names no task" in str(await lost(Streams(HEAD, chunk(TEXT + error), END)))


def plain(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % (status, len(body)) + body


async def test_a_refusal_before_the_stream_is_read_as_one_of_any_request() -> None:
    refusal = b'{"errors":[{"code":"rateLimitExceeded","taskUUID":"%s"}]}' % OURS.encode()
    reply = await streamed(Streams(plain(b"429 Too Many Requests", refusal)))
    assert (reply.status, reply.failures[OURS].family) == (429, Family.RATE)


async def test_an_answer_that_does_not_stream_is_an_answer() -> None:
    body = b'{"data":[{"taskUUID":"%s","text":"Hi"}]}' % OURS.encode()
    assert (await streamed(Streams(plain(b"200 OK", body)))).results[OURS]["text"] == "Hi"


async def test_without_the_right_to_send_no_stream_is_begun() -> None:
    streams = Streams(HEAD, chunk(STOP + DONE), END)
    async with raw_server(streams.serve) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", KEY)
        async with Client(endpoint, may_send_s=lambda: 0.0) as client:
            with pytest.raises(NotSent):
                await client.stream(b"[{}]", OURS, BOUNDS)
    assert not streams.requests


async def test_a_right_that_lapses_while_the_stream_is_open_takes_nothing_from_it() -> None:
    left = iter([60.0, 60.0, 0.0])
    streams = Streams(HEAD, chunk(TEXT), chunk(STOP + DONE), END)
    async with raw_server(streams.serve) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", KEY)
        async with Client(endpoint, may_send_s=lambda: next(left)) as client:
            assert (await client.stream(b"[{}]", OURS, BOUNDS)).results


# the local server


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, stream_keep_alive=0.02)) as running:
        yield running


def task(**changes: Any) -> bytes:
    wanted = {
        "taskType": "textInference",
        "taskUUID": OURS,
        "model": "deepseek-v4-pro",
        "messages": [{"role": "user", "content": "How is the weather?"}],
        "deliveryMethod": "stream",
        "includeCost": True,
        "includeUsage": True,
    }
    return json.dumps([wanted | changes]).encode()


@pytest.mark.parametrize(
    ("fault", "timed_out"),
    [
        (Fault("cut_stream"), False),
        (Fault("stall_stream"), True),
        (Fault("error_frame"), False),
        (Fault("never_finish"), True),
        (Fault("half_body"), False),
    ],
)
async def test_the_faults_of_the_local_server_leave_the_tasks_fate_open(
    server: LocalServer, *, fault: Fault, timed_out: bool
) -> None:
    server.script(fault)
    async with Client(Endpoint(server.base_url, KEY)) as client:
        with pytest.raises(Lost) as caught:
            await client.stream(task(), OURS, StreamBounds(silence_s=0.3, whole_s=0.6))
    assert caught.value.timed_out is timed_out


async def test_a_stream_and_a_poll_give_the_same_item(server: LocalServer) -> None:
    server.script(Fault("reasoning_list"))
    async with Client(Endpoint(server.base_url, KEY)) as client:
        streamed = await client.stream(task(), OURS, BOUNDS)
        question = json.dumps([{"taskType": "getResponse", "taskUUID": OURS}]).encode()
        polled = await client.ask(question, 20.0)
    thought = "".join(polled.results[OURS]["reasoningContent"])
    assert streamed.results[OURS] == {**polled.results[OURS], "reasoningContent": thought}
