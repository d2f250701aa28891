"""Whole jobs over Parquet as others write it, and into places that are not all ours."""

from __future__ import annotations

import errno
import logging
import os
import uuid
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.arrow_types import writable
from runware_provider.engine.errors import BadInput, TooManyFailed
from runware_provider.engine.job.run import run_job
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from tests.said import said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IDS = [uuid.UUID(int=n) for n in range(4)]


def put(path: Path, table: pa.Table, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)


OLD = int(pa.__version__.split(".")[0]) <= 21
LIST_VIEW = pa.list_(pa.int32()) if OLD else pa.list_view(pa.int32())
"""The oldest pyarrow that is supported does not write such columns."""


async def test_views_and_uuids_go_through_filters_samples_and_failures_and_come_out_as_they_came(
    place: Any,
) -> None:
    columns = {
        "n": pa.array(range(4)),
        "body": pa.array(["Total: 1.50 EUR", "no", "Total: 2.50 EUR", "left out"], pa.string_view()),
        "tags": pa.array([["a"], None, [], ["b"]], pa.list_(pa.string_view())),
        "parts": pa.array([[1], None, [], [2]], LIST_VIEW),
        "id": pa.array([one.bytes for one in IDS], pa.uuid()),
    }
    put(place.source / "a.parquet", pa.table(columns))
    manifest = await place.run(
        prompt="{{ record.id }} {{ record.body }}",
        filters=[("body", "!=", "left out")],
        samples=2,
        failures={"dataset": str(place.root / "failed")},
    )
    assert manifest["rows"] == 6
    (part,) = place.destination.glob("*.parquet")
    schema = pq.ParquetFile(part).schema_arrow
    there = pq.ParquetFile(place.source / "a.parquet").schema_arrow
    kinds = [writable(there.field(name).type) for name in columns]
    assert [schema.field(name).type for name in columns] == kinds
    assert [row["id"] for row in place.rows()] == [one for one in IDS[:3] for _ in range(2)]
    (failed,) = (place.root / "failed").glob("*.parquet")
    assert pq.ParquetFile(failed).schema_arrow.field("tags").type == writable(there.field("tags").type)
    assert (await place.run(filters=[("id", "in", [str(IDS[0]), str(IDS[2])])]))["rows"] == 2


async def test_a_template_that_fails_behind_blank_records_is_refused_and_the_dataset_stays(
    place: Any,
) -> None:
    place.fill(3)
    await place.run()
    before, paid = place.rows(), place.executed()
    place.fill([None, " ", "a text", None])
    for run in (place.run, lambda **changes: _planned(place, **changes)):
        with pytest.raises(BadInput, match=r"any of the first 1 records that are not blank: TypeError"):
            await run(prompt="{{ record.body + 1 }}", limits={"batch_rows": 1})
    assert (place.rows(), place.executed()) == (before, paid)


async def _planned(place: Any, **changes: Any) -> Any:
    return place.plan(**changes)


async def test_records_whose_prompt_fails_count_as_failed(place: Any) -> None:
    place.fill(["Total: 1.50 EUR", "boom", "boom", "Total: 2.50 EUR"])
    prompt = "{{ record.body }}{% if record.body == 'boom' %}{{ 1 // 0 }}{% endif %}"
    with pytest.raises(TooManyFailed, match="2 of 4 rows failed already, where 25 % may"):
        await place.run(prompt=prompt, failures={"most": 0.25})
    assert not place.destination.exists()
    manifest = await place.run(prompt=prompt, failures={"most": 0.5})
    assert manifest["outcomes"] == {"skipped": 2, "succeeded": 2}


async def test_answers_are_not_replaced_by_none_without_a_word(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(2)
    await place.run()
    place.fill([None, " "])
    with caplog.at_level(logging.WARNING):
        await place.run()
    assert "none of the 2 rows was asked, and they replace a dataset of 2 answers" in said(caplog.messages)


@pytest.mark.parametrize("name", ["part-00000-abc.parquet", "part-00007-0123456789ab.parquet"])
async def test_a_file_that_is_called_like_a_part_is_refused_and_never_removed(place: Any, name: str) -> None:
    place.fill(2)
    await place.run()
    mine = place.destination / name
    mine.write_bytes(next(place.destination.glob("*.parquet")).read_bytes())
    place.fill(3)
    with pytest.raises(BadInput, match=rf"files that this job did not write: .*{name}"):
        await place.run()
    assert mine.exists()
    mine.unlink()
    assert (await place.run())["rows"] == 3


@pytest.mark.parametrize(
    ("columns", "changes", "field"),
    [
        ({"Result": [1]}, {}, "column 'Result'"),
        ({"INFERENCE": [1]}, {"publish": {"flatten": True}}, "column 'INFERENCE'"),
        ({"DS": [1]}, {"partition": {"ds": "1"}}, "column 'DS'"),
        ({"Total": [1]}, {"publish": {"flatten": True}}, "publish.flatten"),
        ({}, {"partition": {"ds": "1", "DS": "2"}}, "partition"),
        ({}, {"partition": {"ds": "x" * 300}}, "partition"),
        ({}, {"partition": {"ds": "é" * 127}}, "partition"),
        ({}, {"partition": {"ds": "half \ud800"}}, "partition"),
        ({}, {"source": "in\0"}, "source"),
        ({}, {"source": "in\ud800"}, "source"),
        ({}, {"destination": "out\0"}, "destination"),
        ({}, {"memory": {"state": "out\udc80"}}, "memory.state"),
        ({}, {"failures": {"dataset": "out\0"}}, "failures.dataset"),
        ({}, {"destination": "x" * 300}, "destination"),
    ],
)
async def test_names_that_readers_or_stores_cannot_tell_are_refused_by_their_field(
    place: Any, columns: dict[str, Any], changes: dict[str, Any], field: str
) -> None:
    place.fill(["Total: 1.50 EUR"], **columns)
    with pytest.raises(BadInput) as caught:
        await place.run(**changes)
    assert caught.value.field == field
    assert place.asked_nothing()
    str(caught.value).encode()


def test_columns_of_two_files_that_differ_in_case_are_told(place: Any) -> None:
    body = pa.array(["Total: 1.50 EUR"])
    put(place.source / "a.parquet", pa.table({"body": body, "fee": [1.0]}))
    put(place.source / "b.parquet", pa.table({"body": body, "Fee": [1.0]}))
    (warning,) = place.plan()["warnings"]
    assert "'fee' and 'Fee' differ in upper and lower case only" in warning
    assert place.plan(publish={"columns": ["body", "fee"]})["warnings"] == []


@pytest.mark.parametrize("link", ["gone", "a.parquet"])
async def test_a_link_that_leads_nowhere_or_to_itself_is_refused_by_its_path(place: Any, link: str) -> None:
    place.fill(1, name="b.parquet")
    (place.source / "a.parquet").symlink_to(place.source / link)
    with pytest.raises(BadInput, match=r"source: .* cannot be read .*a\.parquet\).*link"):
        await place.run()
    assert place.asked_nothing()


def test_a_destination_with_a_link_that_leads_nowhere_is_refused(place: Any) -> None:
    place.fill(1)
    place.destination.mkdir()
    (place.destination / "a.parquet").symlink_to(place.root / "gone")
    with pytest.raises(BadInput, match=r"destination: .* cannot be used .*a\.parquet\)"):
        place.plan()


class Replacing(LocalStorage):
    """Somebody writes to a file between its footer and its rows."""

    def __init__(self, replace: Callable[[], None]) -> None:
        super().__init__()
        self._replace = replace
        self._opened = 0

    def open(self, path: str) -> Any:
        self._opened += path.endswith("in/a.parquet")
        if self._opened == 2:
            self._replace()
        return super().open(path)


class Held(Stores):
    """Everything lies in this one store."""

    def __init__(self, storage: LocalStorage) -> None:
        super().__init__()
        self._storage = storage

    def open(self, *_: Any, **__: Any) -> LocalStorage:
        return self._storage


@pytest.mark.parametrize("rows", [["Total: 9.50 EUR"] * 2, ["Total: 9.50 EUR"] * 3])
async def test_a_file_that_changed_since_it_was_opened_is_asked_nothing_about(
    place: Any, rows: list[str]
) -> None:
    place.fill(["Total: 1.50 EUR"] * 2)
    stores = Held(Replacing(lambda: place.fill(rows)))
    with pytest.raises(BadInput, match=r"source: .*a\.parquet has changed since its footer was read"):
        await run_job(place.spec(), place.endpoint, stores=stores)
    assert place.asked_nothing()


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Make room"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "may read"),
        (errno.EDQUOT, "Make room"),
    ],
)
async def test_a_place_that_cannot_be_written_to_is_refused_by_path_and_remedy(
    place: Any, number: int, remedy: str
) -> None:
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    place.fill(1)
    told = rf"destination: .*out\.state cannot be used \({os.strerror(number)}, at /.*\)\. .*{remedy}"
    with pytest.raises(BadInput, match=told):
        await run_job(place.spec(), place.endpoint, stores=Held(LocalStorage(sync=refuse)))
    assert place.asked_nothing()


async def test_a_store_that_may_come_back_is_no_mistake_of_the_user(place: Any) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    place.fill(1)
    with pytest.raises(OSError, match=r"Input/output error: .*job"):
        await run_job(place.spec(), place.endpoint, stores=Held(LocalStorage(sync=fail)))
