"""The second verb: ask what is not answered yet, and stage the rows."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runware_provider.engine.api.client import Client
from runware_provider.engine.dataset.staging import Stage
from runware_provider.engine.errors import note_how_far
from runware_provider.engine.exchange.flight import Flight
from runware_provider.engine.exchange.inference import OUTSTANDING, Phase
from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.exchange.waits import waits
from runware_provider.engine.job.batch_feed import BatchFeed
from runware_provider.engine.job.batch_staging import BatchStaging
from runware_provider.engine.job.batches_in_hand import BatchesInHand
from runware_provider.engine.job.conversing import Conversing, connections_of
from runware_provider.engine.job.decider import Decider
from runware_provider.engine.job.failure_watch import FailureWatch
from runware_provider.engine.job.kept_examples import Examples
from runware_provider.engine.job.late_answers import late_answers
from runware_provider.engine.job.leftovers import Leftovers
from runware_provider.engine.job.leg import WHOLE, AllSent, Leg
from runware_provider.engine.job.looking_ahead import LookingAhead
from runware_provider.engine.job.manifest import stopped_manifest
from runware_provider.engine.job.output_retries import OutputRetries
from runware_provider.engine.job.prepare import changed, failures_state
from runware_provider.engine.job.run_examples import DAY_S, ExamplesFile, written_meanwhile
from runware_provider.engine.job.run_watch import RunWatch
from runware_provider.engine.job.staged import Staged
from runware_provider.engine.memory.learnt_pace import read_pace, write_pace
from runware_provider.engine.memory.lease_rules import KERNEL_SHARE
from runware_provider.engine.outcome.batch_writer import BatchWriter
from runware_provider.engine.outcome.rows import Counts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.exchange.conversation import Exchange
    from runware_provider.engine.exchange.leaving import Tail
    from runware_provider.engine.job.inboxes import Bringing
    from runware_provider.engine.job.opening import OpenedJob
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.spending.budget import Account


log = logging.getLogger(__name__)

_NOT_DURABLE = OUTSTANDING | {Phase.SETTLING}
"""Phases of an inference of whose end the ledger knows nothing."""


async def ask(  # noqa: PLR0913 - what a run needs from outside, by keyword
    job: OpenedJob,
    endpoint: Endpoint,
    *,
    report: Callable[[Progress], None] | None,
    stop: asyncio.Event,
    transport: Transport | None,
    leg: Leg = WHOLE,
) -> Staged:
    """Give every record its outcome.

    Args:
        job: whose records.
        endpoint: where the API answers.
        report: called about once a second; None where nobody wants it.
        stop: when set, the job keeps what it has and raises Interrupted.
        transport: carries the HTTP requests; None for a real network.
        leg: which of several this process is; by default it does the whole run.

    Raises:
        AllSent: the rest of the answers is left to the next leg; what was answered is in the ledger, nothing is staged.
        BadInput: the source changed, or the prompt fits no record.
        JobStopped: with a `manifest` attribute that says how far it came; what was staged is removed.
        StateUnreadable: the state folder cannot be read.
    """
    with _says_what_was_paid(job), _heap_left_alone(job):
        async with _client(job, endpoint, transport) as client:
            asking = _Asking(job, client, report, leg)
            try:
                async with job.ledger.writing():
                    return await asking.run(stop)
            finally:
                # What the last write made durable is counted, too, however this ends.
                asking.report_at_the_end()


@contextlib.contextmanager
def _heap_left_alone(job: OpenedJob) -> Iterator[None]:
    """What was there before is not looked over for garbage again and again while a million records come and go.

    That took a tenth of a job's processor time. Nothing is kept from being freed that nothing refers to.
    """
    # A small job is over before that matters, and counting what is frozen goes through all of it.
    if not job.is_large:
        yield
        return
    # Whoever froze the heap of this process before keeps it so.
    is_frozen = gc.get_freeze_count() > 0
    gc.freeze()
    try:
        yield
    finally:
        if not is_frozen:
            gc.unfreeze()


@contextlib.contextmanager
def _says_what_was_paid(job: OpenedJob) -> Iterator[None]:
    """Whatever ends the job inside of this block says what the ledger knows, if it says nothing yet.

    Before the first question is asked that is what earlier processes did; after the last, how far it came is not counted.
    """
    try:
        yield
    except Exception as error:
        known = stopped_manifest(
            job.prepared,
            job.ledger,
            Counts(),
            job.clock(),
            error,
            generation=job.generation,
            records=job.prepared.records,
            records_done=None,
            still_at_vendor=len(job.ledger.unsettled()),
        )
        note_how_far(error, known)
        raise


def _client(job: OpenedJob, endpoint: Endpoint, transport: Transport | None) -> Client:
    return Client(
        endpoint,
        connections=connections_of(job.prepared.spec.limits),
        transport=transport,
        may_send_s=job.lease.left_s,
        undelivered_s=job.lease.for_s * KERNEL_SHARE,
    )


@dataclass
class _Asking:
    """The pieces of one run, put together."""

    job: OpenedJob
    client: Client
    report: Callable[[Progress], None] | None
    leg: Leg
    _watch: RunWatch | None = None

    def __post_init__(self) -> None:
        job, inboxes = self.job, self.job.inboxes
        self._bringing: Bringing | None = None
        if inboxes is not None:
            self._bringing = inboxes.bringing(job.identity.job_id, job.prepared.spec.webhook)

    def report_at_the_end(self) -> None:
        """Say how far it came, once nothing more is written."""
        if self._watch is not None:
            self._watch.report(last=True)

    async def run(self, stop: asyncio.Event) -> Staged:
        # Before it is decided what is asked: none of it is paid for again.
        await self._take_late_answers()
        decider, flight, account = await self._looked_ahead()
        examples = Examples(decider.judge, self.job.prepared.results)
        feed = self._feed(flight, decider, examples)
        self._watch = feed.watch
        async with self._seen(examples), self._kept_on_failure(feed, flight):
            async with self._paced(feed.watch) as pace:
                exchange = self._exchange(flight, account, pace)
                feed.watch.latencies_s = exchange.latencies_s
                exchange.on_refusal = feed.refused
                tail = await exchange.run(feed, feed.watch, stop)
            if tail is not None:
                raise self._all_sent(tail)
            await self._leftovers().ask(self.job.ledger.unsettled())
            # They are on this run's bill; the next run shows them.
            self.job.rows_are_behind = await self._take_late_answers()
            await feed.finish()
        writer = feed.in_hand.staging.writer
        return Staged(
            writer.batches,
            writer.failed_batches,
            writer.counts,
            writer.first_rows,
            writer.first_inputs,
            feed.watch.priced,
        )

    async def _take_late_answers(self) -> bool:
        """Put into the ledger what the vendor brought after it had been given up; whether there was any."""
        job = self.job
        if job.inbox is None:
            return False
        entries = await asyncio.to_thread(late_answers, job.inbox, job.ledger, job.identity.job_id)
        if entries:
            await job.ledger.commit(entries, at_once=True)
        return bool(entries)

    def _all_sent(self, tail: Tail) -> AllSent:
        return AllSent(
            tail.task_uuids,
            expected_s=tail.expected_s,
            given_up_s=tail.given_up_s,
            published=self.leg.published if self.leg.goes_on else self.job.previous,
            inbox=self._where_answers_come(),
        )

    def _where_answers_come(self) -> str | None:
        """The inbox; None where nothing is to be expected there."""
        bringing = self._bringing
        return bringing.folder.path if bringing is not None and bringing.calls.are_expected else None

    async def _looked_ahead(self) -> tuple[Decider, Flight, Account | None]:
        job = self.job
        decider = Decider.of(job.prepared, job.ledger, job.generation, job.identity.job_id)
        account = await LookingAhead(job, self.client, decider, self._leftovers(), self.leg).account()
        return decider, Flight(account), account

    @contextlib.asynccontextmanager
    async def _kept_on_failure(self, feed: BatchFeed, flight: Flight) -> AsyncIterator[None]:
        """What is staged goes, what was answered is in the ledger, and the error says how far the job came."""
        try:
            yield
        except Exception as error:
            note_how_far(error, self._manifest(feed, error, flight))
            # Where the store has failed, a later run removes what is staged.
            with contextlib.suppress(OSError):
                await feed.in_hand.staging.abandon()
            raise
        except BaseException:
            await feed.in_hand.staging.abandon()
            raise

    @contextlib.asynccontextmanager
    async def _paced(self, watch: RunWatch) -> AsyncIterator[Pace]:
        """Begin with the window that the last process of this place found, and leave the own one to the next."""
        prepared = self.job.prepared
        storage, place, model = prepared.storage, prepared.place_state, prepared.spec.model
        before = await asyncio.to_thread(read_pace, storage, place, model)
        watch.pace = pace = Pace(prepared.spec.limits.max_outstanding, before, log.debug)
        try:
            yield pace
        finally:
            learnt = pace.learnt
            if learnt is not None and learnt != before:
                await asyncio.to_thread(write_pace, storage, place, model, learnt)

    def _exchange(self, flight: Flight, account: Account | None, pace: Pace) -> Exchange:
        job = self.job
        conversing = Conversing(
            spec=job.prepared.spec,
            client=self.client,
            attempts=job.ledger,
            template=job.prepared.template,
            job_id=job.identity.job_id,
            right=job.lease,
            bringing=self._bringing,
        )
        return conversing.exchange(flight, account, pace, worth_s=self.leg.worth_s)

    def _feed(self, flight: Flight, decider: Decider, examples: Examples) -> BatchFeed:
        prepared = self.job.prepared
        watch = self._new_watch(flight)
        staging = BatchStaging(self._writer(decider), self.job.ledger)
        return BatchFeed(
            prepared=prepared,
            flight=flight,
            decider=decider,
            retries=OutputRetries(decider.judge, prepared.forced, prepared.follow_ups),
            watch=watch,
            in_hand=BatchesInHand(watch, staging, examples),
            job_id=self.job.identity.job_id,
            may_resend_at=self.job.may_resend_at,
            now=time.monotonic,
            puts_off=self._may_be_half_done(),
        )

    def _may_be_half_done(self) -> bool:
        """Whether some of the records may be answered and others not: the ledger has too few answers, or other requests'."""
        prepared, known = self.job.prepared, self.job.ledger.totals("all")
        answers = known.answered + known.reused
        return answers < prepared.records * prepared.spec.samples or bool(
            changed(prepared, self.job.published)
        )

    def _new_watch(self, flight: Flight) -> RunWatch:
        prepared, ledger = self.job.prepared, self.job.ledger
        spec = prepared.spec
        failures = None
        if self.job.publishes and spec.failures.most is not None:
            failures = FailureWatch(spec.failures.most, prepared.records * spec.samples)
        return RunWatch(
            failures=failures,
            records=prepared.records,
            samples=spec.samples,
            paid=lambda: self.job.paid_usd,
            learnt=lambda: ledger.learnt,
            outstanding=lambda: flight.outstanding,
            report_to=self.report,
            now=time.monotonic,
            waits=lambda: waits(flight, time.monotonic()),
            streamed_chars=lambda: sum(inference.streamed_chars for inference in flight),
            calls=self._bringing.calls if self._bringing is not None else None,
        )

    def _writer(self, decider: Decider) -> BatchWriter:
        job, prepared = self.job, self.job.prepared
        failures = None
        if prepared.failures_folder is not None and job.publishes:
            failures = Stage(prepared.storage, failures_state(prepared), job.publish_id)
        return BatchWriter(
            stage=Stage(prepared.storage, prepared.state_folder, job.publish_id),
            failures=failures,
            judge=decider.judge,
            kept=prepared.kept_schema,
            results=prepared.results,
            shows_inputs=not job.publishes,
        )

    def _seen(self, examples: Examples) -> AbstractAsyncContextManager[None]:
        """Rows that failed can be looked at meanwhile."""
        # A preview asks a few records under the run's name, and is not the run.
        if not self.job.publishes:
            return contextlib.nullcontext()
        return written_meanwhile(self._file_of(examples))

    def _file_of(self, examples: Examples) -> ExamplesFile:
        prepared, lease = self.job.prepared, self.job.lease
        days = prepared.spec.memory.retention_days
        return ExamplesFile(
            prepared.storage,
            prepared.state_folder,
            prepared.spec.run or "",
            examples,
            may_write=lambda: lease.why_lost is None,
            kept_s=None if days is None else days * DAY_S,
        )

    def _leftovers(self) -> Leftovers:
        job, client = self.job, self.client
        return Leftovers(
            client=client,
            ledger=job.ledger,
            job_id=job.identity.job_id,
            limits=job.prepared.spec.limits,
            redactor=client.redactor(job.prepared.template.fields(0)),
            may_resend_at=job.may_resend_at,
            now=time.monotonic,
            right=job.lease,
            bringing=self._bringing,
        )

    def _manifest(self, feed: BatchFeed, error: Exception, flight: Flight) -> dict[str, Any]:
        job = self.job
        return stopped_manifest(
            job.prepared,
            job.ledger,
            feed.watch.seen,
            job.clock(),
            error,
            generation=job.generation,
            records=feed.watch.records,
            records_done=feed.in_hand.records_done(),
            still_at_vendor=_at_vendor(flight),
        )


def _at_vendor(flight: Flight) -> int:
    """Inferences that the API may be working on: those that were handed to it, and not refused since.

    Also those whose end is known and not durable, since the store failed: the next run asks the API for them.
    """
    at_vendor = 0
    for inference in flight:
        handed_over = inference.sent_at is not None or inference.doubted_at is not None or inference.accepted
        if inference.phase in _NOT_DURABLE and handed_over:
            at_vendor += 1
    return at_vendor
