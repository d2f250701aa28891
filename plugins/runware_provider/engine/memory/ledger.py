"""The durable memory of a job: what was meant to be sent, and what became of it.

The ledger is a folder of immutable segments, Parquet inside, each written once by one process
(docs/decisions/0006). Entries of one attempt merge by rank (`Kind`), so segments can be read in any order, twice,
and from a process that was overtaken.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.memory import segments
from runware_provider.engine.memory.group_commit import GroupCommit
from runware_provider.engine.memory.ledger_index import LedgerIndex
from runware_provider.engine.memory.others import Others
from runware_provider.engine.memory.segment_catalogue import (
    BASE,
    Base,
    finish_erasure,
    listing,
    numbered_name,
    read_base,
)
from runware_provider.engine.memory.segments import SegmentGone
from runware_provider.engine.storage.read_ahead import READERS, read_ahead, read_until_missing

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Collection,
        Iterable,
        Mapping,
        Sequence,
    )
    from concurrent.futures import Executor

    import pyarrow as pa

    from runware_provider.engine.attempt import Attempt, History
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
class Known:
    """A segment that the index knows."""

    name: str
    bytes: int
    """About; 0 where it is not known."""
    number: int | None = None
    """In the tail."""
    path: str | None = None
    """Where it lies, if it is another ledger's."""


class Ledger:
    """Opened by reading every segment's index columns; written only inside `writing()`.

    Not thread-safe, except for `entries`: one event loop, or one thread, at a time.

    Args:
        storage: where the state folder lies.
        folder: the ledger's.
        run: the name of the run that writes; what another process of the same run wrote is `fresh` too.
        clock: seconds since the epoch.

    Raises:
        StateUnreadable: a segment cannot be read, or has a newer format.
    """

    def __init__(
        self, storage: Storage, folder: str, *, run: str | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.storage = storage
        self.folder = folder
        self.clock = clock
        self.run = run
        self.index = LedgerIndex()
        self.known: list[Known] = []
        self.base = Base()
        self.version: Version | None = None
        """Of `base.json` when it was read."""
        self.last = 0
        """Number of the newest segment of the tail before which all were read."""
        self._free = 1
        """Number to try for the next segment."""
        self._begun_by: dict[tuple[Key, int], str] = {}
        """Of attempts that were in doubt when the ledger was opened: the run that meant to send them."""
        self._tail = asyncio.Lock()
        """Held while this process writes to the tail, or reads what others wrote there."""
        self._commits = GroupCommit(self._write_group)
        try:
            self.reload()
        except BaseException:
            self.close()
            raise
        self._others = Others(storage, folder, self.last)
        self._begun_by = self._read_begun()
        self.paid = self.totals("fresh").cost
        """USD of the answers that this run added, as far as they were priced."""

    def close(self) -> None:
        """Drop the index; the segments stay."""
        self.index.clear()

    # opening

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
        fixed = [Known(held.name, held.bytes) for held in self.base.segments]
        fixed += [Known(name, 0) for name in seen.old if name not in named]
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
                self._load(Known(numbered_name(number), 0, number), table)
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

    def _load(self, one: Known, table: pa.Table) -> None:
        place = len(self.known)
        self.known.append(one)
        try:
            self.index.add_table(table, place, self.run)
        except ValueError as error:
            raise StateUnreadable(
                f"the ledger segment {self._path_of(one)} is damaged ({error}); restore it from a backup"
            ) from None

    # reading

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

    def borrow(self, other: Ledger, found: Mapping[Attempt, Entry]) -> None:
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
                self.known.append(Known("", SMALL_BYTES, path=path))  # so large that nobody merges it
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

    # writing

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Run the group commit; at the end, what is pending is written.

        Raises:
            StateUnreadable: `base.json` cannot be read.
        """
        await asyncio.to_thread(self._finish_erasure)
        async with self._commits.running():
            yield

    def _finish_erasure(self) -> None:
        if any(one.erase for one in self.base.superseded):
            self.base, self.version = finish_erasure(
                self.storage, self.folder, self.base, self.version, self.clock()
            )

    async def commit(self, entries: Sequence[Entry], *, at_once: bool = False) -> None:
        """Return when the entries are durable; without `at_once` they wait for company for half a second.

        Raises:
            OSError: the store could not write; nothing may be taken for durable.
            StateUnreadable: `base.json` cannot be read any more.
        """
        await self._commits.commit(entries, at_once=at_once)

    def hurry(self) -> None:
        """Write what is pending without waiting for company."""
        self._commits.hurry()

    async def _write_group(self, entries: Sequence[Entry]) -> None:
        async with self._tail:
            number = await asyncio.to_thread(self._write, entries)
            self._remember(number, entries)

    async def told_by_others(self, attempts: Collection[tuple[Key, int]]) -> set[tuple[Key, int]]:
        """Which of these attempts other processes wrote of since this ledger was opened.

        What cannot be read, or was rewritten meanwhile, may hold any of them.
        """
        async with self._tail:
            own = {one.number for one in self.known}
            try:
                await asyncio.to_thread(self._others.read, self.version, own)
            except (OSError, StateUnreadable):
                return set(attempts)
        return self._others.attempts.intersection(attempts)

    def is_of_this_run(self, key: Key, attempt: int) -> bool:
        """Whether this run pays for an attempt: the run that meant to send it does, whoever collects the answer."""
        return self._run_of(key, attempt) == self.run

    def _run_of(self, key: Key, attempt: int) -> str | None:
        return self._begun_by.get((key, attempt), self.run)

    def _run_of_entry(self, entry: Entry) -> str | None:
        """The run that an entry is written under: for an end, the one that pays for the attempt."""
        return self._run_of(entry.key, entry.attempt) if _ends_own(entry) else self.run

    def _read_begun(self) -> dict[tuple[Key, int], str]:
        """Which named run meant to send each attempt in doubt."""
        begun: dict[tuple[Key, int], str] = {}
        by_segment: dict[int, list[tuple[tuple[Key, int], int]]] = {}
        for attempt, segment, row in self.index.places_in_doubt():
            by_segment.setdefault(segment, []).append((attempt, row))
        for segment, attempts in by_segment.items():
            runs = segments.columns(self.storage, self._path_of(self.known[segment]), ["run"])["run"]
            for attempt, row in attempts:
                run = runs[row].as_py()
                if run is not None:
                    begun[attempt] = run
        return begun

    def _write(self, entries: Sequence[Entry]) -> int:
        """Write a segment; returns its number.

        A number that was merged and removed since this ledger was opened is free again, but nobody reads it. So what
        was merged is looked up after the writing, and the segment written once more beyond it.
        """
        runs = [self._run_of_entry(entry) for entry in entries]
        data = segments.encoded(entries, int(self.clock() * 1000), runs)
        number = self._create(data)
        while number <= (through := read_base(self.storage, self.folder)[0].through):
            self._free = through + 1
            unread, number = number, self._create(data)
            self.storage.delete(self._path(numbered_name(unread)))
        return number

    def _create(self, data: bytes) -> int:
        """A number whose owner comes first is passed over, so the numbers have no gap."""
        while not self.storage.create_new(self._path(numbered_name(self._free)), data):
            self._free += 1
        self._free += 1
        return self._free - 1

    def _path(self, name: str) -> str:
        return self.storage.join(self.folder, name)

    def _path_of(self, one: Known) -> str:
        return self._path(one.name) if one.path is None else one.path

    def _remember(self, number: int, entries: Sequence[Entry]) -> None:
        place = len(self.known)
        self.known.append(Known(numbered_name(number), 0, number))
        own = [_ends_own(entry) and self._run_of_entry(entry) == self.run for entry in entries]
        self.paid += sum(entry.cost or 0.0 for entry, is_own in zip(entries, own, strict=True) if is_own)
        self.index.add(
            entries,
            [(place, row) for row in range(len(entries))],
            copied=[entry.origin is not None for entry in entries],
            fresh=[
                is_own or (entry.kind >= Kind.SPENT and entry.origin is not None)
                for entry, is_own in zip(entries, own, strict=True)
            ],
        )


def _ends_own(entry: Entry) -> bool:
    """Whether an entry says how an attempt of this job ended."""
    return entry.kind >= Kind.SPENT and entry.origin is None
