"""The rows of the source, decoded piece by piece: each file in one pass, with the next files opened meanwhile."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.dataset.arrow_types import empty_table
from runware_provider.engine.dataset.decoded_size import size_of
from runware_provider.engine.dataset.decoding import Decoder
from runware_provider.engine.dataset.fitting import ColumnFit, hive_values
from runware_provider.engine.dataset.footers import open_file, unreadable
from runware_provider.engine.dataset.source import by_pass
from runware_provider.engine.errors import BadInput
from runware_provider.engine.storage.read_ahead import read_ahead, readers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runware_provider.engine.dataset.decoding import PieceSize
    from runware_provider.engine.dataset.footers import OpenedFile
    from runware_provider.engine.dataset.row_filter import RowFilter
    from runware_provider.engine.dataset.source import Dataset, FileRange, SourceFile
    from runware_provider.engine.storage.stores import Storage


@dataclass(frozen=True)
class Piece:
    """Rows of one file that stand in a row."""

    place: FileRange
    table: pa.Table = field(repr=False)
    """Those of them that the row filter chooses, in the source's schema."""
    bytes: int
    """Of the table."""


@dataclass(frozen=True)
class _Pass:
    """One pass over a file."""

    file: SourceFile
    ranges: Sequence[FileRange]
    of_path: dict[str, str | None]
    """The values of the columns that only paths have."""
    row_filter: RowFilter | None
    """What is left to look at in the rows."""
    passed_over: bool
    """Whether the path alone says that no row is chosen."""


@dataclass(frozen=True)
class SourceRows:
    """Reads rows of a dataset.

    Args:
        storage: where the dataset lies.
        dataset: its files and its schema.
        schema: the columns to give, in this order; at least one.
        row_filter: which rows to give; None for all. Its columns are read besides. A file whose hive partition
            passes no row is not opened, and a row group whose statistics say so is not read.
        size: how much is decoded at once.
    """

    storage: Storage
    dataset: Dataset
    schema: pa.Schema
    row_filter: RowFilter | None
    size: PieceSize

    def pieces(self, ranges: Iterable[FileRange]) -> Iterator[Piece]:
        """The rows of some ranges, in their order; each piece lies within one of them.

        A range that begins in the middle of a row group costs the decoding of the rows before it, since Parquet is
        not entered in the middle.

        Raises:
            BadInput: a file is gone, was replaced, or is broken.
        """
        passes = [self._pass(served) for served in by_pass(ranges)]
        with readers() as pool:
            for file_pass, opened in zip(passes, read_ahead(pool, self._open, passes), strict=True):
                if opened is None:
                    yield from (self._piece(place, None, None) for place in file_pass.ranges)
                else:
                    yield from self._read(file_pass, opened)

    @cached_property
    def _files(self) -> dict[str, SourceFile]:
        return {file.path: file for file in self.dataset.files}

    def _pass(self, ranges: Sequence[FileRange]) -> _Pass:
        path = ranges[0].path
        file = self._files.get(path)
        if file is None:
            raise BadInput("source", f"{path} is no longer in it", "Plan again")
        if ranges[-1].end > file.rows:
            problem = f"{path} has {file.rows} rows, and row {ranges[-1].end} is to be read"
            raise BadInput("source", problem, "Plan again")
        of_path = hive_values(file.partition, self.dataset.hive)
        left = self.row_filter.within(of_path) if self.row_filter is not None else None
        return _Pass(file, ranges, of_path, left, self.row_filter is not None and left is None)

    def _open(self, file_pass: _Pass) -> OpenedFile | None:
        return None if file_pass.passed_over else open_file(self.storage, file_pass.file)

    def _read(self, file_pass: _Pass, opened: OpenedFile) -> Iterator[Piece]:
        parquet = opened.parquet
        path, row_filter = file_pass.file.path, file_pass.row_filter
        schema = self._schema_to_read(row_filter)
        there = set(parquet.schema_arrow.names)
        names = [name for name in schema.names if name in there]
        decoder = Decoder(parquet, names, ColumnFit(path, file_pass.of_path, schema), self.size)
        with closing(opened):
            try:
                for place, table in decoder.pieces(file_pass.ranges, _groups_to_read(opened, row_filter)):
                    opened.check()
                    yield self._piece(place, table, row_filter)
            except (pa.ArrowException, OSError) as error:
                opened.check()
                raise unreadable(path, error) from error

    def _schema_to_read(self, row_filter: RowFilter | None) -> pa.Schema:
        looked_at = row_filter.columns if row_filter is not None else ()
        besides = [self.dataset.schema.field(name) for name in looked_at if name not in self.schema.names]
        return pa.schema([*self.schema, *besides])

    def _piece(self, place: FileRange, table: pa.Table | None, row_filter: RowFilter | None) -> Piece:
        if table is None:  # no row passes, as the path or the statistics of the row group say
            return Piece(place, empty_table(self.schema), 0)
        if row_filter is not None:
            table = row_filter.choose(table).select(self.schema.names)
        return Piece(place, table, size_of(table))


def _groups_to_read(opened: OpenedFile, row_filter: RowFilter | None) -> Sequence[int]:
    """The row groups in which a row may pass, by their statistics; Arrow looks at the footer alone for that."""
    parquet = opened.parquet
    every = range(parquet.metadata.num_row_groups)
    condition = row_filter.expression(parquet.schema_arrow) if row_filter is not None else None
    if row_filter is None or condition is None:
        return every
    import pyarrow.dataset as ds  # noqa: PLC0415 - heavy, it takes pandas along, and only filters need it

    opened.check_columns([name for name in row_filter.columns if name in parquet.schema_arrow.names])
    fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(opened.footer_alone()))
    try:
        return [group.id for group in fragment.subset(filter=condition).row_groups]
    except pa.ArrowNotImplementedError:  # it compares no such statistics, which is no fault of the file
        return every
