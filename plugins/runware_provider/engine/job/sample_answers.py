"""Answers that a person looks at before the rest is paid for.

<state folder>/samples/<id>.json       a few records with their answers, as long as somebody has to decide

They are texts, so they lie where the answers lie, and nowhere else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.job.run_records import record_path
from runware_provider.engine.outcome.rows import INFERENCE
from runware_provider.engine.state_records import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.storage.stores import Storage

FORMAT: Final = 1
FOLDER: Final = "samples"
MOST_CHARS: Final = 20_000
"""Of one text of a sample: a person reads no more, and a page shows no more."""
_RESULT: Final = "result"


def samples_path(storage: Storage, folder: str, run: str) -> str:
    """Where the samples of a run of this name lie below a state folder."""
    name = record_path(storage, folder, run).rpartition("/")[2]
    return storage.join(folder, FOLDER, name)


def write_samples(
    storage: Storage,
    folder: str,
    run: str,
    *,
    inputs: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Keep what a preview showed, in place of what was kept before.

    Args:
        storage: where the state folder lies.
        folder: the state folder of the place.
        run: the name of the run.
        inputs: of each row, the columns of the input that the dataset keeps.
        rows: the results and `inference`, as a preview tells them.

    Raises:
        OSError: the store failed.
    """
    path = samples_path(storage, folder, run)
    samples = [_sample(shown, row) for shown, row in zip(inputs, rows, strict=True)]
    read = storage.read_versioned(path)
    version = None if read is None else read[1]
    storage.replace_if(path, encoded({"format": FORMAT, "rows": samples}), version)


def remove_samples(storage: Storage, folder: str, run: str) -> None:
    """Remove those of a run, if there are any; errors as of `write_samples`."""
    path = samples_path(storage, folder, run)
    if storage.exists(path):
        storage.delete(path)


def forget_samples(storage: Storage, folder: str) -> int:
    """Remove those of all runs: nobody can say whose texts they hold; returns how many files it were.

    Raises:
        OSError: the store failed.
    """
    entries = list(storage.list(storage.join(folder, FOLDER), links=False))
    for entry in entries:
        storage.delete(entry.path)
    return len(entries)


def _sample(shown: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """One record with its answer; a result that is flattened to columns is put together again."""
    results = {name: value for name, value in row.items() if name != INFERENCE}
    result = results[_RESULT] if list(results) == [_RESULT] else results
    return {"input": _plain(shown), "result": _plain(result), "inference": _plain(row[INFERENCE])}


def _plain(value: Any) -> Any:
    """A value as JSON can say it, of a size that can be shown."""
    match value:
        case dict():
            return {str(name): _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return f"{len(value):,} bytes"
    return str(value)[:MOST_CHARS]
