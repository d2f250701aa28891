"""Where the approval of a run is kept, beside its answers: in the run's record, so that a retry does not ask again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.endings import remedy_of, what_happened
from runware_provider.engine.job.run_record import RunRecord
from runware_provider.engine.shown_urls import without_password
from runware_provider.object_stores import airflow_stores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.errors import JobStopped
    from runware_provider.engine.job.run_record import Approval, State
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Storage


@dataclass(frozen=True)
class KeptApproval:
    """The record of a run in the state folder of its place, and the samples that lie beside it.

    Args:
        storage: where the state folder lies.
        folder: the state folder of the place; of a shard, too.
        spec: the job.
    """

    storage: Storage
    folder: str
    spec: Spec

    @classmethod
    def of(cls, spec: Spec) -> KeptApproval:
        """Of a job; nothing is read yet.

        Raises:
            BadInput: the state folder does not lie in the destination's store.
        """
        from runware_provider.engine.dataset.destination import dataset_folder  # noqa: PLC0415 - heavy: pyarrow

        stores = airflow_stores()
        storage = stores.open(spec.destination, field="destination")
        stores.open_beside(storage, spec.state_folder, field="memory.state")
        return cls(storage, dataset_folder(storage, spec.state_folder, spec.partition), spec)

    def of_shard(self, shard: int) -> KeptApproval:
        """The same of one shard of the place, which has a record of its own."""
        from runware_provider.engine.job.split_record import shard_folder  # noqa: PLC0415 - heavy

        return replace(self, folder=shard_folder(self.storage, self.folder, shard))

    @property
    def run(self) -> str:
        """The name of the run."""
        return self.spec.run or ""

    def read(self) -> Approval | None:
        """What was decided in this run; None where nobody knows, so that somebody has to be asked.

        Raises:
            OSError: the store failed.
        """
        record = self._record()
        return None if record is None else record.approval

    def write(self, approval: Approval, state: State, *, rows: int | None = None, reason: str = "") -> None:
        """Keep what was decided, or what waits.

        Args:
            approval: of the run.
            state: of the run.
            rows: that it is about; None where that is noted already.
            reason: why it ends, if it does.

        Raises:
            OSError: the store failed.
        """
        now = self._now()
        before = self._record()
        if before is None:
            before = self._begun(now, rows or 0)
        record = replace(
            before,
            state=state,
            at=now,
            approval=approval,
            reason=reason,
            remedy="",
            # Samples are paid for, whatever is decided then.
            paid_usd=max(before.paid_usd, approval.spent_usd),
        )
        self._write(record if rows is None else replace(record, rows=rows))

    def write_stop(self, error: JobStopped) -> None:
        """Keep why the run stopped, in the words of the log.

        Args:
            error: with which it stopped.

        Raises:
            OSError: the store failed.
        """
        now = self._now()
        before = self._record() or self._begun(now, 0)
        reason, remedy = what_happened(error), remedy_of(error)
        self._write(replace(before, state="stopped", at=now, reason=reason, remedy=remedy))

    def asks(self) -> str:
        """What the questions hash to: the source, and all that the model is asked with.

        Raises:
            BadInput: the job cannot ask so.
        """
        from runware_provider.engine.job.asked_for import asked_for_by  # noqa: PLC0415 - heavy: Jinja
        from runware_provider.engine.job.request_digests import digest_of, request_digests  # noqa: PLC0415

        digests = request_digests(self.spec, asked_for_by(self.spec).sent)
        return digest_of([without_password(self.spec.source), sorted(digests.items())])

    @staticmethod
    def _now() -> str:
        """In UTC."""
        return datetime.now(UTC).isoformat(timespec="milliseconds")

    def _write(self, record: RunRecord) -> None:
        from runware_provider.engine.job.run_records import write_record  # noqa: PLC0415 - heavy

        self.storage.keep_private(self.spec.state_folder)
        write_record(self.storage, self.folder, record)

    def _begun(self, now: str, rows: int) -> RunRecord:
        return RunRecord(
            run=self.run,
            state="planned",
            started_at=now,
            at=now,
            source=without_password(self.spec.source),
            destination=without_password(self.spec.destination),
            model=self.spec.model,
            rows=rows,
            rows_done=0,
        )

    def keep_samples(self, shown: Mapping[str, Any]) -> int:
        """Keep what a preview showed, for the page; returns how many answers that is.

        Raises:
            OSError: the store failed.
        """
        from runware_provider.engine.job.sample_answers import write_samples  # noqa: PLC0415 - heavy

        rows = shown["first_rows"]
        write_samples(self.storage, self.folder, self.run, inputs=shown["first_inputs"], rows=rows)
        return len(rows)

    def remove_samples(self) -> None:
        """Nobody has to look at them any more.

        Raises:
            OSError: the store failed.
        """
        from runware_provider.engine.job.sample_answers import remove_samples  # noqa: PLC0415 - heavy

        remove_samples(self.storage, self.folder, self.run)

    def is_in_shards(self) -> bool:
        """Whether the place is cut into shards, so that a few records cannot be asked beside them.

        Raises:
            StateUnreadable: the split is damaged, or of a newer format.
            OSError: the store failed.
        """
        from runware_provider.engine.job.split_record import present_split  # noqa: PLC0415 - heavy

        split = present_split(self.storage, self.folder)
        return split is not None and split.state != "left"

    def _record(self) -> RunRecord | None:
        from runware_provider.engine.job.run_records import read_record  # noqa: PLC0415 - heavy

        try:
            return read_record(self.storage, self.folder, self.run)
        # One that nobody can read says nothing: asked is asked once more, and nothing is paid unasked.
        except StateUnreadable:
            return None
