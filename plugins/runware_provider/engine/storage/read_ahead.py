"""Reads many small files with several threads, in order, holding few of them: a store far away takes 20-50 ms each."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor, Future

READERS = 8
AHEAD = 2 * READERS
"""Results that wait at most."""

Name = TypeVar("Name")
Found = TypeVar("Found")


@contextmanager
def readers(name: str = "") -> Iterator[Executor]:
    """Threads for a generator to read with, for which nobody waits at its end.

    A generator that is left before its end is closed by whichever thread collects garbage at that moment. That may be a thread
    that is just beginning, while it holds the interpreter's lock on all threads: if it waited for another one to end, it would
    wait for itself for ever.

    Args:
        name: of the threads, at its beginning.
    """
    pool = ThreadPoolExecutor(READERS, name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def read_ahead(pool: Executor, read: Callable[[Name], Found], names: Iterable[Name]) -> Iterator[Found]:
    """What `read` returns for each name, in order; its errors are raised in their place."""
    waiting: deque[Future[Found]] = deque()
    try:
        for name in names:
            waiting.append(pool.submit(read, name))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for one in waiting:
            one.cancel()


def read_until_missing(
    pool: Executor, read: Callable[[int], Found | None], first: int, hint: int
) -> Iterator[tuple[int, Found]]:
    """Number after number from the first on, until `read` returns None.

    Args:
        pool: where `read` is called.
        read: returns None for what is missing.
        first: where to begin.
        hint: up to here all are probably there, so they are read side by side; beyond, the more were found, the
            more are tried at once.
    """
    waiting: deque[tuple[int, Future[Found | None]]] = deque()
    following = first
    try:
        while True:
            beyond = max(following - 1 - max(hint, first - 1), 0)
            most = AHEAD if following <= hint else min(AHEAD, beyond - len(waiting) + 1)
            while len(waiting) < max(most, 1):
                waiting.append((following, pool.submit(read, following)))
                following += 1
            number, future = waiting.popleft()
            found = future.result()
            if found is None:
                return
            yield number, found
    finally:
        for _, one in waiting:
            one.cancel()
