"""Who writes the record of a run: when, and that nothing which happens to the store happens to the run."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.errors import Interrupted, Overtaken
from runware_provider.engine.job.leg import AllSent
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.job.recorded import Ending, Facts
from runware_provider.engine.job.recorder import Recorder, pause_after, recorded
from runware_provider.engine.job.run_history import MOST_PAST
from runware_provider.engine.job.run_record import Approval, RunRecord
from runware_provider.engine.job.run_records import (
    MOST_WITH_ROWS,
    note_in_history,
    read_history,
    read_record,
    record_path,
    write_record,
)
from runware_provider.engine.memory.lease import Lease
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.job.test_run_records import past

if TYPE_CHECKING:
    from collections.abc import Callable

RUN = "dag/task/run/-1"
SOON_S = 60.0
"""That a test waits for another thread at most."""
MANIFEST: dict[str, Any] = {"status": "published", "rows": 3, "outcomes": {"succeeded": 3}, "paid_usd": 0.3}


def facts(**changes: Any) -> Facts:
    usual = {
        "run": RUN,
        "started_at": "start",
        "source": "in",
        "destination": "out",
        "model": "m",
        "rows": 3,
    }
    return Facts(**{**usual, **changes})


def progress(done: int) -> Progress:
    return Progress(done=done, total=3, elapsed_s=1.0, outstanding=1, cost=0.1)


class Turns:
    """Lets the recorder's thread write when the test says so, and not by the clock."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self._go = threading.Semaphore(0)
        self._waits = threading.Semaphore(0)

    def wait(self, end: threading.Event, pause_s: float) -> bool:
        self.pauses.append(pause_s)
        self._waits.release()
        assert self._go.acquire(timeout=SOON_S)
        return end.is_set()

    def until_it_waits(self) -> None:
        assert self._waits.acquire(timeout=SOON_S)

    def next(self) -> None:
        """Let it write once, and wait until it has."""
        self._go.release()
        self.until_it_waits()

    def last(self) -> None:
        self._go.release()


def recorder_in(folder: Path, storage: Any = None, **changes: Any) -> Recorder:
    storage = storage or LocalStorage()
    lease = changes.pop("lease", None) or Lease(storage, str(folder))
    given = {"clock": lambda: "now", **changes}
    return Recorder(storage, str(folder), given.pop("facts", facts()), lease=lease, **given)


def written(folder: Path, run: str = RUN) -> RunRecord:
    record = read_record(LocalStorage(), str(folder), run)
    assert record is not None
    return record


async def until_end(recorder: Recorder, ending: Ending | BaseException | None = None) -> None:
    async with recorded(recorder):
        if isinstance(ending, BaseException):
            raise ending
        if ending is not None:
            recorder.ended(ending)


@pytest.mark.parametrize(
    ("elapsed_s", "every_s", "pause_s"),
    [(2.0, 30.0, 1.0), (20.0, 30.0, 5.0), (1_000.0, 30.0, 30.0), (1_000.0, 0.5, 0.5), (1_000.0, 900.0, 60.0)],
)
def test_records_come_often_at_first_and_then_as_rarely_as_wished_but_every_minute(
    elapsed_s: float, every_s: float, pause_s: float
) -> None:
    assert pause_after(elapsed_s, every_s) == pause_s


def test_the_newest_progress_is_written_when_its_time_comes_and_told_on_at_once(tmp_path: Path) -> None:
    turns, told = Turns(), []
    seconds = iter([0.0, 2.0, 40.0])
    recorder = recorder_in(
        tmp_path, wait=turns.wait, now=lambda: next(seconds), every_s=30.0, report=told.append
    )
    recorder.begin()
    turns.until_it_waits()
    assert not (tmp_path / "runs").exists()
    turns.next()
    assert (written(tmp_path).state, written(tmp_path).rows_done) == ("running", 0)
    for done in (1, 2):
        recorder.saw(progress(done))
    turns.next()
    assert written(tmp_path).rows_done == 2
    assert [each.done for each in told] == [1, 2]
    recorder.ended(Ending.well(MANIFEST))
    turns.last()
    recorder.close()
    assert turns.pauses == [2.0, 1.0, 10.0]
    assert (written(tmp_path).state, written(tmp_path).rows_done) == ("published", 3)
    assert [(each.run, each.state) for each in read_history(LocalStorage(), str(tmp_path))] == [
        (RUN, "published")
    ]


@pytest.mark.parametrize(
    ("ending", "in_history"),
    [(Ending.well(MANIFEST), ["published"]), (Ending("staged", {"rows": 3}), [])],
)
async def test_a_good_end_is_recorded(ending: Ending, in_history: list[str], tmp_path: Path) -> None:
    await until_end(recorder_in(tmp_path), ending)
    assert written(tmp_path).state == ending.state
    assert [each.state for each in read_history(LocalStorage(), str(tmp_path))] == in_history


@pytest.mark.parametrize(
    ("error", "state", "in_history"),
    [
        (Interrupted("it was asked to stop"), "stopped", ["stopped"]),
        (OSError("no store"), "stopped", ["stopped"]),
        (asyncio.CancelledError(), "stopped", ["stopped"]),
        (AllSent([], expected_s=1.0, given_up_s=1.0, published=None), "waiting", []),
    ],
)
async def test_an_error_is_recorded_and_comes_through(
    error: BaseException, state: str, in_history: list[str], tmp_path: Path
) -> None:
    with pytest.raises(type(error)) as raised:
        await until_end(recorder_in(tmp_path), error)
    assert raised.value is error
    assert written(tmp_path).state == state
    assert [each.state for each in read_history(LocalStorage(), str(tmp_path))] == in_history


async def test_an_error_after_the_publish_makes_it_no_failure(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    recorder.ended(Ending.well(MANIFEST))
    with pytest.raises(KeyError):
        await until_end(recorder, KeyError())
    assert written(tmp_path).state == "published"


async def test_a_shard_has_no_history(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        await until_end(recorder_in(tmp_path, keeps_history=False), Interrupted("it was asked to stop"))
    assert written(tmp_path).state == "stopped"
    assert read_history(LocalStorage(), str(tmp_path)) == []


async def test_who_has_lost_the_lease_writes_no_more(tmp_path: Path) -> None:
    lease = Lease(LocalStorage(), str(tmp_path))
    turns = Turns()
    recorder = recorder_in(tmp_path, lease=lease, wait=turns.wait)
    recorder.begin()
    turns.until_it_waits()
    recorder.saw(progress(1))
    turns.next()
    lease.end_early(Overtaken("another process took over"))
    recorder.saw(progress(2))
    turns.next()
    recorder.ended(Ending.badly(Overtaken("another process took over")))
    turns.last()
    recorder.close()
    assert (written(tmp_path).state, written(tmp_path).rows_done) == ("running", 1)
    assert read_history(LocalStorage(), str(tmp_path)) == []


async def test_what_an_earlier_process_of_the_run_noted_is_kept(tmp_path: Path) -> None:
    approval = Approval(3, 1.0, 0.5, 0.0, "approved")
    earlier = RunRecord(RUN, "waiting", "before", "then", "in", "out", "m", 3, 1, approval=approval)
    write_record(LocalStorage(), str(tmp_path), earlier)
    await until_end(recorder_in(tmp_path, goes_on=True), Ending.well(MANIFEST))
    assert (written(tmp_path).started_at, written(tmp_path).approval) == ("before", approval)
    await until_end(recorder_in(tmp_path), Ending.well(MANIFEST))
    assert (written(tmp_path).started_at, written(tmp_path).approval) == ("start", approval)


def test_before_anything_is_counted_the_record_says_what_the_ledger_knows_to_be_paid(tmp_path: Path) -> None:
    turns = Turns()
    recorder = recorder_in(tmp_path, wait=turns.wait)
    recorder.begin()
    turns.until_it_waits()
    recorder.knows(0.25)
    turns.next()
    assert (written(tmp_path).state, written(tmp_path).paid_usd) == ("running", 0.25)
    turns.last()
    recorder.close()


async def test_a_preview_writes_nothing_under_the_name_of_the_run(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        await until_end(recorder_in(tmp_path, is_run=False), Interrupted("it was asked to stop"))
    assert not (tmp_path / "runs").exists()
    assert read_history(LocalStorage(), str(tmp_path)) == []


async def test_a_shard_that_this_run_has_done_already_keeps_what_its_record_says(tmp_path: Path) -> None:
    again = Ending("staged", {"rows": 3, "paid_usd": 0.0}, is_told_before=True)
    await until_end(recorder_in(tmp_path), Ending("staged", {"rows": 3, "paid_usd": 0.3}))
    await until_end(recorder_in(tmp_path), again)
    assert written(tmp_path).paid_usd == 0.3
    await until_end(recorder_in(tmp_path, facts=facts(run="the next day's")), again)
    assert written(tmp_path, "the next day's").paid_usd == 0.0


async def test_what_is_asked_is_noted_once_and_named(tmp_path: Path) -> None:
    calls = []

    def note(_: Any) -> str:
        calls.append(threading.current_thread().name)
        return "digest"

    await until_end(recorder_in(tmp_path, request=note), Ending.well(MANIFEST))
    assert written(tmp_path).request == "digest"
    assert calls == ["runware-record"]


def test_what_lies_beside_is_written_before_each_record_and_its_failure_costs_no_record(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    turns, there = Turns(), []

    def beside() -> bool:
        there.append((tmp_path / "runs").exists())
        raise OSError("no room for it")

    recorder = recorder_in(tmp_path, wait=turns.wait)
    recorder.lay_beside(beside)
    recorder.begin()
    turns.until_it_waits()
    turns.next()
    assert (there, written(tmp_path).state) == ([False], "running")
    recorder.ended(Ending.well(MANIFEST))
    turns.last()
    recorder.close()
    assert there == [False, True], "at the end the record is there first"
    assert "no room for it" in said(caplog)
    assert written(tmp_path).state == "published"


def test_what_cannot_be_written_beside_is_tried_ever_more_rarely_and_the_record_as_often_as_before(
    tmp_path: Path,
) -> None:
    turns, now, tried = Turns(), [0.0], []

    def beside() -> bool:
        tried.append(now[0])
        raise OSError("no room for it")

    recorder = recorder_in(tmp_path, wait=turns.wait, now=lambda: now[0], every_s=10.0)
    recorder.lay_beside(beside)
    recorder.begin()
    turns.until_it_waits()
    for second in range(0, 200, 10):
        now[0] = float(second)
        turns.next()
    recorder.ended(Ending.well(MANIFEST))
    turns.last()
    recorder.close()
    assert tried == [0.0, 20.0, 60.0, 140.0, 190.0]
    assert max(turns.pauses) == 10.0


async def test_what_lies_beside_is_not_written_by_who_has_lost_the_lease_nor_by_a_preview(
    tmp_path: Path,
) -> None:
    lease, wrote = Lease(LocalStorage(), str(tmp_path)), []
    lease.end_early(Overtaken("another process took over"))
    for changes in ({"lease": lease}, {"is_run": False}):
        recorder = recorder_in(tmp_path, **changes)
        recorder.lay_beside(lambda: bool(wrote.append(1)))
        await until_end(recorder, Ending.well(MANIFEST))
    assert wrote == []


class AwayAtFirst(LocalStorage):
    """Fails the first reads."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def read_versioned(self, path: str) -> Any:
        if self.times > 0:
            self.times -= 1
            raise ConnectionError("the store is away")
        return super().read_versioned(path)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_nothing_is_written_before_what_an_earlier_process_noted_is_known(times: int, tmp_path: Path) -> None:
    approval = Approval(3, 1.0, 0.5, 0.0, "approved")
    earlier = RunRecord(
        RUN, "stopped", "before", "then", "in", "out", "m", 3, 1, paid_usd=0.7, approval=approval
    )
    write_record(LocalStorage(), str(tmp_path), earlier)
    turns = Turns()
    recorder = recorder_in(tmp_path, AwayAtFirst(times), wait=turns.wait)
    recorder.begin()
    turns.until_it_waits()
    for turn in range(1, 4):
        turns.next()
        assert (written(tmp_path).state == "running") == (turn >= times)
        assert (written(tmp_path).approval, written(tmp_path).paid_usd) == (approval, 0.7)
    recorder.ended(Ending.badly(Interrupted("it was asked to stop")))
    turns.last()
    recorder.close()
    assert (written(tmp_path).approval, written(tmp_path).paid_usd) == (approval, 0.7)


async def test_what_nobody_could_look_back_at_is_left_as_it_is(tmp_path: Path) -> None:
    earlier = RunRecord(RUN, "stopped", "before", "then", "in", "out", "m", 3, 1, paid_usd=0.7)
    write_record(LocalStorage(), str(tmp_path), earlier)
    await until_end(recorder_in(tmp_path, Failing("read_versioned")), Ending.well(MANIFEST))
    assert written(tmp_path) == earlier


@pytest.mark.parametrize("rows", [0, 3])
async def test_whoever_leaves_rows_that_failed_removes_those_of_runs_long_past(
    rows: int, tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    for number in range(MOST_WITH_ROWS + 1):
        old = tmp_path / "runs" / f"{number:020}-failed.parq"
        old.write_bytes(b"rows")
        os.utime(old, (number, number))
    recorder = recorder_in(tmp_path)
    recorder.lay_beside(lambda: rows > 0)
    await until_end(recorder, Ending.well(MANIFEST))
    assert (tmp_path / "runs" / f"{0:020}-failed.parq").exists() == (rows == 0)


async def test_rows_that_failed_go_once_they_are_older_than_answers_are_kept(tmp_path: Path) -> None:
    old = tmp_path / "runs" / f"{'0' * 20}-failed.parq"
    for rows_kept_s in (None, 1e12, 1.0):
        old.parent.mkdir(exist_ok=True)
        old.write_bytes(b"rows")
        os.utime(old, (1_000, 1_000))
        await until_end(recorder_in(tmp_path, rows_kept_s=rows_kept_s), Ending.well(MANIFEST))
        assert old.exists() == (rows_kept_s != 1.0)


async def test_the_records_of_runs_that_left_a_full_history_go(tmp_path: Path) -> None:
    storage = LocalStorage()
    for number in range(MOST_PAST):
        note_in_history(storage, str(tmp_path), past(f"run {number}"))
    for number in range(120):
        record = RunRecord(f"run {number}", "published", "then", "now", "in", "out", "m", 3, 3)
        write_record(storage, str(tmp_path), record)
    await until_end(recorder_in(tmp_path), Ending.well(MANIFEST))
    assert len(list((tmp_path / "runs").glob("*.json"))) == 101
    await until_end(recorder_in(tmp_path), Ending.well(MANIFEST))
    assert len(list((tmp_path / "runs").glob("*.json"))) == 101, "the same run pushes nobody out"


def said(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, without the ends of its lines."""
    return " ".join(" ".join(record.getMessage() for record in caplog.records).split())


async def test_a_process_that_may_have_no_more_threads_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = recorder_in(tmp_path)

    def refuse() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(recorder._thread, "start", refuse)
    recorder.begin()
    recorder.saw(progress(1))
    recorder.ended(Ending.well(MANIFEST))
    recorder.close()
    assert "RuntimeError" in said(caplog)
    assert not (tmp_path / "runs").exists()


class Failing(LocalStorage):
    """Fails at each call of one kind."""

    def __init__(self, *kinds: str) -> None:
        super().__init__()
        self.asked = 0
        for kind in kinds:
            setattr(self, kind, self._fail)

    def _fail(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        raise ConnectionError("the store is away")


@pytest.mark.parametrize("kind", ["read_versioned", "writing", "replace_if"])
async def test_a_store_that_fails_is_told_of_once_and_fails_no_run(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    turns, storage = Turns(), Failing(kind)
    recorder = recorder_in(tmp_path, storage, wait=turns.wait, every_s=30.0)
    recorder.begin()
    turns.until_it_waits()
    for _ in range(3):
        turns.next()
    recorder.ended(Ending.well(MANIFEST))
    turns.last()
    recorder.close()
    assert storage.asked
    told = said(caplog)
    assert told.count("is not written in") == 1
    assert "the store is away" in told
    if kind == "writing":
        assert turns.pauses == [2.0, 60.0, 120.0, 240.0]


class Silent(LocalStorage):
    """Answers nothing until it is told to."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.some = threading.Event()
        self.answers = threading.Event()
        for name in {"writing", "replace_if", "list", kind}:
            setattr(self, name, self._noting(name, getattr(self, name), is_silent=name == kind))

    def _noting(self, name: str, call: Callable[..., Any], *, is_silent: bool) -> Callable[..., Any]:
        def noting(*given: Any, **options: Any) -> Any:
            self.asked.append(name)
            if is_silent:
                self.some.set()
                assert self.answers.wait(SOON_S)
            return call(*given, **options)

        return noting


@pytest.mark.parametrize("kind", ["read_versioned", "writing", "replace_if"])
async def test_a_store_that_does_not_answer_holds_no_run_up_and_is_asked_nothing_more(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Silent(kind)
    recorder = recorder_in(tmp_path, storage, last_s=0.01)
    async with recorded(recorder):
        recorder.ended(Ending.well(MANIFEST))
        assert await asyncio.to_thread(storage.some.wait, SOON_S)
    asked = list(storage.asked)
    (writer,) = [thread for thread in threading.enumerate() if thread.name == "runware-record"]
    assert writer.daemon
    assert "the store does not answer" in said(caplog)
    storage.answers.set()
    writer.join(SOON_S)
    assert (writer.is_alive(), storage.asked) == (False, asked)


async def test_a_slow_store_keeps_no_event_loop_from_its_work(tmp_path: Path) -> None:
    storage = Silent("writing")
    recorder = recorder_in(tmp_path, storage, last_s=SOON_S)
    turned = asyncio.Event()

    async def work() -> None:
        assert await asyncio.to_thread(storage.some.wait, SOON_S)
        turned.set()
        storage.answers.set()

    working = asyncio.create_task(work())
    await until_end(recorder, Ending.well(MANIFEST))
    await working
    assert turned.is_set()
    assert written(tmp_path).state == "published"


@pytest.mark.parametrize("harm", [b"", b"{", b'{"format": 1}', b'{"format": 1, "run": 3}', b"\xff"])
def test_a_damaged_record_is_replaced(harm: bytes, tmp_path: Path) -> None:
    path = Path(record_path(LocalStorage(), str(tmp_path), RUN))
    path.parent.mkdir()
    path.write_bytes(harm)
    asyncio.run(until_end(recorder_in(tmp_path), Ending.well(MANIFEST)))
    assert written(tmp_path).state == "published"
