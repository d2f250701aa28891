"""What a task pushed of its places, opened for reading: only after it was seen that the viewer may, and that they lie below a root."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.storage.port import Storage
    from runware_provider.pages.run_view import TaskAt


@dataclass(frozen=True)
class OpenedPlace:
    """The state folder of a dataset that a task writes."""

    at: TaskAt
    places: Mapping[str, str]
    """As the task pushed them (`runware_provider.places`)."""
    storage: Storage
    state: str
    """The state folder of the place, also for a task that is a shard of it."""
    run: str
    """The name of the run that the task belongs to."""
    shard: int | None
    """Which one the task is, of a group."""
