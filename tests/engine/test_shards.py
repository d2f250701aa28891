"""A job in shards, over a real socket: any number of processes share it, and it comes to what one process comes to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from runware_provider.engine.errors import BadInput, NothingToDo, Overtaken, TooManyFailed, how_far
from runware_provider.engine.job.current_split import LEAVE, WhyUnwanted
from runware_provider.engine.job.forget_place import forget_place
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.opening import check_run
from runware_provider.engine.job.publishing_shards import publish_shards
from runware_provider.engine.job.split_record import present_split, set_split
from runware_provider.engine.job.splitting import split_shards
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.testing import Fault
from tests.engine.conftest import body_of
from tests.engine.test_nothing_changed import source_file
from tests.holding_server import HELD_DEADLINE_S, held
from tests.spoiled import spoil_the_rows

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDS = 60
FEW = {"least_rows": 1}


async def split(place: Any, shards: int = 4, **changes: Any) -> list[dict[str, Any]]:
    return await split_shards(place.spec(**changes), place.endpoint, shards=shards, **FEW)


async def infer(place: Any, shard: dict[str, Any], stop: Any = None, **changes: Any) -> dict[str, Any]:
    return await infer_shard(
        place.spec(**changes), place.endpoint, split=shard["split"], shard=shard["shard"], stop=stop
    )


async def publish(place: Any, shards: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return await publish_shards(place.spec(**changes), place.endpoint, split=shards[0]["split"])


async def all_three(place: Any, shards: int = 4, **changes: Any) -> dict[str, Any]:
    cut = await split(place, shards, **changes)
    await asyncio.gather(*(infer(place, shard, **changes) for shard in cut))
    return await publish(place, cut, **changes)


def numbers(place: Any) -> list[int]:
    return [row["n"] for row in place.rows()]


async def test_the_rows_are_those_of_a_plain_run_and_the_bill_is_known(new_place: Callable[..., Any]) -> None:
    place = new_place(latency=0.05)
    place.fill(RECORDS)
    manifest = await all_three(place, 7)
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert (manifest["records"], manifest["rows"]) == (RECORDS, RECORDS)
    assert manifest["paid_inferences"] == RECORDS == place.executed()
    assert (
        manifest["cost_usd"]
        == pytest.approx(manifest["paid_usd"])
        == pytest.approx(manifest["cost_usd_ever"])
    )
    assert numbers(place) == list(range(RECORDS))
    whole = place.rows()
    plain = await place.run()
    assert plain["paid_inferences"] == 0
    assert plain["reused_inferences"] == RECORDS
    assert place.executed() == RECORDS
    assert [row["result"] for row in place.rows()] == [row["result"] for row in whole]
    assert [row["inference"]["task_uuid"] for row in place.rows()] == [
        row["inference"]["task_uuid"] for row in whole
    ]


async def test_a_split_says_what_each_shard_is_and_the_same_source_is_cut_the_same_way(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    for name in ("a.parquet", "b.parquet", "c.parquet"):
        place.fill(20, name)
    first = await split(place, 3)
    assert [shard["label"] for shard in first] == [f"{name}.parquet · 20 rows" for name in "abc"]
    assert len(json.dumps(first)) < 120 * len(first)
    assert await split(place, 3) == first
    assert place.asked_nothing()
    (whole,) = await split_shards(place.spec(), place.endpoint)
    assert whole["label"] == "a.parquet to c.parquet · 60 rows"


async def test_what_is_done_is_not_asked_again_and_a_publish_again_says_the_same(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    cut = await split(place)
    told = [await infer(place, shard) for shard in cut]
    assert sum(shard["paid_inferences"] for shard in told) == RECORDS
    requests = place.server.bill_summary()["requests"]
    again = await infer(place, cut[2])
    assert (again["rows"], again["paid_inferences"]) == (told[2]["rows"], 0)
    assert place.server.bill_summary()["requests"] == requests
    first = await publish(place, cut)
    second = await publish(place, cut)
    assert second["unchanged"]
    assert second["publish_id"] == first["publish_id"]


async def test_another_run_of_the_same_work_finds_all_shards_done_and_reads_no_row(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    first = await all_three(place, run="one", variables={"run_id": "one", "ds": "2026-01-02"})
    requests = place.server.bill_summary()["requests"]
    spoil_the_rows(source_file(place))
    again = await all_three(place, run="two", variables={"run_id": "two", "ds": "2026-01-03"})
    assert (again["unchanged"], again["publish_id"]) == (True, first["publish_id"])
    assert again["paid_inferences"] == 0
    assert place.server.bill_summary()["requests"] == requests


class Total(BaseModel):
    total: float | None


def rewrite_the_source(place: Any) -> None:
    file = source_file(place)
    file.write_bytes(file.read_bytes())


@pytest.mark.parametrize("change", [{"output_type": Total}, {"memory": {"retention_days": 1}}, None])
async def test_rows_that_may_have_become_others_are_gone_through_by_the_next_run(
    new_place: Callable[..., Any], change: dict[str, Any] | None
) -> None:
    place = new_place()
    place.fill(RECORDS)
    changes = change or {}
    await all_three(place, run="one", **changes)
    if change is None:
        rewrite_the_source(place)
    spoil_the_rows(source_file(place))
    if change is not None:
        await all_three(place, run="one", **changes)  # cleared: it is the same run
    with pytest.raises(BadInput, match="source"):
        await all_three(place, run="two", **changes)


async def test_runs_of_the_same_work_at_once_share_the_shards(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(RECORDS)
    told = await asyncio.gather(*(all_three(place, run=run, variables={"run_id": run}) for run in "ab"))
    assert [manifest["outcomes"] for manifest in told] == [{"succeeded": RECORDS}] * 2
    assert sum(manifest["paid_inferences"] for manifest in told) == RECORDS == place.executed()


async def test_a_publish_names_the_shards_that_are_not_done(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(RECORDS)
    cut = await split(place)
    await infer(place, cut[1])
    with pytest.raises(BadInput, match="3 of 4 shards are not done: 0, 2, 3"):
        await publish(place, cut)
    assert not place.destination.exists()


async def test_a_source_or_a_request_that_changed_since_the_split_is_refused_before_it_is_paid(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    cut = await split(place)
    with pytest.raises(BadInput, match="what is asked changed"):
        await infer(place, cut[0], prompt="Else?\n{{ record.body }}")
    with pytest.raises(BadInput, match="what is asked changed"):
        await infer(place, cut[0], filters=[("n", ">", 3)])
    place.fill(RECORDS + 1)
    with pytest.raises(BadInput, match="changed since it was cut"):
        await infer(place, cut[0])
    place.fill(RECORDS)
    with pytest.raises(BadInput, match="has the shards 0 to 3"):
        await infer(place, {"split": cut[0]["split"], "shard": 4})
    with pytest.raises(BadInput, match="has no split 'nonsense'"):
        await infer(place, {"split": "nonsense", "shard": 0})
    assert place.asked_nothing()


async def test_of_two_processes_at_one_shard_one_asks_and_the_other_finds_it_done(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.3)
    place.fill(RECORDS)
    cut = await split(place, 2)
    told = await asyncio.gather(*(infer(place, cut[0]) for _ in range(3)))
    assert sorted(shard["paid_inferences"] for shard in told) == [0, 0, RECORDS // 2]
    assert place.executed() == RECORDS // 2


async def test_a_changed_source_is_cut_anew_and_what_was_answered_moves_with_it(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    await all_three(place, 4)
    first = {row["n"]: row["inference"]["task_uuid"] for row in place.rows()}
    place.fill([body_of(n) for n in range(RECORDS)] + [body_of(n + 1000) for n in range(10)])
    manifest = await all_three(place, 5)
    assert manifest["paid_inferences"] == 10
    assert place.executed() == RECORDS + 10
    assert manifest["outcomes"] == {"succeeded": RECORDS + 10}
    assert {row["n"]: row["inference"]["task_uuid"] for row in place.rows()}.items() >= first.items()
    assert manifest["cost_usd_ever"] == pytest.approx(manifest["cost_usd"] + manifest["reused_usd"])


async def test_shards_take_over_from_a_plain_run_and_a_plain_run_from_shards(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    await place.run(limit=30)
    assert (await all_three(place))["paid_inferences"] == 30
    place.fill(RECORDS + 5)
    assert place.plan()["to_pay"] == 5
    assert (await place.run())["paid_inferences"] == 5
    assert (await all_three(place))["paid_inferences"] == 0
    assert place.executed() == RECORDS + 5


@pytest.mark.parametrize("second", ["shards", "plain"])
async def test_what_a_killed_shard_has_in_doubt_is_collected_before_another_ledger_goes_on(
    new_shared_place: Callable[..., Any], second: str
) -> None:
    place = new_shared_place(f"killed-{second}", latency=1.5)
    place.fill(RECORDS)
    words = place.arguments("shards")[1:]
    command = ["shards", "split", *words, "--shards", "2", "--least-rows", "1"]
    cut = json.loads((await asyncio.to_thread(place.call, *command)).stdout)
    arguments = ["shards", "infer", *words, "--split", cut[0]["split"], "--shard", "0"]
    with place.start(*arguments) as process:
        async with asyncio.timeout(60):
            while not place.executed():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        process.kill()
        process.communicate()
    sent = place.executed()
    assert sent
    if second == "plain":
        manifest = json.loads((await asyncio.to_thread(place.call, *place.arguments("run"))).stdout)
    else:
        manifest = await all_three(place, 3, failures={"most": None})
    assert place.executed() == RECORDS
    assert place.server.bill_summary()["requests_executed_again"] == 0
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert manifest["cost_usd_ever"] == pytest.approx(manifest["cost_usd"] + manifest["reused_usd"])
    assert numbers(place) == list(range(RECORDS))


async def test_a_plain_run_stops_the_shards_and_a_late_shard_is_told_so(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.1)
    place.fill(RECORDS)
    cut = await split(place)
    await infer(place, cut[0])
    assert (await place.run())["outcomes"] == {"succeeded": RECORDS}
    with pytest.raises(BadInput, match="a plain run took over"):
        await infer(place, cut[1])
    with pytest.raises(BadInput, match="a plain run took over"):
        await publish(place, cut)
    assert place.executed() == RECORDS


@pytest.mark.parametrize(
    ("second", "told"), [("split", "the source was cut anew"), ("plain", "or a plain run takes over")]
)
async def test_a_shard_that_is_at_work_stops_when_another_verb_takes_over_and_says_which(
    new_place: Callable[..., Any], second: str, told: str
) -> None:
    place = new_place(latency=0.2)
    place.server.script(held("Shop 7 "))
    place.fill(RECORDS)
    quick = {"limits": {"lease_s": 4.0, "deadline_s": HELD_DEADLINE_S}}
    cut = await split(place, 2, **quick)
    working = asyncio.create_task(infer(place, cut[0], **quick))
    # Its last answer does not come before it has been told to stop.
    working.add_done_callback(lambda _: place.server.let_go())
    async with asyncio.timeout(60):
        while not place.executed():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.01)
    if second == "split":
        manifest = await all_three(place, 3, **quick)
    else:
        manifest = await place.run(**quick)
    with pytest.raises(Overtaken, match=told) as stopped:
        await working
    assert stopped.value.remedy == LEAVE
    assert "still_at_vendor" in how_far(stopped.value)
    assert manifest["outcomes"] == {"succeeded": RECORDS}
    assert place.executed() == RECORDS


async def test_who_took_over_a_split_is_told(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(RECORDS)
    prepared = check_run(place.spec(), place.endpoint, preview=None, stores=None).prepared
    storage, folder = prepared.storage, prepared.state_folder
    await split(place, 2)
    current = present_split(storage, folder)
    assert current is not None
    why_unwanted = WhyUnwanted(storage, folder, current)
    assert why_unwanted() is None
    told = {}
    for state in ("preparing", "left"):
        set_split(storage, folder, replace(current, state=state))
        told[state] = str(why_unwanted())
    await split(place, 3)
    told["another"] = str(why_unwanted())
    assert told == {
        "preparing": "the source is being cut anew, or a plain run takes over",
        "left": "a plain run took over",
        "another": "the source was cut anew",
    }


async def test_too_many_failures_are_counted_over_all_shards(new_place: Callable[..., Any]) -> None:
    place = new_place(faults=(Fault("refuse_task", contains="0 GmbH", code="contentPolicyViolation"),))
    place.fill(RECORDS)
    cut = await split(place, 4, failures={"most": 4})
    for shard in cut:
        await infer(place, shard, failures={"most": 4})
    with pytest.raises(TooManyFailed, match="6 of 60 rows failed, where 4 may"):
        await publish(place, cut, failures={"most": 4})
    assert not place.destination.exists()


async def test_the_failures_of_all_shards_are_one_dataset(new_place: Callable[..., Any]) -> None:
    place = new_place(faults=(Fault("refuse_task", contains="0 GmbH", code="contentPolicyViolation"),))
    place.fill(RECORDS)
    manifest = await all_three(place, 4, failures={"dataset": str(place.root / "failed")})
    assert manifest["failures"]["rows"] == 6
    assert [row["n"] for row in place.rows(place.root / "failed")] == [0, 10, 20, 30, 40, 50]


async def test_a_budget_is_dealt_out_and_never_exceeded(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(400)
    whole = await place.run(destination=str(place.root / "measured"), memory={"state": None})
    usd = whole["cost_usd"] / 2
    changes = {"budget": {"usd": usd, "when_short": "partial", "usd_per_million": (0.435, 0.87)}, "run": "r"}
    manifest = await all_three(place, 4, **changes)
    assert 0.5 * usd < manifest["paid_usd"] <= 1.02 * usd
    assert manifest["outcomes"]["skipped"] + manifest["outcomes"]["succeeded"] == 400


async def test_forgetting_reaches_every_shard_and_what_was_forgotten_is_asked_again(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    await all_three(place, 4)
    uuids = [row["inference"]["task_uuid"] for row in place.rows()]
    chosen = [uuids[0], uuids[-1], "00000000-0000-4000-8000-000000000000"]
    told = forget_place(LocalStorage(), str(place.state), task_uuids=chosen)
    assert (told["answers"], sorted(told["task_uuids"])) == (2, sorted(chosen[:2]))
    assert told["unknown_task_uuids"] == chosen[2:]
    manifest = await all_three(place, 4)
    assert (manifest["paid_inferences"], place.executed()) == (2, RECORDS + 2)


async def test_what_another_split_left_is_swept(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(RECORDS)
    await all_three(place, 2)
    place.fill(RECORDS + 2)
    await all_three(place, 2)
    for shard in (place.state / "shards").iterdir():
        (done,) = shard.glob("done-*.json")
        named = {batch["path"] for batch in json.loads(done.read_text(encoding="utf-8"))["batches"]}
        for staged in shard.rglob("*.staged"):
            os.utime(staged, (0, 0))
        assert named <= {str(path) for path in shard.rglob("*.staged")}
    await all_three(place, 2, refresh="anew")
    for shard in (place.state / "shards").iterdir():
        assert len(list(shard.rglob("*.staged"))) == 1


@pytest.mark.parametrize("records", [0, 1, 3])
async def test_few_records_have_few_shards(new_place: Callable[..., Any], records: int) -> None:
    place = new_place()
    place.put(
        pa.table(
            {
                "n": pa.array(range(records), pa.int64()),
                "body": pa.array(map(body_of, range(records)), pa.string()),
            }
        )
    )
    manifest = await all_three(place, 8)
    assert manifest["rows"] == records == len(place.rows())
    if not records:
        with pytest.raises(NothingToDo):
            await split(place, publish={"on_empty": "skip"})


async def test_filters_and_partitions_go_with_shards_and_a_limit_with_filters_does_not(
    new_place: Callable[..., Any],
) -> None:
    place = new_place()
    place.fill(RECORDS)
    manifest = await all_three(place, 3, filters=[("n", ">=", 30)], partition={"ds": "1"})
    assert manifest["records"] == 30
    assert manifest["records_left_out"] == 30
    assert [row["n"] for row in place.rows(place.destination / "ds=1")] == list(range(30, 60))
    assert (await all_three(place, 3, limit=10, partition={"ds": "2"}))["records"] == 10
    with pytest.raises(BadInput, match="limit"):
        await split(place, limit=3, filters=[("n", ">", 3)])


async def test_refresh_asks_every_shard_anew_once(new_place: Callable[..., Any]) -> None:
    place = new_place()
    place.fill(20)
    await all_three(place, 2)
    assert (await all_three(place, 2, refresh="anew"))["paid_inferences"] == 20
    assert place.executed() == 40
    assert (await all_three(place, 2, refresh="anew"))["paid_inferences"] == 0 or place.executed() == 40
    assert place.executed() == 40


async def test_sixteen_processes_of_which_some_are_killed_share_a_job_by_the_command_line(
    new_shared_place: Callable[..., Any],
) -> None:
    place = new_shared_place("sixteen", latency=0.05)
    place.server.script(Fault("slow_registration", seconds=1.0))
    place.fill(320)
    words = place.arguments("shards")[1:]
    command = ["shards", "split", *words, "--least-rows", "1"]
    cut = json.loads((await asyncio.to_thread(place.call, *command)).stdout)
    assert len(cut) == 16
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(
                place.start("shards", "infer", *words, "--split", one["split"], "--shard", str(one["shard"]))
            )
            for one in cut
        ]
        # Some die in the middle; whoever starts processes starts them again.
        for number in range(0, 16, 3):
            running[number].kill()
        told = [await asyncio.to_thread(process.communicate, timeout=100) for process in running]
    for number, one in enumerate(cut):
        if running[number].returncode == 0:
            continue
        assert number % 3 == 0, told[number]
        again = ("shards", "infer", *words, "--split", one["split"], "--shard", str(one["shard"]))
        ended = await asyncio.to_thread(place.call, *again)
        assert ended.returncode == 0, ended.stderr
    published = await asyncio.to_thread(place.call, "shards", "publish", *words, "--split", cut[0]["split"])
    assert published.returncode == 0, published.stderr
    manifest = json.loads(published.stdout)
    assert manifest["outcomes"] == {"succeeded": 320}
    assert place.executed() == 320
    assert place.server.bill_summary()["requests_executed_again"] == 0
    assert numbers(place) == list(range(320))
    assert pq.read_metadata(next(place.destination.glob("*.parquet"))).num_rows == 320
