"""Tables that are more than the Parquet files in their folder: which of these count, only the format's own library knows.

Old versions of rows, rows that were deleted and files of writes that failed lie beside those that count. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class TableFormat:
    """A format, and how it is known."""

    name: str
    mark: re.Pattern[str]
    """Found in the path of a file below the table's folder, from the slash behind that folder on."""
    read_with: str
    """What gives the rows that count."""


FORMATS: Final = tuple(
    TableFormat(name, re.compile(mark), read_with)
    for name, mark, read_with in (
        ("Delta Lake", r"/_delta_log/.", "deltalake"),
        ("Apache Iceberg", r"/metadata/[^/]*\.metadata\.json(?:\.gz)?$", "pyiceberg"),
        ("Apache Hudi", r"/\.hoodie/.", "Spark or hudi"),
        ("Apache Paimon", r"/snapshot/(?:snapshot-\d+|LATEST|EARLIEST)$", "pypaimon"),
        ("Lance", r"/_versions/[^/]+\.manifest$", "lance"),
        ("DuckLake", r"/ducklake-[0-9a-f-]{36}(?:-delete)?\.parquet$", "DuckDB's extension ducklake"),
        (
            "Hive ACID",
            r"/(?:base_\d{7}|(?:delete_)?delta_\d{7}_\d{7}(?:_\d{4})?)(?:_v\d+)?/.",
            "Hive or Spark",
        ),
        ("Spark's streaming sink", r"/_spark_metadata/.", "Spark"),
    )
)
FOLDERS_OF_MARKS: Final = ("_delta_log", "metadata", ".hoodie", "snapshot", "_spark_metadata")
"""They lie in a table's folder, and are not below another folder that is in it."""
_ANY_MARK: Final = re.compile("|".join(table.mark.pattern for table in FORMATS))
_INSIDE: Final = re.compile(r"[^/]+=[^/]*|data|bucket-\d+")
"""How the folders are called that tables keep their files in."""
_UNFINISHED: Final = re.compile(r"/_temporary/")


def tables_in(files: Iterable[str]) -> dict[str, TableFormat]:
    """The tables that some files show, by their folders: each empty, or ending in a slash.

    Args:
        files: their paths below a folder.
    """
    tables: dict[str, TableFormat] = {}
    for file in files:
        shown = _ANY_MARK.search(f"/{file}")
        if shown is not None:
            table = next(table for table in FORMATS if table.mark.match(f"/{file}", shown.start()))
            tables.setdefault(file[: shown.start()], table)
    return tables


def may_lie_in_a_table(folder: str) -> bool:
    """Whether a folder is called like those inside of a table, so that its marks may lie above."""
    return _INSIDE.fullmatch(folder.rstrip("/").rpartition("/")[2]) is not None


def unfinished_in(files: Iterable[str]) -> list[str]:
    """The folders in which a writer such as Spark is at work or died: each empty, or ending in a slash.

    Args:
        files: their paths below a folder.
    """
    left = ((file, _UNFINISHED.search(f"/{file}")) for file in files)
    return sorted({file[: shown.start()] for file, shown in left if shown is not None})
