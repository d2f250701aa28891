"""How many requests are made at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.exchange.at_once import FEW, Brake, RoundTrips, as_many_as_it_takes

LEAST_OUTCOMES = 10_000


def requests(brake: Brake, number: int, *, failed: bool) -> None:
    for _ in range(number):
        brake.saw(failed=failed, at_once=brake.allowed)


def works_with(brake: Brake, connections: int, rounds: int) -> list[int]:
    """What is allowed in each of some rounds, where so many connections are had at once and no more."""
    allowed = []
    for _ in range(rounds):
        at_once = brake.allowed
        allowed.append(at_once)
        for number in range(at_once):
            brake.saw(failed=number >= connections, at_once=at_once)
    return allowed


@pytest.mark.parametrize(
    ("number", "round_trip_s", "within_s", "expected"),
    [
        (0, 0.1, 1.0, FEW),
        (220, 0.01, 0.75, FEW),
        (220, 0.3, 0.75, 88),
        (20, 0.1, 0.0, 20),
        (20, 0.0, 0.0, FEW),
    ],
)
def test_there_are_as_many_as_it_takes(
    number: float, round_trip_s: float, within_s: float, expected: int
) -> None:
    assert as_many_as_it_takes(number, round_trip_s, within_s) == expected


def test_of_the_round_trips_of_late_the_shortest_counts() -> None:
    trips = RoundTrips()
    assert trips.shortest_s == 0
    for seconds in (0.1, *[0.4] * 19):
        trips.took(seconds)
    assert trips.shortest_s == 0.1
    trips.took(0.3)
    assert trips.shortest_s == 0.3


def test_single_failures_are_chance() -> None:
    brake = Brake(100)
    for _ in range(10):
        requests(brake, 96, failed=False)
        requests(brake, 4, failed=True)
    assert brake.allowed == 100


def test_connections_that_are_not_had_are_soon_not_asked_for() -> None:
    allowed = works_with(Brake(1_000), 120, 30)
    assert max(allowed[5:]) <= 1.3 * 120
    assert min(allowed) >= 0.7 * 120


def test_after_an_outage_all_are_soon_allowed_again() -> None:
    brake = Brake(1_000)
    requests(brake, LEAST_OUTCOMES, failed=True)
    assert brake.allowed == FEW
    assert works_with(brake, 1_000, 15)[-1] == 1_000


def test_after_an_outage_it_recovers_though_single_requests_keep_failing() -> None:
    brake = Brake(1_000)
    requests(brake, LEAST_OUTCOMES, failed=True)
    for number in range(LEAST_OUTCOMES):
        brake.saw(failed=number % 33 == 0, at_once=brake.allowed)
    assert brake.allowed >= 900


@given(st.integers(1, 50), st.lists(st.booleans(), max_size=500))
def test_it_stays_within_its_bounds(most: int, failures: list[bool]) -> None:
    brake = Brake(most)
    for failed in failures:
        brake.saw(failed=failed, at_once=brake.allowed)
        assert min(FEW, most) <= brake.allowed <= most
