"""Which files are the source, which batches they are cut into, and the rows of a batch.

A source is a file, a folder or a glob.

- In a folder, at any depth, the files count whose names end in `.parquet`, `.parq` or `.pq`, in any case.
  Names that start with `.` or `_` are passed over, files and folders alike, as Spark and Arrow do; a folder
  `_key=value` counts.
- A glob knows `*`, `?`, `[...]`, `[!...]` within a name and `**` for any number of folders. Wildcards pass over
  the same names. A match that is a folder stands for what is below it. Where the pattern ends in a `*`, only
  Parquet's names count.
- Folders named `key=value` below the source, or from a glob's first wildcard on, are hive partitions: columns
  of strings behind those of the files, percent-decoded, `__HIVE_DEFAULT_PARTITION__` being null.

Files are in the order of their paths, compared character by character and not by the numbers in them, since
that is the order in which Arrow, pandas and Polars give the rows of a folder: whoever reads input and output
with one of them finds the records side by side.
"""

from __future__ import annotations

import fnmatch
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from runware_provider.engine.dataset.source_schema import Footer, hive_columns, one_schema
from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runware_provider.engine.dataset.row_filter import RowFilter
    from runware_provider.engine.dataset.source_schema import Partition
    from runware_provider.engine.storage.stores import Storage

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
FOOTERS_AT_ONCE = 16
DECODED_ROWS = 8192
READ_AHEAD_BYTES = 1 << 20
"""Read of a column at a time; without it a whole column chunk is held, however large the row group."""

_SUFFIXES = (".parquet", ".parq", ".pq")
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class SourceFile:
    """A Parquet file of the source, by its footer."""

    path: str
    rows: int
    bytes: int
    """Uncompressed, as encoded."""
    partition: Partition = ()


@dataclass(frozen=True)
class Batch:
    """A row range of one file: what is held in memory, retried and committed together."""

    number: int
    """Counts from 0 through the dataset."""
    path: str
    start: int
    """The first row's place in the file."""
    rows: int
    partition: Partition = ()


@dataclass(frozen=True)
class Dataset:
    """The source: its files in order and the one schema that fits them all."""

    files: tuple[SourceFile, ...]
    schema: pa.Schema
    """The files' columns, in order of first appearance, then the hive partitions' as strings."""
    hive: tuple[str, ...] = ()
    """The columns that only the paths have."""

    @property
    def rows(self) -> int:
        """Of all files together."""
        return sum(file.rows for file in self.files)


def open_dataset(storage: Storage, source: str) -> Dataset:
    """Find the files of a source and read their footers, nothing else.

    Args:
        storage: where the source lies.
        source: a file, a folder or a glob; the module's text says what each means.

    Raises:
        BadInput: there is nothing, no Parquet file, a broken one, or files whose columns do not go together.
    """
    found = _find(storage, source)
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        footers = list(pool.map(partial(_read_footer, storage), *zip(*found, strict=True)))
    hive = hive_columns(footers)
    schema = one_schema(footers)
    for key in hive:
        schema = schema.append(pa.field(key, pa.string()))
    return Dataset(tuple(map(_source_file, footers)), schema, hive)


def would_read(storage: Storage, source: str, path: str) -> bool:
    """Whether a Parquet file at this path would be part of the source, whether or not it is there.

    A folder is said to read everything below it.
    """
    place = storage.canonical(path)
    folder = source.rstrip("/") or "/"
    if not _WILDCARD.search(source) or storage.exists(source) or storage.list(folder):
        return place.startswith(f"{storage.canonical(folder).rstrip('/')}/")
    base, pattern = _split(folder)
    root = f"{storage.canonical(base).rstrip('/')}/"
    return place.startswith(root) and _matches(pattern, place[len(root) :].split("/"))


def plan_batches(
    dataset: Dataset, *, batch_rows: int, batch_bytes: int, limit: int | None
) -> tuple[Batch, ...]:
    """Cut a dataset into batches: every row in exactly one, in order, none across two files.

    A file is cut evenly, 5001 rows into 2501 and 2500 where 5000 are allowed.

    Args:
        dataset: what to cut.
        batch_rows: rows of a batch, at most.
        batch_bytes: bytes of a batch, about: by the mean of its file, and never less than a row.
        limit: only the first rows of the dataset; None for all.
    """
    batches: list[Batch] = []
    left = dataset.rows if limit is None else limit
    for file in dataset.files:
        rows = min(file.rows, left)
        left -= rows
        for start, count in _cuts(rows, file, batch_rows, batch_bytes):
            batches.append(Batch(len(batches), file.path, start, count, file.partition))
    return tuple(batches)


def spread_batches(dataset: Dataset, rows: int) -> tuple[Batch, ...]:
    """So many single rows, evenly spread over the dataset; all rows, where there are no more."""
    total = dataset.rows
    wanted = min(rows, total)
    ends = list(accumulate(file.rows for file in dataset.files))
    batches = []
    for number in range(wanted):
        row = (2 * number + 1) * total // (2 * wanted)  # the middle of each part, were it cut into as many
        index = bisect_right(ends, row)
        file = dataset.files[index]
        batches.append(Batch(number, file.path, row - ends[index] + file.rows, 1, file.partition))
    return tuple(batches)


def read_batches(
    storage: Storage,
    dataset: Dataset,
    batches: Iterable[Batch],
    columns: Sequence[str] | None,
    row_filter: RowFilter | None = None,
) -> Iterator[tuple[Batch, pa.Table]]:
    """The rows of batches, one table for each, in the given order.

    Neighbours in one file are read in one pass over it. A batch in the middle of a row group costs the
    decoding of the rows before it, since Parquet is not entered in the middle. Memory: one batch and one decoded piece.

    Args:
        storage: where the dataset lies.
        dataset: what the batches were planned from.
        batches: any of them, in any order.
        columns: the columns to return, in this order; None for all.
        row_filter: which rows to return; None for all. Its columns are read besides. A file whose hive partition
            passes no row is not opened, and a row group whose statistics say so is not read.

    Yields:
        The batch and its rows in the dataset's schema: cast, with nulls for the columns that its file does not
        have, and with the hive columns.

    Raises:
        BadInput: a column is unknown, a file has changed since it was planned, or is broken.
    """
    schema = _chosen(dataset.schema, columns)
    files = {file.path: file for file in dataset.files}
    for run in _runs(batches):
        file = files.get(run[0].path)
        if file is None:
            raise BadInput("source", f"{run[0].path} is no longer in it", "Plan again")
        if row_filter is None:
            yield from _read_run(storage, file, run, schema, dataset.hive, None)
            continue
        left = row_filter.within(_hive_values(file.partition, dataset.hive))
        if left is None:
            yield from ((batch, schema.empty_table()) for batch in run)
            continue
        besides = [name for name in left.columns if name not in schema.names]
        read = pa.schema([*schema, *(dataset.schema.field(name) for name in besides)])
        for batch, table in _read_run(storage, file, run, read, dataset.hive, left):
            yield batch, left.choose(table).select(schema.names)


def _find(storage: Storage, source: str) -> list[tuple[str, Partition]]:
    """Paths with their hive partitions, in order; at least one."""
    if storage.exists(source):
        return [(source, ())]
    folder = source.rstrip("/") or "/"
    below = [entry.path for entry in storage.list(folder)]
    if below or not _WILDCARD.search(source):
        names = {path: path[len(folder.rstrip("/")) + 1 :] for path in below}
        found = {
            path: name
            for path, name in names.items()
            if _is_parquet(name) and _matches(["**"], name.split("/"))
        }
    else:
        found = _glob(storage, folder)
    if not found:
        raise _nothing_found(source, len(below))
    return [(path, _partition(path, name)) for path, name in sorted(found.items())]


def _nothing_found(source: str, others: int) -> BadInput:
    if others:
        return BadInput(
            "source",
            f"none of the {others} files in {source!r} is Parquet",
            f"Their names must end in {', '.join(_SUFFIXES)} and not start with '_' or '.'",
        )
    return BadInput(
        "source", f"there is no Parquet file at {source!r}", "Check the path; a folder or a glob will do, too"
    )


def _glob(storage: Storage, pattern: str) -> dict[str, str]:
    """Matching paths, each with the part of it that begins at the first wildcard."""
    base, parts = _split(pattern)
    found = {}
    for entry in storage.list(base):
        name = entry.path[len(base.rstrip("/")) + 1 :]
        names = name.split("/")
        named = not parts[-1].endswith("*") and fnmatch.fnmatchcase(names[-1], parts[-1])
        if (named or _is_parquet(name)) and _matches(parts, names):
            found[entry.path] = name
    return found


def _split(pattern: str) -> tuple[str, list[str]]:
    """The folder before the first wildcard, and the rest by levels."""
    parts = pattern.split("/")
    fixed = next(n for n, part in enumerate(parts) if _WILDCARD.search(part))
    return "/".join(parts[:fixed]) or ("/" if fixed else "."), parts[fixed:]


def _matches(pattern: Sequence[str], names: Sequence[str]) -> bool:
    if not pattern:  # used up: it has met the file, or a folder above it
        return all(map(_visible, names))
    if not names:
        return False
    if pattern[0] == "**":
        return _matches(pattern[1:], names) or (_visible(names[0]) and _matches(pattern, names[1:]))
    asked = pattern[0][0] in "._" or _visible(names[0])
    return asked and fnmatch.fnmatchcase(names[0], pattern[0]) and _matches(pattern[1:], names[1:])


def _visible(name: str) -> bool:
    return not name.startswith(".") and (not name.startswith("_") or "=" in name)


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def _partition(path: str, name: str) -> Partition:
    pairs = [folder.partition("=") for folder in name.split("/")[:-1]]
    partition = tuple((unquote(key), unquote(value)) for key, equals, value in pairs if equals and key)
    twice = _first_twice(key for key, _ in partition)
    if twice is not None:
        raise BadInput("source", f"{path} has the hive key {twice!r} twice", "Rename one of the folders")
    return partition


def _read_footer(storage: Storage, path: str, partition: Partition) -> Footer:
    with storage.open(path) as file:
        try:
            metadata = pq.read_metadata(file)
            schema = metadata.schema.to_arrow_schema()
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, error) from error
    twice = _first_twice(schema.names)
    if twice is not None:
        raise BadInput("source", f"{path} has two columns named {twice!r}", "Rename one of them")
    return Footer(path, partition, metadata, schema)


def _unreadable(path: str, error: Exception) -> Exception:
    """Arrow's complaint about the content as the user's matter; a failing disk stays what it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    reason = str(error).strip().rstrip(".") or type(error).__name__
    return BadInput("source", f"{path} is not a readable Parquet file ({reason})", "Mend or remove it")


def _source_file(footer: Footer) -> SourceFile:
    groups = range(footer.metadata.num_row_groups)
    size = sum(footer.metadata.row_group(group).total_byte_size for group in groups)
    return SourceFile(footer.path, _rows_in(footer.path, footer.metadata), size, footer.partition)


def _rows_in(path: str, metadata: Any) -> int:
    """The rows that a file's row groups hold.

    Some writers that append leave the footer's own count at what it was before, and readers go by the row groups.

    Raises:
        BadInput: the footer counts more rows than its row groups hold, so that some are lost.
    """
    in_groups: int = sum(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    if metadata.num_rows > in_groups:
        counts = f"its footer counts {metadata.num_rows} rows, its row groups hold {in_groups}"
        raise BadInput("source", f"{path} is not a readable Parquet file ({counts})", "Mend or remove it")
    return in_groups


def _first_twice(names: Iterable[str]) -> str | None:
    return next((name for name, count in Counter(names).items() if count > 1), None)


def _cuts(rows: int, file: SourceFile, batch_rows: int, batch_bytes: int) -> Iterator[tuple[int, int]]:
    """Start and length of each batch of a file's first rows."""
    if rows == 0:
        return
    size = file.bytes * rows // file.rows
    count = min(rows, max(-(-rows // batch_rows), -(-size // batch_bytes)))
    each, longer = divmod(rows, count)
    start = 0
    for number in range(count):
        length = each + (number < longer)
        yield start, length
        start += length


def _chosen(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    if columns is None:
        return schema
    unknown = [name for name in columns if name not in schema.names]
    if unknown:
        raise BadInput("columns", f"{unknown[0]!r} is no column", f"The data has: {', '.join(schema.names)}")
    return pa.schema([schema.field(name) for name in columns])


def _runs(batches: Iterable[Batch]) -> Iterator[list[Batch]]:
    """Batches that one pass over their file can serve: ascending, not overlapping."""
    run: list[Batch] = []
    for batch in batches:
        if run and (batch.path != run[-1].path or batch.start < run[-1].start + run[-1].rows):
            yield run
            run = []
        run.append(batch)
    if run:
        yield run


def _read_run(  # noqa: PLR0913, PLR0917 - what, where, and how much of it
    storage: Storage,
    file: SourceFile,
    run: Sequence[Batch],
    schema: pa.Schema,
    hive: Sequence[str],
    row_filter: RowFilter | None,
) -> Iterator[tuple[Batch, pa.Table]]:
    """Each batch's rows, without those of row groups in which no row passes the filter."""
    with storage.open(file.path) as source:
        try:
            parquet = pq.ParquetFile(source, buffer_size=READ_AHEAD_BYTES, page_checksum_verification=True)
            rows = _rows_in(file.path, parquet.metadata)
            if rows != file.rows:
                raise BadInput(
                    "source",
                    f"{file.path} has {rows} rows, but had {file.rows} when it was planned",
                    "Run again, and write to a source only between runs",
                )
            names = [name for name in schema.names if name in parquet.schema_arrow.names]
            for batch, table in _slices(parquet, run, names, _groups_to_read(parquet, row_filter)):
                yield batch, _adapt(table, batch, schema, hive)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(file.path, error) from error


def _groups_to_read(parquet: Any, row_filter: RowFilter | None) -> Sequence[int]:
    """The row groups in which a row may pass, by their statistics; Arrow looks at the footer alone for that."""
    every = range(parquet.metadata.num_row_groups)
    condition = row_filter.expression(parquet.schema_arrow) if row_filter is not None else None
    if condition is None:
        return every
    footer = pa.BufferOutputStream()
    parquet.metadata.write_metadata_file(footer)
    fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(footer.getvalue()))
    try:
        return [group.id for group in fragment.subset(filter=condition).row_groups]
    except pa.ArrowNotImplementedError:  # it compares no such statistics, which is no fault of the file
        return every


def _slices(
    parquet: Any, run: Sequence[Batch], names: Sequence[str], readable: Sequence[int]
) -> Iterator[tuple[Batch, pa.Table | None]]:
    """Each batch's rows in the readable row groups, as the file has them.

    None when none of the file's columns is asked for.
    """
    if not names:
        yield from ((batch, None) for batch in run)
        return
    groups, ranges = _groups_and_ranges(parquet.metadata, run, readable)
    rows = min(DECODED_ROWS, max(batch.rows for batch in run))
    decoded = parquet.iter_batches(batch_size=rows, row_groups=groups, columns=names)
    stream = _Stream(decoded, pa.schema([parquet.schema_arrow.field(name) for name in names]))
    for batch, (start, count) in zip(run, ranges, strict=True):
        yield batch, stream.take(start, count)


def _groups_and_ranges(
    metadata: Any, run: Sequence[Batch], readable: Sequence[int]
) -> tuple[list[int], list[tuple[int, int]]]:
    """The row groups to read, and each batch's first row and number of rows in these groups strung together."""
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    begins = list(accumulate(sizes, initial=0))[:-1]
    first = [bisect_right(begins, batch.start) - 1 for batch in run]
    last = [bisect_left(begins, batch.start + batch.rows) - 1 for batch in run]
    touched = {group for one, other in zip(first, last, strict=True) for group in range(one, other + 1)}
    groups = sorted(touched.intersection(readable))
    passed = list(accumulate((sizes[group] for group in groups), initial=0))
    kept = [begins[group] for group in groups]

    def rows_before(row: int) -> int:
        """Rows of these groups that stand before a row of the file."""
        place = bisect_right(kept, row) - 1
        return passed[place] + min(row - kept[place], sizes[groups[place]]) if place >= 0 else 0

    ends = [(rows_before(batch.start), rows_before(batch.start + batch.rows)) for batch in run]
    return groups, [(start, end - start) for start, end in ends]


class _Stream:
    """Decoded pieces of a file, of which row ranges are taken in ascending order."""

    def __init__(self, decoded: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
        self._decoded = decoded
        self._schema = schema
        self._piece: Any = None
        self._begin = self._end = 0

    def take(self, start: int, rows: int) -> pa.Table:
        pieces = [piece.select(self._schema.names) for piece in self._pieces(start, start + rows)]
        return pa.Table.from_batches(pieces, self._schema)

    def _pieces(self, start: int, end: int) -> Iterator[pa.RecordBatch]:
        while start < end:
            while start >= self._end:
                self._advance()
            piece = self._piece.slice(start - self._begin, end - start)
            start += piece.num_rows
            yield piece

    def _advance(self) -> None:
        self._piece = next(self._decoded, None)
        if self._piece is None:
            raise pa.ArrowInvalid(f"its rows end at row {self._end}, before its footer says so")
        self._begin, self._end = self._end, self._end + self._piece.num_rows


def _adapt(table: pa.Table | None, batch: Batch, schema: pa.Schema, hive: Sequence[str]) -> pa.Table:
    if not schema.names:  # a table made of no arrays would have no rows
        return pa.Table.from_struct_array(pa.nulls(batch.rows, pa.struct([])))
    partition = _hive_values(batch.partition, hive)
    rows = batch.rows if table is None else table.num_rows
    columns = []
    for field in schema:
        if field.name in partition:
            columns.append(pa.repeat(pa.scalar(partition[field.name], pa.string()), rows))
        elif table is None or field.name not in table.column_names:
            columns.append(pa.nulls(rows, field.type))
        else:
            columns.append(_cast(table.column(field.name), field, batch.path))
    return pa.Table.from_arrays(columns, schema=schema)


def _hive_values(partition: Partition, hive: Sequence[str]) -> dict[str, str | None]:
    """What the path says of the columns that only paths have."""
    written = dict(partition)
    return {name: None if (value := written.get(name, HIVE_NULL)) == HIVE_NULL else value for name in hive}


def _cast(column: pa.ChunkedArray, field: pa.Field, path: str) -> pa.ChunkedArray:
    if column.type == field.type:
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise BadInput(
            "source",
            f"column {field.name!r} of {path} does not fit {field.type}, the type of all files together ({error})",
            "Convert the file",
        ) from error
