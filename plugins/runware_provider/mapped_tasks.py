"""Mapped tasks that would all write to one place, each over the rows of the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

PLACE: Final = ("destination", "partition")
"""The arguments that say where a task publishes; a state folder of its own does not make a dataset of its own."""
_OF_THE_TASK = re.compile(r"\{[{%][^}]*\b(ti|task_instance|task|map_index|expanded_ti_count)\b")
"""What a template can say that differs from one mapped task to the next."""


def refuse_shared_place(context: Context, given: Mapping[str, Any]) -> None:
    """Refuse a mapped task whose destination and partition are those of its siblings; nothing is sent yet.

    Args:
        context: of the task instance.
        given: the arguments of `PLACE` as the DAG gives them, before anything is rendered.

    Raises:
        BadInput: each task would replace what the others published.
    """
    instance = context["ti"]
    if instance.map_index is None or instance.map_index < 0:
        return
    expanded = _expanded(context["dag"].task_dict.get(instance.task_id))
    if any(name in expanded or _differs(given.get(name)) for name in PLACE):
        return
    raise BadInput(
        "destination",
        f"it is {given['destination']!r:.200} for each of the mapped tasks, so that each would replace the rows of the others",
        "Give each its own: expand destination or partition too, or write {{ ti.map_index }} into one of them."
        " Or make one dataset of all files: as a folder or a glob, which one task reads, or which"
        " runware_provider.groups.text_inference_group(...) cuts into shards for many",
    )


def _expanded(task: Any) -> set[str]:
    """The names of the arguments that differ from one mapped task to the next; all where nobody can tell."""
    expand_input = getattr(task, "expand_input", None)
    if expand_input is None:
        return set()
    values = expand_input.value
    if isinstance(values, dict):
        return set(values)
    if isinstance(values, list | tuple):
        return {name for value in values for name in (value if isinstance(value, dict) else PLACE)}
    return set(PLACE)


def _differs(value: Any) -> bool:
    """Whether an argument may be another one in each of the tasks."""
    if isinstance(value, str):
        return _OF_THE_TASK.search(value) is not None
    if isinstance(value, dict):
        return any(_differs(part) for part in value.values())
    # What has no value before the task runs comes from another task, or from the function of a decorated one.
    return value is not None
