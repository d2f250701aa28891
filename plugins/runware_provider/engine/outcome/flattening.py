"""In which columns results stand: in one, or each of their fields in one of its own, beside the input's.

Only the first level becomes columns: structs inside stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable


RESULT = "result"
"""The one column."""


@dataclass(frozen=True)
class ResultColumns:
    """The columns that hold the results, with their metadata."""

    fields: tuple[pa.Field, ...]
    flat: bool
    """Whether they are the fields of the results."""

    @property
    def names(self) -> list[str]:
        """Of the columns, in their order."""
        return [field.name for field in self.fields]

    def arrays(self, results: pa.Array) -> list[pa.Array]:
        """The results' values, one array for each column; where there is no result, all are null.

        Args:
            results: of the type that `result_columns` was given.
        """
        return flat_columns(results) if self.flat else [results]


def result_columns(
    result: pa.DataType, taken: Iterable[str], *, flatten: bool, description: str | None = None
) -> ResultColumns:
    """The columns for results of this type.

    Args:
        result: what a checked answer is stored as.
        taken: as for `flattened`.
        flatten: whether each field is a column of its own.
        description: of the whole, as metadata of the one column.

    Raises:
        BadInput: as for `flattened`.
    """
    if flatten:
        return ResultColumns(flattened(result, taken), flat=True)
    told = {"description": description.encode(errors="replace")} if description else None
    return ResultColumns((pa.field(RESULT, result, metadata=told),), flat=False)


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
        raise BadInput("publish.flatten", f"the result is a {_called(result)}, which has no fields", remedy)
    columns = {name.lower(): f"the column {name!r}" for name in taken}
    for field in result:
        other = columns.get(field.name.lower())
        if other is not None:
            raise BadInput(
                "publish.flatten",
                f"the result's field {field.name!r} has the name of {other}",
                "Rename the field, or leave the input's column out with Publish(columns=[...])",
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
