from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.latencies import KNOWN_FROM, SEEN, SEVERAL, Latencies


def seen(latencies: list[float]) -> float:
    known = Latencies()
    for latency_s in latencies:
        known.saw(latency_s, latency_s, 0.0)
    return known.several_s


def test_while_no_answer_was_seen_nothing_is_known() -> None:
    assert seen([]) == 0.0


def test_a_slow_answer_counts_and_a_straggler_does_not() -> None:
    latencies = [1.0] * 80 + [4.0] * 18 + [900.0] * 2
    random.Random(1).shuffle(latencies)  # noqa: S311 - no secret
    assert seen(latencies) == SEVERAL * 4.0


def test_only_the_last_answers_count() -> None:
    assert seen([60.0] * SEEN + [2.0] * SEEN) == SEVERAL * 2.0


def test_what_a_person_is_told_is_the_middle_and_the_slow_end_of_the_last_answers() -> None:
    known = Latencies()
    for latency_s in [9.0] * SEEN + [1.0] * 120 + [4.0] * 75 + [60.0] * 5:
        # It was seen at the look after the last one at which it was not there.
        known.saw(latency_s, latency_s / 2, 0.0)
    assert known.seen_s == (1.0, 4.0)


def test_few_answers_say_nothing_to_a_person() -> None:
    known = Latencies()
    for _ in range(KNOWN_FROM - 1):
        known.saw(1.0, 1.0, 0.0)
    assert known.seen_s is None
    known.saw(1.0, 1.0, 0.0)
    assert known.seen_s == (1.0, 1.0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_several_answers_take_longer_than_the_usual_one_and_not_longer_than_the_slowest(
    latencies: list[float],
) -> None:
    middle = sorted(latencies)[(len(latencies) - 1) // 2]
    assert SEVERAL * middle <= seen(latencies) <= SEVERAL * max(latencies)


def first_look(
    dice: random.Random, median_s: float, sigma: float, *, start: Latencies | None = None
) -> float:
    """When an answer is looked for first, after many that came so, each seen at a look."""
    known, now = start if start is not None else Latencies(), 0.0
    for _ in range(2_000):
        done_s = median_s * math.exp(dice.gauss(0, sigma))
        not_there_s, age_s = 0.0, 0.9 * known.fast_s if known.are_known else 0.1
        while age_s < done_s:
            not_there_s, age_s = age_s, 1.2 * age_s
        now += median_s / 100
        known.saw(age_s, not_there_s, now)
    return known.fast_s


@pytest.mark.parametrize("median_s", [0.2, 3.0, 200.0])
def test_the_first_look_is_when_some_answers_are_there_and_most_are_not(median_s: float) -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    assert 0.4 * median_s <= first_look(dice, median_s, 0.5) <= 0.9 * median_s
    assert 0.6 * median_s <= first_look(dice, median_s, 0.0) <= 1.05 * median_s


def test_a_first_look_that_came_too_late_does_not_show_itself_to_be_just_right() -> None:
    dice, known = random.Random(1), Latencies()  # noqa: S311 - no secret
    first_look(dice, 100.0, 0.5, start=known)
    assert first_look(dice, 5.0, 0.5, start=known) <= 0.9 * 5.0


def test_a_queue_of_our_own_does_not_put_off_the_first_look_at_what_is_sent_behind_it() -> None:
    known = Latencies()
    for _ in range(200):
        known.saw(2.0, 1.8, 100.0)
    for number in range(2_000):
        known.saw(20.0, 18.0, 100.0 + number / 1_000)
    assert known.fast_s < 3.0


def test_answers_that_take_longer_for_good_are_looked_for_later_after_a_while() -> None:
    known = Latencies()
    for _ in range(200):
        known.saw(2.0, 1.8, 100.0)
    for number in range(20_000):
        known.saw(20.0, 18.0, 100.0 + number)
    assert known.fast_s == 18.0
