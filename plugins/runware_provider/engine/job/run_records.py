"""Where the records of runs lie, for whoever looks on (docs/decisions/0020).

<state folder>/runs/<id>.json          the run as it was a moment ago, or as it ended
<state folder>/history.json            the last runs, a few numbers each
<state folder>/shards/0007/runs/...    the same run, as one shard of it sees it

Nothing of the engine decides by them: who loses one loses a picture.
"""

from __future__ import annotations

import hashlib
import heapq
import math
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.run_record import PastRun, RunRecord
from runware_provider.engine.state_records import decoded, encoded, understood

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runware_provider.engine.storage.stores import Storage, Version

FORMAT: Final = 1
FOLDER: Final = "runs"
HISTORY: Final = "history.json"
MOST_PAST: Final = 50
"""Runs that the history keeps."""
MOST_RECORDS: Final = 100
"""Runs whose records are kept: those of the history, and as many that never came to an end."""
MOST_REMOVED: Final = 20
"""Files that one run removes."""
TRIES: Final = 5
"""To swap the history, while others do."""

_RECORD = TypeAdapter(RunRecord)
_PAST = TypeAdapter(list[PastRun])


def record_path(storage: Storage, folder: str, run: str) -> str:
    """Where the record of a run of this name lies below a state folder."""
    name = hashlib.sha256(run.encode()).hexdigest()[:20]
    return storage.join(folder, FOLDER, f"{name}.json")


def read_record(storage: Storage, folder: str, run: str) -> RunRecord | None:
    """The record of a run; None where there is none.

    Raises:
        StateUnreadable: it is damaged, or of a newer format.
        OSError: the store failed.
    """
    path = record_path(storage, folder, run)
    read = storage.read_versioned(path)
    if read is None:
        return None
    record = decoded(read[0], path, newest=FORMAT)
    with understood(path):
        return _RECORD.validate_python({name: value for name, value in record.items() if name != "format"})


def write_record(storage: Storage, folder: str, record: RunRecord) -> None:
    """Write it in place of the one before; where another process writes at the same moment, the later one stays.

    Raises:
        OSError: the store failed.
    """
    with storage.writing(record_path(storage, folder, record.run)) as file:
        file.write(encoded({"format": FORMAT, **asdict(record)}))


def remove_old_records(storage: Storage, folder: str) -> None:
    """Keep the records of the newest runs, with all that lies beside them under the same names.

    What is at work is among them, since its record is written again and again.

    Raises:
        OSError: the store failed.
    """
    newest: dict[str, float] = {}
    files = storage.list(storage.join(folder, FOLDER), recursive=False, links=False)
    for file in files:
        # Where the store does not know when it was written, it stays.
        written = math.inf if file.modified is None else file.modified
        newest[_id(file.path)] = max(written, newest.get(_id(file.path), 0.0))
    kept = heapq.nlargest(MOST_RECORDS, newest, key=newest.__getitem__)
    old = [file.path for file in files if _id(file.path) not in kept]
    for path in old[:MOST_REMOVED]:
        storage.delete(path)


def _id(path: str) -> str:
    """Of the run whose file lies there: `<id>.json`, `<id>-failed.parq`."""
    return path.rpartition("/")[2].partition(".")[0].partition("-")[0]


def read_history(storage: Storage, folder: str) -> list[PastRun]:
    """The last runs of a place, the newest first; empty where none has ended.

    Raises:
        StateUnreadable: it is damaged, or of a newer format.
        OSError: the store failed.
    """
    return _history(storage, folder)[0]


def note_in_history(storage: Storage, folder: str, past: PastRun) -> bool:
    """Put a run that has ended before all others; an earlier end of the same run goes.

    Returns:
        Whether the oldest run dropped out for it.

    Raises:
        StateUnreadable: a newer version wrote the history.
        OSError: the store failed, or others kept writing at the same moment.
    """
    dropped = False

    def with_it(before: list[PastRun]) -> list[PastRun]:
        nonlocal dropped
        runs = [past, *(other for other in before if not _is_same(other, past))]
        dropped = len(runs) > MOST_PAST
        return runs[:MOST_PAST]

    _change_history(storage, folder, with_it)
    return dropped


def note_hits(storage: Storage, folder: str, publish_id: str, hits: Mapping[str, Mapping[str, int]]) -> None:
    """Add how often a published dataset is as expected to the newest run that published it, if the history has it.

    Args:
        storage: where the state folder lies.
        folder: the state folder of the place.
        publish_id: of the dataset.
        hits: by field `hits` and `of`.

    Raises:
        StateUnreadable: a newer version wrote the history.
        OSError: the store failed, or others kept writing at the same moment.
    """
    told = {path: dict(counts) for path, counts in hits.items()}

    def with_hits(before: list[PastRun]) -> list[PastRun]:
        runs = list(before)
        for place, past in enumerate(runs):
            if past.publish_id == publish_id:
                runs[place] = replace(past, hits=told)
                break
        return runs

    _change_history(storage, folder, with_hits)


def _is_same(one: PastRun, other: PastRun) -> bool:
    """Whether both are ends of the same run; runs without a name are told apart by their start."""
    if one.run or other.run:
        return one.run == other.run
    return one.started_at == other.started_at


def _change_history(storage: Storage, folder: str, change: Callable[[list[PastRun]], list[PastRun]]) -> None:
    """Swap the history for a changed one; who is overtaken by another process changes what that one wrote."""
    path = storage.join(folder, HISTORY)
    for _ in range(TRIES):
        before, version = _history(storage, folder, anew=True)
        runs = change(before)
        if runs == before:
            return
        written = encoded({"format": FORMAT, "runs": [asdict(past) for past in runs]})
        if storage.replace_if(path, written, version):
            return
    raise OSError(f"{path}: others kept writing at the same moment")


def _history(storage: Storage, folder: str, *, anew: bool = False) -> tuple[list[PastRun], Version | None]:
    """The history and its version; where it is damaged, it may begin anew: what is lost is a picture."""
    path = storage.join(folder, HISTORY)
    read = storage.read_versioned(path)
    if read is None:
        return [], None
    data, version = read
    try:
        record = decoded(data, path, newest=FORMAT)
        with understood(path):
            return _PAST.validate_python(record["runs"]), version
    except StateUnreadable:
        # What a newer version wrote is not damaged, and is not written over.
        if anew and not _is_newer(data, path):
            return [], version
        raise


def _is_newer(data: bytes, path: str) -> bool:
    """Whether a newer version wrote it, rather than that it is damaged."""
    try:
        return int(decoded(data, path, newest=sys.maxsize)["format"]) > FORMAT
    except StateUnreadable:
        return False
