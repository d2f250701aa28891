"""Batches in memory: what is counted of them, and when."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pyarrow as pa

from runware_provider.engine.identity import Key
from runware_provider.engine.job.batch_staging import BatchStaging
from runware_provider.engine.job.batch_work import BatchWork
from runware_provider.engine.job.batches_in_hand import BatchesInHand
from runware_provider.engine.outcome.rows import Counts


class Writer:
    """Has written a batch, and counted it, a moment before anybody hears of it."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.has_counted, self.may_return = threading.Event(), threading.Event()

    def write(self, *_: Any) -> None:
        self.counts.add(Counts(records=3))
        self.has_counted.set()
        self.may_return.wait(10)


class Ledger:
    def mark_used(self, _: Any) -> None:
        pass


async def test_a_record_is_done_once_at_any_moment_of_its_staging() -> None:
    writer: Any = Writer()
    ledger: Any = Ledger()
    nobody: Any = None
    batch: Any = type("Numbered", (), {"number": 0})()
    in_hand = BatchesInHand(nobody, BatchStaging(writer, ledger))
    slots: Any = [[Key(bytes(16), 0, 0)]] * 3
    work = BatchWork(batch, pa.table({"n": [1, 2, 3]}), slots=slots, loaded=True)
    in_hand.take_in(work)
    in_hand.stage_if_complete(work)
    await asyncio.to_thread(writer.has_counted.wait, 10)
    assert in_hand.records_done() == 3
    writer.may_return.set()
    await asyncio.gather(*in_hand.staging.pending())
    assert work.staged
    assert in_hand.records_done() == 3
