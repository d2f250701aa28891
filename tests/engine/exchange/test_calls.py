"""What may be expected of the vendor's calls."""

from __future__ import annotations

from runware_provider.engine.exchange.calls import NONE_COME_FROM, Calls


def fetched(calls: Calls, times: int) -> None:
    for _ in range(times):
        calls.was_fetched()


def test_where_none_was_ever_brought_none_is_expected_any_more() -> None:
    calls = Calls(60.0)
    fetched(calls, NONE_COME_FROM - 1)
    assert calls.are_expected
    calls.was_fetched()
    assert not calls.are_expected


def test_a_receiver_that_dies_midway_is_noticed_and_a_call_makes_up_for_it() -> None:
    calls = Calls(60.0)
    for _ in range(1_000):
        calls.was_brought()
    fetched(calls, NONE_COME_FROM)
    assert not calls.are_expected
    calls.was_brought()
    assert calls.are_expected


def test_calls_that_are_lost_now_and_then_are_no_reason_to_expect_none() -> None:
    calls = Calls(60.0)
    for _ in range(100):
        fetched(calls, NONE_COME_FROM - 1)
        calls.was_brought()
    assert calls.are_expected
    assert (calls.brought, calls.fetched) == (100, 100 * (NONE_COME_FROM - 1))


def test_what_a_call_only_announces_is_fetched_and_says_nothing_of_the_calls() -> None:
    calls = Calls(60.0, verify=True)
    calls.was_brought()
    fetched(calls, 2 * NONE_COME_FROM)
    assert calls.are_expected
