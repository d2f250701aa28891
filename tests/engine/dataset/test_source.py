"""Which rows of a source are meant, as ranges of its files."""

from __future__ import annotations

from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.dataset.source import (
    Dataset,
    FileRange,
    SourceFile,
    by_pass,
    by_row_group,
    first_rows,
    joined,
    rows_in,
    spread_rows,
)


def dataset_of(*rows):
    files = (SourceFile(str(number), count, 0, "") for number, count in enumerate(rows))
    return Dataset(tuple(files), pa.schema({}))


def places(ranges):
    return [(one.path, row) for one in ranges for row in range(one.start, one.end)]


def test_a_limit_takes_the_first_rows():
    assert first_rows(dataset_of(2, 0, 3)) == (FileRange("0", 0, 2), FileRange("2", 0, 3))
    assert first_rows(dataset_of(2, 3), 3) == (FileRange("0", 0, 2), FileRange("1", 0, 1))
    assert first_rows(dataset_of(2, 3), 99) == first_rows(dataset_of(2, 3))
    assert first_rows(dataset_of(2, 3), 0) == ()


@given(rows=st.lists(st.integers(0, 40), max_size=5), wanted=st.integers(0, 60))
def test_rows_that_are_spread_are_in_order_and_about_equally_far_apart(rows, wanted):
    dataset = dataset_of(*rows)
    everything = places(first_rows(dataset))
    spread = [everything.index(place) for place in places(spread_rows(dataset, wanted))]
    assert len(spread) == min(wanted, dataset.rows)
    apart = [after - before for before, after in pairwise(spread)]
    assert all(apart)
    assert not apart or max(apart) - min(apart) <= 1


RANGES = st.lists(
    st.builds(FileRange, st.sampled_from("ab"), st.integers(0, 20), st.integers(1, 10)), max_size=8
)


@given(RANGES)
def test_neighbours_are_joined_and_no_row_is_lost(ranges):
    together = joined(ranges)
    assert places(together) == places(ranges)
    assert rows_in(together) == rows_in(ranges)
    assert all(before.path != after.path or before.end != after.start for before, after in pairwise(together))


@given(RANGES)
def test_a_pass_goes_through_one_file_and_never_back(ranges):
    passes = list(by_pass(ranges))
    assert [one for served in passes for one in served] == ranges
    for served in passes:
        assert {one.path for one in served} == {served[0].path}
        assert all(before.end <= after.start for before, after in pairwise(served))
    for before, after in pairwise(passes):
        assert before[-1].path != after[0].path or after[0].start < before[-1].end


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=8),
    start=st.integers(0, 70),
    rows=st.integers(1, 70),
)
def test_a_range_is_cut_where_row_groups_end(sizes, start, rows):
    total = sum(sizes)
    wanted = [FileRange("a", start, min(rows, total - start))] if start < total else []
    cut = list(by_row_group(wanted, sizes))
    assert places(place for _, place in cut) == places(wanted)
    for group, place in cut:
        begin = sum(sizes[:group])
        assert begin <= place.start < place.end <= begin + sizes[group]
