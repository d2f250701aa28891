"""The files with texts of records that a page shows: read only where they are small, and row by row.

A file of more than `MOST_BYTES`, or one that says of itself that it has more than `MOST_DECODED` bytes once it is decoded, is
not read at all. Of others at most `AT_A_TIME` rows are decoded together, a text that is repeated only once, and only the
columns that are shown become Python's values. After `MOST_VALUES` bytes of them nothing more is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.storage.bounded_reading import TooLargeError, read_at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runware_provider.engine.storage.stores import Storage

MOST_BYTES: Final = 64_000_000
"""Of a file of Parquet."""
MOST_DECODED: Final = 512_000_000
"""Of what it says that it holds."""
MOST_JSON_BYTES: Final = 16_000_000
MOST_VALUES: Final = 128_000_000
"""Characters of texts and bytes that become Python's, in all; a page shows a hundredth of it."""
AT_A_TIME: Final = 20
LABELS_AT_A_TIME: Final = 100
MOST_OF_A_VALUE: Final = 32_000_000
"""Bytes of one."""
MOST_ITEMS: Final = 50_000_000
"""Values of all columns, those of lists one by one, that a file says it holds."""
MOST_COUNTED: Final = 100_000
"""Rows that are looked at."""
UNREADABLE: Final = "(this value cannot be shown)"
TOO_LARGE: Final = "The file of these records is too large to be shown here."
_NUMBER_BYTES: Final = 8
_LIMITS: Final = {"thrift_string_size_limit": 16_000_000, "thrift_container_size_limit": 1_000_000}


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
    label_column: str,
    wanted: str | None,
    most: int,
) -> ReadRows | None:
    """The first rows of a file that have a label; None where there is no such file.

    Args:
        storage: where it lies.
        path: of the file.
        needed: columns without which it is no file of ours.
        label: of a row, of which only `label_column` is there.
        label_column: the column, or the field of a struct, that it is read from.
        wanted: label of the rows that are asked for; None for all.
        most: rows that are read.

    Raises:
        Unshowable: it is damaged, too large, or no file of ours.
        OSError: the store failed.
    """
    try:
        data = read_at_most(storage, path, MOST_BYTES)
    except TooLargeError:
        raise Unshowable(TOO_LARGE) from None
    if data is None:
        return None
    told = ReadRows()
    try:
        with _parquet(data, needed) as file:
            told.metadata = dict(file.schema_arrow.metadata or {})
            room = _Room(MOST_VALUES)
            for number, row in enumerate(_rows(file, room, [label_column])):
                if number >= MOST_COUNTED:
                    break
                named = label(row)
                told.seen.add(named)
                if wanted is not None and named != wanted:
                    continue
                told.matching += 1
                if len(told.numbers) < most:
                    told.numbers.append(number)
            told.rows = list(_rows(file, room, None, told.numbers))
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, MemoryError):
        raise Unshowable("The file of these records is damaged, or none that this package wrote.") from None
    return told


@dataclass
class _Room:
    """What may yet become Python's values."""

    left: int

    def take(self, value: Any) -> None:
        """Count what a value holds.

        Raises:
            Unshowable: it is too much.
        """
        self.left -= _length(value)
        if self.left < 0:
            raise Unshowable(TOO_LARGE)


def _parquet(data: bytes, needed: frozenset[str]) -> pq.ParquetFile:
    """A file in which a text that stands there once for many rows is decoded once."""
    metadata = pq.ParquetFile(pa.BufferReader(data), **_LIMITS).metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    chunks = [group.column(number) for group in groups for number in range(group.num_columns)]
    if sum(max(0, group.total_byte_size) for group in groups) > MOST_DECODED:
        raise Unshowable(TOO_LARGE)
    if sum(max(0, chunk.num_values) for chunk in chunks) > MOST_ITEMS:
        raise Unshowable(TOO_LARGE)
    columns = [metadata.schema.column(number) for number in range(len(metadata.schema))]
    file = pq.ParquetFile(
        pa.BufferReader(data),
        metadata=metadata,
        read_dictionary=[column.path for column in columns if column.physical_type == "BYTE_ARRAY"],
        page_checksum_verification=True,
        **_LIMITS,
    )
    if not needed <= set(file.schema_arrow.names):
        raise ValueError("columns are missing")
    return file


def _rows(
    file: pq.ParquetFile, room: _Room, columns: list[str] | None, numbers: Sequence[int] | None = None
) -> Iterator[dict[str, Any]]:
    """Rows as Python's values: those with these numbers, in order; None for all.

    Raises:
        Unshowable: they are too much.
    """
    wanted = set(numbers) if numbers is not None else None
    begin = 0
    batches = file.iter_batches(
        LABELS_AT_A_TIME if columns else AT_A_TIME, columns=columns, use_threads=False
    )
    for batch in batches:
        if wanted is not None and begin > max(wanted, default=-1):
            return
        for place in range(batch.num_rows):
            if wanted is None or begin + place in wanted:
                row = {
                    name: _value(column, place)
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                }
                room.take(row)
                yield row
        begin += batch.num_rows


def _value(column: pa.Array, place: int) -> Any:
    try:
        if column.slice(place, 1).nbytes > MOST_OF_A_VALUE:
            return UNREADABLE
        return column[place].as_py()
    # A date after the year 9999, a text that is no UTF-8.
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return UNREADABLE


def _length(value: Any) -> int:
    """About how many bytes a value has."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_length, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_length, value))
    return _NUMBER_BYTES


def read_json(storage: Storage, path: str) -> Any | None:
    """What a file of JSON holds; None where there is none.

    Raises:
        Unshowable: it is damaged or too large.
        OSError: the store failed.
    """
    try:
        data = read_at_most(storage, path, MOST_JSON_BYTES)
    except TooLargeError:
        raise Unshowable(TOO_LARGE) from None
    if data is None:
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Unshowable("The file of these records is damaged, or none that this package wrote.") from None
