"""The files with texts of records that a page shows: read only where they are small, and row by row.

A file of more than `MOST_BYTES`, or one that says of itself that it has more than `MOST_DECODED` bytes once it is decoded, is
not read at all. Of others at most `AT_A_TIME` rows are decoded together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.storage.bounded_reading import TooLargeError, read_at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runware_provider.engine.storage.stores import Storage

MOST_BYTES: Final = 64_000_000
"""Of a file of Parquet."""
MOST_DECODED: Final = 512_000_000
"""Of what it says that it holds."""
MOST_JSON_BYTES: Final = 16_000_000
AT_A_TIME: Final = 20
MOST_COUNTED: Final = 100_000
"""Rows that are looked at."""
UNREADABLE: Final = "(this value cannot be shown)"
_THRIFT_BYTES: Final = 16_000_000


class Unshowable(Exception):  # noqa: N818 - it says what is the case
    """Why a file is not shown: its text is a sentence of ours."""


@dataclass
class ReadRows:
    """Some rows of a file."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    matching: int = 0
    """Of the file, those that were asked for, whether they are among `rows` or not."""
    seen: set[str] = field(default_factory=set)
    """What the labels of all of its rows are."""
    metadata: dict[bytes, bytes] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    """Of the rows in the file, from 0."""


def read_rows(  # noqa: PLR0913 - by keyword, each a fact of its own
    storage: Storage,
    path: str,
    *,
    needed: frozenset[str],
    label: Callable[[dict[str, Any]], str],
    wanted: str | None,
    most: int,
) -> ReadRows | None:
    """The first rows of a file that have a label; None where there is no such file.

    Args:
        storage: where it lies.
        path: of the file.
        needed: columns without which it is no file of ours.
        label: of a row.
        wanted: label of the rows that are asked for; None for all.
        most: rows that are read.

    Raises:
        Unshowable: it is damaged, too large, or no file of ours.
        OSError: the store failed.
    """
    try:
        data = read_at_most(storage, path, MOST_BYTES)
    except TooLargeError:
        raise Unshowable("The file of these records is too large to be shown here.") from None
    if data is None:
        return None
    told = ReadRows()
    try:
        with _parquet(data, needed) as file:
            told.metadata = dict(file.schema_arrow.metadata or {})
            for number, row in enumerate(_rows(file)):
                if number >= MOST_COUNTED:
                    break
                told.seen.add(label(row))
                if wanted is not None and label(row) != wanted:
                    continue
                told.matching += 1
                if len(told.rows) < most:
                    told.rows.append(row)
                    told.numbers.append(number)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError):
        raise Unshowable("The file of these records is damaged, or none that this package wrote.") from None
    return told


def _parquet(data: bytes, needed: frozenset[str]) -> pq.ParquetFile:
    file = pq.ParquetFile(
        pa.BufferReader(data),
        thrift_string_size_limit=_THRIFT_BYTES,
        thrift_container_size_limit=1_000_000,
        page_checksum_verification=True,
    )
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    if sum(max(0, group.total_byte_size) for group in groups) > MOST_DECODED:
        raise Unshowable("The file of these records is too large to be shown here.")
    if not needed <= set(file.schema_arrow.names):
        raise ValueError("columns are missing")
    return file


def _rows(file: pq.ParquetFile) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(AT_A_TIME, use_threads=False):
        for place in range(batch.num_rows):
            yield {
                name: _value(column, place)
                for name, column in zip(batch.schema.names, batch.columns, strict=True)
            }


def _value(column: pa.Array, place: int) -> Any:
    try:
        return column[place].as_py()
    # A date after the year 9999, a text that is no UTF-8.
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return UNREADABLE


def read_json(storage: Storage, path: str) -> Any | None:
    """What a file of JSON holds; None where there is none.

    Raises:
        Unshowable: it is damaged or too large.
        OSError: the store failed.
    """
    try:
        data = read_at_most(storage, path, MOST_JSON_BYTES)
    except TooLargeError:
        raise Unshowable("The file of these records is too large to be shown here.") from None
    if data is None:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Unshowable("The file of these records is damaged, or none that this package wrote.") from None
