"""When a process may leave what is under way to whoever goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.attempt import Kind
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.exchange.leaving import LOOK_S, Leaving, tail_of
from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.learnt_pace import Learnt

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = 1_000.0
USUAL_S = 300.0
LEARNT = Learnt(64, USUAL_S)
REST = (Phase.READY, Phase.SENDING, Phase.ASK, Phase.LOOK_UP, Phase.BUSY, Phase.SETTLING)


def in_flight(phases: Mapping[int, Phase] | int, **facts: Any) -> Flight:
    """One that was accepted `number` seconds ago, in each of these phases."""
    flight = Flight()
    numbers = range(phases) if isinstance(phases, int) else phases
    for number in numbers:
        phase = Phase.WAITING if isinstance(phases, int) else phases[number]
        inference = Inference(Key(bytes([number] * 16), 0, 0), (), 0, 0, 0, f"uuid-{number}", phase=phase)
        inference.accepted, inference.since = True, NOW - number
        inference.deadline = inference.since + 1_800.0
        for name, value in facts.items():
            setattr(inference, name, value)
        flight.add(inference, NOW)
    return flight


def leaving(flight: Flight, worth_s: float | None, learnt: Learnt | None = LEARNT) -> Leaving:
    return Leaving(flight, Pace(1_000, learnt), worth_s)


def test_the_tail_lasts_as_long_as_what_was_accepted_last() -> None:
    tail = tail_of(in_flight(4), USUAL_S, NOW + 100)
    assert tail is not None
    assert (tail.expected_s, tail.given_up_s) == (200.0, 1_700.0)
    assert sorted(tail.task_uuids) == ["uuid-0", "uuid-1", "uuid-2", "uuid-3"]


def test_where_nothing_is_under_way_there_is_no_tail() -> None:
    assert tail_of(Flight(), USUAL_S, NOW) is None


@pytest.mark.parametrize("phase", REST)
def test_whoever_has_anything_else_to_do_than_to_wait_stays(phase: Phase) -> None:
    flight = in_flight({0: Phase.WAITING, 1: phase})
    assert tail_of(flight, USUAL_S, NOW) is None
    assert leaving(flight, 60.0).tail(NOW, all_loaded=True) is None


def test_what_this_process_alone_knows_of_a_task_is_not_left_to_another() -> None:
    flight = in_flight(2)
    inference = next(iter(flight))
    inference.verdict_if_not_found = inference.entry(Kind.SPENT)
    assert tail_of(flight, USUAL_S, NOW) is None


@pytest.mark.parametrize(("worth_s", "leaves"), [(60.0, True), (299.0, True), (301.0, False), (None, False)])
def test_it_leaves_only_where_the_answers_stay_away_for_longer_than_that_is_worth(
    worth_s: float | None, *, leaves: bool
) -> None:
    tail = leaving(in_flight(3), worth_s).tail(NOW, all_loaded=True)
    assert (tail is not None) is leaves


@pytest.mark.parametrize(
    ("waited_s", "expected_s"), [(0.0, 300.0), (299.0, 1.0), (300.0, 300.0), (900.0, 900.0)]
)
def test_what_is_late_is_expected_to_take_as_long_again(waited_s: float, expected_s: float) -> None:
    tail = tail_of(in_flight(1), USUAL_S, NOW + waited_s)
    assert tail is not None
    assert tail.expected_s == expected_s


@pytest.mark.parametrize(("waited_s", "leaves"), [(59.0, False), (60.0, True)])
def test_who_does_not_know_how_long_answers_take_leaves_once_it_has_waited_as_long_as_is_worth_it(
    waited_s: float, *, leaves: bool
) -> None:
    tail = leaving(in_flight(3), 60.0, None).tail(NOW + waited_s, all_loaded=True)
    assert (tail is not None) is leaves


def test_who_has_not_read_all_records_stays() -> None:
    assert leaving(in_flight(3), 0.0).tail(NOW, all_loaded=False) is None
    assert not leaving(in_flight(3), 0.0).is_near(NOW, all_loaded=False)


@pytest.mark.parametrize("phase", [Phase.BUSY, Phase.SETTLING])
def test_nothing_more_is_asked_for_where_all_will_soon_be_at_rest(phase: Phase) -> None:
    busy = leaving(in_flight({0: Phase.WAITING, 1: phase}), 60.0)
    assert busy.is_near(NOW, all_loaded=True)
    assert busy.tail(NOW, all_loaded=True) is None


@pytest.mark.parametrize("phase", [Phase.READY, Phase.SENDING, Phase.ASK, Phase.LOOK_UP])
def test_answers_are_asked_for_as_long_as_something_else_has_to_be_done(phase: Phase) -> None:
    assert not leaving(in_flight({0: Phase.WAITING, 1: phase}), 60.0).is_near(NOW, all_loaded=True)


def test_everything_under_way_is_gone_through_once_a_second_at_most() -> None:
    flight = in_flight(3)
    near = leaving(flight, 60.0)
    assert near.is_near(NOW, all_loaded=True)
    flight.move(next(iter(flight)), Phase.READY, NOW)
    assert near.is_near(NOW + LOOK_S / 2, all_loaded=True)
    assert not near.is_near(NOW + LOOK_S, all_loaded=True)
