from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runware_provider.testing.api.bill import NANO, Bill
from runware_provider.testing.api.tasks import Task


def executed(bill: Bill, uuid: str, asked: int) -> Task:
    task = Task(uuid, "m", None)
    task.fingerprint = asked
    bill.execute(task)
    return task


def test_the_same_request_under_another_uuid_is_seen():
    bill = Bill()
    for uuid, asked in (("a", 1), ("b", 1), ("c", 2)):
        executed(bill, uuid, asked)
    totals = bill.summary()
    assert (totals["distinct_uuids"], totals["uuids_executed_again"]) == (3, 0)
    assert (totals["distinct_requests"], totals["requests_executed_again"]) == (2, 1)


def test_a_uuid_that_runs_three_times_is_one_uuid_executed_again():
    bill, task = Bill(), Task("a", "m", None)
    for _ in range(3):
        bill.execute(task)
    assert (bill.summary()["executed"], bill.summary()["uuids_executed_again"]) == (3, 1)


@given(st.lists(st.integers(0, NANO), max_size=20))
def test_the_total_is_the_exact_sum_of_the_entries(costs):
    bill = Bill()
    tasks = [executed(bill, str(place), place) for place in range(len(costs))]
    for task, cost in zip(tasks, costs, strict=True):
        bill.charge(task, cost)
    assert bill.summary()["cost_usd"] == sum(costs) / NANO
    entries = bill.itemised(tasks)["tasks"]
    assert [entries[str(place)]["cost_usd"] for place in range(len(costs))] == [cost / NANO for cost in costs]


def test_a_uuid_that_was_reserved_but_never_ran_is_not_on_the_bill():
    assert Bill().itemised([Task("a", "m", None)])["tasks"] == {}
