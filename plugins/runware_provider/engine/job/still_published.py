"""A run that would publish the very rows that are published already tells so without going through them (docs/decisions/0017)."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.publish import restate, stands
from runware_provider.engine.dataset.published_manifest import read_manifest, shows_forgotten
from runware_provider.engine.job.prepare import failures_state
from runware_provider.engine.job.progress import Progress
from runware_provider.engine.job.same_rows import what_rows_follow_from

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runware_provider.engine.job.manifest import Sums
    from runware_provider.engine.job.opening import OpenedJob
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.memory.ledger_sums import Totals

MADE_OF = "made_of"
"""The key of the manifest."""

log = logging.getLogger(__name__)


def made_of(prepared: Prepared, generation: int, newest_segment: int) -> str | None:
    """What hashes of everything that a job's rows follow from.

    Args:
        prepared: the job.
        generation: in which it asks.
        newest_segment: of its ledger: the number of the last one that was written.

    Returns:
        None where the rows may become others although all of this stays as it is.
    """
    told = what_rows_follow_from(prepared)
    # What other ledgers of the place know has to be looked for in each run.
    if told is None or prepared.handed_over is not None:
        return None
    told += [generation, newest_segment]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


def still_published(
    job: OpenedJob, sums: Sums, report: Callable[[Progress], None] | None
) -> dict[str, Any] | None:
    """The manifest of a run of which every row is published as it would publish it; None where it has to go through them.

    Args:
        job: with its lease.
        sums: of its ledger.
        report: is told how far the job is.

    Raises:
        Overtaken: another run took over.
        PublishConflict: somebody else published meanwhile.
        StateUnreadable: the state folder cannot be read.
    """
    if not _follows_from_the_same(job, job.published):
        return None
    published, prepared = job.published, job.prepared
    failures = None
    if prepared.failures_folder is not None:
        failures = read_manifest(prepared.storage, failures_state(prepared))
        # It is published second, and may be of the run before.
        if failures is None or not _stands_with(published, failures[0], job):
            return None
    # Somebody harmed it: it is made anew, of what the ledger has.
    if not stands(prepared.storage, prepared.folder, prepared.state_folder, published):
        return None
    job.lease.check_still_mine()
    log.info("Nothing has changed since the rows were published: none of them is gone through again.")
    if failures is not None:
        record = _told(job, sums, failures[0])
        restate(prepared.storage, failures_state(prepared), record, failures[0], failures[1])
    record = _told(job, sums, published)
    manifest = restate(prepared.storage, prepared.state_folder, record, published, job.previous)
    if report is not None:
        report(_as_progress(published, sums.totals("fresh"), job.clock().duration_s))
    return manifest


def _as_progress(published: Mapping[str, Any], fresh: Totals, elapsed_s: float) -> Progress:
    """All rows at once, as they were published.

    Args:
        published: the manifest.
        fresh: what this run asked, in whatever try.
        elapsed_s: since it began.
    """
    rows = int(published["rows"])
    all_by_this_run = 0 < published["inferences"] <= fresh.inferences
    return Progress(
        rows,
        rows,
        elapsed_s,
        0,
        fresh.cost,
        reused=rows,
        outcomes=published["outcomes"],
        earlier_tries=rows if all_by_this_run else min(rows, fresh.inferences),
    )


def _follows_from_the_same(job: OpenedJob, published: Mapping[str, Any]) -> bool:
    """Whether the rows that a manifest is of are those that this run would come to."""
    if not job.publishes or MADE_OF not in published or shows_forgotten(published):
        return False
    # What an earlier run sent, and nobody collected, is asked for in any case.
    if job.ledger.unsettled():
        return False
    return bool(published[MADE_OF] == made_of(job.prepared, job.generation, job.ledger.newest))


def _stands_with(published: Mapping[str, Any], failures: Mapping[str, Any], job: OpenedJob) -> bool:
    """Whether the dataset of failures is there, and of the same rows as the dataset."""
    folder = job.prepared.failures_folder
    if folder is None or failures.get(MADE_OF) != published[MADE_OF]:
        return False
    return stands(job.prepared.storage, folder, failures_state(job.prepared), failures)


def _told(job: OpenedJob, sums: Sums, before: Mapping[str, Any]) -> dict[str, Any]:
    """What this run tells: what the one before told of the rows, and what it did itself."""
    clock, fresh = job.clock(), sums.totals("fresh")
    return {
        **before,
        "source": job.prepared.spec.source,
        "started_at": clock.started_at,
        "finished_at": clock.finished_at,
        "duration_s": clock.duration_s,
        "cost_usd_ever": sums.totals("all").cost,
        "paid_inferences": fresh.answered,
        "paid_usd": fresh.cost,
    }
