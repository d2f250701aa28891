"""Run a job: shards in, inferences through the exchange, parts out, one publish at the end."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runware_provider import __version__
from runware_provider.engine.client import Client, check_endpoint
from runware_provider.engine.collect import Collector
from runware_provider.engine.errors import BadInput, JobStopped, NothingToDo, PublishConflict
from runware_provider.engine.exchange import Exchange
from runware_provider.engine.fate import Fates
from runware_provider.engine.feed import ShardFeed
from runware_provider.engine.flight import OUTSTANDING, Flight
from runware_provider.engine.ledger import Ledger
from runware_provider.engine.pace import Pace
from runware_provider.engine.prepare import Prepared, check_empty, check_published, places_checked, prepare
from runware_provider.engine.publish import Stage, StagedPart, publish
from runware_provider.engine.rows import Judge
from runware_provider.engine.shard_work import Questioner
from runware_provider.engine.state import JobIdentity, generation_of, open_job
from runware_provider.engine.submit import Submitter

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.progress import Progress
    from runware_provider.engine.spec import Endpoint, Spec

REASONS_SHOWN = 20

log = logging.getLogger(__name__)


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
    check_endpoint(endpoint)
    # Many small segments and parts from several threads: Arrow's own pool keeps what each thread once needed,
    # which came to 75 MB more after 60,000 records than with the system's.
    pa.set_memory_pool(pa.system_memory_pool())
    prepared = await asyncio.to_thread(prepare, spec)
    check_empty(prepared)
    for warning in prepared.warnings:
        log.warning("%s", warning)
    if prepared.records == 0 and spec.on_empty == "skip":
        raise NothingToDo(f"{spec.source} holds no record")
    job = await asyncio.to_thread(_open, prepared, endpoint)
    try:
        return await job.run(endpoint, report, stop or asyncio.Event(), publishing=publishing)
    finally:
        job.ledger.close()


def _open(prepared: Prepared, endpoint: Endpoint) -> Job:
    """Read the state of the job, or begin it; everything is checked before the state folder is made."""
    spec, storage, folder = prepared.spec, prepared.storage, prepared.state_folder
    published = check_published(prepared)
    now = _timestamp()
    with places_checked(spec):
        identity = open_job(storage, folder, spec.destination, now, service=endpoint.service)
        _check_service(identity, endpoint, folder)
        generation = generation_of(storage, folder, spec.refresh, now)
    ledger = Ledger(storage, storage.join(folder, "ledger"))
    return Job(prepared, identity, generation, ledger, published[1] if published else None)


def _check_service(identity: JobIdentity, endpoint: Endpoint, folder: str) -> None:
    """Answers of a stand-in must never pass for those of the real service, nor the other way round."""
    if identity.service and identity.service != endpoint.service:
        raise BadInput(
            "base URL",
            f"it leads to {endpoint.service}, but the answers in {folder} came from {identity.service}",
            "Choose another destination for another service",
        )


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
        connections = limits.requests + max(1, limits.requests // 2)
        async with Client(endpoint, connections=connections) as client, self.ledger.writing():
            redactor = client.redactor(self.prepared.template.fields(0))
            fates = Fates(flight, limits, spread=random.random(), redactor=redactor)  # noqa: S311 - only spreads load
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
            stage = Stage(self.prepared.storage, self.prepared.state_folder, self.publish_id)
            feed = ShardFeed(
                prepared=self.prepared,
                ledger=self.ledger,
                flight=flight,
                stage=stage,
                questioner=self._questioner(),
                judge=self._judge(),
                job_id=self.identity.job_id,
                report_to=report,
                now=time.monotonic,
            )
            try:
                await exchange.run(feed, stop)
                await feed.finish()
            except JobStopped as stopped:
                await feed.abandon()
                stopped.manifest = self._manifest(feed, started, "stopped", stopped, _at_vendor(flight))
                raise
            except BaseException:
                await feed.abandon()
                raise
        feed.report()
        manifest = self._manifest(feed, started, "published" if publishing else "preview")
        if not publishing:
            await asyncio.to_thread(feed.discard)
            return {**manifest, "first_rows": feed.first_rows}
        try:
            return await asyncio.to_thread(self._publish, feed.parts, manifest)
        except PublishConflict:
            await asyncio.to_thread(feed.discard)
            raise

    def _questioner(self) -> Questioner:
        spec = self.prepared.spec
        return Questioner(
            self.prepared.prompt,
            self.prepared.template,
            self.ledger,
            spec.samples,
            spec.limits.attempts,
            at_least=self.generation if spec.refresh is not None else 0,
            generation=self.generation,
        )

    def _judge(self) -> Judge:
        spec = self.prepared.spec
        return Judge(
            self.prepared.forced,
            self.prepared.check,
            model=spec.model,
            job_id=self.identity.job_id,
            keep_raw=spec.keep_raw,
        )

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
        feed: ShardFeed,
        started: float,
        status: str,
        stopped: JobStopped | None = None,
        outstanding: int = 0,
    ) -> dict[str, Any]:
        # What stopped has no rows yet: it tells of everything in the ledger.
        whole = self.ledger.totals("used" if stopped is None else "all")
        fresh = self.ledger.totals("fresh")
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
            manifest["records_done"] = feed.records_done()
        return manifest


def _at_vendor(flight: Flight) -> int:
    """Inferences that the API may be working on: not those that it refused before and that were not sent since."""
    refused = sum(
        one.rejected and one.sent_at is None and one.doubted_at is None and not one.accepted
        for one in flight
        if one.phase in OUTSTANDING
    )
    return flight.outstanding - refused


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
