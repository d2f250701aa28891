"""Feeds shards to the exchange, and turns each into a part when its last verdict is in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.attempt import Key, Kind
from runware_provider.engine.dataset import read_shards
from runware_provider.engine.errors import BadInput
from runware_provider.engine.progress import Progress
from runware_provider.engine.prompt import Skip
from runware_provider.engine.rows import INFERENCE, RESULT, Counts, Judge, assemble, output_schema_of
from runware_provider.engine.shard_work import Question, Questioner, ShardWork, inference_of, records_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.flight import Flight, Inference
    from runware_provider.engine.ledger import Ledger
    from runware_provider.engine.prepare import Prepared
    from runware_provider.engine.publish import Stage, StagedPart

    Report = Callable[[Progress], None]

SHARDS_IN_HAND = 3
"""So that a straggler does not stall the next shard, and memory stays bounded."""
SHOWN = 5
"""First rows that a preview shows."""


@dataclass(kw_only=True)
class ShardFeed:
    """The shards of one run: read, asked, assembled, staged."""

    prepared: Prepared
    ledger: Ledger
    flight: Flight
    stage: Stage
    questioner: Questioner
    judge: Judge
    job_id: bytes
    report_to: Report | None
    now: Callable[[], float]
    parts: list[StagedPart] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        prepared = self.prepared
        needed = list(dict.fromkeys([*prepared.prompt.columns, *prepared.kept]))
        self._tables = read_shards(prepared.source, prepared.dataset, prepared.shards, needed)
        self._unread = len(prepared.shards)
        self._shared_bytes = len(prepared.template.task("", 0, "", prepared.spec.delivery))
        self._in_hand: list[ShardWork] = []
        self._owners: dict[Key, list[ShardWork]] = {}
        self._finishing: set[asyncio.Task[None]] = set()
        self._started = self.now()
        self._reported_at = self._started
        self._reused = 0
        self._proven = False
        self._first: list[tuple[tuple[int, int], dict[str, Any]]] = []

    @property
    def first_rows(self) -> list[dict[str, Any]]:
        """`result` and `inference` of the first rows."""
        return [row for _, row in self._first]

    # what the exchange calls

    def wants(self) -> bool:
        """Whether there is another shard, and room for it in memory."""
        return self._unread > 0 and len(self._in_hand) < SHARDS_IN_HAND

    def proven(self) -> bool:
        """Whether this very kind of request was answered before."""
        return self._proven

    def exhausted(self) -> bool:
        """Whether all shards are loaded."""
        return self._unread == 0

    def pending(self) -> set[asyncio.Task[None]]:
        """Parts that are being written; a failed one raises here."""
        for task in [task for task in self._finishing if task.done()]:
            self._finishing.discard(task)
            task.result()
        return set(self._finishing)

    async def load(self) -> None:
        """Read the next shard and put what it asks into the flight."""
        shard, table = await asyncio.to_thread(next, self._tables)
        self._unread -= 1
        work = ShardWork(shard, table.select(list(self.prepared.kept)))
        self._in_hand.append(work)
        for records in records_of(table, self.prepared.prompt.columns):
            for record in records:
                work.slots.append([self._take(work, one) for one in self.questioner.ask(record)])
            await asyncio.sleep(0)
        self._check_template(work)
        self._reused += sum(slot in work.before for slots in work.slots for slot in slots)
        if not work.awaited:
            self._finish(work)

    def _check_template(self, work: ShardWork) -> None:
        """A template that fails on every record of the first shard is at fault itself."""
        first = work.slots[0][0]
        failed = all(isinstance(one, Skip) and one.code == "prompt_error" for (one, *_) in work.slots)
        if failed and isinstance(first, Skip) and work.shard is self.prepared.shards[0]:
            raise BadInput(
                "prompt",
                f"it cannot be rendered for any of the first {len(work.slots)} records: {first.message}",
                "Mend the template; nothing was sent",
            )

    def _take(self, work: ShardWork, question: Question | Skip) -> Key | Skip:
        if isinstance(question, Skip):
            return question
        key = question.key
        known = question.standing
        if key in work.awaited or key in work.before:
            return key
        if known.settled is not None:
            self._proven = self._proven or known.settled.kind is Kind.ANSWERED
            work.before[key] = (known.settled, known.counted + (known.settled.kind is Kind.ANSWERED))
            return key
        work.awaited.add(key)
        owners = self._owners.setdefault(key, [])
        owners.append(work)
        if self.flight.get(key) is None:
            now = self.now()
            self.flight.add(inference_of(question, self.job_id, self._shared_bytes, now), now)
        return key

    def settle(self, inference: Inference, entry: Entry) -> None:
        """Give a last word to the shards that wait for it."""
        attempts = inference.counted + (entry.kind is Kind.ANSWERED)
        for work in self._owners.pop(inference.key, []):
            work.settled[inference.key] = (entry, attempts)
            work.awaited.discard(inference.key)
            if not work.awaited and len(work.slots) == work.shard.rows:
                self._finish(work)

    def records_done(self) -> int:
        """Records of which every sample has its last word, or needs none."""
        done = self.counts.records
        for work in self._in_hand:
            done += sum(not any(slot in work.awaited for slot in slots) for slots in work.slots)
        return done

    def tick(self, trouble: str | None) -> None:
        """Report now and then."""
        if self.now() - self._reported_at >= 1.0:
            self.report(trouble)

    def report(self, trouble: str | None = None) -> None:
        """Say how far the job is."""
        self._reported_at = self.now()
        if self.report_to is None:
            return
        done = self.counts.rows + sum(len(work.settled) + len(work.before) for work in self._in_hand)
        total = self.prepared.records * self.prepared.spec.samples
        self.report_to(
            Progress(
                done=min(done, total),
                total=total,
                elapsed_s=self.now() - self._started,
                outstanding=self.flight.outstanding,
                cost=self.ledger.paid,
                reused=min(self._reused, done),
                trouble=trouble,
            )
        )

    # from a shard to its part

    def _finish(self, work: ShardWork) -> None:
        if work.finishing:
            return
        work.finishing = True
        task = asyncio.create_task(self._write_part(work))
        self._finishing.add(task)

    async def _write_part(self, work: ShardWork) -> None:
        found = self.ledger.entries([attempt for attempt, _ in work.before.values()])
        last_words = {key: (found[attempt], attempts) for key, (attempt, attempts) in work.before.items()}
        last_words |= work.settled
        self.ledger.mark_used(last_words)
        part, counts, first = await asyncio.to_thread(self._assemble, work, last_words)
        self.parts.append(part)
        self.counts.add(counts)
        self._first = sorted([*self._first, *first], key=lambda row: row[0])[:SHOWN]
        self._in_hand.remove(work)

    def _assemble(
        self, work: ShardWork, last_words: dict[Key, tuple[Entry, int]]
    ) -> tuple[StagedPart, Counts, list[Any]]:
        judgements = {key: self.judge.judge(entry, attempts) for key, (entry, attempts) in last_words.items()}
        table, counts = assemble(work.kept, work.slots, judgements, self.judge)
        part = self.stage.write(work.shard.number, [table], table.schema)
        shown = table.select([RESULT, INFERENCE]).slice(0, SHOWN).to_pylist()
        first = [((work.shard.number, index), row) for index, row in enumerate(shown)]
        return part, counts, first

    async def finish(self) -> None:
        """Wait for the last parts; an empty dataset gets one typed part without rows."""
        await asyncio.gather(*self._finishing)
        self._finishing.clear()
        if not self.parts:
            schema = output_schema_of(self.prepared.kept_schema, self.judge.result_type)
            self.parts.append(await asyncio.to_thread(self.stage.write, 0, [schema.empty_table()], schema))
        self.parts.sort(key=lambda part: part.number)
        asked = self.prepared.records
        if self.counts.records != asked or self.counts.rows != asked * self.prepared.spec.samples:
            raise AssertionError(
                f"{asked} records went in, {self.counts.records} records and {self.counts.rows} rows came out"
            )

    async def abandon(self) -> None:
        """Remove the parts, once those that are being written are there; what they hold is in the ledger."""
        await asyncio.gather(*self._finishing, return_exceptions=True)
        await asyncio.to_thread(self.discard)

    def discard(self) -> None:
        """Remove the staged parts."""
        for part in self.parts:
            self.prepared.storage.delete(part.path)
