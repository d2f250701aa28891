"""Run a job: batches in, inferences through the exchange, parts out, one publish at the end."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runware_provider.engine.api.client import Client, check_endpoint
from runware_provider.engine.dataset.publish import Stage, publish, read_manifest
from runware_provider.engine.dataset.schema_text import schema_text
from runware_provider.engine.errors import (
    BadInput,
    BudgetExhausted,
    JobStopped,
    NothingToDo,
    PublishConflict,
    StateUnreadable,
)
from runware_provider.engine.exchange.collect import Collector
from runware_provider.engine.exchange.conversation import Exchange
from runware_provider.engine.exchange.fate import Fates
from runware_provider.engine.exchange.flight import OUTSTANDING, Flight
from runware_provider.engine.exchange.pace import Pace
from runware_provider.engine.exchange.submit import Submitter
from runware_provider.engine.identity import task_uuid
from runware_provider.engine.job.account_opening import open_account, price_of
from runware_provider.engine.job.asked import asked_by
from runware_provider.engine.job.batch_feed import BatchFeed
from runware_provider.engine.job.batch_staging import BatchStaging
from runware_provider.engine.job.decider import Decider
from runware_provider.engine.job.failure_watch import FailureWatch
from runware_provider.engine.job.leftovers import Leftovers
from runware_provider.engine.job.manifest import Clock, manifest_of, stopped_manifest, unpriced
from runware_provider.engine.job.output_retries import OutputRetries
from runware_provider.engine.job.plan_counts import plan_counts
from runware_provider.engine.job.prepare import (
    Prepared,
    changed,
    check_empty,
    check_published,
    check_schemas,
    failures_state,
    narrowed,
    note_schemas,
    places_checked,
    prepare,
)
from runware_provider.engine.job.reuse import Reuse, reuses
from runware_provider.engine.job.run_watch import RunWatch
from runware_provider.engine.memory.compaction import compact
from runware_provider.engine.memory.forgetting import expire
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.shared_answers import below, share
from runware_provider.engine.memory.state_folder import JobIdentity, generation_of, open_job, wish_of
from runware_provider.engine.outcome.part_writer import PartWriter
from runware_provider.engine.outcome.rows import Counts
from runware_provider.engine.storage.stores import Stores

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.dataset.publish import StagedPart
    from runware_provider.engine.job.plan_counts import PlanCounts
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.spec import Endpoint, Spec
    from runware_provider.engine.spending.budget import Account
    from runware_provider.engine.spending.pricing import KnownPrices
    from runware_provider.engine.storage.stores import Version

REBASES = 5
"""How often a publish goes on from what an older run published meanwhile."""

log = logging.getLogger(__name__)


async def run_job(  # noqa: PLR0913 - what a run needs from outside, by keyword
    spec: Spec,
    endpoint: Endpoint,
    *,
    report: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    preview: int | None = None,
    stores: Stores | None = None,
    transport: Transport | None = None,
) -> dict[str, Any]:
    """Run a job to its end and return its manifest.

    Args:
        spec: what the user asked for.
        endpoint: where the API answers.
        report: called about once a second.
        stop: when set, the job keeps what it has and raises Interrupted.
        preview: only so many records, spread over the source, or the first ones that the filters choose; the
            answers go into the ledger, and nothing is published.
        stores: opens the stores that the paths name; by default with what the environment says.
        transport: carries the HTTP requests; a real network by default.

    Raises:
        BadInput: nothing was sent.
        NothingToDo: the source is empty and `on_empty` is `skip`.
        JobStopped: with a `manifest` attribute that says how far it came.
        StateUnreadable: the state folder cannot be read.
        PublishConflict: a run that began later has published meanwhile.
    """
    check_endpoint(endpoint)
    # Many small segments and parts from several threads: Arrow's own pool keeps what each thread once needed,
    # which came to 75 MB more after 60,000 records than with the system's.
    pa.set_memory_pool(pa.system_memory_pool())
    started_at = _timestamp()
    prepared = await asyncio.to_thread(prepare, spec, stores or Stores())
    check_empty(prepared)
    if preview is not None:
        prepared = narrowed(prepared, preview)
    for warning in prepared.warnings:
        log.warning("%s", warning)
    if prepared.records == 0 and spec.on_empty == "skip":
        raise NothingToDo(f"{spec.source} holds no record")
    job = await asyncio.to_thread(_open, prepared, endpoint, started_at)
    try:
        return await job.run(endpoint, report, stop or asyncio.Event(), transport, publishing=preview is None)
    finally:
        job.ledger.close()


def _open(prepared: Prepared, endpoint: Endpoint, started_at: str) -> Job:
    """Read the state of the job, or begin it; everything is checked before the state folder is made."""
    spec, storage, folder = prepared.spec, prepared.storage, prepared.state_folder
    published = check_published(prepared)
    for change in check_schemas(prepared, published[0] if published else {}):
        log.warning("%s", change)
    with places_checked(spec):
        storage.check_conditions(folder)
        identity = open_job(storage, folder, spec.destination, started_at, service=endpoint.service)
        _check_service(identity, endpoint, folder)
        wish = wish_of(spec.refresh, spec.retry_failed)
        generation = generation_of(storage, folder, wish, started_at)
    failures = read_manifest(storage, failures_state(prepared)) if prepared.failures_folder else None
    return Job(
        prepared=prepared,
        identity=identity,
        generation=generation,
        ledger=Ledger(storage, storage.join(folder, "ledger"), run=spec.run),
        published=published[0] if published else {},
        previous=published[1] if published else None,
        previous_failures=failures[1] if failures else None,
        started_at=started_at,
    )


def _check_service(identity: JobIdentity, endpoint: Endpoint, folder: str) -> None:
    """Answers of a stand-in must never pass for those of the real service, nor the other way round."""
    if identity.service and identity.service != endpoint.service:
        raise BadInput(
            "base URL",
            f"it leads to {endpoint.service}, but the answers in {folder} came from {identity.service}",
            "Choose another destination for another service",
        )


@dataclass(kw_only=True)
class Job:
    """One run of a job."""

    prepared: Prepared
    identity: JobIdentity
    generation: int
    ledger: Ledger
    published: Mapping[str, Any]
    """The manifest that this run will replace."""
    previous: Version | None
    """The version of the manifest in `published`: the publish replaces that one and no other."""
    previous_failures: Version | None
    """The same of the manifest of the dataset of failures."""
    started_at: str
    began: float = field(default_factory=time.monotonic)
    publish_id: str = field(default_factory=lambda: secrets.token_hex(6))

    async def run(
        self,
        endpoint: Endpoint,
        report: Callable[[Progress], None] | None,
        stop: asyncio.Event,
        transport: Transport | None,
        *,
        publishing: bool,
    ) -> dict[str, Any]:
        """The whole of it; see `run_job`."""
        limits = self.prepared.spec.limits
        connections = limits.requests + max(1, limits.requests // 2)
        async with (
            Client(endpoint, connections=connections, transport=transport) as client,
            self.ledger.writing(),
        ):
            decider = Decider.of(self.prepared, self.ledger, self.generation, self.identity.job_id)
            account = await self._look_ahead(client, decider)
            self.ledger.meets = account is not None
            flight = Flight(account)
            feed = self._feed(flight, decider, report, publishing=publishing)
            try:
                await self._exchange(client, flight, account).run(feed, feed.watch, stop)
                await self._leftovers(client).ask(self.ledger.unsettled())
                await feed.finish()
            except JobStopped as stopped:
                await feed.staging.abandon()
                stopped.manifest = self._stopped(feed, stopped, flight)
                raise
            except BaseException:
                await feed.staging.abandon()
                raise
        feed.watch.report()
        if not publishing:
            await asyncio.to_thread(feed.staging.discard)
            shown = {"first_rows": feed.staging.writer.first_rows, "priced": feed.watch.priced}
            return {**self._manifest(feed, "preview"), **shown}
        try:
            published = await asyncio.to_thread(self._publish, feed, self._manifest(feed, "published"))
        except (PublishConflict, BadInput):
            await asyncio.to_thread(feed.staging.discard)
            raise
        await asyncio.to_thread(self._share)
        await asyncio.to_thread(self._tidy)
        return published

    # the pieces, put together

    def _exchange(self, client: Client, flight: Flight, account: Account | None) -> Exchange:
        spec, limits = self.prepared.spec, self.prepared.spec.limits
        redactor = client.redactor(self.prepared.template.fields(0))
        fates = Fates(flight, limits, spread=random.random(), redactor=redactor)  # noqa: S311 - only spreads load
        timeout = limits.sync_timeout_s if spec.delivery == "sync" else limits.request_timeout_s
        submitter = Submitter(
            client, self.ledger, flight, fates, self.prepared.template, spec.delivery, timeout, time.monotonic
        )
        return Exchange(
            submitter,
            Collector(client, fates, limits.request_timeout_s, time.monotonic),
            pace=Pace(limits.max_outstanding),
            limits=limits,
            job_id=self.identity.job_id,
            account=account,
            when_short=spec.budget.when_short if spec.budget is not None else "stop",
        )

    def _feed(
        self,
        flight: Flight,
        decider: Decider,
        report: Callable[[Progress], None] | None,
        *,
        publishing: bool,
    ) -> BatchFeed:
        prepared, spec = self.prepared, self.prepared.spec
        failures = None
        if prepared.failures_folder is not None and publishing:
            failures = Stage(prepared.storage, failures_state(prepared), self.publish_id)
        writer = PartWriter(
            stage=Stage(prepared.storage, prepared.state_folder, self.publish_id),
            failures=failures,
            judge=decider.judge,
            kept=prepared.kept_schema,
            results=prepared.results,
        )
        watched = publishing and spec.max_failed is not None
        watch = RunWatch(
            failures=FailureWatch(spec.max_failed, prepared.records * spec.samples) if watched else None,
            records=prepared.records,
            samples=spec.samples,
            paid=lambda: self.ledger.paid,
            outstanding=lambda: flight.outstanding,
            report_to=report,
            now=time.monotonic,
        )
        return BatchFeed(
            prepared=prepared,
            flight=flight,
            decider=decider,
            retries=OutputRetries(decider.judge, prepared.forced, prepared.follow_ups),
            watch=watch,
            staging=BatchStaging(writer, self.ledger, prepared.storage),
            job_id=self.identity.job_id,
            now=time.monotonic,
        )

    def _leftovers(self, client: Client) -> Leftovers:
        return Leftovers(
            client=client,
            ledger=self.ledger,
            job_id=self.identity.job_id,
            limits=self.prepared.spec.limits,
            redactor=client.redactor(self.prepared.template.fields(0)),
            now=time.monotonic,
        )

    # other partitions

    def _shares(self) -> bool:
        return self.prepared.spec.reuse == "dataset" and bool(self.prepared.spec.partition)

    def _share(self) -> None:
        """What fails here is a later saving: the dataset is published."""
        if not self._shares():
            return
        prepared, root = self.prepared, self.prepared.spec.state_folder
        partition = below(root, prepared.state_folder)
        try:
            share(prepared.storage, root, partition, self.identity.job_id, self.ledger)
        except (OSError, StateUnreadable) as error:
            log.warning(
                "other partitions cannot reuse the new answers yet; the next run tries again: %s", error
            )

    # money

    async def _look_ahead(self, client: Client, decider: Decider) -> Account | None:
        """Say what is to be paid, and why, where that may be more than the user foresaw.

        Returns:
            What the budget has paid already; nothing without a budget.

        Raises:
            BadInput: the budget is in USD, and nobody knows what the model costs.
            BudgetExhausted: the estimate exceeds the budget, and the job shall not go as far as it gets.
        """
        different = changed(self.prepared, self.published)
        budget = self.prepared.spec.budget
        reusing = reuses(self.prepared.spec)
        if budget is None and not different and not reusing:
            return None
        asked = await asyncio.to_thread(asked_by, self.prepared, decider.questioner)
        if reusing:
            await Reuse(self.prepared, asked, self.ledger, decider.questioner, self.identity.service).run()
        if budget is None and not different:
            return None
        listed = await client.prices() if budget is not None and budget.usd is not None else {}
        found = await asyncio.to_thread(plan_counts, asked, decider)
        if found.to_pay and different:
            log.info("%s", _because(found, different))
        if budget is None:
            return None
        price = self._price(listed, found)
        uncovered = [one for one in self.ledger.unsettled("fresh") if one[0] not in found.doubted]
        in_doubt = await self._leftovers(client).ask(uncovered)
        account = open_account(budget, price, self.ledger, found.prompt_tokens_each, in_doubt=in_doubt)
        inferences, tokens = found.chargeable
        reason = account.exceeds(account.estimate(tokens, inferences))
        if reason is not None and budget.when_short == "stop":
            stopped = BudgetExhausted(f"{reason}; nothing was sent")
            stopped.manifest = self._stopped_before(stopped, found)
            raise stopped
        return account

    def _price(self, listed: Mapping[str, tuple[float, float]], found: PlanCounts) -> KnownPrices | None:
        spec, ledger = self.prepared.spec, self.ledger
        same_model = bool(self.published) and "model" not in changed(self.prepared, self.published)
        price = price_of(spec, listed, ledger, found.answers, same_model=same_model)
        in_usd = spec.budget is not None and spec.budget.usd is not None
        if in_usd and price is None and ledger.statistics().mean_cost is None:
            raise BadInput(
                "budget.usd",
                f"the API names no price for {spec.model!r}, so the budget could not be kept",
                "Give the price with budget.usd_per_million=(in, out), or a budget in tokens",
            )
        return price

    # the end

    def _clock(self) -> Clock:
        return Clock(self.started_at, _timestamp(), round(time.monotonic() - self.began, 3))

    def _manifest(self, feed: BatchFeed, status: str) -> dict[str, Any]:
        return manifest_of(
            self.prepared,
            self.ledger,
            feed.staging.writer.counts,
            self._clock(),
            status=status,
            generation=self.generation,
        )

    def _stopped(self, feed: BatchFeed, stopped: JobStopped, flight: Flight) -> dict[str, Any]:
        return stopped_manifest(
            self.prepared,
            self.ledger,
            feed.watch.seen,
            self._clock(),
            stopped,
            generation=self.generation,
            records=feed.watch.records,
            records_done=feed.records_done(),
            still_at_vendor=_at_vendor(flight),
        )

    def _stopped_before(self, stopped: JobStopped, found: PlanCounts) -> dict[str, Any]:
        """Before anything was sent; what an earlier run sent, and nobody knows the fate of, may be under way."""
        held = stopped_manifest(
            self.prepared,
            self.ledger,
            Counts(),
            self._clock(),
            stopped,
            generation=self.generation,
            records=found.records,
            records_done=0,
            still_at_vendor=found.unknown,
        )
        return {**held, "to_pay": found.to_pay}

    def _tidy(self) -> None:
        """What keeps the ledger small, once the dataset stands; what fails here, the next run does."""
        days = self.prepared.spec.retention_days
        try:
            if days is not None:
                expire(self.ledger, datetime.now(UTC) - timedelta(days=days))
            if self.ledger.needs_compaction:
                compact(self.ledger)
        except (OSError, StateUnreadable) as error:
            log.warning("The dataset stands; the ledger was not tidied (%s). The next run does it.", error)

    def _unpriced(self) -> dict[str, Any]:
        """The tasks whose cost nobody knows: a few in the manifest, all of them in a file of their own."""
        job_id = self.identity.job_id
        names = [task_uuid(job_id, key, attempt) for key, attempt in self.ledger.unpriced()]
        if not names:
            return unpriced([], None)
        storage = self.prepared.storage
        path = storage.join(self.prepared.state_folder, "unpriced", f"{self.publish_id}.txt")
        storage.create_new(path, "".join(f"{name}\n" for name in names).encode())
        return unpriced(names, path)

    def _publish(self, feed: BatchFeed, manifest: dict[str, Any]) -> dict[str, Any]:
        prepared, writer = self.prepared, feed.staging.writer
        manifest |= self._unpriced()
        note_schemas(prepared, self.published, self.started_at)
        if prepared.failures_folder is not None:
            rows = sum(part.rows for part in writer.failed_parts)
            manifest["failures"] = {"destination": prepared.failures_folder, "rows": rows}
        published = self._replace(
            prepared.folder, prepared.state_folder, writer.parts, manifest, self.previous
        )
        if prepared.failures_folder is not None:
            record = {
                **manifest,
                "rows": manifest["failures"]["rows"],
                "schema": schema_text(prepared.failures_schema),
            }
            self._replace(
                prepared.failures_folder,
                failures_state(prepared),
                writer.failed_parts,
                record,
                self.previous_failures,
                decided=str(published["publish_id"]),
            )
        return published

    def _replace(  # noqa: PLR0913 - each a fact of its own
        self,
        folder: str,
        state_folder: str,
        parts: list[StagedPart],
        manifest: dict[str, Any],
        previous: Version | None,
        *,
        decided: str | None = None,
    ) -> dict[str, Any]:
        """Publish, also over what an older run has published meanwhile: of twins the one that began last stands.

        Args:
            folder: the dataset's.
            state_folder: where its manifest lies.
            parts: of the dataset.
            manifest: what to record.
            previous: the version that this publish builds on.
            decided: the publish of the main dataset that this one belongs to. Which run stands is decided there, once
                for both datasets: as long as it is the present one, this one goes over whatever lies here.

        Raises:
            PublishConflict: a run that began later stands, in both datasets.
        """
        storage, publish_id = self.prepared.storage, self.publish_id
        for _ in range(REBASES):
            if decided is not None and not self._stands(decided):
                break
            try:
                return publish(
                    storage,
                    folder=folder,
                    state_folder=state_folder,
                    publish_id=publish_id,
                    staged=parts,
                    manifest=manifest,
                    previous=previous,
                )
            except PublishConflict:
                present = read_manifest(storage, state_folder)
                if present is None or (decided is None and self._is_older_than(present[0])):
                    raise
                previous, publish_id = present[1], secrets.token_hex(6)
        else:
            raise PublishConflict(
                f"{folder}: other runs publish it again and again; run again to build on what is there"
            )
        raise PublishConflict(
            f"{folder}: a run that began later has published meanwhile; its dataset stands, and its failures belong to it"
        )

    def _stands(self, publish_id: str) -> bool:
        present = read_manifest(self.prepared.storage, self.prepared.state_folder)
        return present is not None and present[0]["publish_id"] == publish_id

    def _is_older_than(self, manifest: Mapping[str, Any]) -> bool:
        return str(manifest.get("started_at", "")) >= self.started_at


def _because(found: PlanCounts, different: list[str]) -> str:
    known = f"; {found.answered:,} are answered already" if found.answered else ""
    shown = f"; {found.to_reask:,} were answered with what does not fit" if found.to_reask else ""
    what = " and ".join([", ".join(different[:-1]), different[-1]] if len(different) > 1 else different)
    return f"{found.to_pay:,} inferences are to be paid, because since the last publish the {what} changed{known}{shown}."


def _at_vendor(flight: Flight) -> int:
    """Inferences that the API may be working on: those that were handed to it, and not refused since."""
    return sum(
        one.sent_at is not None or one.doubted_at is not None or one.accepted
        for one in flight
        if one.phase in OUTSTANDING
    )


def _timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
