"""How finished parts become the dataset, all at once, whoever dies or races meanwhile.

A dataset folder is the destination, or `key=value` folders below it for a partition. It holds nothing but

    part-00042-<publish id>.parquet    one for each batch
    _SUCCESS                           empty; there while no publish is under way

and the job's state folder holds

    manifest.json                      counts, cost, and the names of the files that are the dataset
    staged/<publish id>/part-00042.staged

The manifest decides: a publish copies its parts beside the old ones, swaps the manifest against the version
that it read at its start, and only then removes what is in the way. What is in the way was listed before the
swap and stands in the manifest as `replaced`, so that a publish that goes on after a crash never touches the
parts of one that began later. Before the swap the old dataset is complete, after it the new one; between
`_SUCCESS` going and coming, a reader that takes every Parquet file it finds may see the parts of both.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.errors import BadInput, PublishConflict
from runware_provider.engine.state_records import damaged, decoded, encoded
from runware_provider.engine.storage.stores import STALE_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runware_provider.engine.storage.stores import Entries, Entry, Storage, Version

FORMAT = 1
_KINDS = {"publish_id": str, "files": list, "replaced": list}
"""What every manifest holds."""
MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"
ROW_GROUP_ROWS = 100_000
ROW_GROUP_BYTES = 32_000_000

# Spark's and DuckDB's names have a further hyphen or none, so that they are never taken for ours.
_PART = re.compile(r"part-\d{5,}-[0-9A-Za-z_]+\.parquet")
_STAGED = re.compile(r"([0-9A-Za-z_]{1,100})/part-\d{5,}\.staged")
_PUBLISH_ID = re.compile(r"[0-9A-Za-z_]{1,100}")
# What Hive and Spark escape in a partition's folder, and no more: they read %XX as one character each, so that
# a percent-encoded ü would come back as two.
_ESCAPED = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]")


@dataclass(frozen=True)
class StagedPart:
    """A batch's part that waits in the state folder."""

    number: int
    """The batch's."""
    path: str
    rows: int
    bytes: int
    sha256: str
    """Of the file's content, in hex."""


def dataset_folder(storage: Storage, destination: str, partition: Mapping[str, str]) -> str:
    """Where the part files of a destination, or of one hive partition of it, lie."""
    return storage.join(destination, *(f"{key}={_escape(value)}" for key, value in partition.items()))


def check_destination(
    storage: Storage,
    destination: str,
    partition: Mapping[str, str],
    *,
    known: bool,
    field: str = "destination",
) -> None:
    """Refuse a destination that holds what is not ours, before anything is paid.

    Looks at the dataset's folder and, for a partition, at the files right in the folders above; never at the
    other partitions.

    Args:
        storage: where the destination lies.
        destination: the dataset's root.
        partition: the hive partition to write, or nothing.
        known: whether this job's state folder existed before; if not, no file can be ours.
        field: what the user calls the destination.

    Raises:
        BadInput: there is such a file; up to three are named.
    """
    if storage.exists(destination):
        raise BadInput(field, f"{destination} is a file", "Give the folder of a dataset")
    for depth in range(len(partition)):
        above = dataset_folder(storage, destination, dict(list(partition.items())[:depth]))
        beside = [entry.path for entry in storage.list(above, recursive=False)]
        if beside:
            raise BadInput(
                field,
                f"{above} is to hold partitions, but has files of its own: {_some(beside)}",
                "Choose another destination, or remove them",
            )
    folder = dataset_folder(storage, destination, partition)
    found = [entry.path for entry in storage.list(folder)]
    ours = {storage.join(folder, name) for name in _own_names(storage, folder, found)} if known else set()
    foreign = [path for path in found if path not in ours]
    if foreign and known:
        raise BadInput(
            field,
            f"{folder} has files that this job did not write: {_some(foreign)}",
            "Choose another destination, or remove them",
        )
    if foreign:
        raise BadInput(
            field,
            f"{folder} has files already, but this job has no state folder that knows them: {_some(foreign)}",
            "Choose another destination, or remove them, or restore the state folder if it was lost",
        )


class Stage:
    """Writes a publish's parts where no reader looks; safe to call from many threads.

    Args:
        storage: where the state folder lies, which is where the destination lies.
        state_folder: the job's.
        publish_id: letters, digits and underscores, never used for two different publishes.
    """

    def __init__(self, storage: Storage, state_folder: str, publish_id: str) -> None:
        _check_publish_id(publish_id)
        self._storage = storage
        self._folder = storage.join(state_folder, "staged", publish_id)

    def write(
        self, batch_number: int, tables: Iterable[pa.RecordBatch | pa.Table], schema: pa.Schema
    ) -> StagedPart:
        """Stage the part of a batch; a part staged before for this batch is replaced.

        Args:
            batch_number: the batch's.
            tables: its rows in order; none for a part without rows.
            schema: the part's, also that of every table.

        Returns:
            The part, durable.
        """
        data, rows = _parquet(tables, schema)
        path = self._storage.join(self._folder, f"part-{batch_number:05d}.staged")
        if not self._storage.create_new(path, data) and self._storage.read(path) != data:
            # An earlier try of the same task, perhaps by another version; this one read the ledger last.
            self._storage.delete(path)
            if not self._storage.create_new(path, data):
                raise PublishConflict(f"{path} is being written by two processes at once; run again")
        return StagedPart(batch_number, path, rows, len(data), hashlib.sha256(data).hexdigest())


def read_manifest(storage: Storage, state_folder: str) -> tuple[dict[str, Any], Version] | None:
    """What the current publish holds, with the version to swap it against; None before the first publish.

    Raises:
        StateUnreadable: the manifest is damaged, or of a newer format.
    """
    path = storage.join(state_folder, MANIFEST)
    held = storage.read_versioned(path)
    if held is None:
        return None
    data, version = held
    manifest = decoded(data, path, newest=FORMAT)
    if not all(isinstance(manifest.get(key), kind) for key, kind in _KINDS.items()):
        raise damaged(path)
    return manifest, version


def publish(  # noqa: PLR0913 - keywords, each a fact of its own
    storage: Storage,
    *,
    folder: str,
    state_folder: str,
    publish_id: str,
    staged: Sequence[StagedPart],
    manifest: Mapping[str, Any],
    previous: Version | None,
) -> dict[str, Any]:
    """Make staged parts the dataset, in place of what it was.

    Done twice with the same id, or again after a crash, it comes to the same. After a `PublishConflict`, the
    staged parts can be published under a new id; the old one stays lost.

    Args:
        storage: where both folders lie.
        folder: the dataset's, from `dataset_folder`.
        state_folder: the job's.
        publish_id: that of the stage.
        staged: at least one part; a dataset without rows has one part without rows.
        manifest: what to record, as JSON values; `format`, `publish_id`, `files` and `replaced` are added.
        previous: the version of the manifest that this publish builds on, read at its start.

    Returns:
        The manifest as written.

    Raises:
        PublishConflict: another publish came first; its dataset stands.
        StateUnreadable: the present manifest cannot be read.
    """
    _check_publish_id(publish_id)
    in_order = sorted(staged, key=lambda part: part.number)
    parts = {f"part-{part.number:05d}-{publish_id}.parquet": part for part in in_order}
    if not parts or len(parts) != len(staged):
        raise ValueError("a publish needs at least one part, and one part for each batch")
    own = _Publish(storage, folder, state_folder, publish_id, parts)
    record = {
        "format": FORMAT,
        "publish_id": publish_id,
        **{key: value for key, value in manifest.items() if key not in {"format", "publish_id"}},
        "files": [{"path": name, "rows": part.rows, "bytes": part.bytes} for name, part in parts.items()],
    }
    encoded(record)  # before anything is touched: a manifest that is no JSON is a fault of the caller
    return own.run(record, previous)


@dataclass(frozen=True)
class _Publish:
    storage: Storage
    folder: str
    state_folder: str
    publish_id: str
    parts: Mapping[str, StagedPart]

    def run(self, record: dict[str, Any], previous: Version | None) -> dict[str, Any]:
        current = read_manifest(self.storage, self.state_folder)
        if current and self._is_ours(current[0]):
            return self._finish(current[0])
        if (current[1] if current else None) != previous:
            raise PublishConflict(
                f"another run published {self.folder} since this one began; run again to build on it"
            )
        if current and not self.parts.keys().isdisjoint(current[0]["replaced"]):
            raise PublishConflict(
                f"publish {self.publish_id} has lost before, and its parts may be removed at any moment; "
                "publish under a new id"
            )
        return self._replace(record, previous)

    def _replace(self, record: dict[str, Any], previous: Version | None) -> dict[str, Any]:
        self.storage.delete(self._path(SUCCESS))
        try:
            self._place()
        except FileNotFoundError as error:
            return self._lost(f"a staged part is gone ({error.filename})")
        current = read_manifest(self.storage, self.state_folder)
        present = self._present() | (_files(current[0]) if current else set())
        # A listing may be stale, so what it does not show is asked for by name.
        if not all(self.storage.exists(self._path(name)) for name in self.parts.keys() - present):
            return self._lost("another publish removed parts of this one")
        record = {**record, "replaced": sorted(present - self.parts.keys())}
        path = self.storage.join(self.state_folder, MANIFEST)
        if not self.storage.replace_if(path, encoded(record), previous):
            return self._lost("another publish of the same dataset came first")
        return self._finish(record)

    def _place(self) -> None:
        for name, part in self.parts.items():
            target = self._path(name)
            if self.storage.copy_new(part.path, target) or self._is_placed(target, part):
                continue
            # From an earlier try whose part was staged anew since; no manifest names it.
            self.storage.delete(target)
            self.storage.copy_new(part.path, target)

    def _is_placed(self, target: str, part: StagedPart) -> bool:
        return hashlib.sha256(self.storage.read(target)).hexdigest() == part.sha256

    def _lost(self, reason: str) -> dict[str, Any]:
        """Withdraw, unless it was a twin with our own id that came first, or a reply that was lost."""
        current = read_manifest(self.storage, self.state_folder)
        if current and self._is_ours(current[0]):
            return self._finish(current[0])
        for name in self.parts:
            self.storage.delete(self._path(name))
        if current and self._is_whole(_files(current[0])):
            self.storage.create_new(self._path(SUCCESS), b"")
        raise PublishConflict(f"{self.folder}: {reason}; run again to build on what is there")

    def _finish(self, manifest: dict[str, Any]) -> dict[str, Any]:
        for name in manifest["replaced"]:
            # Some names come from the manifest of before, and whoever wrote that may have named anything.
            if _PART.fullmatch(str(name)):
                self.storage.delete(self._path(name))
        current = read_manifest(self.storage, self.state_folder)
        if current and self._is_ours(current[0]):  # else a later publish is at work, and owns the mark
            self.storage.create_new(self._path(SUCCESS), b"")
        for part in self.parts.values():
            self.storage.delete(part.path)
        _clear_staged(self.storage, self.state_folder, self.publish_id)
        self.storage.sweep(self.state_folder)
        self.storage.sweep(self.folder)
        return manifest

    def _is_ours(self, manifest: Mapping[str, Any]) -> bool:
        return bool(manifest["publish_id"] == self.publish_id)

    def _is_whole(self, files: set[str]) -> bool:
        """Whether the folder holds these parts and no others, whatever a stale listing says."""
        others = self._present() - files
        return all(self.storage.exists(self._path(name)) for name in files) and not any(
            self.storage.exists(self._path(name)) for name in others
        )

    def _present(self) -> set[str]:
        """The part files of all publishes in the dataset's folder."""
        listed = [entry.path for entry in self.storage.list(self.folder, recursive=False)]
        return _own_names(self.storage, self.folder, listed) - {SUCCESS}

    def _path(self, name: str) -> str:
        return self.storage.join(self.folder, name)


def _files(manifest: Mapping[str, Any]) -> set[str]:
    """The names of the parts that a manifest says are the dataset."""
    return {str(file["path"]) for file in manifest["files"]}


def staged_parts(storage: Storage, state_folder: str) -> Entries:
    """The parts that wait in a state folder, those of dead processes too; nothing that is not ours or behind a link."""
    folder = storage.join(state_folder, "staged")
    listed = storage.list(folder, links=False)
    return [entry for entry in listed if _STAGED.fullmatch(entry.path.removeprefix(f"{folder}/"))]


def _clear_staged(storage: Storage, state_folder: str, publish_id: str) -> None:
    """Remove what this publish staged, and what others did whose newest part is a day old: they are dead."""

    def folder(entry: Entry) -> str:
        return entry.path.rpartition("/")[0]

    for where, group in groupby(staged_parts(storage, state_folder), folder):
        entries = list(group)
        ages = [time.time() - entry.modified for entry in entries if entry.modified is not None]
        dead = len(ages) == len(entries) and min(ages) > STALE_S
        if dead or where == storage.join(state_folder, "staged", publish_id):
            for entry in entries:
                storage.delete(entry.path)


def _own_names(storage: Storage, folder: str, paths: Iterable[str]) -> set[str]:
    """The names, right in the folder, that a publish of ours writes."""
    names = {path.rpartition("/")[2]: path for path in paths}
    return {
        name
        for name, path in names.items()
        if path == storage.join(folder, name) and (name == SUCCESS or _PART.fullmatch(name))
    }


def _parquet(tables: Iterable[pa.RecordBatch | pa.Table], schema: pa.Schema) -> tuple[memoryview, int]:
    sink = pa.BufferOutputStream()
    rows = 0
    with pq.ParquetWriter(sink, schema, compression="zstd", write_page_checksum=True) as writer:
        for group in _row_groups(tables):
            writer.write_table(group, row_group_size=group.num_rows)
            rows += group.num_rows
    return memoryview(sink.getvalue()), rows


def _row_groups(tables: Iterable[pa.RecordBatch | pa.Table]) -> Iterator[pa.Table]:
    """Small tables together: a row group for each would be slow to read."""
    held: list[pa.Table] = []
    rows = size = 0
    for one in tables:
        held.append(pa.Table.from_batches([one]) if isinstance(one, pa.RecordBatch) else one)
        rows, size = rows + one.num_rows, size + one.nbytes
        if rows >= ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES:
            yield pa.concat_tables(held)
            held, rows, size = [], 0, 0
    if rows:
        yield pa.concat_tables(held)


def _check_publish_id(publish_id: str) -> None:
    if not _PUBLISH_ID.fullmatch(publish_id):
        raise ValueError(f"{publish_id!r} is no publish id: letters, digits and underscores, at most 100")


def _escape(value: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", value)


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
