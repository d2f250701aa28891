"""The batches that are held in memory, which of their rows wait for what, and which were let go to make room."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.job.batch_work import BatchWork

if TYPE_CHECKING:
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.batch_staging import BatchStaging
    from runware_provider.engine.job.batch_work import LetGo
    from runware_provider.engine.job.kept_examples import Examples
    from runware_provider.engine.job.question import Question
    from runware_provider.engine.job.run_watch import RunWatch
    from runware_provider.engine.outcome.rows import Judgement

MOST = 3
"""So many batches may wait for their answers at once; when one more is read, the oldest is let go."""


@dataclass
class BatchesInHand:
    """Settles rows, and has each batch staged when all of its rows have their outcome.

    Args:
        watch: is told of each row once, however often its batch is read.
        staging: stages batches.
        examples: keeps the first rows that did not succeed; None where nobody is to see them.
    """

    watch: RunWatch
    staging: BatchStaging
    examples: Examples | None = None
    let_go: dict[int, LetGo] = field(default_factory=dict)
    """By the numbers of their batches."""
    put_off: dict[int, LetGo] = field(default_factory=dict)
    """Those that ask nothing, in the same way: their answers were not read, nor their rows counted."""
    _works: list[BatchWork] = field(default_factory=list, repr=False)
    """The oldest first."""
    _waiting: dict[Key, list[BatchWork | LetGo]] = field(default_factory=dict, repr=False)
    """Whose rows wait for a question that is under way."""

    # room

    def has_room(self) -> bool:
        """Whether one more batch may be read."""
        self._works = [work for work in self._works if not work.staged]
        return len(self._works) < MOST

    def can_make_room(self) -> bool:
        """Whether some batch only waits for answers."""
        return self._oldest_incomplete() is not None

    def make_room(self) -> None:
        """Drop the rows and the answers of the batch that has waited longest; the ledger has them."""
        work = self._oldest_incomplete()
        if work is None:
            return
        remembered = work.let_go()
        self._works.remove(work)
        self.let_go[work.batch.number] = remembered
        for key in remembered.awaited:
            waiting = self._waiting.get(key, [])
            self._waiting[key] = [remembered if batch is work else batch for batch in waiting]

    def put_off_until_later(self, work: BatchWork, perhaps_failed: int) -> None:
        """Drop a batch that asks nothing, before its answers are read; what asks something comes first."""
        self._works.remove(work)
        self.put_off[work.batch.number] = work.put_off(perhaps_failed)

    def perhaps_failed(self) -> int:
        """Rows of batches that were put off of which nobody knows yet whether they failed."""
        return sum(put_off.perhaps_failed for put_off in self.put_off.values())

    def take_in(self, work: BatchWork) -> None:
        """Hold one more batch, of which nothing is known yet."""
        self._works.append(work)

    # rows

    def wait(self, work: BatchWork, key: Key, rows: int) -> None:
        """Some rows of a batch wait for a question."""
        work.awaited[key] += rows
        waiting = self._waiting.setdefault(key, [])
        if work not in waiting:
            waiting.append(work)

    def settle(self, key: Key, judgement: Judgement) -> None:
        """Give the last word on a question to all rows that wait for it."""
        self.watch.asks_no_further(key)
        for batch in self._waiting.pop(key, []):
            rows = batch.settle(key, judgement)
            if isinstance(batch, BatchWork):
                self._keep_example(batch, key, judgement)
                self.count(batch, judgement, rows)
                self.stage_if_complete(batch)
            else:
                self.watch.saw(judgement, rows)

    def fall_back(self, key: Key, other: Question, judgement: Judgement) -> None:
        """Have the rows that wait for a question show the last word on another one, which was there before."""
        of_this_run = is_of_this_run(other)
        self.watch.asks_no_further(key)
        for batch in self._waiting.pop(key, []):
            rows = batch.fall_back(key, other.key, judgement)
            if isinstance(batch, BatchWork):
                self._keep_example(batch, key, judgement)
                self.count_earlier(batch, judgement, rows, of_this_run=of_this_run)
                self.stage_if_complete(batch)
            else:
                self.watch.saw_earlier(judgement, rows, of_this_run=of_this_run)
                self.watch.saw(judgement, rows)

    def show(self, work: BatchWork, question: Question, judgement: Judgement, rows: int) -> None:
        """Some rows of a batch show what was known before."""
        work.judged[question.key] = judgement
        self._keep_example(work, question.key, judgement)
        self.count_earlier(work, judgement, rows, of_this_run=is_of_this_run(question))

    def refused(self, key: Key, judgement: Judgement) -> None:
        """The API refused what all rows ask in the place of these, which have no last word: they can be looked at."""
        for batch in self._waiting.get(key, []):
            if isinstance(batch, BatchWork):
                self._keep_example(batch, key, judgement)

    def count_earlier(self, work: BatchWork, judgement: Judgement, rows: int, *, of_this_run: bool) -> None:
        """Count rows that were answered before this process began."""
        if not work.counted:
            self.watch.saw_earlier(judgement, rows, of_this_run=of_this_run)
        self.count(work, judgement, rows)

    def count(self, work: BatchWork, judgement: Judgement, rows: int) -> None:
        """Count rows, unless they were counted when their batch was in memory before."""
        if not work.counted:
            self.watch.saw(judgement, rows)

    def stage_if_complete(self, work: BatchWork) -> None:
        """Stage a batch once all of its rows have their outcome."""
        if work.complete and not work.staging:
            self.staging.begin(work)

    def records_done(self) -> int:
        """Records of which every sample has its last word, or needs none."""
        done = self.staging.records
        for work in self._works:
            if not work.staged:
                done += work.records_done()
        for remembered in (*self.let_go.values(), *self.put_off.values()):
            done += remembered.records_done()
        return done

    def _keep_example(self, work: BatchWork, key: Key, judgement: Judgement) -> None:
        if self.examples is not None:
            self.examples.saw(work.batch.number, work.kept, work.slots, key, judgement)

    def _oldest_incomplete(self) -> BatchWork | None:
        for work in self._works:
            if work.loaded and not work.staging:
                return work
        return None


def is_of_this_run(question: Question) -> bool:
    """Whether what a question shows was asked for, and paid, by an earlier try of this run."""
    shown = question.standing.shown
    return shown is not None and shown.of_this_run
