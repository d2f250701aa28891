"""The source as its footers have it, and which of its rows are meant, as ranges of its files.

All rows, the first ones or some here and there, and later the share of one worker: what reads them takes any ranges.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from runware_provider.engine.dataset.source_schema import Partition


@dataclass(frozen=True)
class SourceFile:
    """A Parquet file of the source, by its footer."""

    path: str
    rows: int
    bytes: int
    """Uncompressed, as encoded."""
    digest: str
    """Of the footer, which says where each column of each row group lies: another content mostly has another one."""
    partition: Partition = ()
    stamp: str = ""
    """What the store says of the content: another one has another one, as far as the store knows."""


@dataclass(frozen=True)
class Dataset:
    """The source: its files in order and the one schema that fits them all."""

    files: tuple[SourceFile, ...]
    schema: pa.Schema
    """The files' columns, in order of first appearance, then the hive partitions' as strings."""
    hive: tuple[str, ...] = ()
    """The columns that only the paths have."""
    warnings: tuple[str, ...] = ()
    """What a person should know of the folders."""
    unwritten: tuple[tuple[str, str], ...] = ()
    """The columns, by their paths inside of the files, of a logical type of Parquet that Arrow does not write, and its name."""

    @property
    def rows(self) -> int:
        """Of all files together."""
        return sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True)
class FileRange:
    """Rows of one file that stand in a row; at least one."""

    path: str
    start: int
    """The first row's place in the file."""
    rows: int

    @property
    def end(self) -> int:
        """The place behind the last row."""
        return self.start + self.rows


def first_rows(dataset: Dataset, limit: int | None = None) -> tuple[FileRange, ...]:
    """The rows of a dataset in order, up to a limit; None for all."""
    ranges = []
    left = dataset.rows if limit is None else limit
    for file in dataset.files:
        rows = min(file.rows, left)
        if rows:
            ranges.append(FileRange(file.path, 0, rows))
        left -= rows
    return tuple(ranges)


def spread_rows(dataset: Dataset, rows: int) -> tuple[FileRange, ...]:
    """So many single rows, evenly spread over the dataset; all rows, where there are no more."""
    total = dataset.rows
    wanted = min(rows, total)
    ends = list(accumulate(file.rows for file in dataset.files))
    ranges = []
    for number in range(wanted):
        row = (2 * number + 1) * total // (2 * wanted)  # the middle of each part, were it cut into as many
        index = bisect_right(ends, row)
        file = dataset.files[index]
        ranges.append(FileRange(file.path, row - ends[index] + file.rows, 1))
    return tuple(ranges)


def rows_in(ranges: Iterable[FileRange]) -> int:
    """How many rows these are together."""
    return sum(place.rows for place in ranges)


def joined(ranges: Iterable[FileRange]) -> tuple[FileRange, ...]:
    """The same rows in the same order, with neighbours as one range."""
    together: list[FileRange] = []
    for following in ranges:
        last = together[-1] if together else None
        if last is not None and last.path == following.path and last.end == following.start:
            together[-1] = FileRange(last.path, last.start, last.rows + following.rows)
        else:
            together.append(following)
    return tuple(together)


def by_pass(ranges: Iterable[FileRange]) -> Iterator[list[FileRange]]:
    """The ranges that one pass over a file serves together: neighbours in the order of its rows."""
    served: list[FileRange] = []
    for following in ranges:
        if served and (served[-1].path != following.path or following.start < served[-1].end):
            yield served
            served = []
        served.append(following)
    if served:
        yield served


def by_row_group(ranges: Iterable[FileRange], sizes: Sequence[int]) -> Iterator[tuple[int, FileRange]]:
    """Ranges of one file, cut where its row groups end.

    Args:
        ranges: none of them reaches beyond the last row.
        sizes: rows of each row group.

    Yields:
        The number of the row group, and rows that lie in it.
    """
    ends = list(accumulate(sizes))
    for wanted in ranges:
        start = wanted.start
        while start < wanted.end:
            group = bisect_right(ends, start)
            end = min(wanted.end, ends[group])
            yield group, FileRange(wanted.path, start, end - start)
            start = end
