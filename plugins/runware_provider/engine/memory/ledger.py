"""The durable memory of a job: what was meant to be sent, and what became of it.

The ledger is a folder of immutable segments, Parquet inside, each written once by one process
(docs/decisions/0006). Entries of one attempt merge by rank (`Kind`), so segments can be read in any order, twice,
and from a process that was overtaken.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.memory import segments
from runware_provider.engine.memory.group_commit import LINGER_S, GroupCommit
from runware_provider.engine.memory.ledger_reading import IndexedSegment, LedgerReading
from runware_provider.engine.memory.others import Others
from runware_provider.engine.memory.payments import Payments
from runware_provider.engine.memory.segment_catalogue import finish_erasure, numbered_name, read_base

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Sequence

    from runware_provider.engine.identity import Key
    from runware_provider.engine.storage.stores import Storage


class Ledger(LedgerReading):
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
        super().__init__(storage, folder, run)
        self.clock = clock
        self._tail = asyncio.Lock()
        """Held while this process writes to the tail, or reads what others wrote there."""
        self._commits = GroupCommit(self._write_group)
        self._others = Others(storage, folder, self.last)
        self._begun_by = self._read_begun()
        """Of attempts that were in doubt when the ledger was opened: the run that meant to send them."""
        self.paid = self.totals("fresh").cost
        """USD of the answers that this run added, as far as they were priced."""
        self.learnt = Payments()
        """What the attempts came to whose ends this process wrote down, whichever run they are of: no other process does."""

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

    async def commit(
        self, entries: Sequence[Entry], *, at_once: bool = False, wait_s: float = LINGER_S
    ) -> None:
        """Return when the entries are durable.

        Args:
            entries: any number of them.
            at_once: whether they are written without waiting for company.
            wait_s: else how long they wait for it at most.

        Raises:
            OSError: the store could not write; nothing may be taken for durable.
            StateUnreadable: `base.json` cannot be read any more.
        """
        await self._commits.commit(entries, wait_s=0.0 if at_once else wait_s)

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

    def _remember(self, number: int, entries: Sequence[Entry]) -> None:
        place = len(self.known)
        self.known.append(IndexedSegment(numbered_name(number), 0, number))
        own = [_ends_own(entry) and self._run_of_entry(entry) == self.run for entry in entries]
        self.paid += sum(entry.cost or 0.0 for entry, is_own in zip(entries, own, strict=True) if is_own)
        self.learnt = sum(map(Payments.of, filter(_ends_own, entries)), self.learnt)
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
