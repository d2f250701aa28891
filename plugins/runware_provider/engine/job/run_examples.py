"""Rows of a run that did not succeed, kept so that they can be looked at while it goes, and after it stopped.

<state folder>/runs/<id>-failed.parq     the first of them, with the dataset's columns (`kept_examples`)

Nothing of the engine reads them. Writing them may fail, or take for ever: the job goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.job.run_records import FOLDER, record_path

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from runware_provider.engine.job.kept_examples import Examples
    from runware_provider.engine.storage.stores import Storage

log = logging.getLogger(__name__)

MOST_FILES: Final = 20
"""Of a state folder: those of the latest runs."""
EVERY_S: Final = 1.0
DAY_S: Final = 86_400.0
LAST_WORDS_S: Final = 1.0
"""For which a job that has ended waits for the last of it to be written: Airflow kills a task that was asked to stop after five."""
_NAME = re.compile(r"[0-9a-f]{20}-failed\.parq")


def examples_path(storage: Storage, folder: str, run: str) -> str:
    """Where the rows of a run of this name that did not succeed lie below a state folder."""
    return record_path(storage, folder, run).removesuffix(".json") + "-failed.parq"


@dataclass
class ExamplesFile:
    """Brings what was collected into its file; nothing of it raises.

    Args:
        storage: of the state folder.
        folder: the state folder, of a shard where the job is one.
        run: the name of the run; empty where it has none.
        examples: collects them.
        may_write: whether the state folder is still this process's to write to.
        kept_s: seconds for which rows of other runs are kept; None for as long as there are few.
        clock: seconds since the epoch.
    """

    storage: Storage
    folder: str
    run: str
    examples: Examples
    may_write: Callable[[], bool] = lambda: True
    kept_s: float | None = None
    clock: Callable[[], float] = time.time
    _written: int = 0
    _has_failed: bool = False

    def write(self) -> None:
        """Write what was added since the last call, if anything was."""
        with self._told_once():
            changes = self.examples.changes
            table = self.examples.table() if changes != self._written else None
            if table is None or not self.may_write():
                return
            with self.storage.writing(self._path) as file:
                file.write(_parquet(table))
            self._written = changes

    def finish(self, *, ended_well: bool) -> None:
        """Write the last of it, and remove what says nothing any more.

        Args:
            ended_well: whether every row of the run has its last word.
        """
        self.write()
        with self._told_once():
            # An earlier try of this run left rows that have succeeded since.
            if ended_well and not self.examples.changes and self.may_write():
                self.storage.delete(self._path)
            if self._written or self.kept_s is not None:
                self._remove_old()

    @property
    def _path(self) -> str:
        return examples_path(self.storage, self.folder, self.run)

    def _remove_old(self) -> None:
        entries = self.storage.list(self.storage.join(self.folder, FOLDER), recursive=False, links=False)
        files = [entry for entry in entries if _NAME.fullmatch(entry.path.rpartition("/")[2])]
        newest_first = sorted(files, key=lambda file: file.modified or 0.0, reverse=True)
        for place, file in enumerate(newest_first):
            if place >= MOST_FILES or self._is_too_old(file.modified):
                self.storage.delete(file.path)

    def _is_too_old(self, modified: float | None) -> bool:
        return self.kept_s is not None and modified is not None and modified < self.clock() - self.kept_s

    @contextlib.contextmanager
    def _told_once(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever a store does, the job goes on
            if not self._has_failed:
                log.warning("Rows that failed cannot be kept to be looked at: %s", type(error).__name__)
            self._has_failed = True


@contextlib.asynccontextmanager
async def written_meanwhile(file: ExamplesFile) -> AsyncIterator[None]:
    """Write about once a second in a thread, and once more in the end; nobody waits for a store that hangs."""
    ended, given_up, ended_well = threading.Event(), threading.Event(), False

    def write_on() -> None:
        while not ended.wait(EVERY_S):
            file.write()
        # Whoever has the place by now may have forgotten what these rows hold.
        if not given_up.is_set():
            file.finish(ended_well=ended_well)

    thread = threading.Thread(target=write_on, name="runware-examples", daemon=True)
    thread.start()
    try:
        yield
        ended_well = True
    finally:
        ended.set()
        await asyncio.to_thread(thread.join, LAST_WORDS_S)
        given_up.set()


def _parquet(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
