"""The rows of one Parquet file, decoded a few at a time, since only then it shows how large they are.

Parquet stores a value that many rows have once, and a run of one value as its length: 400 KB of file can be 2 GB of
rows. No footer says so. A row group's own size is the most that one row of it can take (but for lists of repeated
values), so the first rows of a group are as many as would fit if each took all of it. Then their number doubles as
long as the rows seen let it, up to `MOST_ROWS`: whatever follows, no more rows than these are decoded unseen.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runware_provider.engine.dataset.decoded_size import size_of_rows
from runware_provider.engine.dataset.source import FileRange, by_row_group

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

MOST_ROWS = 128
"""Decoded at once. Fewer cost some microseconds a row, more may be much larger than those before them."""


@dataclass(frozen=True)
class PieceSize:
    """How much is decoded at once."""

    rows: int
    bytes: int
    """Decoded; one row may be more."""

    @classmethod
    def within(cls, batch_rows: int, batch_bytes: int, schema: pa.Schema) -> PieceSize:
        """Small enough for a batch to be nearly full when the next piece does not fit.

        Arrow copies a dictionary into every piece, so that columns that are stored as dictionaries stay so in larger pieces.
        """
        rows = max(1, batch_rows // 8)
        if not any(pa.types.is_dictionary(field.type) for field in schema):
            rows = min(rows, MOST_ROWS)
        return cls(rows, max(1, batch_bytes // 8))

    def first_rows(self, group_bytes: int) -> int:
        """Of a row group, of which nothing was seen yet."""
        return max(1, min(self.rows, self.bytes // max(1, group_bytes)))

    def next_rows(self, rows: int, row_bytes: float) -> int:
        """After so many at once, of which a row took so many bytes."""
        return max(1, min(self.rows, 2 * rows, int(self.bytes / max(1.0, row_bytes))))


@dataclass(frozen=True)
class Decoder:
    """Decodes some columns of a file.

    Args:
        parquet: Arrow's `ParquetFile`.
        names: the columns; all of them are in the file.
        fit: makes of some rows with these columns (None where there are none) and their number a table of the
            source's schema.
        size: how much at once.
    """

    parquet: Any
    names: Sequence[str]
    fit: Callable[[pa.RecordBatch | None, int], pa.Table]
    size: PieceSize

    def pieces(
        self, ranges: Iterable[FileRange], readable: Container[int]
    ) -> Iterator[tuple[FileRange, pa.Table | None]]:
        """Rows of a file, in one pass over it.

        Args:
            ranges: rows in order, none of them twice.
            readable: the row groups to read.

        Yields:
            Rows within one of the ranges, and their table; None where they lie in a row group that is not to be read.

        Raises:
            pa.ArrowException: the file is broken.
        """
        metadata = self.parquet.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        begins = list(accumulate(sizes, initial=0))
        for group, cut in groupby(by_row_group(ranges, sizes), key=itemgetter(0)):
            wanted = [place for _, place in cut]
            if group not in readable:
                yield from ((place, None) for place in wanted)
            elif not self.names:
                yield from self._undecoded(wanted)
            else:
                yield from self._decoded(group, begins[group], wanted)

    def _undecoded(self, wanted: Iterable[FileRange]) -> Iterator[tuple[FileRange, pa.Table]]:
        for place in wanted:
            for start in range(place.start, place.end, self.size.rows):
                rows = min(self.size.rows, place.end - start)
                yield FileRange(place.path, start, rows), self.fit(None, rows)

    def _decoded(
        self, group: int, begin: int, wanted: Sequence[FileRange]
    ) -> Iterator[tuple[FileRange, pa.Table]]:
        """Parquet is not entered in the middle: rows of the group before the first wanted one are decoded, too."""
        rows = self.size.first_rows(self.parquet.metadata.row_group(group).total_byte_size)
        left = deque(wanted)
        pieces = self.parquet.iter_batches(
            batch_size=rows, row_groups=[group], columns=list(self.names), use_threads=False
        )
        for decoded in pieces:
            chosen = decoded.select(self.names)  # a name with a dot may have brought others along
            row_bytes = 0.0
            for place in _take(left, begin, begin + chosen.num_rows):
                table = self.fit(chosen.slice(place.start - begin, place.rows), place.rows)
                row_bytes = max(row_bytes, size_of_rows(table) / place.rows)
                yield from _parts(place, table, self.size.bytes)
            if not left:
                return
            begin += chosen.num_rows
            rows = self.size.next_rows(rows, row_bytes or size_of_rows(chosen) / chosen.num_rows)
            self.parquet.reader.set_batch_size(rows)  # heeded by the iteration that is under way
        raise pa.ArrowInvalid(f"its rows end at row {begin}, before its footer says so")


def _take(left: deque[FileRange], begin: int, end: int) -> Iterator[FileRange]:
    """What of the ranges lies between two rows; those that end there are taken away."""
    while left and left[0].start < end:
        place = left[0]
        start, stop = max(place.start, begin), min(place.end, end)
        yield FileRange(place.path, start, stop - start)
        if place.end > end:
            return
        left.popleft()


def _parts(place: FileRange, table: pa.Table, most_bytes: int) -> Iterator[tuple[FileRange, pa.Table]]:
    """The rows in pieces that fit, should they be much larger than those before them."""
    if place.rows == 1 or size_of_rows(table) <= most_bytes:
        yield place, table
        return
    half = place.rows // 2
    yield from _parts(FileRange(place.path, place.start, half), table.slice(0, half), most_bytes)
    rest = FileRange(place.path, place.start + half, place.rows - half)
    yield from _parts(rest, table.slice(half), most_bytes)
