"""What the record of a run says: of its progress while it goes, of its manifest when it has ended."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.errors import BudgetExhausted, note_how_far
from runware_provider.engine.exchange.waits import Wait
from runware_provider.engine.job.endings import GO_ON
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.job.recorded import Ending, Facts, past_of, record_of
from runware_provider.engine.job.run_record import Approval, Older, RunRecord, Waited

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
    waits=[Wait("their answers", 7, 12.0, ((10.0, 2),))],
    earlier_tries=5,
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
    assert (record.state, record.rows, record.rows_done) == ("running", 90, 40)
    assert (record.reused, record.earlier_tries) == (15, 5), (
        "answered by earlier runs, and by earlier tries of this one"
    )
    assert (record.outcomes, record.reasons) == ({"succeeded": 38, "failed": 2}, {"timeout": 2})
    assert (record.under_way, record.window, record.asked_again) == (7, 64, 2)
    assert record.window_reason == "answers come as fast as before"
    assert (record.rows_a_second, record.left_s) == (PROGRESS.rate, PROGRESS.left_s)
    assert (record.quiet_s, record.trouble) == (12.0, "503")
    assert record.waits == [Waited("their answers", 7, 12.0, [Older(10.0, 2)])]
    assert (record.latency_median_s, record.latency_slow_s) == (1.5, 4.0)
    assert (record.paid_usd, record.foreseen_usd) == (0.4, PROGRESS.foreseen_cost)


@pytest.mark.parametrize(
    ("changes", "state"),
    [({}, "published"), ({"unchanged": True}, "unchanged")],
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


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("a text of somebody's"), "an error that nobody foresaw, KeyError"),
        (KeyboardInterrupt(), "its process was told to end"),
    ],
)
def test_an_error_that_nobody_foresaw_is_recorded_without_its_words(
    error: BaseException, reason: str
) -> None:
    record = record_of(FACTS, PROGRESS, Ending.badly(error), at="09:02")
    assert (record.reason, record.remedy) == (reason, GO_ON)


def test_who_leaves_while_answers_are_to_come_says_what_is_under_way() -> None:
    record = record_of(FACTS, PROGRESS, Ending("waiting"), at="09:02")
    assert (record.state, record.rows_done, record.under_way, record.left_s) == ("waiting", 40, 7, None)
    assert [(wait.what, wait.inferences) for wait in record.waits] == [("their answers", 7)]


def earlier_try(**changes: Any) -> RunRecord:
    usual: dict[str, Any] = {
        "run": "r",
        "state": "running",
        "started_at": "08:00",
        "at": "08:30",
        "source": "in",
        "destination": "out",
        "model": "m",
        "rows": 90,
        "rows_done": 37,
        "reused": 10,
        "outcomes": {"succeeded": 33, "failed": 2, "skipped": 2},
        "reasons": {"timeout": 2, "too_long": 2},
        "paid_usd": 0.7,
        "asks": "the same",
        "try_started_at": "08:10",
    }
    return RunRecord(**{**usual, **changes})


THIS_TRY = replace(FACTS, asks="the same", try_started_at="09:00")


@pytest.mark.parametrize(
    ("state", "who", "started_at", "try_started_at"),
    [
        ("running", "a new try", "08:00", "09:00"),
        ("stopped", "a new try", "08:00", "09:00"),
        ("planned", "a new try", "08:00", "09:00"),
        ("waiting", "who goes on", "08:00", "08:10"),
        ("published", "who goes on", "08:00", "08:10"),
        ("published", "a new try", "09:00", "09:00"),
        ("unchanged", "a new try", "09:00", "09:00"),
    ],
)
def test_a_run_begins_with_its_first_try_and_what_had_published_begins_anew(
    state: Any, who: str, started_at: str, try_started_at: str
) -> None:
    approval = Approval(3, 1.0, 0.5, 0.0, "approved")
    facts = THIS_TRY.going_on_from(earlier_try(state=state, approval=approval), goes_on=who == "who goes on")
    assert (facts.started_at, facts.try_started_at) == (started_at, try_started_at)
    assert facts.approval == approval, "a person was asked once"


def test_the_next_try_begins_with_what_the_one_before_had_come_to() -> None:
    facts = THIS_TRY.going_on_from(earlier_try(), goes_on=False)
    record = record_of(facts, None, None, at="09:01")
    assert (record.state, record.paid_usd, record.rows_done) == ("running", 0.7, 37)
    assert (record.reused, record.earlier_tries) == (10, 25), "two were skipped"
    assert (record.outcomes, record.reasons) == (earlier_try().outcomes, earlier_try().reasons)


def test_what_a_try_asks_is_added_until_it_has_found_all_that_was_answered_before() -> None:
    facts = THIS_TRY.going_on_from(earlier_try(), goes_on=False)
    found_some = replace(PROGRESS, done=8, reused=5, decided={"succeeded": 3}, outcomes={"succeeded": 8})
    record = record_of(facts, found_some, None, at="09:02")
    assert (record.rows_done, record.reused, record.earlier_tries) == (40, 10, 25)
    assert record.outcomes == {"succeeded": 36, "failed": 2, "skipped": 2}
    assert record.paid_usd == 0.7
    found_all = replace(PROGRESS, done=45, reused=42, earlier_tries=31, cost=0.8, outcomes={"succeeded": 45})
    record = record_of(facts, found_all, None, at="09:03")
    assert (record.rows_done, record.reused, record.earlier_tries) == (45, 11, 31)
    assert (record.outcomes, record.paid_usd) == ({"succeeded": 45}, 0.8)


@pytest.mark.parametrize(
    "changes",
    [{"asks": "something else"}, {"asks": ""}, {"reasons": {"budget": 3}}],
)
def test_rows_that_are_asked_otherwise_or_that_the_budget_did_not_reach_count_anew_and_the_money_stays(
    changes: dict[str, Any],
) -> None:
    facts = THIS_TRY.going_on_from(earlier_try(**changes), goes_on=False)
    record = record_of(facts, None, None, at="09:01")
    assert (record.rows_done, record.outcomes, record.paid_usd) == (0, {}, 0.7)


def test_what_the_ledger_knows_to_be_paid_counts_where_no_try_had_noted_it() -> None:
    assert record_of(FACTS.knowing(0.3), None, None, at="09:01").paid_usd == 0.3


def test_a_try_that_stops_before_it_has_found_what_was_answered_says_no_less_than_the_one_before() -> None:
    facts = THIS_TRY.going_on_from(earlier_try(), goes_on=False)
    error = BudgetExhausted("the budget is used up")
    note_how_far(error, {"rows": 0, "outcomes": {}, "reasons": {}, "paid_usd": 0.0, "still_at_vendor": 3})
    record = record_of(facts, None, Ending.badly(error), at="09:02")
    assert (record.state, record.rows_done, record.paid_usd) == ("stopped", 37, 0.7)
    assert (record.outcomes, record.under_way) == (earlier_try().outcomes, 3)


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


@pytest.mark.parametrize("state", ["running", "waiting", "staged"])
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


@given(
    tries=st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.floats(0, 2.0), st.booleans()), min_size=1
    )
)
def test_within_a_run_neither_the_money_nor_the_rows_go_backwards(
    tries: list[tuple[int, int, float, bool]],
) -> None:
    """Each try finds some of what was answered before, asks some more, and is killed, or stops and says how far it came."""
    earlier: RunRecord | None = None
    for most_found, most_asked, paid, is_killed in tries:
        facts = THIS_TRY if earlier is None else THIS_TRY.going_on_from(earlier, goes_on=False)
        done_before = 0 if earlier is None else earlier.rows_done
        found, asked = min(most_found, done_before), min(most_asked, 100 - done_before)
        decided = {"succeeded": asked}
        done = found + asked
        progress = Progress(
            done,
            100,
            1.0,
            0,
            paid,
            reused=found,
            earlier_tries=found,
            decided=decided,
            outcomes={"succeeded": done},
        )
        ending = None if is_killed else Ending.badly(OSError("no store"))
        for record in (
            record_of(facts, None, None, at="now"),
            record_of(facts, progress, None, at="now"),
            record_of(facts, progress, ending, at="now"),
        ):
            if earlier is not None:
                assert record.paid_usd >= earlier.paid_usd
                assert record.rows_done >= earlier.rows_done
            assert sum(record.outcomes.values()) == record.rows_done <= record.rows
            assert record.earlier_tries + record.reused <= record.rows_done
            earlier = record
