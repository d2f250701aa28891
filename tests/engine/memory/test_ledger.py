from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runware_provider
from runware_provider.engine.attempt import FORGOTTEN, Entry, Kind
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.compaction import compact
from runware_provider.engine.memory.group_commit import ENTRIES_PER_SEGMENT
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.ledger_sums import Statistics
from runware_provider.engine.memory.segments import pico
from runware_provider.engine.storage.local import LocalStorage

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

    def make(storage: Any = None, **rest: Any) -> Ledger:
        opened.append(Ledger(storage or LocalStorage(), folder, **rest))
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


def remove(folder: str, *names: str) -> None:
    for name in names:
        Path(folder, name).unlink()


def put(folder: str, name: str, content: str | pa.Table) -> None:
    Path(folder).mkdir(exist_ok=True)
    if isinstance(content, str):
        Path(folder, name).write_text(content, encoding="utf-8")
    else:
        pq.write_table(content, f"{folder}/{name}", compression="zstd")


def tail(*numbers: int) -> list[str]:
    return [f"{number:08d}.segment" for number in numbers]


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
    assert ledger.first_seen([key(1), key(1), key(1, sample=1), key(2)]) == [True, False, True, True]
    assert ledger.first_seen([key(2), key(3)]) == [False, True]


# names and listings


class LateListing(LocalStorage):
    """Its listings do not show the newest files, by name."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden

    def list(self, folder: str, **rest: Any) -> Any:
        return super().list(folder, **rest)[: -self.hidden]


class Reads(LocalStorage):
    """Counts what is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def open(self, path: str) -> Any:
        self.opened.append(path)
        return super().open(path)


async def test_segments_are_numbered_without_a_gap_whoever_writes_them(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    one, other = open_ledger(), open_ledger()
    for number in range(3):
        await write(one, [entry(number)])
        await write(other, [entry(10 + number)], [entry(20 + number)])
    assert [path.name for path in segments(folder)] == tail(*range(1, 10))


@pytest.mark.parametrize("hidden", [1, 2, 5, 40, 1_000])
async def test_what_a_late_listing_does_not_show_is_found(
    open_ledger: Callable[..., Ledger], hidden: int
) -> None:
    await write(open_ledger(), *([entry(n)] for n in range(40)))
    late = open_ledger(LateListing(hidden))
    assert all(kinds(late, n) == [(1, Kind.ANSWERED)] for n in range(40))
    await write(late, [entry(40)])
    assert kinds(open_ledger(), 40) == [(1, Kind.ANSWERED)]


async def test_a_missing_segment_below_others_is_an_error(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    await write(open_ledger(), *([entry(n)] for n in range(4)))
    remove(folder, *tail(2))
    with pytest.raises(StateUnreadable, match=r"00000002\.segment is missing"):
        open_ledger()


class Interfering(LocalStorage):
    """Does something before the n-th opening of a segment."""

    def __init__(self, before: int, act: Callable[[], None]) -> None:
        super().__init__()
        self.before, self.act = before, act

    def open(self, path: str) -> Any:
        self.before -= 1
        if self.before == 0:
            self.act()
        return super().open(path)


@pytest.mark.parametrize("before", [1, 2, 5, 10])
async def test_a_ledger_that_is_merged_while_it_is_read_is_read_right(
    open_ledger: Callable[..., Ledger], folder: str, before: int
) -> None:
    await write(open_ledger(), *([entry(n)] for n in range(10)))

    def merge_and_remove() -> None:
        assert compact(open_ledger())
        remove(folder, *tail(*range(1, 11)))

    ledger = open_ledger(Interfering(before, merge_and_remove))
    assert all(kinds(ledger, n) == [(1, Kind.ANSWERED)] for n in range(10))
    assert len(ledger.known) == 1


async def test_a_ledger_that_never_stands_still_is_an_error(
    open_ledger: Callable[..., Ledger],
) -> None:
    await write(open_ledger(), *([entry(n)] for n in range(10)))

    class Restless(LocalStorage):
        def list(self, folder: str, **rest: Any) -> Any:
            writer = Ledger(LocalStorage(), folder)
            asyncio.run(write(writer, [entry(99)], [entry(98)]))
            assert compact(writer)
            writer.close()
            return super().list(folder, **rest)

    def opening() -> None:
        with pytest.raises(StateUnreadable, match="again and again"):
            open_ledger(Restless())

    await asyncio.to_thread(opening)


async def test_a_number_that_was_merged_and_removed_meanwhile_is_not_written_to(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    early = open_ledger()
    await write(open_ledger(), *([entry(n)] for n in range(10)))
    assert compact(open_ledger())
    remove(folder, *tail(*range(1, 11)))
    await write(early, [entry(50)], [entry(51)])
    assert kinds(open_ledger(), 50) == kinds(open_ledger(), 51) == kinds(early, 51) == [(1, Kind.ANSWERED)]
    assert [path.name for path in segments(folder)][:2] == tail(11, 12)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format": 1}', "damaged"),
        ('{"format": 2, "through": 1}', "damaged"),
        ('{"format": 2, "through": null, "segments": [], "superseded": []}', "damaged"),
        ('{"format": 9}', "upgrade runware_provider"),
    ],
)
async def test_a_damaged_or_newer_base_is_an_error(
    open_ledger: Callable[..., Ledger], folder: str, content: str, complaint: str
) -> None:
    await write(open_ledger(), [entry(1)])
    put(folder, "base.json", content)
    with pytest.raises(StateUnreadable, match=complaint):
        open_ledger()


async def test_a_lost_base_is_an_error(open_ledger: Callable[..., Ledger], folder: str) -> None:
    await write(open_ledger(), [entry(1)], [entry(2)])
    assert compact(open_ledger())
    remove(folder, *tail(1, 2), "base.json")
    with pytest.raises(StateUnreadable, match=r"base\.json is missing"):
        open_ledger()


# format 1


def of_format_1(entries: list[Entry]) -> pa.Table:
    """As the first format had it, written out."""
    columns = {
        "kind": pa.array([int(one.kind) for one in entries], pa.int8()),
        "fingerprint": pa.array([one.key.fingerprint for one in entries], pa.binary(16)),
        "sample": pa.array([one.key.sample for one in entries], pa.int32()),
        "generation": pa.array([one.key.generation for one in entries], pa.int32()),
        "attempt": pa.array([one.attempt for one in entries], pa.int32()),
        "at": pa.array([1_750_000_000_000] * len(entries), pa.timestamp("ms", tz="UTC")),
        "family": pa.array([one.family for one in entries], pa.string()),
        "code": pa.array([one.code for one in entries], pa.string()),
        "message": pa.array([one.message for one in entries], pa.string()),
        "cost_pico_usd": pa.array([pico(one.cost) for one in entries], pa.int64()),
        "prompt_tokens": pa.array([one.prompt_tokens for one in entries], pa.int64()),
        "cached_tokens": pa.array([one.cached_tokens for one in entries], pa.int64()),
        "completion_tokens": pa.array([one.completion_tokens for one in entries], pa.int64()),
        "latency_s": pa.array([one.latency_s for one in entries], pa.float32()),
        "item": pa.array([one.item for one in entries], pa.large_binary()),
    }
    return pa.table(columns).replace_schema_metadata({"runware.ledger.format": "1"})


async def test_a_ledger_of_format_1_is_read_and_continued(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    answer = entry(2, cost=0.25, prompt_tokens=7, completion_tokens=3, latency_s=0.5, item=b'{"a": 1}')
    for name, entries in {
        "20260101T000000-0123456789ab-000001": [entry(1, Kind.INTENT), entry(2, Kind.INTENT)],
        "20260101T000000-0123456789ab-000002": [answer],
        "20260101T000001-ba9876543210-000001": [entry(3, Kind.ERROR, family="provider", message="no")],
    }.items():
        put(folder, f"{name}.segment", of_format_1(entries))
    ledger = open_ledger(run="r")
    assert [kinds(ledger, n) for n in (1, 2, 3)] == [
        [(1, Kind.INTENT)],
        [(1, Kind.ANSWERED)],
        [(1, Kind.ERROR)],
    ]
    assert (ledger.totals("all").cost, ledger.totals("fresh").cost, ledger.paid) == (0.25, 0, 0)
    await write(ledger, [entry(1, cost=0.5)])
    assert segments(folder)[0].name == tail(1)[0]
    for _ in range(2):
        again = open_ledger()
        assert again.totals("all").cost == 0.75
        held = again.history(key(2).fingerprint, 0, 0).attempts
        assert list(again.entries(held).values()) == [answer]
        compact(again)
    assert [held.name[:7] for held in open_ledger().known] == ["merged-"]


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
    assert (whole.cost, whole.cost_unreported, whole.maybe_billed) == (0.6, 1, 3)
    assert ledger.paid == pytest.approx(0.5)
    assert ledger.mean_completion_tokens() == 4.0


async def test_costs_add_up_exactly(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    await write(ledger, [entry(n, cost=0.000000001) for n in range(1_000)])
    ledger.mark_used([key(n) for n in range(1_000)])
    assert ledger.totals().cost == 0.000001


async def test_what_other_tries_of_the_same_run_added_is_fresh(open_ledger: Callable[..., Ledger]) -> None:
    await write(open_ledger(run="a"), [entry(1, cost=0.5), entry(2, Kind.INTENT)])
    await write(open_ledger(), [entry(3, cost=1.0)])
    again = open_ledger(run="a")
    assert (again.totals("fresh").cost, again.totals("fresh").inferences, again.paid) == (0.5, 1, 0.5)
    await write(again, [entry(2, cost=0.25)])
    assert (again.totals("fresh").cost, again.paid) == (0.75, 0.75)
    assert open_ledger(run="b").paid == open_ledger().paid == 0
    assert compact(open_ledger())
    assert open_ledger(run="a").paid == 0.75


async def test_copies_from_other_partitions_are_known_but_on_nobodys_bill_here(
    open_ledger: Callable[..., Ledger],
) -> None:
    copy = entry(1, cost=0.5, prompt_tokens=5, completion_tokens=7, item=b"{}", origin=bytes(range(16)))
    await write(open_ledger(), [copy, entry(2, cost=0.25, prompt_tokens=1)])
    await write(open_ledger(), [entry(3, origin=bytes(16))])
    ledger = open_ledger()
    ledger.mark_used([key(1), key(2), key(3)])
    whole = ledger.totals()
    assert (whole.inferences, whole.answered, whole.cost, whole.prompt_tokens) == (1, 1, 0.25, 1)
    assert (whole.reused, whole.reused_cost, whole.cost_unreported) == (2, 0.5, 0)
    assert ledger.unpriced() == []
    held = ledger.history(key(1).fingerprint, 0, 0).attempts
    assert list(ledger.entries(held).values()) == [copy]


async def test_what_may_have_been_billed_without_a_cost_is_listed_in_order(
    open_ledger: Callable[..., Ledger],
) -> None:
    ledger = open_ledger()
    await write(
        ledger,
        [
            entry(9),
            entry(1, cost=0.1),
            entry(2, Kind.SPENT, family="conflict"),
            entry(3, Kind.ERROR, family="lost"),
            entry(4, Kind.ERROR, family="provider"),
            entry(5, Kind.ERROR, family="timeout", attempt=2),
            entry(6, Kind.INTENT),
            entry(7, Kind.SPENT, family=FORGOTTEN, code="answered"),
        ],
    )
    expected = [(key(2), 1), (key(3), 1), (key(5), 2), (key(9), 1)]
    assert ledger.unpriced("all") == ledger.unpriced("fresh") == open_ledger().unpriced("all") == expected
    assert ledger.unpriced() == ledger.unsettled() == [(key(6), 1)], "whoever asked for it"
    ledger.mark_used([key(9)])
    assert ledger.unpriced() == [(key(6), 1), (key(9), 1)]


async def test_statistics_are_of_the_answers(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    assert ledger.statistics() == Statistics(0, None, None, None, None)
    await write(
        ledger,
        [
            entry(1, prompt_tokens=10, completion_tokens=2, cost=0.001),
            entry(2, prompt_tokens=20, completion_tokens=4, cost=0.003),
            entry(3),
            entry(4, Kind.ERROR, cost=5.0, completion_tokens=1_000),
        ],
    )
    known = ledger.statistics()
    assert (known.answered, known.mean_prompt_tokens, known.mean_completion_tokens) == (3, 15.0, 3.0)
    assert known.sd_completion_tokens == pytest.approx(1.0)
    assert known.mean_cost == pytest.approx(0.002)


async def test_many_are_looked_up_at_once_as_one_by_one(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    await write(ledger, [entry(n, attempt=1 + n % 2) for n in range(1_500)])
    await write(ledger, [Entry(key(n, generation=2), 1, Kind.ERROR) for n in range(0, 1_500, 7)])
    asked = [(key(n).fingerprint, sample) for n in range(1_499, -5, -1) if n >= 0 for sample in (0, 1)]
    asked += asked[:3]
    for at_least in (0, 2):
        assert ledger.histories(asked, at_least) == [ledger.history(*one, at_least) for one in asked]
    assert ledger.histories([], 0) == []


async def test_of_a_merged_segment_only_the_row_groups_asked_for_are_read(
    open_ledger: Callable[..., Ledger],
) -> None:
    await write(open_ledger(), *([entry(n, item=bytes([n])) for n in range(m, m + 10)] for m in (0, 10, 20)))
    assert compact(open_ledger())
    storage = Reads()
    ledger = open_ledger(storage)
    storage.opened.clear()
    attempts = [ledger.history(key(n).fingerprint, 0, 0).attempts[0] for n in (25, 3, 3, 14)]
    assert {one.item for one in ledger.entries(attempts).values()} == {bytes([25]), bytes([3]), bytes([14])}
    assert len(storage.opened) == 1


FACTS = {
    "cost": st.sampled_from([None, 0.0, 0.25, 1.5]),
    "prompt_tokens": st.sampled_from([None, 0, 7]),
    "completion_tokens": st.sampled_from([None, 1]),
    "family": st.sampled_from([None, "lost", "provider"]),
    "origin": st.sampled_from([None, bytes(16)]),
}
ENTRIES = st.builds(
    lambda number, generation, attempt, kind, **facts: Entry(
        key(number, generation=generation), attempt, kind, **facts
    ),
    st.integers(0, 3),
    st.integers(0, 1),
    st.integers(1, 2),
    st.sampled_from(list(Kind)),
    **FACTS,
)


def said(ledger: Ledger) -> tuple[Any, ...]:
    """All that is asked of a ledger, except where an entry lies."""
    asked = [(key(n).fingerprint, 0) for n in range(4)]
    histories = [
        one and (one.generation, [(a.number, a.kind, a.family) for a in one.attempts])
        for one in ledger.histories(asked, 0)
    ]
    ledger.mark_used([key(1), key(2, generation=1)])
    return histories, ledger.totals("all"), ledger.totals("used"), ledger.unpriced("all"), ledger.statistics()


@settings(max_examples=40, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=24), st.data())
def test_however_entries_are_ordered_split_and_merged_they_say_the_same(
    entries: list[Entry], data: st.DataObject
) -> None:
    def written(folder: str, entries: list[Entry], cuts: set[int], merges: set[int]) -> tuple[Any, ...]:
        for place, (start, end) in enumerate(itertools.pairwise(sorted({0, len(entries), *cuts}))):
            with contextlib.closing(Ledger(LocalStorage(lambda _: None), folder)) as ledger:
                asyncio.run(write(ledger, entries[start:end]))
                if place in merges:
                    compact(ledger, segment_bytes=data.draw(st.sampled_from([1, 10_000, 1_000_000])))
        with contextlib.closing(Ledger(LateListing(data.draw(st.integers(1, 9))), folder)) as ledger:
            return said(ledger)

    numbers = st.sets(st.integers(1, len(entries)))
    with tempfile.TemporaryDirectory() as root:
        first = written(f"{root}/a", entries, set(), set())
        shuffled = data.draw(st.permutations(entries))
        assert written(f"{root}/b", shuffled, data.draw(numbers), data.draw(numbers)) == first


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
        ({"runware.ledger.format": "4"}, "upgrade runware_provider"),
        ({"runware.ledger.format": "x"}, "no ledger segment of this product"),
        ({"runware.ledger.format": "1"}, "lacks columns"),
        ({"runware.ledger.format": "2"}, "lacks columns"),
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
from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.storage.local import LocalStorage

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


# another process of the same job


async def test_an_attempt_is_paid_by_the_run_that_meant_to_send_it_whoever_collects_the_answer(
    open_ledger: Callable[..., Ledger],
) -> None:
    dead = open_ledger(run="the dead one")
    await write(dead, [entry(1, Kind.INTENT), entry(2, Kind.REJECTED), entry(3, Kind.INTENT)])
    ours = open_ledger(run="ours")
    told = [ours.is_of_this_run(key(n), 1) for n in (1, 2, 4)]
    assert told == [False, True, True]
    await write(ours, [entry(1, cost=0.1), entry(2, cost=0.2), entry(4, cost=0.4)])
    assert ours.paid == pytest.approx(0.6)
    assert ours.totals("fresh").cost == pytest.approx(0.6)
    assert open_ledger(run="ours").paid == pytest.approx(0.6)
    assert open_ledger(run="the dead one").paid == pytest.approx(0.1)
    assert open_ledger(run="another").paid == 0
    assert open_ledger().totals("all").cost == pytest.approx(0.7)


async def test_what_a_run_without_a_name_left_is_paid_by_whoever_collects_it(
    open_ledger: Callable[..., Ledger],
) -> None:
    await write(open_ledger(), [entry(1, Kind.INTENT)])
    for run in ("ours", None):
        ours = open_ledger(run=run)
        assert ours.is_of_this_run(key(1), 1)
    await write(ours, [entry(1, cost=0.1)])
    assert ours.paid == pytest.approx(0.1)


async def test_what_others_wrote_since_is_told_and_what_was_there_or_is_ones_own_is_not(
    open_ledger: Callable[..., Ledger],
) -> None:
    before, twin = open_ledger(), open_ledger()
    await write(before, [entry(1, Kind.INTENT)])
    ours = open_ledger()
    asked = [(key(n), 1) for n in range(6)]
    assert await ours.told_by_others(asked) == set()
    await write(ours, [entry(2, Kind.INTENT)])
    await write(twin, [entry(3, Kind.INTENT), entry(4, Kind.REJECTED)])
    assert await ours.told_by_others(asked) == {(key(3), 1), (key(4), 1)}
    await write(twin, [entry(5, Kind.INTENT)])
    await write(ours, [entry(0, Kind.INTENT)])
    assert await ours.told_by_others([(key(5), 1), (key(5), 2), (key(0), 1)]) == {(key(5), 1)}


def spoil(folder: str) -> None:
    for segment in Path(folder).glob("*.segment"):
        segment.write_bytes(b"no Parquet")


async def test_what_cannot_be_read_may_be_of_any_attempt(
    open_ledger: Callable[..., Ledger], folder: str
) -> None:
    ours, twin = open_ledger(), open_ledger()
    await write(twin, [entry(1, Kind.INTENT)])
    spoil(folder)
    assert await ours.told_by_others([(key(2), 1)]) == {(key(2), 1)}
