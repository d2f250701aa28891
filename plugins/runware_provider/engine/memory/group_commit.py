"""Many who want something durable share one write."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from runware_provider.engine.attempt import Entry

LINGER_S = 0.5
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
        self._now = asyncio.Event()
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
            self._now.set()
            await writer
            self._closing = False

    async def commit(self, entries: Sequence[Entry], *, at_once: bool) -> None:
        """Return when the entries are durable; without `at_once` they wait for company for half a second.

        Raises:
            Exception: what the writing raised; nothing may be taken for durable.
        """
        if not entries:
            return
        done = asyncio.get_running_loop().create_future()
        self._pending.extend(entries)
        self._waiting.append(done)
        self._some.set()
        if at_once or len(self._pending) >= ENTRIES_PER_SEGMENT:
            self._now.set()
        await done

    def hurry(self) -> None:
        """Write what is pending without waiting for company."""
        if self._pending:
            self._now.set()

    async def _write_groups(self) -> None:
        while self._pending or not self._closing:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._now.wait(), LINGER_S)
            entries, self._pending = self._pending, []
            waiting, self._waiting = self._waiting, []
            self._some.clear()
            self._now.clear()
            if not entries:
                continue
            failure: Exception | None = None
            try:
                await self._write(entries)
            except Exception as error:  # noqa: BLE001 - every waiter is told; none may believe in durability
                failure = error
            _tell(waiting, failure)


def _tell(waiting: Sequence[asyncio.Future[None]], failure: Exception | None) -> None:
    for done in waiting:
        # Whoever waited was cancelled meanwhile.
        if done.done():
            continue
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
