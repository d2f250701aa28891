"""Partitions, twice, by Airflow's real task runner: the second time is free, and not one row is read.

What Airflow makes of a backfill, of thirty days, is held in `tests/whole_airflow/test_scheduling.py`; here is what tasks make of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.sdk import DAG

from runware_provider.groups import text_inference_group
from runware_provider.operators import TextInferenceOperator
from runware_provider.testing import LocalServer, ServerSettings
from tests.answers import total_of
from tests.spoiled import spoil_the_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"]
RECORDS = 4


@pytest.fixture
def server(api: Any) -> Iterator[LocalServer]:
    with LocalServer(ServerSettings(key=KEY, latency=0, answers=total_of)) as running:
        api.connections["runware_default"] = {"host": running.base_url, "password": KEY}
        yield running


def arguments(root: Path, day: str) -> dict[str, Any]:
    return {
        "source": f"{root}/in/ds={day}",
        "destination": f"{root}/out",
        "partition": {"ds": day},
        "prompt": "The total, {{ params.tone }}?\n{{ record.body }}",
        "output_type": {"properties": {"total": {"type": "number"}}},
        "limits": {"poll_interval_s": 0.02},
    }


def fill(root: Path) -> None:
    for day in DAYS:
        folder = root / "in" / f"ds={day}"
        folder.mkdir(parents=True)
        bodies = [f"Invoice of {day}, number {number}\nTotal: {number}.50 EUR" for number in range(RECORDS)]
        pq.write_table(pa.table({"body": bodies}), folder / "in.parquet")


def spoil(root: Path) -> None:
    for file in (root / "in").rglob("*.parquet"):
        spoil_the_rows(file)


def a_plain_task(**usual: Any) -> None:
    TextInferenceOperator(task_id="ask", **usual)


def a_group(**usual: Any) -> None:
    text_inference_group(group_id="read", shards=2, least_rows=1, **usual)


def run_plain(dag: DAG, run_task: Callable[..., Any]) -> dict[str, Any]:
    return published(run_task(dag, "ask"))


def run_group(dag: DAG, run_task: Callable[..., Any]) -> dict[str, Any]:
    for shard in range(len(run_task(dag, "read.split").xcom)):
        assert run_task(dag, "read.infer", map_index=shard).state == "success"
    return published(run_task(dag, "read.publish"))


def published(ran: Any) -> dict[str, Any]:
    assert ran.state == "success", ran.error
    told: dict[str, Any] = ran.xcom
    return told


@pytest.mark.parametrize("kind", [(a_plain_task, run_plain), (a_group, run_group)], ids=["plain", "group"])
def test_the_second_backfill_is_free_and_reads_no_row(
    server: LocalServer, api: Any, run_task: Any, tmp_path: Path, kind: Any
) -> None:
    make, run = kind
    fill(tmp_path)
    with DAG("dag", schedule=None, params={"tone": "short", "note": ""}) as dag:
        make(**arguments(tmp_path, "{{ partition_key or ds }}"))
    told = []
    for backfill in range(2):
        for day in DAYS:
            # Each has another id, and other parameters; the second one has no logical date.
            api.run_id = f"backfill__{day}__{backfill}"
            api.partition_key = day if backfill else None
            api.logical_date = None if backfill else datetime.fromisoformat(f"{day}T00:00Z")
            api.conf = {"note": f"the backfill number {backfill}"}
            told.append(run(dag, run_task))
        spoil(tmp_path)
    first, second = told[: len(DAYS)], told[len(DAYS) :]
    assert server.bill_summary()["executed"] == len(DAYS) * RECORDS
    assert [(day["paid_inferences"], day["unchanged"]) for day in first] == [(RECORDS, False)] * len(DAYS)
    assert [(day["paid_usd"], day["unchanged"]) for day in second] == [(0, True)] * len(DAYS)
    assert [day["publish_id"] for day in second] == [day["publish_id"] for day in first]
