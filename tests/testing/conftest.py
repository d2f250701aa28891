"""A local server that the tests of this folder share, and what they send to it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import total_of

Make = Callable[..., dict[str, Any]]


def known(task: dict[str, Any]) -> Any:
    """What the server of this folder knows: a document's total, and one text."""
    return "A sunny day." if "sun" in task["messages"][0]["content"] else total_of(task)


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def shared_server() -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(latency=0, answers=known)) as server:
        yield server


@pytest.fixture
def server(shared_server: LocalServer) -> Iterator[LocalServer]:
    """A server without latency, faults, and memory of other tests."""
    shared_server.reset()
    yield shared_server
    shared_server.clear_faults()


@pytest.fixture
def connect() -> Iterator[Callable[[LocalServer], httpx.Client]]:
    """Gives a client with the right key for a server."""
    clients: list[httpx.Client] = []

    def connected(server: LocalServer) -> httpx.Client:
        headers = {"authorization": f"Bearer {server.key}"}
        clients.append(httpx.Client(base_url=server.base_url, headers=headers, trust_env=False, timeout=20))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


@pytest.fixture
def client(server: LocalServer, connect: Callable[[LocalServer], httpx.Client]) -> httpx.Client:
    return connect(server)


@pytest.fixture
def make() -> Make:
    """Makes an async textInference task; arguments replace or add fields, None removes one."""

    def made(**changes: Any) -> dict[str, Any]:
        task = {
            "taskType": "textInference",
            "taskUUID": str(uuid.uuid4()),
            "model": "deepseek-v4-pro",
            "messages": [{"role": "user", "content": "The sun is shining. It is warm."}],
            "deliveryMethod": "async",
        }
        return {name: value for name, value in {**task, **changes}.items() if value is not None}

    return made


@pytest.fixture
def ask() -> Make:
    """Makes a getResponse task for a task."""

    def made(task: dict[str, Any]) -> dict[str, Any]:
        return {"taskType": "getResponse", "taskUUID": task["taskUUID"]}

    return made


@pytest.fixture
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Waits until a condition holds, for at most ten seconds, and gives its value."""

    def waited(condition: Callable[[], Any]) -> Any:
        end = time.monotonic() + 10
        while not (value := condition()):
            assert time.monotonic() < end, "it never came true"
        return value

    return waited
