"""What the ledger says, merged by rank and looked up fast: some sorted runs of columns.

A new run is merged with the one before it until each is less than half as long as the one before, so that there are
few, and an entry is moved a few times only. Sums are made over all of them at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from runware_provider.engine.attempt import Attempt, History, Kind
from runware_provider.engine.memory import entry_columns, ledger_sums
from runware_provider.engine.memory.entry_columns import EntryColumns, Words, halves_of, inferences_of
from runware_provider.engine.spending.picodollars import PICO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from runware_provider.engine.attempt import Entry
    from runware_provider.engine.identity import Key
    from runware_provider.engine.memory.ledger_sums import Of, Statistics, Totals

ANY_GENERATION = 1 << 62
UNSORTED_ENTRIES = 250_000
"""Entries that are sorted together while a ledger is opened."""
_KIND_OF = {int(kind): kind for kind in Kind}
"""Looked up several times faster than `Kind` makes it."""


class _Known(NamedTuple):
    """One attempt as a run has it."""

    generation: int
    number: int
    copied: bool
    kind: int
    family: int
    segment: int
    row: int
    cost: int
    """Pico-USD, or `UNKNOWN`."""
    fresh: bool


class LedgerIndex:
    """Not thread-safe."""

    def __init__(self) -> None:
        self._words = Words()
        self._runs: list[EntryColumns] = []
        """The oldest and longest first."""
        self._unsorted: list[EntryColumns] = []
        self._unsorted_entries = 0
        self._seen = _Seen()

    def clear(self) -> None:
        """Forget everything that was added."""
        self._runs.clear()
        self._forget_unsorted()

    def add_table(self, table: pa.Table, segment: int, run: str | None) -> None:
        """Add all rows of a segment.

        Args:
            table: its index columns.
            segment: its place in the ledger's list.
            run: the run whose entries are fresh.

        Raises:
            ValueError: a number in it cannot be one of ours.
        """
        from runware_provider.engine.memory.entry_tables import of_table  # noqa: PLC0415 - heavy; a new ledger has none

        self._add(of_table(table, segment, run, self._words))

    def add(
        self,
        entries: Sequence[Entry],
        places: Sequence[tuple[int, int]],
        *,
        copied: Sequence[bool],
        fresh: Sequence[bool],
    ) -> None:
        """Add entries; the arguments are those of `entry_columns.of_entries`."""
        if entries:
            self._add(entry_columns.of_entries(entries, places, self._words, copied=copied, fresh=fresh))

    def _add(self, columns: EntryColumns) -> None:
        self._unsorted.append(columns)
        self._unsorted_entries += len(columns)
        if self._unsorted_entries >= UNSORTED_ENTRIES:
            self._sort()

    def _forget_unsorted(self) -> None:
        self._unsorted.clear()
        self._unsorted_entries = 0

    def _sort(self) -> list[EntryColumns]:
        """The runs, with what was added among them."""
        if self._unsorted:
            self._runs.append(entry_columns.merged(self._unsorted, self._words))
            self._forget_unsorted()
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            newer, older = self._runs.pop(), self._runs.pop()
            self._runs.append(entry_columns.merged([older, newer], self._words))
        return self._runs

    def _whole(self) -> EntryColumns | None:
        """Everything as one run; None where there is nothing."""
        runs = self._sort()
        if len(runs) > 1:
            self._runs = [entry_columns.merged(runs, self._words)]
        return self._runs[0] if self._runs else None

    # one inference, or some

    def histories(
        self, asked: Sequence[tuple[bytes, int]], at_least: int, below: int | None = None
    ) -> list[History | None]:
        """For each fingerprint and sample the attempts of its newest generation.

        Args:
            asked: fingerprints and samples.
            at_least: older generations do not count.
            below: nor does this one, nor a newer one.
        """
        attempts: list[list[_Known]] = [[] for _ in asked]
        high, low = halves_of(b"".join(fingerprint for fingerprint, _ in asked))
        samples = np.array([sample for _, sample in asked], np.int64)
        for run in self._sort():
            of, places = _matches(run, high, low)
            known = run.take(places)
            generations = known.generation()
            chosen = (known.sample() == samples[of]) & (generations >= at_least)
            chosen &= generations < (ANY_GENERATION if below is None else below)
            for asked_place, one in zip(of[chosen].tolist(), _told(known, chosen), strict=True):
                attempts[asked_place].append(one)
        return [self._history(some) for some in attempts]

    def answered_once(self, asked: Sequence[tuple[bytes, int]], at_least: int) -> list[bool]:
        """For each fingerprint and sample, whether one answer is all that is known of it, in this generation or a newer one.

        True of nearly everything in a ledger, and told without making a history of each; where it is false, only the
        history tells.
        """
        entries, answers = np.zeros(len(asked), np.int64), np.zeros(len(asked), np.int64)
        high, low = halves_of(b"".join(fingerprint for fingerprint, _ in asked))
        samples = np.array([sample for _, sample in asked], np.int64)
        for run in self._sort():
            of, places = _matches(run, high, low)
            known = run.take(places)
            own = known.sample() == samples[of]
            np.add.at(entries, of[own], 1)
            np.add.at(answers, of[own & (known.kind == Kind.ANSWERED) & (known.generation() >= at_least)], 1)
        once: list[bool] = ((entries == 1) & (answers == 1)).tolist()
        return once

    def _history(self, known: list[_Known]) -> History | None:
        if not known:
            return None
        if len(known) > 1:
            known = _counting(self._each_once(known))
        words = self._words.words
        return History(
            known[0].generation,
            tuple(
                Attempt(
                    one.number,
                    _KIND_OF[one.kind],
                    words[one.family] or None,
                    one.segment,
                    one.row,
                    None if one.cost == entry_columns.UNKNOWN else one.cost / PICO,
                    one.fresh and not one.copied,
                )
                for one in known
            ),
        )

    def _each_once(self, known: list[_Known]) -> list[_Known]:
        """Of an attempt that several runs have, the entry that holds."""
        by_attempt: dict[tuple[int, int, bool], _Known] = {}
        for one in known:
            at = (one.generation, one.number, one.copied)
            other = by_attempt.get(at)
            if other is None or one.kind > other.kind:
                by_attempt[at] = one
            elif one.kind == other.kind:
                by_attempt[at] = self._says_more(other, one)
        return list(by_attempt.values())

    def _says_more(self, older: _Known, newer: _Known) -> _Known:
        """Which of two entries of one kind stands for their attempt; rare, so everything is merged to tell."""
        whole = self._whole()
        assert whole is not None  # noqa: S101 - both are in it
        is_older = (whole.segment == older.segment) & (whole.row == older.row)
        return older if is_older.any() else newer

    def mark_used(self, keys: Iterable[Key]) -> None:
        """Count these inferences into the totals of the dataset."""
        listed = list(keys)
        for run in self._sort():
            run.used[self._places(run, listed)] = True

    def _places(self, run: EntryColumns, keys: Sequence[Key]) -> NDArray[np.intp]:
        """Where all attempts of some inferences stand in a run."""
        high, low = halves_of(b"".join(key.fingerprint for key in keys))
        of, places = _matches(run, high, low)
        wanted = inferences_of(keys)
        return np.asarray(places[run.inference()[places] == wanted[of]], np.intp)

    def is_used(self, key: Key) -> bool:
        """Whether this inference was marked."""
        return any(bool(run.used[self._places(run, [key])].any()) for run in self._sort())

    def has_copies(self, attempts: Sequence[tuple[Key, int]]) -> list[bool]:
        """Of some attempts, whether a copy of another ledger's that has ended is here."""
        if not attempts:
            return []
        high, low = halves_of(b"".join(key.fingerprint for key, _ in attempts))
        numbers = np.array([(key.sample, key.generation, attempt) for key, attempt in attempts], np.int64)
        copies = np.ones(len(attempts), bool)
        slots = entry_columns.slots_of(numbers[:, 0], numbers[:, 1], numbers[:, 2], copies)
        there = np.zeros(len(attempts), bool)
        for run in self._sort():
            of, places = _matches(run, high, low)
            same = (run.slot[places] == slots[of]) & (run.kind[places] >= Kind.SPENT)
            there[of[same]] = True
        found: list[bool] = there.tolist()
        return found

    def first_seen(self, keys: Sequence[Key]) -> list[bool]:
        """Whether each is asked for the first time since the index was made."""
        return self._seen.first([(key.fingerprint, key.sample) for key in keys])

    # sums

    def totals(self, of: Of) -> Totals:
        """Sums over what is used, what is fresh, or everything."""
        return ledger_sums.totals(self._whole(), of, self._words)

    def unpriced(self, of: Of) -> list[tuple[Key, int]]:
        """Attempts without a reported cost that were or may have been billed, in order."""
        return ledger_sums.unpriced(self._whole(), of, self._words)

    def given_up(self) -> list[tuple[Key, int]]:
        """See `LedgerReading.given_up`."""
        return ledger_sums.given_up(self._whole(), self._words)

    def unsettled(self, of: Literal["fresh", "all"]) -> list[tuple[Key, int]]:
        """Attempts that may have been sent, and of which nothing is known since, in order."""
        return ledger_sums.unsettled(self._whole(), of)

    def places_in_doubt(self) -> list[tuple[tuple[Key, int], int, int]]:
        """`unsettled`, and of each attempt the segment and the row of the entry that says so."""
        return ledger_sums.places_in_doubt(self._whole())

    def unpriced_tokens(self, of: Of) -> list[tuple[int | None, int | None]]:
        """Tokens of the prompts and answers of attempts that may be charged at a cost that was not reported.

        Unlike those that are `unpriced`, they may well be charged: what was refused and never run is not among them.
        """
        return ledger_sums.unpriced_tokens(self._whole(), of, self._words)

    def statistics(self) -> Statistics:
        """Means and deviations of the answers."""
        return ledger_sums.statistics(self._whole())

    def rows_of(self, segment: int) -> list[int]:
        """The rows of a segment that hold, in order: no other entry overrules them."""
        whole = self._whole()
        if whole is None:
            return []
        return sorted(whole.row[whole.segment == segment].tolist())


def _matches(
    run: EntryColumns, high: NDArray[np.uint64], low: NDArray[np.uint64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which of some fingerprints a run has: pairs of a place among those that are asked for and one in the run."""
    first = np.searchsorted(run.high, high, "left")
    counts = np.searchsorted(run.high, high, "right") - first
    of = np.repeat(np.arange(len(high)), counts)
    behind_first = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.repeat(first, counts) + behind_first
    same = run.low[places] == low[of]
    return of[same], places[same]


def _told(entries: EntryColumns, chosen: NDArray[np.bool_]) -> Iterable[_Known]:
    columns = (
        entries.generation(),
        entries.attempt(),
        entries.copied(),
        entries.kind,
        entries.family,
        entries.segment,
        entries.row,
        entries.cost,
        entries.fresh,
    )
    return map(_Known._make, zip(*(column[chosen].tolist() for column in columns), strict=True))


def _counting(known: list[_Known]) -> list[_Known]:
    """Of the newest generation, in order; without copies where an own answer has their place.

    What was paid for here goes before what others paid for. But what another ledger of the place asked further, from the
    own answers on, follows them.
    """
    newest = max(one.generation for one in known)
    of_newest = [one for one in known if one.generation == newest]
    of_newest.sort(key=lambda one: (one.number, one.copied))
    own_answers = [one.number for one in of_newest if one.kind == Kind.ANSWERED and not one.copied]
    if not own_answers:
        return of_newest
    copied_answers = {one.number for one in of_newest if one.copied and one.kind == Kind.ANSWERED}
    goes_on = copied_answers.isdisjoint(own_answers)
    return [
        one
        for one in of_newest
        if not one.copied or one.number < own_answers[0] or (goes_on and one.number > own_answers[-1])
    ]


class _Seen:
    """Fingerprints and samples that were asked for: sorted hashes of 8 bytes, and a set of the newest."""

    MOST_UNSORTED = 50_000
    SPREAD = np.uint64(0x9E3779B97F4A7C15)
    SPREAD_OF_SAMPLES = np.uint64(0xC2B2AE3D27D4EB4F)
    """Odd, so that no two are spread alike, and different, so that a sample is not taken for a fingerprint."""

    def __init__(self) -> None:
        self._sorted = np.zeros(0, np.uint64)
        self._newest: set[int] = set()

    def first(self, asked: Sequence[tuple[bytes, int]]) -> list[bool]:
        """Whether each is new; two that are alike in the same call are new once.

        Two of a million different ones are taken for the same in one case of forty million.
        """
        high, low = halves_of(b"".join(fingerprint for fingerprint, _ in asked))
        samples = np.array([sample for _, sample in asked], np.uint64)
        hashes = high ^ (low * self.SPREAD) ^ (samples * self.SPREAD_OF_SAMPLES)
        places = np.searchsorted(self._sorted, hashes)
        there = np.zeros(len(hashes), bool)
        within = places < len(self._sorted)
        there[within] = self._sorted[places[within]] == hashes[within]
        first = []
        for known, number in zip(there.tolist(), hashes.tolist(), strict=True):
            is_new = not known and number not in self._newest
            first.append(is_new)
            if is_new:
                self._newest.add(number)
        self._sort_when_many()
        return first

    def _sort_when_many(self) -> None:
        if len(self._newest) >= max(self.MOST_UNSORTED, len(self._sorted) // 8):
            newest = np.fromiter(self._newest, np.uint64, len(self._newest))
            self._sorted = np.sort(np.concatenate([self._sorted, newest]))
            self._newest.clear()
