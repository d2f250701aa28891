"""Questions to Airflow's REST API inside its own process, of all viewers together: few at once, and nobody waits long for one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

WITHIN_S: Final = 4.0
"""Airflow answers in some ten milliseconds."""
AT_ONCE: Final = 8


class NoAnswer(Exception):  # noqa: N818 - it says what is the case
    """Airflow did not answer in time, or not with what it answers with."""


class Asking:
    """Of one event loop.

    Args:
        at_once: questions under way, at most.
        within_s: how long whoever asks waits, in seconds.
    """

    def __init__(self, at_once: int = AT_ONCE, within_s: float = WITHIN_S) -> None:
        self._at_once = at_once
        self._within_s = within_s
        self._free = asyncio.Semaphore(at_once)
        self._late: set[asyncio.Task[Any]] = set()

    async def answer(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What a question gives, which is never cancelled: below some middlewares Airflow would be waited for all the same.

        Args:
            ask: begun once there is room.

        Raises:
            NoAnswer: nothing came in time, or so many questions wait for their answers that this one was not begun.
            Exception: what the question raised.
        """
        ends_at = time.monotonic() + self._within_s
        # All that may be under way are waited for by nobody any more: Airflow does not answer.
        if len(self._late) >= self._at_once:
            raise NoAnswer
        try:
            async with asyncio.timeout(self._within_s):
                await self._free.acquire()
        except TimeoutError:
            raise NoAnswer from None
        asking = asyncio.create_task(ask())
        asking.add_done_callback(self._ended)
        await asyncio.wait({asking}, timeout=max(0.0, ends_at - time.monotonic()))
        if not asking.done():
            self._late.add(asking)
            raise NoAnswer
        return asking.result()

    def _ended(self, asking: asyncio.Task[Any]) -> None:
        self._free.release()
        self._late.discard(asking)
        # Where nobody waits any more, its error would be told as one that was never looked at.
        if not asking.cancelled():
            asking.exception()
