"""Calls that come at the same time share a file: each waits until its own is durable."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runware_provider.engine.inbox.calls import Call
    from runware_provider.web.room import Room

LINGER_S: Final = 0.05
"""For so long a call waits for company."""
MOST_BYTES_OF_A_FILE: Final = 8 * 2**20
"""From which on a file is full: whoever reads it holds it in memory as a whole."""
WRITING_AT_ONCE: Final = 8
"""Inboxes; each is written by one thread at a time."""


@dataclass
class _Waiting:
    call: Call
    since: float
    """By the event loop's clock."""
    durable: asyncio.Future[None]


@dataclass
class _Queue:
    """What waits for one inbox, and who writes it."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    size: int = 0
    """Bytes of the bodies that wait."""
    is_full: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once there is enough for a file."""
    writer: asyncio.Task[None] | None = None


class GroupCommit:
    """Whatever came for an inbox while its last file was written is its next; inboxes are written side by side.

    Of one event loop.

    Args:
        write: makes calls for an inbox durable; called in threads.
        room: what may wait.
        linger_s: how long a call waits for company, in seconds.
    """

    def __init__(
        self, write: Callable[[str, Sequence[Call]], None], room: Room, linger_s: float = LINGER_S
    ) -> None:
        self._write = write
        self._room = room
        self._linger_s = linger_s
        self._queues: dict[str, _Queue] = {}
        self._threads = ThreadPoolExecutor(WRITING_AT_ONCE, thread_name_prefix="runware-inbox")

    async def keep(self, inbox: str, call: Call) -> None:
        """Return when the call is durable. Whoever stops waiting before may find it there all the same.

        Raises:
            NoRoom: too many wait already.
            Exception: what the writing raised; nothing may be taken for durable.
        """
        self._room.take(len(call.body), calls=1)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(call, loop.time(), loop.create_future())
        queue = self._queues.setdefault(inbox, _Queue())
        queue.waiting.append(waiting)
        queue.size += len(call.body)
        if queue.size >= MOST_BYTES_OF_A_FILE:
            queue.is_full.set()
        if queue.writer is None:
            queue.writer = loop.create_task(self._write_files(inbox, queue))
        await waiting.durable

    async def close(self) -> None:
        """Write what waits, and end the threads."""
        writers = [queue.writer for queue in self._queues.values() if queue.writer is not None]
        await asyncio.gather(*writers)
        self._threads.shutdown(wait=False)

    async def _write_files(self, inbox: str, queue: _Queue) -> None:
        """Write file after file until nothing waits."""
        while queue.waiting:
            await self._company(queue)
            group = _next_group(queue)
            failure = await self._written(inbox, [waiting.call for waiting in group])
            self._room.give_back(sum(len(waiting.call.body) for waiting in group), calls=len(group))
            for waiting in group:
                _tell(waiting.durable, failure)
        # Nothing was awaited since the last look: what comes now makes a queue of its own.
        del self._queues[inbox]

    async def _company(self, queue: _Queue) -> None:
        """Wait until the call that came first has lingered, or a file is full."""
        left_s = queue.waiting[0].since + self._linger_s - asyncio.get_running_loop().time()
        if left_s <= 0 or queue.is_full.is_set():
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queue.is_full.wait(), left_s)

    async def _written(self, inbox: str, calls: list[Call]) -> Exception | None:
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads, self._write, inbox, calls)
        except Exception as error:  # noqa: BLE001 - every waiter is told; none may believe in durability
            return error
        return None


def _next_group(queue: _Queue) -> list[_Waiting]:
    """Those that came first, as many as a file holds; one at least."""
    group: list[_Waiting] = []
    size = 0
    while queue.waiting and (not group or size + len(queue.waiting[0].call.body) <= MOST_BYTES_OF_A_FILE):
        group.append(queue.waiting.popleft())
        size += len(group[-1].call.body)
    queue.size -= size
    if queue.size < MOST_BYTES_OF_A_FILE:
        queue.is_full.clear()
    return group


def _tell(durable: asyncio.Future[None], failure: Exception | None) -> None:
    # Whoever waited has stopped meanwhile.
    if durable.done():
        return
    if failure is None:
        durable.set_result(None)
    else:
        durable.set_exception(failure)
