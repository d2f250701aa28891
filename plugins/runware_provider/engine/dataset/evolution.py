"""What changes in a partitioned dataset when its schema changes between runs, and who can still read all of it.

Partitions that were written before keep their schema. What then happens was tried with Parquet files, nested
fields and items of lists among them, in pyarrow 26.0 (`unify_schemas` with `promote_options="permissive"`),
DuckDB 2.0 (`union_by_name=true`), Polars 2.1 (the newest schema, `missing_columns="insert"` and cast options)
and Spark 4.3 (`mergeSchema`), each told to merge:

| change                                      | kind      | pyarrow | DuckDB        | Polars | Spark |
|---------------------------------------------|-----------|---------|---------------|--------|-------|
| a field is added: null in old partitions    | `added`   | reads   | reads         | reads  | reads |
| a field is removed: null in new partitions  | `removed` | reads   | reads         | reads  | reads |
| fields in another order, other metadata     | none      | reads   | reads         | reads  | reads |
| decimal, more digits before the point       | `widened` | reads   | reads         | reads  | reads |
| decimal, more digits behind the point, too  | `widened` | reads   | reads         | breaks | breaks|
| a wider integer, a wider float              | `widened` | reads   | reads         | reads  | breaks|
| integer to float                            | `widened` | reads   | rounds (1)    | reads  | breaks|
| integer to a decimal that holds it          | `widened` | reads   | rounds (1)    | breaks | breaks|
| upper and lower case change in a name       | `changed` | two fields | one field | two fields | one field |
| any other type                              | `changed` | breaks  | breaks        | breaks | breaks|

(1) Silently, where it is not told to merge and the first file holds integers; else it reads.

Of the last row, some readers read some pairs of types, and not always the values that were written. Readers that
are not told to merge take the schema of one file: pyarrow, DuckDB and Spark then leave added fields
out, Polars refuses to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.schema.problems import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PYARROW, DUCKDB, POLARS, SPARK = "pyarrow", "DuckDB", "Polars", "Spark"
ALL_READERS = (PYARROW, DUCKDB, POLARS, SPARK)
"""Of which those that are named by a change cannot be relied on to read old and new partitions together."""
_SMALL = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}


class ChangeKind(StrEnum):
    """What became of a column or field."""

    ADDED = "added"
    REMOVED = "removed"
    WIDENED = "widened"
    """Every value of the old type is one of the new type, too; a float rounds integers beyond 2**53."""
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """A column or field that is not what it was; types are in Arrow's words."""

    kind: ChangeKind
    path: str
    """Like `$.result.lines[].amount`."""
    old: str | None
    new: str | None
    breaks: tuple[str, ...] = ()
    """The readers that break, or read other values; none where all can be told to read both."""

    def __str__(self) -> str:
        told = {
            ChangeKind.ADDED: f"{self.path} is added ({self.new})",
            ChangeKind.REMOVED: f"{self.path} is removed (it was {self.old})",
        }.get(self.kind, f"{self.path} was {self.old} and becomes {self.new}")
        return f"{told}, which breaks {', '.join(self.breaks)}" if self.breaks else told


def evolution(old: pa.Schema, new: pa.Schema) -> list[Change]:
    """What changes from one schema to the next, in the order of the old fields, then the new ones.

    The order of fields, metadata and nullability are no change, and neither are types that are one in Parquet,
    like string and large_string, or dictionaries of more and of fewer values.

    Args:
        old: of the partitions that are there.
        new: of the partition that is to be written.
    """
    return list(_fields(list(old), list(new), "$"))


def _fields(old: Iterable[pa.Field], new: Iterable[pa.Field], path: str) -> Iterator[Change]:
    before, after = {field.name: field for field in old}, {field.name: field for field in new}
    respelled = {name.lower(): name for name in after if name not in before}
    for name, field in before.items():
        below = joined(path, name)
        spelled = respelled.get(name.lower())
        if name in after:
            yield from _types(field.type, after[name].type, below)
        elif spelled is not None:
            known = (f"{name}: {field.type}", f"{spelled}: {after[spelled].type}")
            yield Change(ChangeKind.CHANGED, below, *known, ALL_READERS)
        else:
            yield Change(ChangeKind.REMOVED, below, str(field.type), None)
    letters = {name.lower() for name in before}
    for name, field in after.items():
        if name.lower() not in letters:
            yield Change(ChangeKind.ADDED, joined(path, name), None, str(field.type))
        elif name not in before and any(one.lower() == name.lower() and one in after for one in before):
            yield Change(ChangeKind.ADDED, joined(path, name), None, str(field.type), (DUCKDB, SPARK))


def _types(old: pa.DataType, new: pa.DataType, path: str) -> Iterator[Change]:
    if pa.types.is_struct(old) and pa.types.is_struct(new):
        yield from _fields(list(old), list(new), path)
    elif _is_list(old) and _is_list(new):
        yield from _types(old.value_type, new.value_type, f"{path}[]")
    elif not _is_one_in_parquet(old, new):
        kind, breaks = _scalar_change(old, new)
        yield Change(kind, path, str(old), str(new), breaks)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_one_in_parquet(old: pa.DataType, new: pa.DataType) -> bool:
    return bool(_stored(old) == _stored(new))


def _stored(kind: pa.DataType) -> pa.DataType:
    """Without what Arrow tells apart and Parquet does not."""
    if pa.types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), kind.value_type, kind.ordered)
    return _SMALL.get(kind, kind)


def _scalar_change(old: pa.DataType, new: pa.DataType) -> tuple[ChangeKind, tuple[str, ...]]:
    widened = ChangeKind.WIDENED
    if pa.types.is_decimal(old) and pa.types.is_decimal(new):
        if old.scale == new.scale and old.precision <= new.precision:
            return widened, ()
        if old.scale <= new.scale and old.precision - old.scale <= new.precision - new.scale:
            return widened, (POLARS, SPARK)
    if _is_wider(old, new):
        return widened, (SPARK,)
    if pa.types.is_integer(old) and pa.types.is_float64(new):
        return widened, (DUCKDB, SPARK)
    if pa.types.is_integer(old) and pa.types.is_decimal(new) and new.precision - new.scale >= _digits(old):
        return widened, (DUCKDB, POLARS, SPARK)
    return ChangeKind.CHANGED, ALL_READERS


def _is_wider(old: pa.DataType, new: pa.DataType) -> bool:
    alike = any(
        is_kind(old) and is_kind(new)
        for is_kind in (pa.types.is_signed_integer, pa.types.is_unsigned_integer, pa.types.is_floating)
    )
    return bool(alike and old.bit_width < new.bit_width)


def _digits(integer: pa.DataType) -> int:
    return len(str(2**integer.bit_width))
