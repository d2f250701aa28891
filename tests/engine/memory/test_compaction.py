from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.compaction import KEPT_S, compact
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.ledger_reading import MOST_SMALL
from runware_provider.engine.storage.local import LocalStorage
from tests.engine.memory.dying_storage import Dying, Killed

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_760_000_000.0
ITEM = bytes(range(256)) * 4


def key(number: int) -> Key:
    return Key(number.to_bytes(16, "big"), 0, 0)


def entry(number: int, kind: Kind = Kind.ANSWERED, **facts: Any) -> Entry:
    return Entry(key(number), 1, kind, **facts)


def open_ledger(folder: str, storage: Any = None, now: float = START, **rest: Any) -> Ledger:
    return Ledger(storage or LocalStorage(lambda _: None), folder, clock=lambda: now, **rest)


def write(folder: str, *groups: list[Entry], **rest: Any) -> None:
    async def commit() -> None:
        ledger = open_ledger(folder, **rest)
        async with ledger.writing():
            for group in groups:
                await ledger.commit(group, at_once=True)
        ledger.close()

    asyncio.run(commit())


def merge(folder: str, storage: Any = None, now: float = START, **rest: Any) -> bool:
    ledger = open_ledger(folder, storage, now)
    try:
        return compact(ledger, **rest)
    finally:
        ledger.close()


def said(folder: str) -> tuple[Any, ...]:
    """All that is asked of a ledger, whole entries included."""
    ledger = open_ledger(folder, run="r")
    histories = ledger.histories([(key(n).fingerprint, 0) for n in range(40)], 0)
    attempts = [attempt for one in histories if one for attempt in one.attempts]
    entries = ledger.entries(attempts)
    whole = sorted((entries[one] for one in attempts), key=lambda one: one.key.fingerprint)
    held = (whole, ledger.totals("all"), ledger.totals("fresh"), ledger.unpriced("all"))
    ledger.close()
    return held


def test_what_is_newest_is_told_alike_before_and_after_a_merge(tmp_path: Path) -> None:
    folder = str(tmp_path)
    write(folder, [entry(1)], [entry(2)], [entry(3)])
    newest = []
    for merges in (False, True, False):
        ledger = open_ledger(folder)
        newest.append(ledger.newest)
        assert compact(ledger) if merges else True
        newest.append(ledger.newest)
        ledger.close()
    assert set(newest) == {3}
    write(folder, [entry(4)])
    ledger = open_ledger(folder)
    assert ledger.newest == 4
    ledger.close()


def names(folder: str, pattern: str = "*.segment") -> list[str]:
    return sorted(path.name for path in Path(folder).glob(pattern))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Intents and what became of them, by two runs."""
    path = str(tmp_path / "ledger")
    write(path, [entry(n, Kind.INTENT) for n in range(30)], run="r")
    write(path, *([entry(n, cost=0.001 * n, item=ITEM, message="ü")] for n in range(10)), run="r")
    write(path, *([entry(n, Kind.ERROR, family="lost")] for n in range(10, 15)))
    write(path, [entry(n, origin=bytes(16), cost=1.0) for n in range(30, 33)])
    return path


def test_many_segments_become_one_that_says_the_same(folder: str) -> None:
    before = said(folder)
    assert merge(folder)
    assert said(folder) == before
    (merged,) = names(folder, "merged-*")
    table = pq.ParquetFile(f"{folder}/{merged}").read()
    assert table.num_rows == 33
    assert {row["run"] for row in table.to_pylist()} == {None, "r"}
    assert {int(row["at"].timestamp()) for row in table.to_pylist()} == {int(START)}
    assert {row["origin"] for row in table.to_pylist()} == {None, bytes(16)}


def test_merged_segments_are_as_large_as_they_may_be(folder: str) -> None:
    before = said(folder)
    assert merge(folder, segment_bytes=1)
    assert len(names(folder, "merged-*")) == 1  # a row group is never divided
    write(folder, *([entry(100 + n, item=ITEM) for n in range(m, m + 2_000)] for m in (0, 2_000, 4_000)))
    assert merge(folder, segment_bytes=1)
    assert len(names(folder, "merged-*")) > 3
    assert said(folder)[0] == before[0]


def test_what_is_merged_is_merged_again_with_what_came_since(folder: str) -> None:
    assert merge(folder)
    write(folder, [entry(10, cost=0.5)], [entry(33)])
    before = said(folder)
    assert merge(folder)
    assert said(folder) == before
    assert not merge(folder)
    ledger = open_ledger(folder)
    assert len(ledger.known) == 1
    assert not ledger.needs_compaction
    ledger.close()


def test_a_long_tail_needs_compaction(tmp_path: Path) -> None:
    folder = str(tmp_path / "ledger")
    write(folder, *([entry(n)] for n in range(MOST_SMALL)))
    ledger = open_ledger(folder)
    assert not ledger.needs_compaction
    write(folder, [entry(99)])
    assert ledger.catch_up()
    assert ledger.needs_compaction
    assert compact(ledger)
    ledger.close()


def test_whoever_reads_the_old_segments_can_go_on_for_a_day(folder: str) -> None:
    reader = open_ledger(folder)
    before = names(folder)
    assert merge(folder)
    assert set(before) < set(names(folder))
    assert len(reader.entries(reader.history(key(3).fingerprint, 0, 0).attempts)) == 1
    write(folder, [entry(34)], [entry(35)])
    assert merge(folder, now=START + KEPT_S - 1)
    assert set(before) < set(names(folder))
    write(folder, [entry(36)], [entry(37)])
    whole = said(folder)
    assert merge(folder, now=START + KEPT_S + 1)
    assert set(before).isdisjoint(names(folder))
    assert said(folder) == whole
    with pytest.raises(StateUnreadable, match="is gone"):
        reader.entries(reader.history(key(3).fingerprint, 0, 0).attempts)
    reader.close()


def test_a_process_that_writes_while_another_merges_loses_nothing(folder: str) -> None:
    async def both() -> None:
        writer = open_ledger(folder)
        async with writer.writing():
            await writer.commit([entry(33, cost=2.0)], at_once=True)
            assert merge(folder)
            await writer.commit([entry(34, cost=4.0)], at_once=True)
        assert writer.needs_compaction is False
        assert compact(writer)
        writer.close()

    before = said(folder)[1].cost
    asyncio.run(both())
    assert said(folder)[1].cost == pytest.approx(before + 6.0)


class Between(LocalStorage):
    """Does something before `base.json` is swapped."""

    def __init__(self, act: Callable[[], Any]) -> None:
        super().__init__(lambda _: None)
        self.act = act

    def replace_if(self, path: str, data: Any, version: Any) -> bool:
        self.act()
        return super().replace_if(path, data, version)


def test_of_two_that_merge_at_once_one_wins_and_the_other_leaves_nothing(folder: str) -> None:
    before = said(folder)
    assert not merge(folder, Between(lambda: merge(folder)))
    assert said(folder) == before
    assert len(names(folder, "merged-*")) == 1


def test_killed_at_any_operation_nothing_is_lost_and_the_next_one_clears_up(
    folder: str, tmp_path: Path
) -> None:
    assert merge(folder)
    write(folder, *([entry(33 + n, cost=1.0)] for n in range(5)))
    before = said(folder)
    for dies_at in itertools.count(1):
        copy = str(tmp_path / f"{dies_at}")
        shutil.copytree(folder, copy)
        survived = False
        with contextlib.suppress(Killed):
            # A day later, so that the segments of the first merge are removed, too.
            survived = merge(copy, Dying(dies_at), now=START + KEPT_S + 1)
        assert said(copy) == before
        write(copy, [entry(39)], [entry(38)])
        after_that = said(copy)
        assert merge(copy, now=START + 3 * KEPT_S)
        assert said(copy) == after_that
        write(copy, [entry(39)], [entry(38)])
        assert merge(copy, now=START + 5 * KEPT_S)
        assert len(names(copy)) == 4  # what counts, and what the last merge superseded
        shutil.rmtree(copy)
        if survived:
            break
    assert dies_at > 15


def test_a_segment_that_cannot_be_read_stops_the_merging_and_nothing_changes(folder: str) -> None:
    ledger = open_ledger(folder)
    path = Path(folder, "00000005.segment")
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    held = names(folder)
    with pytest.raises(StateUnreadable, match="cannot be read"):
        compact(ledger)
    assert names(folder) == held
    path.write_bytes(whole)
    assert compact(ledger)
    ledger.close()
