"""What one leg hands to the next, and how long it waits."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.job.leg import AllSent
from runware_provider.legs import (
    GRACE_S,
    LATEST_LOOK_S,
    MOST_LEGS,
    QUIET_S,
    SAMPLE,
    SOONEST_LOOK_S,
    SOONEST_OVERDUE_S,
    Handover,
    Wait,
    may_leave_again,
    wait_for,
)

NOW = 1_767_225_600.0


def a_wait(under_way: int = 5_000, **changes: Any) -> Wait:
    facts = {"expected_s": 300.0, "given_up_s": 1_700.0} | {
        name: changes.pop(name) for name in ("expected_s", "given_up_s") if name in changes
    }
    names = [f"uuid-{number}" for number in range(under_way)]
    usual = {
        "legs": 1,
        "begun": NOW - 20.0,
        "now": NOW,
        "timeout_s": None,
        "quiet_s": QUIET_S,
        "choose": random.Random(1).sample,  # noqa: S311 - a sample that can be had again
    }
    return wait_for(AllSent(names, **facts, published=None), **usual | changes)


def test_a_trigger_asks_for_a_sample_of_no_more_than_one_request() -> None:
    chosen = a_wait().task_uuids
    assert len(set(chosen)) == SAMPLE
    assert chosen != [f"uuid-{number}" for number in range(SAMPLE)]


@given(st.integers(1, SAMPLE))
def test_of_few_it_asks_for_all(under_way: int) -> None:
    assert len(set(a_wait(under_way).task_uuids)) == under_way


@given(st.floats(-100.0, 100_000.0))
def test_it_looks_every_ten_to_thirty_seconds(expected_s: float) -> None:
    assert SOONEST_LOOK_S <= a_wait(expected_s=expected_s).every_s <= LATEST_LOOK_S


def test_where_answers_are_brought_nobody_is_asked_before_they_are_overdue() -> None:
    names = ["uuid-1", "uuid-2"]
    facts = {
        "legs": 1,
        "begun": NOW,
        "now": NOW,
        "timeout_s": None,
        "quiet_s": QUIET_S,
        "choose": random.sample,
    }
    for expected_s, overdue_s in ((5.0, SOONEST_OVERDUE_S), (300.0, 3 * 300.0)):
        sent = AllSent(names, expected_s=expected_s, given_up_s=1_700.0, published=None, inbox="/inbox/ab")
        wait = wait_for(sent, **facts)
        assert (wait.inbox, wait.overdue_at) == ("/inbox/ab", NOW + overdue_s)


def test_nothing_fires_within_the_first_fifteen_seconds() -> None:
    assert a_wait().quiet_s >= 15.0


@pytest.mark.parametrize(
    ("timeout_s", "waits_s"), [(None, 1_700.0), (3_600.0, 1_700.0), (620.0, 600.0), (10.0, -10.0)]
)
def test_it_waits_no_longer_than_the_answers_may_take_nor_than_the_task_may(
    timeout_s: float | None, waits_s: float
) -> None:
    assert a_wait(timeout_s=timeout_s).give_up_at == NOW + waits_s


@given(st.floats(1.0, 100_000.0), st.one_of(st.none(), st.floats(1.0, 100_000.0)))
def test_airflow_never_gives_it_up_before_it_has_given_up_itself(
    given_up_s: float, timeout_s: float | None
) -> None:
    wait = a_wait(given_up_s=given_up_s, timeout_s=timeout_s)
    fires_at_most_s = max(wait.quiet_s, wait.give_up_at - NOW)
    assert wait.most_s(NOW) >= fires_at_most_s + GRACE_S


def test_a_handover_survives_the_way_through_airflows_database() -> None:
    handover = Handover(2, NOW, "abc")
    event = {**json.loads(json.dumps(handover.told())), "why": "answers", "there": 58, "of": 64}
    assert Handover.of(event) == handover


@pytest.mark.parametrize(
    "event", [{}, {"legs": 1}, {"legs": "1", "begun": NOW}, {"legs": None, "begun": None}]
)
def test_an_event_that_lacks_something_is_no_handover(event: dict[str, Any]) -> None:
    assert Handover.of(event) is None


@pytest.mark.parametrize(
    ("ended", "why", "may"),
    [
        (1, "answers", True),
        (MOST_LEGS - 2, "answers", True),
        (MOST_LEGS - 1, "answers", False),
        (1, "deadline", False),
        (1, "trouble", False),
        (1, None, False),
    ],
)
def test_a_leg_may_leave_again_until_it_is_the_last_or_the_trigger_was_of_no_use(
    ended: int, why: str | None, *, may: bool
) -> None:
    assert may_leave_again(Handover(ended, NOW, None), {"why": why}) is may
