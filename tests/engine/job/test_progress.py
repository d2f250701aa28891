from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.job.progress import Progress, ending


def progress(**fields: Any) -> Progress:
    return Progress(**{"done": 0, "total": 1_000, "elapsed_s": 0.0, "outstanding": 0, "cost": 0.0, **fields})


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "0 of 1,000 rows done (0 %), 0.0000 USD so far"),
        (
            {"done": 250, "elapsed_s": 50.0, "outstanding": 1_200, "cost": 0.12344},
            (
                "250 of 1,000 rows done (25 %), 5.0 a second, about 2 min 30 s left, 1,200 under way,"
                " 0.1234 USD so far, about 0.4938 in all"
            ),
        ),
        (
            {"done": 600, "reused": 500, "elapsed_s": 10.0},
            (
                "600 of 1,000 rows done (60 %), 500 of them answered before, 10.0 a second, about 40 s left,"
                " 0.0000 USD so far"
            ),
        ),
        (
            {"done": 1_000, "elapsed_s": 10.0},
            "1,000 of 1,000 rows done (100 %), 100.0 a second, 0.0000 USD so far",
        ),
        (
            {"done": 999, "elapsed_s": 999},
            "999 of 1,000 rows done (99 %), 1.0 a second, about 1 s left, 0.0000 USD so far",
        ),
        ({"total": 0}, "0 of 0 rows done, 0.0000 USD so far"),
        (
            {"done": 1, "elapsed_s": 30.0},
            "1 of 1,000 rows done (0 %), 2.0 a minute, about 8 h 19 min left, 0.0000 USD so far",
        ),
        (
            {"done": 1_000, "reused": 1_000, "elapsed_s": 3.0},
            "1,000 of 1,000 rows done (100 %), 1,000 of them answered before, 0.0000 USD so far",
        ),
    ],
)
def test_a_line_says_what_a_person_wants_to_know(fields: dict[str, Any], line: str) -> None:
    assert progress(**fields).line() == line


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599.6, "1 h 0 min"), (90_000, "25 h 0 min")],
)
def test_the_time_left_is_rounded_to_what_matters(seconds: float, said: str) -> None:
    assert f"about {said} left" in progress(done=500, elapsed_s=seconds).line()


def test_the_rate_counts_only_what_this_run_worked_for() -> None:
    assert progress(done=600, reused=500, elapsed_s=10.0).rate == 10.0
    assert progress(done=600, reused=600, elapsed_s=10.0).left_s is None
    assert progress(done=5).rate == 0.0


@given(
    st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1e9), st.floats(0, 1e6)
)
def test_there_is_always_a_line(one: int, other: int, reused: int, elapsed_s: float, cost: float) -> None:
    done, total = sorted((one, other))
    line = progress(done=done, total=total, reused=min(reused, done), elapsed_s=elapsed_s, cost=cost).line()
    assert "\n" not in line
    assert "-" not in line
    assert f"{done:,} of {total:,} rows done" in line


@pytest.mark.parametrize(
    ("fields", "foreseen"),
    [
        ({"done": 4, "cost": 0.4}, None),
        ({"done": 5, "cost": 0.5}, 100.0),
        ({"done": 105, "reused": 100, "cost": 0.5}, 0.5 + 895 * 0.1),
        ({"done": 1_000, "cost": 100.0}, None),
        ({"done": 500, "cost": 0.0}, None),
    ],
)
def test_the_bill_is_foreseen_from_what_was_paid_in_this_run(
    fields: dict[str, Any], foreseen: float | None
) -> None:
    assert progress(**fields).foreseen_cost == pytest.approx(foreseen)


def test_a_bill_of_dollars_is_foreseen_in_cents() -> None:
    assert progress(done=500, cost=6.1234).line().endswith("6.1234 USD so far, about 12.25 in all")


def test_the_end_says_what_became_of_the_rows_what_it_cost_and_where_it_is() -> None:
    manifest: dict[str, Any] = {
        "outcomes": {"invalid": 4, "skipped": 1_003, "succeeded": 233},
        "reasons": {"empty": 1_003, "schema": 4},
        "paid_usd": 0.13011,
        "paid_inferences": 237,
        "reused_inferences": 12,
        "destination": "lake/invoices",
    }
    assert ending(manifest) == (
        "4 invalid, 1,003 skipped, 233 succeeded (empty 1,003, schema 4); this run paid 0.1301 USD for 237 answers"
        " and reused 12; written to lake/invoices"
    )
    nothing = {
        **manifest,
        "outcomes": {},
        "reasons": {},
        "paid_usd": 0.0,
        "paid_inferences": 0,
        "reused_inferences": 0,
    }
    assert ending(nothing) == "no rows; this run paid 0.0000 USD for 0 answers; written to lake/invoices"
