from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import runware_provider
from runware_provider.engine.attempt import Entry, Key, Kind
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.ledger import ENTRIES_PER_SEGMENT, Ledger
from runware_provider.engine.local_storage import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLUGINS = str(Path(runware_provider.__file__).parents[1])
FIRST_COMMIT, LAST_COMMIT = 3, 40


def key(number: int, sample: int = 0, generation: int = 0) -> Key:
    return Key(number.to_bytes(16, "big"), sample, generation)


def entry(number: int, kind: Kind = Kind.ANSWERED, attempt: int = 1, **facts: Any) -> Entry:
    return Entry(key(number), attempt, kind, **facts)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "ledger")


@pytest.fixture
def open_ledger(folder: str) -> Iterator[Callable[..., Ledger]]:
    opened: list[Ledger] = []

    def make(storage: Any = None) -> Ledger:
        opened.append(Ledger(storage or LocalStorage(), folder))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


async def write(ledger: Ledger, *groups: list[Entry]) -> None:
    async with ledger.writing():
        for group in groups:
            await ledger.commit(group, at_once=True)


def segments(folder: str) -> list[Path]:
    return sorted(Path(folder).glob("*.segment"))


def kinds(ledger: Ledger, number: int) -> list[tuple[int, Kind]]:
    history = ledger.history(key(number).fingerprint, 0, 0)
    return [(one.number, one.kind) for one in history.attempts] if history else []


class FailingStorage(LocalStorage):
    """Fails to create while `broken`."""

    broken = True

    def create_new(self, path: str, data: Any) -> bool:
        if self.broken:
            raise OSError(28, "No space left on device")
        return super().create_new(path, data)


class HeldStorage(LocalStorage):
    """Creates only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.let = threading.Event(), threading.Event()

    def create_new(self, path: str, data: Any) -> bool:
        self.entered.set()
        assert self.let.wait(30)
        return super().create_new(path, data)


# writing


async def test_many_commits_become_one_segment(open_ledger: Callable[..., Ledger], folder: str) -> None:
    ledger = open_ledger()
    async with ledger.writing():
        await asyncio.gather(*(ledger.commit([entry(n)]) for n in range(200)))
        assert len(segments(folder)) == 1
    assert all(kinds(open_ledger(), n) == [(1, Kind.ANSWERED)] for n in range(200))


async def test_a_full_segment_does_not_wait_for_company(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    ledger = open_ledger()
    async with ledger.writing():
        await ledger.commit([entry(n) for n in range(ENTRIES_PER_SEGMENT)])
    assert len(segments(folder)) == 1


async def test_a_commit_returns_only_when_it_is_durable(open_ledger: Callable[..., Ledger]) -> None:
    storage = HeldStorage()
    ledger = open_ledger(storage)
    async with ledger.writing():
        commit = asyncio.create_task(ledger.commit([entry(1)], at_once=True))
        assert await asyncio.to_thread(storage.entered.wait, 30)
        assert not commit.done()
        assert kinds(ledger, 1) == []
        storage.let.set()
        await commit
    assert kinds(ledger, 1) == [(1, Kind.ANSWERED)]


async def test_when_the_store_fails_every_commit_of_the_group_raises_and_nothing_is_believed(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    storage = FailingStorage()
    ledger = open_ledger(storage)
    async with ledger.writing():
        results = await asyncio.gather(
            *(ledger.commit([entry(n, cost=1.0)]) for n in range(3)), return_exceptions=True
        )
        assert [type(one) for one in results] == [OSError] * 3
        assert [kinds(ledger, n) for n in range(3)] == [[]] * 3
        assert ledger.paid == 0
        storage.broken = False
        await ledger.commit([entry(7)], at_once=True)
    assert kinds(ledger, 7) == [(1, Kind.ANSWERED)]
    assert [kinds(open_ledger(), n) for n in (0, 1, 2, 7)] == [[], [], [], [(1, Kind.ANSWERED)]]
    assert len(segments(folder)) == 1


async def test_a_waiter_that_gives_up_takes_nobody_with_it(open_ledger: Callable[..., Ledger]) -> None:
    storage = HeldStorage()
    ledger = open_ledger(storage)
    async with ledger.writing():
        impatient = asyncio.create_task(ledger.commit([entry(1)], at_once=True))
        patient = asyncio.create_task(ledger.commit([entry(2)], at_once=True))
        assert await asyncio.to_thread(storage.entered.wait, 30)
        impatient.cancel()
        storage.let.set()
        await patient
    assert kinds(ledger, 1) == kinds(ledger, 2) == [(1, Kind.ANSWERED)]


async def test_what_is_pending_at_the_end_is_written(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    async with ledger.writing():
        pending = asyncio.create_task(ledger.commit([entry(1)]))
        await asyncio.sleep(0)
    await pending
    assert kinds(open_ledger(), 1) == [(1, Kind.ANSWERED)]


async def test_an_empty_commit_writes_nothing(open_ledger: Callable[..., Ledger], folder: str) -> None:
    ledger = open_ledger()
    async with ledger.writing():
        await ledger.commit([], at_once=True)
    assert segments(folder) == []


async def test_two_writers_of_one_job_never_overwrite_each_other(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    one, other = open_ledger(), open_ledger()
    await asyncio.gather(
        write(one, *([entry(n)] for n in range(10))), write(other, *([entry(n)] for n in range(10, 20)))
    )
    assert len(segments(folder)) == 20
    both = open_ledger()
    assert all(kinds(both, n) == [(1, Kind.ANSWERED)] for n in range(20))


# reading


async def test_whole_entries_come_back_as_they_went(open_ledger: Callable[..., Ledger]) -> None:
    told = [
        entry(
            1,
            cost=0.000083607,
            prompt_tokens=67,
            cached_tokens=3,
            completion_tokens=10,
            latency_s=0.5,
            item=b"{}",
        ),
        entry(
            2, Kind.ERROR, family="provider", code="providerError", message="näh \x00 🚀", item=b'{"a": 1}'
        ),
        entry(3, Kind.INTENT),
    ]
    await write(open_ledger(), told[:2], told[2:])
    ledger = open_ledger()
    attempts = [ledger.history(key(n).fingerprint, 0, 0).attempts[0] for n in (3, 1, 2)]
    found = ledger.entries(attempts)
    assert sorted(found.values(), key=lambda one: one.key.fingerprint) == told


async def test_entries_about_one_attempt_merge_in_any_order(tmp_path: Path) -> None:
    ranks = [Kind.INTENT, Kind.REJECTED, Kind.SENT_AGAIN, Kind.ANSWERED]
    for number, order in enumerate(itertools.permutations(ranks)):
        folder = str(tmp_path / f"{number}")
        ledger = Ledger(LocalStorage(lambda _: None), folder)
        await write(ledger, *([entry(1, kind, cost=float(kind), family=kind.name)] for kind in order))
        again = Ledger(LocalStorage(), folder)
        for one in (ledger, again):
            one.mark_used([key(1)])
            assert kinds(one, 1) == [(1, Kind.ANSWERED)]
            assert one.totals().cost == float(Kind.ANSWERED)
            one.close()


async def test_a_history_is_of_the_newest_generation_in_the_attempts_order(
    open_ledger: Callable[..., Ledger],
) -> None:
    ledger = open_ledger()
    await write(
        ledger,
        [
            Entry(key(1, generation=2), 2, Kind.INTENT),
            Entry(key(1, generation=2), 1, Kind.ERROR, family="provider"),
        ],
        [Entry(key(1, generation=1), 1, Kind.ANSWERED), Entry(key(1, sample=1), 1, Kind.ANSWERED)],
    )
    for one in (ledger, open_ledger()):
        history = one.history(key(1).fingerprint, 0, 0)
        assert (history.generation, [attempt.number for attempt in history.attempts]) == (2, [1, 2])
        assert one.history(key(1).fingerprint, 0, 3) is None
        assert one.history(key(1).fingerprint, 1, 0).generation == 0
        assert one.history(key(2).fingerprint, 0, 0) is None


async def test_what_is_asked_is_seen_for_the_first_time_once(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    assert [ledger.first_seen(one) for one in (key(1), key(1), key(1, sample=1), key(2))] == [
        True,
        False,
        True,
        True,
    ]


# totals


async def test_totals_are_of_what_the_dataset_uses_and_of_what_this_process_added(
    open_ledger: Callable[..., Ledger],
) -> None:
    await write(open_ledger(), [entry(1, cost=0.1, prompt_tokens=10, cached_tokens=1, completion_tokens=3)])
    ledger = open_ledger()
    await write(
        ledger,
        [
            entry(2, cost=0.2, prompt_tokens=20, completion_tokens=5),
            entry(2, Kind.ERROR, attempt=2, family="provider", cost=0.3),
        ],
        [entry(3), entry(4, Kind.SPENT), entry(5, Kind.ERROR, family="lost"), entry(6, Kind.INTENT)],
    )
    fresh = ledger.totals("fresh")
    assert (fresh.inferences, fresh.answered, fresh.cost) == (4, 2, 0.5)
    assert ledger.totals().inferences == 0
    ledger.mark_used([key(n) for n in range(1, 7)])
    ledger.mark_used([key(1)])
    whole = ledger.totals()
    assert (whole.inferences, whole.answered) == (5, 3)
    assert (whole.prompt_tokens, whole.cached_tokens, whole.completion_tokens) == (30, 1, 8)
    assert (whole.cost, whole.cost_unreported, whole.maybe_billed) == (0.6, 1, 2)
    assert ledger.paid == pytest.approx(0.5)
    assert ledger.mean_completion_tokens() == 4.0


async def test_costs_add_up_exactly(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    await write(ledger, [entry(n, cost=0.000000001) for n in range(1_000)])
    ledger.mark_used([key(n) for n in range(1_000)])
    assert ledger.totals().cost == 0.000001


def test_an_empty_ledger_says_so(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    assert ledger.totals().inferences == 0
    assert ledger.mean_completion_tokens() is None


# damage


async def test_damage_is_never_read_as_something_else(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    told = [entry(n, cost=0.5, item=b'{"text": "an answer"}') for n in range(50)]
    await write(open_ledger(), told)
    path = segments(folder)[0]
    whole = path.read_bytes()
    unnoticed = 0
    for place in range(0, len(whole), 41):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            ledger = open_ledger()
            attempts = [ledger.history(key(n).fingerprint, 0, 0).attempts[0] for n in range(50)]
            assert sorted(ledger.entries(attempts).values(), key=lambda one: one.key.fingerprint) == told
            unnoticed += 1
        except StateUnreadable as error:
            assert "ledger segment" in str(error)  # noqa: PT017 - either outcome is right
    assert unnoticed < len(whole) / 41 / 2  # flips in names and statistics that nobody reads


@pytest.mark.parametrize("keep", [0, 1, 4, 100, -1, -8])
async def test_a_cut_segment_is_an_error(open_ledger: Callable[..., Ledger], folder: str, keep: int) -> None:
    await write(open_ledger(), [entry(1)])
    path = segments(folder)[0]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StateUnreadable, match="cannot be read"):
        open_ledger()


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({}, "no ledger segment of this product"),
        ({"runware.ledger.format": "2"}, "upgrade runware_provider"),
        ({"runware.ledger.format": "x"}, "no ledger segment of this product"),
        ({"runware.ledger.format": "1"}, "lacks columns"),
    ],
)
def test_a_segment_of_another_format_is_an_error(
    open_ledger: Callable[..., Ledger], folder: str, metadata: dict[str, str], complaint: str
) -> None:
    Path(folder).mkdir()
    pq.write_table(pa.table({"kind": [5]}).replace_schema_metadata(metadata), f"{folder}/a.segment")
    with pytest.raises(StateUnreadable, match=complaint):
        open_ledger()


async def test_what_is_no_segment_is_passed_over(open_ledger: Callable[..., Ledger], folder: str) -> None:
    await write(open_ledger(), [entry(1)])
    (Path(folder) / "notes.txt").write_text("hello", encoding="utf-8")
    (Path(folder) / ".a.segment.0123456789abcdef.tmp").write_bytes(b"half")
    assert kinds(open_ledger(), 1) == [(1, Kind.ANSWERED)]


WRITER = """
import asyncio, sys
from runware_provider.engine.attempt import Entry, Key, Kind
from runware_provider.engine.ledger import Ledger
from runware_provider.engine.local_storage import LocalStorage

async def main():
    ledger = Ledger(LocalStorage(), sys.argv[1])
    async with ledger.writing():
        for number in range(100_000):
            await ledger.commit([Entry(Key(number.to_bytes(16, "big"), 0, 0), 1, Kind.ANSWERED)], at_once=True)
            print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, FIRST_COMMIT, 17, LAST_COMMIT])
def test_whatever_was_committed_before_a_kill_is_there_after_it(
    open_ledger: Callable[..., Ledger], folder: str, lines: int
) -> None:
    command = [sys.executable, "-c", WRITER, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": PLUGINS}) as process:
        told = [int(process.stdout.readline()) for _ in range(lines)]
        process.kill()
        told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    ledger = open_ledger()
    assert told == list(range(len(told)))
    assert all(kinds(ledger, n) == [(1, Kind.ANSWERED)] for n in told)
