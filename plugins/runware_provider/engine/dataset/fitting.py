"""Makes of a file's rows rows of the source: cast, with nulls for columns that the file lacks, and what its path says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.dataset.source_schema import Partition

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def hive_values(partition: Partition, hive: Sequence[str]) -> dict[str, str | None]:
    """What a file's path says of the columns that only paths have; None where it says nothing."""
    written = dict(partition)
    return {name: None if (value := written.get(name, HIVE_NULL)) == HIVE_NULL else value for name in hive}


@dataclass(frozen=True)
class ColumnFit:
    """What the rows of one file become.

    Args:
        path: the file's.
        of_path: the values of the columns that only paths have.
        schema: the columns to give, with the source's types; at least one.
    """

    path: str
    of_path: Mapping[str, str | None]
    schema: pa.Schema

    def __call__(self, decoded: pa.RecordBatch | None, rows: int) -> pa.Table:
        """Return so many rows in the schema.

        Args:
            decoded: the columns that the file has; None where it has none of the schema's.
            rows: how many.

        Raises:
            BadInput: a value does not fit the type that its column has in all files together.
        """
        there = decoded.schema.names if decoded is not None else ()
        columns = []
        for field in self.schema:
            if field.name in self.of_path:
                columns.append(pa.repeat(pa.scalar(self.of_path[field.name], pa.string()), rows))
            elif decoded is None or field.name not in there:
                columns.append(pa.nulls(rows, field.type))
            else:
                columns.append(self._cast(decoded.column(field.name), field))
        return pa.Table.from_arrays(columns, schema=self.schema)

    def _cast(self, column: pa.Array, field: pa.Field) -> pa.Array:
        if column.type == field.type:
            return column
        try:
            return column.cast(field.type)
        except pa.ArrowInvalid as error:
            raise BadInput(
                "source",
                f"column {field.name!r} of {self.path} does not fit {field.type}, the type of all files together ({error})",
                "Convert the file",
            ) from error
