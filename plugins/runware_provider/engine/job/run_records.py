"""Where the records of runs lie, for whoever looks on (docs/decisions/0020).

<state folder>/runs/<id>.json          the run as it was a moment ago, or as it ended
<state folder>/history.json            the last runs, a few numbers each
<state folder>/shards/0007/runs/...    the same run, as one shard of it sees it

Nothing of the engine decides by them: who loses one loses a picture.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import math
import sys
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.job.run_history import is_same_run, with_end
from runware_provider.engine.job.run_record import PastRun, RunRecord
from runware_provider.engine.state_records import decoded, encoded, understood

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runware_provider.engine.storage.port import StoredFile
    from runware_provider.engine.storage.stores import Storage, Version

FORMAT: Final = 1
FOLDER: Final = "runs"
HISTORY: Final = "history.json"
ROWS: Final = "-failed.parq"
"""How the names of files end that hold rows which failed (`run_examples`)."""
MOST_RECORDS: Final = 100
"""Runs whose records are kept: those of the history, and as many that never came to an end."""
MOST_WITH_ROWS: Final = 20
"""Of these, runs whose rows that failed are kept."""
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
    return _record_at(storage, record_path(storage, folder, run))


def _record_at(storage: Storage, path: str) -> RunRecord | None:
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


def records_in(storage: Storage, folder: str) -> Iterator[RunRecord]:
    """The records of all runs, in no order, each read when it is taken; one that is damaged is left out.

    Raises:
        OSError: the store failed.
    """
    for path in record_paths(storage, folder):
        with contextlib.suppress(StateUnreadable):
            record = _record_at(storage, path)
            if record is not None:
                yield record


def record_paths(storage: Storage, folder: str) -> list[str]:
    """Where the records of all runs lie; errors as of `records_in`."""
    return [file.path for file in _files(storage, folder) if file.path.endswith(".json")]


def remove_old_records(
    storage: Storage, folder: str, *, rows_kept_s: float | None = None, now: Callable[[], float] = time.time
) -> None:
    """Keep the records of the newest runs, and of some of them the rows that failed, a few at once of what is older.

    What is at work is among the newest, since its record is written again and again.

    Args:
        storage: where the state folder lies.
        folder: the state folder.
        rows_kept_s: seconds for which rows that failed are kept; None for as long as their runs are few.
        now: seconds since the epoch.

    Raises:
        OSError: the store failed.
    """
    rows_from = -math.inf if rows_kept_s is None else now() - rows_kept_s
    for path in too_old(_files(storage, folder), rows_from)[:MOST_REMOVED]:
        storage.delete(path)


def too_old(files: Sequence[StoredFile], rows_from: float) -> list[str]:
    """The paths of files that lie beside those of so many newer runs that they are to go, rows that failed first.

    Args:
        files: records of runs, and what lies beside them under the same names.
        rows_from: rows that failed and were written before that go, in seconds since the epoch.
    """
    newest: dict[str, float] = {}
    for file in files:
        newest[_id(file.path)] = max(_written(file), newest.get(_id(file.path), 0.0))
    kept = set(heapq.nlargest(MOST_RECORDS, newest, key=newest.__getitem__))
    rows = [file for file in files if file.path.endswith(ROWS)]
    rows_kept = {file.path for file in heapq.nlargest(MOST_WITH_ROWS, rows, key=_written)}
    old_rows = [file.path for file in rows if file.path not in rows_kept or _written(file) < rows_from]
    return old_rows + [
        file.path for file in files if _id(file.path) not in kept and file.path not in old_rows
    ]


def _written(file: StoredFile) -> float:
    """When; what the store does not know the time of stays."""
    return math.inf if file.modified is None else file.modified


def _files(storage: Storage, folder: str) -> list[StoredFile]:
    return list(storage.list(storage.join(folder, FOLDER), recursive=False, links=False))


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
    """Put a run that has ended among the others (`recorded.with_end`).

    Returns:
        Whether the line of another run went for it.

    Raises:
        StateUnreadable: a newer version wrote the history.
        OSError: the store failed, or others kept writing at the same moment.
    """
    dropped = False

    def with_it(before: list[PastRun]) -> list[PastRun]:
        nonlocal dropped
        runs = with_end(before, past)
        dropped = sum(not is_same_run(other, past) for other in before) > len(runs) - 1
        return runs

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
