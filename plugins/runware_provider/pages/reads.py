"""Reads of stores that many viewers wish for at once: in few threads, in bounded time, and each of them once for all who ask."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable
    from concurrent.futures import Executor

T = TypeVar("T")

WITHIN_S: Final = 4.0
"""Which a viewer waits for a store; they are told within five seconds, whatever else there is to do."""
KEPT_S: Final = 3.0
"""For which what was read is shown to everybody who may see it; less than the time between two renewals of a page."""
MOST_LATE: Final = 4
"""Reads of one store that nobody waits for any more: where so many hang, no more are begun."""
MOST_UNFINISHED: Final = 128
"""Reads of one store that have not ended, at most."""


class StoreSilent(Exception):  # noqa: N818 - it says what is the case
    """The store has not answered in time, or so many reads wait for theirs that this one was not begun."""


@dataclass
class _Flight:
    store: str
    task: asyncio.Task[Any]
    begun_at: float
    ended_at: float | None = None


class Reads:
    """Of one event loop. Each store has threads and bounds of its own, so that one that is dead holds up no reader of another.

    Args:
        threads: makes those of a store.
        within_s: how long a viewer waits, in seconds.
        kept_s: how long what was read is good for, in seconds.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        threads: Callable[[], Executor],
        *,
        within_s: float = WITHIN_S,
        kept_s: float = KEPT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._new_threads = threads
        self._within_s = within_s
        self._kept_s = kept_s
        self._clock = clock
        self._threads: dict[str, Executor] = {}
        self._flights: dict[Hashable, _Flight] = {}

    def in_thread(self, store: str, work: Callable[..., T], *arguments: object) -> Awaitable[T]:
        """What some work gives that blocks; without a bound of its own, so only inside of `shared` and `alone`.

        Args:
            store: that is read; there are as many as roots.
            work: that reads it.
            arguments: of it.
        """
        if store not in self._threads:
            self._threads[store] = self._new_threads()
        return asyncio.wrap_future(self._threads[store].submit(work, *arguments))

    async def shared(self, store: str, key: Hashable, read: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What a read gives, which goes on where nobody waits for it any more; at the same time, and for a while, one for all.

        Args:
            store: that is read.
            key: of what is read; it must not depend on who asks.
            read: begun where none with this key is under way or fresh.

        Raises:
            StoreSilent: see there.
            Exception: what the read raised.
        """
        flight = self._flight(store, key, read)
        left_s = flight.begun_at + self._within_s - self._clock()
        if not flight.task.done() and left_s > 0:
            await asyncio.wait({flight.task}, timeout=left_s)
        if not flight.task.done():
            raise StoreSilent
        result: T = flight.task.result()
        return result

    async def alone(self, store: str, work: Callable[..., T], *arguments: object) -> T:
        """What some work gives that blocks and that is nobody else's; its thread is left to itself when it takes too long.

        Raises:
            StoreSilent: see there.
            Exception: what it raised.
        """
        key = object()
        try:
            return await self.shared(store, key, lambda: self._awaited(store, work, *arguments))
        finally:
            # Texts are not kept; what still goes on is counted until it ends.
            if key in self._flights and self._flights[key].task.done():
                del self._flights[key]

    async def _awaited(self, store: str, work: Callable[..., T], *arguments: object) -> T:
        return await self.in_thread(store, work, *arguments)

    def _flight(self, store: str, key: Hashable, read: Callable[[], Coroutine[Any, Any, Any]]) -> _Flight:
        self._forget_the_old()
        if key in self._flights:
            return self._flights[key]
        if self._is_used_up(store):
            raise StoreSilent
        flight = _Flight(store, asyncio.create_task(read()), self._clock())
        flight.task.add_done_callback(lambda task: self._ended(flight, task))
        self._flights[key] = flight
        return flight

    def _is_used_up(self, store: str) -> bool:
        """Whether what is under way in a store says that it does not answer."""
        begun = [
            flight.begun_at
            for flight in self._flights.values()
            if flight.store == store and not flight.task.done()
        ]
        late = sum(self._clock() - at >= self._within_s for at in begun)
        return late >= MOST_LATE or len(begun) >= MOST_UNFINISHED

    def _ended(self, flight: _Flight, task: asyncio.Task[Any]) -> None:
        flight.ended_at = self._clock()
        # Where nobody waits any more, its error would be told as one that was never looked at.
        if not task.cancelled():
            task.exception()

    def _forget_the_old(self) -> None:
        oldest = self._clock() - self._kept_s
        old = [
            key
            for key, flight in self._flights.items()
            if flight.ended_at is not None and flight.ended_at <= oldest
        ]
        for key in old:
            del self._flights[key]


class Kept(Generic[T]):
    """Values for a while, of which the oldest make room.

    Args:
        kept_s: how long each is good for, in seconds.
        most: how many there are at most.
        clock: seconds that never go back.
    """

    def __init__(self, kept_s: float, most: int = 1000, clock: Callable[[], float] = time.monotonic) -> None:
        self._kept_s = kept_s
        self._most = most
        self._clock = clock
        self._values: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """A value that is still good."""
        at, value = self._values.get(key, (0.0, None))
        return value if value is not None and self._clock() - at < self._kept_s else None

    def put(self, key: Hashable, value: T) -> None:
        """Keep one from now on."""
        self._values[key] = self._clock(), value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)
