"""How many bytes decoded rows are; of a slice only its own, though it shares the buffers of the whole."""

from __future__ import annotations

import pyarrow as pa


def size_of(rows: pa.RecordBatch | pa.Table) -> int:
    """Bytes of rows, with the dictionaries that their columns point into."""
    return sum(_column_size(column) for column in rows.columns)


def size_of_rows(rows: pa.RecordBatch | pa.Table) -> int:
    """The same without dictionaries, which are as large however few rows point into them."""
    return sum(_places_size(column) for column in rows.columns)


def _places_size(column: pa.Array | pa.ChunkedArray) -> int:
    if pa.types.is_dictionary(column.type):
        return len(column) * int(column.type.index_type.bit_width) // 8
    return _column_size(column)


def _column_size(column: pa.Array | pa.ChunkedArray) -> int:
    if pa.types.is_string_view(column.type):  # of a slice of views Arrow counts what the others point to, too
        return int(column.cast(pa.large_string()).nbytes)
    if pa.types.is_binary_view(column.type):
        return int(column.cast(pa.large_binary()).nbytes)
    try:
        return int(column.nbytes)
    except pa.ArrowTypeError:  # older releases of Arrow do not count slices of views within other types
        return int(column.get_total_buffer_size())
