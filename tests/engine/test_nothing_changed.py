"""A run whose rows are published already publishes nothing, and says what it did all the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from runware_provider.engine.memory.forgetting import forget
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.testing import Fault

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
    wanted = {"failures": str(failed), "samples": 2, "structured": {"reasks": 1}, "limits": {"batch_rows": 2}}
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
    [{"retry_failed": "once more"}, {"limit": 2}, {"prompt": "Sum?\n{{ record.body }}"}, {"columns": ["n"]}],
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
        await place.run(retention_days=1)
    assert replaced(place) == []
