"""How far the window is opened: by what comes of the first answers, and of as many more as were sent."""

from __future__ import annotations

import math
import random

import pytest

from runware_provider.engine.exchange.cohort import Cohort
from runware_provider.engine.exchange.opening import BY_FAST_ANSWERS, BY_WAVES, Opening, Verdict
from runware_provider.engine.exchange.usual import Usual

USUAL_S = 10.0
MOST_S = 2.25 * USUAL_S


def canary(spread: float) -> Usual:
    return Usual(USUAL_S, 3, spread, is_a_guess=True)


def log_normal(number: int, seed: int) -> list[float]:
    dice = random.Random(seed)  # noqa: S311 - no secret
    return [USUAL_S * math.exp(dice.gauss(0, 0.5)) for _ in range(number)]


def with_slots(latencies: list[float], slots: int) -> list[float]:
    """The same of a vendor with so many slots, in the order in which they were accepted."""
    free_at = [0.0] * slots
    waited = []
    for latency_s in latencies:
        start = min(free_at)
        free_at[free_at.index(start)] = start + latency_s
        waited.append(start + latency_s)
    return waited


def judged(opening: Opening, latencies: list[float]) -> tuple[float, Verdict]:
    """At which age a cohort that was sent at once is judged, in usual latencies, and how."""
    cohort = Cohort(MOST_S)
    cohort.take_in(len(latencies), 0.0)
    left = sorted(latencies)
    for look in range(1, 100):
        now = look * USUAL_S / 20
        while left and left[0] <= now:
            left.pop(0)
            cohort.saw(now, now)
        verdict = opening.judge(cohort, now)
        if verdict is not Verdict.UNKNOWN:
            return now / USUAL_S, verdict
    raise AssertionError("it is never judged")


def test_a_wave_that_comes_in_the_usual_time_opens_it_by_much() -> None:
    opening = Opening(canary(0.0))
    assert judged(opening, [USUAL_S] * 64) == (1.0, Verdict.GOOD)
    assert opening.step == BY_WAVES
    assert not opening.usual.is_a_guess


@pytest.mark.parametrize("slots", [20, 40, 54])
def test_a_wave_of_which_some_had_to_wait_shows_the_limit(slots: int) -> None:
    _, verdict = judged(Opening(canary(0.0)), with_slots([USUAL_S] * 64, slots))
    assert verdict is Verdict.FULL


@pytest.mark.parametrize("seed", range(10))
def test_half_of_the_first_answers_that_differ_is_enough_to_go_on(seed: int) -> None:
    opening = Opening(canary(0.5))
    at, verdict = judged(opening, log_normal(64, seed))
    assert verdict is Verdict.GOOD
    assert at <= 1.4
    assert opening.step == BY_FAST_ANSWERS
    assert opening.usual.latency_s == pytest.approx(1.13 * USUAL_S, rel=0.35)


@pytest.mark.parametrize("seed", range(10))
def test_later_on_the_fast_answers_are_enough(seed: int) -> None:
    opening = Opening(canary(0.5))
    judged(opening, log_normal(64, seed))
    at, verdict = judged(opening, log_normal(320, seed + 100))
    assert verdict is Verdict.GOOD
    assert at <= 1.2


@pytest.mark.parametrize("seed", range(10))
def test_that_fast_answers_are_missing_shows_the_limit(seed: int) -> None:
    opening = Opening(canary(0.5))
    judged(opening, log_normal(64, seed))
    _, verdict = judged(opening, with_slots(log_normal(1_000, seed + 100), 150))
    assert verdict is Verdict.FULL


@pytest.mark.parametrize("guess", [0.5, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("spread", [0.0, 0.1, 0.6])
def test_a_canary_that_was_fast_or_alike_by_chance_does_not_end_it(guess: float, spread: float) -> None:
    opening = Opening(Usual(guess * USUAL_S, 3, spread, is_a_guess=True))
    assert judged(opening, log_normal(64, 3))[1] is Verdict.GOOD
    assert opening.usual.latency_s == pytest.approx(1.13 * USUAL_S, rel=0.35)


def test_what_a_process_before_knew_is_no_guess_that_slow_answers_could_correct() -> None:
    opening = Opening(Usual(USUAL_S / 3, 10, 0.5))
    assert judged(opening, log_normal(64, 3))[1] is Verdict.FULL
