"""What a dataset cost, told apart."""

from __future__ import annotations

BILL = {"paid_inferences": 4, "paid_usd": 0.5, "inferences": 10, "cost_usd": 2.0, "cost_usd_ever": 7.5}


def section(lake, **manifest):
    lake.put([lake.row(n, {"vendor": "A", "total": 1.0}) for n in range(10)], **manifest)
    return lake.report().partition("## Money")[2].partition("\n## ")[0]


def test_this_run_these_rows_and_ever_stand_beside_each_other(lake):
    told = section(lake, **BILL)
    assert "| **this run** paid | 4 | 0.50 | 50.00 |" in told
    assert "| **these rows** cost, whoever paid | 10 | 2.00 | 200.00 |" in told
    assert "| **ever** paid here, also for older prompts and models | \u2013 | 7.50 | \u2013 |" in told
    assert "they do not add up" in told
    assert "other partitions |" not in told
    assert "Inferences of rows that failed" not in told


def test_inferences_without_an_answer_are_not_called_answers(lake):
    rows = [lake.row(n, {"vendor": "A", "total": 1.0}) for n in range(9)]
    lake.put([*rows, lake.row(9, None, outcome="refused")], **BILL | {"paid_inferences": 9})
    told = lake.report().partition("## Money")[2].partition("\n## ")[0]
    assert "|  | inferences | USD |" in told
    assert "| **this run** paid | 9 |" in told
    assert "Inferences of rows that failed or were refused count with the rows" in told


def test_what_was_used_again_and_what_is_in_no_sum_is_told(lake):
    told = section(lake, **BILL, reused_inferences=3, reused_usd=0.1, cost_unreported=2, maybe_billed=1)
    assert "| **these rows** cost, whoever paid | 13 | 2.10 | 210.00 |" in told
    assert "| of this, used again from other partitions | 3 | 0.10 | 10.00 |" in told
    assert "In none of them: 2 answers without a reported cost." in told
    assert "Perhaps billed besides: 1 attempt without an answer." in told


def test_a_run_that_found_everything_answered_paid_nothing(lake):
    assert "| **this run** paid | 0 | 0 | 0 |" in section(
        lake, **BILL | {"paid_inferences": 0, "paid_usd": 0.0}
    )


def test_a_manifest_that_does_not_tell_it_has_no_such_section(lake):
    assert section(lake) == ""
