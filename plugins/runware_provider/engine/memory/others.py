"""What other processes write to the tail of a ledger while this one has it open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.identity import Key
from runware_provider.engine.memory import segments
from runware_provider.engine.memory.segment_catalogue import numbered_name, read_base
from runware_provider.engine.memory.segments import SegmentGone

if TYPE_CHECKING:
    from collections.abc import Container

    from runware_provider.engine.storage.stores import Storage, Version

_ATTEMPT = ["fingerprint", "sample", "generation", "attempt"]


@dataclass
class Others:
    """Reads them as far as they are asked for.

    Args:
        storage: where the ledger lies.
        folder: the ledger's.
        through: number of the last segment that was there before.
    """

    storage: Storage
    folder: str
    through: int
    attempts: set[tuple[Key, int]] = field(default_factory=set, repr=False)
    """What they wrote of, whatever they said of it."""

    def read(self, version: Version | None, own: Container[int | None]) -> None:
        """Read what has come since the last time.

        Args:
            version: of `base.json` when the ledger was opened.
            own: numbers of this process's segments.

        Raises:
            StateUnreadable: a segment cannot be read, or somebody rewrote the ledger.
        """
        if read_base(self.storage, self.folder)[1] != version:
            raise StateUnreadable(f"{self.folder} was rewritten by another process")
        while self._read_next(own):
            self.through += 1

    def _read_next(self, own: Container[int | None]) -> bool:
        """Whether there was a next segment."""
        number = self.through + 1
        if number in own:
            return True
        path = self.storage.join(self.folder, numbered_name(number))
        try:
            table = segments.columns(self.storage, path, _ATTEMPT)
        except SegmentGone:
            return False
        for row in table.to_pylist():
            key = Key(row["fingerprint"], row["sample"], row["generation"])
            self.attempts.add((key, row["attempt"]))
        return True
