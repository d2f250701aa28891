"""What sync delivery comes to against a vendor that tells nobody how much he can do: the whole exchange, in virtual time."""

from __future__ import annotations

import math

import pytest

from runware_provider.engine.exchange.sending import SYNC_TASKS_PER_REQUEST
from tests.engine.exchange.simulated_job import Vendor, log_normal, run

LATENCY_S = 0.2
LOCAL_S = 0.01
FAR_S = 0.05
MEAN_OF_LOG_NORMAL = math.exp(0.125)


def vendor(slots: int, latency_s: float = 5.0, *, queue: int | None = None, differ: bool = False) -> Vendor:
    return Vendor(
        slots=lambda _now: slots,
        latency_s=log_normal(latency_s) if differ else lambda: latency_s,
        queue=None if queue is None else lambda _now: queue,
        round_trip_s=LOCAL_S if latency_s < 1 else FAR_S,
    )


def busy(vendor: Vendor, slots: int, mean_s: float) -> float:
    """Slots that worked, of all, from four latencies on until the last was sent: requests are opened step by step, too."""
    return vendor.busy(4 * mean_s, vendor.last_sent_at) / slots


@pytest.mark.parametrize("slots", [64, 256])
def test_the_slots_of_a_fast_vendor_are_filled_by_default(slots: int) -> None:
    fast = vendor(slots, LATENCY_S)
    assert run(fast, 3_000).answered == 3_000
    assert busy(fast, slots, LATENCY_S) >= 0.97
    assert not fast.refused


def test_where_answers_differ_each_task_goes_alone_as_far_as_requests_reach() -> None:
    differing = vendor(64, differ=True)
    run(differing, 600)
    assert busy(differing, 64, 5.0 * MEAN_OF_LOG_NORMAL) >= 0.97
    assert max(differing.requests) == 1


def test_a_bound_on_requests_is_kept_and_more_tasks_share_one() -> None:
    bounded = vendor(64)
    run(bounded, 600, requests=10)
    assert bounded.most_at_once <= 10
    assert max(bounded.requests) == SYNC_TASKS_PER_REQUEST
    assert busy(bounded, 64, 5.0) >= 0.85


@pytest.mark.parametrize("differ", [False, True])
@pytest.mark.parametrize(("slots", "queue", "tasks"), [(4, 8, 300), (40, 0, 800)])
def test_few_are_refused_and_a_lone_refusal_does_not_narrow_the_window_to_one(
    slots: int,
    queue: int,
    tasks: int,
    differ: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    hidden = vendor(slots, queue=queue, differ=differ)
    assert run(hidden, tasks).answered == tasks
    assert busy(hidden, slots, 5.0 * (MEAN_OF_LOG_NORMAL if differ else 1)) >= 0.95
    assert len(hidden.refused) <= 0.03 * tasks + slots


def test_a_vendor_that_gives_few_connections_is_not_asked_for_many_for_long() -> None:
    few = vendor(200)
    few.most_connections = 30
    assert run(few, 1_000).answered == 1_000
    assert few.no_connection <= 600
