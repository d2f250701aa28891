from __future__ import annotations

import contextlib
import json
import logging
import signal
import threading
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.job.progress import Progress
from runware_provider.task_progress import LINE, NUMBERS, TaskProgress, told

if TYPE_CHECKING:
    from types import FrameType

LOG = logging.getLogger(__name__)
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KILOBYTE = 1024


def progress(done: int, **fields: Any) -> Progress:
    return Progress(done=done, total=100, elapsed_s=10, outstanding=7, cost=0.0123, **fields)


class Store:
    """Keeps what is set, and says when."""

    def __init__(self) -> None:
        self.written: list[dict[str, Any]] = []
        self.some = threading.Event()

    def set(self, key: str, value: Any) -> None:
        if key == NUMBERS:
            self.written.append(value)
            self.some.set()
        else:
            assert key == LINE
            assert "of 100 rows done" in value


class Broken(Store):
    def set(self, key: str, value: Any) -> None:  # noqa: ARG002 - the signature is given
        self.written.append(value)
        self.some.set()
        raise ConnectionError("the words of a stranger")


def test_what_is_stored_is_a_line_and_its_numbers_and_never_a_kilobyte() -> None:
    assert told(progress(42), NOW) == {
        "progress": progress(42).line(),
        "progress_numbers": {
            "rows_done": 42,
            "rows": 100,
            "under_way": 7,
            "paid_usd": 0.0123,
            "at": "2026-01-02T03:04:05+00:00",
        },
    }
    assert len(json.dumps(told(progress(42, trouble="long " * 1000), NOW))) < KILOBYTE


def test_the_first_and_the_last_are_written_and_between_them_one_each_interval() -> None:
    store = Store()
    with TaskProgress(store, every_s=3600, log=LOG, first_s=0.01) as keeper:
        keeper.saw(progress(1))
        assert store.some.wait(30)
        for done in range(2, 100):
            keeper.saw(progress(done))
    assert [value["rows_done"] for value in store.written] == [1, 99]


def test_a_first_progress_that_comes_late_is_written_as_early_as_any_first_one() -> None:
    store = Store()
    with TaskProgress(store, every_s=3600, log=LOG, first_s=0.001) as keeper:
        # By then the writer has looked many times, and found nothing to write.
        assert not store.some.wait(0.1)
        keeper.saw(progress(1))
        assert store.some.wait(30)
    assert [value["rows_done"] for value in store.written] == [1]


def test_nothing_is_written_where_nothing_was_seen_or_nothing_is_new() -> None:
    store = Store()
    with TaskProgress(store, every_s=3600, log=LOG, first_s=3600):
        pass
    assert store.written == []
    with TaskProgress(store, every_s=3600, log=LOG, first_s=0.01) as keeper:
        keeper.saw(progress(1))
        assert store.some.wait(30)
    assert len(store.written) == 1


def test_a_store_that_fails_is_told_of_once_and_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    store = Broken()
    with TaskProgress(store, every_s=0.01, log=LOG, first_s=0.01) as keeper:
        keeper.saw(progress(1))
        assert store.some.wait(30)
        keeper.saw(progress(2))
    assert len(store.written) >= 2
    assert [record.getMessage() for record in caplog.records] == [
        "Progress is not shown in the task state store: ConnectionError. The task goes on."
    ]


class Silent(Store):
    """Answers nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.answers = threading.Event()

    def set(self, key: str, value: Any) -> None:  # noqa: ARG002 - the signature is given
        self.asked.append(key)
        self.some.set()
        assert self.answers.wait(60)


def test_a_store_that_does_not_answer_holds_no_task_up_and_is_asked_nothing_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Silent()
    with TaskProgress(store, every_s=3600, log=LOG, first_s=0.01, last_s=0.01) as keeper:
        keeper.saw(progress(1))
        assert store.some.wait(30)
        keeper.saw(progress(2))
    (writer,) = [thread for thread in threading.enumerate() if thread.name == "runware-progress"]
    assert writer.daemon
    assert [record.getMessage() for record in caplog.records] == [
        "Progress is not shown in the task state store: Airflow does not answer. The task goes on."
    ]
    store.answers.set()
    writer.join(30)
    # The request that was under way came to its end, and none was begun after it.
    assert (writer.is_alive(), store.asked) == (False, [LINE])


def test_an_interruption_of_the_last_wait_comes_through_and_nothing_more_is_asked() -> None:
    class Interrupted(Exception):  # noqa: N818 - as Airflow's timeout
        pass

    def interrupt(_: int, frame: FrameType | None) -> None:
        functions = {waiting.f_code.co_name for waiting, _ in traceback.walk_stack(frame)}
        if "__exit__" in functions:
            raise Interrupted
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    def run() -> None:
        with TaskProgress(store, every_s=3600, log=LOG, first_s=0.01, last_s=60) as keeper:
            keeper.saw(progress(1))
            assert store.some.wait(30)
            signal.setitimer(signal.ITIMER_REAL, 0.05)

    store = Silent()
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(Interrupted):
            run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    (writer,) = [thread for thread in threading.enumerate() if thread.name == "runware-progress"]
    store.answers.set()
    writer.join(30)
    assert (writer.is_alive(), store.asked) == (False, [LINE])


def test_an_error_of_the_job_comes_through_and_the_last_progress_is_written_all_the_same() -> None:
    store = Store()
    with (
        contextlib.suppress(KeyError),
        TaskProgress(store, every_s=3600, log=LOG, first_s=3600) as keeper,
    ):
        keeper.saw(progress(5))
        raise KeyError
    assert [value["rows_done"] for value in store.written] == [5]
