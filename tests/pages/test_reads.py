from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.inbox.bounded_threads import BoundedThreads
from runware_provider.pages.reads import MOST_LATE, MOST_UNFINISHED, Kept, Reads, StoreSilent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SHORT_S = 0.05


async def test_all_who_ask_at_once_get_what_was_read_once() -> None:
    began: list[int] = []
    reads = Reads(lambda: BoundedThreads(2, "test"))

    async def read() -> int:
        began.append(1)
        await asyncio.sleep(0)
        return 7

    assert await asyncio.gather(*(reads.shared("lake", "key", read) for _ in range(50))) == [7] * 50
    assert began == [1]


async def test_an_error_is_everybodys_and_then_it_is_tried_again() -> None:
    now = [0.0]
    reads = Reads(lambda: BoundedThreads(2, "test"), clock=lambda: now[0])
    results: list[Any] = [OSError("gone"), 5]

    async def read() -> int:
        result = results.pop(0)
        if isinstance(result, OSError):
            raise result
        return int(result)

    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            await reads.shared("lake", "key", read)
    now[0] += 10
    assert await reads.shared("lake", "key", read) == 5


async def test_a_store_in_which_so_many_reads_hang_gets_no_more_and_others_are_read() -> None:
    goes_on = threading.Event()
    reads = Reads(lambda: BoundedThreads(2, "test-dead"), within_s=SHORT_S)
    try:
        hanging = [reads.alone("dead", goes_on.wait, 60) for _ in range(MOST_LATE)]
        told = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(error, StoreSilent) for error in told)
        begun = time.perf_counter()
        with pytest.raises(StoreSilent):
            await reads.alone("dead", goes_on.wait, 60)
        assert time.perf_counter() - begun < SHORT_S
        assert [thread.name for thread in threading.enumerate()].count("test-dead") == 2
        assert await reads.alone("alive", str, 5) == "5"
        goes_on.set()
        assert await _at_last(lambda: reads.alone("dead", str, 5)) == "5"
    finally:
        goes_on.set()


async def test_of_one_store_so_many_reads_are_under_way_at_most() -> None:
    goes_on = asyncio.Event()

    async def read() -> int:
        await goes_on.wait()
        return 7

    reads = Reads(lambda: BoundedThreads(2, "test"))
    first = [asyncio.create_task(reads.shared("lake", number, read)) for number in range(MOST_UNFINISHED)]
    await asyncio.sleep(0)
    with pytest.raises(StoreSilent):
        await reads.shared("lake", "one more", read)
    goes_on.set()
    assert await asyncio.gather(*first) == [7] * MOST_UNFINISHED


async def _at_last(read: Callable[[], Awaitable[str]]) -> str:
    for _ in range(200):
        try:
            return await read()
        except StoreSilent:
            await asyncio.sleep(0.01)
    raise AssertionError("it stays silent")


async def test_what_was_read_for_one_alone_is_not_kept() -> None:
    with ThreadPoolExecutor(1) as threads:
        reads = Reads(lambda: threads)
        assert await reads.alone("lake", str, 5) == "5"
        assert reads._flights == {}


def test_values_are_kept_for_their_time_and_the_oldest_make_room() -> None:
    now = [0.0]
    kept: Kept[str] = Kept(10.0, most=2, clock=lambda: now[0])
    kept.put("a", "A")
    kept.put("b", "B")
    assert (kept.get("a"), kept.get("c")) == ("A", None)
    kept.put("c", "C")
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (None, "B", "C")
    now[0] = 10.0
    assert kept.get("c") is None
