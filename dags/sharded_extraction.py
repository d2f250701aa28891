"""Read the sample documents in shards: four tasks ask at once what one would ask alone, and one dataset comes of it.

You will see: the group `invoices` with its three tasks. `split` cuts the source, `infer` is mapped over the shards, each of
which has a label such as `sharded_invoices 3 of 4 · 60 rows · $0.04`, and `publish` writes one dataset,
`.demo/output/sharded_invoices`, in the input's order, and returns what all of them came to. Clear one of the mapped tasks,
or the whole group: nothing is asked again, and nothing is paid.

240 documents need no shards; `least_rows` is that small to show them. They are worth it from some 100,000 rows on, on more
than one machine: `docs/how-to/shards-in-airflow.md` says when.

Needs the connection `runware_default`. Trigger it by hand; the parameter `limit` tries it on the first few documents.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from airflow.sdk import DAG, Asset, Param
from pydantic import BaseModel, Field

from runware_provider.engine.spec import Settings
from runware_provider.groups import text_inference_group

PROJECT = Path(__file__).resolve().parents[1]
OUTPUT = os.environ.get("RUNWARE_OUTPUT", f"{PROJECT}/.demo/output")


class Invoice(BaseModel):
    """An invoice, a receipt or an order; null where the document does not say."""

    vendor: str | None = Field(description="Who sells: the company with its legal form; not the customer")
    invoice_number: str | None = Field(description="The document's own number; not the customer's order")
    invoice_date: date | None = Field(description="The day on which the document was issued")
    total: float | None = Field(description="What the customer has to pay in the end, taxes included")


with DAG(
    dag_id="sharded_extraction",
    description="The sample documents in four shards, one dataset",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,  # a later run cuts the same source anew, and the shards of an earlier one would stop
    template_searchpath=[f"{PROJECT}/include"],
    params={"limit": Param(None, type=["null", "integer"], minimum=1, title="Only the first n documents")},
    tags=["runware", "example"],
):
    text_inference_group(
        group_id="invoices",
        shards=4,
        shards_at_once=4,
        least_rows=50,
        source=f"{PROJECT}/include/documents",
        destination=f"{OUTPUT}/sharded_invoices",
        model="deepseek-v4-pro",
        system_prompt="prompts/system.j2",
        prompt="prompts/invoice.j2",
        output_type=Invoice,
        settings=Settings(temperature=0.0, max_tokens=4096),
        limit="{{ params.limit }}",
        outlets=[Asset("sharded_invoices")],
    )
