"""Many who want something durable share one write."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from runware_provider.engine.attempt import Entry

LINGER_S = 0.5
"""For so long entries wait for company, if nobody wants them sooner."""
ENTRIES_PER_SEGMENT = 2_000


class GroupCommit:
    """Gathers entries for a moment, then writes them together; of one event loop.

    Args:
        write: makes entries durable.
    """

    def __init__(self, write: Callable[[Sequence[Entry]], Awaitable[None]]) -> None:
        self._write = write
        self._pending: list[Entry] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._some = asyncio.Event()
        self._due = math.inf
        """When what is pending is written, by the event loop's clock."""
        self._sooner = asyncio.Event()
        """Set whenever it may be due sooner than it was."""
        self._closing = False

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Write what comes in; at the end, what is pending is written."""
        writer = asyncio.create_task(self._write_groups())
        try:
            yield
        finally:
            self._closing = True
            self._some.set()
            self._write_by(-math.inf)
            await writer
            self._closing = False

    async def commit(self, entries: Sequence[Entry], *, wait_s: float) -> None:
        """Return when the entries are durable.

        Args:
            entries: any number of them.
            wait_s: how long they may wait for company; 0 for not at all.

        Raises:
            Exception: what the writing raised; nothing may be taken for durable.
        """
        if not entries:
            return
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._pending.extend(entries)
        self._waiting.append(done)
        self._some.set()
        self._write_by(loop.time() + wait_s)
        await done

    def hurry(self) -> None:
        """Write what is pending without waiting for company."""
        if self._pending:
            self._write_by(-math.inf)

    def _write_by(self, due: float) -> None:
        if due < self._due or len(self._pending) >= ENTRIES_PER_SEGMENT:
            self._due = min(due, self._due)
            self._sooner.set()

    async def _write_groups(self) -> None:
        while self._pending or not self._closing:
            await self._some.wait()
            await self._company()
            entries, self._pending = self._pending, []
            waiting, self._waiting = self._waiting, []
            self._some.clear()
            self._due = math.inf
            if not entries:
                continue
            failure: Exception | None = None
            try:
                await self._write(entries)
            except Exception as error:  # noqa: BLE001 - every waiter is told; none may believe in durability
                failure = error
            _tell(waiting, failure)

    async def _company(self) -> None:
        """Wait until what is pending is due, or as much as a segment holds."""
        loop = asyncio.get_running_loop()
        while len(self._pending) < ENTRIES_PER_SEGMENT:
            self._sooner.clear()
            left_s = self._due - loop.time()
            if left_s <= 0:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sooner.wait(), left_s)


def _tell(waiting: Sequence[asyncio.Future[None]], failure: Exception | None) -> None:
    for done in waiting:
        # Whoever waited was cancelled meanwhile.
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
