"""The rows that did not succeed, as a dataset of their own besides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from runware_provider.engine.errors import BadInput, PublishConflict
from runware_provider.engine.job.run import run_job
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FAULTS = (
    Fault("break_schema", contains="broken"),
    Fault("refuse_task", contains="refused", code="invalidMessages"),
    Fault("content_filter", contains="filtered"),
)
BODIES = ["plain", "broken", None, "refused", "filtered", "plain"]


def fill(place: Any) -> Path:
    place.server.script(*FAULTS)
    place.fill([body and f"{body} {n}\nTotal: {n}.50 EUR" for n, body in enumerate(BODIES)])
    folder: Path = place.root / "failed"
    return folder


async def test_it_holds_the_rows_that_neither_succeeded_nor_were_skipped(place: Any) -> None:
    folder = fill(place)
    manifest = await place.run(failures={"dataset": str(folder)}, limits={"batch_rows": 2})
    rows = place.rows(folder)
    assert [row["n"] for row in rows] == [1, 3, 4]
    assert list(rows[0]) == ["n", "body", "inference"]
    told = [(row["inference"]["outcome"], row["inference"]["error_code"]) for row in rows]
    assert told == [("invalid", "schema"), ("failed", "invalidMessages"), ("refused", "content_filter")]
    assert all(row["inference"]["attempts"] == 1 for row in rows)
    assert rows[0]["inference"]["raw"]
    assert rows == [
        {name: value for name, value in row.items() if name != "result"}
        for row in place.rows()
        if row["n"] in {1, 3, 4}
    ]
    assert manifest["failures"] == {"destination": str(folder), "rows": 3}
    assert not list(place.state.glob("**/*.staged"))


async def test_without_failures_it_is_empty_and_typed(place: Any) -> None:
    folder = fill(place)
    await place.run(failures={"dataset": str(folder)})
    place.server.clear_faults()
    manifest = await place.run(failures={"dataset": str(folder)}, retry_failed="x")
    assert manifest["failures"]["rows"] == 0
    (part,) = folder.glob("*.parquet")
    assert pq.read_schema(part).names == ["n", "body", "inference"]
    assert pq.read_metadata(part).num_rows == 0


async def test_it_has_the_partition_of_the_dataset(place: Any) -> None:
    folder = fill(place)
    await place.run(failures={"dataset": str(folder)}, partition={"ds": "1"})
    await place.run(failures={"dataset": str(folder)}, partition={"ds": "2"}, limit=2)
    assert [len(place.rows(folder / f"ds={day}")) for day in (1, 2)] == [3, 1]


async def test_killed_between_the_two_publishes_it_is_there_after_another_run(place: Any) -> None:
    folder = fill(place)
    await place.run(failures={"dataset": str(folder)})
    expected = [row["n"] for row in place.rows(folder)]
    # As a kill leaves it: the dataset is published, of the failures the parts are staged and placed, but no manifest is.
    for part in folder.glob("*.parquet"):
        _, number, publish_id = part.stem.split("-")
        stage = place.state / "failures" / "staged" / publish_id
        stage.mkdir(parents=True)
        (stage / f"part-{number}.part").write_bytes(part.read_bytes())
    (place.state / "failures" / "manifest.json").unlink()
    (folder / "_SUCCESS").unlink()
    paid = place.executed()
    await place.run(failures={"dataset": str(folder)})
    assert [row["n"] for row in place.rows(folder)] == expected
    assert place.executed() == paid


class Between(LocalStorage):
    """Does something, once, when the main dataset is published and the failures' is about to be."""

    def __init__(self, then: Callable[[], object]) -> None:
        super().__init__(lambda _: None)
        self.then: list[Callable[[], object]] = [then]

    def replace_if(self, path: str, data: bytes, version: Any) -> bool:
        if path.endswith("/failures/manifest.json") and self.then:
            self.then.pop()()
        return super().replace_if(path, data, version)


class OneStore(Stores):
    def __init__(self, storage: LocalStorage) -> None:
        super().__init__()
        self.storage = storage

    def open(self, *_: Any, **__: Any) -> LocalStorage:
        return self.storage

    def open_beside(self, *_: Any, **__: Any) -> None:
        return None


def manifests(place: Any) -> list[dict[str, Any]]:
    paths = (place.state / "manifest.json", place.state / "failures" / "manifest.json")
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


async def test_failures_that_somebody_else_published_meanwhile_stay_until_the_next_run(place: Any) -> None:
    folder = fill(place)
    await place.run(failures={"dataset": str(folder)})
    path = place.state / "failures" / "manifest.json"

    def another_publishes() -> None:
        path.write_text(json.dumps({**manifests(place)[1], "publish_id": "later"}), encoding="utf-8")

    stores = OneStore(Between(another_publishes))
    spec = place.spec(failures={"dataset": str(folder)}, limit=3)
    with pytest.raises(PublishConflict, match="run again to build on"):
        await run_job(spec, place.endpoint, stores=stores)
    assert not list(place.state.glob("**/*.staged"))
    paid = place.executed()
    await place.run(failures={"dataset": str(folder)}, limit=3)
    main, failures = manifests(place)
    assert main["started_at"] == failures["started_at"]
    assert [row["n"] for row in place.rows(folder)] == [1]
    assert place.executed() == paid


async def test_a_folder_with_files_of_others_is_refused(place: Any) -> None:
    folder = fill(place)
    folder.mkdir()
    (folder / "mine.parquet").write_bytes(b"")
    with pytest.raises(BadInput, match=r"failures\.dataset: .* has files"):
        await place.run(failures={"dataset": str(folder)})
    assert place.asked_nothing()


@pytest.mark.parametrize("inside", ["in", "in/failed", "out", "out/failed", "out.state", "out.state/failed"])
async def test_a_folder_inside_of_another_one_is_refused(place: Any, inside: str) -> None:
    fill(place)
    with pytest.raises(BadInput, match=r"failures|source"):
        await place.run(failures={"dataset": str(place.root / inside)})
    assert place.asked_nothing()
    assert not place.state.exists()
