"""Names that readers who do not tell upper from lower case take for one: DuckDB, Spark, Trino and Hive. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def look_alikes(fields: Iterable[pa.Field], inside: str = "") -> Iterator[str]:
    """Tell of columns, and fields of structs at any depth, whose names differ in case only.

    Args:
        fields: side by side.
        inside: the path of what they are the fields of, with a dot behind it; empty for columns.
    """
    spellings: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for field in fields:
        spellings[field.name.lower()][field.name] = None
        yield from look_alikes(_inner(field.type), f"{inside}{field.name}.")
    for alike in spellings.values():
        if len(alike) > 1:
            names = " and ".join(repr(f"{inside}{name}") for name in alike)
            yield (
                f"the names {names} differ in upper and lower case only: DuckDB, Spark, Trino and Hive take them for one, and"
                " show other values or refuse to read; rename one, or leave one out with Publish(columns=[...])"
            )


def _inner(kind: pa.DataType) -> list[pa.Field]:
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        return []
    if pa.types.is_struct(kind):
        return list(kind)
    # The item of a list has a name that nobody reads by.
    return [field for number in range(kind.num_fields) for field in _inner(kind.field(number).type)]
