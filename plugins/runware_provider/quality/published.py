"""A published dataset, read through its manifest, so that half a publish is never seen."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runware_provider.engine.dataset.destination import dataset_folder
from runware_provider.engine.dataset.published_manifest import read_manifest
from runware_provider.engine.dataset.replaced_parts import open_part
from runware_provider.engine.errors import BadInput, PublishConflict, StateUnreadable
from runware_provider.quality.figures import FIELDS, Rows
from runware_provider.quality.keys import comparable_keys
from runware_provider.quality.profile import PLAIN, struct_type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runware_provider.engine.storage.stores import Storage

T = TypeVar("T")
INFERENCE = "inference"
"""The column that says what became of a row, a struct."""
TRIES = 3
TABLE_ROWS = 100_000
TABLE_BYTES = 64_000_000
FEW_ROWS = 2_000
"""That are decoded at a time where some of them are looked up."""
_REMEDY = "run the job again, which pays for nothing twice"


@dataclass(frozen=True)
class Place:
    """Where a dataset, or one hive partition of it, and its state are."""

    storage: Storage
    folder: str
    state_folder: str

    def path(self, part: str) -> str:
        """Of a part that a manifest names."""
        return self.storage.join(self.folder, part)

    def open(self, part: str) -> pa.NativeFile:
        """The same, also when it was replaced a moment ago."""
        return open_part(self.storage, self.folder, self.state_folder, part)


def place_of(
    storage: Storage, destination: str, partition: Mapping[str, str] | None, state: str | None
) -> Place:
    """Where a dataset, or one hive partition of it, and its state are.

    Args:
        storage: where both lie.
        destination: the dataset's root.
        partition: the hive partition.
        state: the state folder of the whole dataset; by default the root's sibling, as for a job.
    """
    parts = partition or {}
    root = state or destination.rstrip("/") + ".state"
    storage.keep_private(root)
    return Place(storage, dataset_folder(storage, destination, parts), dataset_folder(storage, root, parts))


@dataclass(frozen=True)
class Published:
    """The current publish of a dataset."""

    place: Place
    manifest: Mapping[str, Any]
    schema: pa.Schema

    @property
    def rows(self) -> int:
        """As the manifest counts them."""
        return sum(file["rows"] for file in self.manifest["files"])

    @property
    def result_columns(self) -> list[str]:
        """The column `result`, or those of its fields where the dataset is flattened."""
        return list(self.manifest.get("flattened") or [PLAIN])

    @property
    def result_type(self) -> pa.StructType:
        """Of the results, as structs."""
        if self.manifest.get("flattened"):
            return pa.struct([self.schema.field(name) for name in self.result_columns])
        return struct_type_of(self.schema.field(PLAIN).type)

    def batches(self, key: str | None = None) -> Iterator[Rows]:
        """All rows in order.

        Args:
            key: the column that names them.
        """
        known = {field.name for field in self.schema.field(INFERENCE).type}
        counted = [f"{INFERENCE}.{name}" for name in FIELDS if name in known]
        number = 0
        for table in self.tables([*self.result_columns, *counted, *([key] if key else [])]):
            inference = pa.Table.from_struct_array(table[INFERENCE].combine_chunks())
            numbers = pa.array(range(number, number + table.num_rows), pa.int64())
            keys = comparable_keys(table[key]).combine_chunks() if key else numbers
            succeeded = pc.equal(inference["outcome"].combine_chunks(), "succeeded")
            names = self._names(keys, inference)
            yield Rows(keys, names, self._results(table), succeeded, inference, number)
            number += table.num_rows

    def _names(self, keys: pa.Array, inference: pa.Table) -> pa.Array:
        if self.rows <= int(self.manifest.get("records", self.rows)):
            return keys
        texts = (column.cast(pa.string()) for column in (keys, inference["sample"].combine_chunks()))
        return pc.binary_join_element_wise(*texts, ", sample ")

    def _results(self, table: pa.Table) -> pa.Array:
        arrays = [table[name].combine_chunks() for name in self.result_columns]
        if self.manifest.get("flattened"):
            return pa.StructArray.from_arrays(arrays, names=self.result_columns)
        return arrays[0]

    @property
    def input_columns(self) -> list[str]:
        """The columns of the input that the dataset keeps."""
        ours = {*self.result_columns, INFERENCE}
        return [name for name in self.schema.names if name not in ours]

    def rows_at(self, numbers: Sequence[int], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some rows in order, a few at a time, in plain types; row groups without one of them are not read.

        Args:
            numbers: of the rows in the dataset, from 0, in order and each once.
            columns: names; `inference.outcome` is a field of a struct.
        """
        first = 0
        for file in self.manifest["files"]:
            end = first + file["rows"]
            if bisect_left(numbers, first) < bisect_left(numbers, end):
                yield from self._rows_of_file(file["path"], first, numbers, list(columns))
            first = end

    def _rows_of_file(
        self, part: str, first: int, numbers: Sequence[int], columns: list[str]
    ) -> Iterator[pa.Table]:
        with self.place.open(part) as source:
            parquet = _parquet(self.place.path(part), source)
            for group in range(parquet.num_row_groups):
                end = first + parquet.metadata.row_group(group).num_rows
                wanted = numbers[bisect_left(numbers, first) : bisect_left(numbers, end)]
                if wanted:
                    batches = parquet.iter_batches(FEW_ROWS, row_groups=[group], columns=columns)
                    yield from _picked(batches, first, wanted)
                first = end

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, in tables large enough to be counted fast and small enough to be kept in memory.

        Args:
            columns: names; `inference.outcome` is a field of a struct.
        """
        waiting: list[pa.Table] = []
        rows = size = 0
        for group in self._row_groups(list(dict.fromkeys(columns))):
            waiting.append(group)
            rows, size = rows + group.num_rows, size + group.nbytes
            if rows >= TABLE_ROWS or size >= TABLE_BYTES:
                yield pa.concat_tables(waiting).combine_chunks()
                waiting, rows, size = [], 0, 0
        if waiting:
            yield pa.concat_tables(waiting).combine_chunks()

    def _row_groups(self, columns: list[str]) -> Iterator[pa.Table]:
        for file in self.manifest["files"]:
            path = self.place.path(file["path"])
            with self.place.open(file["path"]) as source:
                parquet = _parquet(path, source)
                rows = parquet.metadata.num_rows
                if rows != file["rows"]:
                    raise StateUnreadable(
                        f"{path} has {rows} rows, but the manifest says {file['rows']}; {_REMEDY}"
                    )
                for group in range(parquet.num_row_groups):
                    yield parquet.read_row_group(group, columns=columns)


def _picked(batches: Iterator[pa.RecordBatch], first: int, numbers: Sequence[int]) -> Iterator[pa.Table]:
    for batch in batches:
        end = first + batch.num_rows
        wanted = numbers[bisect_left(numbers, first) : bisect_left(numbers, end)]
        if wanted:
            table = pa.Table.from_batches([batch])
            # Arrow takes rows out of plain values only.
            plain = {name: comparable_keys(table[name]) for name in table.column_names}
            yield pa.table(plain).take([number - first for number in wanted])
        first = end


def reading(places: Sequence[Place], work: Callable[[Sequence[Published]], T]) -> T:
    """The work's result on the current publishes; done again when one was replaced meanwhile.

    Raises:
        BadInput: nothing is published there.
        StateUnreadable: a manifest is damaged, or a file that it names is gone or damaged.
        PublishConflict: a dataset was replaced again and again while it was read.
    """
    for _ in range(TRIES):
        manifests = [_manifest(place) for place in places]
        try:
            return work([_open(*pair) for pair in zip(places, manifests, strict=True)])
        except FileNotFoundError as error:
            if [_manifest(place)["publish_id"] for place in places] == [
                one["publish_id"] for one in manifests
            ]:
                raise StateUnreadable(
                    f"{error.filename} is gone, though the manifest names it; {_REMEDY}"
                ) from error
    raise PublishConflict(f"{places[0].folder} was replaced {TRIES} times while it was read; try again")


def _manifest(place: Place) -> Mapping[str, Any]:
    kept = read_manifest(place.storage, place.state_folder)
    if kept is None:
        raise BadInput(
            "destination",
            f"nothing is published in {place.folder}, as far as {place.state_folder} knows",
            "Run the job first, or name its partition and state folder",
        )
    return kept[0]


def _open(place: Place, manifest: Mapping[str, Any]) -> Published:
    path = place.path(manifest["files"][0]["path"])
    with place.open(manifest["files"][0]["path"]) as source:
        schema = _parquet(path, source).schema_arrow
    published = Published(place, manifest, schema)
    for name in (*published.result_columns, INFERENCE):
        if name not in schema.names:
            raise BadInput("destination", f"{path} has no column {name!r}", "Name a dataset of ours")
    return published


def _parquet(path: str, source: pa.NativeFile) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(source)
    except pa.ArrowInvalid as error:
        raise StateUnreadable(f"{path} is damaged ({error}); {_REMEDY}") from None
