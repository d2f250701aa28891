from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.quality.chance import fisher, holm, mcnemar, wilson


def test_the_interval_is_that_of_the_textbook():
    low, high = wilson(81, 263)  # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    low, high = wilson(0, 20)
    assert (low, round(high, 4)) == (0.0, 0.1611)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_the_interval_holds_the_rate(hits, misses):
    low, high = wilson(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low <= hits / (hits + misses) <= high


@given(st.integers(0, 150), st.integers(0, 150))
def test_the_exact_test_is_the_sum_of_the_binomial_tail(first, second):
    of, fewer = first + second, min(first, second)
    tail = Fraction(sum(comb(of, k) for k in range(fewer + 1)), 2**of)
    assert mcnemar(first, second) == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-9)


def test_the_exact_test_stands_a_million_records():
    assert mcnemar(500_000, 500_000) == 1.0
    assert mcnemar(1_000_000, 0) == 0.0
    assert mcnemar(501_500, 498_500) == pytest.approx(0.0027, abs=1e-4)


def test_looking_at_many_fields_makes_each_finding_less_sure():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_fisher_agrees_with_adding_up_whole_numbers(hits, misses, hits_before, misses_before):
    of, of_before, right = hits + misses, hits_before + misses_before, hits + hits_before
    if not of or not of_before:
        assert fisher(hits, of, hits_before, of_before) == 1.0
        return
    ways = [comb(of, ours) * comb(of_before, right - ours) for ours in range(right + 1)]
    as_rare = sum(way for way in ways if way <= ways[hits])
    assert fisher(hits, of, hits_before, of_before) == pytest.approx(as_rare / sum(ways))


def test_of_many_records_the_normal_approximation_says_the_same():
    many, few = fisher(550, 1001, 500, 1000), fisher(550, 1000, 500, 1000)
    assert many == pytest.approx(few, abs=0.01)
    assert fisher(0, 5000, 5000, 5000) < 1e-12
