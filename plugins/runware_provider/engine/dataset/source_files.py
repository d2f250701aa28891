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

import fnmatch
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from runware_provider.engine.dataset.source_schema import first_twice
from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.dataset.source_schema import Partition
    from runware_provider.engine.storage.stores import Storage

_SUFFIXES = (".parquet", ".parq", ".pq")
_WILDCARD = re.compile(r"[*?\[]")


def find_files(storage: Storage, source: str) -> list[tuple[str, Partition]]:
    """The paths of a source's files with their hive partitions, in order; at least one.

    Args:
        storage: where the source lies.
        source: a file, a folder or a glob; the module's text says what each means.

    Raises:
        BadInput: there is nothing, no Parquet file, or a hive key twice in a path.
    """
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
    twice = first_twice(key for key, _ in partition)
    if twice is not None:
        raise BadInput("source", f"{path} has the hive key {twice!r} twice", "Rename one of the folders")
    return partition
