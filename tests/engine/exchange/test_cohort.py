from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.cohort import Cohort

SEVERAL = st.lists(st.floats(0.01, 100), min_size=1, max_size=30)


def cohort(latencies: list[float], *, most_s: float = math.inf) -> Cohort:
    """Accepted a second after one another, each with its answer, in the order in which the answers came."""
    made = Cohort(most_s)
    for number in range(len(latencies)):
        made.take_in(1, float(number))
    for at, latency_s in sorted(
        (number + latency_s, latency_s) for number, latency_s in enumerate(latencies)
    ):
        made.saw(latency_s, at)
    return made


@given(SEVERAL, st.floats(1, 50))
def test_the_average_counts_no_latency_for_more_than_the_most(latencies: list[float], most_s: float) -> None:
    mean = cohort(latencies, most_s=most_s).mean(1_000.0)
    assert mean.is_sure
    counted = [min(most_s, latency_s) for latency_s in latencies]
    assert mean.about_s == pytest.approx(sum(counted) / len(counted))


@given(SEVERAL, st.floats(1, 50), st.floats(0, 60))
def test_while_some_are_waited_for_the_average_lies_between_what_they_waited_and_the_most(
    latencies: list[float], most_s: float, now: float
) -> None:
    made = Cohort(most_s)
    made.take_in(len(latencies), 0.0)
    for latency_s in sorted(latencies):
        if latency_s <= now:
            made.saw(latency_s, latency_s)
    mean = made.mean(now)
    in_the_end = sum(min(most_s, latency_s) for latency_s in latencies) / len(latencies)
    assert mean.least_s - 1e-9 <= in_the_end <= mean.most_s + 1e-9


def test_one_that_is_never_answered_is_not_waited_for_longer_than_it_counts() -> None:
    made = Cohort(10.0)
    made.take_in(4, 0.0)
    for _ in range(3):
        made.saw(2.0, 2.0)
    assert not made.mean(9.0).is_sure
    assert made.mean(10.0).is_sure
    assert made.mean(10.0).about_s == (3 * 2 + 10) / 4


def test_answers_of_others_do_not_count_but_are_delivered() -> None:
    made = Cohort()
    made.saw(1.0, 5.0)
    made.take_in(2, 10.0)
    made.saw(4.0, 11.0)
    made.saw(2.0, 12.0)
    assert (made.answered, made.delivered) == (1, 2)
    assert made.delivered_per_s(12.0) == 1.0


def test_who_ended_without_an_answer_no_longer_counts() -> None:
    made = Cohort()
    made.take_in(3, 0.0)
    made.lost(1.0, 1.0)
    made.saw(2.0, 2.0)
    made.saw(2.0, 2.0)
    assert (made.size, made.taken_in) == (2, 3)
    assert made.mean(2.0) == (2.0, 2.0)


def test_half_of_it_is_known_as_soon_as_half_is_there() -> None:
    made = Cohort()
    made.take_in(5, 0.0)
    made.saw(1.0, 1.0)
    made.saw(2.0, 2.0)
    assert made.half_s is None
    made.saw(3.0, 3.0)
    assert made.half_s == 3.0


def test_answers_that_all_take_as_long_do_not_differ_though_some_of_them_waited_for_a_slot() -> None:
    assert cohort([2.0] * 40 + [4.0] * 24).spread == 0.0


def test_answers_that_differ_are_seen_to_do_so() -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    assert cohort([math.exp(dice.gauss(0, 0.5)) for _ in range(400)]).spread == pytest.approx(0.5, abs=0.1)
