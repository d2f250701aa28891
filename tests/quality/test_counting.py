from __future__ import annotations

import math
import statistics
from collections import Counter
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.quality.counting import BARS, Spread, ValueCounts


@given(st.lists(st.lists(st.text(max_size=3), min_size=1)))
def test_counts_agree_with_plain_python(batches):
    counts, plain = ValueCounts(), Counter()
    for batch in batches:
        counts.add(pa.array(batch, pa.string()))
        plain.update(batch)
    assert dict(counts.top(10_000)) == plain
    assert counts.distinct == len(plain)
    assert counts.error == 0


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


def test_of_too_many_different_values_as_many_are_told_as_were_met_at_once():
    counts = ValueCounts(values_held=1_000)
    for start in range(0, 50_000, 5_000):
        counts.add(pa.array([datetime.fromtimestamp(second, UTC) for second in range(start, start + 5_000)]))
    assert counts.error
    assert 5_000 <= counts.distinct <= 50_000


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


def spread(numbers, **options):
    held = Spread(**options)
    held.add(pa.array(numbers, pa.float64()))
    return held


@given(st.lists(st.floats(-1e300, 1e300), min_size=1))
def test_the_ends_and_the_median_are_those_of_plain_python(numbers):
    held = spread(numbers)
    assert held.highest == max(numbers)
    assert held.percentiles(0.5)[0] == pytest.approx(statistics.median(numbers), rel=1e-9)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)), st.booleans())
def test_a_histogram_counts_every_finite_number_once(numbers, whole):
    held = spread(numbers)
    histogram = held.histogram(whole=whole)
    if histogram is not None:
        inside = [number for number in numbers if histogram.lowest <= number <= histogram.highest]
        assert sum(histogram.bars) == len(inside)
        assert 1 <= len(histogram.bars) <= BARS
        assert histogram.is_whole or len(inside) < sum(map(math.isfinite, numbers))


def test_whole_numbers_have_a_bar_each_while_they_are_few():
    assert spread([0, 0, 1, 3]).histogram(whole=True).bars == (2, 1, 0, 1)


def test_equal_numbers_have_no_histogram():
    assert spread([5, 5]).histogram() is None
    assert spread([]).histogram() is None
    assert spread([]).percentiles(0.5) == []


def test_a_few_outliers_do_not_press_the_rest_into_one_bar():
    histogram = spread([*range(1000), 1e12]).histogram()
    assert histogram.highest < 1000
    assert not histogram.is_whole
    assert min(histogram.bars) > 50


def test_too_many_numbers_are_thinned_evenly():
    held = Spread(numbers_held=1000)
    for start in range(0, 50_000, 777):
        held.add(pa.array(range(start, min(start + 777, 50_000)), pa.int64()))
    assert not held.is_exact
    assert len(held._held) <= 1000
    assert held.percentiles(0.5)[0] == pytest.approx(25_000, rel=0.01)
    assert held.highest == 49_999
    assert sum(held.histogram().bars) == len(held._held)


def test_null_is_passed_over():
    held = Spread()
    held.add(pa.array([1.0, None, 3.0]))
    assert held.percentiles(0, 1) == [1.0, 3.0]
