"""How a part is written: row group by row group, from staged batches."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.dataset.staging import read_batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runware_provider.engine.dataset.staged_batch import StagedBatch
    from runware_provider.engine.storage.stores import Storage

ROW_GROUP_ROWS = 100_000
ROW_GROUP_BYTES = 16_000_000
"""Batches are put together until they come to one of these: a row group for each would be slow to read."""


@dataclass(frozen=True)
class WrittenPart:
    """A part as a file that no reader looks at yet."""

    path: str
    bytes: int


def write_part(
    storage: Storage, path: str, batches: Sequence[StagedBatch], *, group_bytes: int = ROW_GROUP_BYTES
) -> WrittenPart:
    """Write a part from its batches, of which no more than a row group is in memory.

    Args:
        storage: where the batches are staged, and where the part goes.
        path: under which nobody else writes.
        batches: in the order of their rows; at least one, which may be without rows.
        group_bytes: in memory, that a row group ends with; also what is held at once, beside a batch.

    Raises:
        FileNotFoundError: a staged file is gone.
        StateUnreadable: a batch is not what was staged.
    """
    groups = _row_groups(read_batches(storage, batches), group_bytes)
    first = next(groups)
    with storage.writing(path) as file:
        with pq.ParquetWriter(file, first.schema, compression="zstd", write_page_checksum=True) as writer:
            for group in chain([first], groups):
                writer.write_table(group, row_group_size=max(1, group.num_rows))
        return WrittenPart(path, file.tell())


def _row_groups(tables: Iterable[pa.Table], group_bytes: int) -> Iterator[pa.Table]:
    """Small tables together; exactly one group without rows where no table has any."""
    gathered: list[pa.Table] = []
    rows = size = 0
    is_first = True
    for table in tables:
        gathered.append(table)
        rows, size = rows + table.num_rows, size + table.nbytes
        if rows >= ROW_GROUP_ROWS or size >= group_bytes:
            yield pa.concat_tables(gathered)
            gathered, rows, size, is_first = [], 0, 0, False
    if rows or is_first:
        yield pa.concat_tables(gathered)
