"""What of Arrow's types is only a way to hold values in memory, and how rows of any type are taken.

Arrow takes and filters no string view, binary view or what has one inside, casts list views wrongly, and makes no empty array of
a list or struct of an extension type, such as UUIDs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable


def without_views(kind: pa.DataType) -> pa.DataType:
    """The type that holds the same values without string and binary views, at any depth.

    List views stay, whatever they hold: Arrow takes them as they are.
    """
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if isinstance(kind, pa.BaseExtensionType):
        stored = without_views(kind.storage_type)
        return kind if stored == kind.storage_type else stored
    return with_inner(kind, without_views)


def plain(kind: pa.DataType) -> pa.DataType:
    """The type that holds the same values without dictionaries, views and Arrow's extensions, at any depth."""
    if isinstance(kind, pa.BaseExtensionType):
        return plain(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    return with_inner(without_views(kind), plain)


_IS_UNSURE_OF_VIEWS = int(pa.__version__.split(".")[0]) < 25


def writable(kind: pa.DataType) -> pa.DataType:
    """The type that holds the same values, and that Arrow writes into Parquet.

    It slices no view in a struct in a list. Releases before 25 end the process where they write a slice of a list of views,
    and the oldest does not know how large a slice of views is: with these, no column has views.
    """
    if is_list_view(kind):
        return kind  # which it does not cast
    item = kind.item_type if pa.types.is_map(kind) else getattr(kind, "value_type", None)
    if _IS_UNSURE_OF_VIEWS or (item is not None and _is_struct_with_views(item)):
        return without_views(kind)
    return with_inner(kind, writable)


def is_list_view(kind: pa.DataType) -> bool:
    """Whether it is a list view, of either size."""
    return bool(pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind))


def has_list_view(kind: pa.DataType) -> bool:
    """Whether there is a list view at any depth: Arrow casts them to lists, and loses values where one is null."""
    return is_list_view(kind) or any(has_list_view(inner) for inner in inner_types(kind))


def is_unwritable(kind: pa.DataType) -> bool:
    """Whether Arrow writes no such values into Parquet, though it may read them, nor casts them to others."""
    here = is_list_view(kind) and _is_struct_with_views(kind.value_type)
    return here or any(map(is_unwritable, inner_types(kind)))


def check_names(schema: pa.Schema) -> None:
    """See that every name in a schema, at any depth, is a text: Arrow takes them as bytes, and fails where one is asked for.

    Raises:
        ValueError: one is no UTF-8.
    """
    schema.to_string(show_field_metadata=False, show_schema_metadata=False)


def inner_types(kind: pa.DataType) -> list[pa.DataType]:
    """Those of a struct's fields, of a list's items, of a map's entries."""
    return [kind.field(number).type for number in range(kind.num_fields)]


def _is_struct_with_views(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return False
    types = [field.type for field in kind]
    return any(map(_is_view, types)) or any(map(_is_struct_with_views, types))


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind))


def with_inner(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """The type with other types inside of its structs, lists and maps; list views stay as they are."""

    def changed(field: pa.Field) -> pa.Field:
        return field.with_type(change(field.type))

    if pa.types.is_struct(kind):
        return pa.struct([changed(field) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(changed(kind.value_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(changed(kind.value_field))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(changed(kind.value_field), kind.list_size)
    if pa.types.is_map(kind):
        return pa.map_(changed(kind.key_field), changed(kind.item_field), kind.keys_sorted)
    return kind


def taken(table: pa.Table, places: pa.Array) -> pa.Table:
    """Rows of a table of any types, in the order of their places; a place may be there more than once."""
    columns = [_taken(column, places) for column in table.columns]
    return pa.Table.from_arrays(columns, schema=table.schema)


def _taken(column: pa.ChunkedArray, places: pa.Array) -> pa.ChunkedArray:
    takeable = without_views(column.type)
    if takeable == column.type:
        return column.take(places)
    stored = column.type.storage_type if isinstance(column.type, pa.BaseExtensionType) else column.type
    return column.cast(stored).cast(takeable).take(places).cast(stored).cast(column.type)


def rows_where(mask: pa.ChunkedArray, table: pa.Table) -> pa.Table:
    """Rows of a table of any types of which a mask is true; where it is null, the row is not chosen."""
    if any(without_views(field.type) != field.type for field in table.schema):
        import pyarrow.compute as pc  # noqa: PLC0415 - heavy, and nothing else here needs it

        return taken(table, pc.indices_nonzero(mask))
    return table.filter(mask)


def empty_table(schema: pa.Schema) -> pa.Table:
    """A table of any types without rows."""
    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
