"""What the demo says about its output: counts, cost, and the first rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq
from rich.box import SIMPLE
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FIELDS: Final = ("vendor", "invoice_number", "invoice_date")
"""The fields that are shown as they are."""
VENDOR_CHARS: Final = 17
"""Characters of the vendor that are shown, so that a row fits a terminal of 80."""


def estimate(plan: Mapping[str, Any]) -> str:
    """What the engine's plan says there is to pay, in sentences."""
    guess = plan["estimate"]
    known, unknown = plan["answered_before"], plan["fate_unknown"]
    if not plan["to_pay"] and not unknown:
        return "There is nothing to pay: every answer is there from a run before."
    cost = guess["cost_usd"]
    price = "The service names no price" if cost is None else f"That is about {cost:.4f} USD"
    return (
        f"To send: {plan['to_pay']:,} of {plan['records']:,} documents"
        + (f" ({known:,} are answered already)" if known else "")
        + (f" and, if the service does not know them, {unknown:,} of a run before" if unknown else "")
        + f", about {guess['prompt_tokens']:,} tokens in and {guess['completion_tokens']:,} out. {price};"
        f" the answers' length is {guess['based_on']}."
    )


def read(dataset: Path) -> list[dict[str, Any]]:
    """The rows of a dataset folder, in order."""
    parts = sorted(dataset.glob("*.parquet"))
    return [row for part in parts for row in pq.ParquetFile(part).read().to_pylist()]


def summary(manifest: Mapping[str, Any], *, play_money: bool) -> str:
    """What the manifest says, in sentences.

    Args:
        manifest: as the job wrote it.
        play_money: whether the local API server answered.
    """
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in manifest["outcomes"].items())
    paid = manifest["paid_usd"]
    invented = " (play money of the local server)" if play_money else ""
    return (
        f"The output is in {manifest['destination']}: {manifest['rows']:,} rows ({outcomes})."
        f"\nAnswers: {manifest['inferences']:,}; documents that ask the same share one."
        f"\nTokens: {manifest['prompt_tokens']:,} in ({manifest['cached_tokens']:,} of them cached),"
        f" {manifest['completion_tokens']:,} out. Cost of all answers: {manifest['cost_usd']:.4f} USD{invented}."
        + (
            f"\nThis run paid {paid:.4f} USD. Run it again: it will have nothing to pay."
            if paid
            else "\nThis run had nothing to pay: every answer was there from a run before."
        )
    )


def _count(record: Mapping[str, Any]) -> int:
    return len(record["line_items"] or ())


def first_rows(rows: Sequence[Mapping[str, Any]], count: int = 8) -> Table:
    """The first rows as a table; a document without a result shows its outcome instead."""
    table = Table("document", "vendor", "number", "date", "total", "items", title="First rows", box=SIMPLE)
    table.columns[4].justify = table.columns[5].justify = "right"
    table.padding, table.pad_edge = (0, 1, 0, 0), False
    for column in table.columns:
        column.no_wrap = True
    for row in rows[:count]:
        result = row["result"]
        cells = _cells(result) if result else [f"({row['inference']['outcome']})"]
        table.add_row(row["document_id"], *cells)
    return table


def _cells(result: Mapping[str, Any]) -> list[str]:
    amount = result["total"]
    total = "" if amount is None else f"{amount:,.2f} {result['currency'] or ''}".rstrip()
    texts = ["" if result[name] is None else str(result[name]) for name in FIELDS]
    texts[0] = texts[0] if len(texts[0]) <= VENDOR_CHARS else texts[0][: VENDOR_CHARS - 1] + "…"
    return [*texts, total, str(_count(result))]
