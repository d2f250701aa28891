"""Which files in a dataset's folder this job's publishes wrote, and may take away. A name alone proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.destination import SUCCESS, is_part
from runware_provider.engine.dataset.staging import stage_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runware_provider.engine.storage.stores import Storage, StoredFile


def own_files(
    storage: Storage,
    folder: str,
    state_folder: str,
    entries: Iterable[StoredFile],
    manifest: Mapping[str, Any] | None,
) -> dict[str, StoredFile]:
    """By their names, the files right in the folder that a publish of this job wrote.

    That is `_SUCCESS`, what the manifest names as the dataset or as replaced, and what a publish that died had put there
    before its swap, whose part still waits in its stage: it goes there first, and is taken away last.

    Args:
        storage: where both folders lie.
        folder: the dataset's.
        state_folder: the job's, or that of its dataset of failures.
        entries: as listed.
        manifest: of the current publish; None before the first one.
    """
    named = {entry.path.rpartition("/")[2]: entry for entry in entries}
    shaped = {
        name: entry
        for name, entry in named.items()
        if entry.path == storage.join(folder, name) and (name == SUCCESS or is_part(name))
    }
    if shaped.keys() <= {SUCCESS}:
        return shaped
    told = {SUCCESS}
    if manifest is not None:
        told.update(manifest["replaced"], (file["path"] for file in manifest["files"]))
    return {
        name: entry
        for name, entry in shaped.items()
        if name in told or storage.exists(_place_in_stage(storage, state_folder, name))
    }


def _place_in_stage(storage: Storage, state_folder: str, name: str) -> str:
    number, _, publish_id = name.removeprefix("part-").removesuffix(".parquet").partition("-")
    return staged_part(storage, stage_folder(storage, state_folder, publish_id), int(number))


def staged_part(storage: Storage, stage: str, number: int) -> str:
    """Where a publish keeps a part that it is about to put into the dataset's folder."""
    return storage.join(stage, f"part-{number:05d}.part")
