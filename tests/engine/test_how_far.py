"""What a job has paid when it ends is told, whatever ends it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from runware_provider.engine.errors import BadInput, KeyRefused, Unreachable, how_far
from runware_provider.engine.job.run import run_job
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import Fault
from tests.said import said

if TYPE_CHECKING:
    from pathlib import Path

LARGE = {"limits": {"batch_rows": 30}, "publish": {"columns": ["n"]}}


def fill_large(place: Any) -> None:
    """More than is counted through before it is asked: 18 MB, of which 9 are in each of two files."""
    for name, first in (("a.parquet", 0), ("b.parquet", 30)):
        bodies = [f"Total: {n}.50 EUR" for n in range(first, first + 30)]
        place.fill(bodies, name, picture=[os.urandom(300_000) for _ in bodies])


def break_bodies(path: Path) -> None:
    """The first page of the column that the prompt names is no page any more; the footer is as it was."""
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
    assert chunk.path_in_schema == "body"
    with path.open("r+b") as file:
        file.seek(chunk.dictionary_page_offset or chunk.data_page_offset)
        file.write(b"\xff" * 40)


async def test_a_source_that_is_broken_late_says_what_was_paid_until_then(place: Any) -> None:
    fill_large(place)
    break_bodies(place.source / "b.parquet")
    with pytest.raises(BadInput) as refused:
        await place.run(**LARGE)
    known = how_far(refused.value)
    assert known["reason"].startswith(f"{refused.value.field}: ")
    assert (known["records"], known["status"]) == (60, "stopped")
    assert known["paid_inferences"] <= place.executed() <= known["paid_inferences"] + known["still_at_vendor"]
    assert known["paid_usd"] <= place.server.bill_summary()["cost_usd"] + 1e-9


async def test_a_small_source_that_is_broken_is_found_before_anything_is_paid(place: Any) -> None:
    place.fill(3)
    place.fill(3, "b.parquet")
    break_bodies(place.source / "b.parquet")
    with pytest.raises(BadInput) as refused:
        await place.run()
    assert how_far(refused.value)["paid_inferences"] == 0
    assert place.executed() == 0


async def test_a_large_source_is_not_read_before_it_is_asked(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fill_large(place)
    with caplog.at_level("INFO", "runware_provider"), pytest.raises(KeyRefused):
        await place.run(key="key-of-somebody-else", **LARGE)
    told = [record.getMessage() for record in caplog.records]
    assert "To ask: up to 60 rows; none is answered yet." in told
    assert "Cost: `plan` says it beforehand, also what it is at most." in told


async def test_an_address_where_nobody_listens_is_explained_once_and_at_the_end(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(3)
    with caplog.at_level("WARNING", "runware_provider"), pytest.raises(Unreachable) as unreachable:
        await place.run(base_url="http://127.0.0.1:9/v1", limits={"unreachable_s": 1})
    assert "connection refused: nobody listens at 127.0.0.1:9" in unreachable.value.reason
    assert unreachable.value.remedy.startswith("Check host and port")
    assert said(caplog.messages) == (
        "No usable answer from the API: connection refused: nobody listens at 127.0.0.1:9."
        " Check host and port of the base URL, and that the service runs. It is tried for 1 s."
    )


async def test_what_an_api_said_that_was_reached_before_is_no_wrong_address(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    place.fill(12)
    place.server.script(Fault("cut_before_work", after=1, times=1))
    with caplog.at_level("WARNING", "runware_provider"):
        await place.run()
    assert "No usable answer" not in caplog.text


class Full(LocalStorage):
    """Has no room for the second segment of a ledger; the first one says what is about to be sent."""

    def create_new(self, path: str, data: Any) -> bool:
        if path.endswith("00000002.segment"):
            raise OSError(28, "No space left on device", path)
        return super().create_new(path, data)


class FullStores(Stores):
    """Everything lies in one store, which is full."""

    def __init__(self) -> None:
        super().__init__()
        self._storage = Full()

    def open(self, *_: Any, **__: Any) -> LocalStorage:
        return self._storage


async def test_answers_that_came_and_could_not_be_written_are_said_to_be_billed(place: Any) -> None:
    place.fill(12)
    with pytest.raises(OSError, match="No space left") as failed:
        await run_job(place.spec(), place.endpoint, stores=FullStores())
    assert 0 < place.executed() <= how_far(failed.value)["still_at_vendor"]
    assert (await place.run())["outcomes"] == {"succeeded": 12}
    assert place.executed() == 12
