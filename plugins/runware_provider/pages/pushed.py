"""What Airflow's REST API says, checked: whoever may write XComs writes what they like. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from runware_provider.pages.run_view import UNMAPPED, TaskAt, TaskNow

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACES: Final = "places"
"""The key of the XCom in which a task tells where it writes (`runware_provider.places`)."""
MOST_CHARS: Final = 4096
MOST_ID_CHARS: Final = 250
_TEXTS: Final = ("output", "state", "manifest", "report", "run")
_NEEDED: Final = ("output", "state", "run")
_MOST_SHARDS: Final = 1_000_000
_ID: Final = re.compile(r"[\w.-]+")
_RUN_ID: Final = re.compile(r"[^\x00-\x1f\x7f/\\]+")
_INDEX: Final = re.compile(r"-1|[0-9]{1,6}")
_UNFILLED: Final = {"", "{MAP_INDEX}"}
"""What Airflow's page leaves of the map index of a task that is not mapped."""


def task_at(dag_id: str, run_id: str, task_id: str, map_index: str) -> TaskAt | None:
    """The task instance that the parts of a path name, each decoded; None where no task can be called so."""
    index = str(UNMAPPED) if map_index in _UNFILLED else map_index
    # `~` stands for all of them in Airflow's own paths.
    if "~" in {dag_id, run_id, task_id} or {".", ".."} & {dag_id, run_id, task_id}:
        return None
    if not (_ID.fullmatch(dag_id) and _RUN_ID.fullmatch(run_id) and _ID.fullmatch(task_id)):
        return None
    if max(map(len, (dag_id, run_id, task_id))) > MOST_ID_CHARS or not _INDEX.fullmatch(index):
        return None
    return TaskAt(dag_id, run_id, task_id, int(index))


def task_now(told: Any) -> TaskNow | None:
    """What is said of a task instance; None where that cannot be understood."""
    if not isinstance(told, dict):
        return None
    state, tries, operator = told.get("state"), told.get("try_number"), told.get("operator")
    return TaskNow(
        state if isinstance(state, str) else None,
        tries if type(tries) is int else 0,
        operator if isinstance(operator, str) else "",
    )


def states(told: Any) -> dict[int, str]:
    """The states in a list of task instances, by map index; what cannot be understood is left out."""
    listed = told.get("task_instances") if isinstance(told, dict) else None
    tasks = [task for task in listed if isinstance(task, dict)] if isinstance(listed, list) else []
    named = ((task.get("map_index"), task.get("state")) for task in tasks)
    return {index: state for index, state in named if type(index) is int and isinstance(state, str)}


def places(told: Any) -> dict[str, str] | None:
    """The places in the reply to a question for the XCom, the shard's number as a text; None where they are none of ours."""
    value = told.get("value") if isinstance(told, dict) else None
    value = _read(value) if isinstance(value, str) else value
    if not isinstance(value, dict):
        return None
    kept = {name: value[name] for name in _TEXTS if _is_short_text(value.get(name))}
    if any(not kept.get(name) for name in _NEEDED):
        return None
    shard = value.get("shard")
    if type(shard) is int and 0 <= shard < _MOST_SHARDS:
        kept["shard"] = str(shard)
    return kept


def shard_of(pushed: Mapping[str, str]) -> int | None:
    """Which shard the task is that pushed these places."""
    return int(pushed["shard"]) if "shard" in pushed else None


def entries(told: Any) -> list[TaskAt]:
    """The tasks in a list of XComs, in its order; what cannot be understood is left out."""
    named = [_entry(entry) for entry in _listed(told)]
    return [at for at in named if at is not None]


def length(told: Any) -> int:
    """How many XComs are in a list of them, whether they can be understood or not."""
    return len(_listed(told))


def total(told: Any) -> int:
    """How many XComs there are, of which a list shows some."""
    number = told.get("total_entries") if isinstance(told, dict) else None
    return number if type(number) is int and number >= 0 else length(told)


def _listed(told: Any) -> list[Any]:
    listed = told.get("xcom_entries") if isinstance(told, dict) else None
    return listed if isinstance(listed, list) else []


def is_named_by(run: str, at: TaskAt) -> bool:
    """Whether a run's name is one that this task instance, or the group that it belongs to, gives to its runs.

    A record of that name in a state folder was written by this very run: only so is a place shown that an XCom names.
    """
    return run == _own_name(at) or is_of_a_group(run, at)


def is_of_a_group(run: str, at: TaskAt) -> bool:
    """Whether a run's name is the one that all tasks of the group share which this task belongs to."""
    group = at.task_id.rpartition(".")[0]
    return bool(group) and run == _own_name(TaskAt(at.dag_id, at.run_id, group))


def _own_name(at: TaskAt) -> str:
    return f"{at.dag_id}/{at.task_id}/{at.run_id}/{at.map_index}"


def _entry(entry: Any) -> TaskAt | None:
    if not isinstance(entry, dict):
        return None
    dag_id, run_id, task_id = (entry.get(name) for name in ("dag_id", "run_id", "task_id"))
    if not (isinstance(dag_id, str) and isinstance(run_id, str) and isinstance(task_id, str)):
        return None
    return task_at(dag_id, run_id, task_id, str(entry.get("map_index")))


def _is_short_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MOST_CHARS


def _read(text: str) -> Any:
    """A value that Airflow has as JSON; as the text itself where it is none."""
    if len(text) > 16 * MOST_CHARS:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
