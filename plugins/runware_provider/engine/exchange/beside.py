"""What runs beside the loop: requests, commits, loads. One that ends costs the same however many others there are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator


class Group:
    """Tasks of a kind.

    Args:
        beside: all kinds.
    """

    def __init__(self, beside: Beside) -> None:
        self._beside = beside
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[asyncio.Task[None]]:
        return iter(self._tasks)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Begin something."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._beside.end(task)


class Beside:
    """All that runs beside the loop of one exchange."""

    def __init__(self) -> None:
        self._groups: list[Group] = []
        self._wake: asyncio.Future[None] | None = None
        self._failures: list[BaseException] = []
        self._ended = False

    def group(self) -> Group:
        """Make room for another kind."""
        self._groups.append(Group(self))
        return self._groups[-1]

    def end(self, task: asyncio.Task[None]) -> None:
        """A task of a group has ended."""
        if not task.cancelled() and (failure := task.exception()) is not None:
            self._failures.append(failure)
        self._ended = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def __bool__(self) -> bool:
        """Whether anything runs."""
        return any(len(group) for group in self._groups)

    def running(self) -> set[asyncio.Task[None]]:
        """Everything that runs."""
        return {task for group in self._groups for task in group}

    async def wait(self, others: Iterable[asyncio.Future[Any]], timeout_s: float) -> None:
        """Wait until something has ended.

        Args:
            others: that are waited for as well; few.
            timeout_s: after which nothing is waited for.

        Raises:
            Exception: what something raised that has ended.
        """
        if not self._ended:
            self._wake = asyncio.get_running_loop().create_future()
            await asyncio.wait({self._wake, *others}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            self._wake = None
        self._ended = False
        if self._failures:
            raise self._failures[0]
