from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.pace import HOLD_S, SLOWER, START, Pace


def answered(pace: Pace, number: int, latency_s: float) -> None:
    for _ in range(number):
        pace.answered(latency_s)


@pytest.mark.parametrize(("most", "window"), [(1, 1), (10, 10), (START, START), (100_000, START)])
def test_the_window_begins_small_and_within_the_users_bound(most: int, window: int) -> None:
    assert Pace(most).window == window


def test_the_window_doubles_per_round_while_nothing_was_refused() -> None:
    pace = Pace(100_000)
    answered(pace, START, 5.0)
    assert pace.window == 2 * START
    answered(pace, 2 * START, 5.0)
    assert pace.window == 4 * START


def test_the_users_bound_is_never_exceeded() -> None:
    pace = Pace(100)
    answered(pace, 1_000, 5.0)
    assert pace.window == 100


def test_a_refusal_halves_the_window_and_growth_is_slow_from_then_on() -> None:
    pace = Pace(1_000)
    pace.refused(10.0)
    assert pace.window == START // 2
    answered(pace, START // 2, 5.0)
    assert START // 2 <= pace.window <= START // 2 + 1


def test_refusals_within_two_seconds_count_once() -> None:
    pace = Pace(1_000)
    for now in (10.0, 10.0, 11.9):
        pace.refused(now)
    assert pace.window == START // 2
    pace.refused(10.0 + HOLD_S)
    assert pace.window == START // 4


@pytest.mark.parametrize("now", [0.0, -5.0, 1e9])
def test_the_first_refusal_counts_whenever_it_comes(now: float) -> None:
    pace = Pace(1_000)
    pace.refused(now)
    assert pace.window == START // 2


def test_one_inference_is_always_allowed() -> None:
    pace = Pace(1_000)
    for round_ in range(50):
        pace.refused(10.0 * round_)
    assert pace.window == 1
    answered(pace, 10, 5.0)
    assert pace.window > 1


def test_growth_stops_while_answers_come_much_more_slowly_and_goes_on_afterwards() -> None:
    pace = Pace(100_000)
    answered(pace, 10, 5.0)
    answered(pace, 100, 10 * SLOWER * 5.0)
    before = pace.window
    answered(pace, 10, 10 * SLOWER * 5.0)
    assert pace.window == before
    answered(pace, 100, 5.0)
    assert pace.window > before


def test_a_first_answer_out_of_a_cache_does_not_stop_the_growth() -> None:
    pace = Pace(100_000)
    pace.answered(0.0)
    answered(pace, 100, 0.4)
    assert pace.window == START + 101


@given(
    st.integers(1, 5_000),
    st.lists(st.tuples(st.booleans(), st.floats(0, 1e4)), max_size=60),
)
def test_the_window_stays_between_one_and_the_bound(most: int, events: list[tuple[bool, float]]) -> None:
    pace, now = Pace(most), 0.0
    for is_answer, seconds in events:
        before = pace.window
        if is_answer:
            pace.answered(seconds)
            assert before <= pace.window <= before + 1
        else:
            now += seconds
            pace.refused(now)
            assert pace.window <= before
        assert 1 <= pace.window <= most
