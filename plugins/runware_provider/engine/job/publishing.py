"""The third verb: publish what was staged, from whatever process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.publish import publish
from runware_provider.engine.dataset.replaced_parts import GRACE_S
from runware_provider.engine.dataset.schema_text import schema_text
from runware_provider.engine.errors import Overtaken
from runware_provider.engine.identity import task_uuid
from runware_provider.engine.job.manifest import manifest_of, unpriced
from runware_provider.engine.job.prepare import failures_state, note_schemas

if TYPE_CHECKING:
    from runware_provider.engine.dataset.staged_batch import StagedBatch
    from runware_provider.engine.job.opening import OpenedJob
    from runware_provider.engine.job.staged import Staged
    from runware_provider.engine.storage.stores import Version


def manifest_of_run(job: OpenedJob, staged: Staged, status: str) -> dict[str, Any]:
    """What a finished run tells."""
    clock, generation = job.clock(), job.generation
    return manifest_of(job.prepared, job.ledger, staged.counts, clock, status=status, generation=generation)


def publish_staged(job: OpenedJob, staged: Staged) -> dict[str, Any]:
    """Put the staged rows in the place of what was published before; returns the manifest.

    Raises:
        BadInput: another partition brought a schema meanwhile that goes with this one no more.
        Overtaken: another run took over.
        PublishConflict: somebody else published meanwhile.
        StateUnreadable: the state folder cannot be read.
    """
    return _Publishing(job, staged).publish()


@dataclass
class _Publishing:
    job: OpenedJob
    staged: Staged

    def _unpriced(self) -> dict[str, Any]:
        """The tasks whose cost nobody knows: a few in the manifest, all of them in a file of their own."""
        job_id = self.job.identity.job_id
        names = [task_uuid(job_id, key, attempt) for key, attempt in self.job.ledger.unpriced()]
        if not names:
            return unpriced([], None)
        storage = self.job.prepared.storage
        path = storage.join(self.job.prepared.state_folder, "unpriced", f"{self.job.publish_id}.txt")
        storage.create_new(path, "".join(f"{name}\n" for name in names).encode())
        return unpriced(names, path)

    def publish(self) -> dict[str, Any]:
        """Publish both datasets; see `publish_staged`."""
        prepared, staged = self.job.prepared, self.staged
        manifest = manifest_of_run(self.job, staged, "published")
        manifest |= self._unpriced()
        note_schemas(prepared, self.job.published, self.job.started_at)
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
        # Another run is at work on what this one left, and publishes it.
        if self.job.lease.lost:
            raise Overtaken(
                "this process was silent for so long that another run took over; nothing was published"
            )
        return publish(
            self.job.prepared.storage,
            folder=folder,
            state_folder=state_folder,
            publish_id=self.job.publish_id,
            staged=batches,
            manifest=manifest,
            previous=previous,
            # Who wants answers to be gone after a time wants no copies of them.
            grace_s=GRACE_S if self.job.prepared.spec.retention_days is None else 0,
        )
