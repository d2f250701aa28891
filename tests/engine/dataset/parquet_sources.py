"""Sources of the tests: how they are written, and how they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runware_provider.engine.dataset.batches import BatchReader
from runware_provider.engine.dataset.footers import open_dataset
from runware_provider.engine.dataset.source import first_rows

if TYPE_CHECKING:
    from pathlib import Path

    from runware_provider.engine.dataset.source import Dataset

BIG = 1 << 40
OLDEST = 21
"""Of pyarrow, as in requirements.txt."""


def write(path: Path, table: pa.Table | dict[str, Any], **options: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    written_by_this_release(table if isinstance(table, pa.Table) else pa.table(table), path, **options)
    return str(path)


def written_by_this_release(table: pa.Table, path: Path, **options: Any) -> None:
    """Write a table; the test is skipped where the oldest pyarrow that is supported cannot make such a source."""
    try:
        pq.write_table(table, path, **options)
    except pa.ArrowNotImplementedError as error:
        if int(pa.__version__.split(".")[0]) > OLDEST:
            raise
        pytest.skip(f"this release of pyarrow does not write it: {error}")


def reader(storage: Any, dataset: Dataset, **changes: Any) -> BatchReader:
    return BatchReader(storage=storage, dataset=dataset, **{"batch_rows": BIG, "batch_bytes": BIG, **changes})


def read(storage: Any, source: Any, *, batch_rows: int = BIG, columns: Any = None) -> pa.Table:
    """All rows of a source."""
    dataset = open_dataset(storage, str(source))
    batches = reader(storage, dataset, batch_rows=batch_rows, columns=columns).read(first_rows(dataset))
    tables = [table for _, table in batches]
    schema = pa.schema([dataset.schema.field(name) for name in columns]) if columns else dataset.schema
    return pa.concat_tables(tables) if tables else schema.empty_table()
