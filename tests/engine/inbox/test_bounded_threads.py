"""Threads for a store that may never answer."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runware_provider.engine.inbox.bounded_threads import BoundedThreads, in_time


def test_what_never_ends_is_waited_for_no_longer_than_the_bound_and_then_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runware_provider.engine.inbox.bounded_threads.ANSWERS_WITHIN_S", 0.05)
    threads, gate = BoundedThreads(1, "test"), threading.Event()
    begun: list[int] = []
    with pytest.raises(OSError, match=r"not answered for 0\.05 seconds"):
        in_time(threads, gate.wait)
    # The one thread still waits, so that no second one does.
    with pytest.raises(OSError, match="not answered"):
        in_time(threads, begun.append, 1)
    gate.set()
    in_time(threads, begun.append, 2)
    assert begun == [2]


def test_what_the_work_raises_is_raised_as_it_is() -> None:
    def fails() -> None:
        raise TimeoutError("the store says so")

    with pytest.raises(TimeoutError, match="the store says so"):
        in_time(BoundedThreads(1, "test"), fails)


def test_no_more_run_at_once_than_may_and_all_come_to_their_end() -> None:
    threads, at_once, most = BoundedThreads(3, "test"), 0, 0
    lock = threading.Lock()

    def count(number: int) -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        with lock:
            at_once -= 1
        return number

    assert list(threads.map(count, range(200))) == list(range(200))
    assert most <= 3


def test_a_process_ends_though_a_thread_does_not() -> None:
    code = (
        "import threading; from runware_provider.engine.inbox.bounded_threads import BoundedThreads;"
        "BoundedThreads(1, 'test').submit(threading.Event().wait)"
    )
    plugins = str(Path(__file__).parents[3] / "plugins")
    environment = {**os.environ, "PYTHONPATH": plugins}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30, env=environment)
