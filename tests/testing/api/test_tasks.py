from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.testing.api.tasks import QueueFullError, Slots, Task, TaskBook, WaitTooLongError


def test_a_free_slot_starts_an_inference_at_once():
    assert Slots(2).admit(10.0, [1.0, 1.0]) == [11.0, 11.0]


def test_without_a_free_slot_an_inference_waits_for_the_first():
    slots = Slots(1)
    assert slots.admit(0.0, [5.0]) == [5.0]
    assert slots.admit(1.0, [2.0]) == [7.0]


def test_waiting_inferences_are_counted_until_their_slot_is_free():
    slots = Slots(1, queue=10)
    slots.admit(0.0, [1.0, 1.0, 1.0])
    assert [slots.waiting(now) for now in (0.0, 1.0, 2.0)] == [2, 1, 0]


def test_a_full_queue_admits_all_inferences_of_a_task_or_none():
    slots = Slots(1, queue=2)
    slots.admit(0.0, [1.0, 1.0])
    with pytest.raises(QueueFullError):
        slots.admit(0.0, [1.0, 1.0])
    assert slots.admit(0.0, [1.0]) == [3.0]


def test_a_wait_over_the_limit_is_refused():
    slots = Slots(1, max_wait=3)
    slots.admit(0.0, [4.0])
    with pytest.raises(WaitTooLongError):
        slots.admit(0.0, [1.0])
    assert slots.admit(1.0, [1.0]) == [5.0]


def test_where_slots_are_taken_away_the_next_begins_when_fewer_than_the_new_number_run():
    slots = Slots(3)
    slots.admit(0.0, [5.0, 6.0, 7.0])
    slots.resize(1.0, 2, None)
    assert slots.admit(1.0, [1.0]) == [7.0], "at 6.0 only one of the three still runs"


def test_where_slots_are_added_the_next_begin_at_once():
    slots = Slots(1, queue=1)
    slots.admit(0.0, [5.0, 5.0])
    slots.resize(1.0, 3, 0)
    assert slots.admit(1.0, [1.0, 1.0]) == [2.0, 2.0]
    assert slots.waiting(1.0) == 1, "what waited before still waits"
    with pytest.raises(QueueFullError):
        slots.admit(1.0, [1.0])


def test_an_inference_that_never_ends_does_not_block_its_slot():
    slots = Slots(1)
    assert slots.admit(0.0, [math.inf]) == [math.inf]
    assert slots.admit(0.0, [1.0]) == [1.0]


@given(st.integers(1, 5), st.lists(st.tuples(st.floats(0, 3), st.floats(0.01, 5)), max_size=60))
def test_never_more_inferences_run_at_once_than_there_are_slots(capacity, arrivals):
    slots, now, runs = Slots(capacity), 0.0, []
    for pause, duration in arrivals:
        now += pause
        (finish,) = slots.admit(now, [duration])
        runs.append((finish - duration, finish))
    for start, _ in runs:
        assert sum(begin <= start + 1e-9 < end - 1e-9 for begin, end in runs) <= capacity


def task(uuid: str, finish: float) -> Task:
    made = Task(uuid, "m", msgspec.Raw(b"{}"))
    made.finishes, made.items = (finish,), (msgspec.Raw(b'"done"'),)
    return made


def test_a_task_is_processing_and_then_done_for_good():
    one = task("a", 5.0)
    (before,), _ = one.outcome(4.9)
    assert before["status"] == "processing"
    assert one.outcome(5.0) == one.outcome(99.0) == ([msgspec.Raw(b'"done"')], [])


def test_the_oldest_finished_tasks_are_forgotten_but_not_their_uuids():
    book = TaskBook(keep=2)
    for place, uuid in enumerate("abc"):
        book.add(task(uuid, 0.0), now=1.0 + place)
    assert book.get("a").outcome(9.0) == ([], [])
    assert book.get("a").request is None
    assert book.get("c").outcome(9.0)[0]
    assert len(book) == 3


def test_a_task_that_is_not_done_is_not_forgotten():
    book = TaskBook(keep=1)
    book.add(task("a", 100.0), now=1.0)
    book.add(task("b", 1.0), now=1.0)
    assert book.get("a").outcome(100.0)[0]
