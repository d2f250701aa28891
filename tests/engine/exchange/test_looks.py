"""When an answer is looked for: as soon as fast ones are there, and rarer the longer it takes."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.inference import Inference
from runware_provider.engine.exchange.latencies import FIRST_LOOK, KNOWN_FROM, Latencies
from runware_provider.engine.exchange.patience import LONGEST_POLL_S, RARE, SHORTEST_POLL_S, SOONER, Patience
from runware_provider.engine.identity import Key
from runware_provider.engine.spec import Limits


def patience(*latencies_s: float, poll_interval_s: float = 1.0, under_way: int = 1_000) -> Patience:
    latencies = Latencies()
    for latency_s in latencies_s:
        latencies.saw(latency_s, latency_s, 0.0)
    return Patience(Limits(poll_interval_s=poll_interval_s), 0.0, latencies, lambda: under_way)


def looks(patience: Patience, done_s: float) -> list[float]:
    """The ages at which a task is looked at that takes so long."""
    task = Inference(Key(bytes(16), 0, 0), (), 0, 1, 0, "", accepted=True)
    ages = [patience.first_poll_s()]
    while ages[-1] < done_s:
        ages.append(ages[-1] + patience.next_poll_s(task, ages[-1]))
    return ages


def test_before_anything_is_known_looks_begin_soon_and_become_rarer() -> None:
    few = [20.0] * (KNOWN_FROM - 1)
    ages = looks(patience(*few), 300.0)
    pauses = [later - earlier for earlier, later in itertools.pairwise(ages)]
    assert ages[0] == SHORTEST_POLL_S
    assert all(later >= earlier - 1e-9 for earlier, later in itertools.pairwise(pauses))
    assert len([age for age in ages if age <= 20.0]) <= 50
    assert max(pauses) == LONGEST_POLL_S


def test_the_first_look_comes_about_when_fast_answers_are_there() -> None:
    in_turn = [10.0 + number % 10 for number in range(200)]
    assert patience(*in_turn).first_poll_s() == SOONER * (10.0 + 10 * FIRST_LOOK - 1)


def test_fast_answers_are_looked_for_sooner_than_the_users_interval() -> None:
    assert patience(*[0.02] * 20).first_poll_s() == SHORTEST_POLL_S
    assert patience(*[0.02] * 20).shortest_poll_s() == SHORTEST_POLL_S


def test_nothing_is_asked_for_more_often_than_the_user_allows() -> None:
    assert patience(*[200.0] * 20).shortest_poll_s() == 1.0
    assert patience(*[20.0] * 20, poll_interval_s=0.02).shortest_poll_s() == 0.02


def test_what_is_fast_follows_the_last_answers() -> None:
    faster = [9.0] * 200 + [1.0] * 400
    assert patience(*faster).first_poll_s() == pytest.approx(SOONER * 1.0)


def test_answers_that_all_take_as_long_are_seen_as_soon_as_they_are_there() -> None:
    ages = looks(patience(*[20.0] * 100), 20.0)
    assert ages[-1] <= 1.06 * 20.0
    assert len(ages) <= 4


def test_answers_that_differ_are_seen_after_few_looks_and_sooner_where_one_request_asks_for_all() -> None:
    dice = random.Random(1)  # noqa: S311 - no secret
    latencies = [dice.lognormvariate(3.0, 0.5) for _ in range(200)]
    many = [looks(patience(*latencies), done_s) for done_s in latencies]
    few = [looks(patience(*latencies, under_way=40), done_s) for done_s in latencies]

    def late(all_ages: list[list[float]]) -> float:
        delays = [ages[-1] / done_s - 1 for ages, done_s in zip(all_ages, latencies, strict=True)]
        return sum(delays) / len(delays)

    assert sum(map(len, many)) / len(many) <= 6
    assert late(many) <= 0.2
    assert late(few) < late(many)


@given(
    st.lists(st.floats(0, 1e5), min_size=KNOWN_FROM, max_size=60), st.floats(0, 1e6), st.integers(0, 10_000)
)
def test_no_answer_is_seen_much_later_than_it_is_there(
    latencies: list[float], age_s: float, under_way: int
) -> None:
    told = patience(*latencies, under_way=under_way)
    task = Inference(Key(bytes(16), 0, 0), (), 0, 1, 0, "", accepted=True)
    pause_s = told.next_poll_s(task, age_s)
    assert 0 < pause_s <= max(told.shortest_poll_s(), min(LONGEST_POLL_S, RARE * age_s))
