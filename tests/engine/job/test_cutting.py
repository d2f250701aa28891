"""However a source is cut, its rows are all there, once, in their order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.dataset.source import FileRange, SourceFile, joined
from runware_provider.engine.job.cutting import NEAR_ENOUGH, bytes_of, cut, split_id
from runware_provider.engine.job.shard_counts import number_of_shards


def files_of(*rows: int, each: int = 100) -> list[SourceFile]:
    return [
        SourceFile(f"{n:03d}.parquet", count, count * each, f"digest {n}") for n, count in enumerate(rows)
    ]


def ranges_of(files: list[SourceFile]) -> list[FileRange]:
    return [FileRange(file.path, 0, file.rows) for file in files if file.rows]


FILES = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 10_000)), min_size=1, max_size=12).map(
    lambda files: [
        SourceFile(f"{n:03d}.parquet", rows, rows * each, "digest") for n, (rows, each) in enumerate(files)
    ]
)


@given(FILES, st.integers(1, 40))
def test_every_row_is_in_one_shard_in_its_order_and_none_is_empty(
    files: list[SourceFile], shards: int
) -> None:
    ranges = ranges_of(files)
    if not ranges:
        return
    cuts = cut(ranges, files, shards)
    assert 1 <= len(cuts) <= shards
    assert all(part.rows > 0 for piece in cuts for part in piece)
    assert joined(part for piece in cuts for part in piece) == joined(ranges)
    assert abs(sum(bytes_of(piece, files) for piece in cuts) - bytes_of(ranges, files)) <= len(cuts)


@given(st.integers(1, 5_000), st.integers(1, 40))
def test_one_large_file_is_cut_into_even_shares(rows: int, shards: int) -> None:
    files = files_of(rows)
    cuts = cut(ranges_of(files), files, shards)
    assert all(
        sum(part.rows for part in piece) <= (1 + 2 * NEAR_ENOUGH) * rows / shards + 1 for piece in cuts
    )


def test_files_stay_whole_where_that_is_near_enough() -> None:
    files = files_of(90, 105, 110, 95)
    assert [[part.path for part in piece] for piece in cut(ranges_of(files), files, 4)] == [
        [file.path] for file in files
    ]


def test_a_file_of_long_records_counts_by_its_bytes() -> None:
    short, long = files_of(1_000, 10)
    files = [short, replace(long, bytes=100_000)]
    first, second = cut(ranges_of(files), files, 2)
    assert (first, second) == ((FileRange("000.parquet", 0, 1_000),), (FileRange("001.parquet", 0, 10),))


@pytest.mark.parametrize(
    ("rows", "most", "number"), [(0, 16, 1), (1, 16, 1), (50_000, 16, 1), (50_001, 16, 2), (10**7, 16, 16)]
)
def test_a_shard_is_worth_its_worker(rows: int, most: int, number: int) -> None:
    assert number_of_shards(rows, most) == number


def test_the_id_is_of_files_contents_and_cuts() -> None:
    files = files_of(10, 20)
    ranges = ranges_of(files)
    ids = {
        split_id(files, [ranges]),
        split_id(files, [[part] for part in ranges]),
        split_id([files[0], replace(files[1], digest="another")], [ranges]),
        split_id(files_of(10, 21), [ranges]),
    }
    assert len(ids) == 4
    assert split_id(files, [ranges]) == split_id(files_of(10, 20), [tuple(ranges)])
