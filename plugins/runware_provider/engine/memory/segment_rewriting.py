"""Writes rows of old segments into new ones: files of a bounded size, each durable before the next is begun."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.memory import segments
from runware_provider.engine.memory.segment_catalogue import Held, merged_name, remove
from runware_provider.engine.memory.segment_seal import sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.engine.storage.stores import Storage

SEGMENT_BYTES = 16_000_000
"""About as large as a segment becomes: the memory of a rewriting, and what a death makes it do again."""
ROW_GROUP_ROWS = 2_000
ROW_GROUP_BYTES = 4_000_000
"""Row groups are what is read to find one answer again."""


class Rewriter:
    """Takes tables of `segments.SCHEMA`; memory is bounded by one segment.

    Args:
        storage: where the ledger lies.
        folder: the ledger's.
        segment_bytes: about as large as a segment may become.
    """

    def __init__(self, storage: Storage, folder: str, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._storage = storage
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._writer_id = secrets.token_hex(8)
        self._written = 0
        self._waiting: list[pa.Table] = []
        self._rows = self._bytes = 0
        self._sink: pa.BufferOutputStream = pa.BufferOutputStream()
        self._file: pq.ParquetWriter | None = None
        self._made: list[Held] = []
        """Of the segment at hand; `take` hands them over."""
        self._all: list[str] = []

    def add(self, table: pa.Table) -> None:
        """More rows.

        Raises:
            OSError: a segment could not be written.
        """
        for start in range(0, table.num_rows, ROW_GROUP_ROWS):
            piece = table.slice(start, ROW_GROUP_ROWS)
            self._waiting.append(piece)
            self._rows += piece.num_rows
            self._bytes += piece.nbytes
            if self._rows >= ROW_GROUP_ROWS or self._bytes >= ROW_GROUP_BYTES:
                self._write_group()

    def take(self) -> list[Held]:
        """The segments made of what was added since the last `take`; all of it is durable then."""
        self._write_group()
        self._write_segment()
        made, self._made = self._made, []
        return made

    @contextlib.contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Remove the segments again if it fails before anything names them."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(OSError):  # what stays behind, the next one that rewrites removes
                self.discard()
            raise

    def discard(self) -> None:
        """Remove every segment that was made."""
        remove(self._storage, self._folder, self._all)

    def _write_group(self) -> None:
        if not self._rows:
            return
        if self._file is None:
            self._sink = pa.BufferOutputStream()
            self._file = segments.writer(self._sink)
        whole = pa.concat_tables(self._waiting)
        self._file.write_table(whole, row_group_size=self._rows)
        self._waiting, self._rows, self._bytes = [], 0, 0
        if self._sink.tell() >= self._segment_bytes:
            self._write_segment()

    def _write_segment(self) -> None:
        if self._file is None:
            return
        self._file.close()
        data = sealed(bytes(self._sink.getvalue()))
        self._file = None
        self._written += 1
        name = merged_name(self._writer_id, self._written)
        self._all.append(name)
        if not self._storage.create_new(self._storage.join(self._folder, name), data):
            raise FileExistsError(f"{name} exists already, though nobody else may use its name")
        self._made.append(Held(name, len(data)))
