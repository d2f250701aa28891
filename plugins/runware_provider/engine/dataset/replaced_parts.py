"""Parts that a publish replaced stay for a while, for whoever reads by the manifest before; no glob over the dataset meets them.

    <state folder>/replaced/part-00000-<publish id>.parquet.replaced

Later publishes remove them when they are older than `GRACE_S`; `forget` removes them at once (docs/decisions/0010).
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from runware_provider.engine.storage.stores import Storage, StoredFiles

FOLDER = "replaced"
GRACE_S = 600.0
"""Seconds for which a replaced part stays, at least."""
_ENDING = ".replaced"
_REPLACED = re.compile(r"part-\d{5,}-[0-9A-Za-z_]+\.parquet\.replaced")


def keep_for_a_while(storage: Storage, folder: str, state_folder: str, name: str) -> None:
    """Have a part here, too, before it is taken out of the dataset's folder; nothing where it is gone already."""
    with suppress(FileNotFoundError):
        storage.copy(storage.join(folder, name), _place_of(storage, state_folder, name))


def open_part(storage: Storage, folder: str, state_folder: str, name: str) -> pa.NativeFile:
    """A part that some manifest names, also when a later publish has replaced it a moment ago.

    Raises:
        FileNotFoundError: it was replaced longer ago, or is lost.
    """
    path = storage.join(folder, name)
    try:
        return storage.open(path)
    except FileNotFoundError as error:
        try:
            return storage.open(_place_of(storage, state_folder, name))
        except FileNotFoundError:
            raise error from None


def replaced_files(storage: Storage, state_folder: str) -> StoredFiles:
    """The parts of a dataset that were replaced, and are still there; nothing that is not ours or behind a link."""
    listed = storage.list(storage.join(state_folder, FOLDER), recursive=False, links=False)
    return [entry for entry in listed if _REPLACED.fullmatch(entry.path.rpartition("/")[2])]


def remove_outdated(storage: Storage, state_folder: str, now: float, grace_s: float = GRACE_S) -> None:
    """Remove the replaced parts whose time is over.

    Args:
        storage: where the state folder lies.
        state_folder: the job's, or that of its dataset of failures.
        now: seconds since the epoch.
        grace_s: how long they stay; 0 for not at all.
    """
    for entry in replaced_files(storage, state_folder):
        # A store that does not say how old a file is keeps it until `forget`.
        old = entry.modified is not None and now - entry.modified > grace_s
        if old or grace_s == 0:
            storage.delete(entry.path)


def _place_of(storage: Storage, state_folder: str, name: str) -> str:
    return storage.join(state_folder, FOLDER, name + _ENDING)
