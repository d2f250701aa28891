"""Forgetting reaches every ledger of a place: its own, and those of the shards that it has or had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runware_provider.engine.job.split_record import present_split, shard_folder
from runware_provider.engine.memory.forgetting import forget
from runware_provider.engine.memory.state_folder import find_job

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from runware_provider.engine.storage.stores import Storage

_COUNTS = ("forgotten", "answers", "segments", "removed", "staged", "replaced", "reports")


def forget_place(
    storage: Storage,
    state_folder: str,
    *,
    task_uuids: Iterable[str] = (),
    containing: Iterable[str] = (),
    older_than: datetime | None = None,
) -> dict[str, Any]:
    """Erase answers and errors wherever a destination, or a partition of it, keeps them; see `forgetting.forget`.

    A shard whose staged rows are removed with that has to be inferred again before it can be published.

    Args:
        storage: where the state folder lies.
        state_folder: the place's.
        task_uuids: as in the column `inference.task_uuid` of the dataset.
        containing: texts, of which one occurs in the answer or error.
        older_than: with a time zone; what was written before.

    Returns:
        As `forget`, summed over all ledgers.

    Raises:
        AtWork: a run did not end in time.
        BadInput: as of `forget`.
        StateUnreadable: the state folder cannot be read, or somebody rewrote a ledger meanwhile.
        OSError: the store could not write.
    """
    names, texts = list(task_uuids), list(containing)
    folders = [state_folder, *_shards(storage, state_folder)]
    told = [
        forget(storage, folder, task_uuids=names, containing=texts, older_than=older_than)
        for folder in folders
    ]
    unknown = set.intersection(*(set(each["unknown_task_uuids"]) for each in told))
    return {
        **{name: sum(each[name] for each in told) for name in _COUNTS},
        "task_uuids": list(dict.fromkeys(name for each in told for name in each["task_uuids"])),
        "unknown_task_uuids": sorted(unknown),
    }


def _shards(storage: Storage, state_folder: str) -> list[str]:
    """The state folders of shards in which something was asked."""
    split = present_split(storage, state_folder)
    numbers = range(split.folders) if split is not None else ()
    folders = [shard_folder(storage, state_folder, number) for number in numbers]
    return [folder for folder in folders if find_job(storage, folder) is not None]
