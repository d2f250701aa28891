from __future__ import annotations

import statistics

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.quality.spread import BARS, Spread


def spread(numbers, **options):
    held = Spread(**options)
    held.add(pa.array(numbers, pa.float64()))
    return held


@given(st.lists(st.floats(-1e300, 1e300), min_size=1))
def test_the_ends_and_the_median_are_those_of_plain_python(numbers):
    held = spread(numbers)
    assert (held.lowest, held.highest) == (min(numbers), max(numbers))
    assert held.percentiles(0.5)[0] == pytest.approx(statistics.median(numbers), rel=1e-9)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)), st.booleans())
def test_a_histogram_counts_every_finite_number_once(numbers, whole):
    held = spread(numbers)
    histogram = held.histogram(whole=whole)
    if histogram is not None:
        assert sum(histogram.bars) + histogram.below + histogram.above == held.seen
        assert 1 <= len(histogram.bars) <= BARS


def test_whole_numbers_have_a_bar_each_while_they_are_few():
    assert spread([0, 0, 1, 3]).histogram(whole=True).bars == (2, 1, 0, 1)


def test_equal_numbers_have_no_histogram():
    assert spread([5, 5]).histogram() is None
    assert spread([]).histogram() is None
    assert spread([]).percentiles(0.5) is None


def test_a_few_outliers_do_not_press_the_rest_into_one_bar():
    histogram = spread([*range(1000), 1e12]).histogram()
    assert histogram.highest < 1000
    assert histogram.above >= 1
    assert min(histogram.bars) > 50


def test_too_many_numbers_are_thinned_evenly():
    held = Spread(numbers_held=1000)
    for start in range(0, 50_000, 777):
        held.add(pa.array(range(start, min(start + 777, 50_000)), pa.int64()))
    assert not held.is_exact
    assert held.seen == 50_000
    assert len(held._held) <= 1000
    assert held.percentiles(0.5)[0] == pytest.approx(25_000, rel=0.01)
    assert held.highest == 49_999
    assert sum(held.histogram().bars) == pytest.approx(50_000, rel=0.01)


def test_null_is_passed_over():
    held = Spread()
    held.add(pa.array([1.0, None, 3.0]))
    assert held.seen == 2
