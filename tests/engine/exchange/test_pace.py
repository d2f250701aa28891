"""The rules one by one, each by what it says and does; how they do together is in `test_capacity.py`."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.opening import BY_WAVES
from runware_provider.engine.exchange.pace import FIRST_COHORT, START, Pace
from runware_provider.engine.exchange.steering import STEP
from runware_provider.engine.memory.learnt_pace import Learnt

USUAL_S = 5.0
KNOWN = Learnt(100, USUAL_S)


class Wave:
    """Sends as much as the window allows, all at once, and gets all answers after the same time."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.now = 0.0

    def __call__(self, latency_s: float, *, most: int = 10**9, share: float = 1.0) -> Wave:
        """The share says how many of them come; the others never do."""
        accepted_at: list[float] = []
        while len(accepted_at) < min(self.pace.window, most):
            self.now += 1e-4
            more = min(self.pace.window, most) - len(accepted_at)
            accepted_at += [self.now] * more
            self.pace.accepted(more, len(accepted_at), self.now)
        self.now += latency_s - 1e-4
        for at in accepted_at[: int(share * len(accepted_at))]:
            self.pace.answered(self.now - at, self.now)
        self.pace.look(self.now)
        return self

    def again(self, latency_s: float, *, until: str, most: int = 20) -> None:
        """Waves until a rule says so."""
        for _ in range(most):
            self(latency_s)
            if until in self.pace.reason:
                return
        raise AssertionError(f"{until!r} was never said, but {self.pace.reason!r}")


@pytest.mark.parametrize(("most", "window"), [(1, 1), (10, 10), (START, START), (100_000, START)])
def test_the_window_begins_small_and_within_the_users_bound(most: int, window: int) -> None:
    assert Pace(most).window == window


def test_good_answers_open_the_window_at_once_while_no_limit_was_met() -> None:
    pace = Pace(100_000)
    wave = Wave(pace)
    wave(USUAL_S, most=FIRST_COHORT)
    assert pace.reason == "first answers"
    wave(USUAL_S)
    assert pace.reason == "answers come as fast as before"
    wave(USUAL_S)
    assert pace.learnt is not None
    assert pace.learnt.window == START * BY_WAVES
    assert pace.learnt.latency_s == pytest.approx(USUAL_S, rel=0.01)
    assert not pace.learnt.met_a_limit


def test_what_was_opened_and_not_used_is_not_left_to_the_next_process() -> None:
    pace = Pace(100_000)
    wave = Wave(pace)
    wave(USUAL_S, most=FIRST_COHORT)
    wave(USUAL_S)
    assert pace.learnt is not None
    assert (pace.learnt.window, pace.learnt.met_a_limit) == (START, False)


def test_who_met_no_limit_leaves_the_opening_to_the_next_process() -> None:
    pace = Pace(100_000, Learnt(START, USUAL_S, met_a_limit=False))
    wave = Wave(pace)
    for _ in range(2):
        wave(USUAL_S)
    assert pace.window > 10 * START


def test_the_window_is_opened_by_a_part_of_what_was_accepted_at_once() -> None:
    pace = Pace(100_000)
    pace.accepted(5, 5, 0.0)
    assert pace.window == 8
    pace.accepted(3, 8, 0.0)
    assert pace.window == 11
    pace.accepted(40, 60, 0.0)
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
    pace.refused(20, 30)
    assert pace.window == 30
    assert pace.reason == "the API had no room for 20"
    assert told == ["window 64 -> 30: the API had no room for 20"]


def test_one_inference_is_always_allowed() -> None:
    pace = Pace(1_000)
    pace.refused(50, 0)
    assert pace.window == 1


def test_the_first_answers_are_the_measure_though_something_is_refused_meanwhile() -> None:
    pace = Pace(1_000)
    pace.accepted(FIRST_COHORT, FIRST_COHORT, 0.0)
    pace.accepted(35, 40, 1.0)
    pace.refused(20, 40)
    for _ in range(FIRST_COHORT):
        pace.answered(USUAL_S, USUAL_S)
    pace.look(USUAL_S)
    assert pace.learnt == Learnt(40, USUAL_S)


def test_what_the_last_process_learnt_is_where_the_next_one_begins() -> None:
    assert Pace(10_000, Learnt(480, USUAL_S)).window == 480
    assert Pace(100, Learnt(480, USUAL_S)).window == 100, "within the user's bound, whatever was learnt"


def test_latency_that_climbs_brings_the_window_down_in_proportion() -> None:
    pace = Pace(10_000, KNOWN)
    Wave(pace)(2 * USUAL_S)
    assert "2.0 times as long as usual" in pace.reason
    assert 50 < pace.window < 70


def test_a_step_that_brings_latency_in_the_place_of_throughput_is_taken_back() -> None:
    pace = Pace(10_000, KNOWN)
    wave = Wave(pace)
    wave(USUAL_S)
    assert pace.window > 100
    wave(1.9 * USUAL_S)
    assert "brought nothing" in pace.reason
    assert 80 <= pace.window <= 125


def test_a_step_that_pays_is_followed_by_a_larger_one() -> None:
    moves: list[str] = []
    wave = Wave(Pace(10**6, KNOWN, moves.append))
    for _ in range(4):
        wave(USUAL_S)
    windows = [KNOWN.window, *(int(move.split()[3].rstrip(":")) for move in moves)]
    steps = [after / before for before, after in itertools.pairwise(windows)]
    assert steps == sorted(steps)
    assert steps[-1] > steps[0]


def test_refusals_that_follow_each_other_narrow_the_window_more_and_more() -> None:
    pace = Pace(10_000, KNOWN)
    pace.accepted(100, 100, 0.0)
    windows = []
    under_way = 100
    for _ in range(4):
        under_way = min(under_way, pace.window) - 2
        pace.refused(1, under_way)
        windows.append(pace.window)
    assert windows == [98, 86, 67, 45]


def test_a_refusal_after_an_acceptance_or_of_what_was_sent_before_it_was_known_narrows_it_to_what_was_accepted() -> (
    None
):
    pace = Pace(10_000, KNOWN)
    pace.accepted(100, 100, 0.0)
    pace.refused(1, 98)
    pace.refused(1, 97, is_known=False)
    assert pace.window == 97
    pace.accepted(1, 97, 0.1)
    pace.refused(1, 96)
    assert pace.window == 96


def test_an_api_that_is_slow_whatever_is_under_way_keeps_its_window() -> None:
    pace = Pace(10_000, KNOWN)
    Wave(pace).again(1.9 * USUAL_S, until="whatever is under way")
    assert pace.window == 100


def test_answers_that_stay_away_bring_the_window_down_without_waiting_for_them() -> None:
    pace = Pace(10_000, KNOWN)
    pace.accepted(100, 100, 0.0)
    pace.look(2.2 * USUAL_S)
    assert pace.window == 100
    pace.look(2.3 * USUAL_S)
    assert "half is not back" in pace.reason
    assert pace.window < 50


def test_a_few_that_are_never_answered_are_slow_ones_among_others() -> None:
    pace = Pace(10_000, KNOWN)
    wave = Wave(pace)
    wave(USUAL_S, share=0.95)
    pace.look(2.3 * USUAL_S)
    assert "as fast as before" in pace.reason


def test_after_a_refusal_a_little_more_is_tried_when_answers_have_earned_it() -> None:
    pace = Pace(10_000, Learnt(40, USUAL_S))
    wave = Wave(pace)
    pace.accepted(40, 40, 0.0)
    pace.refused(10, 40)
    wave(USUAL_S)
    assert pace.window == 41, "one more, which costs one refusal at most"
    pace.refused(1, 40)
    wave(USUAL_S)
    assert pace.window == 40, "and not again before that was earned"


def test_nothing_is_widened_that_is_not_used() -> None:
    pace = Pace(10_000, KNOWN)
    wave = Wave(pace)
    for _ in range(5):
        wave(USUAL_S, most=30)
    assert pace.window <= 100
    assert pace.reason == "as the last process left it"


def test_answers_that_become_faster_at_the_same_window_show_that_slots_were_added() -> None:
    pace = Pace(10_000, Learnt(100, USUAL_S))
    wave = Wave(pace)
    wave(1.4 * USUAL_S)
    assert "as fast as before" in pace.reason, "a careful step"
    wave(1.9 * USUAL_S)
    assert "brought nothing" in pace.reason
    wave(1.4 * USUAL_S)
    before = pace.window
    wave(USUAL_S)
    assert pace.learnt is not None
    assert pace.window > STEP * before


@given(
    most=st.integers(1, 100_000),
    learnt=st.none() | st.builds(Learnt, st.integers(1, 10**6), st.floats(0, 1e4), st.booleans()),
    events=st.lists(
        st.tuples(
            st.sampled_from(["accepted", "answered", "ended otherwise", "refused", "look"]),
            st.integers(1, 200),
            st.floats(0, 1e4),
        ),
        max_size=80,
    ),
)
def test_whatever_comes_the_window_stays_within_its_bounds_and_says_why(
    most: int, learnt: Learnt | None, events: list[tuple[str, int, float]]
) -> None:
    pace = Pace(most, learnt)
    now, under_way, accepted_at = 0.0, 0, [0.0]
    for kind, count, seconds in events:
        now += seconds
        if kind == "accepted":
            under_way += count
            accepted_at.append(now)
            pace.accepted(count, under_way, now)
        elif kind == "refused":
            pace.refused(count, under_way)
        elif kind == "look":
            pace.look(now)
        else:
            under_way = max(0, under_way - 1)
            ends = pace.answered if kind == "answered" else pace.ended_otherwise
            ends(now - accepted_at[count % len(accepted_at)], now)
        assert 1 <= pace.window <= most
        assert pace.reason


def test_half_of_the_tasks_may_end_in_errors_and_the_window_finds_its_size_nevertheless() -> None:
    pace, now = Pace(10_000), 0.0
    for _ in range(60):
        window = pace.window
        pace.accepted(window, window, now)
        now += USUAL_S
        for number in range(window):
            tell = pace.answered if number % 3 == 0 else pace.ended_otherwise
            tell(USUAL_S, now)
        pace.look(now)
    assert pace.window > 1_000


def test_a_first_cohort_that_is_never_answered_is_not_waited_for() -> None:
    pace = Pace(10_000)
    pace.accepted(FIRST_COHORT, FIRST_COHORT, 0.0)
    for wave in range(1, 30):
        pace.accepted(START - FIRST_COHORT, START, wave * USUAL_S)
        for _ in range(START - FIRST_COHORT):
            pace.answered(USUAL_S, (wave + 1) * USUAL_S)
        pace.look((wave + 1) * USUAL_S)
    assert pace.window > START


def test_a_refusal_while_nothing_is_under_way_holds_the_window_only_until_more_is_accepted() -> None:
    pace = Pace(10_000)
    pace.refused(5, 0)
    assert pace.window == 1
    # The same five are sent again, whatever the window is, and this time there is room.
    pace.accepted(5, 5, now=1.0)
    assert pace.window == 5
