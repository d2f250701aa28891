"""Notes why a run was refused before any process of it was at work: no process writes a record of that (docs/decisions/0020)."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runware_provider.engine.dataset.destination import dataset_folder
from runware_provider.engine.errors import NothingToDo
from runware_provider.engine.job.opening import timestamp
from runware_provider.engine.job.recorded import Ending, Facts, past_of, record_of
from runware_provider.engine.job.run_records import note_in_history, read_record, write_record
from runware_provider.engine.job.split_record import shard_folder
from runware_provider.engine.memory.state_folder import find_job
from runware_provider.engine.shown_urls import without_password

if TYPE_CHECKING:
    from runware_provider.engine.job.run_record import RunRecord
    from runware_provider.engine.spec import Spec
    from runware_provider.engine.storage.stores import Stores

ENDED: Final = frozenset({"stopped", "refused"})
OF_THE_RUN: Final = ("paid_usd", "still_at_vendor")
"""Of what an error says of how far a preview came, that which is the run's, too."""
LAST_S: Final = 2.0
"""That whoever was refused waits for the record to be written."""


def note_refused(  # noqa: PLR0913 - by keyword, each a fact of its own
    spec: Spec,
    error: BaseException,
    stores: Stores,
    *,
    began_at: str,
    shard: int | None = None,
    wait_s: float = LAST_S,
) -> None:
    """Let the record of a run say that it stopped, and why; nothing that fails here fails anything.

    Nothing is written for a run without a name, where there is no job yet whose state folder this is, or where the run has
    noted its end itself.

    Args:
        spec: what the user asked for.
        error: why it was refused.
        stores: opens the stores that the paths name.
        began_at: when this try began, in UTC (ISO 8601, to the millisecond).
        shard: which one was refused; None for the whole.
        wait_s: seconds that this takes at most.
    """

    def note() -> None:
        # Why it was refused is in the log, whatever the store does.
        with contextlib.suppress(Exception):
            _note(spec, error, stores, began_at, shard)

    thread = threading.Thread(target=note, name="runware-refused", daemon=True)
    # A process that may have no more threads goes on without.
    with contextlib.suppress(RuntimeError):
        thread.start()
        thread.join(wait_s)


def _note(spec: Spec, error: BaseException, stores: Stores, began_at: str, shard: int | None) -> None:
    if not spec.run:
        return
    storage = stores.open(spec.destination, field="destination")
    stores.open_beside(storage, spec.state_folder, field="memory.state")
    place = dataset_folder(storage, spec.state_folder, spec.partition)
    folder = place if shard is None else shard_folder(storage, place, shard)
    job = find_job(storage, folder)
    # What was refused gets no state folder, and writes into none of another dataset's.
    if job is None or storage.canonical(job.destination) != storage.canonical(spec.destination):
        return
    earlier = read_record(storage, folder, spec.run)
    # A process of this try was at work, and knows better how it ended.
    if earlier is not None and earlier.state in ENDED and earlier.at >= began_at:
        return
    ending = _ending_of(error)
    record = _record(spec, earlier, ending, began_at)
    write_record(storage, folder, record)
    past = past_of(record, ending)
    # A shard has no history.
    if shard is None and past is not None:
        note_in_history(storage, folder, past)


def _ending_of(error: BaseException) -> Ending:
    # To run it again would find the same nothing.
    if isinstance(error, NothingToDo):
        return Ending("stopped", reason=f"there was nothing to do: {error}")
    ending = Ending.badly(error)
    # The rows that it knows of may be those of a preview, whose money is the run's.
    return replace(ending, known={name: ending.known[name] for name in OF_THE_RUN if name in ending.known})


def _record(spec: Spec, earlier: RunRecord | None, ending: Ending, began_at: str) -> RunRecord:
    facts = Facts(
        run=spec.run or "",
        started_at=began_at,
        try_started_at=began_at,
        source=without_password(spec.source),
        destination=without_password(spec.destination),
        model=spec.model,
        rows=0,
        budget_usd=None if spec.budget is None else spec.budget.usd,
        budget_tokens=None if spec.budget is None else spec.budget.tokens,
    )
    if earlier is not None:
        facts = facts.as_large_as(earlier).going_on_from(earlier, goes_on=False)
    return record_of(facts, None, ending, at=timestamp())
