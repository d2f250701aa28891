"""Opens the source: by the footers of its files, and each file for reading, if it still is what its footer said."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.dataset.arrow_types import check_names, inner_types
from runware_provider.engine.dataset.footer_soundness import LENGTH_AND_MAGIC, MAGIC, check_columns, end_of
from runware_provider.engine.dataset.source import Dataset, SourceFile
from runware_provider.engine.dataset.source_files import find_files
from runware_provider.engine.dataset.source_schema import (
    Footer,
    first_twice,
    hive_columns,
    one_schema,
    unproven_keys,
    unwritten_types,
)
from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runware_provider.engine.dataset.source_schema import Partition
    from runware_provider.engine.storage.stores import Storage, Version

FOOTERS_AT_ONCE = 16
BUFFER_BYTES = 1 << 20
"""Read of a column at a time; without it a whole column chunk is held, however large the row group."""
_REMEDY = "Run again, and write to a source only between runs"
_OF_ENCRYPTION = re.compile("decrypt|encrypted", re.IGNORECASE)
"""In what Arrow says of a file for which it has no keys."""
_WHAT_ARROW_RAISES = (pa.ArrowException, OSError, UnicodeDecodeError)
"""About a content that is none of Parquet's, or a broken one."""


def open_dataset(storage: Storage, source: str) -> Dataset:
    """Find the files of a source and read their footers, nothing else.

    Args:
        storage: where the source lies.
        source: a file, a folder or a glob, as `find_files` takes it.

    Raises:
        BadInput: there is nothing, no Parquet file, a broken one, a table of a format of its own, or files whose columns
            do not go together.
    """
    found = find_files(storage, source)
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        read = list(pool.map(lambda place: _read_footer(storage, *place), found.files))
    files, footers = tuple(file for file, _ in read), [footer for _, footer in read]
    hive = hive_columns(footers)
    schema = one_schema(footers)
    for key in hive:
        schema = schema.append(pa.field(key, pa.string()))
    unwritten = dict.fromkeys(column for footer in footers for column in footer.unwritten)
    return Dataset(files, schema, hive, found.warnings, tuple(unwritten))


@dataclass(frozen=True)
class OpenedFile:
    """A file of the source that is read, as long as it is what its footer said; for one thread."""

    file: SourceFile
    parquet: Any
    """Arrow's `ParquetFile`."""
    content: pa.NativeFile
    stamp: Callable[[], Version]
    """What the store says of the content now."""

    def check(self) -> None:
        """Look whether the file still is what it was, before anything that was read of it is used.

        Raises:
            BadInput: it is gone, or has changed.
        """
        _check_unchanged(self.file, self.stamp)

    def footer_alone(self) -> bytes:
        """A file without rows that has its footer, byte by byte: Arrow may end the process where it writes a damaged one anew."""
        return MAGIC + end_of(self.content)

    def check_columns(self, names: Sequence[str]) -> None:
        """See that what the footer says of these columns can be looked at.

        Raises:
            BadInput: it cannot.
        """
        try:
            check_columns(end_of(self.content), self.content.size(), names)
        except _WHAT_ARROW_RAISES as error:
            raise unreadable(self.file.path, error) from error

    def close(self) -> None:
        """Read no more of it."""
        self.parquet.close(force=True)


def open_file(storage: Storage, file: SourceFile) -> OpenedFile:
    """A file of the source, which is closed with `close`.

    Raises:
        BadInput: it is gone, is not what it was when its footer was read, or is broken.
    """
    try:
        content = storage.open(file.path)
    except FileNotFoundError:
        raise BadInput("source", f"{file.path} is gone since its footer was read", _REMEDY) from None
    stamp = partial(storage.stamp, file.path, content)
    try:
        _check_unchanged(file, stamp)
        parquet = _opened_as(file, content)
    except BaseException:
        content.close()
        raise
    return OpenedFile(file, parquet, content, stamp)


def _opened_as(file: SourceFile, content: pa.NativeFile) -> Any:
    try:
        parquet = _parquet(content)
        digest = _digest(content)
    except _WHAT_ARROW_RAISES as error:
        raise unreadable(file.path, error) from error
    # A store may not know that a content is another one: its clock may be coarse.
    if digest != file.digest:
        raise BadInput("source", f"{file.path} has changed since its footer was read", _REMEDY)
    return parquet


def _check_unchanged(file: SourceFile, stamp: Callable[[], Version]) -> None:
    try:
        now = stamp()
    except FileNotFoundError:
        raise BadInput("source", f"{file.path} is gone since its footer was read", _REMEDY) from None
    if now != file.stamp:
        raise BadInput("source", f"{file.path} has changed since its footer was read", _REMEDY)


def unreadable(path: str, error: Exception) -> Exception:
    """Arrow's complaint about the content as the user's matter; a failing disk stays what it is."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    # Arrow takes names as bytes, and fails where it makes texts of them.
    if isinstance(error, UnicodeDecodeError):
        problem = f"a column of {path}, or a field of one, has a name that is no UTF-8"
        return BadInput("source", problem, "Write the file anew with other names")
    reason = str(error).strip().rstrip(".") or type(error).__name__
    if _OF_ENCRYPTION.search(reason):
        return BadInput(
            "source", f"{path} is encrypted", "Write a copy of it without encryption, and give that"
        )
    return BadInput("source", f"{path} is not a readable Parquet file ({reason})", "Mend or remove it")


def _read_footer(storage: Storage, path: str, partition: Partition) -> tuple[SourceFile, Footer]:
    with _opened(storage, path) as content:
        # First: should the file change now, it is another one when its rows are read.
        stamp = storage.stamp(path, content)
        try:
            parquet = _parquet(content)
            digest = _digest(content)
            metadata, schema = parquet.metadata, parquet.schema_arrow
            check_names(schema)
            named_twice = [key for key, _ in partition if key in schema.names]
            if named_twice:  # what the footer says of these is looked at
                check_columns(end_of(content), content.size(), named_twice)
        except _WHAT_ARROW_RAISES as error:
            raise unreadable(path, error) from error
    twice = first_twice(schema.names)
    if twice is not None:
        raise BadInput("source", f"{path} has two columns named {twice!r}", "Rename one of them")
    size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    file = SourceFile(path, _rows_in(path, metadata), size, digest, partition, stamp)
    footer = Footer(
        path,
        partition,
        schema,
        unproven_keys(metadata, schema, partition),
        row_groups=metadata.num_row_groups,
        unwritten=unwritten_types(metadata, schema),
    )
    return file, footer


def _opened(storage: Storage, path: str) -> pa.NativeFile:
    try:
        return storage.open(path)
    except FileNotFoundError:
        raise BadInput("source", f"{path} was removed while the source was listed", _REMEDY) from None


def _parquet(content: pa.NativeFile) -> Any:
    """As Arrow's `ParquetFile`.

    Spark's times of the old kind (INT96) have microseconds at most and reach from the year 1 to 9999, which nanoseconds do
    not; the same kind by Hive and Impala, and by Arrow, may have nanoseconds.
    """
    options = {"buffer_size": BUFFER_BYTES, "pre_buffer": False, "page_checksum_verification": True}
    parquet = pq.ParquetFile(content, **options)
    if not any(map(_has_nanoseconds, parquet.schema_arrow.types)):
        return parquet
    if not any(key.startswith(b"org.apache.spark.") for key in parquet.metadata.metadata or ()):
        return parquet
    return pq.ParquetFile(content, metadata=parquet.metadata, coerce_int96_timestamp_unit="us", **options)


def _has_nanoseconds(kind: pa.DataType) -> bool:
    if pa.types.is_timestamp(kind):
        return bool(kind.unit == "ns")
    return any(map(_has_nanoseconds, inner_types(kind)))


def _digest(content: pa.NativeFile) -> str:
    """Of the footer's bytes; the file is known to be one of Parquet's."""
    return hashlib.blake2b(end_of(content)[:-LENGTH_AND_MAGIC], digest_size=16).hexdigest()


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
