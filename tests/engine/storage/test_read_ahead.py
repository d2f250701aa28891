from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.storage.read_ahead import (
    AHEAD,
    READERS,
    read_ahead,
    read_until_missing,
    readers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(READERS) as made:
        yield made


@given(st.integers(0, 60))
def test_what_is_read_comes_in_order(pool: ThreadPoolExecutor, count: int) -> None:
    assert list(read_ahead(pool, lambda name: name * 2, range(count))) == [n * 2 for n in range(count)]


def test_an_error_comes_in_its_place(pool: ThreadPoolExecutor) -> None:
    found = read_ahead(pool, lambda name: 1 / name, [2, 1, 0, 4])
    assert [next(found), next(found)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(found)


@given(st.integers(0, 90), st.integers(0, 120), st.integers(1, 5))
def test_everything_up_to_the_first_that_is_missing_is_found_whatever_the_hint(
    pool: ThreadPoolExecutor, last: int, hint: int, first: int
) -> None:
    tried: set[int] = set()

    def read(number: int) -> str | None:
        tried.add(number)
        return str(number) if number <= last else None

    found = list(read_until_missing(pool, read, first, hint))
    assert found == [(number, str(number)) for number in range(first, last + 1)]
    assert max(tried) <= max(last, min(hint, last + AHEAD)) + AHEAD


def test_several_are_read_at_once(pool: ThreadPoolExecutor) -> None:
    together = threading.Barrier(READERS, timeout=30)
    names = range(1, READERS + 1)

    def read(number: int) -> int | None:
        if number > READERS:
            return None
        together.wait()
        return number

    assert list(read_ahead(pool, read, names)) == list(names)
    assert [number for number, _ in read_until_missing(pool, read, 1, READERS)] == list(names)


def test_a_generator_that_is_left_early_waits_for_none_of_its_readers() -> None:
    hanging, goes_on = threading.Event(), threading.Event()

    def read(number: int) -> int:
        if number:
            hanging.set()
            goes_on.wait(60)
        return number

    def numbers() -> Iterator[int]:
        with readers("left-early") as pool:
            yield from read_ahead(pool, read, range(2 * AHEAD))

    reading = numbers()
    first = next(reading)
    # As whoever collects garbage closes it.
    closing = threading.Thread(target=reading.close, daemon=True)
    try:
        assert hanging.wait(30)
        closing.start()
        closing.join(30)
        assert (first, closing.is_alive()) == (0, False)
    finally:
        goes_on.set()
