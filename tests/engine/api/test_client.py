"""The client over a real socket, and what becomes of each way in which a request can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import uuid
import zlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.client import Client, Lost, NotSent
from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import BadInput, BalanceExhausted, KeyRefused, Unreachable
from runware_provider.testing import Fault, LocalServer, ServerSettings
from tests.raw_server import raw_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

KEY = "key-of-the-tests-0123456789"
SOME_UUID = str(uuid.UUID(int=7, version=4))


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0)) as running:
        yield running


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client_of(server: LocalServer, key: str = KEY) -> Client:
    return Client(Endpoint(server.base_url, key))


def answering(status: int, content: bytes = b"", **headers: str) -> Client:
    """A client whose API always gives this answer."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content, headers=headers))
    return Client(Endpoint("https://api.example/v1", KEY), transport=transport)


async def test_a_reply_is_read_whatever_its_status(server: LocalServer) -> None:
    async with client_of(server) as client:
        found = await client.ask(request_bodies.get_response([SOME_UUID]), 5)
        refused = await client.post(b"{}", 5)
        archived = await client.look_up(request_bodies.get_task_details([SOME_UUID]), 5)
    assert (found.status, found.readable, found.unnamed) == (200, True, ())
    assert (refused.status, refused.unnamed[0].code) == (400, "invalidRequest")
    assert archived.failures[SOME_UUID].code == "taskNotFound"


async def test_a_connection_that_cannot_be_opened_sent_nothing() -> None:
    async with Client(Endpoint(f"http://127.0.0.1:{closed_port()}/v1", KEY)) as client:
        with pytest.raises(NotSent):
            await client.post(b"[]", 5)


@pytest.mark.parametrize("kind", ["cut_before_work", "cut_after_work", "half_body"])
async def test_a_cut_connection_may_have_brought_it(server: LocalServer, kind: str) -> None:
    server.script(Fault(kind))
    async with client_of(server) as client:
        with pytest.raises(Lost) as lost:
            await client.post(request_bodies.get_response([SOME_UUID]), 5)
    assert not lost.value.timed_out


async def test_a_reply_that_takes_too_long_is_lost_by_time(server: LocalServer) -> None:
    server.script(Fault("delay_reply", seconds=5))
    async with client_of(server) as client:
        with pytest.raises(Lost) as lost:
            await client.post(request_bodies.get_response([SOME_UUID]), 0.1)
    assert lost.value.timed_out


@pytest.mark.parametrize("request_of", ["post", "ask", "look_up"])
async def test_a_reply_that_drips_is_lost_by_time_as_a_whole(server: LocalServer, request_of: str) -> None:
    server.script(Fault("dripping_reply", seconds=0.02))
    async with client_of(server) as client:
        with pytest.raises(Lost, match=r"within 0\.3 seconds") as lost:
            await getattr(client, request_of)(request_bodies.get_response([SOME_UUID]), 0.3)
    assert lost.value.timed_out


async def test_headers_that_drip_are_lost_by_time_too() -> None:
    """Each read brings a byte, so that no single read takes too long."""

    over = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.is_set():
                writer.write(b"x")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), 0.02)
        writer.close()

    async with raw_server(drip) as port, Client(Endpoint(f"http://127.0.0.1:{port}/v1", KEY)) as client:
        with pytest.raises(Lost) as lost:
            await client.post(b"[]", 0.3)
        over.set()
    assert lost.value.timed_out


async def test_a_body_that_is_no_json_is_a_reply_that_cannot_be_read(server: LocalServer) -> None:
    server.script(Fault("garbage_body"))
    async with client_of(server) as client:
        assert not (await client.post(request_bodies.get_response([SOME_UUID]), 5)).readable


async def test_a_broken_compression_is_a_lost_reply() -> None:
    async with answering(200, b"not gzip", **{"Content-Encoding": "gzip"}) as client:
        with pytest.raises(Lost):
            await client.post(b"[]", 5)


SECONDS = {"7": 7, "0.5": 0.5, "0": 0, "99999": 99_999, "inf": 1_000_000}
NO_SECONDS = ["-1", "nan", "", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "\u00b2"]


@pytest.mark.parametrize(
    ("header", "seconds"), [*SECONDS.items(), *((header, None) for header in NO_SECONDS)]
)
async def test_retry_after_is_read_where_it_says_seconds(header: str, seconds: float | None) -> None:
    def answer(_: Any) -> httpx.Response:
        return httpx.Response(429, content=b"{}", headers=[(b"Retry-After", header.encode("latin-1"))])

    async with Client(
        Endpoint("https://api.example/v1", KEY), transport=httpx.MockTransport(answer)
    ) as client:
        assert (await client.post(b"[]", 5)).retry_after_s == seconds


async def test_a_redirect_is_not_followed_with_the_key() -> None:
    async with answering(302, b"", Location="https://elsewhere.example/") as client:
        assert (await client.post(b"[]", 5)).status == 302


# what a stranger may do with a reply


@contextlib.asynccontextmanager
async def scripted(*replies: bytes) -> AsyncIterator[tuple[str, list[str]]]:
    """A server that gives these replies, head and body, one after the other; and the heads of requests that it got."""
    heads: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while len(heads) < len(replies):
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                sizes = [line for line in head.lower().splitlines() if line.startswith("content-length")]
                await reader.readexactly(int(sizes[0].partition(":")[2]) if sizes else 0)
                heads.append(head)
                writer.write(replies[len(heads) - 1])
                await writer.drain()
        writer.close()

    async with raw_server(serve) as port:
        yield f"http://127.0.0.1:{port}/v1", heads


def reply_of(body: bytes, *headers: str) -> bytes:
    head = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def bomb() -> bytes:
    """64 MB of blanks as 64 KB of gzip."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    megabyte = b" " * 2**20
    return b"".join(packer.compress(megabyte) for _ in range(64)) + packer.flush()


async def test_a_reply_that_unpacks_beyond_all_bounds_is_lost_and_asked_for_in_smaller_pieces() -> None:
    packed = reply_of(bomb(), "Content-Encoding: gzip")
    async with scripted(packed, packed, packed) as (url, heads), Client(Endpoint(url, KEY)) as client:
        for send in (client.post, client.ask, client.look_up):
            with pytest.raises(Lost, match="more than 32 MB") as lost:
                await send(b"[]", 5)
            assert lost.value.timed_out
    assert "accept-encoding: gzip\r" in heads[0].lower()


async def test_a_price_list_and_a_check_that_are_too_large_are_not_believed() -> None:
    packed = reply_of(bomb(), "Content-Encoding: gzip")
    async with scripted(packed, packed) as (url, _), Client(Endpoint(url, KEY)) as client:
        assert await client.prices() is None
        with pytest.raises(Unreachable, match="more than 32 MB"):
            await client.check_key()


async def test_a_packing_that_was_not_asked_for_is_a_lost_reply() -> None:
    packed = reply_of(b"whatever", "Content-Encoding: br")
    async with scripted(packed) as (url, _), Client(Endpoint(url, KEY)) as client:
        with pytest.raises(Lost, match="packed with br, where only gzip was asked for"):
            await client.post(b"[]", 5)


async def test_no_cookie_is_kept() -> None:
    sets = reply_of(b"[]", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Domain=127.0.0.1")
    async with scripted(sets, sets) as (url, heads), Client(Endpoint(url, KEY)) as client:
        for _ in range(2):
            await client.post(b"[]", 5)
    assert "cookie" not in heads[1].lower()


PROXIES = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]


@pytest.mark.parametrize("variable", PROXIES)
async def test_a_request_to_this_machine_goes_through_no_proxy(
    variable: str, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"http://127.0.0.1:{closed_port()}")
    by_name = server.base_url.replace("127.0.0.1", "localhost")
    for url in (server.base_url, by_name):
        async with Client(Endpoint(url, KEY)) as client:
            assert await client.check_key()
            assert await client.prices()


async def test_through_a_proxy_the_key_goes_encrypted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
    async with scripted(refusal) as (url, heads):
        monkeypatch.setenv("HTTPS_PROXY", url.removesuffix("/v1"))
        async with Client(Endpoint("https://api.example/v1", KEY)) as client:
            with pytest.raises((Lost, NotSent)):
                await client.post(b'["a prompt"]', 5)
    assert heads[0].startswith("CONNECT api.example:443 ")
    assert KEY not in heads[0]


@pytest.mark.parametrize("proxy", ["ftp://somebody:hidden@proxy.example", "http://hidden:port"])
def test_a_proxy_that_cannot_be_used_is_refused_without_being_told(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(BadInput, match="HTTPS_PROXY") as refused:
        Client(Endpoint("https://api.example/v1", KEY))
    assert "hidden" not in str(refused.value)


# the check of a key


async def test_the_right_key_is_taken(server: LocalServer) -> None:
    async with client_of(server) as client:
        assert await client.check_key() == f"{server.base_url} takes the key"
    assert server.bill_summary()["executed"] == 0


async def test_the_line_end_of_a_key_file_is_no_part_of_the_key(server: LocalServer) -> None:
    async with client_of(server, f" {KEY}\r\n") as client:
        assert await client.check_key()


async def test_a_wrong_key_is_refused_by_the_api(server: LocalServer) -> None:
    async with client_of(server, "key-of-somebody-else") as client:
        with pytest.raises(KeyRefused, match="invalidApiKey") as refused:
            await client.check_key()
    assert "somebody-else" not in str(refused.value)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_bare_refusal_of_the_key_is_told(status: int) -> None:
    async with answering(status, b"<html>") as client:
        with pytest.raises(KeyRefused, match=str(status)):
            await client.check_key()


async def test_an_empty_account_is_told_by_the_check() -> None:
    body = json.dumps({"errors": [{"code": "insufficientCredits", "message": "no more"}]}).encode()
    async with answering(402, body) as client:
        with pytest.raises(BalanceExhausted, match="no more"):
            await client.check_key()


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>welcome"), (500, b"{}"), (302, b"")])
async def test_an_address_that_is_not_the_api_is_told(status: int, body: bytes) -> None:
    async with answering(status, body) as client:
        with pytest.raises(Unreachable, match=f"HTTP {status}, not as the API would"):
            await client.check_key()


async def test_an_address_without_an_api_is_told_with_the_one_that_has_it() -> None:
    async with answering(404, b"{}") as client:
        with pytest.raises(
            Unreachable, match=r"HTTP 404.* Check the base URL; .*https://api\.runware\.ai/v1"
        ):
            await client.check_key()


async def test_an_address_where_nobody_listens_is_told() -> None:
    async with Client(Endpoint(f"http://127.0.0.1:{closed_port()}/v1", KEY)) as client:
        with pytest.raises(Unreachable, match="did not answer"):
            await client.check_key()


# prices


async def test_the_models_prices_are_usd_per_token(server: LocalServer) -> None:
    async with client_of(server) as client:
        prices = await client.prices()
        assert prices is not None
    assert prices["deepseek-v4-pro"] == pytest.approx((0.961e-6, 1.922e-6))


async def test_prices_per_million_are_told_by_their_size() -> None:
    models = [{"id": "m", "pricing": {"prompt": "0.961", "completion": 1.922}}]
    for body in (models, {"data": models}):
        async with answering(200, json.dumps(body).encode()) as client:
            assert (await client.prices() or {})["m"] == pytest.approx((0.961e-6, 1.922e-6))


NO_PRICES = [
    b"",
    b"<html>",
    b"7",
    b"{}",
    b"\xff",
    b'{"data": 7}',
    b'[1, "m", null, {}, {"id": "m"}]',
    b'[{"id": "m", "pricing": {"prompt": "x", "completion": "y"}}]',
    b'[{"id": "m", "pricing": 7}]',
    b'[{"id": "m", "pricing": {"prompt": ' + b"9" * 400 + b', "completion": 1}}]',
    b'[{"id": "m", "pricing": {"prompt": "' + b"9" * 400 + b'", "completion": 1}}]',
    b'[{"id": "m", "pricing": {"prompt": -1, "completion": 1}}]',
    b'[{"id": "m", "pricing": {"prompt": 1, "completion": "-1"}}]',
    b'[{"id": "m", "pricing": {"prompt": NaN, "completion": 1}}]',
    b'[{"id": "m", "pricing": {"prompt": "nan", "completion": 1}}]',
    b'[{"id": "m", "pricing": {"prompt": "inf", "completion": 1}}]',
    b'[{"id": "m", "pricing": {"prompt": true, "completion": 1}}]',
    b'[{"id": "m", "pricing": {"prompt": 1000000, "completion": 1}}]',
    b'[{"id": ["m"], "pricing": {"prompt": 1, "completion": 1}}]',
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
]


async def test_a_strange_price_hides_no_other() -> None:
    good = b'{"id": "m", "pricing": {"prompt": "0.961", "completion": " 1.922 "}}'
    deep = b"[" * 5_000 + b"]" * 5_000
    body = b'{"data": [{"id": "x", "pricing": {"prompt": 1e999, "completion": 1}}, %s, %s]}' % (deep, good)
    async with answering(200, body) as client:
        assert list(await client.prices() or {}) == ["m"]


@pytest.mark.parametrize("body", NO_PRICES)
async def test_what_is_no_price_list_is_none(body: bytes) -> None:
    async with answering(200, body) as client:
        assert await client.prices() == {}


async def test_no_price_list_is_no_error_and_silence_is_told_from_it() -> None:
    async with Client(Endpoint(f"http://127.0.0.1:{closed_port()}/v1", KEY)) as client:
        assert await client.prices() is None
    async with answering(404, b"") as client:
        assert await client.prices() == {}


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_api_that_is_too_busy_to_list_its_prices_did_not_answer(status: int) -> None:
    async with answering(status, b'{"data": []}') as client:
        assert await client.prices() is None


# what cannot be sent


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "schl\u00fcssel", "null\x00byte", "\u200bkey"])
def test_a_key_that_no_header_takes_is_refused_without_being_told(key: str) -> None:
    with pytest.raises(BadInput) as refused:
        Client(Endpoint("https://api.example/v1", key))
    assert refused.value.field == "API key"
    assert key not in str(refused.value)
    assert refused.value.remedy


@pytest.mark.parametrize("url", ["https://api.example:99999/v1", "https://api.exam\x00ple/v1"])
def test_an_address_that_cannot_be_read_is_refused(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        Client(Endpoint(url, KEY))
    assert refused.value.field == "base URL"
    assert refused.value.remedy


# what is logged


async def test_our_requests_are_not_told_at_info_and_those_of_others_are(
    server: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="httpx"):  # by name: Airflow's own logging sets its level
        async with client_of(server) as client, httpx.AsyncClient() as other:
            await client.check_key()
            await client.prices()
            assert "httpx" not in {record.name for record in caplog.records}
            await other.get(f"{server.base_url}/models")
    assert [record.name for record in caplog.records if record.name.startswith("http")] == ["httpx"]


async def test_the_key_is_in_no_repr_and_in_no_log(
    server: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with client_of(server) as client:
            told = [repr(client), repr(vars(client)), repr(client._transport)]
            await client.check_key()
    assert KEY not in "".join(told) + caplog.text


async def test_every_other_fault_of_transport_is_a_lost_reply() -> None:
    def fail(_: Any) -> Any:
        raise httpx.RemoteProtocolError("https://api.example/v1?secret")

    transport = httpx.MockTransport(fail)
    async with Client(Endpoint("https://api.example/v1", KEY), transport=transport) as client:
        with pytest.raises(Lost, match=r"api\.example closed the connection without a whole reply") as lost:
            await client.post(b"[]", 5)
    assert "secret" not in str(lost.value)
