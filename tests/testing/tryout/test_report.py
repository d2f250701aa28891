from __future__ import annotations

from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from runware_provider.testing.tryout import report

FIELDS = {
    "vendor": "Café  AG",
    "invoice_number": "1",
    "invoice_date": date(2026, 1, 2),
    "due_date": None,
    "currency": "EUR",
    "total": Decimal("10.10"),
    "purchase_order": None,
}


def a_row(document: str, result: dict[str, Any] | None, outcome: str = "succeeded") -> dict[str, Any]:
    return {"document_id": document, "result": result, "inference": {"outcome": outcome}}


RESULT = FIELDS | {"vendor": "Café AG", "total": 10.1, "line_items": [{"description": "x"}]}


@pytest.mark.parametrize(
    ("paid", "told"), [(0.5, "This run paid 0.5000 USD"), (0.0, "This run had nothing to pay")]
)
def test_the_summary_says_what_the_manifest_says(paid: float, told: str) -> None:
    manifest = {
        "destination": "out",
        "rows": 3,
        "outcomes": {"skipped": 1, "succeeded": 2},
        "inferences": 1,
        "prompt_tokens": 1200,
        "cached_tokens": 4,
        "completion_tokens": 2,
        "cost_usd": 0.75,
        "paid_usd": paid,
    }
    text = report.summary(manifest, play_money=True)
    assert "3 rows (1 skipped, 2 succeeded)" in text
    assert "1,200 in" in text
    assert "play money" in text
    assert told in text


def a_plan(**changes: Any) -> dict[str, Any]:
    guess = {
        "prompt_tokens": 9000,
        "completion_tokens": 2500,
        "cost_usd": changes.pop("cost_usd", 0.0135),
        "based_on": "an assumption, not a measurement",
    }
    return {
        "records": 10,
        "to_pay": 10,
        "answered_before": 0,
        "fate_unknown": 0,
        "estimate": guess,
        **changes,
    }


def test_the_estimate_says_what_is_sent_and_what_it_may_cost() -> None:
    text = report.estimate(a_plan())
    assert "10 of 10 documents" in text
    assert "0.0135 USD" in text
    assert "assumption" in text


def test_an_estimate_without_prices_says_so() -> None:
    assert "no price" in report.estimate(a_plan(cost_usd=None))


def test_what_was_sent_before_without_an_answer_is_told() -> None:
    assert "3 of a run before" in report.estimate(a_plan(to_pay=0, fate_unknown=3))


def test_an_estimate_of_nothing_says_so() -> None:
    assert "nothing to pay" in report.estimate(a_plan(to_pay=0, answered_before=10))


def test_the_rows_of_all_parts_are_read_in_order(tmp_path: Any) -> None:
    for part in (1, 0):
        pq.write_table(pa.table({"n": [part]}), tmp_path / f"part-0000{part}-x.parquet")
    assert [row["n"] for row in report.read(tmp_path)] == [0, 1]


def test_the_table_shows_documents_without_a_result_as_well() -> None:
    rows = [a_row("a", RESULT), a_row("b", None, "skipped")]
    shown = StringIO()
    console = Console(file=shown, width=120)
    console.print(report.first_rows(rows))
    assert "10.10" in shown.getvalue()
    assert "skipped" in shown.getvalue()
