"""Threads for a store that may never answer: whoever waits for one has a bound, and a process ends without it."""

from __future__ import annotations

import concurrent.futures
import threading
from collections import deque
from concurrent.futures import Executor, Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

ANSWERS_WITHIN_S: Final = 60.0
"""A store that passes over what may pass has done so by then; a mount whose server is gone waits for ever."""


class BoundedThreads(Executor):
    """At most so many threads, which begin when there is work and end when there is none.

    Nobody waits for them at the end of a process, as for those of a `ThreadPoolExecutor`: one that a dead mount holds up
    would keep the process for ever.

    Args:
        most: at once. What is given beyond that waits.
        name: of each of them.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._lock = threading.Lock()
        self._running = 0
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Do something in a thread."""
        future: Future[T] = Future()
        with self._lock:
            self._waiting.append((future, partial(work, *arguments, **named)))
            if self._running < self._most:
                self._running += 1
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def _work(self) -> None:
        while (following := self._next()) is not None:
            future, work = following
            # Whoever has given up waiting does not want it any more.
            if future.set_running_or_notify_cancel():
                _do(future, work)

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._running -= 1
            return None


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        result = work()
    except Exception as error:  # noqa: BLE001 - it is raised where the result is waited for
        future.set_exception(error)
    else:
        future.set_result(result)


def in_time(threads: Executor, work: Callable[..., T], *arguments: object) -> T:
    """What some work gives that is done in a thread. It blocks.

    Args:
        threads: in which it is done.
        work: that may never end.
        arguments: of it.

    Raises:
        TimeoutError: an OSError: it has not ended within `ANSWERS_WITHIN_S`, and is left to itself.
    """
    return result_in_time(threads.submit(work, *arguments))


def result_in_time(doing: Future[T]) -> T:
    """What some work gives that was begun. It blocks.

    Raises:
        TimeoutError: as of `in_time`.
    """
    concurrent.futures.wait([doing], ANSWERS_WITHIN_S)
    if not doing.done():
        doing.cancel()
        raise TimeoutError(f"the store has not answered for {ANSWERS_WITHIN_S:g} seconds")
    return doing.result()
