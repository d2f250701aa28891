"""What a page shows, as it was read: of one task of ours, and of the datasets that this Airflow writes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.job.run_record import PastRun, RunRecord

URL_PREFIX: Final = "/runware/jobs"
"""Below which Airflow's API server has these pages."""
UNMAPPED: Final = -1
MOST_SHARDS: Final = 100
"""Of a group, whose records or texts are read, beside the one whose page it is."""
NOTHING_YET: Final = "This run has noted nothing in its state folder yet."
"""What there is to say of one run alone; other troubles are those of a server or a store."""


@dataclass(frozen=True)
class TaskAt:
    """A task instance, as a path names it."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = UNMAPPED

    @property
    def path(self) -> str:
        """Of its page, below `URL_PREFIX`: every part is quoted."""
        parts = (self.dag_id, self.run_id, self.task_id, str(self.map_index))
        return "/" + "/".join(quote(part, safe="") for part in parts)

    @property
    def answer_path(self) -> str:
        """Of Airflow's own page where a person decides what the task waits for."""
        dag, run, task = (quote(part, safe="") for part in (self.dag_id, self.run_id, self.task_id))
        mapped = "" if self.map_index == UNMAPPED else f"/mapped/{self.map_index}"
        return f"/dags/{dag}/runs/{run}/tasks/{task}{mapped}/required_actions"


@dataclass(frozen=True)
class TaskNow:
    """What Airflow says of a task instance."""

    state: str | None
    """As Airflow spells it, such as `running`; None before it is scheduled."""
    try_number: int = 0
    operator: str = ""


@dataclass(frozen=True)
class ShardView:
    """One shard of a group."""

    number: int
    """From 0."""
    record: RunRecord | None
    """None before it began in this run."""


@dataclass(frozen=True)
class RunView:
    """A task of ours."""

    at: TaskAt
    task: TaskNow
    places: Mapping[str, str]
    """As the task pushed them: `output`, `state`, `manifest`, perhaps `report`."""
    record: RunRecord | None
    """Of the run in the place as a whole; of a group's task, what `split` and `publish` noted. None where none is there."""
    shard: int | None = None
    """Which one the task is, of a group."""
    shards: tuple[ShardView, ...] = ()
    """Of the group that the task belongs to; empty for a plain task."""
    shards_left_out: int = 0
    """Shards beyond those that were read."""
    shard_states: Mapping[int, str] = field(default_factory=dict)
    """What Airflow says of the tasks of the shards, as far as anybody asked."""
    past: tuple[PastRun, ...] = ()
    """The last runs of the same dataset, the newest first."""
    may_read_texts: bool = False
    """Whether texts are shown here, and this person may read them."""
    has_report: bool = False
    trouble: str = ""
    """Why something is missing, in a sentence."""
    read_at: str = ""
    """When, in UTC (ISO 8601); empty where nobody says."""
    approve_at: str = ""
    """Airflow's own page where a person decides; empty where nobody has to."""


@dataclass(frozen=True)
class DatasetView:
    """A dataset that a task of this Airflow writes, as of its newest run."""

    at: TaskAt
    output: str
    record: RunRecord | None
    past: tuple[PastRun, ...] = field(default=())
    """The last runs, the newest first."""
    trouble: str = ""
    shards: tuple[ShardView, ...] = ()
    """Of a group that is at work, as far as they were read."""
    task_state: str | None = None
    """As Airflow spells it; None where nobody asked."""
    is_in_shards: bool = False
    """Whether it is such a group whose shards were not read: what is recorded of the whole says little of it then."""


def name_of_dataset(output: str) -> str:
    """What people call it: the last part of where it lies, and the hive partition below that; empty where none is known."""
    parts = [part for part in output.split("/") if part]
    first = next((place for place in reversed(range(len(parts))) if "=" not in parts[place]), 0)
    return "/".join(parts[first:])
