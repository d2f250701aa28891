"""When an answer is looked for: as soon as fast ones are there, and rarer the longer it takes."""

from __future__ import annotations

import pytest

from runware_provider.engine.exchange.latencies import KNOWN_FROM, Latencies
from runware_provider.engine.exchange.patience import SHORTEST_POLL_S, SOONER, Patience
from runware_provider.engine.spec import Limits


def patience(*latencies_s: float, poll_interval_s: float = 1.0) -> Patience:
    latencies = Latencies()
    for latency_s in latencies_s:
        latencies.saw(latency_s)
    return Patience(Limits(poll_interval_s=poll_interval_s), 0.0, latencies)


def test_before_anything_is_known_the_users_interval_is_the_first_look() -> None:
    few = [20.0] * (KNOWN_FROM - 1)
    assert patience(*few).first_poll_s() == 1.0


def test_the_first_look_comes_about_when_fast_answers_are_there() -> None:
    assert patience(*range(1, 102)).first_poll_s() == pytest.approx(SOONER * 11)


def test_fast_answers_are_looked_for_sooner_than_the_users_interval() -> None:
    assert patience(*[0.02] * 20).first_poll_s() == SHORTEST_POLL_S
    assert patience(*[0.02] * 20).shortest_poll_s() == SHORTEST_POLL_S


def test_nothing_is_asked_for_more_often_than_the_user_allows() -> None:
    assert patience(*[20.0] * 20).shortest_poll_s() == 1.0
    assert patience(*[20.0] * 20, poll_interval_s=0.02).shortest_poll_s() == 0.02


def test_what_is_fast_follows_the_last_answers() -> None:
    slower = [1.0] * 200 + [9.0] * 400
    assert patience(*slower).first_poll_s() == pytest.approx(SOONER * 9.0)
