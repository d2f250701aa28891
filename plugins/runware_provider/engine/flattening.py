"""The fields of a result as columns of their own, beside the input's. Only the first level: structs inside stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable


def flattened(result: pa.DataType, taken: Iterable[str]) -> tuple[pa.Field, ...]:
    """The columns that replace `result`, in the order of its fields, with their metadata.

    Names that differ by case only collide, too: DuckDB and Spark do not tell such columns apart.

    Args:
        result: what a checked answer is stored as.
        taken: the other columns of the dataset: those of the input that are kept, the partition's, `inference`.

    Raises:
        BadInput: the result has no fields, or one has the name of another column.
    """
    if not pa.types.is_struct(result):
        remedy = "Ask for an object, or keep the column `result`"
        raise BadInput("flatten", f"the result is a {_called(result)}, which has no fields", remedy)
    columns = {name.lower(): f"the column {name!r}" for name in taken}
    for field in result:
        other = columns.get(field.name.lower())
        if other is not None:
            raise BadInput(
                "flatten",
                f"the result's field {field.name!r} has the name of {other}",
                "Rename the field, or leave the input's column out with columns=[...]",
            )
        columns[field.name.lower()] = f"the field {field.name!r}"
    return tuple(field.with_nullable(True) for field in result)  # noqa: FBT003 - pyarrow takes it by position


def flat_columns(results: pa.StructArray) -> list[pa.Array]:
    """The results' values, one array for each of their columns; where there is no result, all are null.

    Args:
        results: of the type that `flattened` was given.
    """
    return list(results.flatten())


def _called(result: pa.DataType) -> str:
    return "list of calls" if pa.types.is_list(result) else "text"
