"""Which lines of a history stay, and which give way to newer ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.job.run_history import LEAST_PUBLISHED, MOST_PAST, with_end
from runware_provider.quality.against_before import published_before
from tests.engine.job.test_run_records import HITS, past

if TYPE_CHECKING:
    from runware_provider.engine.job.run_record import PastRun


def told(history: list[PastRun]) -> list[tuple[str, str]]:
    return [(line.run, line.state) for line in history]


def after(*lines: PastRun) -> list[PastRun]:
    history: list[PastRun] = []
    for line in lines:
        history = with_end(history, line)
    return history


def idle(run: str, publish_id: str = "p", **changes: Any) -> PastRun:
    return past(run, state="unchanged", publish_id=publish_id, paid_usd=0.0, **changes)


PUBLISHED = past("a", publish_id="p", cost_usd=0.3, hits=HITS)


@pytest.mark.parametrize("later", [past("a", state="stopped", paid_usd=0.0), idle("a")])
def test_a_run_that_has_published_stays_so_whatever_a_later_try_of_it_comes_to(later: PastRun) -> None:
    assert after(PUBLISHED, later) == [PUBLISHED]
    assert told(after(PUBLISHED, past("b", publish_id="q"), later)) == [
        ("b", "published"),
        ("a", "published"),
    ]


def test_what_a_later_try_paid_before_it_stopped_counts() -> None:
    stopped = past("a", state="stopped", paid_usd=0.9)
    assert after(PUBLISHED, stopped) == [replace(PUBLISHED, paid_usd=0.9)]


def test_a_run_that_found_all_as_it_was_has_not_stopped_either() -> None:
    assert told(after(PUBLISHED, idle("b"), past("b", state="stopped"))) == [
        ("b", "unchanged"),
        ("a", "published"),
    ]


def test_a_run_that_publishes_anew_is_told_of_anew() -> None:
    again = past("a", publish_id="q")
    assert after(PUBLISHED, past("b", publish_id="r"), again)[0] == again
    assert len(after(PUBLISHED, past("b", publish_id="r"), again)) == 2


def test_of_runs_that_found_all_as_it_was_the_newest_is_told() -> None:
    days = [idle(f"day {number}") for number in range(2 * MOST_PAST)]
    assert after(PUBLISHED, *days) == [days[-1], PUBLISHED]
    other = idle("later", publish_id="q")
    assert told(after(PUBLISHED, days[0], past("b", publish_id="q"), other)) == [
        ("later", "unchanged"),
        ("b", "published"),
        ("day 0", "unchanged"),
        ("a", "published"),
    ]


def test_however_many_runs_stopped_a_publish_is_compared_with_the_one_before() -> None:
    stopped = [past(f"day {number}", state="stopped") for number in range(2 * MOST_PAST)]
    history = after(PUBLISHED, *stopped)
    assert len(history) == MOST_PAST
    assert published_before(after(PUBLISHED, *stopped, past("b", publish_id="q")), "q") == PUBLISHED


LINES = st.builds(
    past,
    st.sampled_from([f"run {number}" for number in range(70)]),
    state=st.sampled_from(["published", "unchanged", "stopped"]),
    publish_id=st.sampled_from(["p", "q"]),
)


@given(st.lists(LINES, max_size=150))
def test_a_history_is_bounded_has_one_line_of_a_run_and_those_that_published_last(
    lines: list[PastRun],
) -> None:
    history = after(*lines)
    assert len(history) <= MOST_PAST
    runs = [line.run for line in history]
    assert len(set(runs)) == len(runs)
    published = {line.run for line in lines if line.state == "published"}
    kept = [line for line in history if line.state == "published"]
    assert len(kept) >= min(LEAST_PUBLISHED, len(published))
