from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.quality.value_counts import ValueCounts


@given(st.lists(st.lists(st.text(max_size=3), min_size=1)))
def test_counts_agree_with_plain_python(batches):
    counts, plain = ValueCounts(), Counter()
    for batch in batches:
        counts.add(pa.array(batch, pa.string()))
        plain.update(batch)
    assert dict(counts.top(10_000)) == plain
    assert counts.distinct == len(plain)
    assert counts.is_exact


def test_the_most_frequent_come_first_and_ties_in_their_own_order():
    counts = ValueCounts()
    counts.add(pa.array(["b", "c", "a", "c"]))
    assert counts.top(2) == [("c", 2), ("a", 1)]


@given(st.lists(st.lists(st.integers(0, 60), min_size=1), min_size=1, max_size=20))
def test_beyond_the_limit_no_count_is_too_high_nor_lower_than_the_error_says(batches):
    counts, plain = ValueCounts(values_held=8), Counter()
    for batch in batches:
        counts.add(pa.array(batch, pa.int64()))
        plain.update(batch)
    for value, count in counts.top(100):
        assert plain[value] - counts.error <= count <= plain[value]
    missing = set(plain) - {value for value, _ in counts.top(100)}
    assert all(plain[value] <= 2 * counts.error for value in missing)


@pytest.mark.parametrize(
    "values",
    [
        [f"INV-{number:07d}" for number in range(50_000)],
        list(range(50_000)),
        [float(number) / 7 for number in range(50_000)],
        [Decimal(number) / 100 for number in range(50_000)],
        [datetime.fromtimestamp(number, UTC) for number in range(50_000)],
    ],
    ids=["texts", "integers", "floats", "decimals", "moments"],
)
def test_too_many_different_values_are_estimated_within_five_percent(values):
    counts = ValueCounts(values_held=1_000)
    for start in range(0, len(values), 5_000):
        counts.add(pa.array(values[start : start + 5_000], pa.array(values).type))
    assert not counts.is_exact
    assert counts.distinct == pytest.approx(50_000, rel=0.05)


def test_a_frequent_value_is_found_among_very_many_rare_ones():
    counts = ValueCounts(values_held=100)
    for start in range(0, 20_000, 1_000):
        counts.add(pa.array(["often"] * 50 + [f"once {start + number}" for number in range(950)]))
    assert counts.top(1) == [("often", 1_000)]


def test_long_texts_are_forgotten_before_they_fill_the_memory():
    counts = ValueCounts(bytes_held=100_000)
    counts.add(pa.array([f"{number} {'x' * 10_000}" for number in range(50)]))
    assert counts._table.nbytes <= 100_000
    assert counts.distinct == 50


def test_nothing_was_counted_before_something_was():
    counts = ValueCounts()
    assert counts.top(3) == []
    assert counts.distinct == 0
