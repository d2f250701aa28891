"""What a process learnt of the API's capacity, for the next process of the same place: `pace.json`.

It is a hint and no promise: whoever begins with it still gives way to refusals and to latency. So the last writer
wins, and a file that cannot be read is as good as none.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.state_records import decoded, encoded

if TYPE_CHECKING:
    from runware_provider.engine.storage.port import Storage

NAME = "pace.json"
FORMAT = 2
"""The first one lacked whether a limit was met, and was written only by processes that take it for one."""
LONGEST_LATENCY_S = 86_400.0


@dataclass(frozen=True)
class Learnt:
    """The window that fitted, and the latency at which it did."""

    window: int
    """Inferences under way at once."""
    latency_s: float
    """On average, from acceptance to the look that found the answer; what took more than twice as long counts for that."""
    met_a_limit: bool = True
    """Whether the window is as large as it was for a limit of the API's, not of the job's."""


def read_pace(storage: Storage, folder: str, model: str) -> Learnt | None:
    """What the last process of this place learnt of this model; None where nobody did, or nobody can tell.

    Args:
        storage: of the folder.
        folder: the state folder of the place, not that of a shard: shards learn from one another.
        model: its id; another model has another capacity.
    """
    path = storage.join(folder, NAME)
    try:
        record = decoded(storage.read(path), path, newest=FORMAT)
    except (OSError, StateUnreadable):
        return None
    window, latency_s = record.get("window"), record.get("latency_s")
    if record.get("model") != model or type(window) is not int or window < 1:
        return None
    if not isinstance(latency_s, float) or not math.isfinite(latency_s):
        return None
    latency_s = min(LONGEST_LATENCY_S, max(0.0, latency_s))
    return Learnt(window, latency_s, record.get("met_a_limit") is not False)


def write_pace(storage: Storage, folder: str, model: str, learnt: Learnt) -> None:
    """Keep it for the next process. Where it cannot be written, that one finds out by itself."""
    path = storage.join(folder, NAME)
    record = {
        "format": FORMAT,
        "model": model,
        "window": learnt.window,
        "latency_s": learnt.latency_s,
        "met_a_limit": learnt.met_a_limit,
    }
    with contextlib.suppress(OSError):
        before = storage.read_versioned(path)
        storage.replace_if(path, encoded(record), None if before is None else before[1])
