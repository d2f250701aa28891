from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.latencies import SEEN, SEVERAL, Latencies


def seen(latencies: list[float]) -> float:
    known = Latencies()
    for latency_s in latencies:
        known.saw(latency_s)
    return known.several_s


def test_while_no_answer_was_seen_nothing_is_known() -> None:
    assert seen([]) == 0.0


def test_a_slow_answer_counts_and_a_straggler_does_not() -> None:
    latencies = [1.0] * 80 + [4.0] * 18 + [900.0] * 2
    random.Random(1).shuffle(latencies)  # noqa: S311 - no secret
    assert seen(latencies) == SEVERAL * 4.0


def test_only_the_last_answers_count() -> None:
    assert seen([60.0] * SEEN + [2.0] * SEEN) == SEVERAL * 2.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_several_answers_take_longer_than_the_usual_one_and_not_longer_than_the_slowest(
    latencies: list[float],
) -> None:
    middle = sorted(latencies)[(len(latencies) - 1) // 2]
    assert SEVERAL * middle <= seen(latencies) <= SEVERAL * max(latencies)
