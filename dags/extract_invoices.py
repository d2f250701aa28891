"""Read 240 invoices, receipts and orders into one typed table.

You will see: one Parquet row per document under `.demo/output/invoices`, with the fields of `Invoice` in the column
`result` and what it took (outcome, attempts, tokens, cost) in the column `inference`; in the task's XCom, the counts
and the cost of the whole job, and the path of a report on its quality: one page, with how often each field is as it
stands in `include/documents-expected.parquet`. The samples hold an empty document, one that is far too long, and one
that tries to give orders to the model.

Needs the connection `runware_default`. Trigger it by hand; the parameter `limit` tries it on the first few documents.
The environment variable `RUNWARE_OUTPUT` (a folder, or an URL such as `s3://lake/demo`) sends the output elsewhere.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Literal

from airflow.sdk import DAG, Asset, Param
from pydantic import BaseModel, Field

from runware_provider.engine.spec import Settings
from runware_provider.operators import TextInferenceOperator
from runware_provider.quality.spec import Report

PROJECT = Path(__file__).resolve().parents[1]
OUTPUT = os.environ.get("RUNWARE_OUTPUT", f"{PROJECT}/.demo/output")


class LineItem(BaseModel):
    """One position of the document."""

    description: str
    quantity: float | None = None
    unit_price: float | None = None
    amount: float = Field(
        description="The position's amount as printed, before discount and tax on the whole"
    )


class Invoice(BaseModel):
    """An invoice, a receipt or an order; null where the document does not say."""

    vendor: str | None = Field(description="Who sells: the company with its legal form; not the customer")
    invoice_number: str | None = Field(description="The document's own number; not the customer's order")
    invoice_date: date | None = Field(description="The day on which the document was issued")
    due_date: date | None = Field(default=None, description="The last day to pay; a delivery date is none")
    currency: Literal["CAD", "CHF", "EUR", "GBP", "JPY", "MXN", "SEK", "USD"] | None
    total: float | None = Field(description="What the customer has to pay in the end, taxes included")
    purchase_order: str | None = Field(default=None, description="The customer's own order number")
    line_items: list[LineItem]


with DAG(
    dag_id="extract_invoices",
    description="240 sample documents into one typed table",
    doc_md=__doc__,
    schedule=None,
    template_searchpath=[f"{PROJECT}/include"],
    params={"limit": Param(None, type=["null", "integer"], minimum=1, title="Only the first n documents")},
    tags=["runware", "example"],
):
    TextInferenceOperator(
        task_id="extract_invoices",
        source=f"{PROJECT}/include/documents",
        destination=f"{OUTPUT}/invoices",
        model="deepseek-v4-pro",
        system_prompt="prompts/system.j2",
        prompt="prompts/invoice.j2",
        output_type=Invoice,
        settings=Settings(temperature=0.0, max_tokens=4096),
        limit="{{ params.limit }}",
        report=Report(expected=f"{PROJECT}/include/documents-expected.parquet", key="document_id"),
        outlets=[Asset("invoices")],
    )
