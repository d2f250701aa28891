"""Writes down what is to be seen of a run while it goes, and how it ended (docs/decisions/0020)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.leg import AllSent
from runware_provider.engine.job.noted_in_shards import paid_in_shards
from runware_provider.engine.job.opening import timestamp
from runware_provider.engine.job.recorded import Ending, Facts, past_of, record_of
from runware_provider.engine.job.run_records import (
    note_in_history,
    read_record,
    remove_old_records,
    write_record,
)
from runware_provider.engine.job.run_request import write_request
from runware_provider.engine.plain_text import wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.progress import Progress
    from runware_provider.engine.job.run_record import RunRecord
    from runware_provider.engine.memory.lease import Lease
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Storage

log = logging.getLogger(__name__)

EVERY_S: Final = 10.0
"""Between two records, at most, where nobody says otherwise."""
MOST_EVERY_S: Final = 60.0
"""The same, whatever somebody says: who looks at a run takes one that has noted nothing for minutes for gone."""
FIRST_S: Final = 2.0
"""After which the first one is written: most runs with nothing to do have ended by then."""
LAST_S: Final = 2.0
"""That a run waits at its end for its last record: Airflow kills a task that was asked to stop after five."""
MOST_PAUSE_S: Final = 600.0
"""Between two records, where the store keeps failing."""
DAY_S: Final = 86_400.0


def what_is_asked(prepared: Prepared) -> str:
    """What hashes of what the rows of a run, or of a shard, ask: `RunRecord.asks`. Pure."""
    spec = prepared.spec
    told = [
        prepared.digests,
        spec.source,
        spec.refresh,
        spec.retry_failed,
        repr(spec.filters),
        spec.limit,
        spec.samples,
        prepared.records,
        len(prepared.ranges),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:20]


def pause_after(elapsed_s: float, every_s: float) -> float:
    """Seconds until the next record, often at first and then as rarely as the log's lines. Pure.

    Args:
        elapsed_s: since the run began.
        every_s: at most.
    """
    return min(every_s, MOST_EVERY_S, max(1.0, elapsed_s / 4))


def pause_after_failure(pause_s: float, every_s: float) -> float:
    """Seconds until the next try, ever more where the store keeps failing. Pure.

    Args:
        pause_s: until the one that failed.
        every_s: between two records, at most.
    """
    return min(MOST_PAUSE_S, 2 * max(pause_s, every_s))


class Recorder:
    """Writes the record of one process of a run now and then, and once more at its end; nothing that fails here fails the run.

    It has a thread of its own, since a slow store must not hold up the event loop of the job. The end waits a while for the
    last record: where the store does not answer, that is lost, and nothing else. The one request that is under way then runs to
    its end, and no other one is begun.

    Args:
        storage: of the state folder.
        folder: the state folder: of the place, or of one shard.
        facts: what is known of the run.
        lease: of the folder; who has lost it writes no more, since the record may be another process's by then.
        every_s: seconds between two records, at most.
        keeps_history: whether the end of the run goes into the folder's history: not that of a shard.
        is_run: whether it is the run, and no preview, which asks a few records under its name: of that nothing is written.
        goes_on: whether this process goes on with what an earlier one of the run began, and is no new try.
        report: is told of each progress, too.
        request: writes down what is asked, and names that record; called once, in the thread, with what says whether there is
            time for more than that.
        paid_elsewhere: USD that other records of the run tell; called in the thread, until it has been told.
        rows_kept_s: seconds for which rows of any run that failed are kept beside its record; None for as long as they are few.
        first_s: seconds until the first record.
        last_s: seconds that the end waits for the last one.
        now: seconds, from any moment.
        clock: what time it is, in UTC (ISO 8601).
        wait: waits for an event, so many seconds at most; whether it was set.
    """

    def __init__(  # noqa: PLR0913 - what a test replaces, by keyword
        self,
        storage: Storage,
        folder: str,
        facts: Facts,
        *,
        lease: Lease,
        every_s: float = EVERY_S,
        keeps_history: bool = True,
        is_run: bool = True,
        goes_on: bool = False,
        report: Callable[[Progress], None] | None = None,
        request: Callable[[Callable[[], bool]], str] | None = None,
        paid_elsewhere: Callable[[], float] | None = None,
        rows_kept_s: float | None = None,
        first_s: float = FIRST_S,
        last_s: float = LAST_S,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], str] = timestamp,
        wait: Callable[[threading.Event, float], bool] = threading.Event.wait,
    ) -> None:
        self._storage = storage
        self._folder = folder
        self._facts = facts
        self._lease = lease
        self._every_s = every_s
        self._keeps_history = keeps_history
        self._is_run = is_run
        self._goes_on = goes_on
        self._report = report
        self._request = request
        self._paid_elsewhere = paid_elsewhere
        self._rows_kept_s = rows_kept_s
        self._first_s = min(first_s, every_s)
        self._last_s = last_s
        self._now = now
        self._clock = clock
        self._wait = wait
        self._began = now()
        self._newest: Progress | None = None
        self._earlier: RunRecord | None = None
        """Of an earlier process of this run."""
        self._has_looked_back = False
        self._makes_old = not keeps_history
        """Whether there may be records by now of runs that are long past; a shard has no history that would tell."""
        self._beside: Callable[[], bool] | None = None
        """Writes what lies beside the record."""
        self._lies_beside = False
        """Whether there is any."""
        self._beside_pause_s = self._beside_from = 0.0
        """As long as that fails: how long it is left alone, and until when."""
        self._paid_usd = 0.0
        """By this run, as its ledger had it when it was opened."""
        self._ending: Ending | None = None
        self._end = threading.Event()
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._write_on, name="runware-record", daemon=True)
        self._fails = False

    @classmethod
    def of(  # noqa: PLR0913 - by keyword, each a fact of its own
        cls,
        prepared: Prepared,
        started_at: str,
        *,
        asked: Spec,
        lease: Lease,
        every_s: float,
        is_run: bool = True,
        goes_on: bool = False,
        report: Callable[[Progress], None] | None = None,
        sums_shards: bool = False,
    ) -> Recorder:
        """That of a run as a whole, or of one shard of it.

        Args:
            prepared: what is asked, and where.
            started_at: when this process began, in UTC (ISO 8601).
            asked: what the user asked for, of which this may be a part.
            lease: of its state folder.
            every_s: seconds between two records, at most.
            is_run: as of the class, as the next one.
            goes_on: whether it goes on.
            report: is told of each progress, too.
            sums_shards: whether what the run has paid is in the records of its shards.
        """
        spec, storage = prepared.spec, prepared.storage
        # What else a run is called or has (its id, its day) it does not ask, and would have a file of its own for.
        named = asked.model_copy(update={"variables": dict(prepared.messages.variables)})
        days = spec.memory.retention_days
        facts = Facts(
            run=spec.run or "",
            started_at=started_at,
            try_started_at=started_at,
            asks=what_is_asked(prepared),
            source=spec.source,
            destination=prepared.folder,
            model=spec.model,
            rows=prepared.records * spec.samples,
            budget_usd=None if spec.budget is None else spec.budget.usd,
            budget_tokens=None if spec.budget is None else spec.budget.tokens,
        )

        def request(has_time: Callable[[], bool]) -> str:
            return write_request(storage, prepared.place_state, named, prepared.digests, has_time=has_time)

        def paid() -> float:
            return paid_in_shards(storage, prepared.place_state, facts.run)

        return cls(
            storage,
            prepared.state_folder,
            facts,
            lease=lease,
            every_s=every_s,
            # A shard lies below its place, which has the history.
            keeps_history=prepared.place is None,
            is_run=is_run,
            goes_on=goes_on,
            report=report,
            request=request,
            paid_elsewhere=paid if sums_shards and facts.run else None,
            rows_kept_s=None if days is None else days * DAY_S,
        )

    def saw(self, progress: Progress) -> None:
        """Take note of how far the run is; from any thread."""
        self._newest = progress
        if self._report is not None:
            self._report(progress)

    def knows(self, paid_usd: float) -> None:
        """Take note of what the run has paid by its ledger, which was opened just now."""
        self._paid_usd = paid_usd

    def lay_beside(self, write: Callable[[], bool]) -> None:
        """Call this, too, before each record and after the last one, in the thread; where it fails, ever more rarely.

        Args:
            write: writes a file beside the record, if there is anything to write; whether there is.
        """
        self._beside = write

    def ended(self, ending: Ending) -> None:
        """Take note of how this process ended; what was told first stays."""
        if self._ending is None:
            self._ending = ending
        self._end.set()

    def begin(self) -> None:
        """Write from now on."""
        if not self._is_run:
            return
        # A process that may have no more threads goes on without.
        self._tried(self._thread.start)

    def close(self) -> None:
        """Wait a while for the last record."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(self._last_s)
        self._given_up.set()
        if self._thread.is_alive():
            self._warn("the store does not answer")

    def _may_write(self) -> bool:
        return self._lease.why_lost is None and not self._given_up.is_set()

    # in the thread

    def _write_on(self) -> None:
        self._tried(self._look_back)
        self._tried(self._note_request)
        pause_s = self._first_s
        while not self._wait(self._end, pause_s):
            if self._tried(self._write):
                pause_s = pause_after(self._now() - self._began, self._every_s)
            else:
                pause_s = pause_after_failure(pause_s, self._every_s)
        self._tried(self._write_end)

    def _look_back(self) -> None:
        """Learn what earlier processes of the run noted; before that is known, a record would lose an approval, or money.

        Raises:
            OSError: the store failed.
        """
        if self._has_looked_back:
            return
        earlier = self._earlier_record()
        paid_usd = 0.0 if self._paid_elsewhere is None else self._paid_elsewhere()
        if earlier is not None:
            self._facts = self._facts.going_on_from(earlier, goes_on=self._goes_on)
        self._facts = self._facts.knowing(paid_usd)
        self._earlier = earlier
        self._has_looked_back = True

    def _earlier_record(self) -> RunRecord | None:
        # That of another run without a name says nothing of this one.
        if not self._facts.run:
            return None
        # One that is damaged says nothing, however often it is read.
        with contextlib.suppress(StateUnreadable):
            return read_record(self._storage, self._folder, self._facts.run)
        return None

    def _note_request(self) -> None:
        if self._request is not None and self._may_write():
            self._facts = replace(self._facts, request=self._request(self._has_time))

    def _has_time(self) -> bool:
        """Whether nobody waits for the end of it."""
        return not self._end.is_set() and self._may_write()

    def _write(self) -> None:
        self._write_beside(is_last=False)
        self._look_back()
        if self._may_write():
            write_record(self._storage, self._folder, self._record(None))

    def _write_beside(self, *, is_last: bool) -> None:
        """What fails here costs no record."""
        if self._beside is None or not self._may_write():
            return
        if not is_last and self._now() < self._beside_from:
            return
        if self._tried(partial(self._call, self._beside)):
            self._beside_pause_s = 0.0
            return
        self._beside_pause_s = pause_after_failure(self._beside_pause_s, self._every_s)
        self._beside_from = self._now() + self._beside_pause_s

    def _write_end(self) -> None:
        """Write the last record before all else: it has to be there in time."""
        ending = self._ending
        if ending is None or not self._may_write():
            return
        self._look_back()
        if ending.is_told_before and self._earlier is not None and self._earlier.state == ending.state:
            return
        record = self._record(ending)
        write_record(self._storage, self._folder, record)
        if self._may_write():
            self._tried(partial(self._note_in_history, record, ending))
        self._write_beside(is_last=True)
        if self._may_write() and (self._makes_old or self._lies_beside or self._rows_kept_s is not None):
            remove_old_records(self._storage, self._folder, rows_kept_s=self._rows_kept_s)

    def _call(self, write: Callable[[], bool]) -> None:
        self._lies_beside = write()

    def _note_in_history(self, record: RunRecord, ending: Ending) -> None:
        past = past_of(record, ending)
        if self._keeps_history and past is not None:
            self._makes_old = note_in_history(self._storage, self._folder, past)

    def _record(self, ending: Ending | None) -> RunRecord:
        facts = self._facts.knowing(self._paid_usd)
        return record_of(facts, self._newest, ending, at=self._clock())

    def _tried(self, step: Callable[[], None]) -> bool:
        """Whether a step was done; whatever fails, the run goes on."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on
            self._warn(str(error) if isinstance(error, OSError) else type(error).__name__)
            return False
        return True

    def _warn(self, reason: str) -> None:
        if not self._fails:
            told = f"what is to be seen of this run is not written in {self._folder} ({reason}). The run goes on."
            for line in wrapped("Warning", told):
                log.warning("%s", line)
        self._fails = True


@contextlib.asynccontextmanager
async def recorded(recorder: Recorder) -> AsyncIterator[None]:
    """While the block lasts, the recorder writes, and then how it ended, if it was not told so before."""
    recorder.begin()
    try:
        yield
    except AllSent:
        recorder.ended(Ending("waiting"))
        raise
    except BaseException as error:
        recorder.ended(Ending.badly(error))
        raise
    finally:
        await asyncio.to_thread(recorder.close)
