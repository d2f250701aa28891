"""Takes over what other partitions of the dataset answered already (docs/decisions/0007), before a run asks anything.

Every prompt is rendered once; what has no history of its own is compared with the fingerprints that the partitions
wrote down, and only the ledgers of those with hits are opened. Their answers are copied with the number of their
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

from runware_provider.engine.attempt import Kind
from runware_provider.engine.dataset import read_shards
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.flight import standing
from runware_provider.engine.ledger import ENTRIES_PER_SEGMENT, Ledger
from runware_provider.engine.prompt import Skip
from runware_provider.engine.shard_work import records_of
from runware_provider.engine.shared_answers import below, newest_first, newest_number, prefixes
from runware_provider.engine.state import find_job

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runware_provider.engine.attempt import Attempt, Entry, History
    from runware_provider.engine.prepare import Prepared
    from runware_provider.engine.questions import Questioner, Request
    from runware_provider.engine.state import JobIdentity

_FINGERPRINT_BYTES = 16

log = logging.getLogger(__name__)


@dataclass
class Unanswered:
    """Requests without a history of their own: 17 bytes each, since there may be millions; some may be there twice."""

    fingerprints: bytearray = field(default_factory=bytearray, repr=False)
    samples: array[int] = field(default_factory=lambda: array("B"), repr=False)

    def add(self, fingerprint: bytes, sample: int) -> None:
        """Note one; at most 100 samples are asked of a record."""
        self.fingerprints += fingerprint
        self.samples.append(sample)

    def at(self, place: int) -> tuple[bytes, int]:
        """Fingerprint and sample."""
        start = place * _FINGERPRINT_BYTES
        return bytes(self.fingerprints[start : start + _FINGERPRINT_BYTES]), self.samples[place]


@dataclass
class Hits:
    """Where one partition may have answers."""

    job_id: bytes
    places: list[pa.Array] = field(default_factory=list, repr=False)
    """Of `Unanswered`, uint64."""


@dataclass(frozen=True)
class Reuse:
    """One look at the other partitions.

    Args:
        prepared: the job of this partition.
        identity: who it is.
        ledger: its own, inside `writing()`, with nothing under way.
        questioner: of this run.
    """

    prepared: Prepared
    identity: JobIdentity
    ledger: Ledger
    questioner: Questioner

    async def run(self) -> int:
        """Copy what is there into the own ledger, durably.

        Returns:
            How many answers were copied.

        Raises:
            BadInput: the source cannot be read.
            OSError: the own ledger could not be written.
        """
        newest = await asyncio.to_thread(self._newest)
        if newest == 0:
            return 0
        wanted = await asyncio.to_thread(self._unanswered)
        hits = await asyncio.to_thread(self._hits, wanted, newest)
        copied = 0
        for partition, found in hits.items():
            copied += await self._copy(wanted, partition, found)
        if copied:
            log.info("%s answers of other partitions are reused", f"{copied:,}")
        return copied

    def _newest(self) -> int:
        try:
            return newest_number(self.prepared.storage, self.prepared.spec.state_folder)
        except OSError as error:
            log.warning("what other partitions answered cannot be listed, so nothing is reused: %s", error)
            return 0

    # what is wanted

    def _unanswered(self) -> Unanswered:
        wanted = Unanswered()
        for requests in self._requests():
            asked = [(one.fingerprint, one.sample) for one in requests]
            for one, history in zip(asked, self.ledger.histories(asked, 0), strict=True):
                if history is None:
                    wanted.add(*one)
        return wanted

    def _requests(self) -> Iterator[list[Request]]:
        """What the chosen records ask, some at a time."""
        prepared = self.prepared
        where = prepared.where.columns if prepared.where is not None else ()
        columns = list(dict.fromkeys([*prepared.prompt.columns, *where]))
        room = prepared.spec.limit
        for _, table in read_shards(prepared.source, prepared.dataset, prepared.shards, columns):
            for records in records_of(table, columns):
                chosen = [one for one in map(self.questioner.ask, records) if one is not None]
                if room is not None:
                    chosen = chosen[:room]
                    room -= len(chosen)
                yield [one for samples in chosen for one in samples if not isinstance(one, Skip)]
                if room == 0:
                    return

    def _hits(self, wanted: Unanswered, newest: int) -> dict[str, Hits]:
        """By partition, the one that shared last first."""
        storage, root = self.prepared.storage, self.prepared.spec.state_folder
        own = below(root, self.prepared.state_folder)
        asked = prefixes(wanted.fingerprints)
        hits: dict[str, Hits] = {}
        for keys in newest_first(storage, root, newest) if len(asked) else ():
            places = pc.indices_nonzero(pc.is_in(asked, keys.prefixes))
            if keys.partition == own or len(places) == 0:
                continue
            found = hits.setdefault(keys.partition, Hits(keys.job_id))
            if found.job_id == keys.job_id:  # else of a state folder that was removed and begun anew
                found.places.append(places)
        return hits

    # what is taken

    async def _copy(self, wanted: Unanswered, partition: str, hits: Hits) -> int:
        copied = 0
        places = pc.unique(pa.chunked_array(hits.places))
        with contextlib.ExitStack() as opened:
            other: Ledger | None = None
            for start in range(0, len(places), ENTRIES_PER_SEGMENT):
                some = places.slice(start, ENTRIES_PER_SEGMENT).to_pylist()
                asked = await asyncio.to_thread(self._still_unanswered, wanted, some)
                if not asked:
                    continue
                if other is None:
                    other = await asyncio.to_thread(self._open, partition, hits.job_id)
                    if other is None:
                        return 0
                    opened.callback(other.close)
                entries = await asyncio.to_thread(self._answers, other, partition, asked)
                if entries is None:
                    break
                await self.ledger.commit([replace(one, origin=hits.job_id) for one in entries], at_once=True)
                copied += len(entries)
        return copied

    def _still_unanswered(self, wanted: Unanswered, places: Sequence[int]) -> list[tuple[bytes, int]]:
        """Without those that a partition before gave, and each once."""
        asked = list(dict.fromkeys(wanted.at(place) for place in places))
        histories = self.ledger.histories(asked, 0)
        return [one for one, history in zip(asked, histories, strict=True) if history is None]

    def _open(self, partition: str, job_id: bytes) -> Ledger | None:
        storage = self.prepared.storage
        folder = storage.join(self.prepared.spec.state_folder, partition)
        try:
            job = find_job(storage, folder)
            if job is None or job.job_id != job_id:
                _warn(partition, "it is gone, or was begun anew")
                return None
            if job.service != self.identity.service:
                _warn(partition, f"they came from {job.service}, not from {self.identity.service}")
                return None
            return Ledger(storage, storage.join(folder, "ledger"))
        except (OSError, StateUnreadable) as error:
            _warn(partition, str(error))
            return None

    def _answers(
        self, other: Ledger, partition: str, asked: Sequence[tuple[bytes, int]]
    ) -> list[Entry] | None:
        """Its own answers to these; None when it cannot be read."""
        chosen = [one for one in map(self._answered, other.histories(asked, 0)) if one is not None]
        try:
            found = other.entries(chosen).values()
        except (OSError, StateUnreadable) as error:
            _warn(partition, str(error))
            return None
        return [one for one in found if one.origin is None]

    def _answered(self, history: History | None) -> Attempt | None:
        """The answer that a history ends with, if it may stand in the own ledger.

        A generation is part of the UUID, so it cannot be changed. One that this job has not reached yet would pass for
        an answer to a later wish to ask anew, so it is left where it is, and asked and paid for here.
        """
        questioner = self.questioner
        below_generation = questioner.generation + (not questioner.retry_failed)
        if history is None or history.generation >= below_generation:
            return None
        settled = standing(history, self.prepared.spec.limits.attempts).settled
        return settled if settled is not None and settled.kind is Kind.ANSWERED else None


def _warn(partition: str, reason: str) -> None:
    log.warning("answers in %s are not reused, and paid for again: %s", partition, reason)
