"""What a ledger holds: its segments, read into an index, and the entries behind it.

Nothing is written here. A segment that cannot be read is an error, never "empty": what it holds was paid for.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.memory import segments
from runware_provider.engine.memory.ledger_index import LedgerIndex
from runware_provider.engine.memory.segment_catalogue import BASE, Base, listing, numbered_name, read_base
from runware_provider.engine.memory.segments import SegmentGone
from runware_provider.engine.storage.read_ahead import READERS, read_ahead, read_until_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    import pyarrow as pa

    from runware_provider.engine.attempt import Attempt, Entry, History
    from runware_provider.engine.identity import Key
    from runware_provider.engine.memory.ledger_sums import Of, Statistics, Totals
    from runware_provider.engine.memory.segment_catalogue import Listing
    from runware_provider.engine.storage.stores import Storage, Version

SMALL_BYTES = 16_000_000
"""A segment below this is worth merging with others."""
MOST_SMALL = 64
"""Small segments, above which `needs_compaction`."""
_OPENINGS = 3
"""Times to begin again because somebody rewrote the ledger in the middle of the reading."""

_INDEXED = [
    "fingerprint",
    "sample",
    "generation",
    "attempt",
    "kind",
    "family",
    "code",
    "cost_pico_usd",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "run",
    "origin",
]


@dataclass(frozen=True)
class IndexedSegment:
    """A segment that the index knows."""

    name: str
    bytes: int
    """About; 0 where it is not known."""
    number: int | None = None
    """In the tail."""
    path: str | None = None
    """Where it lies, if it is another ledger's."""


class LedgerReading:
    """The segments of a ledger, read when it is opened.

    Not thread-safe, except for `entries`: one event loop, or one thread, at a time.

    Args:
        storage: where the state folder lies.
        folder: the ledger's.
        run: what other processes of this run wrote is `fresh`.

    Raises:
        StateUnreadable: a segment cannot be read, or has a newer format.
    """

    def __init__(self, storage: Storage, folder: str, run: str | None) -> None:
        self.storage = storage
        self.folder = folder
        self.run = run
        self.index = LedgerIndex()
        self.known: list[IndexedSegment] = []
        """The segments, in the order in which the index knows them."""
        self.base = Base()
        self.version: Version | None = None
        """Of `base.json` when it was read."""
        self.last = 0
        """Number of the newest segment of the tail before which all were read."""
        self._free = 1
        """Number to try for the next segment."""
        try:
            self.reload()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the index; the segments stay."""
        self.index.clear()

    def reload(self) -> None:
        """Read everything again; what was marked as used is not marked any more.

        Raises:
            StateUnreadable: as when it was opened.
        """
        with ThreadPoolExecutor(READERS, "ledger") as pool:
            for _ in range(_OPENINGS):
                gone: SegmentGone | None = None
                try:
                    self._load_all(pool)
                except SegmentGone as error:
                    gone = error
                if read_base(self.storage, self.folder)[1] != self.version:
                    continue  # rewritten meanwhile: what was missing may lie elsewhere, and what ended may go on
                if gone is not None:
                    raise gone
                return
        raise StateUnreadable(f"{self.folder} is being rewritten again and again; run again")

    def _load_all(self, pool: Executor) -> None:
        self.index.clear()
        self.known.clear()
        self.base, self.version = read_base(self.storage, self.folder)
        seen = listing(self.storage, self.folder)
        named = self.base.names()
        fixed = [IndexedSegment(held.name, held.bytes) for held in self.base.segments]
        fixed += [IndexedSegment(name, 0) for name in seen.old if name not in named]
        tables = read_ahead(pool, self._columns, [one.name for one in fixed])
        for one, table in zip(fixed, tables, strict=True):
            self._load(one, table)
        self.last = self.base.through
        self._load_tail(pool, max(seen.numbers, default=0))
        self._free = self.last + 1
        self._check_complete(seen)

    def _load_tail(self, pool: Executor, hint: int) -> None:
        """Load what follows in the tail; nothing there is passed over, however late a listing is."""
        have = {one.number for one in self.known}

        def unread(number: int) -> list[pa.Table] | None:
            if number in have:
                return []
            try:
                return [self._columns(numbered_name(number))]
            except SegmentGone:
                return None

        for number, tables in read_until_missing(pool, unread, self.last + 1, hint):
            for table in tables:
                self._load(IndexedSegment(numbered_name(number), 0, number), table)
            self.last = number

    def _check_complete(self, seen: Listing) -> None:
        """A gap below what a listing shows is a loss, unless the tail was merged meanwhile, which `reload` looks up."""
        later = any(number > self.last for number in seen.numbers)
        if not later and (self.known or not seen.merged):
            return
        missing = self.storage.join(self.folder, numbered_name(self.last + 1) if later else BASE)
        raise SegmentGone(
            f"{missing} is missing, but later files of the ledger are there; restore it from a backup"
        )

    def catch_up(self) -> bool:
        """Load what others wrote since this ledger was opened; False if it was rewritten since.

        Raises:
            StateUnreadable: as when it was opened.
        """
        with ThreadPoolExecutor(READERS, "ledger") as pool:
            self._load_tail(pool, max((one.number or 0 for one in self.known), default=0))
        return read_base(self.storage, self.folder)[1] == self.version

    def _columns(self, name: str) -> pa.Table:
        return segments.columns(self.storage, self._path(name), _INDEXED)

    def _load(self, one: IndexedSegment, table: pa.Table) -> None:
        place = len(self.known)
        self.known.append(one)
        try:
            self.index.add_table(table, place, self.run)
        except ValueError as error:
            raise StateUnreadable(
                f"the ledger segment {self._path_of(one)} is damaged ({error}); restore it from a backup"
            ) from None

    def _path(self, name: str) -> str:
        return self.storage.join(self.folder, name)

    def _path_of(self, one: IndexedSegment) -> str:
        return self._path(one.name) if one.path is None else one.path

    # reading

    @property
    def newest(self) -> int:
        """The number of the last segment that was written to the tail; whatever is added has a higher one."""
        return self._free - 1

    @property
    def needs_compaction(self) -> bool:
        """Whether opening it would be noticeably faster with fewer segments."""
        return len(self.small()) > MOST_SMALL

    def small(self) -> list[tuple[int, str]]:
        """Segments worth merging: place in the index and name; all of the tail, since a merge ends it."""
        return [
            (place, one.name)
            for place, one in enumerate(self.known)
            if one.number is not None or one.bytes < SMALL_BYTES
        ]

    def history(
        self, fingerprint: bytes, sample: int, at_least: int, below: int | None = None
    ) -> History | None:
        """The attempts of an inference in the newest of its generations from `at_least` on that is `below` another."""
        return self.index.histories([(fingerprint, sample)], at_least, below)[0]

    def histories(self, asked: Sequence[tuple[bytes, int]], at_least: int) -> list[History | None]:
        """`history` of many fingerprints and samples at once, which is several times faster."""
        return self.index.histories(asked, at_least)

    def answered_once(self, asked: Sequence[tuple[bytes, int]], at_least: int) -> list[bool]:
        """Of each fingerprint and sample, whether one answer is all that is known of it; several times faster than `histories`."""
        return self.index.answered_once(asked, at_least)

    def entries(self, attempts: Iterable[Attempt]) -> dict[Attempt, Entry]:
        """The whole entries behind these attempts; of each segment only what is needed is read, once.

        Safe to call from another thread than the one that uses this ledger.

        Raises:
            StateUnreadable: a segment cannot be read, or somebody rewrote the ledger: a new run can read it.
        """
        by_place: dict[int, list[Attempt]] = {}
        for one in attempts:
            by_place.setdefault(one.segment, []).append(one)
        places = [
            (self._path_of(self.known[place]), [one.row for one in held]) for place, held in by_place.items()
        ]
        found: dict[Attempt, Entry] = {}
        with ThreadPoolExecutor(READERS, "ledger") as pool:
            read = read_ahead(pool, lambda one: segments.entries_at(self.storage, *one), places)
            for held, entries in zip(by_place.values(), read, strict=True):
                found.update(zip(held, entries, strict=True))
        return found

    def borrow(self, other: LedgerReading, found: Mapping[Attempt, Entry]) -> None:
        """Know entries of another ledger as if they had been copied: in memory only, until the next `reload`.

        Args:
            other: where they lie.
            found: what `other.entries` gave.
        """
        places: dict[int, int] = {}
        for at in found:
            if at.segment not in places:
                places[at.segment] = len(self.known)
                path = other.storage.join(other.folder, other.known[at.segment].name)
                self.known.append(
                    IndexedSegment("", SMALL_BYTES, path=path)
                )  # so large that nobody merges it
        self.index.add(
            list(found.values()),
            [(places[at.segment], at.row) for at in found],
            copied=[True] * len(found),
            fresh=[False] * len(found),
        )

    def mark_used(self, keys: Iterable[Key]) -> None:
        """Count these inferences into the totals of the dataset."""
        self.index.mark_used(keys)

    def totals(self, of: Of = "used") -> Totals:
        """Sums over the inferences marked as used, over what this run added, or over everything.

        What this run added is what this process did, and what others did under the same `run`.
        """
        return self.index.totals(of)

    def unpriced(self, of: Of = "used") -> list[tuple[Key, int]]:
        """Attempts without a reported cost that were or may have been billed, in order.

        These are answers without a cost, lost and timed out attempts, and spent ones that were not forgotten.
        """
        return self.index.unpriced(of)

    def given_up(self) -> list[tuple[Key, int]]:
        """Attempts that were or may have been billed without a word on cost or answer, in order; in most jobs none."""
        return self.index.given_up()

    def unsettled(self, of: Literal["fresh", "all"] = "all") -> list[tuple[Key, int]]:
        """Attempts that may have been sent, and of which nothing is known since, in order.

        Args:
            of: everybody's, or what other processes of the same run left.
        """
        return self.index.unsettled(of)

    def unpriced_tokens(self) -> list[tuple[int | None, int | None]]:
        """Of what this run added, and which was or may have been billed without a word on its cost.

        Returns:
            For each attempt the tokens of its prompt and of its answer, as far as they were reported.
        """
        return self.index.unpriced_tokens("fresh")

    def first_seen(self, keys: Sequence[Key]) -> list[bool]:
        """Whether each is asked for the first time since the ledger was opened; for counting without sending."""
        return self.index.first_seen(keys)

    def statistics(self) -> Statistics:
        """Means and deviations of the answers so far, to estimate the rest."""
        return self.index.statistics()

    def mean_completion_tokens(self) -> float | None:
        """What an answer had on average so far, to estimate the rest."""
        return self.statistics().mean_completion_tokens
