"""Tables that are more than the Parquet files in their folder: which of these count, only the format's own library knows.

Old versions of rows, rows that were deleted and files of writes that failed lie beside those that count. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True)
class TableFormat:
    """A format, and how it is known."""

    name: str
    mark: re.Pattern[str]
    """Found in the path of a file below the table's folder, from the slash behind that folder on."""
    read_with: str
    """What gives the rows that count."""


_OF_SEVEN: Final = r"(?:base_\d{7}|(?:delete_)?delta_\d{7}_\d{7}(?:_\d{4,})?)(?:_v\d+)?"
"""The folder of a write of Hive, whose number it fills up to seven digits."""
_OF_MORE: Final = r"(?:base_\d{8,}|(?:delete_)?delta_\d{7,}_\d{8,}(?:_\d{4,})?)(?:_v\d+)?"
"""The same after ten million writes. Folders of days are called so, too, and tell themselves by the files in them."""
_FILE_OF_HIVE: Final = r"(?:bucket_\d+|\d{6}_\d+|_orc_acid_version|_metadata_acid)"
FORMATS: Final = tuple(
    TableFormat(name, re.compile(mark), read_with)
    for name, mark, read_with in (
        ("Delta Lake", r"/_delta_log/.", "deltalake"),
        ("Apache Iceberg", r"/metadata/[^/]*\.metadata\.json(?:\.[a-z0-9]+)?$", "pyiceberg"),
        # The second lies in each of its partitions, which may have any name.
        ("Apache Hudi", r"/\.hoodie(?:/.|_partition_metadata(?:\.[a-z]+)?$)", "Spark or hudi"),
        ("Apache Paimon", r"/snapshot/(?:snapshot-\d+|LATEST|EARLIEST)$", "pypaimon"),
        ("Lance", r"/_versions/[^/]+\.manifest$", "lance"),
        ("DuckLake", r"/ducklake-[0-9a-f-]{36}(?:-delete)?\.parquet$", "DuckDB's extension ducklake"),
        ("Hive ACID", rf"/(?:{_OF_SEVEN}/.|{_OF_MORE}/{_FILE_OF_HIVE})", "Hive or Spark"),
        ("Spark's streaming sink", r"/_spark_metadata/.", "Spark"),
    )
)
FOLDERS_OF_MARKS: Final = ("_delta_log", "metadata", ".hoodie", "snapshot", "_spark_metadata")
"""They lie in a table's folder, and are not below another folder that is in it."""
_ANY_MARK: Final = re.compile("|".join(table.mark.pattern for table in FORMATS))
_INSIDE: Final = re.compile(r"[^/]+=[^/]*|data|bucket-\w+|[01]{4}|[01]{8}")
"""How the folders are called that tables keep their files in; Iceberg spreads them over folders of four binary digits."""
_UNFINISHED: Final = re.compile(r"/_temporary/")
_MARK_OF_A_WRITE: Final = re.compile(r"/_(?P<is>started|committed)_(?P<write>\w+)$")
"""What Databricks leaves beside the files of a write, when it begins and when it is done."""


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


def may_be_inside(folder: str) -> Iterator[str]:
    """The folders above one that may be those of a table which it is a part of, the nearest first.

    The next one always may. Those above it only where all below are called like the folders inside of a table.

    Args:
        folder: its one spelling, from the root of its store on.
    """
    while (above := folder.rpartition("/")[0]) and not above.endswith("/"):
        yield above
        if _INSIDE.fullmatch(folder.rpartition("/")[2]) is None:
            return
        folder = above


def unfinished_in(files: Iterable[str]) -> dict[str, str]:
    """What a writer such as Spark that is at work or died left, by its folder: each empty, or ending in a slash.

    Args:
        files: their paths below a folder.
    """
    left: dict[str, str] = {}
    begun: dict[tuple[str, str], set[str]] = {}
    for file in files:
        temporary, mark = _UNFINISHED.search(f"/{file}"), _MARK_OF_A_WRITE.search(f"/{file}")
        if temporary is not None:
            left[file[: temporary.start()]] = "_temporary"
        if mark is not None:
            begun.setdefault((file[: mark.start()], mark["write"]), set()).add(mark["is"])
    for (folder, write), marks in begun.items():
        if marks == {"started"}:
            left.setdefault(folder, f"_started_{write}")
    return dict(sorted(left.items()))
