"""Which files are the source.

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

import contextlib
import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from runware_provider.engine.dataset.source_schema import first_twice
from runware_provider.engine.dataset.table_formats import (
    FOLDERS_OF_MARKS,
    may_be_inside,
    tables_in,
    unfinished_in,
)
from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from runware_provider.engine.dataset.source_schema import Partition
    from runware_provider.engine.dataset.table_formats import TableFormat
    from runware_provider.engine.storage.stores import Storage

_SUFFIXES = (".parquet", ".parq", ".pq")
_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Found:
    """What a source is made of."""

    files: list[tuple[str, Partition]]
    """The paths with their hive partitions, in order; at least one."""
    warnings: tuple[str, ...] = ()
    """What a person should know of the folders."""


def find_files(storage: Storage, source: str) -> Found:
    """The files of a source. A single file is taken as it is, even out of a table; whoever names it knows it.

    Args:
        storage: where the source lies.
        source: a file, a folder or a glob; the module's text says what each means.

    Raises:
        BadInput: there is nothing, no Parquet file, a hive key twice in a path, a name that is no text, or a table whose
            format says itself which of its files count.
    """
    if storage.exists(source):
        return Found([(source, ())])
    folder = source.rstrip("/") or "/"
    below = _below(storage, folder)
    is_glob = not below and _WILDCARD.search(source) is not None
    if not is_glob:
        found = {
            path: name
            for path, name in below.items()
            if _is_parquet(name) and _matches(["**"], name.split("/"))
        }
    else:
        folder, pattern = _split(folder)
        below = _below(storage, folder)
        found = {path: name for path, name in below.items() if _fits(pattern, name)}
    _check_no_table(storage, source, folder, below, found)
    if not found:
        raise _nothing_fits(source, folder, below) if is_glob else _nothing_found(source, len(below))
    for path in found:
        _check_text(path)
    files = [(path, _partition(path, name)) for path, name in sorted(found.items())]
    return Found(files, tuple(_unfinished(folder, below.values(), found.values())))


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


def _nothing_found(source: str, others: int) -> BadInput:
    if others:
        return BadInput(
            "source",
            f"none of the {others} files in {source!r} is Parquet",
            f"Their names must end in {', '.join(_SUFFIXES)} and not start with '_' or '.'",
        )
    return BadInput(
        "source",
        f"there is nothing at {source!r}",
        "Check the path, which is that of a Parquet file, of a folder of them, or a glob",
    )


def _nothing_fits(source: str, folder: str, below: Mapping[str, str]) -> BadInput:
    """What a glob that meets no file is told.

    Args:
        source: the glob.
        folder: before its first wildcard.
        below: all files in that.
    """
    parquet = sorted(name for name in below.values() if _is_parquet(name))
    there = f"there is nothing at {folder!r}"
    if parquet:
        there = f"{folder!r} has {len(parquet):,} Parquet file(s), such as {parquet[0]!r}"
    elif below:
        there = f"none of the {len(below):,} files in {folder!r} is Parquet"
    return BadInput(
        "source",
        f"nothing fits {source!r}; {there}",
        "Mend the glob: *, ? and [...] stay within a name, ** stands for any number of folders, and names that start"
        " with '_' or '.' are passed over",
    )


def _below(storage: Storage, folder: str, *, recursive: bool = True) -> dict[str, str]:
    """The paths of all files below a folder, each with the part of it that is below."""
    start = len(folder.rstrip("/")) + 1
    return {entry.path: entry.path[start:] for entry in storage.list(folder, recursive=recursive)}


def _fits(pattern: Sequence[str], name: str) -> bool:
    """Whether a glob, by levels, means a file of this name below its base."""
    names = name.split("/")
    named = not pattern[-1].endswith("*") and fnmatch.fnmatchcase(names[-1], pattern[-1])
    return (named or _is_parquet(name)) and _matches(pattern, names)


def _check_no_table(
    storage: Storage, source: str, folder: str, below: Mapping[str, str], found: Mapping[str, str]
) -> None:
    """Refuse files out of a table that has old and deleted rows in other files, or in the same.

    Args:
        storage: where the source lies.
        source: as the user wrote it.
        folder: that was listed.
        below: all files in it, each with its name below the folder.
        found: the same of those that would be read; none where a table holds no Parquet.
    """
    tables = tables_in(below.values())
    read = found or below
    for place, table in tables.items():
        if any(name.startswith(place) for name in read.values()):
            raise _table_refused(source, table, f"{folder.rstrip('/')}/{place}".rstrip("/"))
    for above in may_be_inside(storage.canonical(folder).rstrip("/")) if found else ():
        of_above = _table_at(storage, above)
        if of_above is not None:
            raise _table_refused(source, of_above, above)


def _table_at(storage: Storage, folder: str) -> TableFormat | None:
    """The format of the table whose marks lie in a folder; None where there are none, or nobody may look."""
    for mark in FOLDERS_OF_MARKS:
        # Above a source there may be anything: files of these names, and folders that only others may list.
        with contextlib.suppress(OSError):
            beside = _below(storage, storage.join(folder, mark), recursive=False)
            shown = tables_in(f"{mark}/{name}" for name in beside.values())
            if shown:
                return next(iter(shown.values()))
    return None


def _table_refused(source: str, table: TableFormat, place: str) -> BadInput:
    return BadInput(
        "source",
        f"{source!r} has files of {table.name} ({place}), of which only that format knows which rows count; the others are"
        " old, deleted or of writes that failed",
        f"Write a snapshot of the table into a folder of its own, with {table.read_with}, and give that"
        " (see docs/how-to/table-formats.md)",
    )


def _unfinished(folder: str, below: Iterable[str], found: Collection[str]) -> Iterator[str]:
    for place, left in unfinished_in(below).items():
        if any(name.startswith(place) for name in found):
            where = f"{folder.rstrip('/')}/{place}{left}"
            yield (
                f"{where} was left by a writer that is at work or failed, so that rows may be missing beside it; look"
                " whether the write was finished"
            )


def _check_text(path: str) -> None:
    """A name of other bytes than UTF-8 cannot be written down, nor opened by Arrow."""
    try:
        path.encode()
    except UnicodeEncodeError:
        shown = path.encode(errors="backslashreplace").decode()
        raise BadInput("source", f"the name of {shown} is no UTF-8", "Rename the file or folder") from None


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
    twice = first_twice(key for key, _ in partition)
    if twice is not None:
        raise BadInput("source", f"{path} has the hive key {twice!r} twice", "Rename one of the folders")
    return partition
