"""The broom: what keeps the state folder small and useful to others, once the dataset stands."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.late_answers import of_no_more_use
from runware_provider.engine.memory.state_folder import below
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from runware_provider.engine.job.opening import OpenedJob

log = logging.getLogger(__name__)


def tidy(job: OpenedJob, *, expires: bool = True) -> None:
    """Tell other partitions what was answered, forget what is too old, merge what is in pieces, empty the inbox.

    What fails here, the next run does: the dataset is published, or the shard is done.

    Args:
        job: that has ended well.
        expires: whether what is too old may go; no, while other ledgers of the place have still to take it over.
    """
    _share(job)
    _empty_inbox(job)
    _expire_and_merge(job, expires=expires)


def _share(job: OpenedJob) -> None:
    prepared = job.prepared
    spec = prepared.spec
    if spec.memory.reuse != "dataset" or not spec.partition:
        return
    from runware_provider.engine.memory.shared_answers import share  # noqa: PLC0415 - only with partitions

    partition = below(spec.state_folder, prepared.state_folder)
    try:
        share(prepared.storage, spec.state_folder, partition, job.identity.job_id, job.ledger)
    except (OSError, StateUnreadable) as error:
        told = f"other partitions cannot reuse the new answers yet ({error}). The next run tries again."
        for line in wrapped("Warning", told):
            log.warning("%s", line)


def _expire_and_merge(job: OpenedJob, *, expires: bool) -> None:
    days = job.prepared.spec.memory.retention_days
    try:
        if days is not None and expires:
            from runware_provider.engine.memory.forgetting import expire  # noqa: PLC0415 - few jobs need it

            expire(job.ledger, datetime.now(UTC) - timedelta(days=days))
        if job.ledger.needs_compaction:
            from runware_provider.engine.memory.compaction import compact  # noqa: PLC0415 - few jobs need it

            compact(job.ledger)
    except (OSError, StateUnreadable) as error:
        told = f"the ledger was not tidied ({error}). The dataset stands, and the next run does it."
        for line in wrapped("Warning", told):
            log.warning("%s", line)


def _empty_inbox(job: OpenedJob) -> None:
    """Every record has its outcome: what the vendor brought is in the ledger, or comes twice.

    An answer that came after its attempt was given up stays, for the next run to put it into the ledger.
    """
    if job.inboxes is None:
        return
    job_id = job.identity.job_id
    folder = job.inboxes.folder(job_id)
    try:
        folder.remove(of_no_more_use(folder, job.ledger, job_id))
        job.inboxes.sweep()
    except OSError as error:
        for line in wrapped("Warning", f"the inbox was not emptied ({error}). The next run does it."):
            log.warning("%s", line)
