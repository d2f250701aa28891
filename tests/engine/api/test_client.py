"""The client over a real socket, and what becomes of each way in which a request can go wrong."""

from __future__ import annotations

import json
import logging
import socket
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from runware_provider.engine.api import request_bodies
from runware_provider.engine.api.client import Client, Lost, NotSent
from runware_provider.engine.errors import BadInput, BalanceExhausted, KeyRefused, Unreachable
from runware_provider.engine.spec import Endpoint
from runware_provider.testing import Fault, LocalServer, ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    assert prices["deepseek-v4-pro"] == pytest.approx((0.961e-6, 1.922e-6))


async def test_prices_per_million_are_told_by_their_size() -> None:
    models = [{"id": "m", "pricing": {"prompt": "0.961", "completion": 1.922}}]
    for body in (models, {"data": models}):
        async with answering(200, json.dumps(body).encode()) as client:
            assert (await client.prices())["m"] == pytest.approx((0.961e-6, 1.922e-6))


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
]


@pytest.mark.parametrize("body", NO_PRICES)
async def test_what_is_no_price_list_is_none(body: bytes) -> None:
    async with answering(200, body) as client:
        assert await client.prices() == {}


async def test_no_price_list_is_no_error() -> None:
    async with Client(Endpoint(f"http://127.0.0.1:{closed_port()}/v1", KEY)) as client:
        assert await client.prices() == {}


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
            told = [repr(client), repr(vars(client)), repr(client._http)]
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
