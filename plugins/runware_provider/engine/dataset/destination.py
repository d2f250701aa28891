"""The folder that a dataset is: where it lies, how its parts are called, and when it is not ours to write to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runware_provider.engine.storage.stores import Storage, StoredFiles

SUCCESS = "_SUCCESS"
LONGEST_NAME = 255
"""Bytes."""
# Spark's and DuckDB's names have a further hyphen or none, so that they are never taken for ours.
_PART = re.compile(r"part-\d{5,}-[0-9A-Za-z_]+\.parquet")
# What Hive and Spark escape in a partition's folder, and no more: they read %XX as one character each, so that
# a percent-encoded ü would come back as two.
_ESCAPED = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]")


def dataset_folder(storage: Storage, destination: str, partition: Mapping[str, str]) -> str:
    """Where the part files of a destination, or of one hive partition of it, lie.

    Raises:
        BadInput: a value makes no name of a folder.
    """
    return storage.join(destination, *partition_folders(partition))


def partition_folders(partition: Mapping[str, str]) -> list[str]:
    """The names of the folders of a hive partition, the outermost first: `["ds=2026-01-02"]`.

    Raises:
        BadInput: a value makes no name of a folder.
    """
    return [_partition_folder(key, value) for key, value in partition.items()]


def check_destination(
    storage: Storage,
    destination: str,
    partition: Mapping[str, str],
    *,
    own: Callable[[str, StoredFiles], Iterable[str]] | None,
    field: str = "destination",
) -> None:
    """Refuse a destination that holds what is not ours, before anything is paid.

    Looks at the dataset's folder and, for a partition, at the files right in the folders above; never at the
    other partitions.

    Args:
        storage: where the destination lies.
        destination: the dataset's root.
        partition: the hive partition to write, or nothing.
        own: given the dataset's folder and its files, the names of those right in it that are ours; None where this
            job had no state folder before, so that no file can be ours.
        field: what the user calls the destination.

    Raises:
        BadInput: there is such a file; up to three are named.
    """
    if storage.exists(destination):
        raise BadInput(field, f"{destination} is a file", "Give the folder of a dataset")
    for depth in range(len(partition)):
        above = dataset_folder(storage, destination, dict(list(partition.items())[:depth]))
        beside = [entry.path for entry in storage.list(above, recursive=False)]
        if beside:
            raise BadInput(
                field,
                f"{above} is to hold partitions, but has files of its own: {_some(beside)}",
                "Choose another destination, or remove them",
            )
    folder = dataset_folder(storage, destination, partition)
    found = storage.list(folder)
    ours = {storage.join(folder, name) for name in own(folder, found)} if own is not None else set()
    foreign = [entry.path for entry in found if entry.path not in ours]
    if foreign and own is not None:
        raise BadInput(
            field,
            f"{folder} has files that this job did not write: {_some(foreign)}",
            "Choose another destination, or remove them",
        )
    if foreign:
        raise BadInput(
            field,
            f"{folder} has files already, but this job has no state folder that knows them: {_some(foreign)}",
            "Choose another destination, or remove them, or restore the state folder if it was lost",
        )


def is_part(name: str) -> bool:
    """Whether a file with this name, right in a dataset's folder, is a part of some publish of ours."""
    return _PART.fullmatch(name) is not None


def _partition_folder(key: str, value: str) -> str:
    folder = f"{key}={_escape(value)}"
    try:
        size = len(folder.encode())
    except UnicodeEncodeError:
        raise BadInput(
            "partition", f"the value of {key!r} has half a surrogate, which is no text", "Mend it"
        ) from None
    if size > LONGEST_NAME:
        raise BadInput(
            "partition",
            f"the value of {key!r} makes a folder whose name has {size} bytes, and file systems take {LONGEST_NAME}"
            f" ({folder:.40}...)",
            "Choose a shorter value",
        )
    return folder


def _escape(value: str) -> str:
    return _ESCAPED.sub(lambda found: f"%{ord(found[0]):02X}", value)


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
