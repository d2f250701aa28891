"""The one schema of a source: what the columns of its files are together, and which of them only the paths have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from runware_provider.engine.dataset.arrow_types import (
    has_list_view,
    inner_types,
    is_unwritable,
    plain,
    with_inner,
    writable,
)
from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Partition: TypeAlias = tuple[tuple[str, str], ...]
"""Hive keys and values as the path has them, decoded, outermost first."""


@dataclass(frozen=True)
class Footer:
    """What a file says of its columns, and its path of further ones."""

    path: str
    partition: Partition
    schema: pa.Schema
    unproven: tuple[str, ...] = ()
    """The hive keys of which the file does not show that a column of its own says the same."""
    row_groups: int = 2
    """How many there are."""
    unwritten: tuple[tuple[str, str], ...] = ()
    """As of `Dataset`."""


def first_twice(names: Iterable[str]) -> str | None:
    """The first of the names that is there more than once; None where each is there once."""
    return next((name for name, count in Counter(names).items() if count > 1), None)


def hive_columns(footers: Sequence[Footer]) -> tuple[str, ...]:
    """The hive keys that no file has as a column; those that one has must say the same there.

    Raises:
        BadInput: a folder and a column of its name are not proven to agree.
    """
    keys = dict.fromkeys(key for footer in footers for key, _ in footer.partition)
    inside = {name for footer in footers for name in footer.schema.names} if keys else set()
    for footer in footers:
        for key, value in footer.partition:
            if key in inside and key in footer.unproven:
                raise BadInput(
                    "source",
                    f"the folder of {footer.path} says {key}={value}, but {key!r} is also a column of the files, "
                    "and this file's statistics do not show the same value throughout",
                    "Rename the folder or the column",
                )
    return tuple(key for key in keys if key not in inside)


def unproven_keys(metadata: Any, schema: pa.Schema, partition: Partition) -> tuple[str, ...]:
    """The hive keys of which a file does not show that a column of its own says the same.

    Args:
        metadata: Arrow's `FileMetaData`, which has no types.
        schema: of the same file.
        partition: what its path says.
    """
    return tuple(
        key for key, value in partition if key not in schema.names or not _only_value(metadata, key, value)
    )


_UNWRITTEN = ("BSON", "ENUM", "GEOGRAPHY", "GEOMETRY", "INTERVAL", "UNDEFINED", "VARIANT")
"""Logical types of Parquet whose values Arrow reads as bytes, and writes as bytes without a logical type."""


def unwritten_types(metadata: Any, schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """The columns, by their paths inside of the file, whose logical type Arrow does not write, and its name.

    Args:
        metadata: Arrow's `FileMetaData`.
        schema: of the same file.
    """
    if not any(_holds_bytes(field.type) for field in schema):
        return ()
    columns = map(metadata.schema.column, range(metadata.num_columns))
    named = [(column.path, column.logical_type.type) for column in columns]
    return tuple((path, name) for path, name in named if name in _UNWRITTEN)


def _holds_bytes(kind: pa.DataType) -> bool:
    return _is_bytes(kind) or any(map(_holds_bytes, inner_types(kind)))


def _only_value(metadata: Any, column: str, value: str) -> bool:
    """Whether the footer proves that a column holds one value; some writers keep the partition's column.

    Only for columns that were checked (`footer_soundness`).
    """
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    if column not in paths:
        return False
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        statistics = group.column(paths.index(column)).statistics
        if statistics is None or not statistics.has_min_max or statistics.null_count != 0:
            return False
        try:
            says_it = str(statistics.min) == str(statistics.max) == value
        except UnicodeDecodeError:  # a damaged one
            return False
        if not says_it:
            return False
    return True


def one_schema(footers: Sequence[Footer]) -> pa.Schema:
    """The schema that fits all files, without the hive columns.

    Columns are in order of first appearance, nullable where a file lacks them, of a type to which every file's
    can be cast; whether each value survives that is checked when it is cast. Dictionaries have room for the values
    of all files and row groups.

    Raises:
        BadInput: a column's types do not go together, or Arrow could not write what it holds.
    """
    kinds: list[tuple[str, pa.Schema]] = []
    for footer in footers:
        if not any(footer.schema.equals(schema) for _, schema in kinds):
            kinds.append((footer.path, footer.schema))
    for path, schema in kinds:
        _check_writable(path, schema)
    if len(kinds) == len(footers) == 1 and footers[0].row_groups <= 1:
        return pa.schema([field.with_type(writable(field.type)) for field in kinds[0][1]])
    if len(kinds) == 1:
        # The file's own metadata (pandas' index, for one) describes the input, not what we write.
        return pa.schema([_with_room(field) for field in kinds[0][1]])
    names = dict.fromkeys(name for _, schema in kinds for name in schema.names)
    return pa.schema([_with_room(_one_field(name, kinds)) for name in names])


def _check_writable(path: str, schema: pa.Schema) -> None:
    for field in schema:
        if is_unwritable(field.type):
            raise BadInput(
                "source",
                f"column {field.name!r} of {path} is {field.type}, which Arrow does not write into Parquet",
                "Write it with plain lists and texts",
            )


def _with_room(field: pa.Field) -> pa.Field:
    """Where a dictionary's places are of 8 or 16 bits, of 32: a file or row group has few values, all together may have more.

    Arrow would write them into one row group, and could not read it again.
    """
    return field.with_type(_with_roomy_places(writable(field.type)))


def _with_roomy_places(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind) and kind.index_type.bit_width < 32:
        return pa.dictionary(pa.int32(), kind.value_type, kind.ordered)
    return with_inner(kind, _with_roomy_places)


def _one_field(name: str, kinds: Sequence[tuple[str, pa.Schema]]) -> pa.Field:
    fields = [(path, schema.field(name)) for path, schema in kinds if name in schema.names]
    merged: pa.Field = fields[0][1]
    for path, other in fields[1:]:
        both = _merge(merged, other)
        if both is None:
            raise BadInput(
                "source",
                f"column {name!r} is {merged.type} in {fields[0][0]}, but {other.type} in {path}",
                "Convert one of the files, or give a source with one kind only",
            )
        merged = both
    everywhere = len(fields) == len(kinds)
    return merged if everywhere else merged.with_nullable(nullable=True)


def _merge(one: pa.Field, other: pa.Field) -> pa.Field | None:
    """A field for the values of both, none of them altered; None when there is no such type."""
    for left, right in ((one, other), (_plain(one), _plain(other))):
        try:
            both = pa.unify_schemas([pa.schema([left]), pa.schema([right])], promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            continue
        if all(_holds(both.field(0).type, field.type) for field in (one, other)):
            return both.field(0)
    return None


def _plain(field: pa.Field) -> pa.Field:
    """Without dictionaries, views and extensions, which Arrow does not merge with others."""
    return field.with_type(plain(field.type))


def _holds(wide: pa.DataType, narrow: pa.DataType) -> bool:
    """Whether values stay what they are: text no bytes, exact amounts exact; each is checked when it is cast."""
    if pa.types.is_floating(wide) and pa.types.is_decimal(narrow):
        return False
    if _is_bytes(wide) and _is_text(narrow):
        return False
    if pa.types.is_struct(wide) and pa.types.is_struct(narrow):
        inner = [(wide.field(one.name).type, one.type) for one in map(narrow.field, range(narrow.num_fields))]
    else:
        inner = list(zip(inner_types(wide), inner_types(narrow), strict=False))
    return _castable(narrow, wide) and all(_holds(*both) for both in inner)


def _castable(narrow: pa.DataType, wide: pa.DataType) -> bool:
    if narrow != wide and has_list_view(narrow):
        return False
    try:
        pa.nulls(0, narrow).cast(wide)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
