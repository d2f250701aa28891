"""The torture command in short: random moments, a handful of boundaries, pairs and shards, over each delivery and store."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.torture.exposure import exposure
from tests.torture.ordeals import BESIDE, MISHAPS, MOST_STANDSTILLS, STANDSTILLS, Extent, ordeals
from tests.torture.scene import LIMITS, Combination, Kill, Sums
from tests.torture.torture import DELIVERIES, MORE_STORES, STORES, Torture, every_boundary, random_moments
from tests.torture.victim import name_of

COMBINATIONS = [Combination(delivery, store) for delivery in DELIVERIES for store in STORES]
KILLED = [*COMBINATIONS, *(Combination("poll", store) for store in MORE_STORES)]
MOMENTS = 5
"""Of each combination, which makes 30."""
EXPOSED_JOBS = 3
SHARDS = 3
RUN = Extent(boundaries=30, seconds=1.0)
"""About what a run takes."""
EVERY = 40
"""Every so many of the boundaries, before and after; the command visits all."""


@pytest.fixture(scope="module")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Torture:
    return Torture(tmp_path_factory.mktemp("torture"))


@pytest.fixture(scope="module", params=KILLED, ids=str)
def found(request: pytest.FixtureRequest, torture: Torture) -> Sums:
    combination = request.param
    alone = torture.undisturbed(combination)
    scripts = every_boundary(alone.boundaries)[::EVERY]
    scripts += random_moments(MOMENTS, alone.extent, f"{combination}")
    sums = alone.sums
    sums.add(torture.carry_out(combination, scripts))
    return sums


def test_a_job_that_is_killed_anywhere_loses_and_pays_nothing_twice(found: Sums) -> None:
    assert found.violations == []
    assert (found.rows_lost, found.executed_twice, found.charged_twice) == (0, 0, 0)


def test_most_of_the_kills_meet_the_job_at_work(found: Sums) -> None:
    assert found.kills >= MOMENTS


@pytest.fixture(scope="module")
def doubled(torture: Torture) -> list[Sums]:
    """Side by side: most of the time goes by while somebody waits for a lease."""
    with ThreadPoolExecutor(len(COMBINATIONS)) as pool:
        return list(pool.map(lambda one: torture.twins(one, 2, seconds=0.3, seed=f"{one}"), COMBINATIONS))


def test_a_twin_and_a_zombie_that_its_retry_has_overtaken_leave_one_dataset_and_pay_once(
    doubled: list[Sums],
) -> None:
    assert [text for found in doubled for text in found.violations] == []
    assert all(found.clean for found in doubled)


def test_most_of_the_zombies_have_to_stop_when_they_wake(doubled: list[Sums]) -> None:
    assert sum(found.overtaken for found in doubled) >= len(COMBINATIONS) / 2


@pytest.fixture(scope="module")
def sharded(torture: Torture) -> list[Sums]:
    """A job to which nothing happens but to its shards, one that is cut anew, and one that a plain run takes over, of each."""
    with ThreadPoolExecutor(len(COMBINATIONS)) as pool:
        return list(
            pool.map(
                lambda combination: torture.shards(combination, len(BESIDE), SHARDS, RUN, f"{combination}"),
                COMBINATIONS,
            )
        )


def test_a_job_in_shards_whose_processes_die_stand_still_and_are_taken_over_pays_once(
    sharded: list[Sums],
) -> None:
    assert [text for found in sharded for text in found.violations] == []
    assert all(found.clean for found in sharded)


def test_most_jobs_in_shards_are_killed_or_taken_over_at_work(sharded: list[Sums]) -> None:
    assert sum(found.kills for found in sharded) >= len(COMBINATIONS)
    assert sum(found.overtaken for found in sharded)


def test_no_more_than_twice_the_requests_under_way_is_lost_where_the_api_forgets_sync_answers(
    torture: Torture,
) -> None:
    dice = random.Random(1)  # noqa: S311 - moments that can be had again
    found = exposure(torture.scene, EXPOSED_JOBS, dice, forgotten=True)
    # As many may be under way as requests hold, and as many again may have come and not be durable yet.
    assert 0 < found.most <= 2 * LIMITS["requests"] * LIMITS["tasks_per_request"]
    assert found.again == found.lost == found.in_flight


def test_nothing_is_lost_where_the_api_keeps_sync_answers(torture: Torture) -> None:
    dice = random.Random(1)  # noqa: S311 - moments that can be had again
    found = exposure(torture.scene, EXPOSED_JOBS, dice, forgotten=False)
    assert found.in_flight
    assert (found.again, found.lost) == (0, 0)


def test_a_boundary_has_the_same_name_in_every_run() -> None:
    first = [
        "state/ledger/00000002.segment",
        "out/part-00000-6ab2c88c7726.parquet",
        "state/done-0f3e5a6b7c8d.json",
    ]
    second = [
        "state/ledger/00000013.segment",
        "out/part-00000-aa386a3ed587.parquet",
        "state/done-1a2b3c4d5e6f.json",
    ]
    names = [name_of("create", path) for path in first]
    assert names == [name_of("create", path) for path in second]
    assert len(set(names)) == 3


def test_every_boundary_is_met_before_and_after() -> None:
    scripts = every_boundary({"create .segment": 2, "POST getResponse": 1})
    assert {(kill.of, kill.boundary, kill.after) for kills in scripts for kill in kills} == {
        ("create .segment", 1, False),
        ("create .segment", 1, True),
        ("create .segment", 2, False),
        ("create .segment", 2, True),
        ("POST getResponse", 1, False),
        ("POST getResponse", 1, True),
    }


def test_moments_are_the_same_for_the_same_seed() -> None:
    run = Extent(boundaries=50, seconds=1.0)
    scripts = random_moments(20, run, "1")
    assert scripts == random_moments(20, run, "1")
    assert sum(map(len, scripts)) == 20
    assert all(isinstance(kill, Kill) for script in scripts for kill in script)


def test_ordeals_are_the_same_for_the_same_seed_and_leave_nothing_out() -> None:
    verbs = {verb: Extent(30, 1.0) for verb in ("run", "split", "infer", "publish")}
    drawn = ordeals(30, 16, verbs, "1")
    assert drawn == ordeals(30, 16, verbs, "1")
    assert {ordeal.beside.what for ordeal in drawn} == set(BESIDE)
    assert {fate.mishap for ordeal in drawn for fate in ordeal.fates} == set(MISHAPS)
    for ordeal in drawn:
        assert len(ordeal.fates) == 16
        assert sum(fate.mishap in STANDSTILLS for fate in ordeal.fates) <= MOST_STANDSTILLS
