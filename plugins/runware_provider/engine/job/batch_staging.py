"""Complete batches on their way to where the publish finds them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runware_provider.engine.job.batch_work import BatchWork
    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.outcome.batch_writer import BatchWriter


@dataclass
class BatchStaging:
    """Stages batches in threads, beside the event loop.

    Args:
        writer: writes them.
        ledger: is told what they show.
    """

    writer: BatchWriter
    ledger: Ledger
    records: int = 0
    """Of the batches that are `staged`. The writer counts them a moment earlier, in its thread."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    def begin(self, work: BatchWork) -> None:
        """Stage a batch that is complete; it is `staged` when that is done."""
        work.staging = True
        self._tasks.add(asyncio.create_task(self._stage(work)))

    def pending(self) -> set[asyncio.Task[None]]:
        """Batches that are being written; one that failed raises here."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()
        return set(self._tasks)

    async def finish(self) -> None:
        """Wait for the last batches."""
        await asyncio.gather(*self._tasks)
        self._tasks.clear()
        await asyncio.to_thread(self.writer.finish)

    async def abandon(self) -> None:
        """Remove what is staged, once what is being written is there; what it holds is in the ledger."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self.discard)

    def discard(self) -> None:
        """Remove what is staged."""
        self.writer.discard()

    async def _stage(self, work: BatchWork) -> None:
        self.ledger.mark_used(work.used)
        await asyncio.to_thread(self.writer.write, work.batch.number, work.kept, work.slots, work.judged)
        work.staged = True
        self.records += work.kept.num_rows
