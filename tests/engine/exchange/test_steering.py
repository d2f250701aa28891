"""Where the window goes, by cohorts of answers."""

from __future__ import annotations

import pytest

from runware_provider.engine.exchange.cohort import Cohort
from runware_provider.engine.exchange.steering import Steering
from runware_provider.engine.exchange.usual import Usual


def cohort(latency_s: float) -> Cohort:
    """Of answers that all took as long, with the window full."""
    made = Cohort()
    made.take_in(10, 0.0)
    made.filled_window = True
    for _ in range(10):
        made.saw(latency_s, latency_s)
    return made


@pytest.mark.parametrize("latency_s", [0.0, 0.01])
def test_a_step_pays_where_answers_are_there_at_once_as_those_that_a_call_brings_before_its_acceptance(
    latency_s: float,
) -> None:
    steering = Steering(Usual(0.0, 5, 0.5))
    first = steering.decide(10.0, cohort(0.0), 1.0, may_widen=True)
    assert first is not None
    second = steering.decide(first.window, cohort(latency_s), 2.0, may_widen=True)
    assert second is not None
    assert second.window > first.window
