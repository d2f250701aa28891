"""Which batches make up which part of a dataset: of a size that query engines want. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runware_provider.engine.dataset.staged_batch import StagedBatch

PART_BYTES = 100_000_000
"""A part takes batches until they come to this, as they are staged; Parquet makes a little less of the same rows."""


@dataclass(frozen=True)
class Part:
    """A part that is to be."""

    number: int
    batches: tuple[StagedBatch, ...]

    @property
    def rows(self) -> int:
        """Of all its batches."""
        return sum(batch.rows for batch in self.batches)

    @property
    def content(self) -> str:
        """The same, in hex, for parts of the same batches, wherever these are staged."""
        digests = "".join(batch.sha256 for batch in self.batches)
        return hashlib.sha256(digests.encode()).hexdigest()


def parts_of(batches: Iterable[StagedBatch], part_bytes: int = PART_BYTES) -> list[Part]:
    """Cut batches into parts, from the front: batches that are added at the end move no earlier cut.

    Args:
        batches: in the order of their rows.
        part_bytes: a part ends with the batch that reaches this.
    """
    parts: list[Part] = []
    gathered: list[StagedBatch] = []
    size = 0
    for batch in batches:
        gathered.append(batch)
        size += batch.bytes
        if size >= part_bytes:
            parts.append(Part(len(parts), tuple(gathered)))
            gathered, size = [], 0
    if gathered:
        parts.append(Part(len(parts), tuple(gathered)))
    return parts
