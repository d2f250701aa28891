"""The broom: what keeps the state folder small and useful to others, once the dataset stands."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.memory.compaction import compact
from runware_provider.engine.memory.forgetting import expire
from runware_provider.engine.memory.shared_answers import below, share

if TYPE_CHECKING:
    from runware_provider.engine.job.opening import OpenedJob

log = logging.getLogger(__name__)


def tidy(job: OpenedJob, *, expires: bool = True) -> None:
    """Tell other partitions what was answered, forget what is too old, merge what is in pieces.

    What fails here, the next run does: the dataset is published, or the shard is done.

    Args:
        job: that has ended well.
        expires: whether what is too old may go; no, while other ledgers of the place have still to take it over.
    """
    _share(job)
    _expire_and_merge(job, expires=expires)


def _share(job: OpenedJob) -> None:
    prepared = job.prepared
    spec = prepared.spec
    if spec.reuse != "dataset" or not spec.partition:
        return
    partition = below(spec.state_folder, prepared.state_folder)
    try:
        share(prepared.storage, spec.state_folder, partition, job.identity.job_id, job.ledger)
    except (OSError, StateUnreadable) as error:
        log.warning("other partitions cannot reuse the new answers yet; the next run tries again: %s", error)


def _expire_and_merge(job: OpenedJob, *, expires: bool) -> None:
    days = job.prepared.spec.retention_days
    try:
        if days is not None and expires:
            expire(job.ledger, datetime.now(UTC) - timedelta(days=days))
        if job.ledger.needs_compaction:
            compact(job.ledger)
    except (OSError, StateUnreadable) as error:
        log.warning("The dataset stands; the ledger was not tidied (%s). The next run does it.", error)
