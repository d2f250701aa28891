"""Read the sample documents, and let nobody use the table unless it is right often enough.

You will see: `read` writes `.demo/output/gated_invoices` and holds it against the values of
`include/documents-expected.parquet`; `good_enough` looks at how often each field is as it stands there, and either `load`
runs, or `tell_somebody`, whose log says which fields are wrong, how often, and where the report is. Trigger it with
`least` 0.99 to see the gate closed: the samples' answers are wrong on purpose now and then.

What you change: the expected values (some dozens of records that somebody has looked at are worth more than thousands that
nobody has), how right a field has to be, and what the two tasks behind the gate do.

Needs the connection `runware_default`. Trigger it by hand, or run `airflow dags test gate_on_quality`.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from runware_provider.engine.spec import Settings
from runware_provider.operators import TextInferenceOperator
from runware_provider.quality.spec import Report

PROJECT = Path(__file__).resolve().parents[1]
OUTPUT = os.environ.get("RUNWARE_OUTPUT", f"{PROJECT}/.demo/output")

log = logging.getLogger(__name__)


def hits(told: Any) -> dict[str, Any]:
    """How often each field is as expected, the worst fields first; empty where there is no report."""
    return dict(told.get("report", {}).get("hits", {}))


def poor(told: Any, least: Any) -> dict[str, Any]:
    """The fields that are wrong too often, and those of which no document was compared: nobody knows how often they are."""
    return {
        name: right
        for name, right in hits(told).items()
        if right["of"] == 0 or right["hits"] < float(least) * right["of"]
    }


with DAG(
    dag_id="gate_on_quality",
    description="What is read is used only where it is right often enough",
    doc_md=__doc__,
    schedule=None,
    template_searchpath=[f"{PROJECT}/include"],
    params={
        "least": Param(
            0.9,
            type="number",
            minimum=0,
            maximum=1,
            title="How right each field has to be",
            description="The share of the compared documents in which it is as expected.",
        )
    },
    tags=["runware", "example"],
):
    read = TextInferenceOperator(
        task_id="read",
        source=f"{PROJECT}/include/documents",
        destination=f"{OUTPUT}/gated_invoices",
        model="deepseek-v4-pro",
        system_prompt="prompts/system.j2",
        prompt="prompts/invoice.j2",
        output_type="schemas/invoice.json",
        settings=Settings(temperature=0.0, max_tokens=4096),
        report=Report(expected=f"{PROJECT}/include/documents-expected.parquet", key="document_id"),
    )

    @task.branch
    def good_enough(told: Any, least: Any) -> str:
        """Load it, unless a field is wrong too often, or nobody knows how often."""
        return "load" if hits(told) and not poor(told, least) else "tell_somebody"

    @task
    def load(told: Any) -> None:
        """Where the table goes from here."""
        log.info("%s: %s rows to be loaded", told["destination"], told["outcomes"]["succeeded"])

    @task
    def tell_somebody(told: Any, least: Any) -> None:
        """Say what is wrong, and where to look."""
        if not hits(told):
            log.warning("Not loaded: nobody knows how right it is. The log of the task `read` says why.")
            return
        log.warning("Not loaded: a field has to be right in %s of 100 documents.", float(least) * 100)
        for name, right in poor(told, least).items():
            log.warning("%s is right in %s of %s", name, right["hits"], right["of"])
        log.warning("Which ones: %s", told["report"]["html"])

    told, least = read.output, "{{ params.least }}"
    good_enough(told, least) >> [load(told), tell_somebody(told, least)]
