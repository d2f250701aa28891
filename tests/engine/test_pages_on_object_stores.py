"""The pages of a job whose dataset and state are on an object store: what is shown, how little is asked, what a refusal does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.publishing_shards import publish_shards
from runware_provider.engine.job.run_records import record_path
from runware_provider.engine.job.splitting import split_shards
from runware_provider.testing import Fault
from tests.engine.cloud import RECORDS, Cloud
from tests.pages.stand_in import AT, EDITOR, Served, run_name, served
from tests.s3.proxy import Refuse

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from runware_provider.pages.run_view import TaskAt

WRONG = Fault("break_schema", contains="Shop 7 GmbH")


def pages_of(cloud: Cloud) -> AbstractContextManager[Served]:
    stores = cloud.stores
    return served(cloud.url, stores=lambda: stores)


def pushed(cloud: Cloud, at: TaskAt = AT, run: str | None = None) -> dict[str, Any]:
    return {
        "output": f"{cloud.url}/lake",
        "state": f"{cloud.url}/lake.state",
        "run": run or run_name(at),
    }


async def test_a_run_and_its_failed_records_are_shown(cloud: Cloud) -> None:
    cloud.place.server.script(WRONG)
    cloud.fill(RECORDS)
    await cloud.run(run=run_name())

    def look() -> tuple[str, str, str, str]:
        with pages_of(cloud) as pages:
            pages.airflow.add(pushed(cloud), state="success")
            leaves = ("", "/failed", "/asked")
            run, failed, asked = (pages.get(f"{AT.path}{leaf}", token=EDITOR).text for leaf in leaves)
            return run, failed, asked, pages.get("/").text

    run, failed, asked, listed = await asyncio.to_thread(look)
    assert "Published:" in run
    assert "Shop 7 GmbH" in failed
    assert "runware run --request" in failed
    assert "What is the total?" in asked
    assert f"{cloud.url}/" in listed


async def test_a_page_costs_four_requests_and_none_of_them_touches_the_dataset(s3_cloud: Cloud) -> None:
    s3_cloud.fill(RECORDS)
    await s3_cloud.run(run=run_name())
    before = len(s3_cloud.proxy.seen)

    def look() -> str:
        with pages_of(s3_cloud) as pages:
            pages.airflow.add(pushed(s3_cloud), state="success")
            return pages.get().text

    assert "Published:" in await asyncio.to_thread(look)
    asked = [seen.request for seen in s3_cloud.proxy.seen[before:]]
    touched = [request.query.get("prefix", "") if request.is_listing else request.key for request in asked]
    # What is not there is looked for once more, by a listing: the bucket might be what is missing.
    report = "lake.state/reports/report.html"
    record = record_path(s3_cloud.storage, "lake.state", run_name())
    assert sorted(touched) == sorted(["lake.state/history.json", record, report, report])


async def test_the_shards_of_a_group_stand_side_by_side(s3_cloud: Cloud) -> None:
    s3_cloud.fill(RECORDS)
    at = replace(AT, task_id="read.publish")
    run = f"{at.dag_id}/read/{at.run_id}/-1"
    spec = s3_cloud.place.spec(source=f"{s3_cloud.url}/docs", destination=f"{s3_cloud.url}/lake", run=run)
    where = {"stores": s3_cloud.stores}
    cut = await split_shards(spec, s3_cloud.place.endpoint, shards=2, least_rows=1, **where)
    for each in cut:
        await infer_shard(spec, s3_cloud.place.endpoint, split=each["split"], shard=each["shard"], **where)
    await publish_shards(spec, s3_cloud.place.endpoint, split=cut[0]["split"], **where)

    def look() -> str:
        with pages_of(s3_cloud) as pages:
            pages.airflow.add(pushed(s3_cloud, at, run), at, state="success")
            return pages.get(at.path).text

    told = await asyncio.to_thread(look)
    assert "2 shards: 2 done." in told
    assert "40 of 40 rows succeeded" in told


async def test_a_store_that_refuses_is_told_in_a_sentence_without_its_words(s3_cloud: Cloud) -> None:
    s3_cloud.fill(RECORDS)
    await s3_cloud.run(run=run_name())
    s3_cloud.proxy.add(Refuse(403), method="GET")
    s3_cloud.proxy.add(Refuse(403), method="HEAD")

    def look() -> tuple[int, str]:
        with pages_of(s3_cloud) as pages:
            pages.airflow.add(pushed(s3_cloud), state="success")
            reply = pages.get()
            return reply.status_code, reply.text

    status, told = await asyncio.to_thread(look)
    assert status == 200
    assert "The store cannot be read" in told
    assert "AccessDenied" not in told
    assert "as the test asked" not in told
