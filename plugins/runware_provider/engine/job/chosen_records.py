"""The records that a job is about: those that its filters choose, and of these as many as its limit allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.dataset.batches import BatchReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from runware_provider.engine.dataset.batches import Batch
    from runware_provider.engine.job.prepare import Prepared


@dataclass(frozen=True)
class Chosen:
    """The chosen records of one batch."""

    batch: Batch
    records: pa.Table = field(repr=False)
    left_out: int
    """Records now known not to be chosen: of this batch and, with the last one, of all behind it."""
    last: bool
    """Whether no further record is chosen."""


def chosen_records(prepared: Prepared, columns: Sequence[str]) -> Iterator[Chosen]:
    """The chosen records, batch by batch; what lies behind the limit is not read.

    Args:
        prepared: the job.
        columns: the columns to read, beside those that the filters look at.

    Raises:
        BadInput: a file is gone, was replaced, or is broken.
    """
    room, behind = prepared.spec.limit, prepared.records
    for batch, table in _reader(prepared, columns).read(prepared.ranges):
        records = table if room is None else table.slice(0, room)
        room = None if room is None else room - records.num_rows
        behind -= batch.rows
        last = room == 0 or behind == 0
        left_out = batch.rows - records.num_rows + (behind if last else 0)
        yield Chosen(batch, records, left_out, last)
        if last:
            return


def chosen_again(
    prepared: Prepared, columns: Sequence[str], batches: Sequence[tuple[Batch, int]]
) -> Iterator[Chosen]:
    """The chosen records of some batches once more.

    Args:
        prepared: the job.
        columns: the columns to read.
        batches: each with the number of its records that were chosen; those in a row are read in one pass.

    Raises:
        BadInput: as for `chosen_records`.
    """
    again = _reader(prepared, columns).read_again([batch for batch, _ in batches])
    for (batch, table), (_, records) in zip(again, batches, strict=True):
        yield Chosen(batch, table.slice(0, records), 0, last=False)


def _reader(prepared: Prepared, columns: Sequence[str]) -> BatchReader:
    limits = prepared.spec.limits
    return BatchReader(
        storage=prepared.source,
        dataset=prepared.dataset,
        columns=columns,
        row_filter=prepared.row_filter,
        batch_rows=limits.batch_rows,
        batch_bytes=limits.batch_bytes,
    )
