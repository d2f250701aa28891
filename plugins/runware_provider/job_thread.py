"""Runs a job beside the main thread, so that a signal can stop it gracefully.

Airflow handles signals in the main thread: a kill calls `on_kill`, an execution timeout raises wherever the
main thread happens to be. In an event loop that would be the middle of somebody's coroutine. So the main
thread only waits, and hands every interruption to the job as a wish to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from runware_provider.engine.errors import how_far, note_how_far

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from concurrent.futures import Future

T = TypeVar("T")

LOOK_S: Final = 0.5
"""After which the waiting thread looks for a signal, at the latest."""


class JobThread(Generic[T]):
    """One job, one thread, one event loop.

    Args:
        job: makes the coroutine; gets the event that asks it to stop.
    """

    def __init__(self, job: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> None:
        self._job = job
        self._stop_asked = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def run(self, check: Callable[[], None] = lambda: None) -> T:
        """The job's result, or what it raised.

        An exception that reaches the waiting main thread (a timeout, Ctrl-C) asks the job to stop, and is
        raised once it has; it then says how far the job came (`errors.how_far`).

        Args:
            check: called every half second by the waiting thread; what it raises is such an exception.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="runware-job") as thread:
            result = thread.submit(copy_context().run, asyncio.run, self._main())
            try:
                # A signal that comes just as this thread goes to sleep does not wake it.
                while not wait([result], timeout=LOOK_S).done:
                    check()
                return result.result()
            except BaseException as interruption:
                self.stop()
                note_how_far(interruption, _known_of(result))
                raise

    def stop(self) -> None:
        """Ask the job to stop; from any thread or signal handler, at any time, as often as one likes."""
        self._stop_asked = True
        if self._loop is None or self._stop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: the job is over
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _main(self) -> T:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._stop_asked:  # asked before there was a loop to tell
            self._stop.set()
        with _nothing_looked_over():
            job = self._job(self._stop)  # which imports what the engine needs
        return await job


@contextlib.contextmanager
def _nothing_looked_over() -> Iterator[None]:
    """Modules are made of many objects that stay: to look over all of Airflow's for garbage meanwhile took 100 ms."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _known_of(job: Future[Any]) -> Mapping[str, Any]:
    """How far a job came that was asked to stop, once it has: its error says so, or its manifest if it ended well."""
    error = job.exception()
    if error is not None:
        return how_far(error)
    manifest = job.result()
    return manifest if isinstance(manifest, dict) else {}
