"""Whole jobs with source, dataset and state on an object store, through a proxy that misbehaves as networks and stores do."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.replaced_parts import open_part
from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.run_records import record_path
from tests.engine.cloud import RECORDS, Cloud
from tests.s3.proxy import IgnoreConditions, LoseReply, Refuse, StaleListing


async def test_a_job_reads_and_writes_a_bucket_and_its_second_run_pays_nothing(cloud: Cloud) -> None:
    cloud.fill()
    cloud.audit(await cloud.run())
    again = await cloud.run()
    cloud.audit(again)
    assert (again["paid_inferences"], again["paid_usd"]) == (0, 0)


async def test_a_run_with_nothing_to_do_touches_no_part_and_asks_for_little(s3_cloud: Cloud) -> None:
    s3_cloud.fill()
    first = await s3_cloud.run()
    before = len(s3_cloud.proxy.seen)
    again = await s3_cloud.run()
    asked = [seen.request for seen in s3_cloud.proxy.seen[before:]]
    s3_cloud.audit(again)
    assert (again["publish_id"], again["unchanged"]) == (first["publish_id"], True)
    written = [request.key for request in asked if request.method in {"PUT", "DELETE"}]
    written = [key for key in written if "/.conditions-" not in key]
    staged, leases = "lake.state/staged/", "lake.state/leases/"
    others = [key for key in written if not key.startswith((staged, leases))]
    # What is to be seen of the run is the least of it: one record, and the history of the place.
    record = record_path(s3_cloud.storage, "lake.state", "")
    # A run that takes two seconds, as on a busy machine, has a record of how far it is, too.
    assert sorted(set(others)) == sorted(["lake.state/manifest.json", record, "lake.state/history.json"])
    assert [name for name in others if name != record] == [
        "lake.state/manifest.json",
        "lake.state/history.json",
    ]
    looked_at = [request.key for request in asked if request.method in {"GET", "HEAD"}]
    seen_of_it = [record, "lake.state/history.json"]
    assert [key for key in looked_at if key in seen_of_it] == ["lake.state/history.json"]
    assert sum(key.startswith(leases) for key in written) == 2  # taken, and given back
    assert not any(key.startswith(staged) for key in written)
    output = re.compile(r"lake(/|$)|lake\.state/(manifest|staged|replaced)")
    assert (
        sum(output.match(request.key or request.query.get("prefix", "")) is not None for request in asked)
        <= 16
    )


async def test_what_is_to_be_seen_of_a_run_with_nothing_to_do_costs_five_requests_and_one_more_from_the_second_on(
    s3_cloud: Cloud,
) -> None:
    s3_cloud.fill()
    await s3_cloud.run(run="one")
    asked: list[list[str]] = []
    for run in ("two", "three", "four"):
        before = len(s3_cloud.proxy.seen)
        await s3_cloud.run(run=run)
        asked.append([_told(seen.request) for seen in s3_cloud.proxy.seen[before:]])
    of_records = [Counter(told for told in each if "/" in told) for each in asked]
    # A run that takes two seconds, as on a busy machine, has a record of how far it is, too.
    for counts in of_records:
        counts["PUT /runs/"] = min(counts["PUT /runs/"], 1)
    once = {"GET /runs/": 1, "PUT /runs/": 1, "HEAD /requests/": 1, "GET /history": 1, "PUT /history": 1}
    # The line of the run before goes out of the history; whether its record is to go, too, a listing tells.
    assert of_records == [once, {**once, "LIST /runs/": 1}, {**once, "LIST /runs/": 1}]


def _told(request: Any) -> str:
    """Of a request about what is to be seen of a run, its method and the folder or file."""
    place = re.search(
        r"lake\.state(/runs/|/requests/|/history)", request.key or request.query.get("prefix", "")
    )
    if place is None:
        return ""
    return f"{request.method if request.key else 'LIST'} {place[1]}"


async def test_a_replaced_part_can_be_read_by_the_manifest_before(s3_cloud: Cloud) -> None:
    s3_cloud.fill()
    first = await s3_cloud.run()
    await s3_cloud.run(limit=3)
    with open_part(s3_cloud.storage, first["destination"], first["state"], first["files"][0]["path"]) as file:
        assert pq.read_table(file).num_rows == RECORDS


async def test_a_second_run_pays_nothing_though_the_listing_shows_nothing_of_the_state(
    s3_cloud: Cloud,
) -> None:
    s3_cloud.fill()
    await s3_cloud.run()
    s3_cloud.proxy.add(StaleListing(frozen=()), key=r"lake\.state")
    again = await s3_cloud.run()
    assert again["paid_inferences"] == 0
    s3_cloud.proxy.clear()
    s3_cloud.audit(again)


async def test_a_stale_listing_of_the_dataset_leaves_no_part_of_an_older_publish(s3_cloud: Cloud) -> None:
    s3_cloud.fill()
    await s3_cloud.run()
    s3_cloud.proxy.add(StaleListing(without_newest=3), key=r"lake/$|lake$")
    again = await s3_cloud.run(settings={"temperature": 0.5})
    s3_cloud.proxy.clear()
    assert len(s3_cloud.rows(again)) == RECORDS


async def test_a_listing_that_shows_nothing_of_the_dataset_leaves_no_part_of_an_older_publish(
    s3_cloud: Cloud,
) -> None:
    s3_cloud.fill()
    await s3_cloud.run()
    s3_cloud.proxy.add(StaleListing(frozen=()), key=r"lake/$|lake$")
    again = await s3_cloud.run(settings={"temperature": 0.5})
    s3_cloud.proxy.clear()
    assert len(s3_cloud.rows(again)) == RECORDS


async def test_every_lost_reply_to_a_write_is_known_to_have_been_ours(cloud: Cloud) -> None:
    cloud.fill()
    rule = cloud.proxy.add(LoseReply(), method="PUT", skip=1, times=4)
    manifest = await cloud.run()
    assert rule.met == 4
    cloud.audit(manifest)


async def test_a_throttled_store_is_waited_for(cloud: Cloud) -> None:
    cloud.fill()
    rule = cloud.proxy.add(Refuse(503, "SlowDown"), skip=5, times=3)
    cloud.audit(await cloud.run())
    assert rule.met == 3


async def test_a_store_that_ignores_conditions_is_refused_before_anything_is_paid(s3_cloud: Cloud) -> None:
    s3_cloud.fill()
    s3_cloud.proxy.add(IgnoreConditions())
    with pytest.raises(BadInput, match="does not refuse to create what exists"):
        await s3_cloud.run()
    assert s3_cloud.place.asked_nothing()


async def test_a_state_folder_in_another_store_is_refused(cloud: Cloud) -> None:
    cloud.fill()
    with pytest.raises(BadInput, match="does not lie in the destination's store"):
        await cloud.run(memory={"state": str(cloud.place.root / "state")})
    assert cloud.place.asked_nothing()


async def test_failures_go_to_a_dataset_of_their_own_in_a_bucket_as_well(s3_cloud: Cloud) -> None:
    s3_cloud.fill()
    manifest = await s3_cloud.run(failures={"dataset": f"{s3_cloud.url}/failures"})
    s3_cloud.audit(manifest)
    assert manifest["failures"] == {"destination": f"{s3_cloud.url}/failures", "rows": 0}
    names = [entry.path.rpartition("/")[2] for entry in s3_cloud.storage.list(f"{s3_cloud.url}/failures")]
    assert sorted(name.partition("-")[0] for name in names) == ["_SUCCESS", "part"]


async def test_partitions_are_held_against_each_others_schemas_and_a_lost_reply_notes_one_once(
    s3_cloud: Cloud,
) -> None:
    s3_cloud.fill(3)
    rule = s3_cloud.proxy.add(LoseReply(), method="PUT", key=r"schemas\.json", times=1)
    for day in ("1", "2"):
        await s3_cloud.run(partition={"ds": day})
    assert rule.met == 1
    record = json.loads(s3_cloud.storage.read(f"{s3_cloud.url}/lake.state/schemas.json"))
    assert [one["partition"] for one in record["schemas"]] == ["ds=1"]
    other = {"type": "object", "properties": {"total": {"type": "string"}}}
    with pytest.raises(BadInput, match="against ds=1"):
        await s3_cloud.run(partition={"ds": "3"}, output_type=other)
