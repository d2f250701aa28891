"""What the rules of the pace come to against a vendor that tells nobody how much he can do, in simulated seconds.

The bounds are the goals, with room for what chance does in a job of some twenty latencies; `benchmarks/capacity.py` measures
the same over a socket.
"""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.exchange.pace import Pace
from tests.engine.exchange.simulated_vendor import (
    Seen,
    Simulation,
    constant,
    log_normal,
    with_stragglers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.memory.learnt_pace import Learnt

USUAL_S = 5.0
LATENCIES = {
    "constant": constant(USUAL_S),
    "log-normal": log_normal(USUAL_S),
    "stragglers": with_stragglers(log_normal(USUAL_S)),
}
MEAN_S = {
    "constant": USUAL_S,
    "log-normal": USUAL_S * math.exp(0.125),
    "stragglers": USUAL_S * math.exp(0.125) * 1.1,
}
BOUND = 12_000


def simulated(
    slots: int, queue: int | None, latency: str, tasks: int, learnt: Learnt | None = None, **more: Any
) -> Simulation:
    return Simulation(
        Pace(BOUND, learnt),
        tasks=tasks,
        slots=lambda _now: slots,
        queue=None if queue is None else lambda _now: queue,
        latency_s=LATENCIES[latency],
        **more,
    )


def busy(seen: Seen, slots: int, latency: str) -> float:
    """Slots that worked, of all, from three latencies on until the last was sent."""
    since = 3 * MEAN_S[latency]
    return seen.busy(since, max(since + USUAL_S, seen.under_way[-1][0])) / slots


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize("slots", [64, 500, 1_000])
def test_many_slots_are_filled_within_three_latencies_and_stay_so(slots: int, latency: str) -> None:
    seen = simulated(slots, None, latency, 14 * slots).run(40 * USUAL_S)
    assert seen.reached_at(0.97 * slots) <= 3 * MEAN_S[latency]
    assert busy(seen, slots, latency) >= 0.92


@pytest.mark.parametrize("seed", [11, 19, 21, 22, 23])
def test_a_canary_that_was_fast_or_alike_by_chance_spoils_nothing(seed: int) -> None:
    seen = simulated(500, None, "log-normal", 7_000, seed=seed).run()
    assert seen.reached_at(0.97 * 500) <= 3 * MEAN_S["log-normal"]
    assert busy(seen, 500, "log-normal") >= 0.93


@pytest.mark.parametrize("latency", ["constant", "log-normal"])
def test_very_many_slots_are_filled_a_little_later(latency: str) -> None:
    seen = simulated(10_000, None, latency, 30_000).run(4.2 * MEAN_S[latency])
    assert seen.reached_at(0.97 * 10_000) <= 4.1 * MEAN_S[latency]


@pytest.mark.parametrize("latency", ["constant", "log-normal"])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("slots", "queue", "tasks"), [(4, 8, 700), (40, 80, 1_600), (400, 800, 8_000)])
def test_a_hidden_capacity_is_found_and_few_are_refused(
    slots: int, queue: int, tasks: int, latency: str, seed: int
) -> None:
    seen = simulated(slots, queue, latency, tasks, seed=seed).run()
    assert busy(seen, slots, latency) >= 0.95
    assert seen.refused <= 0.04 * tasks


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("latency", "at_least"), [("constant", 0.94), ("log-normal", 0.9)])
def test_a_vendor_without_a_queue_refuses_few(latency: str, at_least: float, seed: int) -> None:
    seen = simulated(40, 0, latency, 1_600, seed=seed).run()
    # Between an answer and the look that finds it, a slot is idle; who fills it is refused several times a task.
    assert busy(seen, 40, latency) >= at_least
    assert seen.refused <= 0.03 * 1_600


@pytest.mark.parametrize("latency", ["constant", "log-normal"])
@pytest.mark.parametrize("shares_slots", [False, True])
def test_a_vendor_that_slows_down_in_the_place_of_refusing_is_not_driven_further(
    latency: str,
    shares_slots: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    seen = simulated(40, None, latency, 3_000, shares_slots=shares_slots).run()
    assert seen.most_under_way <= (100 if latency == "constant" else 400), "one step, and once"
    later = [under_way for at, under_way in seen.under_way if at > 25 * USUAL_S]
    assert statistics.mean(later) <= 3 * 40
    assert seen.finished_share_at(0.9) <= 1.1 * 0.9 * 3_000 * MEAN_S[latency] / 40 + 3 * USUAL_S


def changing(now: float) -> int:
    if now < 20 * USUAL_S:
        return 40
    return 10 if now < 45 * USUAL_S else 80


@pytest.mark.parametrize("latency", ["constant", "log-normal"])
@pytest.mark.parametrize(("queue", "at_least", "followed_after"), [(0, 0.88, 16), (2, 0.95, 9)])
def test_a_capacity_that_changes_is_followed(
    latency: str, queue: int, at_least: float, followed_after: int
) -> None:
    """Six latencies are usual; where nothing waits, more room shows itself only to a probe, which few slots earn rarely."""
    seen = Simulation(
        Pace(BOUND),
        tasks=100_000,
        slots=changing,
        queue=lambda now: queue * changing(now),
        latency_s=LATENCIES[latency],
    ).run(until=75 * USUAL_S)
    assert seen.busy(3 * USUAL_S, 20 * USUAL_S) >= at_least * 40
    assert seen.busy(25 * USUAL_S, 45 * USUAL_S) >= at_least * 10
    assert seen.busy((45 + followed_after) * USUAL_S, 75 * USUAL_S) >= at_least * 80
    assert seen.refused <= 0.06 * len(seen.completed_at)


@pytest.mark.parametrize("latency", ["constant", "log-normal"])
@pytest.mark.parametrize("times", [1.4, 3.0])
def test_a_vendor_whose_answers_take_longer_for_reasons_of_their_own_is_kept_busy(
    latency: str, times: float
) -> None:
    def latency_s(dice: Any) -> float:
        slow = 20 * USUAL_S < simulation.now < 60 * USUAL_S
        return LATENCIES[latency](dice) * (times if slow else 1.0)

    simulation = Simulation(
        Pace(BOUND), tasks=10**6, slots=lambda _: 100, queue=lambda _: 400, latency_s=latency_s
    )
    seen = simulation.run(until=90 * USUAL_S)
    assert seen.busy(22 * USUAL_S, 60 * USUAL_S) >= 80
    assert seen.busy(60 * USUAL_S, 90 * USUAL_S) >= 90


def request(number: int) -> Callable[[int], bool]:
    return lambda request: request == number


def test_a_lone_refusal_is_made_up_for_within_a_few_latencies() -> None:
    def job(refuses: Callable[[int], bool]) -> float:
        return simulated(10_000, None, "constant", 10_000, refuses=refuses).run().finished_share_at(1.0)

    assert job(request(4)) <= job(lambda _request: False) + 8 * USUAL_S


def test_a_job_that_waited_behind_its_own_queue_looks_again_as_early_as_before() -> None:
    seen = simulated(60, None, "constant", 3_000).run()
    assert seen.most_under_way > 5 * 60, "a wave of 64 is hardly slower than usual there"
    assert busy(seen, 60, "constant") >= 0.97
