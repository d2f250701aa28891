"""When a sync task counts as accepted."""

from __future__ import annotations

from runware_provider.engine.exchange.unrefused import AWHILE, AWHILE_AT_LEAST_S, LATER, Sent, Unrefused


def sent(*times: float) -> Unrefused:
    unrefused = Unrefused()
    for at in times:
        unrefused.sent(3, at)
    return unrefused


def test_what_was_sent_before_counts_in_order_and_once() -> None:
    unrefused = sent(1.0, 2.0, 3.0)
    assert list(unrefused.accepted(3.0)) == [Sent(3, 1.0), Sent(3, 2.0)]
    assert list(unrefused.accepted(3.0)) == []
    assert unrefused.tasks == 3


def test_what_has_ended_is_told_once_whether_it_was_unknown() -> None:
    unrefused = sent(1.0, 2.0)
    assert unrefused.ended(2.0)
    assert not unrefused.ended(2.0)
    assert not unrefused.ended(0.5)
    assert list(unrefused.accepted(9.0)) == [Sent(3, 1.0)]
    assert not unrefused.ended(1.0)
    assert unrefused.tasks == 0


def test_it_waits_for_a_part_of_a_latency_and_as_long_as_refusals_took() -> None:
    unrefused = sent(1.0)
    assert unrefused.due(0.0) == 1.0 + AWHILE_AT_LEAST_S
    assert unrefused.due(10.0) == 1.0 + 10.0 * AWHILE
    unrefused.refused(4.0)
    unrefused.refused(0.4)
    assert unrefused.due(10.0) == 1.0 + LATER * 0.4
    assert Unrefused().due(10.0) is None
