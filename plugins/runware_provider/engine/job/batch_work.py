"""A batch while it is worked on: what each of its records asked, what is still awaited, what came of the rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    import pyarrow as pa

    from runware_provider.engine.dataset.batches import Batch
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.question import Request
    from runware_provider.engine.outcome.rows import Judgement

RECORDS_AT_ONCE = 200


@dataclass
class BatchWork:
    """One batch in memory."""

    batch: Batch
    kept: pa.Table = field(repr=False)
    """The input's columns that the output keeps, of the records that were chosen."""
    counted: bool = False
    """Whether its rows were counted when it was in memory before."""
    slots: list[list[Key | Skip]] = field(default_factory=list, repr=False)
    """For each chosen record and sample what it asked, or why it did not."""
    awaited: Counter[Key] = field(default_factory=Counter, repr=False)
    """What has no last word yet, and how many rows wait for it."""
    judged: dict[Key, Judgement] = field(default_factory=dict, repr=False)
    """Last words, read."""
    loaded: bool = False
    staging: bool = False
    staged: bool = False
    _shown_instead: dict[Key, Key] = field(default_factory=dict, repr=False)
    """Of questions that were to be asked anew and are not: the same, as it was answered before."""
    _asked: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16), repr=False)

    @property
    def complete(self) -> bool:
        """Whether every row's outcome is known."""
        return self.loaded and not self.awaited

    @property
    def asked(self) -> bytes:
        """16 bytes that tell whether the same records asked the same."""
        return bytes(self._asked.digest())

    def ask(self, samples: Sequence[Request | Skip]) -> None:
        """Note what one more record asks."""
        for request in samples:
            self._asked.update(request.code.encode() if isinstance(request, Skip) else request.fingerprint)

    @property
    def used(self) -> list[Key]:
        """The questions whose last words its rows show."""
        return [self._shown_instead.get(key, key) for key in self.judged]

    def rows_of(self, keys: Container[Key]) -> Counter[Key]:
        """How many rows asked each of these."""
        return Counter(
            slot for slots in self.slots for slot in slots if slot in keys and not isinstance(slot, Skip)
        )

    def replace(self, others: Mapping[Key, Key]) -> None:
        """Have the rows that asked one question ask another."""
        if others:
            self.slots = [
                [slot if isinstance(slot, Skip) else others.get(slot, slot) for slot in slots]
                for slots in self.slots
            ]

    def settle(self, key: Key, judgement: Judgement) -> int:
        """Note a last word; returns how many rows waited for it."""
        self.judged[key] = judgement
        return self.awaited.pop(key, 0)

    def fall_back(self, key: Key, other: Key, judgement: Judgement) -> int:
        """Have the rows that wait for a question show the last word on another one; returns how many rows those are."""
        self._shown_instead[key] = other
        return self.settle(key, judgement)

    def records_done(self) -> int:
        """Records of which every sample has its last word, or needs none."""
        return sum(not any(slot in self.awaited for slot in slots) for slots in self.slots)

    def let_go(self) -> LetGo:
        """What has to be remembered of it once its rows and answers are dropped."""
        return LetGo(self.batch, self.kept.num_rows, self.asked, self.awaited)

    def put_off(self, perhaps_failed: int) -> LetGo:
        """What has to be remembered of it where nothing of it was looked at yet: nothing is awaited, and no row counted."""
        return LetGo(self.batch, self.kept.num_rows, self.asked, Counter(), perhaps_failed)


@dataclass
class LetGo:
    """A batch that waited for stragglers and made room, or was put off; it is read and rendered once more later."""

    batch: Batch
    records: int
    """Its chosen records."""
    asked: bytes
    """What they asked: `BatchWork.asked`."""
    awaited: Counter[Key] = field(repr=False)
    """What had no last word when it was let go, and has none yet, with the number of rows that wait for it."""
    perhaps_failed: int = 0
    """Of one that was put off: rows of which only a reading of their answers tells whether they failed."""

    def settle(self, key: Key, judgement: Judgement) -> int:  # noqa: ARG002 - its rows are made of it in the second pass
        """Note that a last word is there; returns how many rows waited for it."""
        return self.awaited.pop(key, 0)

    def fall_back(self, key: Key, other: Key, judgement: Judgement) -> int:  # noqa: ARG002 - see `settle`
        """Note that no last word will come, and an earlier one counts; returns how many rows waited for it."""
        return self.awaited.pop(key, 0)

    def records_done(self) -> int:
        """Records that wait for nothing; fewer where a record has several samples."""
        return max(0, self.records - sum(self.awaited.values()))


def records_of(table: pa.Table, columns: Sequence[str]) -> Iterator[list[dict[str, Any] | Skip]]:
    """The rows of a table as Python values, some at a time; columns that nothing names stay untouched.

    A row with a value that Python cannot hold (text that is no UTF-8, a date after the year 9999) is skipped.
    """
    chosen = table.select(list(columns))
    for start in range(0, table.num_rows, RECORDS_AT_ONCE):
        piece = chosen.slice(start, RECORDS_AT_ONCE)
        if columns:
            yield _values(piece)
        else:
            yield [{} for _ in range(min(RECORDS_AT_ONCE, table.num_rows - start))]


def _values(piece: pa.Table) -> list[dict[str, Any] | Skip]:
    try:
        return list(piece.to_pylist())
    except (ValueError, OverflowError):
        return [_value(piece.slice(row, 1)) for row in range(piece.num_rows)]


def _value(row: pa.Table) -> dict[str, Any] | Skip:
    held: dict[str, Any] = {}
    for name in row.column_names:
        try:
            held[name] = row.column(name)[0].as_py()
        except (ValueError, OverflowError) as error:
            kind = type(error).__name__
            return Skip("prompt_error", f"column {name!r} holds a value that cannot be read ({kind})")
    return held
