"""Reads ranges of the source as batches: rows in order, across files, cut where enough rows or bytes are together.

How large rows are shows when they are decoded, so that batches are cut while they are read: the columns and the
filter decide where, and how many there are is known at the end. Rows of a batch can be read again, by its ranges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.dataset.arrow_types import empty_table
from runware_provider.engine.dataset.decoding import PieceSize
from runware_provider.engine.dataset.source import joined, rows_in
from runware_provider.engine.dataset.source_rows import SourceRows
from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runware_provider.engine.dataset.row_filter import RowFilter
    from runware_provider.engine.dataset.source import Dataset, FileRange
    from runware_provider.engine.dataset.source_rows import Piece
    from runware_provider.engine.storage.stores import Storage

LOOKED_THROUGH = 20
"""A batch looks through so many times the rows that it may hold, at most: so that a filter that chooses few rows gives a
sign of life, and a job that was told to stop is not reading for long."""
FEW_PIECES = 64
"""So many small pieces are put together: a column of a piece takes half a kilobyte beside its values, which many files
of one row would multiply."""
SMALL_BYTES = 1 << 22
"""Of these pieces together; larger ones are not worth a copy."""


@dataclass(frozen=True)
class Batch:
    """Rows of the source in order: what is held in memory and staged together."""

    number: int
    """Counts from 0 through what is read."""
    ranges: tuple[FileRange, ...]
    """The rows of the source that it was made of; a row filter may have left some of them out."""

    @property
    def rows(self) -> int:
        """Of the source."""
        return rows_in(self.ranges)


@dataclass(frozen=True, kw_only=True)
class BatchReader:
    """Reads rows of a dataset as batches.

    Args:
        storage: where the dataset lies.
        dataset: its files and its schema.
        columns: those to give, in this order, at least one; None for all.
        row_filter: which rows to give; None for all. Its columns are read besides.
        batch_rows: rows of a batch, at most, of those that the filter chooses.
        batch_bytes: decoded bytes of a batch, at most, unless one row has more.
    """

    storage: Storage
    dataset: Dataset
    columns: Sequence[str] | None = None
    row_filter: RowFilter | None = None
    batch_rows: int
    batch_bytes: int

    def read(self, ranges: Iterable[FileRange]) -> Iterator[tuple[Batch, pa.Table]]:
        """The rows of some ranges in their order, each file in one pass. Memory: one batch, and what is decoded at once.

        Args:
            ranges: of any files of the dataset; none for no batch.

        Yields:
            A batch, and those of its rows that the filter chooses, in the dataset's schema: cast, with nulls for the
            columns that a file does not have, and with the hive columns. There may be none.

        Raises:
            BadInput: a column is unknown, or a file is gone, was replaced, or is broken.
        """
        rows = self._rows()
        gathered = _Gathered(rows.schema)
        number = 0
        for piece in rows.pieces(ranges):
            if not self._fits(gathered, piece):
                yield gathered.let_go(number)
                number += 1
            gathered.add(piece)
        if gathered.places:
            yield gathered.let_go(number)

    def read_again(self, batches: Sequence[Batch]) -> Iterator[tuple[Batch, pa.Table]]:
        """The rows of batches that `read` gave, in the given order, as they were given; neighbours in one pass.

        Args:
            batches: of a reader of the same dataset and filter; the columns may be others.

        Raises:
            BadInput: as for `read`.
        """
        rows = self._rows()
        gathered = _Gathered(rows.schema)
        pieces = rows.pieces(place for batch in batches for place in batch.ranges)
        for batch in batches:
            while gathered.looked_through < batch.rows:
                gathered.add(next(pieces))
            _, table = gathered.let_go(batch.number)
            yield batch, table

    def _rows(self) -> SourceRows:
        schema = _chosen(self.dataset.schema, self.columns)
        size = PieceSize.within(self.batch_rows, self.batch_bytes, schema)
        return SourceRows(self.storage, self.dataset, schema, self.row_filter, size)

    def _fits(self, gathered: _Gathered, piece: Piece) -> bool:
        if not gathered.places:
            return True
        return (
            gathered.rows + piece.table.num_rows <= self.batch_rows
            and gathered.bytes + piece.bytes <= self.batch_bytes
            and gathered.looked_through < LOOKED_THROUGH * self.batch_rows
        )


class _Gathered:
    """The pieces of the batch that is being read."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._begin()

    def _begin(self) -> None:
        self.places: list[FileRange] = []
        self.rows = 0
        self.bytes = 0
        self.looked_through = 0
        """Rows of the source, whether or not the filter chooses them."""
        self._tables: list[pa.Table] = []
        self._newest: list[pa.Table] = []
        self._newest_bytes = 0

    def add(self, piece: Piece) -> None:
        self.places.append(piece.place)
        self.looked_through += piece.place.rows
        if piece.table.num_rows == 0:
            return
        self.rows += piece.table.num_rows
        self.bytes += piece.bytes
        self._newest.append(piece.table)
        self._newest_bytes += piece.bytes
        if len(self._newest) == FEW_PIECES:
            self._put_together()

    def _put_together(self) -> None:
        if self._newest_bytes < SMALL_BYTES:
            self._tables.append(pa.concat_tables(self._newest).combine_chunks())
        else:
            self._tables += self._newest
        self._newest, self._newest_bytes = [], 0

    def let_go(self, number: int) -> tuple[Batch, pa.Table]:
        """Return the batch with its rows, and hold nothing of it any more."""
        batch = Batch(number, joined(self.places))
        tables = [*self._tables, *self._newest] or [empty_table(self._schema)]
        self._begin()
        return batch, pa.concat_tables(tables)


def _chosen(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    if columns is None:
        return schema
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise BadInput(
            "publish.columns", f"{unknown[0]!r} is no column", f"The data has: {', '.join(schema.names)}"
        )
    return pa.schema([schema.field(name) for name in columns])
