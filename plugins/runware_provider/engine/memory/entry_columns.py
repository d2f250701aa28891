"""Entries of the ledger as sorted columns: 59 bytes each, of which an attempt is found by bisection.

A run of columns is sorted by fingerprint, then by sample, generation, attempt and whether it is a copy, and holds each
attempt once. Of two entries of one attempt the higher kind holds; of two of the same kind, the one that says more, cost
first. So the order in which entries come means nothing. A copy of another partition's answer is an attempt beside the
own one of the same number: it has another UUID, and is on another bill.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from runware_provider.engine.api.error_families import MAYBE_RUN
from runware_provider.engine.attempt import FORGOTTEN
from runware_provider.engine.identity import FINGERPRINT_BYTES
from runware_provider.engine.spending.picodollars import pico

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.identity import Key

UNKNOWN: Final = -1
"""A cost or a number of tokens that was not reported."""
MOST_TOKENS: Final = 2**31 - 1
"""No answer has more; a larger number is taken for this one."""
NO_FAMILY: Final = ""
_ATTEMPT_BITS, _GENERATION_BITS, _SAMPLE_BITS = 16, 24, 16
_COPIED: Final = np.uint64(1)
_WAS_RANK: Final = {"answered": 4, "error": 3, "lost": 3, "spent": 2}
"""What a forgotten attempt was weighs as its kind did; anything else weighs 1."""


@dataclass(frozen=True, eq=False, slots=True)
class EntryColumns:
    """Entries, a place in each array for each of them."""

    high: NDArray[np.uint64]
    """The first half of the fingerprint, most significant byte first."""
    low: NDArray[np.uint64]
    """The second half."""
    slot: NDArray[np.uint64]
    """Sample, generation, attempt and whether it is a copy, packed so that they sort in this order."""
    kind: NDArray[np.uint8]
    family: NDArray[np.uint16]
    """Numbers of `Words`."""
    was: NDArray[np.uint16]
    """What a forgotten attempt was, as a number of `Words`; that of the empty word for all others."""
    cost: NDArray[np.int64]
    """Pico-USD, or `UNKNOWN`."""
    prompt_tokens: NDArray[np.int32]
    cached_tokens: NDArray[np.int32]
    completion_tokens: NDArray[np.int32]
    segment: NDArray[np.uint32]
    """Place of the segment in the ledger's list."""
    row: NDArray[np.uint32]
    """In that segment."""
    fresh: NDArray[np.bool_]
    """Whether this run added it."""
    used: NDArray[np.bool_]
    """Whether the dataset shows the inference."""

    def __len__(self) -> int:
        return len(self.high)

    def take(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> EntryColumns:
        """Return the entries at these places, or those of which a mask is true."""
        return EntryColumns(*(getattr(self, column.name)[places] for column in fields(self)))

    def sample(self) -> NDArray[np.int64]:
        """Return the samples, counted from 0."""
        return (self.slot >> np.uint64(_GENERATION_BITS + _ATTEMPT_BITS + 1)).astype(np.int64)

    def generation(self) -> NDArray[np.int64]:
        """Return the generations."""
        return ((self.slot >> np.uint64(_ATTEMPT_BITS + 1)) & np.uint64(2**_GENERATION_BITS - 1)).astype(
            np.int64
        )

    def attempt(self) -> NDArray[np.int64]:
        """Return the attempts' numbers, counted from 1."""
        return ((self.slot >> np.uint64(1)) & np.uint64(2**_ATTEMPT_BITS - 1)).astype(np.int64)

    def copied(self) -> NDArray[np.bool_]:
        """Return whether they are copies of other partitions' attempts."""
        return (self.slot & _COPIED).astype(bool)

    def inference(self) -> NDArray[np.uint64]:
        """Return `slot` without the attempt: alike for all attempts of one inference."""
        return self.slot >> np.uint64(_ATTEMPT_BITS + 1)

    def fingerprints(self) -> list[bytes]:
        """Return the fingerprints, 16 bytes each."""
        halves = np.stack([self.high, self.low], axis=1).astype(">u8")
        whole = halves.tobytes()
        return [whole[start : start + FINGERPRINT_BYTES] for start in range(0, len(whole), FINGERPRINT_BYTES)]


class Words:
    """Numbers for the few words that entries have: families, and what forgotten attempts were."""

    def __init__(self) -> None:
        self.words: list[str] = [NO_FAMILY]
        self._numbers = {NO_FAMILY: 0}

    def number(self, word: str | None) -> int:
        """Return the number of a word; that of the empty word for None."""
        known = self._numbers.setdefault(word or NO_FAMILY, len(self.words))
        if known == len(self.words):
            self.words.append(word or NO_FAMILY)
        return known

    def told(self, numbers: NDArray[np.uint16]) -> list[str | None]:
        """Return the words behind numbers; None for the empty one."""
        return [self.words[number] or None for number in numbers.tolist()]


def slots_of(
    sample: NDArray[np.int64],
    generation: NDArray[np.int64],
    attempt: NDArray[np.int64],
    copied: NDArray[np.bool_],
) -> NDArray[np.uint64]:
    """Pack what tells the attempts of one fingerprint apart.

    Raises:
        ValueError: a number is too large to be one of ours.
    """
    for numbers, bits in ((sample, _SAMPLE_BITS), (generation, _GENERATION_BITS), (attempt, _ATTEMPT_BITS)):
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= 2**bits):
            raise ValueError("a sample, generation or attempt is out of range")
    packed = sample.astype(np.uint64) << np.uint64(_GENERATION_BITS)
    packed = (packed | generation.astype(np.uint64)) << np.uint64(_ATTEMPT_BITS)
    return ((packed | attempt.astype(np.uint64)) << np.uint64(1)) | copied.astype(np.uint64)


def inferences_of(keys: Sequence[Key]) -> NDArray[np.uint64]:
    """Return what `EntryColumns.inference` says of entries of these keys."""
    return np.array([(key.sample << _GENERATION_BITS) | key.generation for key in keys], np.uint64)


def halves_of(fingerprints: bytes | memoryview | pa.Buffer) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the halves of fingerprints that stand in a row, 16 bytes each."""
    halves = np.frombuffer(fingerprints, dtype=">u8").reshape(-1, 2).astype(np.uint64)
    return halves[:, 0].copy(), halves[:, 1].copy()


def of_entries(
    entries: Sequence[Entry],
    places: Sequence[tuple[int, int]],
    words: Words,
    *,
    copied: Sequence[bool],
    fresh: Sequence[bool],
) -> EntryColumns:
    """Return entries that are at hand.

    Args:
        entries: the entries.
        places: of each, its segment and its row there.
        words: gets the words that are new.
        copied: of each, whether it is a copy of another partition's attempt.
        fresh: of each, whether this run added it.
    """
    high, low = halves_of(b"".join(entry.key.fingerprint for entry in entries))
    numbers = np.array(
        [(entry.key.sample, entry.key.generation, entry.attempt) for entry in entries], np.int64
    ).reshape(-1, 3)
    at = np.array(places, np.uint32).reshape(-1, 2)
    was = [entry.code if entry.family == FORGOTTEN else None for entry in entries]
    return EntryColumns(
        high=high,
        low=low,
        slot=slots_of(numbers[:, 0], numbers[:, 1], numbers[:, 2], np.array(copied, bool)),
        kind=np.array([int(entry.kind) for entry in entries], np.uint8),
        family=np.array([words.number(entry.family) for entry in entries], np.uint16),
        was=np.array([words.number(word) for word in was], np.uint16),
        cost=_or_unknown([pico(entry.cost) for entry in entries]),
        prompt_tokens=tokens(_or_unknown([entry.prompt_tokens for entry in entries])),
        cached_tokens=tokens(_or_unknown([entry.cached_tokens for entry in entries])),
        completion_tokens=tokens(_or_unknown([entry.completion_tokens for entry in entries])),
        segment=at[:, 0],
        row=at[:, 1],
        fresh=np.array(fresh, bool),
        used=np.zeros(len(entries), bool),
    )


def _or_unknown(values: Sequence[int | None]) -> NDArray[np.int64]:
    """What the API reported, or UNKNOWN where it did not."""
    return np.array([UNKNOWN if value is None else value for value in values], np.int64)


def merged(runs: Sequence[EntryColumns], words: Words) -> EntryColumns:
    """Return all entries of some columns as one sorted run, each attempt once.

    Args:
        runs: at least one; of two entries that say the same, that of the earlier run stays.
        words: of all of them.
    """
    order = _order(runs)
    again = _is_again(runs, order)
    starts = np.flatnonzero(~again)
    standing = np.append(starts[1:], len(order)) - 1
    kind = _column(runs, "kind")[order]
    tied = again[standing] & (kind[standing] == kind[standing - 1])
    for group in np.flatnonzero(tied):
        start, end = int(starts[group]), int(standing[group])
        highest = start + np.flatnonzero(kind[start : end + 1] == kind[end])
        standing[group] = highest[_says_most(_gathered(runs, order[highest]), words)]
    used = np.logical_or.reduceat(_column(runs, "used")[order], starts) if len(order) else np.zeros(0, bool)
    return replace(_gathered(runs, order[standing]), used=used)


def _column(runs: Sequence[EntryColumns], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(run, name) for run in runs])


def _gathered(runs: Sequence[EntryColumns], places: NDArray[np.intp]) -> EntryColumns:
    """The entries at places that go on from run to run; column by column, so that little is there twice."""
    return EntryColumns(*(_column(runs, column.name)[places] for column in fields(EntryColumns)))


def _order(runs: Sequence[EntryColumns]) -> NDArray[np.intp]:
    """The order of one run of all, and for the entries of one attempt that of their kinds."""
    high = _column(runs, "high")
    order = np.argsort(high, kind="stable")
    sorted_high = high[order]
    if not (sorted_high[1:] == sorted_high[:-1]).any():
        return order
    return np.lexsort((_column(runs, "kind"), _column(runs, "slot"), _column(runs, "low"), high))


def _is_again(runs: Sequence[EntryColumns], order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Whether each entry, in order, is about the attempt of the one before it."""
    again = np.ones(len(order), bool)
    for name in ("high", "low", "slot"):
        column = _column(runs, name)[order]
        again[1:] &= column[1:] == column[:-1]
    again[:1] = False
    return again


def _says_most(entries: EntryColumns, words: Words) -> int:
    """Which of some entries of one kind stands for their attempt: of those that say the same, the first."""
    return max(range(len(entries)), key=lambda place: (_says(entries, place, words), -place))


def _says(columns: EntryColumns, place: int, words: Words) -> tuple[int, int, int, int, int, bool, str]:
    """How much an entry says: what a forgotten attempt was first, the family last.

    The family only makes the choice the same everywhere.
    """
    was = words.words[int(columns.was[place])]
    family = words.words[int(columns.family[place])]
    return (
        _WAS_RANK.get(was, 1),
        int(columns.cost[place]),
        int(columns.completion_tokens[place]),
        int(columns.prompt_tokens[place]),
        int(columns.cached_tokens[place]),
        was == "lost" or family in MAYBE_RUN,
        family,
    )


def tokens(numbers: NDArray[np.int64]) -> NDArray[np.int32]:
    return np.minimum(numbers, MOST_TOKENS).astype(np.int32)
