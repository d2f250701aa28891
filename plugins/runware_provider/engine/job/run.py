"""Run a job in one process: open, ask, publish, tidy."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.arrow_memory import give_back
from runware_provider.engine.job.asking import ask
from runware_provider.engine.job.late_answers import late_answers
from runware_provider.engine.job.leg import WHOLE, Leg
from runware_provider.engine.job.opening import check_run, open_run
from runware_provider.engine.job.publishing import Publication, publish_staged
from runware_provider.engine.job.recorded import Ending
from runware_provider.engine.job.recorder import EVERY_S, Recorder, recorded
from runware_provider.engine.job.still_published import still_published
from runware_provider.engine.job.taking_over import (
    TakingOver,
    leave_split,
    paid_by_run,
    rest_of_budget,
    summed,
)
from runware_provider.engine.job.tidying import tidy
from runware_provider.engine.memory.lease_keeping import held
from runware_provider.engine.memory.ledger_sums import LedgerSums

if TYPE_CHECKING:
    from collections.abc import Callable

    from runware_provider.engine.api.client import Transport
    from runware_provider.engine.endpoint import Endpoint
    from runware_provider.engine.inbox.settings import WebhookSettings
    from runware_provider.engine.job.opening import OpenedJob, Place
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.job.split_record import Split
    from runware_provider.engine.job.staged import Staged
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Stores


async def run_job(  # noqa: PLR0913 - what a run needs from outside, by keyword
    spec: Spec,
    endpoint: Endpoint,
    *,
    report: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
    preview: int | None = None,
    stores: Stores | None = None,
    webhooks: WebhookSettings | None = None,
    transport: Transport | None = None,
    leg: Leg = WHOLE,
    recorded_every_s: float = EVERY_S,
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
        webhooks: where the vendor is to bring answers; needed only where the spec wants that.
        transport: carries the HTTP requests; a real network by default.
        leg: which of several processes of the run this one is; by default the only one.
        recorded_every_s: seconds between two records of how far it is, at most (docs/decisions/0020).

    Raises:
        AllSent: the leg leaves the rest of the answers to the next one, which gets the same spec.
        BadInput: nothing was sent.
        NothingToDo: the source is empty and `publish.on_empty` is `skip`.
        JobStopped: before every record had its outcome. Like every error here it says how far the job came
            (`errors.how_far`); nothing where nothing was sent.
        StateUnreadable: the state folder cannot be read.
        PublishConflict: somebody else published meanwhile.
    """
    stop = stop or asyncio.Event()
    place = await asyncio.to_thread(
        check_run, spec, endpoint, preview=preview, stores=stores, webhooks=webhooks
    )
    recorder = Recorder.of(
        place.prepared,
        place.started_at,
        asked=spec,
        lease=place.lease,
        every_s=recorded_every_s,
        is_run=preview is None,
        goes_on=leg.goes_on,
        report=report,
    )
    async with (
        recorded(recorder),
        held(place.lease, most_s=spec.limits.lease_wait_s, stop=stop) as waited,
    ):
        left = await leave_split(TakingOver(place.prepared, endpoint, stop, transport, place.inboxes))
        if left is not None:
            place = await asyncio.to_thread(_going_on, place, left)
        job = await asyncio.to_thread(open_run, place, waited=waited, leg=leg)
        recorder.knows(job.paid_usd)
        try:
            unchanged = await asyncio.to_thread(_still_published, job, recorder)
            if unchanged is not None:
                return unchanged
            staged = await ask(job, endpoint, report=recorder.saw, stop=stop, transport=transport, leg=leg)
            if not job.publishes:
                return await asyncio.to_thread(_preview, job, staged)
            return await asyncio.to_thread(_published, job, staged, recorder)
        finally:
            job.close()


def _going_on(place: Place, left: Split) -> Place:
    """The place, with what its shards know and what they have spent of this run's budget."""
    prepared = replace(place.prepared, handed_over=left.to_a_plain_run())
    # Only a run with a name can have been at work in shards before.
    shards = range(left.folders) if prepared.spec.run is not None else ()
    paid = summed(paid_by_run(prepared, shards))
    budget = prepared.spec.budget
    if budget is not None:
        rest = rest_of_budget(budget, paid)
        prepared = replace(prepared, spec=prepared.spec.bounded_by(rest))
    return replace(place, prepared=prepared, of_shards=LedgerSums(paid, left.of_shards))


def _still_published(job: OpenedJob, recorder: Recorder) -> dict[str, Any] | None:
    """The manifest, where the rows are published already as this run would publish them."""
    # What was brought since may be an answer that the rows do not show.
    if job.inbox is not None and late_answers(job.inbox, job.ledger, job.identity.job_id):
        return None
    manifest = still_published(job, Publication.of(job).accounts, recorder.saw)
    if manifest is None:
        return None
    recorder.ended(Ending.well(manifest))
    if not job.lease.lost:
        tidy(job)
    return manifest


def _make_room(job: OpenedJob) -> None:
    """What one step of a run took is given back before the next one takes its own."""
    if job.is_large:
        gc.collect()
    give_back()


def _published(job: OpenedJob, staged: Staged, recorder: Recorder) -> dict[str, Any]:
    publication = Publication.of(job)
    _make_room(job)
    try:
        with publication.says_how_far(staged.counts, publishing=True):
            manifest = publish_staged(publication, staged)
    finally:
        staged.discard(job.prepared.storage)
    # It is written down while the rest is done.
    recorder.ended(Ending.well(manifest))
    _make_room(job)
    if not job.lease.lost:
        tidy(job)
    return manifest


def _preview(job: OpenedJob, staged: Staged) -> dict[str, Any]:
    """What a few records gave; their answers are in the ledger, and their rows are not published."""
    staged.discard(job.prepared.storage)
    shown = {
        "first_rows": staged.first_rows,
        "first_inputs": staged.first_inputs,
        "priced": staged.priced,
    }
    return {**Publication.of(job).manifest(staged.counts, "preview"), **shown}
