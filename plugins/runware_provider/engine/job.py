"""Run a job: shards in, inferences through the exchange, parts out, one publish at the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runware_provider import __version__
from runware_provider.engine.attempt import Key, Kind
from runware_provider.engine.client import Client
from runware_provider.engine.collect import Collector
from runware_provider.engine.dataset import read_shards
from runware_provider.engine.errors import BadInput, JobStopped, NothingToDo
from runware_provider.engine.exchange import Exchange
from runware_provider.engine.fate import Fates
from runware_provider.engine.flight import Flight
from runware_provider.engine.ledger import Ledger
from runware_provider.engine.pace import Pace
from runware_provider.engine.prepare import Prepared, prepare
from runware_provider.engine.progress import Progress
from runware_provider.engine.prompt import Skip
from runware_provider.engine.publish import Stage, StagedPart, check_destination, publish, read_manifest
from runware_provider.engine.rows import Counts, Judge, assemble, output_schema_of
from runware_provider.engine.shard_work import Questioner, ShardWork, inference_of, records_of
from runware_provider.engine.state import JobIdentity, find_job, generation_of, open_job
from runware_provider.engine.submit import Submitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.flight import Inference
    from runware_provider.engine.spec import Endpoint, Spec

SHARDS_IN_HAND = 3
"""So that a straggler does not stall the next shard, and memory stays bounded."""
REASONS_SHOWN = 20

SHOWN = 5
"""First rows that a preview shows."""


async def run_job(
    spec: Spec,
    endpoint: Endpoint,
    *,
    report: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    publishing: bool = True,
) -> dict[str, Any]:
    """Run a job to its end and return its manifest.

    Args:
        spec: what the user asked for.
        endpoint: where the API answers.
        report: called about once a second.
        stop: when set, the job keeps what it has and raises Interrupted.
        publishing: without it the answers go into the ledger only, as for a preview.

    Raises:
        BadInput: nothing was sent.
        NothingToDo: the source is empty and `on_empty` is `skip`.
        JobStopped: with a `manifest` attribute that says how far it came.
        StateUnreadable: the state folder cannot be read.
        PublishConflict: another run published meanwhile.
    """
    prepared = await asyncio.to_thread(prepare, spec)
    if prepared.records == 0:
        _refuse_empty(spec)
    job = await asyncio.to_thread(_open, prepared)
    try:
        return await job.run(endpoint, report, stop or asyncio.Event(), publishing=publishing)
    finally:
        job.ledger.close()


def _refuse_empty(spec: Spec) -> None:
    if spec.on_empty == "skip":
        raise NothingToDo(f"{spec.source} holds no record")
    if spec.on_empty == "fail":
        raise BadInput("source", f"{spec.source} holds no record", "Allow it with on_empty='write' or 'skip'")


def _open(prepared: Prepared) -> Job:
    """Read the state of the job, or begin it; everything is checked before the state folder is made."""
    spec, storage, folder = prepared.spec, prepared.storage, prepared.state_folder
    known = find_job(storage, folder)
    check_destination(storage, spec.destination, spec.partition, known=known is not None)
    published = read_manifest(storage, folder)
    if published is not None and spec.if_exists == "error":
        raise BadInput(
            "destination",
            f"{prepared.folder} is published already",
            "Choose another one, or if_exists='overwrite'",
        )
    now = _timestamp()
    identity = open_job(storage, folder, spec.destination, now)
    generation = generation_of(storage, folder, spec.refresh, now)
    ledger = Ledger(storage, storage.join(folder, "ledger"))
    return Job(prepared, identity, generation, ledger, published[1] if published else None)


@dataclass
class Job:
    """One run of a job."""

    prepared: Prepared
    identity: JobIdentity
    generation: int
    ledger: Ledger
    previous: str | None
    """The version of the manifest that this run will replace."""
    publish_id: str = field(default_factory=lambda: secrets.token_hex(6))

    async def run(
        self,
        endpoint: Endpoint,
        report: Callable[[Progress], None] | None,
        stop: asyncio.Event,
        *,
        publishing: bool,
    ) -> dict[str, Any]:
        """The whole of it; see `run_job`."""
        spec, limits = self.prepared.spec, self.prepared.spec.limits
        started = time.monotonic()
        flight = Flight()
        fates = Fates(flight, limits, spread=random.random())  # noqa: S311 - only spreads load
        connections = limits.requests + max(1, limits.requests // 2)
        async with Client(endpoint, connections=connections) as client, self.ledger.writing():
            timeout = limits.sync_timeout_s if spec.delivery == "sync" else limits.request_timeout_s
            submitter = Submitter(
                client,
                self.ledger,
                flight,
                fates,
                self.prepared.template,
                spec.delivery,
                timeout,
                time.monotonic,
            )
            collector = Collector(client, fates, limits.request_timeout_s, time.monotonic)
            exchange = Exchange(
                submitter,
                collector,
                pace=Pace(limits.max_outstanding),
                limits=limits,
                job_id=self.identity.job_id,
            )
            feed = _Shards(self, flight, report, started)
            try:
                await exchange.run(feed, stop)
                await feed.finish()
            except JobStopped as stopped:
                await feed.abandon()
                stopped.manifest = self._manifest(feed, started, "stopped", stopped, flight.outstanding)
                raise
            except BaseException:
                await feed.abandon()
                raise
        feed.report()
        manifest = self._manifest(feed, started, "published" if publishing else "preview")
        if not publishing:
            await asyncio.to_thread(feed.discard)
            return {**manifest, "rows_shown": feed.shown}
        return await asyncio.to_thread(self._publish, feed.parts, manifest)

    def _publish(self, parts: list[StagedPart], manifest: dict[str, Any]) -> dict[str, Any]:
        return publish(
            self.prepared.storage,
            folder=self.prepared.folder,
            state_folder=self.prepared.state_folder,
            publish_id=self.publish_id,
            staged=parts,
            manifest=manifest,
            previous=self.previous,
        )

    def _manifest(
        self,
        feed: _Shards,
        started: float,
        status: str,
        stopped: JobStopped | None = None,
        outstanding: int = 0,
    ) -> dict[str, Any]:
        whole, fresh = self.ledger.totals(), self.ledger.totals(fresh=True)
        counts = feed.counts
        manifest: dict[str, Any] = {
            "format": 1,
            "status": status,
            "destination": self.prepared.folder,
            "state": self.prepared.state_folder,
            "source": self.prepared.spec.source,
            "model": self.prepared.spec.model,
            "finished_at": _timestamp(),
            "duration_s": round(time.monotonic() - started, 3),
            "records": counts.records,
            "rows": counts.rows,
            "outcomes": dict(sorted(counts.outcomes.items())),
            "reasons": dict(counts.reasons.most_common(REASONS_SHOWN)),
            "mends": dict(counts.mends.most_common(REASONS_SHOWN)),
            "inferences": whole.inferences,
            "prompt_tokens": whole.prompt_tokens,
            "cached_tokens": whole.cached_tokens,
            "completion_tokens": whole.completion_tokens,
            "cost_usd": whole.cost,
            "cost_unreported": whole.cost_unreported,
            "maybe_billed": whole.maybe_billed,
            "paid_inferences": fresh.answered,
            "paid_usd": fresh.cost,
            "generation": self.generation,
            "request": self.prepared.digests,
            "version": __version__,
        }
        if stopped is not None:
            manifest |= {"reason": stopped.reason, "remedy": stopped.remedy, "still_at_vendor": outstanding}
            manifest["records"] = self.prepared.records
            manifest["records_done"] = counts.records
        return manifest


class _Shards:
    """Feeds shards to the exchange and turns each into a part when its last verdict is in."""

    def __init__(
        self, job: Job, flight: Flight, report: Callable[[Progress], None] | None, started: float
    ) -> None:
        prepared, spec = job.prepared, job.prepared.spec
        self._job = job
        self._flight = flight
        self._report = report
        self._started = started
        self._questioner = Questioner(
            prepared.prompt,
            prepared.template,
            job.ledger,
            spec.samples,
            spec.limits.attempts,
            at_least=job.generation if spec.refresh is not None else 0,
            generation=job.generation,
        )
        self._judge = Judge(
            prepared.forced,
            prepared.check,
            model=spec.model,
            job_id=job.identity.job_id,
            keep_raw=spec.keep_raw,
        )
        needed = list(dict.fromkeys([*prepared.prompt.columns, *prepared.kept]))
        self._tables = read_shards(prepared.source, prepared.dataset, prepared.shards, needed)
        self._unread = len(prepared.shards)
        self._stage = Stage(prepared.storage, prepared.state_folder, job.publish_id)
        self._kept_schema = _schema_of(prepared)
        self._shared_bytes = len(prepared.template.task("", 0, "", spec.delivery))
        self._in_hand: list[ShardWork] = []
        self._owners: dict[Key, list[ShardWork]] = {}
        self._finishing: set[asyncio.Task[None]] = set()
        self._reported_at = 0.0
        self._reused = 0
        self._answered_rows = 0
        self.parts: list[StagedPart] = []
        self.counts = Counts()
        self.shown: list[dict[str, Any]] = []

    # the exchange's feed

    def wants(self) -> bool:
        """Whether there is another shard, and room for it in memory."""
        return self._unread > 0 and len(self._in_hand) < SHARDS_IN_HAND

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
        work = ShardWork(shard, table.select(list(self._job.prepared.kept)))
        self._in_hand.append(work)
        for records in records_of(table, self._job.prepared.prompt.columns):
            for record in records:
                work.slots.append([self._take(work, one) for one in self._questioner.ask(record)])
            await asyncio.sleep(0)
        self._reused += sum(slot in work.before for slots in work.slots for slot in slots)
        if not work.awaited:
            self._finish(work)

    def _take(self, work: ShardWork, question: Any) -> Key | Skip:
        if isinstance(question, Skip):
            return question
        key: Key = question.key
        known = question.standing
        if key in work.awaited or key in work.before:
            return key
        if known.settled is not None:
            work.before[key] = (known.settled, known.counted + (known.settled.kind is Kind.ANSWERED))
            return key
        work.awaited.add(key)
        owners = self._owners.setdefault(key, [])
        owners.append(work)
        if self._flight.get(key) is None:
            inference = inference_of(question, self._job.identity.job_id, self._shared_bytes)
            self._flight.add(inference, time.monotonic())
        return key

    def settle(self, inference: Inference, entry: Entry) -> None:
        """Give a last word to the shards that wait for it."""
        attempts = inference.counted + (entry.kind is Kind.ANSWERED)
        for work in self._owners.pop(inference.key, []):
            work.settled[inference.key] = (entry, attempts)
            work.awaited.discard(inference.key)
            self._answered_rows += 1
            if not work.awaited and len(work.slots) == work.shard.rows:
                self._finish(work)

    def tick(self) -> None:
        """Report now and then."""
        if time.monotonic() - self._reported_at >= 1.0:
            self.report()

    def report(self) -> None:
        """Say how far the job is."""
        self._reported_at = time.monotonic()
        if self._report is None:
            return
        done = self.counts.rows + sum(len(work.settled) + len(work.before) for work in self._in_hand)
        total = self._job.prepared.records * self._job.prepared.spec.samples
        self._report(
            Progress(
                done=min(done, total),
                total=total,
                elapsed_s=time.monotonic() - self._started,
                outstanding=self._flight.outstanding,
                cost=self._job.ledger.totals(fresh=True).cost,
                reused=min(self._reused, done),
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
        ledger = self._job.ledger
        found = ledger.entries([attempt for attempt, _ in work.before.values()])
        last_words = {key: (found[attempt], attempts) for key, (attempt, attempts) in work.before.items()}
        last_words |= work.settled
        ledger.mark_used(last_words)
        part, counts, first = await asyncio.to_thread(self._assemble, work, last_words)
        self.parts.append(part)
        self.counts.add(counts)
        self.shown = sorted([*self.shown, *first], key=lambda row: row[0])[:SHOWN]
        self._in_hand.remove(work)

    def _assemble(
        self, work: ShardWork, last_words: dict[Key, tuple[Entry, int]]
    ) -> tuple[StagedPart, Counts, list[Any]]:
        judgements = {
            key: self._judge.judge(entry, attempts) for key, (entry, attempts) in last_words.items()
        }
        table, counts = assemble(work.kept, work.slots, judgements, self._judge)
        part = self._stage.write(work.shard.number, [table], table.schema)
        first = [
            ((work.shard.number, index), row) for index, row in enumerate(table.slice(0, SHOWN).to_pylist())
        ]
        return part, counts, first

    async def finish(self) -> None:
        """Wait for the last parts; an empty dataset gets one typed part without rows."""
        await asyncio.gather(*self._finishing)
        self._finishing.clear()
        if not self.parts:
            schema = output_schema_of(self._kept_schema, self._judge.result_type)
            self.parts.append(await asyncio.to_thread(self._stage.write, 0, [schema.empty_table()], schema))
        self.parts.sort(key=lambda part: part.number)
        asked = self._job.prepared.records
        if self.counts.records != asked or self.counts.rows != asked * self._job.prepared.spec.samples:
            raise AssertionError(
                f"{asked} records went in, {self.counts.records} records and {self.counts.rows} rows came out"
            )

    async def abandon(self) -> None:
        """Stop writing parts; what they would hold is in the ledger."""
        for task in self._finishing:
            task.cancel()
        with contextlib.suppress(Exception):
            await asyncio.gather(*self._finishing, return_exceptions=True)
        await asyncio.to_thread(self.discard)

    def discard(self) -> None:
        """Remove the staged parts."""
        for part in self.parts:
            self._job.prepared.storage.delete(part.path)


def _schema_of(prepared: Prepared) -> pa.Schema:
    return pa.schema([prepared.dataset.schema.field(name) for name in prepared.kept])


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
