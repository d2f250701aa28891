"""From batches, staged in whatever order they are finished, to parts of a reasonable size."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.dataset.part_writing import write_part
from runware_provider.engine.dataset.parts import Part, parts_of
from runware_provider.engine.dataset.staging import Stage, read_batches, staged_files
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.storage.local import LocalStorage

if TYPE_CHECKING:
    from runware_provider.engine.dataset.staged_batch import StagedBatch

SCHEMA = pa.schema(
    {"n": pa.int64(), "text": pa.string(), "result": pa.struct({"total": pa.decimal128(9, 2)})},
    metadata={"description": "what it is"},
)


@pytest.fixture
def storage() -> LocalStorage:
    return LocalStorage(sync=lambda _: None)


def table(values: list[int]) -> pa.Table:
    columns = {
        "n": values,
        "text": [f"text {n}" for n in values],
        "result": [{"total": Decimal(n)} for n in values],
    }
    return pa.table(columns, schema=SCHEMA)


def staged(
    storage: LocalStorage, folder: Path, batches: list[list[int]], **options: int
) -> list[StagedBatch]:
    stage = Stage(storage, str(folder), "one", **options)
    for number, values in enumerate(batches):
        stage.add(number, table(values))
    return stage.finish()


def read(storage: LocalStorage, path: str) -> pa.Table:
    with storage.open(path) as file:
        return pq.read_table(file)


# Staging


def test_small_batches_share_a_file_and_large_ones_do_not(storage, tmp_path):
    small = staged(storage, tmp_path / "small", [[n] for n in range(400)])
    assert len({batch.path for batch in small}) == 1
    large = staged(storage, tmp_path / "large", [[n] for n in range(4)], file_bytes=1)
    assert [batch.path.rpartition("/")[2] for batch in large] == [
        f"batches-{number:05d}.staged" for number in range(4)
    ]


def test_a_batch_comes_back_with_its_types_and_descriptions(storage, tmp_path):
    described = table([1, 2]).replace_schema_metadata({"a": "b"})
    stage = Stage(storage, str(tmp_path), "one")
    stage.add(0, described)
    (back,) = read_batches(storage, stage.finish())
    assert back.equals(described, check_metadata=True)


def test_the_same_rows_have_the_same_digest_however_they_are_chunked_and_staged(storage, tmp_path):
    pieces = pa.concat_tables([table([1]), table([0, 2, 3]).slice(1), table([])])
    stage = Stage(storage, str(tmp_path / "b"), "two")
    stage.add(7, pieces)
    (a,), (b,) = staged(storage, tmp_path / "a", [[1, 2, 3]]), stage.finish()
    assert a.sha256 == b.sha256
    assert Part(0, (a,)).content == Part(3, (b,)).content


def test_what_is_discarded_is_gone_and_staged_no_more(storage, tmp_path):
    stage = Stage(storage, str(tmp_path), "one", file_bytes=1)
    stage.add(0, table([1]))
    assert len(staged_files(storage, str(tmp_path))) == 1
    stage.discard()
    assert staged_files(storage, str(tmp_path)) == []
    assert stage.finish() == []


def test_dictionaries_that_differ_by_batch_survive(storage, tmp_path):
    stage = Stage(storage, str(tmp_path), "one")
    for number, values in enumerate((["a", "b"], ["c", "a"])):
        stage.add(number, pa.table({"d": pa.array(values).dictionary_encode()}))
    part = write_part(storage, f"{tmp_path}/part", stage.finish())
    assert read(storage, part.path)["d"].to_pylist() == ["a", "b", "c", "a"]


@pytest.mark.parametrize("publish_id", ["", "a-b", "../a", "a.b", "a" * 101])
def test_a_publish_id_that_could_not_be_told_from_other_names_is_refused(storage, tmp_path, publish_id):
    with pytest.raises(ValueError, match="is no publish id"):
        Stage(storage, str(tmp_path), publish_id)


def test_a_damaged_batch_is_told_by_its_file(storage, tmp_path):
    (batch,) = staged(storage, tmp_path, [[1]])
    path = Path(batch.path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StateUnreadable, match=r"batches-00000\.staged is not what was staged"):
        list(read_batches(storage, [batch]))


# Parts


def test_a_part_is_zstd_with_checksums_under_the_size_that_is_told(storage, tmp_path):
    part = write_part(storage, f"{tmp_path}/part", staged(storage, tmp_path, [[1, 2], [3]]))
    assert part.bytes == Path(part.path).stat().st_size
    metadata = pq.read_metadata(part.path)
    assert (metadata.num_row_groups, metadata.row_group(0).column(0).compression) == (1, "ZSTD")
    assert read(storage, part.path).equals(table([1, 2, 3]), check_metadata=True)


def test_small_batches_share_row_groups_of_a_reasonable_size(storage, tmp_path):
    each = list(range(1000))
    part = write_part(storage, f"{tmp_path}/part", staged(storage, tmp_path, [each] * 150))
    metadata = pq.read_metadata(part.path)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [100_000, 50_000]


def test_a_large_batch_is_a_row_group_and_one_without_rows_is_none(storage, tmp_path):
    batches = staged(storage, tmp_path, [[1], [2, 3], [], []])
    part = write_part(storage, f"{tmp_path}/part", batches, group_bytes=1)
    metadata = pq.read_metadata(part.path)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [1, 2]


def test_a_part_without_rows_has_its_schema(storage, tmp_path):
    part = write_part(storage, f"{tmp_path}/part", staged(storage, tmp_path, [[], []]))
    assert read(storage, part.path).equals(table([]), check_metadata=True)


def test_batches_that_are_added_at_the_end_move_no_cut(storage, tmp_path):
    batches = staged(storage, tmp_path, [[n] for n in range(10)])
    cut = [part.content for part in parts_of(batches[:7], 3 * batches[0].bytes)]
    assert [part.content for part in parts_of(batches, 3 * batches[0].bytes)][:2] == cut[:2]
    assert len(cut) == 3


BATCHES = st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=8)


@given(
    BATCHES,
    st.randoms(use_true_random=False),
    st.integers(1, 9_000),
    st.integers(1, 9_000),
    st.integers(1, 3),
)
def test_rows_are_in_the_order_of_the_batches_whatever_the_sizes_are(
    batches, dice, file_bytes, part_bytes, workers
):
    storage = LocalStorage(sync=lambda _: None)
    with TemporaryDirectory() as folder:
        staged_in_order: list[StagedBatch] = []
        each = -(-len(batches) // workers)
        for worker in range(workers):
            numbered = list(enumerate(batches))[worker * each : (worker + 1) * each]
            stage = Stage(storage, f"{folder}/{worker}", "one", file_bytes=file_bytes)
            for number, values in dice.sample(numbered, len(numbered)):  # as they happen to be finished
                stage.add(number, table(values))
            staged_in_order += stage.finish()
        made = parts_of(staged_in_order, part_bytes)
        written = [write_part(storage, f"{folder}/part-{part.number}", part.batches) for part in made]
        rows = pa.concat_tables([read(storage, part.path) for part in written])
    assert rows["n"].to_pylist() == [n for batch in batches for n in batch]
    assert [part.number for part in made] == list(range(len(made)))
    assert sum(part.rows for part in made) == rows.num_rows
    for part in made[:-1]:  # each is as small as it can be, and at least as large as it has to be
        sizes = [batch.bytes for batch in part.batches]
        assert sum(sizes[:-1]) < part_bytes <= sum(sizes)
