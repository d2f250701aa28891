"""Where batches wait until they are published, in whatever order they were finished.

    <state folder>/staged/<publish id>/batches-00000.staged

Each batch is a stream of Arrow's own format, compressed with zstd: read back, it is the very table that was written,
with its metadata and types. Small batches share a file. A batch is found by its place in the file and proves itself
by its SHA-256, so that any process can publish it that is told of it.
"""

from __future__ import annotations

import hashlib
import re
import threading
from itertools import groupby
from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.dataset.staged_batch import StagedBatch
from runware_provider.engine.errors import StateUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runware_provider.engine.storage.stores import Storage, StoredFiles

FOLDER = "staged"
FILE_BYTES = 8_000_000
"""Batches are kept in memory, compressed, until they come to this together: a file for each would be a request for each."""
COMPRESSION = "zstd"

_PUBLISH_ID = re.compile(r"[0-9A-Za-z_]{1,100}")
# The names of today, and `part-00042.staged`, of versions that staged a file for each batch.
_STAGED = re.compile(r"[0-9A-Za-z_]{1,100}/(?:batches-\d{5,}\.staged|part-\d{5,}\.(?:staged|part))")


class Stage:
    """Takes batches and keeps them where no reader looks; `add` may be called from many threads.

    Args:
        storage: where the state folder lies, which is where the destination lies.
        state_folder: the job's.
        publish_id: letters, digits and underscores, never used for two stages.
        file_bytes: about as large as a file becomes that holds more than one batch.
    """

    def __init__(
        self, storage: Storage, state_folder: str, publish_id: str, *, file_bytes: int = FILE_BYTES
    ) -> None:
        self._storage = storage
        self._stages = storage.join(state_folder, FOLDER)
        self._folder = stage_folder(storage, state_folder, publish_id)
        self._file_bytes = file_bytes
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[memoryview, int]] = {}
        """By number, the batches that are in no file yet: their bytes, and how many rows they have."""
        self._waiting_bytes = 0
        self._paths: list[str] = []
        self._staged: list[StagedBatch] = []

    def add(self, number: int, table: pa.Table) -> None:
        """Stage a batch, at the latest with `finish`.

        Args:
            number: the batch's, given once; batches need not come in their order.
            table: its rows; of the same schema as those of all others.
        """
        data = _encoded(table)
        with self._lock:
            self._waiting[number] = (data, table.num_rows)
            self._waiting_bytes += len(data)
            if self._waiting_bytes < self._file_bytes:
                return
            path, waiting = self._take()
        self._write(path, waiting)

    def finish(self) -> list[StagedBatch]:
        """All batches in the order of their numbers, each of them durable."""
        with self._lock:
            path, waiting = self._take()
        if waiting:
            self._write(path, waiting)
        return sorted(self._staged, key=lambda batch: batch.number)

    def discard(self) -> None:
        """Remove what was staged."""
        with self._lock:
            self._take()
            self._staged.clear()
            paths, self._paths = self._paths, []
        for path in paths:
            self._storage.delete(path)
        self._storage.sweep(self._stages)

    def _take(self) -> tuple[str, Mapping[int, tuple[memoryview, int]]]:
        """The batches that wait, and where they are to be written."""
        path = self._storage.join(self._folder, f"batches-{len(self._paths):05d}.staged")
        waiting, self._waiting, self._waiting_bytes = self._waiting, {}, 0
        if waiting:
            self._paths.append(path)
        return path, waiting

    def _write(self, path: str, waiting: Mapping[int, tuple[memoryview, int]]) -> None:
        staged = []
        start = 0
        with self._storage.writing(path) as file:
            for number, (data, rows) in sorted(waiting.items()):
                file.write(data)
                digest = hashlib.sha256(data).hexdigest()
                staged.append(StagedBatch(number, path, start, len(data), rows, digest))
                start += len(data)
        with self._lock:
            self._staged += staged


def stage_folder(storage: Storage, state_folder: str, publish_id: str) -> str:
    """Where a publish keeps what is not published yet.

    Raises:
        ValueError: the id could not be told from the rest of a file's name.
    """
    if not _PUBLISH_ID.fullmatch(publish_id):
        raise ValueError(f"{publish_id!r} is no publish id: letters, digits and underscores, at most 100")
    return storage.join(state_folder, FOLDER, publish_id)


def read_batches(storage: Storage, batches: Iterable[StagedBatch]) -> Iterator[pa.Table]:
    """The tables of staged batches, one after the other; never more than one of them is decoded in memory.

    Raises:
        FileNotFoundError: a file is gone.
        StateUnreadable: a batch is not what was staged.
    """
    for path, group in groupby(batches, key=lambda batch: batch.path):
        neighbours = list(group)
        start = min(batch.start for batch in neighbours)
        # Together, since each read is a request to some stores, and what shares a file is small.
        with storage.open(path) as file:
            file.seek(start)
            data = memoryview(file.read(max(batch.start + batch.bytes for batch in neighbours) - start))
        for batch in neighbours:
            yield _decoded(batch, data[batch.start - start :][: batch.bytes])


def remove_batches(storage: Storage, batches: Iterable[StagedBatch]) -> None:
    """Remove the files of staged batches, and the folders that are empty then."""
    paths = {batch.path for batch in batches}
    for path in sorted(paths):
        storage.delete(path)
    for stages in {path.rsplit("/", 2)[0] for path in paths}:
        storage.sweep(stages)


def staged_files(storage: Storage, state_folder: str) -> StoredFiles:
    """The files that wait in a state folder, those of dead processes too; nothing that is not ours or behind a link."""
    folder = storage.join(state_folder, FOLDER)
    listed = storage.list(folder, links=False)
    return [entry for entry in listed if _STAGED.fullmatch(entry.path.removeprefix(f"{folder}/"))]


def _encoded(table: pa.Table) -> memoryview:
    """As one piece: how a table is cut into chunks says nothing about its rows."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=COMPRESSION)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    return memoryview(sink.getvalue())


def _decoded(batch: StagedBatch, data: memoryview) -> pa.Table:
    if hashlib.sha256(data).hexdigest() != batch.sha256:
        raise StateUnreadable(f"{batch.path} is not what was staged; run again, which pays for nothing twice")
    return pa.ipc.open_stream(data).read_all()
