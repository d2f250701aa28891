"""Which records a job is about: `filters`, `limit`, `max_input_tokens`, and the few of a preview."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.run import run_job

GERMAN = [("country", "==", "de")]


def fill(place: Any, records: int = 20) -> None:
    place.fill(records, country=["de" if n % 2 else "fr" for n in range(records)])


def numbers(place: Any) -> list[int]:
    return [row["n"] for row in place.rows()]


async def test_only_chosen_records_are_asked_and_in_the_dataset(place: Any) -> None:
    fill(place)
    planned = place.plan(filters=GERMAN, limits={"batch_rows": 3})
    manifest = await place.run(filters=GERMAN, limits={"batch_rows": 3})
    assert numbers(place) == list(range(1, 20, 2))
    assert (manifest["records"], manifest["records_left_out"], place.executed()) == (10, 10, 10)
    assert [planned[name] for name in ("records", "records_left_out", "to_pay")] == [10, 10, 10]


@pytest.mark.parametrize(("limit", "batch_rows"), [(1, 3), (3, 3), (4, 5), (10, 20), (50, 7)])
async def test_a_limit_counts_the_chosen_ones(place: Any, limit: int, batch_rows: int) -> None:
    fill(place)
    changes = {"filters": GERMAN, "limit": limit, "limits": {"batch_rows": batch_rows}}
    planned = place.plan(**changes)
    manifest = await place.run(**changes)
    expected = list(range(1, 20, 2))[:limit]
    assert numbers(place) == expected
    assert planned["records"] == planned["to_pay"] == manifest["records"] == len(expected)
    assert planned["records_left_out"] == manifest["records_left_out"] == 20 - len(expected)


async def test_every_sample_of_a_chosen_record_is_asked(place: Any) -> None:
    fill(place, 6)
    manifest = await place.run(filters=[("n", ">=", 4)], samples=2)
    assert (numbers(place), manifest["rows"], place.executed()) == ([4, 4, 5, 5], 4, 4)


async def test_a_filter_that_does_not_fit_the_data_is_refused_before_anything_is_sent(place: Any) -> None:
    fill(place)
    for filters in (
        [("contry", "==", "de")],
        [("n", ">", "many")],
        [[("n", ">", 3)], [("country", "==", 1)]],
    ):
        with pytest.raises(BadInput, match="filters: "):
            await place.run(filters=filters)
    assert place.asked_nothing()


async def test_a_prompt_that_fails_on_every_chosen_record_is_refused_whichever_batch_has_the_first(
    place: Any,
) -> None:
    fill(place)
    with pytest.raises(BadInput, match="for any of the first 13 records"):
        await place.run(prompt="{{ record.n.x.y }}", filters=[("n", ">=", 7)], limits={"batch_rows": 5})
    assert place.executed() == 0


async def test_a_hive_partition_chooses_too(place: Any) -> None:
    for day in ("1", "2"):
        place.fill([f"{day}: Total: 1.50 EUR"], name=f"ds={day}/a.parquet")
    await place.run(filters=[("ds", "==", "2")])
    assert [row["body"][0] for row in place.rows()] == ["2"]


async def test_where_nothing_is_chosen_the_dataset_is_empty_and_typed(place: Any) -> None:
    fill(place)
    manifest = await place.run(filters=[("n", ">", 100)], limits={"batch_rows": 6})
    assert (manifest["records"], manifest["rows"], manifest["records_left_out"]) == (0, 0, 20)
    assert place.rows() == []
    assert place.asked_nothing()


@pytest.mark.parametrize("limit", [None, 3])
async def test_the_total_of_the_progress_is_never_below_what_is_done(place: Any, limit: int | None) -> None:
    fill(place, 60)
    seen: list[Any] = []
    changes = {"filters": GERMAN, "limit": limit, "limits": {"batch_rows": 5}}
    await run_job(place.spec(**changes), place.endpoint, report=seen.append)
    assert all(0 <= one.done <= one.total for one in seen)
    assert seen[-1].done == seen[-1].total == (limit or 30)


async def test_requests_that_are_too_long_are_skipped_and_never_sent(place: Any) -> None:
    place.fill(["short: Total: 1.50 EUR", "long " * 2_000, "short: Total: 3.50 EUR"])
    planned = place.plan(limits={"max_input_tokens": 1_000})
    manifest = await place.run(limits={"max_input_tokens": 1_000})
    assert manifest["outcomes"] == {"skipped": 1, "succeeded": 2}
    assert place.rows()[1]["inference"]["error_code"] == "too_many_tokens"
    assert (place.executed(), planned["to_pay"], planned["skipped"]) == (2, 2, {"too_many_tokens": 1})


async def test_a_text_chooses_by_the_day_of_a_record(place: Any) -> None:
    place.fill(3, day=pa.array([date(2026, 1, day) for day in (1, 2, 3)]), total=pa.array([1.0, None, 3.5]))
    await place.run(filters=[("day", ">=", "2026-01-02"), ("total", ">", "3")])
    assert numbers(place) == [2]


# a preview


async def test_a_preview_asks_a_few_records_spread_over_the_source_and_tells_what_they_cost(
    place: Any,
) -> None:
    fill(place, 60)
    shown = await run_job(place.spec(), place.endpoint, preview=6)
    assert (shown["status"], shown["records"], place.executed()) == ("preview", 6, 6)
    assert len(shown["priced"]) == 6
    assert not place.destination.exists()
    totals = sorted(row["result"]["total"] for row in shown["first_rows"])
    assert totals[-1] - totals[0] >= 30
    assert (await place.run())["paid_inferences"] == 54


async def test_a_preview_takes_the_first_chosen_ones(place: Any) -> None:
    fill(place)
    shown = await run_job(place.spec(filters=GERMAN), place.endpoint, preview=3)
    assert [row["result"]["total"] for row in shown["first_rows"]] == [1.5, 3.5, 5.5]


async def test_a_preview_of_nothing_asks_nothing(place: Any) -> None:
    place.fill(0)
    shown = await run_job(place.spec(), place.endpoint, preview=3)
    assert (shown["records"], shown["first_rows"]) == (0, [])
    assert place.asked_nothing()


# says so first


async def test_a_changed_prompt_says_how_much_is_to_be_paid_and_why(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fill(place, 7)
    await place.run()
    await place.run()
    assert "Why: " not in caplog.text
    await place.run(prompt="The total, please:\n{{ record.body }}")
    assert "To ask: 7 inferences." in caplog.text
    assert "Why: since the last publish the prompt changed." in caplog.text
