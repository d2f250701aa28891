"""The last words of a job, of whatever kind of end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine import errors
from runware_provider.engine.job.endings import bad_end, empty_end, good_end, shard_end
from runware_provider.engine.plain_text import WIDTH

LABELS = ("Paid", "Kept", "Still billed", "To do")
KNOWN = {
    "state": "out.state/ds=1",
    "records": 240,
    "records_done": 37,
    "outcomes": {"skipped": 3, "succeeded": 34},
    "paid_usd": 0.0123,
    "paid_inferences": 34,
    "still_at_vendor": 64,
    "status": "stopped",
}


def told_by(error: BaseException, **known: Any) -> list[str]:
    if known:
        errors.note_how_far(error, known)
    return bad_end(error, state="out.state", then="Clear the task.")


def test_a_job_that_stopped_says_all_five_things() -> None:
    assert told_by(errors.BalanceExhausted("the API answered insufficientCredits"), **KNOWN) == [
        "Stopped: the API answered insufficientCredits.",
        "Paid: 0.0123 USD for 34 answers by this run, all its tries together.",
        "Kept: 37 of 240 records are finished (3 skipped, 34 succeeded); all",
        "  answers are in out.state/ds=1. Nothing was published.",
        "Still billed: up to 64 inferences that may be under way at the API.",
        "  The next run collects them and does not pay for them again.",
        "To do: Top up the account, then run again: answered records are not",
        "  sent again. Clear the task.",
    ]


def test_what_was_refused_says_that_nothing_was_paid() -> None:
    assert told_by(errors.BadInput("prompt", "it is empty", "Write one")) == [
        "Error: prompt: it is empty.",
        "Paid: nothing; this try sent nothing.",
        "Kept: whatever earlier runs have paid for, in out.state.",
        "Still billed: nothing by this try.",
        "To do: Write one. Clear the task.",
    ]


TOLD: dict[str, tuple[BaseException, dict[str, Any], str]] = {
    "three were skipped and none answered": (
        errors.Unreachable("no reply"),
        {"outcomes": {"skipped": 3}, "records_done": 3},
        "Kept: none of 240 records is answered (3 skipped, which are never sent); earlier answers, if any, are in",
    ),
    "a page that is broken late": (
        errors.BadInput("source", "b.parquet cannot be read", "Mend or remove it"),
        {"paid_inferences": 9_862, "paid_usd": 1.5},
        "Paid: 1.50 USD for 9,862 answers by this run",
    ),
    "a store that fails late": (
        OSError(28, "No space left on device"),
        {},
        "all answers that could be written are in out.state/ds=1.",
    ),
    "a store that fails, by name": (
        OSError(28, "No space left on device"),
        {},
        "Stopped: the store failed ([Errno 28] No space left on device).",
    ),
    "a publish that a store broke off": (
        OSError(5, "I/O"),
        {"publishing": True},
        "as long as _SUCCESS is missing, the dataset is not whole, and the next run makes it so.",
    ),
    "a publish that was overtaken": (errors.PublishConflict("ds=1"), {}, "Stopped: not published: ds=1."),
    "a timeout that came too late": (
        errors.Interrupted("the time is over"),
        {"status": "published"},
        "The dataset was published nevertheless.",
    ),
    "a state that cannot be read": (
        errors.StateUnreadable("the segment is damaged"),
        {},
        "Error: the segment is damaged. Paid: ",
    ),
    "an error that nobody foresaw": (
        KeyError("a value of somebody's"),
        {},
        "Error: an error that nobody foresaw, KeyError; its words follow.",
    ),
    "costs that nobody named": (
        errors.Interrupted("stop"),
        {"cost_unreported": 1, "maybe_billed": 2},
        "Of 1 answer the API named no cost. 2 attempts more may be billed: nobody knows what became of them.",
    ),
    "answers without any cost": (
        errors.Interrupted("stop"),
        {"cost_unreported": 34, "paid_usd": 0.0},
        "Paid: nobody knows how much for 34 answers by this run. Of 34 answers the API named no cost.",
    ),
    "what nobody counted": (
        OSError(5, "I/O"),
        {"records_done": None},
        "Kept: all answers that could be written, in out.state/ds=1. Nothing was published.",
    ),
    "rows that failed and none was answered": (
        errors.TooManyFailed("too many"),
        {"outcomes": {"failed": 37}, "paid_inferences": 0, "paid_usd": 0.0},
        "(37 failed); how each of them failed is written in out.state/ds=1.",
    ),
    "why rows failed": (
        errors.TooManyFailed("too many"),
        {"outcomes": {"failed": 37}, "reasons": {"internalServerError": 30, "taskLost": 7}},
        "37 of 240 records are finished (37 failed; internalServerError 30, taskLost 7);",
    ),
    "nothing under way": (
        errors.TooManyFailed("too many"),
        {"still_at_vendor": 0},
        "Still billed: nothing; no inference is under way at the API.",
    ),
    "nobody knows what is under way": (
        errors.TooManyFailed("too many"),
        {"still_at_vendor": None},
        "Still billed: what the API has accepted and not answered. The next run",
    ),
}


@pytest.mark.parametrize("case", TOLD)
def test_each_end_says_what_is_true_of_it(case: str) -> None:
    error, changes, said = TOLD[case]
    told = " ".join(" ".join(told_by(error, **{**KNOWN, **changes})).split())
    assert said in told
    assert "a value of somebody's" not in told


def _kinds(root: type[errors.EngineError]) -> list[type[errors.EngineError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in _kinds(child))]


def _made(kind: type[errors.EngineError], words: str) -> BaseException:
    return kind(words, words, words) if issubclass(kind, errors.BadInput) else kind(words)


OURS = [kind for kind in _kinds(errors.EngineError) if kind.__module__ == errors.__name__]


@given(
    st.sampled_from(OURS),
    st.text(max_size=2_000),
    st.dictionaries(st.sampled_from(["skipped", "succeeded", "invalid"]), st.integers(0, 10**9)),
    st.integers(0, 10**9),
    st.none() | st.integers(0, 10**6),
)
def test_every_end_is_told_in_short_lines_in_the_same_order(
    kind: type[errors.EngineError], words: str, outcomes: dict[str, int], count: int, still: int | None
) -> None:
    known = {**KNOWN, "outcomes": outcomes, "paid_inferences": count, "still_at_vendor": still}
    lines = told_by(_made(kind, words), **known)
    for line in lines:
        assert line.isprintable()
        assert len(line) <= WIDTH or len(line.split()) <= 2
    labels = [line.partition(":")[0] for line in lines if not line.startswith("  ")]
    assert labels[0] in {"Stopped", "Error"}
    assert labels[1:] == list(LABELS)


def test_what_an_error_says_already_stays() -> None:
    error = OSError(28, "full")
    errors.note_how_far(error, KNOWN)
    errors.note_how_far(error, {"records_done": 0})
    assert errors.how_far(error) == KNOWN
    assert errors.how_far(ValueError()) == {}


MANIFEST: dict[str, Any] = {
    "status": "published",
    "state": "lake/invoices.state",
    "outcomes": {"invalid": 4, "skipped": 1_003, "succeeded": 233},
    "reasons": {"empty": 1_003, "schema": 4},
    "paid_usd": 0.13011,
    "paid_inferences": 237,
    "reused_inferences": 12,
    "cost_unreported": 0,
    "maybe_billed": 0,
    "destination": "lake/invoices",
}


def test_a_good_end_says_the_same_five_things() -> None:
    assert good_end(MANIFEST) == [
        "Done: 4 invalid, 1,003 skipped, 233 succeeded; empty 1,003, schema 4.",
        "Paid: 0.1301 USD for 237 answers by this run, all its tries together.",
        "  12 answers of other partitions are used again.",
        "Kept: the rows, in lake/invoices; all answers, in lake/invoices.state.",
        "Still billed: nothing; no inference is under way at the API.",
        "To do: 4 rows have no good answer; the column `inference` says why,",
        "  and retry_failed asks them again.",
    ]


GOOD: dict[str, tuple[dict[str, Any], str]] = {
    "without rows": (
        {"outcomes": {}, "reasons": {}, "paid_usd": 0.0, "paid_inferences": 0, "reused_inferences": 0},
        "Done: no rows. Paid: nothing by this run. Kept: the rows, in lake/invoices;",
    ),
    "nothing to do": ({"outcomes": {"succeeded": 1}, "reasons": {}}, "To do: nothing."),
    "one bad row": (
        {"outcomes": {"refused": 1}, "reasons": {"content_filter": 1}},
        "To do: 1 row has no good answer; the column `inference` says why, and retry_failed asks it again.",
    ),
    "costs that nobody named": (
        {"cost_unreported": 3, "unpriced_file": "out.state/unpriced/1.txt"},
        "Of 3 answers the API named no cost.",
    ),
    "where their tasks are named": (
        {"cost_unreported": 3, "unpriced_file": "out.state/unpriced/1.txt"},
        "out.state/unpriced/1.txt names the tasks without a cost, for the vendor's bill.",
    ),
    "prompts that were not rendered": (
        {"reasons": {"prompt_error": 2, "empty": 1_001}},
        "Of some records the prompt could not be rendered",
    ),
    "a budget that was short": ({"reasons": {"budget": 9}}, "a run with a larger one asks the rest."),
    "a preview": ({"status": "preview"}, "A run reuses them. Nothing was published."),
    "rows that failed, in a place of their own": (
        {"failures": {"destination": "lake/bad", "rows": 4}},
        "those that failed, in lake/bad too;",
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_each_good_end_says_what_is_true_of_it(case: str) -> None:
    changes, said = GOOD[case]
    assert said in " ".join(" ".join(good_end({**MANIFEST, **changes})).split())


def test_a_shard_and_a_run_with_nothing_to_do_say_the_same_five_things() -> None:
    told = {"shard": 3, "outcomes": {"succeeded": 2}, "paid_inferences": 2, "paid_usd": 0.00004}
    for lines in (shard_end(told, "out.state"), empty_end("in holds no record", "out.state")):
        labels = [line.partition(":")[0] for line in lines if not line.startswith("  ")]
        assert tuple(labels[1:]) == LABELS
        assert max(map(len, lines)) <= WIDTH
    assert shard_end(told, "out.state")[:2] == [
        "Done: 2 succeeded, of shard 3.",
        "Paid: 0.00004 USD for 2 answers by this run, all its tries together.",
    ]


def test_an_end_names_arguments_as_they_are_written_where_the_job_was_started() -> None:
    stopped = errors.AtWork("another run is at work")
    told = " ".join(
        bad_end(stopped, state="out.state", spelt=lambda text: text.replace("limits.lease_wait_s", "--wait"))
    )
    assert "or wait longer for it, with --wait." in " ".join(told.split())
