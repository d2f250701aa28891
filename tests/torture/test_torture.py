"""The torture command in short: 20 random moments and a handful of boundaries, over each delivery and store."""

from __future__ import annotations

import pytest

from tests.s3.server import shared_server
from tests.torture.scene import Combination, Kill, Sums
from tests.torture.torture import DELIVERIES, STORES, Torture, every_boundary, random_moments

COMBINATIONS = [Combination(delivery, store) for delivery in DELIVERIES for store in STORES]
MOMENTS = 5
"""Of each combination, which makes 20."""
EVERY = 25
"""Every so many of the boundaries, before and after; the command visits all."""


@pytest.fixture(scope="module")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Torture:
    return Torture(tmp_path_factory.mktemp("torture"), shared_server())


@pytest.fixture(scope="module", params=COMBINATIONS, ids=lambda one: f"{one.delivery}-{one.store}")
def found(request: pytest.FixtureRequest, torture: Torture) -> Sums:
    combination = request.param
    boundaries, seconds, sums = torture.undisturbed(combination)
    scripts = every_boundary(boundaries)[::EVERY]
    scripts += random_moments(MOMENTS, boundaries, seconds, f"{combination}")
    sums.add(torture.carry_out(combination, scripts))
    return sums


def test_a_job_that_is_killed_anywhere_loses_and_pays_nothing_twice(found: Sums) -> None:
    assert found.violations == []
    assert (found.rows_lost, found.executed_twice, found.charged_twice) == (0, 0, 0)


def test_most_of_the_kills_meet_the_job_at_work(found: Sums) -> None:
    assert found.kills >= MOMENTS


def test_moments_are_the_same_for_the_same_seed() -> None:
    scripts = random_moments(20, 50, 1.0, "1")
    assert scripts == random_moments(20, 50, 1.0, "1")
    assert sum(map(len, scripts)) == 20
    assert all(isinstance(kill, Kill) for script in scripts for kill in script)
