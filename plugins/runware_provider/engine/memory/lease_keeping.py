"""Waits for a lease, and keeps it while work is done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING

from runware_provider.engine.errors import AtWork, Interrupted, StateUnreadable
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from runware_provider.engine.errors import Overtaken
    from runware_provider.engine.memory.lease import InTheWay, Lease

log = logging.getLogger(__name__)

RENEWALS = 4
"""In the time for which a lease is taken."""
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
"""Between two looks at a lease that somebody else has."""
TOLD_EVERY_S = 30.0


class _Wait:
    """Looks again and again, says now and then who is in the way, and gives up in the end."""

    def __init__(self, lease: Lease, most_s: float, now: Callable[[], float]) -> None:
        self._lease = lease
        self._most_s = most_s
        self._now = now
        self._began = now()
        self._told_at: float | None = None
        self._pause_s = SHORTEST_PAUSE_S

    def look(self) -> float | None:
        """Seconds until the next look; None once the lease is ours.

        Raises:
            AtWork: the other one did not end in time.
        """
        in_the_way = self._lease.try_to_take()
        if in_the_way is None:
            return None
        now = self._now()
        left_s = self._began + self._most_s - now
        if left_s <= 0:
            raise AtWork(f"{self._who(in_the_way)}, and did not end within {self._most_s:,.0f} s")
        if self._told_at is None or now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            told = f"{self._who(in_the_way)}. This run waits for it, {left_s:,.0f} s more at most."
            for line in wrapped("Waiting", told):
                log.info("%s", line)
        self._pause_s = min(1.5 * self._pause_s, LONGEST_PAUSE_S)
        return min(self._pause_s, left_s)

    def _who(self, in_the_way: InTheWay) -> str:
        folder, silent_s = self._lease.folder, in_the_way.silent_s
        return f"another run is at work on {folder} ({in_the_way.holder}, last sign {silent_s:.0f} s ago)"


@contextlib.asynccontextmanager
async def held(
    lease: Lease,
    *,
    most_s: float,
    stop: asyncio.Event,
    why_unwanted: Callable[[], Overtaken | None] = lambda: None,
) -> AsyncIterator[bool]:
    """Take a lease, keep it, and give it back in the end; says whether it had to be waited for.

    Args:
        lease: not yet taken.
        most_s: seconds to wait for it.
        stop: when set, the waiting ends.
        why_unwanted: looked at with each renewal; where it says why nobody wants this work any more, the lease counts as
            lost.

    Raises:
        AtWork: another process had it for all that time.
        Interrupted: somebody asked to stop.
        StateUnreadable: a lease file is damaged, or of a newer format.
        OSError: the store failed.
    """
    wait = _Wait(lease, most_s, time.monotonic)
    waited = False
    try:
        while (pause_s := await asyncio.to_thread(wait.look)) is not None:
            waited = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause_s)
            if stop.is_set():
                raise Interrupted("it was asked to stop while it waited for another run")
        with _kept(lease, why_unwanted):
            yield waited
    finally:
        await asyncio.to_thread(lease.release)


@contextlib.contextmanager
def held_meanwhile(lease: Lease, *, most_s: float) -> Iterator[bool]:
    """`held` for who has no event loop; errors as there."""
    wait = _Wait(lease, most_s, time.monotonic)
    waited = False
    pause = threading.Event()
    try:
        while (pause_s := wait.look()) is not None:
            waited = True
            pause.wait(pause_s)
        with _kept(lease, lambda: None):
            yield waited
    finally:
        lease.release()


@contextlib.contextmanager
def _kept(lease: Lease, why_unwanted: Callable[[], Overtaken | None]) -> Iterator[None]:
    """Renew it from a thread of its own: an event loop or a publish may be busy for longer than a lease lasts."""
    over = threading.Event()
    keeper = threading.Thread(target=_renew, args=(lease, why_unwanted, over), name="lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _renew(lease: Lease, why_unwanted: Callable[[], Overtaken | None], over: threading.Event) -> None:
    usual_s = lease.for_s / RENEWALS
    pause_s, failing = usual_s, False
    while not over.wait(pause_s):
        try:
            lease.renew()
            if not lease.lost and (why := why_unwanted()) is not None:
                lease.end_early(why)
        except (OSError, StateUnreadable) as error:
            if not failing:
                told = f"the lease of {lease.folder} could not be renewed ({error}); it is tried again."
                for line in wrapped("Warning", told):
                    log.warning("%s", line)
            pause_s, failing = usual_s / 10, True
        else:
            pause_s, failing = usual_s, False
        if lease.lost:
            return
