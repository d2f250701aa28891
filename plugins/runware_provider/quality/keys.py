"""The values of a column as they are compared and joined: without what is only a way to hold them. Pure."""

from __future__ import annotations

import pyarrow as pa

from runware_provider.engine.dataset.arrow_types import plain


def type_of_keys(kind: pa.DataType) -> pa.DataType:
    """The type in which a column's values are compared: UUIDs are texts, as people write them."""
    return pa.string() if kind == pa.uuid() else plain(kind)


def comparable_keys(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column's values in that type."""
    if column.type != pa.uuid():
        return column.cast(type_of_keys(column.type))
    texts = [None if value is None else str(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])
