"""Takes over what other ledgers of the same place know of the questions of this one: their whole histories.

Attempts that have ended are copied, with their generation and number and with the job_id that they were sent under as
`origin`, so that they keep the UUID that was billed. None of them is in doubt (`taking_over`). Unlike the answers of
other partitions (`memory.reuse`), these were paid for by this very job: what cannot be read is an error.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Kind
from runware_provider.engine.job.cutting import split_id
from runware_provider.engine.job.request_digests import digest_of
from runware_provider.engine.job.split_record import PLACE, shard_folder
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.state_folder import find_job
from runware_provider.engine.state_records import encoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runware_provider.engine.attempt import Attempt, Entry
    from runware_provider.engine.dataset.source import FileRange
    from runware_provider.engine.job.asked import Asked
    from runware_provider.engine.job.prepare import HandOver, Prepared

FORMAT = 1


@dataclass(frozen=True)
class Siblings:
    """One look at the ledgers that had something when the place was handed over.

    Args:
        prepared: the job, with its hand-over.
        asked: what its records ask.
        ledger: its own, with nothing under way.
        job_id: its own.
    """

    prepared: Prepared
    asked: Asked
    ledger: Ledger
    job_id: bytes

    async def take_over(self) -> int:
        """Copy what they know into the own ledger, durably; that is inside `writing()`.

        It is done once in a hand-over for the same questions. Other questions, of a preview or of another prompt say, are
        looked for anew, or what was paid for them would be paid again.

        Returns:
            How many attempts were copied.

        Raises:
            OSError: a ledger could not be read, or the own one written.
            StateUnreadable: a ledger is damaged.
        """
        copied = 0
        ends = self._ends()
        while (found := await asyncio.to_thread(next, ends, None)) is not None:
            _, entries = found
            await self.ledger.commit(list(entries.values()), at_once=True)
            copied += len(entries)
        prepared = self.prepared
        if prepared.handed_over is not None:
            path = _marker(prepared, prepared.handed_over, prepared.state_folder, prepared.ranges)
            await asyncio.to_thread(prepared.storage.create_new, path, encoded({"format": FORMAT}))
        return copied

    def borrow(self) -> int:
        """Know what `take_over` would copy, until the own ledger is closed; nothing is written. Errors as there."""
        borrowed = 0
        for other, entries in self._ends():
            self.ledger.borrow(other, entries)
            borrowed += sum(entry.kind is Kind.ANSWERED for entry in entries.values())
        return borrowed

    def _ends(self) -> Iterator[tuple[Ledger, dict[Attempt, Entry]]]:
        """Some at a time; whoever takes them has the own ledger know them before the next are looked for."""
        prepared = self.prepared
        for number in prepared.handed_over.old if prepared.handed_over is not None else ():
            folder = prepared.place_state
            if number != PLACE:
                folder = shard_folder(prepared.storage, prepared.place_state, number)
            job = find_job(prepared.storage, folder)
            if folder == prepared.state_folder or job is None:
                continue
            other = Ledger(prepared.storage, prepared.storage.join(folder, "ledger"))
            try:
                for entries in self._of(other, job.job_id):
                    yield other, entries
            finally:
                other.close()

    def _of(self, other: Ledger, job_id: bytes) -> Iterator[dict[Attempt, Entry]]:
        for requests in self.asked.requests():
            questions = list(dict.fromkeys((request.fingerprint, request.sample) for request in requests))
            entries = other.entries(_ended(other, questions))
            told = {at: replace(entry, origin=entry.origin or job_id) for at, entry in entries.items()}
            # What was sent from here, and copied there, stands in the own ledger.
            foreign = {at: entry for at, entry in told.items() if entry.origin != self.job_id}
            known = self.ledger.index.has_copies([(entry.key, entry.attempt) for entry in foreign.values()])
            new = {
                at: entry
                for (at, entry), is_known in zip(foreign.items(), known, strict=True)
                if not is_known
            }
            if new:
                yield new


def _ended(other: Ledger, questions: list[tuple[bytes, int]]) -> list[Attempt]:
    """Of some questions all attempts that have ended, in every generation."""
    ended: list[Attempt] = []
    for (fingerprint, sample), newest in zip(questions, other.histories(questions, 0), strict=True):
        history = newest
        while history is not None:
            ended += [attempt for attempt in history.attempts if attempt.kind >= Kind.SPENT]
            # Nearly always there is no older one, and a look for it takes as long as all the rest.
            older = history.generation > 0
            history = other.history(fingerprint, sample, 0, history.generation) if older else None
    return ended


def is_taken_over(prepared: Prepared, folder: str, ranges: Sequence[FileRange]) -> bool:
    """Whether a ledger has all that it was to take over for its questions.

    Args:
        prepared: a job of the place, with its hand-over.
        folder: the state folder of the ledger.
        ranges: the rows that it is about.
    """
    handed_over = prepared.handed_over
    return handed_over is None or prepared.storage.exists(_marker(prepared, handed_over, folder, ranges))


def _marker(prepared: Prepared, handed_over: HandOver, folder: str, ranges: Sequence[FileRange]) -> str:
    rows = split_id(prepared.dataset.files, [ranges])
    asked = digest_of([prepared.digests, prepared.rows_digest, rows])
    return prepared.storage.join(folder, f"taken-{handed_over.turn}-{asked}.json")
