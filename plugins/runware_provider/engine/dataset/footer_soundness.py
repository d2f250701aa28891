"""Whether what a footer says of columns can be looked at. Pure.

Arrow ends the whole process where somebody asks what a footer says of a column, or has row groups chosen by it, and the footer
contradicts itself there, or the column is encrypted. Where the column is about to be read, the same is an error. So each is begun to
be read first, in a file that is no more than its footer: whoever asks that for data has got past what can be wrong with it.
Statistics are looked at besides (`footer_statistics`), where somebody names the columns of which he wants to know them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.dataset.footer_statistics import check_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAGIC = b"PAR1"
LENGTH_AND_MAGIC = 8
"""Bytes at the end of a Parquet file: how long the footer before them is, and `PAR1`."""
_ENOUGH = 1 << 16
"""Read of a column at a time: not all of it at once, which would be asked for before anything is looked at."""


def end_of(content: pa.NativeFile) -> bytes:
    """The footer of a Parquet file with what stands behind it; the file is known to be one."""
    start = content.size() - LENGTH_AND_MAGIC
    length = int.from_bytes(content.read_at(4, start), "little")
    return bytes(content.read_at(length + LENGTH_AND_MAGIC, start - length))


def check_columns(end: bytes, size: int, columns: Sequence[str] | None = None) -> None:
    """See that what the footer says of some columns, in every row group, can be looked at.

    Args:
        end: of the file, as `end_of` gives it.
        size: of the file, in bytes.
        columns: their names; None for all, none of whose statistics is looked at then.

    Raises:
        pa.ArrowException: it cannot.
        OSError: it cannot.
    """
    without_data = _WithoutData(end, size)
    file = pa.PythonFile(without_data, mode="r")
    parquet = pq.ParquetFile(file, buffer_size=_ENOUGH, pre_buffer=False)
    types = _types_of(parquet.metadata, columns)
    without_data.refuses = True
    for group in range(parquet.metadata.num_row_groups):
        without_data.was_asked = False
        begun = parquet.iter_batches(1, row_groups=[group], columns=columns, use_threads=False)
        try:
            next(begun, None)
        except (pa.ArrowException, OSError):
            if not without_data.was_asked:
                raise
        _check_types(parquet.metadata.row_group(group), types)
    if columns is not None:
        check_statistics(end[:-LENGTH_AND_MAGIC], columns)


def _types_of(metadata: Any, columns: Sequence[str] | None) -> dict[int, tuple[str, str]]:
    """By number, path and physical type of the columns in a file's schema, those within structs and lists included."""
    leaves = map(metadata.schema.column, range(metadata.num_columns))
    return {
        number: (leaf.path, leaf.physical_type)
        for number, leaf in enumerate(leaves)
        if columns is None or leaf.path.partition(".")[0] in columns
    }


def _check_types(group: Any, types: Mapping[int, tuple[str, str]]) -> None:
    """See that each column of a row group has the type that the schema says: else Arrow ends the process at its statistics."""
    for number, (path, kind) in types.items():
        if group.column(number).physical_type != kind:
            raise OSError(f"column {path} has another type in a row group than in the schema")


class _WithoutData:
    """A file of which only the end is there."""

    closed = False

    def __init__(self, end: bytes, size: int) -> None:
        self._end = end
        self._size = size
        self._at = 0
        self.refuses = False
        """Whether no more is given; as long as the footer is looked for, what lies before it is made up."""
        self.was_asked = False
        """Whether more was asked for."""

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, most: int) -> bytes:
        if self.refuses:
            self.was_asked = True
            raise OSError("there is no data")
        start = self._size - len(self._end)
        made_up = max(0, min(most, start - self._at))
        known = self._end[max(0, self._at - start) :][: most - made_up]
        self._at += made_up + len(known)
        return bytes(made_up) + known

    def close(self) -> None:
        """Nothing is open."""
