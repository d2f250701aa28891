"""What whoever publishes has to know of a batch that waits in a state folder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StagedBatch:
    """A finished batch that waits in the state folder; all of its fields are JSON values."""

    number: int
    """The batch's place among the others of its stage."""
    path: str
    """Of the file that holds it, perhaps beside others."""
    start: int
    """Its first byte in the file."""
    bytes: int
    rows: int
    sha256: str
    """Of these bytes, in hex. Two batches with the same rows have the same, as long as Arrow compresses as it does."""
