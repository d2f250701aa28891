"""What lies between asking and publishing: rows that wait in the state folder, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.dataset.staging import remove_batches

if TYPE_CHECKING:
    from runware_provider.engine.dataset.staged_batch import StagedBatch
    from runware_provider.engine.outcome.rows import Counts
    from runware_provider.engine.storage.stores import Storage


@dataclass(frozen=True)
class Staged:
    """The rows of a job, each with its outcome, where a publish finds them."""

    batches: list[StagedBatch]
    """In the order of their rows."""
    failed_batches: list[StagedBatch]
    """Of the dataset of failures."""
    counts: Counts
    first_rows: list[dict[str, Any]] = field(default_factory=list, repr=False)
    """The results and `inference` of a few rows, for a preview."""
    first_inputs: list[dict[str, Any]] = field(default_factory=list, repr=False)
    """The columns of the input that the output keeps, of the same rows."""
    priced: list[tuple[int, float]] = field(default_factory=list, repr=False)
    """Of some answers with a reported cost: estimated prompt tokens and USD."""

    def discard(self, storage: Storage) -> None:
        """Remove what is staged."""
        remove_batches(storage, [*self.batches, *self.failed_batches])
