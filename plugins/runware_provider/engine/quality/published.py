"""A published dataset, read through its manifest, so that half a publish is never seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from runware_provider.engine.dataset.publish import dataset_folder, read_manifest
from runware_provider.engine.errors import BadInput, PublishConflict, StateUnreadable
from runware_provider.engine.outcome.flattening import RESULT
from runware_provider.engine.outcome.rows import INFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from runware_provider.engine.storage.stores import Storage

T = TypeVar("T")
TRIES = 3
TABLE_ROWS = 100_000
TABLE_BYTES = 64_000_000


@dataclass(frozen=True)
class Place:
    """Where a dataset is."""

    storage: Storage
    folder: str
    state_folder: str


@dataclass(frozen=True)
class Published:
    """The current publish of a dataset."""

    place: Place
    manifest: Mapping[str, Any]
    schema: pa.Schema

    @property
    def samples(self) -> int:
        """Rows of each record."""
        records, rows = (
            int(self.manifest.get("records", 0)),
            sum(one["rows"] for one in self.manifest["files"]),
        )
        return -(-rows // records) if records else 1

    def names(self, keys: pa.Array, samples: pa.Array) -> pa.Array:
        """What rows are called: by their key, and by their sample where a record has several."""
        if self.samples <= 1:
            return keys
        texts = (column.cast(pa.string()) for column in (keys, samples))
        return pc.binary_join_element_wise(*texts, ", sample ")

    @property
    def result_columns(self) -> list[str]:
        """The column `result`, or those of its fields where the dataset is flattened."""
        return list(self.manifest.get("flattened") or [RESULT])

    @property
    def result_type(self) -> pa.DataType:
        """Of the results; a struct where the dataset is flattened."""
        if self.manifest.get("flattened"):
            return pa.struct([self.schema.field(name) for name in self.result_columns])
        return self.schema.field(RESULT).type

    def results(self, table: pa.Table) -> pa.Array:
        """The results in a table with these columns; of a flattened dataset, structs of which none is null."""
        arrays = [table[name].combine_chunks() for name in self.result_columns]
        if self.manifest.get("flattened"):
            return pa.StructArray.from_arrays(arrays, names=self.result_columns)
        return arrays[0]

    def about(self, names: Iterable[str]) -> list[str]:
        """The fields of `inference` to read: those of these names that this dataset has, as columns for `tables`."""
        kind = self.schema.field(INFERENCE).type
        return [f"{INFERENCE}.{name}" for name in names if kind.get_field_index(name) >= 0]

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows in order, in tables large enough to be counted fast and small enough to be held.

        Args:
            columns: names; `inference.outcome` is a field of a struct.
        """
        held: list[pa.Table] = []
        rows = size = 0
        for group in self._row_groups(columns):
            held.append(group)
            rows, size = rows + group.num_rows, size + group.nbytes
            if rows >= TABLE_ROWS or size >= TABLE_BYTES:
                yield pa.concat_tables(held).combine_chunks()
                held, rows, size = [], 0, 0
        if held:
            yield pa.concat_tables(held).combine_chunks()

    def _row_groups(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        for file in self.manifest["files"]:
            path = self.place.storage.join(self.place.folder, file["path"])
            with self.place.storage.open(path) as source:
                parquet = _parquet(path, source)
                if parquet.metadata.num_rows != file["rows"]:
                    raise StateUnreadable(
                        f"{path} has {parquet.metadata.num_rows} rows, but the manifest says {file['rows']}; run the"
                        " job again, which pays for nothing twice"
                    )
                for group in range(parquet.num_row_groups):
                    yield parquet.read_row_group(group, columns=list(dict.fromkeys(columns)))


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
    return Place(storage, dataset_folder(storage, destination, parts), dataset_folder(storage, root, parts))


def reading(places: Sequence[Place], work: Callable[[Sequence[Published]], T]) -> T:
    """The work's result on the current publishes; done again when one was replaced meanwhile.

    Raises:
        BadInput: nothing is published there.
        StateUnreadable: a manifest is damaged, or a file that it names is gone or damaged.
        PublishConflict: a dataset was replaced again and again while it was read.
    """
    for _ in range(TRIES):
        found = [_manifest(place) for place in places]
        try:
            return work([_open(place, one) for place, one in zip(places, found, strict=True)])
        except FileNotFoundError as error:
            if [_manifest(place)["publish_id"] for place in places] == [one["publish_id"] for one in found]:
                raise StateUnreadable(
                    f"{error.filename} is gone, though the manifest names it; run the job again, which pays for"
                    " nothing twice"
                ) from error
    raise PublishConflict(f"{places[0].folder} was replaced {TRIES} times while it was read; try again")


def _manifest(place: Place) -> Mapping[str, Any]:
    found = read_manifest(place.storage, place.state_folder)
    if found is None:
        raise BadInput(
            "destination",
            f"nothing is published in {place.folder}, as far as {place.state_folder} knows",
            "Run the job first, or name its partition and state folder",
        )
    return found[0]


def _open(place: Place, manifest: Mapping[str, Any]) -> Published:
    path = place.storage.join(place.folder, manifest["files"][0]["path"])
    with place.storage.open(path) as source:
        schema = _parquet(path, source).schema_arrow
    published = Published(place, manifest, schema)
    for name in (*published.result_columns, INFERENCE):
        if name not in schema.names:
            raise BadInput("destination", f"{path} has no column {name!r}", "Name a dataset of ours")
    return published


def _parquet(path: str, source: pa.NativeFile) -> Any:
    try:
        return pq.ParquetFile(source)
    except pa.ArrowInvalid as error:
        raise StateUnreadable(
            f"{path} is damaged ({error}); run the job again, which pays for nothing twice"
        ) from None
