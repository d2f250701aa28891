from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.pace import FIRST_COHORT, OPENING, START, Pace
from runware_provider.engine.memory.learnt_pace import Learnt
from tests.engine.exchange.simulated_vendor import (
    Fixed,
    Simulation,
    constant,
    log_normal,
    with_stragglers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

USUAL_S = 5.0
LATENCIES = {
    "constant": constant(USUAL_S),
    "log-normal": log_normal(USUAL_S),
    "stragglers": with_stragglers(log_normal(USUAL_S)),
}


class Wave:
    """Sends as much as the window allows, all at once, and gets all answers after the same time."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.now = 0.0

    def __call__(self, latency_s: float, *, most: int = 10**9) -> Wave:
        under_way = 0
        while under_way < min(self.pace.window, most):
            under_way = min(self.pace.window, most)
            self.pace.accepted(under_way - self._sent_of(under_way), under_way, self.now)
        self.now += latency_s
        for _ in range(under_way):
            self.pace.answered(latency_s, self.now)
        self._before = 0
        return self

    _before = 0

    def _sent_of(self, under_way: int) -> int:
        before, self._before = self._before, under_way
        return before


@pytest.mark.parametrize(("most", "window"), [(1, 1), (10, 10), (START, START), (100_000, START)])
def test_the_window_begins_small_and_within_the_users_bound(most: int, window: int) -> None:
    assert Pace(most).window == window


def test_good_answers_open_the_window_at_once_while_nothing_is_known_of_a_limit() -> None:
    pace = Pace(100_000)
    wave = Wave(pace)
    wave(USUAL_S, most=5)
    assert "first answers" in pace.reason
    wave(USUAL_S)
    assert pace.learnt == Learnt(int(START * OPENING), USUAL_S)


def test_the_window_is_opened_by_half_of_what_was_accepted_at_once() -> None:
    pace = Pace(100_000)
    pace.accepted(5, 5, 0.0)
    assert pace.window == 8
    pace.accepted(5, 10, 0.0)
    assert pace.window == 15
    pace.accepted(50, 60, 0.0)
    assert pace.window == START


def test_the_users_bound_is_never_exceeded() -> None:
    pace = Pace(100)
    wave = Wave(pace)
    for _ in range(6):
        wave(USUAL_S)
    assert pace.window == 100


def test_a_refusal_brings_the_window_to_what_was_accepted_and_says_so() -> None:
    told: list[str] = []
    pace = Pace(1_000, tell=told.append)
    pace.accepted(30, 30, 10.0)
    pace.refused(20, 30, 10.0)
    assert pace.window == 30
    assert pace.reason == "the API had no room for 20"
    assert told == ["window 64 -> 30: the API had no room for 20"]


def test_one_inference_is_always_allowed() -> None:
    pace = Pace(1_000)
    pace.refused(50, 0, 10.0)
    assert pace.window == 1


def test_what_the_last_process_learnt_is_where_the_next_one_begins() -> None:
    first = Pace(10_000)
    wave = Wave(first)
    for _ in range(4):
        wave(USUAL_S)
    learnt = first.learnt
    assert learnt is not None
    second = Pace(10_000, learnt)
    assert second.window == learnt.window > START
    assert Pace(100, learnt).window == 100, "within the user's bound, whatever was learnt"


def test_latency_that_climbs_brings_the_window_down_in_proportion() -> None:
    pace = Pace(10_000, Learnt(100, USUAL_S))
    wave = Wave(pace)
    wave(2 * USUAL_S)
    assert "2.0 times as long as usual" in pace.reason
    assert 50 < pace.window < 70


def test_a_step_that_brings_latency_in_the_place_of_throughput_is_taken_back() -> None:
    pace = Pace(10_000, Learnt(100, USUAL_S))
    wave = Wave(pace)
    wave(USUAL_S)
    assert pace.window > 100
    wave(1.9 * USUAL_S)
    assert "brought nothing" in pace.reason
    assert pace.window <= 100


def test_an_api_that_is_slow_whatever_is_under_way_keeps_its_window() -> None:
    pace = Pace(10_000, Learnt(100, USUAL_S))
    wave = Wave(pace)
    for _ in range(4):
        wave(1.9 * USUAL_S)
        if "whatever is under way" in pace.reason:
            break
    assert "whatever is under way" in pace.reason
    assert pace.window == 100


def test_answers_that_stay_away_bring_the_window_down_without_waiting_for_them() -> None:
    pace = Pace(10_000, Learnt(100, USUAL_S))
    pace.accepted(100, 100, 0.0)
    pace.look(1.9 * USUAL_S)
    assert pace.window == 100
    pace.look(2.1 * USUAL_S)
    assert "half is not back" in pace.reason
    assert pace.window < 100


def test_after_a_refusal_a_little_more_is_tried_when_answers_have_earned_it() -> None:
    pace = Pace(10_000, Learnt(40, USUAL_S))
    wave = Wave(pace)
    pace.accepted(40, 40, 0.0)
    pace.refused(10, 40, 0.0)
    at = pace.window
    wave(USUAL_S)
    assert pace.window == at + 1, "one more, which costs one refusal at most"
    pace.refused(1, at, wave.now)
    for _ in range(2):
        wave(USUAL_S)
    assert pace.window <= at, "and not again before that was earned"


def test_nothing_is_widened_that_is_not_used() -> None:
    pace = Pace(10_000, Learnt(100, USUAL_S))
    wave = Wave(pace)
    for _ in range(5):
        wave(USUAL_S, most=30)
    assert pace.learnt == Learnt(100, USUAL_S)


@given(
    most=st.integers(1, 100_000),
    events=st.lists(
        st.tuples(
            st.sampled_from(["accepted", "answered", "refused", "look"]),
            st.integers(1, 200),
            st.floats(0, 1e4),
        ),
        max_size=80,
    ),
)
def test_whatever_comes_the_window_stays_within_its_bounds(
    most: int, events: list[tuple[str, int, float]]
) -> None:
    pace = Pace(most)
    now, under_way = 0.0, 0
    for kind, count, seconds in events:
        now += seconds
        if kind == "accepted":
            under_way += count
            pace.accepted(count, under_way, now)
        elif kind == "answered":
            under_way = max(0, under_way - 1)
            pace.answered(seconds, now)
        elif kind == "refused":
            pace.refused(count, under_way, now)
        else:
            pace.look(now)
        assert 1 <= pace.window <= most


def _simulated(pace: Any, tasks: int, slots: int, queue: int | None, latency: str, **more: Any) -> Simulation:
    return Simulation(
        pace,
        tasks=tasks,
        slots=lambda _now: slots,
        queue=None if queue is None else lambda _now: queue,
        latency_s=LATENCIES[latency],
        **more,
    )


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize(("slots", "queue"), [(4, 8), (40, 80), (200, 400)])
def test_a_hidden_capacity_is_found_and_few_are_refused(slots: int, queue: int, latency: str) -> None:
    tasks = max(600, 30 * slots)
    seen = _simulated(Pace(10_000), tasks, slots, queue, latency).run()
    told = _simulated(Fixed(math.ceil(1.25 * slots)), tasks, slots, queue, latency).run()
    # What the first looks cost, and the last stragglers, weighs more in a job of 30 windows than in a real one.
    assert told.finished_share_at(0.9) >= 0.85 * seen.finished_share_at(0.9)
    assert seen.refused <= 0.05 * tasks


@pytest.mark.parametrize("latency", ["constant", "log-normal"])
def test_a_vendor_without_a_queue_refuses_few(latency: str) -> None:
    seen = _simulated(Pace(10_000), 2_000, 40, 0, latency).run()
    told = _simulated(Fixed(40), 2_000, 40, 0, latency).run()
    assert told.finished_share_at(0.9) >= 0.85 * seen.finished_share_at(0.9)
    assert seen.refused <= 0.06 * 2_000


@pytest.mark.parametrize("latency", ["constant", "log-normal"])
@pytest.mark.parametrize("shares_slots", [False, True])
def test_a_vendor_that_slows_down_in_the_place_of_refusing_is_not_driven_further(
    latency: str,
    shares_slots: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    seen = _simulated(Pace(10_000), 3_000, 40, None, latency, shares_slots=shares_slots).run()
    later = [window for _, window in seen.windows[len(seen.windows) // 3 :]]
    assert statistics.mean(later) < 3 * 40
    assert seen.finished_share_at(0.9) < 1.4 * 0.9 * 3_000 * USUAL_S * 1.13 / 40


@pytest.mark.parametrize("slots", [64, 1_000])
@pytest.mark.parametrize("latency", LATENCIES)
def test_many_slots_are_filled_within_a_few_latencies(slots: int, latency: str) -> None:
    seen = _simulated(Pace(10_000), 10 * slots, slots, None, latency).run(8 * USUAL_S)
    mean_s = USUAL_S * (1 if latency == "constant" else math.exp(0.125))
    assert seen.per_second(4 * USUAL_S, 8 * USUAL_S) >= 0.9 * slots / mean_s


def _changing(now: float) -> int:
    if now < 100:
        return 40
    return 10 if now < 200 else 80


@pytest.mark.parametrize("latency", ["constant", "log-normal"])
def test_a_capacity_that_changes_is_followed(latency: str) -> None:
    simulation = Simulation(
        Pace(10_000),
        tasks=100_000,
        slots=_changing,
        queue=lambda now: 2 * _changing(now),
        latency_s=LATENCIES[latency],
    )
    seen = simulation.run(until=350)
    mean_s = USUAL_S * (1 if latency == "constant" else math.exp(0.125))
    assert seen.per_second(50, 100) >= 0.9 * 40 / mean_s
    assert seen.per_second(150, 200) >= 0.85 * 10 / mean_s
    assert seen.per_second(250, 350) >= 0.85 * 80 / mean_s


def _request(number: int) -> Callable[[int], bool]:
    return lambda request: request == number


def test_a_lone_refusal_is_made_up_for_within_a_few_latencies() -> None:
    def job(refuses: Callable[[int], bool]) -> float:
        return (
            _simulated(Pace(500), 10_000, 10_000, None, "constant", refuses=refuses)
            .run()
            .finished_share_at(1.0)
        )

    assert job(_request(4)) <= job(lambda _request: False) + 8 * USUAL_S


def test_half_of_the_tasks_may_end_in_errors_and_the_window_finds_its_size_nevertheless() -> None:
    pace, now = Pace(10_000), 0.0
    for _ in range(60):
        window = pace.window
        pace.accepted(window, window, now)
        now += USUAL_S
        for number in range(window):
            tell = pace.answered if number % 3 == 0 else pace.ended_otherwise
            tell(USUAL_S, now)
    assert pace.window > 1_000


def test_a_first_cohort_that_is_never_answered_is_not_waited_for() -> None:
    pace = Pace(10_000)
    pace.accepted(FIRST_COHORT, FIRST_COHORT, 0.0)
    for wave in range(1, 30):
        pace.accepted(START - FIRST_COHORT, START, wave * USUAL_S)
        for _ in range(START - FIRST_COHORT):
            pace.answered(USUAL_S, (wave + 1) * USUAL_S)
    assert pace.window > START
