"""The first words of a job."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from runware_provider.engine.job.beginning import counted_lines, job_lines, uncounted_lines
from runware_provider.engine.job.plan_counts import PlanCounts
from runware_provider.engine.memory.ledger_sums import Statistics
from runware_provider.engine.spec import Budget, Spec

ESTIMATE = {"cost_usd": 0.0473, "at_most": {"cost_usd": 15.321}}


def spec(**changes: Any) -> Spec:
    usual = {
        "source": "lake/in",
        "destination": "lake/out",
        "prompt": "{{ record.body }}",
        "model": "some-model",
    }
    return Spec(**{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "asks"),
    [
        ({}, "Asks: some-model, about 240 records of lake/in."),
        ({"samples": 3}, "Asks: some-model, about 240 records of lake/in, 3 times each."),
        (
            {"filters": [("n", ">", 1)]},
            "Asks: some-model, about those of 240 records of lake/in that the filters choose.",
        ),
    ],
)
def test_the_job_is_named(changes: dict[str, Any], asks: str) -> None:
    lines = " ".join(line.strip() for line in job_lines(spec(**changes), "lake/out/ds=1", 240))
    assert lines == f"{asks} Writes: lake/out/ds=1."


def test_what_was_counted_is_said_with_its_price() -> None:
    counts = PlanCounts(
        to_pay=235, answered=2, failed=1, unknown=4, to_retry_output=1, skipped=Counter(empty=3)
    )
    lines = counted_lines(counts, ESTIMATE, Budget(usd=5, tokens=1_000), ["prompt", "schema"])
    assert " ".join(line.strip() for line in lines) == (
        "To ask: 235 inferences; 1 of them since the answer does not fit; 4 may be under way already,"
        " and are looked for first; 2 answered already; 1 failed before; 3 rows never sent (empty 3)."
        " Why: since the last publish the prompt and schema changed."
        " Cost: about 0.0473 USD, at most 15.32 USD; the budget is 5.00 USD and 1,000 tokens."
    )


def test_a_run_that_has_nothing_to_pay_says_so() -> None:
    lines = counted_lines(PlanCounts(answered=240), ESTIMATE, None, ["prompt"])
    assert lines == ["To ask: 0 inferences; 240 answered already.", "Cost: nothing."]


def test_a_price_that_nobody_knows_is_no_number() -> None:
    unpriced = {"cost_usd": None, "at_most": {"cost_usd": None}}
    lines = counted_lines(PlanCounts(to_pay=1), unpriced, None, [])
    assert lines == ["To ask: 1 inference.", "Cost: unknown, since nobody names a price of the model."]


def test_of_a_large_source_only_what_is_known_without_reading_it_is_said() -> None:
    nothing = Statistics(0, None, None, None, None)
    assert uncounted_lines(spec(samples=2), 1_000_000, nothing) == [
        "To ask: up to 2,000,000 rows; none is answered yet.",
        "Cost: `plan` says it beforehand, also what it is at most.",
    ]
    some = Statistics(1_000, 90.0, 100.0, 1.0, 0.0002)
    assert " ".join(line.strip() for line in uncounted_lines(spec(), 1_000_000, some)) == (
        "To ask: up to 1,000,000 rows, less those that the 1,000 answers in the state folder are about."
        " Cost: about 200.00 USD for all rows, if they are like the answers so far; `plan` says it beforehand, also"
        " what it is at most."
    )
