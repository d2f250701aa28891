"""A run whose rows are published already publishes nothing, and says what it did all the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.run import run_job
from runware_provider.engine.job.still_published import MADE_OF
from runware_provider.engine.memory.forgetting import forget
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.testing import Fault
from tests.spoiled import spoil_the_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAULTS = (
    Fault("break_schema", contains="broken"),
    Fault("refuse_task", contains="refused", code="invalidMessages"),
    Fault("content_filter", contains="filtered"),
)
BODIES = ["plain", "broken", None, "refused", "filtered", "plain", "plain"]


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Which files there are; one that was written anew is another one."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def published(place: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((place.state / "manifest.json").read_text(encoding="utf-8"))
    return manifest


async def test_a_run_with_nothing_to_do_leaves_the_dataset_as_it_is(place: Any) -> None:
    place.server.script(*FAULTS)
    place.fill([body and f"{body} {n}\nTotal: {n}.50 EUR" for n, body in enumerate(BODIES)])
    failed = place.root / "failed"
    wanted = {
        "failures": {"dataset": str(failed)},
        "samples": 2,
        "answers": {"output_retries": 1},
        "limits": {"batch_rows": 2},
    }
    first = await place.run(**wanted)
    before = files(place.destination), files(failed)
    rows = place.rows()
    again = await place.run(**wanted)
    assert (files(place.destination), files(failed)) == before
    assert (first["unchanged"], again["unchanged"]) == (False, True)
    assert (again["publish_id"], again["files"]) == (first["publish_id"], first["files"])
    assert (again["paid_inferences"], again["paid_usd"]) == (0, 0)
    assert (again["outcomes"], again["cost_usd"]) == (first["outcomes"], first["cost_usd"])
    assert again["started_at"] > first["started_at"]
    assert published(place) == again
    assert place.rows() == rows


async def test_the_order_in_which_batches_are_finished_is_no_change(new_place: Callable[..., Any]) -> None:
    place = new_place(latency=0.01, latency_sigma=1.0, capacity=4)
    place.fill(20)
    first = await place.run(limits={"batch_rows": 2})
    again = await place.run(limits={"batch_rows": 2})
    assert again["publish_id"] == first["publish_id"]
    assert again["unchanged"] is True


@pytest.mark.parametrize(
    "change",
    [
        {"retry_failed": "once more"},
        {"limit": 2},
        {"prompt": "Sum?\n{{ record.body }}"},
        {"publish": {"columns": ["n"]}},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_other_rows_are_published(place: Any, change: dict[str, Any]) -> None:
    place.server.script(Fault("break_schema", contains="broken"))
    place.fill([f"{body} {n}\nTotal: {n}.50 EUR" for n, body in enumerate(["plain", "broken", "plain"])])
    first = await place.run()
    again = await place.run(**change)
    assert again["unchanged"] is False
    assert again["publish_id"] != first["publish_id"]
    assert published(place) == again


async def test_a_dataset_that_somebody_harmed_is_mended_without_paying(place: Any) -> None:
    place.fill(3)
    await place.run()
    rows = place.rows()
    next(iter(place.destination.glob("*.parquet"))).unlink()
    again = await place.run()
    assert (again["unchanged"], again["paid_inferences"]) == (False, 0)
    assert place.rows() == rows


def replaced(place: Any) -> list[str]:
    return [path.name for path in place.state.glob("replaced/*")]


async def test_what_is_forgotten_is_kept_for_no_reader_of_the_manifest_before(place: Any) -> None:
    place.fill(3)
    first = await place.run()
    place.fill(4)
    await place.run()
    assert replaced(place) == [f"{file['path']}.replaced" for file in first["files"]]
    told = forget(LocalStorage(), str(place.state), containing=["1.5"])
    assert (told["replaced"], replaced(place)) == (1, [])
    place.fill(5)
    await place.run()
    assert replaced(place) == []


async def test_where_answers_are_to_be_gone_after_a_time_none_is_kept_for_readers(place: Any) -> None:
    for records in (3, 4):
        place.fill(records)
        await place.run(memory={"retention_days": 1})
    assert replaced(place) == []


# what is told without going through the rows


async def run_of(
    place: Any, *, report: Any = None, preview: int | None = None, **changes: Any
) -> dict[str, Any]:
    return await run_job(place.spec(**changes), place.endpoint, report=report, preview=preview)


def source_file(place: Any) -> Path:
    (file,) = place.source.glob("*.parquet")
    return file  # type: ignore[no-any-return]


WITH_FAILURES = [
    f"{body} {n}\nTotal: {n}.50 EUR" for n, body in enumerate(["plain", "broken", "refused", "plain"])
]


async def test_a_run_with_nothing_to_do_does_not_go_through_the_rows(place: Any) -> None:
    place.server.script(*FAULTS)
    place.fill(WITH_FAILURES)
    failed, told = place.root / "failed", []
    first = await place.run(failures={"dataset": str(failed)}, run="one")
    before = files(place.destination), files(failed)
    spoil_the_rows(source_file(place))
    for run, paid in (("two", (0, 0)), ("one", (first["paid_inferences"], first["paid_usd"]))):
        again = await run_of(place, failures={"dataset": str(failed)}, run=run, report=told.append)
        assert again["unchanged"] is True
        # What a run paid is what all of its tries paid.
        assert (again["paid_inferences"], again["paid_usd"]) == paid
        assert published(place) == again
        changed = {"unchanged", "started_at", "finished_at", "duration_s", "paid_inferences", "paid_usd"}
        assert {key: value for key, value in again.items() if key not in changed} == {
            key: value for key, value in first.items() if key not in changed
        }
    assert (files(place.destination), files(failed)) == before
    assert (told[-1].done, told[-1].total, told[-1].reused) == (4, 4, 4)


def rewrite_the_source(place: Any) -> None:
    source_file(place).write_bytes(source_file(place).read_bytes())


def remove_a_part(place: Any) -> None:
    next(iter(place.destination.glob("*.parquet"))).unlink()


def remove_a_failed_part(place: Any) -> None:
    next(iter((place.root / "failed").glob("*.parquet"))).unlink()


HARMS = [rewrite_the_source, remove_a_part, remove_a_failed_part]


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
async def test_what_may_have_changed_is_gone_through(place: Any, harm: Callable[[Any], None]) -> None:
    place.server.script(*FAULTS)
    place.fill(WITH_FAILURES)
    wanted = {"failures": {"dataset": str(place.root / "failed")}}
    await place.run(**wanted)
    rows = place.rows()
    harm(place)
    again = await place.run(**wanted)
    assert (again["paid_inferences"], place.rows()) == (0, rows)
    assert len(list((place.root / "failed").glob("*.parquet"))) == 1
    assert len(list(place.destination.glob("*.parquet"))) == 1
    # Gone through again, it can be told without that once more.
    spoil_the_rows(source_file(place))
    assert (await place.run(**wanted))["unchanged"] is True


CHANGES: list[dict[str, Any]] = [
    {"retry_failed": "once more"},
    {"refresh": "all of it"},
    {"limit": 2},
    {"samples": 2},
    {"prompt": "Sum?\n{{ record.body }}"},
    {"publish": {"columns": ["n"]}},
    {"publish": {"keep_raw": True}},
    {"filters": [("n", "<", 2)]},
    {"failures": {"most": 0.9}},
    {"memory": {"retention_days": 10}},
    {"settings": {"temperature": 0.5}},
    {"answers": {"output_retries": 2}},
    {"limits": {"attempts": 7}},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
async def test_a_run_that_wishes_something_else_reads_the_source(place: Any, change: dict[str, Any]) -> None:
    place.fill(WITH_FAILURES)
    await place.run()
    spoil_the_rows(source_file(place))
    with pytest.raises(BadInput, match=r"source"):
        await place.run(**change)


async def test_what_was_forgotten_is_gone_through(place: Any) -> None:
    place.fill(WITH_FAILURES)
    await place.run()
    assert forget(LocalStorage(), str(place.state), containing=["3.5"])["forgotten"] == 1
    spoil_the_rows(source_file(place))
    with pytest.raises(BadInput, match=r"source"):
        await place.run()


async def test_what_another_wish_left_in_the_ledger_is_gone_through(place: Any) -> None:
    place.fill(WITH_FAILURES)
    await place.run()
    await run_of(place, preview=2, prompt="Sum?\n{{ record.body }}")
    spoil_the_rows(source_file(place))
    with pytest.raises(BadInput, match=r"source"):
        await place.run()


async def test_what_the_budget_did_not_reach_for_is_asked_by_the_next_run(place: Any) -> None:
    place.fill(8)
    wanted = {"budget": {"tokens": 400, "when_short": "partial"}}
    first = await place.run(**wanted, run="one")
    assert first["reasons"].get("budget")
    assert MADE_OF not in first
    assert (await place.run(run="two"))["paid_inferences"] > 0


async def test_rows_that_a_models_own_code_checks_are_always_gone_through(place: Any) -> None:
    place.fill(WITH_FAILURES)
    assert MADE_OF not in await place.run(output_type=Total)


class Total(BaseModel):
    total: float | None


async def test_rows_get_the_columns_of_folders_anew_where_the_source_is_named_otherwise(place: Any) -> None:
    place.fill(["plain 1\nTotal: 1.50 EUR"])
    source = place.root / "sales"
    (source / "ds=1").mkdir(parents=True)
    next(place.source.glob("*.parquet")).rename(source / "ds=1" / "a.parquet")
    await place.run(source=str(source))
    assert "ds" in place.rows()[0]
    narrower = await place.run(source=str(source / "ds=1"))
    assert (narrower["unchanged"], narrower["source"]) == (False, str(source / "ds=1"))
    assert (narrower["paid_inferences"], "ds" in place.rows()[0]) == (0, False)


# what another run of Airflow has beside: another name, another day, other parameters

OF_A_DAY = "Sum of {{ ds }}, {{ params.tone }}?\n{{ record.body }}"


def of_a_run(run: str, **changes: Any) -> dict[str, Any]:
    params = {"tone": "short", "budget": changes.pop("budget", 1)}
    variables = {"run_id": run, "ds": "2026-01-02", "logical_date": datetime(2026, 1, 2, tzinfo=UTC)}
    return {"run": run, "prompt": OF_A_DAY, "variables": {**variables, "params": params, **changes}}


async def test_what_a_run_has_that_its_prompt_does_not_name_changes_nothing(place: Any) -> None:
    place.fill(WITH_FAILURES)
    await place.run(**of_a_run("one"))
    spoil_the_rows(source_file(place))
    again = await place.run(
        **of_a_run("two", budget=2, logical_date=datetime(2026, 1, 3, tzinfo=UTC), dag_id="b")
    )
    assert (again["unchanged"], again["paid_inferences"]) == (True, 0)


@pytest.mark.parametrize("change", [{"ds": "2026-01-03"}, {"params": {"tone": "long"}}], ids=repr)
async def test_what_the_prompt_names_of_a_run_is_asked_anew(place: Any, change: dict[str, Any]) -> None:
    place.fill(WITH_FAILURES)
    await place.run(**of_a_run("one"))
    again = await place.run(**of_a_run("two", **change))
    assert again["paid_inferences"] == len(WITH_FAILURES)


class Tone:
    """Says of itself the same, whatever it holds."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __repr__(self) -> str:
        return "Tone"


async def test_rows_of_an_object_that_may_hide_what_it_holds_are_always_gone_through(place: Any) -> None:
    place.fill(WITH_FAILURES)
    prompt = "Sum, {{ tone.word }}?\n{{ record.body }}"
    for paid, word in enumerate(("short", "long"), start=1):
        manifest = await place.run(prompt=prompt, variables={"tone": Tone(word)})
        assert MADE_OF not in manifest
        assert place.executed() == paid * len(WITH_FAILURES)
