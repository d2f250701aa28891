"""Rows that did not succeed are kept to be looked at: while the run goes, after it stopped, and after it published."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.endpoint import Endpoint
from runware_provider.engine.errors import Interrupted, JobStopped, RequestRefused
from runware_provider.engine.identity import Key
from runware_provider.engine.job import kept_examples
from runware_provider.engine.job.forget_place import forget_place
from runware_provider.engine.job.inferring import infer_shard
from runware_provider.engine.job.kept_examples import (
    METADATA,
    MOST,
    MOST_BYTES,
    MOST_CHARS,
    MOST_OF_A_CODE,
    Examples,
)
from runware_provider.engine.job.run import run_job
from runware_provider.engine.job.run_examples import ExamplesFile, examples_path
from runware_provider.engine.job.splitting import split_shards
from runware_provider.engine.outcome.flattening import result_columns
from runware_provider.engine.outcome.rows import Judgement, Outcome
from runware_provider.engine.storage.local import LocalStorage
from runware_provider.engine.storage.stores import Stores
from runware_provider.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "key-of-the-tests-0123456789"
FAULTS = (
    Fault("break_schema", contains="broken"),
    Fault("refuse_task", contains="refused", code="invalidMessages"),
    Fault("content_filter", contains="filtered"),
)
BODIES = ["plain", "broken", None, "refused", "filtered", "plain"]


def fill(place: Any) -> None:
    place.server.script(*FAULTS)
    place.fill([body and f"{body} {n}\nTotal: {n}.50 EUR" for n, body in enumerate(BODIES)])


def kept(state: Path, run: str = "") -> list[dict[str, Any]]:
    table = pq.read_table(examples_path(LocalStorage(), str(state), run))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


async def test_they_are_the_rows_of_the_dataset_that_failed_in_its_order_and_with_its_columns(
    place: Any,
) -> None:
    fill(place)
    await place.run(limits={"batch_rows": 2}, run="a run", samples=2)
    rows = kept(place.state, "a run")
    assert rows == [row for row in place.rows() if row["n"] in {1, 3, 4}]
    assert len(rows) == 6
    table = pq.read_table(examples_path(LocalStorage(), str(place.state), "a run"))
    (part,) = place.destination.glob("*.parquet")
    assert table.schema.names == pq.read_schema(part).names
    assert table.schema.types == pq.read_schema(part).types


async def test_a_job_without_failures_writes_nothing(place: Any) -> None:
    place.fill(4)
    await place.run()
    assert not list(place.state.glob("runs/*-failed.parq"))


async def test_what_succeeded_since_is_gone_after_another_try_of_the_same_run(place: Any) -> None:
    fill(place)
    await place.run(run="a run")
    place.server.clear_faults()
    await place.run(run="a run", retry_failed="x")
    assert not list(place.state.glob("runs/*-failed.parq"))


async def test_rows_that_failed_before_and_are_not_asked_again_are_among_them(place: Any) -> None:
    fill(place)
    await place.run(run="first")
    await place.run(run="second", limit=5)
    assert [row["n"] for row in kept(place.state, "second")] == [1, 3, 4]


async def test_they_are_there_where_the_first_chunk_was_refused_as_such(place: Any) -> None:
    place.server.script(Fault("refuse_task", code="invalidParameter"))
    place.fill(9)
    with pytest.raises(RequestRefused):
        await place.run()
    rows = kept(place.state)
    assert 0 < len(rows) <= 5
    assert {row["inference"]["error_code"] for row in rows} == {"invalidParameter"}
    assert all(row["inference"]["outcome"] == "failed" and row["inference"]["task_uuid"] for row in rows)
    assert [row["body"] for row in rows] == [
        f"Invoice {n} from Shop {n} GmbH\nTotal: {n}.50 EUR" for n in range(len(rows))
    ]


async def test_they_are_there_where_too_much_failed(place: Any) -> None:
    place.server.script(Fault("break_schema"))
    place.fill(60)
    with pytest.raises(JobStopped):
        await place.run(failures={"most": 0.1})
    assert 0 < len(kept(place.state)) <= MOST_OF_A_CODE


async def test_batches_that_were_let_go_are_looked_at_once(place: Any) -> None:
    place.server.script(Fault("break_schema", contains="broken"))
    place.fill([f"{'broken' if n % 3 == 0 else 'plain'} {n}\nTotal: {n}.50 EUR" for n in range(24)])
    await place.run(limits={"batch_rows": 2})
    assert [row["n"] for row in kept(place.state)] == list(range(0, 24, 3))


async def test_a_shard_keeps_its_own_in_its_own_state_folder(place: Any) -> None:
    fill(place)
    spec, endpoint = place.spec(run="a run"), Endpoint(place.server.base_url, KEY)
    (shard,) = await split_shards(spec, endpoint, shards=1, least_rows=1)
    await infer_shard(spec, endpoint, split=shard["split"], shard=shard["shard"])
    assert [row["n"] for row in kept(place.state / "shards" / "0000", "a run")] == [1, 3, 4]
    forgotten = forget_place(LocalStorage(), str(place.state), containing=["nobody at all"])
    assert forgotten["examples"] == 1
    assert not list(place.state.glob("**/*-failed.parq"))


async def test_they_are_there_while_the_run_goes(place: Any) -> None:
    place.server.script(Fault("break_schema", contains="Shop 1 "), Fault("never_finish", contains="Shop 2 "))
    place.fill(4)
    stop, seen = asyncio.Event(), []

    def report(_: Any) -> None:
        if list(place.state.glob("runs/*-failed.parq")):
            seen.append(kept(place.state))
            stop.set()

    with pytest.raises(Interrupted):
        await run_job(place.spec(), place.endpoint, report=report, stop=stop, recorded_every_s=0.02)
    assert [row["n"] for row in seen[0]] == [1]
    assert not list(place.destination.glob("*.parquet"))
    assert [row["n"] for row in kept(place.state)] == [1]


async def test_a_store_that_hangs_holds_up_no_job(place: Any) -> None:
    hangs = threading.Event()

    class Hanging(LocalStorage):
        def writing(self, path: str) -> Any:
            if path.endswith("-failed.parq"):
                hangs.wait()
            return super().writing(path)

    fill(place)
    try:
        assert (await run_job(place.spec(), place.endpoint, stores=OneStore(Hanging())))[
            "status"
        ] == "published"
    finally:
        hangs.set()


class Failing(LocalStorage):
    """Cannot write the file."""

    def writing(self, path: str) -> Any:
        if path.endswith("-failed.parq"):
            raise PermissionError(path)
        return super().writing(path)


class OneStore(Stores):
    def __init__(self, storage: LocalStorage) -> None:
        super().__init__()
        self.storage = storage

    def open(self, *_: Any, **__: Any) -> LocalStorage:
        return self.storage

    def open_beside(self, *_: Any, **__: Any) -> None:
        return None


async def test_a_store_that_fails_fails_no_job(place: Any) -> None:
    fill(place)
    manifest = await run_job(place.spec(), place.endpoint, stores=OneStore(Failing()))
    assert manifest["status"] == "published"
    assert not list(place.state.glob("runs/*-failed.parq"))


# what is kept


class NoJudge:
    result_type = pa.string()


def examples() -> Examples:
    return Examples(NoJudge(), result_columns(pa.string(), flatten=False, taken=()))  # type: ignore[arg-type]


def failed(code: str, **facts: Any) -> Judgement:
    return Judgement(
        Outcome.FAILED, None, {"error_code": code, "attempts": 1, "reasks": 0, "mends": [], **facts}
    )


def see(one: Examples, numbers: Iterator[int], code: str, text: str = "x", **facts: Any) -> None:
    number = next(numbers)
    key = Key(number.to_bytes(16, "big"), 0, 0)
    one.saw(
        0, pa.table({"body": [""] * number + [text]}), [[]] * number + [[key]], key, failed(code, **facts)
    )


@given(st.lists(st.sampled_from("abcdefghijkl"), max_size=300))
def test_there_are_never_more_than_so_many_and_of_a_code(codes: list[str]) -> None:
    one, numbers = examples(), iter(range(10_000))
    for code in codes:
        see(one, numbers, code)
    table = one.table()
    told = [] if table is None else [row["error_code"] for row in table.column("inference").to_pylist()]
    assert len(told) <= MOST
    assert (
        all(told.count(code) == min(MOST_OF_A_CODE, codes.count(code)) for code in set(codes))
        or len(told) == MOST
    )


def test_long_texts_are_clipped_and_say_so() -> None:
    one, numbers = examples(), iter(range(10))
    see(one, numbers, "a", "y" * (MOST_CHARS + 5), raw="z" * (MOST_CHARS * 2))
    see(one, numbers, "a", "short")
    table = one.table()
    assert table is not None
    first, second = table.to_pylist()
    assert first["body"] == "y" * MOST_CHARS + " … [clipped: 5 more characters]"
    assert len(first["inference"]["raw"]) < MOST_CHARS + 50
    assert second["body"] == "short"
    assert json.loads(table.schema.metadata[METADATA]) == [[0, "body"], [0, "inference"]]


def test_all_of_them_together_are_bounded() -> None:
    one, numbers = examples(), iter(range(1_000))
    for code in range(150):
        see(one, numbers, str(code), "y" * 90_000)
    table = one.table()
    assert table is not None
    assert table.nbytes <= MOST_BYTES
    assert table.num_rows > 30


def test_once_a_row_has_found_no_room_none_is_built_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    one, numbers, built = examples(), iter(range(1_000)), []
    make = kept_examples.row_of

    def row_of(*given: Any) -> Any:
        built.append(given)
        return make(*given)

    monkeypatch.setattr(kept_examples, "row_of", row_of)
    for code in range(150):
        see(one, numbers, str(code), "y" * 90_000)
    table = one.table()
    assert table is not None
    assert len(built) == table.num_rows + 1


def test_a_value_that_python_cannot_hold_is_kept_as_nothing_where_it_is_too_long() -> None:
    one = examples()
    key = Key(bytes(16), 0, 0)
    broken = pa.array([b"\xff" * (MOST_CHARS + 1)], pa.binary()).view(pa.string())
    one.saw(0, pa.table({"body": broken}), [[key]], key, failed("a"))
    table = one.table()
    assert table is not None
    assert table.column("body").to_pylist() == [None]


def test_what_cannot_be_kept_ends_the_keeping_and_nothing_else() -> None:
    one = examples()
    one.saw(0, None, [[Key(bytes(16), 0, 0)]], Key(bytes(16), 0, 0), failed("a"))
    see(one, iter(range(10)), "a")
    assert one.table() is None


def test_nothing_is_written_twice(tmp_path: Path) -> None:
    one, written = examples(), []

    class Counting(LocalStorage):
        def writing(self, path: str) -> Any:
            written.append(path)
            return super().writing(path)

    file = ExamplesFile(Counting(lambda _: None), str(tmp_path), "", one)
    file.write()
    see(one, iter(range(3)), "a")
    file.write()
    file.write()
    one.is_whole = True
    file.write()
    assert len(written) == 1
