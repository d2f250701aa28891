"""What one shard came to, written when all of its rows are staged."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.staged_batch import StagedBatch
from runware_provider.engine.job.split_record import Wish
from runware_provider.engine.memory.ledger_sums import Totals
from runware_provider.engine.outcome.rows import Counts
from runware_provider.engine.state_records import damaged, decoded, encoded

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage

FORMAT = 1
_NAME = re.compile(r"done-[0-9a-f]{12}\.json")
_COUNTERS = ("outcomes", "reasons", "mends")


@dataclass(frozen=True)
class Done:
    """A shard whose rows are staged."""

    split: str
    shard: int
    wish: Wish
    batches: list[StagedBatch]
    failed_batches: list[StagedBatch]
    counts: Counts
    used: Totals
    """Of the answers that its rows show."""
    paid: Totals
    """Of what the run paid that it was done by."""
    ever: Totals
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
    record = {
        "split": done.split,
        "shard": done.shard,
        "wish": asdict(done.wish),
        "batches": [asdict(batch) for batch in done.batches],
        "failed_batches": [asdict(batch) for batch in done.failed_batches],
        "counts": _counts_record(done.counts),
        "used": asdict(done.used),
        "paid": asdict(done.paid),
        "ever": asdict(done.ever),
        "unpriced": done.unpriced,
    }
    data = encoded({"format": FORMAT, **record})
    read = storage.read_versioned(path)
    if not storage.replace_if(path, data, None if read is None else read[1]):
        raise OSError(f"{path} was written by another process meanwhile")


def staged_of(done: Done) -> list[StagedBatch]:
    """All that it has staged."""
    return [*done.batches, *done.failed_batches]


def _counts_record(counts: Counts) -> dict[str, Any]:
    """Of plain values; `asdict` would count the pairs of a Counter anew."""
    plain: dict[str, Any] = {"records": counts.records, "rows": counts.rows, "reasks": counts.reasks}
    return plain | {name: dict(getattr(counts, name)) for name in _COUNTERS}


def _of(record: dict[str, Any], path: str) -> Done:
    try:
        counts = dict(record["counts"])
        for name in _COUNTERS:
            counts[name] = Counter(counts[name])
        return Done(
            split=record["split"],
            shard=record["shard"],
            wish=Wish(**record["wish"]),
            batches=[StagedBatch(**batch) for batch in record["batches"]],
            failed_batches=[StagedBatch(**batch) for batch in record["failed_batches"]],
            counts=Counts(**counts),
            used=Totals(**record["used"]),
            paid=Totals(**record["paid"]),
            ever=Totals(**record["ever"]),
            unpriced=list(record["unpriced"]),
        )
    except (KeyError, TypeError):
        raise damaged(path) from None
