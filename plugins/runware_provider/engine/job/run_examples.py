"""Rows of a run that did not succeed, kept so that they can be looked at while it goes, and after it stopped.

<state folder>/runs/<id>-failed.parq     the first of them, with the dataset's columns (`kept_examples`)

Nothing of the engine reads them. The thread that records the run writes them (`recorder`), so that the job goes on where that
fails, or takes for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.job.run_records import ROWS, record_path

if TYPE_CHECKING:
    from runware_provider.engine.job.kept_examples import Examples
    from runware_provider.engine.storage.stores import Storage


def examples_path(storage: Storage, folder: str, run: str) -> str:
    """Where the rows of a run of this name that did not succeed lie below a state folder."""
    return record_path(storage, folder, run).removesuffix(".json") + ROWS


@dataclass
class ExamplesFile:
    """Brings what was collected into its file, whenever whoever records the run does so.

    Args:
        storage: of the state folder.
        folder: the state folder, of a shard where the job is one.
        run: the name of the run; empty where it has none.
        examples: collects them.
    """

    storage: Storage
    folder: str
    run: str
    examples: Examples
    _written: int = 0
    _is_removed: bool = False

    def write(self) -> bool:
        """Write what was added since the last call, if anything was.

        Returns:
            Whether there is such a file by now.

        Raises:
            OSError: the store failed; the next call writes it.
        """
        # In this order: whoever has had all last words adds none.
        is_whole, changes = self.examples.is_whole, self.examples.changes
        if changes != self._written:
            self._write(changes)
        # An earlier try of this run left rows that have succeeded since.
        elif is_whole and not changes and not self._is_removed:
            self.storage.delete(self._path)
            self._is_removed = True
        return self._written > 0

    def _write(self, changes: int) -> None:
        table = self.examples.table()
        if table is None:
            return
        with self.storage.writing(self._path) as file:
            file.write(_parquet(table))
        self._written = changes

    @property
    def _path(self) -> str:
        return examples_path(self.storage, self.folder, self.run)


def _parquet(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
