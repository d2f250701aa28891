"""What one shard came to, written when all of its rows are staged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from runware_provider.engine.dataset.staged_batch import StagedBatch  # noqa: TC001 - pydantic reads the annotations
from runware_provider.engine.job.split_record import ShardsWish  # noqa: TC001 - pydantic reads the annotations
from runware_provider.engine.memory.ledger_sums import Totals  # noqa: TC001 - pydantic reads the annotations
from runware_provider.engine.outcome.rows import Counts  # noqa: TC001 - pydantic reads the annotations
from runware_provider.engine.state_records import damaged, decoded, encoded, understood

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage

FORMAT = 1
_LONGEST_NAME = 255
"""Bytes of a name, where file systems end."""
_NAME = re.compile(r"done-[0-9a-f]{12}\.json")


@dataclass(frozen=True)
class Done:
    """A shard whose rows are staged."""

    split: str
    shard: int
    wish: ShardsWish
    batches: list[StagedBatch]
    failed_batches: list[StagedBatch]
    counts: Counts
    used: Totals
    """Of the answers that its rows show."""
    paid: Totals
    """Of what the run paid that it was done by."""
    budget: str
    """What hashes of the run and its budget; empty where the budget reached for everything."""
    unpriced: list[str]
    """Task UUIDs that were or may have been billed at a cost that nobody reported."""


def done_path(storage: Storage, folder: str, split: str) -> str:
    """Where it lies in a shard's state folder."""
    return storage.join(folder, f"done-{split}.json")


def is_done(path: str) -> bool:
    """Whether a file is such a record, of whatever split."""
    return _NAME.fullmatch(path.rpartition("/")[2]) is not None


def read_done(storage: Storage, folder: str, split: str) -> Done | None:
    """What a shard came to; None where it is not done, or its staged rows are gone.

    Raises:
        StateUnreadable: it is damaged, or of a newer format.
    """
    path = done_path(storage, folder, split)
    read = storage.read_versioned(path)
    if read is None:
        return None
    done = _of(decoded(read[0], path, newest=FORMAT), path)
    files = {batch.path for batch in (*done.batches, *done.failed_batches)}
    return done if all(storage.exists(file) for file in sorted(files)) else None


def write_done(storage: Storage, folder: str, done: Done) -> None:
    """Write it, in the place of what an earlier wish came to.

    Raises:
        OSError: the store failed.
    """
    path = done_path(storage, folder, done.split)
    record = _READ.dump_python(done, mode="json")
    data = encoded({"format": FORMAT, **record})
    read = storage.read_versioned(path)
    if not storage.replace_if(path, data, None if read is None else read[1]):
        raise OSError(f"{path} was written by another process meanwhile")


def staged_of(done: Done) -> list[StagedBatch]:
    """All that it has staged."""
    return [*done.batches, *done.failed_batches]


def _of(record: dict[str, Any], path: str) -> Done:
    with understood(path):
        done = _READ.validate_python({name: value for name, value in record.items() if name != "format"})
    if sum(batch.rows for batch in done.batches) != done.counts.rows:
        raise damaged(path)
    if not all(_is_staged(batch.path) for batch in staged_of(done)):
        raise damaged(path)
    return done


def _is_staged(path: str) -> bool:
    """Whether a path can be one of a staged batch: nothing else is looked at, whatever the record says."""
    parts = path.split("/")
    names_fit = all(len(part.encode()) <= _LONGEST_NAME for part in parts)
    is_below = parts[-3:-2] == ["staged"] and {".", ".."}.isdisjoint(parts[-2:])
    return is_below and names_fit and "\0" not in path


_READ = TypeAdapter(Done)
