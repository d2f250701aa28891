"""Where the records of runs lie, for whoever looks on (docs/decisions/0020).

<state folder>/runs/<id>.json          the run as it was a moment ago, or as it ended
<state folder>/history.json            the last runs, a few numbers each
<state folder>/shards/0007/runs/...    the same run, as one shard of it sees it

Nothing of the engine decides by them: who loses one loses a picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from runware_provider.engine.job.run_record import PastRun, RunRecord
from runware_provider.engine.state_records import decoded, encoded, understood

if TYPE_CHECKING:
    from runware_provider.engine.storage.stores import Storage

FORMAT = 1
FOLDER = "runs"
HISTORY = "history.json"
MOST_PAST = 50
"""Runs that the history keeps."""

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
    """Write it in place of the one before; where another process writes at the same moment, one of the two stays.

    Raises:
        OSError: the store failed.
    """
    path = record_path(storage, folder, record.run)
    read = storage.read_versioned(path)
    data = encoded({"format": FORMAT, **asdict(record)})
    storage.replace_if(path, data, None if read is None else read[1])


def read_history(storage: Storage, folder: str) -> list[PastRun]:
    """The last runs of a place, the newest first; empty where none has ended.

    Raises:
        StateUnreadable: it is damaged, or of a newer format.
        OSError: the store failed.
    """
    path = storage.join(folder, HISTORY)
    read = storage.read_versioned(path)
    if read is None:
        return []
    record = decoded(read[0], path, newest=FORMAT)
    with understood(path):
        return _PAST.validate_python(record["runs"])
