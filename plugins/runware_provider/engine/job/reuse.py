"""Takes over what other partitions of the dataset answered already (docs/decisions/0007), before a run asks anything.

Every prompt is rendered once; what has no history of its own is compared with the fingerprints that the partitions
wrote down, and only the ledgers of those with answers are opened. Their answers are copied with the number of their
generation and attempt, and with their partition's job_id as `origin`, so that they keep the UUID that was billed.

Whatever goes wrong with another partition is a warning: reuse is a saving, not a need.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from array import array
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.memory.group_commit import ENTRIES_PER_SEGMENT
from runware_provider.engine.memory.ledger import Ledger
from runware_provider.engine.memory.shared_answers import newest_first, newest_number, prefixes
from runware_provider.engine.memory.state_folder import below, find_job
from runware_provider.engine.outcome.standing import never_begun, standing
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from runware_provider.engine.attempt import Attempt, Entry, History
    from runware_provider.engine.job.asked import Asked
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.questioner import Questioner


log = logging.getLogger(__name__)


@dataclass
class Unanswered:
    """Requests that were never begun here; some may be there twice."""

    asked: Asked
    places: array[int] = field(default_factory=lambda: array("L"), repr=False)
    """Of `asked`."""

    def fingerprints(self) -> bytearray:
        """16 bytes each."""
        joined = bytearray()
        for place in self.places:
            fingerprint, _ = self.asked.question_at(place)
            joined += fingerprint
        return joined

    def at(self, place: int) -> tuple[bytes, int]:
        """Fingerprint and sample."""
        return self.asked.question_at(self.places[place])


@dataclass
class PartitionAnswers:
    """Where one partition may have answers."""

    job_id: bytes
    places: list[pa.Array] = field(default_factory=list, repr=False)
    """Of `Unanswered.places`, uint64."""


@dataclass(frozen=True)
class Found:
    """Some answers of one partition."""

    job_id: bytes
    """Of that partition."""
    ledger: Ledger
    """That partition's, open until the next ones are asked for."""
    entries: Mapping[Attempt, Entry] = field(repr=False)


@dataclass(frozen=True)
class AnswersElsewhere:
    """One look at the other partitions.

    Args:
        prepared: the job of this partition.
        asked: what its records ask.
        ledger: its own, with nothing under way.
        questioner: of this run.
        service: the host that answers must have come from; any, where it is not known.
    """

    prepared: Prepared
    asked: Asked
    ledger: Ledger
    questioner: Questioner
    service: str | None

    async def run(self) -> int:
        """Copy what is there into the own ledger, durably; that is inside `writing()`.

        Returns:
            How many answers were copied.

        Raises:
            BadInput: the source cannot be read.
            OSError: the own ledger could not be written.
        """
        copied = 0
        answers = self._answered_elsewhere()
        try:
            while (found := await asyncio.to_thread(next, answers, None)) is not None:
                copies = [replace(one, origin=one.origin or found.job_id) for one in found.entries.values()]
                await self.ledger.commit(copies, at_once=True)
                copied += len(copies)
        finally:
            with contextlib.suppress(ValueError):  # after a cancellation its thread may still be at work
                answers.close()
        if copied:
            log.info("%s answers of other partitions are reused", f"{copied:,}")
        return copied

    def borrow(self) -> int:
        """Know what `run` would copy, until the own ledger is closed; nothing is written.

        Returns:
            How many answers those are.

        Raises:
            BadInput: the source cannot be read.
        """
        borrowed = 0
        with contextlib.closing(self._answered_elsewhere()) as answers:
            for found in answers:
                self.ledger.borrow(found.ledger, found.entries)
                borrowed += len(found.entries)
        return borrowed

    def _answered_elsewhere(self) -> Generator[Found, None, None]:
        """Some at a time; whoever takes them has the own ledger know them before the next are looked for."""
        newest = self._newest()
        if newest == 0:
            return
        wanted = self._unanswered()
        for partition, answers in self._hits(wanted, newest).items():
            yield from self._answers_of(wanted, partition, answers)

    def _newest(self) -> int:
        try:
            return newest_number(self.prepared.storage, self.prepared.spec.state_folder)
        except OSError as error:
            told = f"what other partitions answered cannot be listed, so nothing is reused ({error})."
            for line in wrapped("Warning", told):
                log.warning("%s", line)
            return 0

    # what is wanted

    def _unanswered(self) -> Unanswered:
        wanted = Unanswered(self.asked)
        place = 0
        for requests in self.asked.requests():
            questions = [(request.fingerprint, request.sample) for request in requests]
            for history in self.ledger.histories(questions, 0):
                if never_begun(history):
                    wanted.places.append(place)
                place += 1
        return wanted

    def _hits(self, wanted: Unanswered, newest: int) -> dict[str, PartitionAnswers]:
        """By partition, the one that shared last first."""
        storage, root = self.prepared.storage, self.prepared.spec.state_folder
        own = below(root, self.prepared.state_folder)
        asked = prefixes(wanted.fingerprints())
        answers: dict[str, PartitionAnswers] = {}
        for keys in newest_first(storage, root, newest) if len(asked) else ():
            places = pc.indices_nonzero(pc.is_in(asked, keys.prefixes))
            if keys.partition == own or len(places) == 0:
                continue
            found = answers.setdefault(keys.partition, PartitionAnswers(keys.job_id))
            if found.job_id == keys.job_id:  # else of a state folder that was removed and begun anew
                found.places.append(places)
        return answers

    # what is taken

    def _answers_of(self, wanted: Unanswered, partition: str, answers: PartitionAnswers) -> Iterator[Found]:
        places = pc.unique(pa.chunked_array(answers.places))
        with contextlib.ExitStack() as opened:
            other: Ledger | None = None
            for start in range(0, len(places), ENTRIES_PER_SEGMENT):
                asked = self._still_unanswered(wanted, places.slice(start, ENTRIES_PER_SEGMENT).to_pylist())
                if not asked:
                    continue
                if other is None:
                    other = self._open(partition, answers.job_id)
                    if other is None:
                        return
                    opened.callback(other.close)
                entries = self._answers(other, partition, asked)
                if entries is None:
                    return
                if entries:
                    yield Found(answers.job_id, other, entries)

    def _still_unanswered(self, wanted: Unanswered, places: Sequence[int]) -> list[tuple[bytes, int]]:
        """Without those that a partition before gave, and each once."""
        asked = list(dict.fromkeys(wanted.at(place) for place in places))
        histories = self.ledger.histories(asked, 0)
        return [one for one, history in zip(asked, histories, strict=True) if never_begun(history)]

    def _open(self, partition: str, job_id: bytes) -> Ledger | None:
        storage = self.prepared.storage
        folder = storage.join(self.prepared.spec.state_folder, partition)
        try:
            job = find_job(storage, folder)
            if job is None or job.job_id != job_id:
                _warn(partition, "it is gone, or was begun anew")
                return None
            if self.service is not None and job.service != self.service:
                _warn(partition, f"they came from {job.service}, not from {self.service}")
                return None
            return Ledger(storage, storage.join(folder, "ledger"))
        except (OSError, StateUnreadable) as error:
            _warn(partition, str(error))
            return None

    def _answers(
        self, other: Ledger, partition: str, asked: Sequence[tuple[bytes, int]]
    ) -> dict[Attempt, Entry] | None:
        """Its answers to these, if the last of them are its own; None when it cannot be read."""
        chosen = [one for history in other.histories(asked, 0) for one in self._answered(history)]
        try:
            found = other.entries(chosen)
        except (OSError, StateUnreadable) as error:
            _warn(partition, str(error))
            return None
        own = {entry.key for entry in found.values() if entry.origin is None}
        return {at: entry for at, entry in found.items() if entry.key in own}

    def _answered(self, history: History | None) -> tuple[Attempt, ...]:
        """The answers that a history holds, if they may stand in the own ledger.

        A generation is part of the UUID, so it cannot be changed. One that this job has not reached yet would pass for
        an answer to a later wish to ask anew, so it is left where it is, and asked and paid for here.
        """
        questioner = self.questioner
        below_generation = questioner.generation + (not questioner.retry_failed)
        if history is None or history.generation >= below_generation:
            return ()
        return standing(history, self.prepared.spec.limits.attempts).answers


def _warn(partition: str, reason: str) -> None:
    for line in wrapped("Warning", f"answers in {partition} are not reused, and paid for again: {reason}."):
        log.warning("%s", line)
