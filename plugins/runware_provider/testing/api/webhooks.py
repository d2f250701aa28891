"""Webhook calls: one POST per finished item, retried as the contract's section 6 says."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from runware_provider.testing.api.faults import Fault
    from runware_provider.testing.api.state import State
    from runware_provider.testing.api.tasks import Task

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
MAX_BACKOFF_FACTOR = 32
AT_ONCE = 1_000
"""Calls that wait for their answer: a thousand a second, where a receiver takes its time."""
MOST_OF_A_REPLY = 65_536
"""Bytes that are read of what a receiver says, so that its connection can be used again."""


@dataclass(frozen=True, slots=True)
class _Call:
    url: str
    body: bytes
    tried: int = 0


class WebhookSender:
    """Sends webhooks when their time comes; used as an asynchronous context.

    Args:
        state: Has the clock, the settings of retries, and the bill that counts.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._due: list[tuple[float, int, _Call]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=AT_ONCE),
            timeout=aiohttp.ClientTimeout(total=self._state.settings.webhook_timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            # Without proxies of the environment: the receiver is on this machine.
            trust_env=False,
        )
        self._pump = asyncio.create_task(self._send_when_due())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = [self._pump, *self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    def schedule(self, webhooks: Iterable[tuple[Task, str, dict[str, Fault]]]) -> None:
        """Plan the calls of accepted tasks."""
        for task, url, faults in webhooks:
            delay = faults["webhook_delay"].seconds if "webhook_delay" in faults else 0.0
            copies = 2 if "webhook_twice" in faults else 1
            shape = faults["webhook_shape"].shape if "webhook_shape" in faults else "flat"
            for finish, body in _bodies(task, shape):
                for _ in range(copies):
                    self._push(finish + delay, _Call(url, body))

    def _push(self, at: float, call: _Call) -> None:
        heapq.heappush(self._due, (at, next(self._order), call))
        self._changed.set()

    async def _send_when_due(self) -> None:
        while True:
            self._changed.clear()
            now = self._state.clock()
            while self._due and self._due[0][0] <= now:
                await self._slots.acquire()
                task = asyncio.create_task(self._send(heapq.heappop(self._due)[2]))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            rest = self._due[0][0] - now if self._due else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._changed.wait()

    async def _send(self, call: _Call) -> None:
        try:
            delivered = await self._post(call)
        finally:
            self._slots.release()
        if delivered:
            self._state.bill.webhooks_sent += 1
        elif call.tried + 1 >= self._state.settings.webhook_tries:
            self._state.bill.webhooks_failed += 1
        else:
            factor = min(2**call.tried, MAX_BACKOFF_FACTOR)
            wait = self._state.settings.webhook_backoff * factor
            self._push(self._state.clock() + wait, _Call(call.url, call.body, call.tried + 1))

    async def _post(self, call: _Call) -> bool:
        headers = {"content-type": "application/json"}
        try:
            async with self._session.post(
                call.url, data=call.body, headers=headers, allow_redirects=False
            ) as response:
                await response.content.read(MOST_OF_A_REPLY)
                return 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return False


def _bodies(task: Task, shape: str) -> Iterator[tuple[float, bytes]]:
    if task.failure is not None:
        yield task.finish, _shaped(_decode(task.failure), shape, failed=not task.failure_in_data)
        return
    for finish, item in zip(task.finishes, task.items, strict=False):
        yield finish, _shaped(item, shape, failed=False)


def _shaped(item: Any, shape: str, *, failed: bool) -> bytes:
    if shape == "data":
        return _encode({"errors" if failed else "data": [item]})
    return _encode([item] if shape == "array" else item)
