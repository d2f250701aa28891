"""The records that a job is about: those that its filters choose, and of these as many as its limit allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.dataset.source import read_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from runware_provider.engine.dataset.source import Batch
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
        BadInput: a file has changed since it was planned, or is broken.
    """
    batches, room = prepared.batches, prepared.spec.limit
    tables = read_batches(prepared.source, prepared.dataset, batches, columns, prepared.row_filter)
    for number, (batch, table) in enumerate(tables, 1):
        records = table if room is None else table.slice(0, room)
        room = None if room is None else room - records.num_rows
        behind = batches[number:] if room == 0 else ()
        left_out = batch.rows - records.num_rows + sum(one.rows for one in behind)
        last = room == 0 or number == len(batches)
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
        batches: each with the number of its records that were chosen; ascending.

    Raises:
        BadInput: a file has changed since it was planned, or is broken.
    """
    wanted = [batch for batch, _ in batches]
    tables = read_batches(prepared.source, prepared.dataset, wanted, columns, prepared.row_filter)
    for (batch, table), (_, records) in zip(tables, batches, strict=True):
        yield Chosen(batch, table.slice(0, records), 0, last=False)
