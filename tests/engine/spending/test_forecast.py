from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.spending.forecast import DEGREES, QUANTILES, Forecast, forecast

if TYPE_CHECKING:
    from collections.abc import Callable

COSTS = st.lists(st.floats(0, 1e3), min_size=1, max_size=40)


def below_t(t: float, degrees: int, steps: int = 2_000) -> float:
    """Student's distribution function, by Simpson's rule over its density."""
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)
    width = t / steps
    weights = [1, *(4 if i % 2 else 2 for i in range(1, steps)), 1]
    density = [(1 + (i * width) ** 2 / degrees) ** (-(degrees + 1) / 2) for i in range(steps + 1)]
    return 0.5 + scale * width / 3 * math.fsum(w * d for w, d in zip(weights, density, strict=True))


def skewed(chance: random.Random, size: int) -> float:
    """A long prompt costs more, a long answer too."""
    return size * 1e-6 + chance.lognormvariate(0, 0.5) * 5e-4


def proportional(chance: random.Random, size: int) -> float:
    return size * chance.uniform(0.8, 1.2) * 1e-6


def coverage(cost: Callable[[random.Random, int], float], answers: int, *, by_size: bool) -> float:
    """How often the truth lies within the interval, over many samples of many small datasets."""
    chance, within, trials = random.Random(7), 0, 600  # noqa: S311 - a repeatable stream, no secret
    for _ in range(trials):
        sizes = [chance.randrange(200, 4_000) for _ in range(120)]
        costs = [cost(chance, size) for size in sizes]
        known = (sizes[:answers], sum(sizes[answers:])) if by_size else (None, None)
        judged = forecast(costs[:answers], 120 - answers, *known)
        assert judged.low is not None
        assert judged.high is not None
        within += judged.low <= sum(costs[answers:]) <= judged.high
    return within / trials


def test_the_mean_is_extrapolated_where_no_sizes_are_known() -> None:
    judged = forecast([1.0, 2.0, 3.0], 10)
    assert (judged.each, judged.total, judged.answers) == (2.0, 20.0, 3)
    # By hand: s = 1, t(2) = 4.303, and 10 + 10 * 10 / 3 for the spread of the rest and of the mean.
    error = 4.303 * math.sqrt(10 + 100 / 3)
    assert (judged.low, judged.high) == (pytest.approx(max(0.0, 20 - error)), pytest.approx(20 + error))


def test_longer_documents_in_the_rest_cost_more() -> None:
    judged = forecast([1.0, 2.0, 3.0], 10, [100, 200, 300], 5_000)
    assert judged == Forecast(pytest.approx(5.0), pytest.approx(50.0), *[pytest.approx(50.0)] * 2, 3)


def test_one_answer_tells_a_price_but_no_spread() -> None:
    assert forecast([0.5], 10) == Forecast(0.5, 5.0, None, None, 1)


def test_nothing_is_uncertain_where_nothing_is_left() -> None:
    assert forecast([1.0, 3.0], 0) == Forecast(2.0, 0.0, 0.0, 0.0, 2)
    assert forecast([1.0, 3.0], 0, [10, 20], 0) == Forecast(2.0, 0.0, 0.0, 0.0, 2)


def test_sizes_that_say_nothing_are_left_aside() -> None:
    assert forecast([1.0, 3.0], 10, [0, 0], 0) == forecast([1.0, 3.0], 10)


def test_a_forecast_from_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no answer"):
        forecast([], 10)


@pytest.mark.parametrize(("sizes", "rest"), [([1], 10), ([1, 2], None), (None, 10), ([1, 2, 3], 10)])
def test_sizes_that_do_not_belong_to_the_costs_are_refused(sizes: list[int] | None, rest: int | None) -> None:
    with pytest.raises(ValueError, match="sizes"):
        forecast([1.0, 2.0], 10, sizes, rest)


def test_the_table_holds_students_quantiles() -> None:
    shares = {
        degrees: below_t(quantile, degrees) for degrees, quantile in zip(DEGREES, QUANTILES, strict=True)
    }
    assert shares == pytest.approx(dict.fromkeys(DEGREES, 0.975), abs=1e-4)


def test_the_last_quantile_holds_for_many_answers() -> None:
    judged = forecast([1.0, 2.0] * 5_000, 10_000)
    assert judged.high is not None
    assert judged.high - judged.total == pytest.approx(1.984 * 0.5 * math.sqrt(20_000), rel=1e-3)


@pytest.mark.parametrize("answers", [5, 20, 60])
@pytest.mark.parametrize("by_size", [True, False])
@pytest.mark.parametrize("cost", [skewed, proportional])
def test_the_truth_lies_within_the_interval_nineteen_times_of_twenty(
    cost: Callable[[random.Random, int], float], answers: int, *, by_size: bool
) -> None:
    assert 0.92 <= coverage(cost, answers, by_size=by_size) <= 0.98


def test_sizes_make_the_interval_narrower_where_the_cost_depends_on_them() -> None:
    chance = random.Random(3)  # noqa: S311 - a repeatable stream, no secret
    sizes = [chance.randrange(200, 4_000) for _ in range(200)]
    costs = [skewed(chance, size) for size in sizes]
    plain, by_size = forecast(costs[:20], 180), forecast(costs[:20], 180, sizes[:20], sum(sizes[20:]))
    assert plain.high is not None
    assert by_size.high is not None
    assert by_size.high - by_size.total < 0.8 * (plain.high - plain.total)


@given(COSTS, st.integers(0, 10**7))
def test_a_forecast_is_never_negative_and_lies_within_its_interval(
    costs: list[float], remaining: int
) -> None:
    judged = forecast(costs, remaining)
    assert judged.each >= 0
    assert judged.total >= 0
    if judged.low is not None and judged.high is not None:
        assert 0 <= judged.low <= judged.total <= judged.high


@given(COSTS, st.integers(1, 10**6), st.integers(1, 1_000))
def test_sizes_that_are_all_alike_change_nothing(costs: list[float], remaining: int, size: int) -> None:
    plain, by_size = (
        forecast(costs, remaining),
        forecast(costs, remaining, [size] * len(costs), size * remaining),
    )
    assert by_size.total == pytest.approx(plain.total)
    assert by_size.high == (None if plain.high is None else pytest.approx(plain.high, rel=1e-6, abs=1e-6))


@given(st.lists(st.floats(0, 1e3), min_size=2, max_size=40), st.integers(0, 10**6))
def test_a_larger_rest_never_costs_less_and_is_never_surer(costs: list[float], remaining: int) -> None:
    less, more = forecast(costs, remaining), forecast(costs, 2 * remaining)
    assert less.total <= more.total
    assert less.high is not None
    assert more.high is not None
    assert less.high - less.total <= (more.high - more.total) * (1 + 1e-9) + 1e-6
