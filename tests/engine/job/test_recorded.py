"""What the record of a run says: of its progress while it goes, of its manifest when it has ended."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BudgetExhausted, note_how_far
from runware_provider.engine.exchange.waits import Wait
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.job.recorded import Ending, Facts, past_of, record_of
from runware_provider.engine.job.run_record import Approval, RunRecord, Waited

FACTS = Facts("dag/task/run/-1", "09:00", "in", "out", "m", 100, budget_usd=5.0, request="digest")
PROGRESS = Progress(
    done=40,
    total=90,
    elapsed_s=10.0,
    outstanding=7,
    cost=0.4,
    reused=20,
    quiet_s=12.0,
    trouble="503",
    cost_here=0.2,
    asked_again=2,
    waits=[Wait("their answers", 7, 12.0)],
    window=64,
    window_reason="answers come as fast as before",
    outcomes={"succeeded": 38, "failed": 2},
    reasons={"timeout": 2},
    latency_median_s=1.5,
    latency_slow_s=4.0,
)
MANIFEST: dict[str, Any] = {
    "status": "published",
    "unchanged": False,
    "publish_id": "abc",
    "rows": 90,
    "outcomes": {"succeeded": 90},
    "reasons": {},
    "paid_usd": 0.9,
    "cost_usd": 0.8,
    "reused_usd": 0.3,
}


def test_before_anything_is_known_the_record_says_what_the_run_is_about() -> None:
    record = record_of(FACTS, None, None, at="09:01")
    assert (record.state, record.rows, record.rows_done) == ("running", 100, 0)
    assert (record.run, record.started_at, record.at) == ("dag/task/run/-1", "09:00", "09:01")
    assert (record.source, record.destination, record.model) == ("in", "out", "m")
    assert (record.budget_usd, record.budget_tokens, record.request) == (5.0, None, "digest")


def test_while_it_goes_the_record_says_all_that_its_progress_knows() -> None:
    record = record_of(FACTS, PROGRESS, None, at="09:01")
    assert (record.state, record.rows, record.rows_done, record.reused) == ("running", 90, 40, 20)
    assert (record.outcomes, record.reasons) == ({"succeeded": 38, "failed": 2}, {"timeout": 2})
    assert (record.under_way, record.window, record.asked_again) == (7, 64, 2)
    assert record.window_reason == "answers come as fast as before"
    assert (record.rows_a_second, record.left_s) == (PROGRESS.rate, PROGRESS.left_s)
    assert (record.quiet_s, record.trouble) == (12.0, "503")
    assert record.waits == [Waited("their answers", 7, 12.0)]
    assert (record.latency_median_s, record.latency_slow_s) == (1.5, 4.0)
    assert (record.paid_usd, record.foreseen_usd) == (0.4, PROGRESS.foreseen_cost)


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, "published"), ({"unchanged": True}, "unchanged"), ({"status": "preview"}, "preview")],
)
def test_at_a_good_end_the_manifest_knows_better_than_the_last_progress(
    changes: dict[str, Any], state: str
) -> None:
    record = record_of(FACTS, PROGRESS, Ending.well(MANIFEST | changes), at="09:02")
    assert (record.state, record.rows, record.rows_done) == (state, 90, 90)
    assert (record.outcomes, record.reasons) == ({"succeeded": 90}, {})
    assert (record.paid_usd, record.publish_id) == (0.9, "abc")
    assert (record.under_way, record.waits, record.left_s, record.foreseen_usd) == (0, [], None, None)


def test_at_a_bad_end_the_record_says_why_and_what_to_do_and_how_far_it_came() -> None:
    error = BudgetExhausted("the budget is used up")
    note_how_far(
        error,
        {"rows": 41, "outcomes": {"succeeded": 41}, "reasons": {}, "paid_usd": 5.0, "still_at_vendor": 3},
    )
    record = record_of(FACTS, PROGRESS, Ending.badly(error), at="09:02")
    assert (record.state, record.rows, record.rows_done) == ("stopped", 90, 41)
    assert (record.reason, record.remedy) == ("the budget is used up", error.remedy)
    assert (record.paid_usd, record.under_way, record.publish_id) == (5.0, 3, None)


def test_an_error_that_says_nothing_of_how_far_it_came_leaves_what_the_progress_knew() -> None:
    record = record_of(FACTS, PROGRESS, Ending.badly(OSError("no store")), at="09:02")
    assert (record.rows_done, record.paid_usd, record.outcomes) == (40, 0.4, PROGRESS.outcomes)
    assert record.reason == "the store failed (no store)"


def test_who_leaves_while_answers_are_to_come_says_what_is_under_way() -> None:
    record = record_of(FACTS, PROGRESS, Ending("waiting"), at="09:02")
    assert (record.state, record.rows_done, record.under_way, record.left_s) == ("waiting", 40, 7, None)


def test_a_process_that_goes_on_keeps_the_start_and_any_process_the_approval() -> None:
    approval = Approval(3, 1.0, 0.5, 0.0, "approved")
    earlier = RunRecord("r", "waiting", "08:00", "08:30", "in", "out", "m", 3, 1, approval=approval)
    for goes_on, started_at in ((True, "08:00"), (False, "09:00")):
        facts = FACTS.going_on_from(earlier, goes_on=goes_on)
        assert (facts.started_at, facts.approval) == (started_at, approval)


def test_the_history_has_what_the_run_paid_and_what_its_dataset_cost_whoever_paid() -> None:
    ending = Ending.well(MANIFEST)
    past = past_of(record_of(FACTS, PROGRESS, ending, at="09:02"), ending)
    assert past is not None
    assert (past.run, past.state, past.started_at, past.finished_at) == (
        FACTS.run,
        "published",
        "09:00",
        "09:02",
    )
    assert (past.paid_usd, past.cost_usd, past.publish_id) == (0.9, pytest.approx(1.1), "abc")


def test_a_run_that_stopped_is_in_the_history_without_a_dataset() -> None:
    ending = Ending.badly(OSError("no store"))
    past = past_of(record_of(FACTS, PROGRESS, ending, at="09:02"), ending)
    assert past is not None
    assert (past.state, past.cost_usd, past.publish_id) == ("stopped", None, None)


@pytest.mark.parametrize("state", ["running", "waiting", "staged", "preview"])
def test_what_has_not_ended_for_the_dataset_is_not_in_the_history(state: Any) -> None:
    ending = Ending(state)
    assert past_of(record_of(FACTS, PROGRESS, ending, at="09:02"), ending) is None


@given(
    done=st.integers(0, 100),
    known=st.dictionaries(st.sampled_from(["rows", "paid_usd", "still_at_vendor"]), st.integers(0, 100)),
    state=st.sampled_from(["stopped", "staged", "published", "waiting", "running"]),
)
def test_every_record_is_json_and_no_ended_run_has_more_rows_done_than_rows(
    done: int, known: dict[str, Any], state: Any
) -> None:
    progress = Progress(done, 100, 10.0, 3, 0.1)
    record = record_of(FACTS, progress, Ending(state, known), at="now")
    assert record.rows_done <= record.rows
    json.dumps(asdict(record), allow_nan=False)
