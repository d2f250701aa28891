"""How many tasks go into the next request."""

from __future__ import annotations

import pytest

from runware_provider.engine.exchange.at_once import Brake, RoundTrips
from runware_provider.engine.exchange.canary import Canary
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import Inference, Phase
from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.exchange.sending import UNDECIDED, WORTH, Sending
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.learnt_pace import Learnt
from runware_provider.engine.spec import Limits


def sending(window: int, **limits: int) -> Sending:
    flight = Flight()
    for number in range(3_000):
        key = Key(number.to_bytes(16, "big"), 0, 0)
        flight.add(Inference(key, (), 10, 1, 0, f"uuid {number}"), 0.0)
    pace = Pace(100_000, Learnt(window, 5.0))
    return Sending(
        flight=flight,
        canary=Canary(),
        pace=pace,
        limits=Limits(**limits),
        is_sync=False,
        account=None,
        brake=Brake(1_000),
        round_trips=RoundTrips(),
    )


def sent(sends: Sending, *, undecided: bool) -> list[int]:
    """Tasks of each request until nothing more is sent."""
    requests = []
    while chunk := sends.next_chunk(1.0, undecided=undecided):
        requests.append(len(chunk))
    return requests


def answered(sends: Sending, number: int) -> None:
    under_way = [inference for inference in sends.flight if inference.phase is Phase.SENDING]
    for inference in under_way[:number]:
        sends.flight.move(inference, Phase.DONE, 1.0)


def test_requests_are_full_as_far_as_the_window_allows() -> None:
    assert sent(sending(120), undecided=False) == [50, 50, 20]


def test_a_request_waits_until_it_is_worth_it_unless_nothing_else_is_under_way() -> None:
    sends = sending(400)
    sent(sends, undecided=False)
    answered(sends, 400 // WORTH - 1)
    assert sent(sends, undecided=False) == []
    answered(sends, 1)
    assert sent(sends, undecided=False) == [400 // WORTH]
    assert sent(sending(1), undecided=False) == [1]


@pytest.mark.parametrize("tasks_per_request", [10, 50, UNDECIDED, 200, 1_000])
def test_few_are_under_way_while_it_may_show_that_all_fail_and_none_waits_for_the_last_of_them(
    tasks_per_request: int,
) -> None:
    sends = sending(2_000, tasks_per_request=tasks_per_request)
    assert sum(sent(sends, undecided=True)) == UNDECIDED
    answered(sends, 10)
    assert sum(sent(sends, undecided=True)) == 10


def test_an_answer_counts_against_a_job_that_should_stop_only_once_it_is_durable() -> None:
    sends = sending(2_000)
    sent(sends, undecided=True)
    answered(sends, 30)
    sends.undurable = 20
    assert sum(sent(sends, undecided=True)) == 10
