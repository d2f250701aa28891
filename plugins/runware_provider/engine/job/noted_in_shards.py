"""What a run of a group has paid, as the records of its shards have it: for a task of the group that has opened no ledger."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.run_records import read_record
from runware_provider.engine.job.split_record import present_split, shard_folder

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage


def paid_in_shards(storage: Storage, place: str, run: str) -> float:
    """USD that the shards of a place have noted for a run of this name; what is damaged tells nothing.

    Args:
        storage: where the state folder lies.
        place: the state folder of the place.
        run: the name of the run.

    Raises:
        OSError: the store failed.
    """
    with contextlib.suppress(StateUnreadable):
        split = present_split(storage, place)
        folders = range(split.folders if split is not None else 0)
        return sum(_paid_in(storage, shard_folder(storage, place, number), run) for number in folders)
    return 0.0


def _paid_in(storage: Storage, folder: str, run: str) -> float:
    with contextlib.suppress(StateUnreadable):
        record = read_record(storage, folder, run)
        return record.paid_usd if record is not None else 0.0
    return 0.0
