"""Whole jobs against the local API server: what is asked, what comes out, and what is paid."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from runware_provider.engine.attempt import Kind
from runware_provider.engine.errors import BadInput, JobStopped, NothingToDo, Unreachable
from runware_provider.engine.job.run import run_job
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

NOTE = {
    "type": "function",
    "name": "note",
    "description": "Note an invoice and its total",
    "schema": {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]},
}
WEATHER = {
    "type": "function",
    "name": "weather",
    "description": "Forecast rain and sunshine",
    "schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
KEY_OF_ANOTHER = "key-of-somebody-else-000"


class Invoice(BaseModel):
    total: float


# what is asked, and what comes out


async def test_a_forced_tool_fills_the_schema(place: Any) -> None:
    place.fill(12)
    manifest = await place.run()
    place.audit(manifest, 12)
    assert manifest["outcomes"] == {"succeeded": 12}
    assert {row["inference"]["finish_reason"] for row in place.rows()} == {"tool_calls"}


async def test_a_model_with_json_mode_fills_the_schema(place: Any) -> None:
    place.fill(8)
    manifest = await place.run(model="gpt-5-nano", output_type=Invoice)
    place.audit(manifest, 8)
    assert manifest["outcomes"] == {"succeeded": 8}
    assert {row["inference"]["finish_reason"] for row in place.rows()} == {"stop"}


async def test_a_schema_asked_for_in_the_prompt_is_filled(place: Any) -> None:
    place.fill(8)
    manifest = await place.run(answers={"output_mode": "prompt"})
    place.audit(manifest, 8)
    assert manifest["outcomes"] == {"succeeded": 8}


async def test_without_a_schema_the_result_is_text(place: Any) -> None:
    place.fill(3)
    manifest = await place.run(output_type=None, prompt="Repeat it.\n<text>{{ record.body }}</text>")
    assert manifest["outcomes"] == {"succeeded": 3}
    assert all(isinstance(row["result"], str) and row["result"] for row in place.rows())


@pytest.mark.parametrize("choice", ["auto", "any", {"type": "tool", "name": "note"}])
async def test_the_users_own_tools_come_back_as_calls(place: Any, choice: Any) -> None:
    place.fill(6)
    manifest = await place.run(output_type=None, tools=[NOTE, WEATHER], tool_choice=choice)
    assert manifest["outcomes"] == {"succeeded": 6}
    for row in place.rows():
        assert [call["name"] for call in row["result"]] == ["note"]
        assert row["result"][0]["arguments"]["note"] == {"total": row["n"] + 0.5}


async def test_tools_that_must_not_be_called_leave_text(place: Any) -> None:
    place.fill(6)
    manifest = await place.run(output_type=None, tools=[NOTE], tool_choice="none")
    assert manifest["outcomes"] == {"succeeded": 6}
    assert all(isinstance(row["result"], str) for row in place.rows())


async def test_a_model_may_answer_in_words_where_no_call_is_forced(new_place: Callable[..., Any]) -> None:
    place = new_place(answers=lambda _: "nothing to see")
    place.fill(1)
    manifest = await place.run(output_type=None, tools=[WEATHER], prompt="{{ record.body }}")
    assert manifest["outcomes"] == {"succeeded": 1}
    row = place.rows()[0]
    assert row["result"] == []
    assert "nothing to see" in row["inference"]["raw"]


async def test_sync_delivery_gives_the_same_rows(new_place: Callable[..., Any]) -> None:
    results = []
    for delivery in ("poll", "sync"):
        place = new_place(delivery)
        place.fill(20)
        place.audit(await place.run(delivery=delivery), 20)
        results.append([row["result"] for row in place.rows()])
    assert results[0] == results[1]


async def test_each_sample_of_a_record_is_an_inference_and_a_row_of_its_own(place: Any) -> None:
    place.fill(4)
    manifest = await place.run(samples=3, settings={"seed": 7, "temperature": 1.0})
    assert (manifest["records"], manifest["rows"]) == (4, 12)
    assert [(row["n"], row["inference"]["sample"]) for row in place.rows()] == [
        (n, sample) for n in range(4) for sample in range(3)
    ]
    assert place.executed() == len({row["inference"]["task_uuid"] for row in place.rows()}) == 12
    raw = [json.loads(row["item"]) for row in place.ledger().values() if row["kind"] == Kind.ANSWERED]
    assert {item["seed"] for item in raw} == {7, 8, 9}


@pytest.mark.parametrize("limit", [1, 5, 6, 100, "7", "None", ""])
async def test_a_limit_takes_the_first_records(place: Any, limit: Any) -> None:
    place.fill(6)
    place.fill(6, name="b.parquet")
    expected = min(12, int(limit)) if limit not in {"None", ""} else 12
    manifest = await place.run(limit=limit, limits={"batch_rows": 4})
    assert manifest["records"] == manifest["rows"] == expected
    assert [row["n"] for row in place.rows()] == [*range(6), *range(6)][:expected]


async def test_only_the_chosen_columns_are_kept(place: Any) -> None:
    place.fill(3, extra=pa.array([{"deep": [1]}] * 3))
    await place.run(publish={"columns": ["extra", "n"]})
    assert list(place.rows()[0]) == ["extra", "n", "result", "inference"]
    assert place.rows()[2]["extra"] == {"deep": [1]}


async def test_no_column_needs_to_be_kept(place: Any) -> None:
    place.fill(3)
    await place.run(publish={"columns": []})
    assert [list(row) for row in place.rows()] == [["result", "inference"]] * 3


async def test_a_template_that_names_no_column_is_refused(place: Any) -> None:
    place.fill(3)
    with pytest.raises(BadInput, match=r"prompt: it names no column, .* the data has: n, body"):
        await place.run(prompt="Say something.", output_type=None)
    assert place.asked_nothing()


async def test_a_template_that_fails_on_every_record_is_refused_and_the_dataset_stays(place: Any) -> None:
    place.fill(3)
    await place.run()
    before, paid = place.rows(), place.executed()
    with pytest.raises(
        BadInput,
        match=r"prompt: it cannot be rendered for any of the first 3 records that are not blank: TypeError",
    ):
        await place.run(prompt="{{ record.body + 1 }}")
    assert (place.rows(), place.executed()) == (before, paid)


async def test_hive_partitions_of_the_source_are_columns(place: Any) -> None:
    for day in ("2026-01-01", "2026-01-02"):
        place.fill([f"{day}: the total is 1.50 EUR"], name=f"ds={day}/a.parquet")
    manifest = await place.run(prompt="{{ record.ds }}\n{{ record.body }}")
    assert manifest["records"] == 2
    assert [row["ds"] for row in place.rows()] == ["2026-01-01", "2026-01-02"]


async def test_one_partition_of_the_destination_is_replaced_and_the_others_stay(place: Any) -> None:
    place.fill(3)
    first = await place.run(partition={"ds": "1"})
    await place.run(partition={"ds": "2"}, limit=2)
    await place.run(partition={"ds": "2"}, limit=1)
    found = duckdb.read_parquet(f"{place.destination}/**/*.parquet", hive_partitioning=True)
    counts = found.aggregate("ds, count(*)").order("ds").fetchall()
    assert [count for _, count in counts] == [3, 1]
    assert first["destination"] == f"{place.destination}/ds=1"
    assert not list(place.destination.glob("*.parquet"))


async def test_the_rows_are_in_the_inputs_order_over_many_files_and_batches(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.02, latency_sigma=1.0, capacity=5)
    for name, start in (("b.parquet", 30), ("a.parquet", 0), ("c/d.parquet", 60)):
        bodies = [f"Invoice\nTotal: {n}.50 EUR" for n in range(start, start + 30)]
        place.put(pa.table({"n": range(start, start + 30), "body": bodies}), name)
    manifest = await place.run(limits={"batch_rows": 7, "tasks_per_request": 5})
    place.audit(manifest, 90)
    assert [file["rows"] for file in manifest["files"]] == [90]  # small batches share a part


async def test_many_small_files_are_asked_about_as_one_file_is(place: Any) -> None:
    for number in range(60):
        body = [f"Total: {number}.50 EUR"]
        place.put(pa.table({"n": [number], "body": body}), f"{number:02d}.parquet")
    manifest = await place.run()
    place.audit(manifest, 60)
    assert len(manifest["files"]) == 1


async def test_what_is_asked_identically_is_paid_once_also_across_batches(place: Any) -> None:
    place.fill(["Total: 1.50 EUR", "Total: 2.50 EUR"] * 20)
    manifest = await place.run(limits={"batch_rows": 6})
    assert manifest["outcomes"] == {"succeeded": 40}
    assert place.executed() == manifest["inferences"] == manifest["paid_inferences"] == 2
    assert manifest["cost_usd"] == pytest.approx(place.server.bill_summary()["cost_usd"])
    assert [row["result"]["total"] for row in place.rows()] == [1.5, 2.5] * 20


async def test_what_is_never_sent_is_skipped_and_says_why(place: Any) -> None:
    place.fill(["Total: 1.50 EUR", None, "  ", "x" * 2_000, "boom"])
    prompt = "{{ record.body }}{% if record.body == 'boom' %}{{ 1 // 0 }}{% endif %}"
    manifest = await place.run(prompt=prompt, limits={"max_prompt_chars": 1_000})
    assert place.outcomes() == ["succeeded", "skipped", "skipped", "skipped", "skipped"]
    assert manifest["reasons"] == {"empty": 2, "too_long": 1, "prompt_error": 1}
    assert place.executed() == 1
    assert all(row["result"] is None for row in place.rows()[1:])


async def test_a_record_that_python_cannot_hold_is_skipped_alone(place: Any) -> None:
    text = pa.array([b"Total: 1.50 EUR", b"Total: \xff EUR", b"Total: 3.50 EUR"]).view(pa.string())
    place.put(pa.table({"n": range(3), "body": text}))
    manifest = await place.run()
    assert place.server.bill_summary()["executed"] == 2
    assert manifest["outcomes"] == {"succeeded": 2, "skipped": 1}
    assert manifest["reasons"] == {"prompt_error": 1}


async def test_a_preview_shows_the_input_beside_each_answer_as_far_as_python_can_hold_it(place: Any) -> None:
    odd = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    place.put(pa.table({"odd": odd, "body": [f"Total: {number}.50 EUR" for number in range(3)]}))
    shown = await run_job(place.spec(samples=2), place.endpoint, preview=3)
    bodies = [f"Total: {number // 2}.50 EUR" for number in range(5)]
    assert shown["first_inputs"] == [
        {"odd": odd, "body": body} for odd, body in zip(("a", "a", None, None, "c"), bodies, strict=True)
    ]
    assert [row["result"]["total"] for row in shown["first_rows"]] == [0.5, 0.5, 1.5, 1.5, 2.5]


async def test_an_empty_source_is_written_as_a_typed_dataset(place: Any) -> None:
    place.fill(0)
    manifest = await place.run(publish={"on_empty": "write"})
    assert (manifest["records"], manifest["rows"], manifest["outcomes"]) == (0, 0, {})
    table = pq.read_table(place.destination)
    assert table.num_rows == 0
    assert table.schema.field("result").type == pa.struct([("total", pa.float64())])
    assert place.executed() == 0


async def test_an_empty_source_may_be_nothing_to_do(place: Any) -> None:
    place.fill(0)
    with pytest.raises(NothingToDo):
        await place.run(publish={"on_empty": "skip"})
    assert not place.destination.exists()


async def test_an_empty_source_may_be_an_error(place: Any) -> None:
    place.fill(0)
    with pytest.raises(BadInput, match="holds no record"):
        await place.run(publish={"on_empty": "fail"})
    assert place.asked_nothing()


async def test_any_reader_of_parquet_reads_the_dataset(place: Any) -> None:
    place.fill(6)
    await place.run(limits={"batch_rows": 2})
    folder = place.destination
    assert pq.read_table(folder).num_rows == 6
    assert pd.read_parquet(folder)["result"][3]["total"] == 3.5
    assert (
        pl.read_parquet(f"{folder}/*.parquet").select(pl.col("result").struct.field("total").sum()).item()
        == 18.0
    )
    found = duckdb.read_parquet(f"{folder}/*.parquet").aggregate(
        "sum(result.total), count(inference.task_uuid)"
    )
    assert found.fetchall() == [(18.0, 6)]


async def test_raw_answers_are_kept_on_request(place: Any) -> None:
    place.fill(2)
    await place.run(publish={"keep_raw": True})
    assert all("textInference" in row["inference"]["raw"] for row in place.rows())


# runs after the first


async def test_a_second_run_pays_nothing_and_says_so(place: Any) -> None:
    place.fill(10)
    first = await place.run()
    requests = place.server.bill_summary()["requests"]
    second = await place.run()
    assert (first["paid_inferences"], second["paid_inferences"], second["paid_usd"]) == (10, 0, 0)
    assert second["cost_usd"] == pytest.approx(first["cost_usd"])
    assert place.server.bill_summary()["requests"] == requests
    place.audit(second, 10)
    assert len(list(place.destination.glob("*.parquet"))) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"prompt": "How much is it?\n{{ record.body }}"},
        {"model": "qwen-3.5-plus"},
        {"settings": {"temperature": 0.5}},
        {"system_prompt": "Be exact."},
        {
            "output_type": {
                "title": "Invoice",
                "type": "object",
                "properties": {"total": {"type": ["number", "null"]}},
            }
        },
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_changed_request_is_paid_again_and_what_it_was_stays_known(
    place: Any, changes: dict[str, Any]
) -> None:
    place.fill(6)
    await place.run()
    assert (await place.run(**changes))["paid_inferences"] == 6
    assert (await place.run())["paid_inferences"] == 0
    assert place.executed() == 12


async def test_new_records_alone_are_paid(place: Any) -> None:
    place.fill(6)
    await place.run()
    place.fill(["Total: 7.50 EUR", "Total: 8.50 EUR", "Total: 9.50 EUR"], name="b.parquet")
    manifest = await place.run()
    assert (manifest["records"], manifest["paid_inferences"]) == (9, 3)
    assert place.executed() == 9


async def test_one_new_record_that_is_refused_fails_alone(place: Any) -> None:
    place.fill(6)
    await place.run()
    place.server.script(Fault("refuse_task", contains="poison", code="invalidMessages"))
    place.fill(["poison"], name="b.parquet")
    manifest = await place.run()
    assert manifest["outcomes"] == {"succeeded": 6, "failed": 1}


async def test_a_wish_to_ask_anew_is_paid_once_and_its_answers_stay(place: Any) -> None:
    place.fill(5)
    paid, generations = [], []
    for wish in (None, "one", "one", None, "two", "two", "one", None):
        manifest = await place.run(refresh=wish)
        paid.append(manifest["paid_inferences"])
        generations.append(manifest["generation"])
    assert paid == [5, 5, 0, 0, 5, 0, 0, 0]
    assert generations == [0, 1, 1, 1, 2, 2, 1, 2]
    newest = {name for name, row in place.ledger().items() if row["generation"] == 2}
    assert {row["inference"]["task_uuid"] for row in place.rows()} == newest


async def test_a_published_dataset_may_be_protected(place: Any) -> None:
    place.fill(2)
    await place.run()
    with pytest.raises(BadInput, match="published already"):
        await place.run(publish={"if_exists": "error"}, prompt="Anew: {{ record.body }}")
    assert place.executed() == 2


async def test_a_dataset_that_shrinks_leaves_no_old_part(place: Any) -> None:
    place.fill(9)
    await place.run(limits={"batch_rows": 3})
    manifest = await place.run(limit=2)
    names = {path.name for path in place.destination.iterdir()}
    assert names == {file["path"] for file in manifest["files"]} | {"_SUCCESS"}


# stops


@pytest.mark.parametrize(("delivery", "first_requests"), [("poll", 1), ("sync", 5)])
async def test_a_wrong_key_costs_the_first_requests_and_is_resumed_with_the_right_one(
    place: Any, delivery: str, first_requests: int
) -> None:
    place.fill(30)
    with pytest.raises(JobStopped) as stopped:
        await place.run(key=KEY_OF_ANOTHER, delivery=delivery)
    assert type(stopped.value).__name__ == "KeyRefused"
    bill = place.server.bill_summary()
    assert (bill["executed"], bill["requests"]) == (0, first_requests)
    assert stopped.value.manifest["still_at_vendor"] == 0
    place.audit(await place.run(delivery=delivery), 30)


async def test_a_wrong_key_twice_still_says_that_nothing_is_at_the_vendor(place: Any) -> None:
    place.fill(3)
    for _ in range(2):
        with pytest.raises(JobStopped) as stopped:
            await place.run(key=KEY_OF_ANOTHER)
        assert stopped.value.manifest["still_at_vendor"] == 0
    place.audit(await place.run(), 3)


async def test_an_empty_account_stops_with_one_refused_chunk(new_place: Callable[..., Any]) -> None:
    place = new_place(balance=0)
    place.fill(30)
    with pytest.raises(JobStopped, match="insufficientCredits") as stopped:
        await place.run()
    assert type(stopped.value).__name__ == "BalanceExhausted"
    assert place.server.bill_summary()["refused"] == {"insufficientCredits": 5}
    assert "Top up" in stopped.value.remedy


async def test_an_unknown_model_stops_with_one_refused_chunk(place: Any) -> None:
    place.fill(30)
    with pytest.raises(JobStopped, match="modelNotFound") as stopped:
        await place.run(model="no-such-model")
    assert type(stopped.value).__name__ == "ModelUnknown"
    assert place.server.bill_summary()["refused"] == {"modelNotFound": 5}
    place.audit(await place.run(), 30)


async def test_the_same_refusal_of_the_whole_first_chunk_stops_the_job(place: Any) -> None:
    place.fill(30)
    place.server.script(Fault("refuse_task", code="unsupportedParameter"))
    with pytest.raises(JobStopped, match="all 5 records of the first chunk: unsupportedParameter"):
        await place.run()
    assert place.server.bill_summary()["refused"] == {"unsupportedParameter": 5}
    place.server.clear_faults()
    place.audit(await place.run(), 30)


async def test_accepted_tasks_that_all_fail_alike_stop_the_job_and_a_later_run_asks_anew(place: Any) -> None:
    place.fill(12)
    place.server.script(Fault("fail_task", code="modelDisabled"))
    with pytest.raises(JobStopped, match="modelDisabled"):
        await place.run()
    assert place.executed() == 5
    place.server.clear_faults()
    manifest = await place.run()
    assert manifest["outcomes"] == {"succeeded": 12}
    assert place.executed() == 17


async def test_one_refused_record_of_the_first_chunk_fails_alone(place: Any) -> None:
    place.fill(12)
    place.server.script(Fault("refuse_task", contains="Shop 2 GmbH", code="invalidMessages"))
    manifest = await place.run()
    assert manifest["outcomes"] == {"succeeded": 11, "failed": 1}
    assert place.outcomes()[2] == "failed"
    assert (await place.run())["paid_inferences"] == 0


async def test_when_the_balance_runs_out_what_is_answered_is_kept_and_the_rest_comes_later(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.1)
    place.fill(60)
    place.server.script(Fault("refuse_task", after=23, code="insufficientCredits"))
    with pytest.raises(JobStopped) as stopped:
        await place.run(limits={"tasks_per_request": 4, "max_outstanding": 8, "batch_rows": 10})
    kept = stopped.value.manifest
    assert place.executed() == kept["paid_inferences"] == 23
    assert kept["paid_usd"] == pytest.approx(place.server.bill_summary()["cost_usd"])
    assert kept["still_at_vendor"] == 0
    assert (kept["status"], kept["records"]) == ("stopped", 60)
    assert not place.destination.exists()
    assert not list((place.state / "staged").rglob("*.staged"))
    place.server.clear_faults()
    manifest = await place.run()
    assert manifest["paid_inferences"] == 60 - 23
    place.audit(manifest, 60)


async def until_executed(place: Any, inferences: int, running: asyncio.Task[Any]) -> None:
    """Until the server has run so many; a job that ends before ends the wait, too."""
    while place.executed() < inferences and not running.done():
        await asyncio.wait({running}, timeout=0.01)


async def test_a_stop_is_heeded_soon_and_nothing_is_lost(new_place: Callable[..., Any]) -> None:
    place = new_place(latency=0.2, capacity=4)
    place.fill(40)
    stop = asyncio.Event()
    running = asyncio.create_task(place.run(stop=stop))
    await until_executed(place, 15, running)
    stop.set()
    with pytest.raises(JobStopped) as stopped:
        await running
    assert stopped.value.manifest["still_at_vendor"] > 0
    place.audit(await place.run(), 40)


async def test_a_store_that_fails_in_the_middle_stops_the_job_and_nothing_is_paid_twice(
    new_place: Callable[..., Any],
) -> None:
    place = new_place(latency=0.1, capacity=8)
    place.fill(60)
    running = asyncio.create_task(place.run())
    await until_executed(place, 20, running)
    ledger, aside = place.state / "ledger", place.state / "aside"
    ledger.rename(aside)
    ledger.write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError, match="ledger"):
        await running
    ledger.unlink()
    aside.rename(ledger)
    manifest = await place.run()
    place.audit(manifest, 60)
    assert place.executed() == 60


async def test_an_address_where_nobody_listens_stops_the_job_and_nothing_is_at_the_vendor(place: Any) -> None:
    place.fill(3)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
        with pytest.raises(JobStopped, match="no usable answer") as stopped:
            await place.run(base_url=nobody, limits={"unreachable_s": 0.5})
    assert stopped.value.manifest["still_at_vendor"] == 0
    place.audit(await place.run(), 3)


async def test_an_api_that_cannot_be_reached_stops_the_job(place: Any) -> None:
    place.fill(3)
    place.server.script(Fault("cut_before_work"))
    with pytest.raises(JobStopped, match="no usable answer") as stopped:
        await place.run(limits={"unreachable_s": 1.5})
    assert type(stopped.value).__name__ == "Unreachable"
    place.server.clear_faults()
    place.audit(await place.run(), 3)


@pytest.mark.parametrize("delivery", ["poll", "sync"])
async def test_an_api_that_never_has_room_stops_the_job(place: Any, delivery: str) -> None:
    place.fill(3)
    place.server.script(Fault("refuse_task", code="rateLimitExceeded"))
    with pytest.raises(Unreachable, match=r"no usable answer for 2 seconds.*no room") as stopped:
        await place.run(limits={"unreachable_s": 1.5}, delivery=delivery)
    assert (place.executed(), stopped.value.manifest["still_at_vendor"]) == (0, 0)
    place.server.clear_faults()
    place.audit(await place.run(), 3)


@pytest.mark.parametrize(
    "body", ['{"error":{"message":"Invalid URL (POST /v1)","code":null}}', '{"detail":"Not Found"}', "<html>"]
)
async def test_a_base_url_of_another_api_stops_the_job_at_once(place: Any, body: str) -> None:
    place.fill(3)
    place.server.script(Fault("refuse_request", status=404, body=body, content_type="application/json"))
    with pytest.raises(Unreachable, match=r"HTTP 404.*https://api\.runware\.ai/v1") as stopped:
        await place.run()
    assert place.server.bill_summary()["requests"] == 1
    assert stopped.value.manifest["still_at_vendor"] == 0
    assert stopped.value.manifest["maybe_billed"] == 0
    place.server.clear_faults()
    place.audit(await place.run(), 3)


async def test_an_api_that_wants_to_be_asked_tomorrow_stops_the_job(place: Any) -> None:
    place.fill(3)
    place.server.script(Fault("refuse_request", status=429, retry_after=99_999, times=1))
    with pytest.raises(Unreachable, match="99,999 seconds"):
        await place.run()
    place.audit(await place.run(), 3)


# what is told


@pytest.mark.parametrize("fails", [False, True])
async def test_neither_key_nor_prompt_nor_answer_is_ever_logged(
    place: Any, caplog: pytest.LogCaptureFixture, *, fails: bool
) -> None:
    place.fill(["the secret of Shop GmbH\nTotal: 1234.50 EUR"] * 2)
    if fails:
        place.server.script(Fault("refuse_request", status=402, code="insufficientCredits"))
    with caplog.at_level(logging.DEBUG):
        try:
            await place.run()
        except JobStopped as stopped:
            told = f"{stopped} {stopped.manifest}"
        else:
            told = ""
    told += caplog.text
    for secret in ("key-of-the-tests", "the secret of", "1234.5"):
        assert secret not in told


async def test_no_request_is_told_at_info(place: Any, caplog: pytest.LogCaptureFixture) -> None:
    place.fill(8)
    with caplog.at_level(logging.INFO):
        await place.run()
    assert [record for record in caplog.records if record.name.startswith("http")] == []


async def test_a_model_that_is_in_no_table_is_asked_with_a_warning(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(1)
    with pytest.raises(JobStopped):
        await place.run(model="somebodys-new-model")
    assert "somebodys-new-model" in caplog.text
    assert "answers.output_mode" in caplog.text


async def test_an_address_where_the_api_is_not_is_said(place: Any) -> None:
    place.fill(2)
    wrong = place.server.base_url.replace("/v1", "/v2")
    with pytest.raises(JobStopped, match="HTTP 404: there is a server, but not the API") as stopped:
        await place.run(base_url=wrong, limits={"unreachable_s": 1.0})
    assert stopped.value.manifest["records_done"] == place.executed() == 0


async def test_a_stopped_job_tells_how_many_records_are_done_and_what_they_cost(new_place: Any) -> None:
    place = new_place("poor", balance=0.0003)
    place.fill(40)
    with pytest.raises(JobStopped) as stopped:
        await place.run()
    told, bill = stopped.value.manifest, place.server.bill_summary()
    assert 0 < bill["executed"] < 40
    assert told["records_done"] == told["inferences"] == bill["executed"]
    assert told["cost_usd"] == told["paid_usd"] == pytest.approx(bill["cost_usd"], abs=1e-9)
