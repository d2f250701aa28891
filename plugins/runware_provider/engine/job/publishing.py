"""The third verb: publish what was staged, from whatever process."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from runware_provider.engine.dataset.publish import publish
from runware_provider.engine.dataset.replaced_parts import GRACE_S
from runware_provider.engine.dataset.schema_text import schema_text
from runware_provider.engine.errors import BadInput, JobStopped, Overtaken, PublishConflict, note_how_far
from runware_provider.engine.identity import task_uuid
from runware_provider.engine.job.manifest import Sums, manifest_of, stopped_manifest, unpriced
from runware_provider.engine.job.places import note_schemas, warn_of_nothing_answered
from runware_provider.engine.job.prepare import failures_state
from runware_provider.engine.job.still_published import MADE_OF, made_of
from runware_provider.engine.memory.ledger_sums import LedgerSums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runware_provider.engine.dataset.staged_batch import StagedBatch
    from runware_provider.engine.job.manifest import Clock
    from runware_provider.engine.job.opening import OpenedJob
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.staged import Staged
    from runware_provider.engine.memory.lease import Lease
    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.memory.ledger_sums import Of, Totals
    from runware_provider.engine.outcome.rows import Counts
    from runware_provider.engine.storage.stores import Version


class Accounts(Sums, Protocol):
    """Sums, and what nobody could put a price on."""

    def unpriced_tasks(self) -> list[str]:
        """The UUIDs of the tasks whose cost nobody knows."""


@dataclass(frozen=True)
class LedgerAccounts:
    """Those of one ledger."""

    ledger: Ledger
    job_id: bytes
    of_shards: LedgerSums = field(default_factory=LedgerSums)
    """What the ledgers of shards have come to that the place once had."""

    def totals(self, of: Of = "used") -> Totals:
        """See `Ledger.totals`."""
        own = self.ledger.totals(of)
        if of == "all":
            return own + self.of_shards.ever
        # What this very run paid before, for shards.
        return own + self.of_shards.paid if of == "fresh" else own

    def unpriced_tasks(self) -> list[str]:
        """The UUIDs of the tasks whose cost nobody knows."""
        return [task_uuid(self.job_id, key, attempt) for key, attempt in self.ledger.unpriced()]


@dataclass(kw_only=True)
class Publication:
    """What a publish has to know beside the rows."""

    prepared: Prepared
    lease: Lease
    """Of the place, held."""
    published: Mapping[str, Any]
    """The manifest that is replaced; empty for the first one."""
    previous: Version | None
    """The version of `published`."""
    previous_failures: Version | None
    generation: int
    accounts: Accounts
    clock: Callable[[], Clock]
    why_unwanted: Callable[[], Overtaken | None] = lambda: None
    """Looked at directly before the swap."""
    made_of: str | None = None
    """What the rows follow from; None where the next run has to go through them in any case."""
    publish_id: str = field(default_factory=lambda: secrets.token_hex(6))

    @classmethod
    def of(cls, job: OpenedJob) -> Publication:
        """That of a job in one process."""
        follow_from = (
            None if job.rows_are_behind else made_of(job.prepared, job.generation, job.ledger.newest)
        )
        return cls(
            prepared=job.prepared,
            lease=job.lease,
            published=job.published,
            previous=job.previous,
            previous_failures=job.previous_failures,
            generation=job.generation,
            accounts=LedgerAccounts(job.ledger, job.identity.job_id, job.of_shards),
            clock=job.clock,
            publish_id=job.publish_id,
            made_of=follow_from,
        )

    @contextlib.contextmanager
    def says_how_far(self, counts: Counts, *, publishing: bool) -> Iterator[None]:
        """Whatever ends the job inside of this block says that all rows have their outcome, and what they cost.

        Args:
            counts: of all rows.
            publishing: whether the dataset may be half replaced then.
        """
        try:
            yield
        except Exception as error:
            known = stopped_manifest(
                self.prepared,
                self.accounts,
                counts,
                self.clock(),
                error,
                generation=self.generation,
                records=counts.records,
                records_done=counts.records,
                still_at_vendor=0,
            )
            # These are raised before anything of a dataset is touched; but the one of failures comes second.
            refused = isinstance(error, BadInput | JobStopped | PublishConflict)
            untouched = refused and self.prepared.failures_folder is None
            note_how_far(error, {**known, "publishing": publishing and not untouched})
            raise

    def manifest(self, counts: Counts, status: str) -> dict[str, Any]:
        """What a finished run tells."""
        return manifest_of(
            self.prepared, self.accounts, counts, self.clock(), status=status, generation=self.generation
        )


def publish_staged(publication: Publication, staged: Staged) -> dict[str, Any]:
    """Put the staged rows in the place of what was published before; returns the manifest.

    Raises:
        BadInput: another partition brought a schema meanwhile that goes with this one no more.
        Overtaken: another run took over.
        PublishConflict: somebody else published meanwhile.
        StateUnreadable: the state folder cannot be read.
    """
    return _Publishing(publication, staged).publish()


@dataclass
class _Publishing:
    job: Publication
    staged: Staged

    def _unpriced(self) -> dict[str, Any]:
        """The tasks whose cost nobody knows: a few in the manifest, all of them in a file of their own."""
        names = self.job.accounts.unpriced_tasks()
        if not names:
            return unpriced([], None)
        storage = self.job.prepared.storage
        path = storage.join(self.job.prepared.state_folder, "unpriced", f"{self.job.publish_id}.txt")
        storage.create_new(path, "".join(f"{name}\n" for name in names).encode())
        return unpriced(names, path)

    def publish(self) -> dict[str, Any]:
        """Publish both datasets; see `publish_staged`."""
        prepared, staged = self.job.prepared, self.staged
        manifest = self.job.manifest(staged.counts, "published")
        manifest |= self._unpriced()
        if self.job.made_of is not None:
            manifest[MADE_OF] = self.job.made_of
        note_schemas(prepared, self.job.published, self.job.clock().started_at)
        warn_of_nothing_answered(self.job.published, staged.counts.outcomes, prepared.folder)
        if prepared.failures_folder is not None:
            rows = sum(batch.rows for batch in staged.failed_batches)
            manifest["failures"] = {"destination": prepared.failures_folder, "rows": rows}
        published = self._replace(
            prepared.folder, prepared.state_folder, staged.batches, manifest, self.job.previous
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
                staged.failed_batches,
                record,
                self.job.previous_failures,
            )
        return published

    def _replace(
        self,
        folder: str,
        state_folder: str,
        batches: list[StagedBatch],
        manifest: dict[str, Any],
        previous: Version | None,
    ) -> dict[str, Any]:
        self._check_not_overtaken()
        return publish(
            self.job.prepared.storage,
            folder=folder,
            state_folder=state_folder,
            publish_id=self.job.publish_id,
            staged=batches,
            manifest=manifest,
            previous=previous,
            # Who wants answers to be gone after a time wants no copies of them.
            grace_s=GRACE_S if self.job.prepared.spec.memory.retention_days is None else 0,
        )

    def _check_not_overtaken(self) -> None:
        """Another run is at work on what this one left, and publishes it.

        Raises:
            Overtaken: it is so.
        """
        self.job.lease.check_still_mine()
        overtaken = self.job.why_unwanted()
        if overtaken is not None:
            raise overtaken
