from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from runware_provider.engine.inbox.bounded_threads import BoundedThreads
from runware_provider.pages.reads import MOST_UNFINISHED, Kept, Reads, StoreSilent

SHORT_S = 0.05


async def test_all_who_ask_at_once_get_what_was_read_once() -> None:
    began: list[int] = []
    reads = Reads(BoundedThreads(2, "test"))

    async def read() -> int:
        began.append(1)
        await asyncio.sleep(0)
        return 7

    assert await asyncio.gather(*(reads.shared("key", read) for _ in range(50))) == [7] * 50
    assert began == [1]


async def test_an_error_is_everybodys_and_then_it_is_tried_again() -> None:
    now = [0.0]
    reads = Reads(BoundedThreads(2, "test"), clock=lambda: now[0])
    results: list[Any] = [OSError("gone"), 5]

    async def read() -> int:
        result = results.pop(0)
        if isinstance(result, OSError):
            raise result
        return int(result)

    for _ in range(3):
        with pytest.raises(OSError, match="gone"):
            await reads.shared("key", read)
    now[0] += 10
    assert await reads.shared("key", read) == 5


async def test_so_many_that_hang_let_no_more_begin_and_others_are_told_at_once() -> None:
    goes_on = threading.Event()
    reads = Reads(BoundedThreads(2, "test"), within_s=SHORT_S)
    try:
        hanging = [reads.alone(goes_on.wait, 60) for _ in range(MOST_UNFINISHED)]
        told = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(error, StoreSilent) for error in told)
        with pytest.raises(StoreSilent):
            await reads.alone(goes_on.wait, 60)
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("test") <= 2
    finally:
        goes_on.set()


async def test_what_was_read_for_one_alone_is_not_kept() -> None:
    with ThreadPoolExecutor(1) as threads:
        reads = Reads(threads)
        assert await reads.alone(str, 5) == "5"
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
