"""A job in shards as a group of tasks: cut the source, ask each shard in a task of its own, publish all as one dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import TaskGroup, TriggerRule

from runware_provider.engine.errors import BadInput
from runware_provider.engine.job.shard_counts import LEAST_ROWS, SHARDS, check_counts
from runware_provider.shard_operators import (
    INFER,
    PUBLISH,
    SPLIT,
    InferShardOperator,
    PublishShardsOperator,
    SplitShardsOperator,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

SHARDS_AT_ONCE: Final = 4
LEAST_RETRIES: Final = 2
"""Airflow fails a task before it has begun where its API server is slow at that moment; only a retry helps then."""
RETRY_DELAY_S: Final = 10.0
LABEL: Final = "{{ task.shard_label }}"

OF_ONE_TASK: Final = {
    "trigger_rule": SPLIT,
    "map_index_template": INFER,
    "deferrable": INFER,
    "inlets": SPLIT,
    "outlets": PUBLISH,
    "do_xcom_push": PUBLISH,
    "multiple_outputs": PUBLISH,
}
"""Airflow's arguments that only one of the tasks gets: who waits for the dataset waits for `publish`."""
OF_THE_OTHERS: Final[Mapping[str, Any]] = {
    "trigger_rule": TriggerRule.ALL_SUCCESS,
    "inlets": (),
    "outlets": (),
    "do_xcom_push": True,
    "multiple_outputs": False,
}
"""What the other tasks get in their place, whatever `default_args` say: they need each other's results, and none of them
publishes anything."""

INSTEAD: Final = {
    "task_id": "Write group_id, and the tasks are called split, infer and publish",
    "max_active_tis_per_dagrun": "Write shards_at_once",
    "shard": "Write source, destination and prompt as for TextInferenceOperator, and the group does the rest",
}


def text_inference_group(  # noqa: PLR0913 - by keyword, each a fact of its own
    *,
    group_id: str,
    shards: int = SHARDS,
    shards_at_once: int = SHARDS_AT_ONCE,
    least_rows: int = LEAST_ROWS,
    retries: int | None = None,
    retry_delay: timedelta | float = RETRY_DELAY_S,
    **arguments: Any,
) -> TaskGroup:
    """Ask the model about every record of a large dataset, in shards: the task group `split`, `infer`, `publish`.

    `split` cuts the source, each task of `infer` asks what one shard asks, and `publish` makes one dataset of them and
    returns its manifest's summary. Nothing is paid twice, whichever of the tasks is retried or cleared, or all of them.

    Args:
        group_id: the group's name; its tasks are `<group_id>.split` and so on.
        shards: into how many shards the source is cut, at most, and never into more than `[core] max_map_length`.
        shards_at_once: how many of them are at work at the same time. They share `limits.max_outstanding`.
        least_rows: rows that are worth a shard of their own; a source of fewer is one shard.
        retries: of each task; by default 2, or what `default_args` say, if that is more.
        retry_delay: seconds, or a timedelta, between two tries of a task, whatever `default_args` say.
        arguments: those of `TextInferenceOperator`, with the same meaning, and Airflow's own, which all three tasks get.
            `outlets` and `do_xcom_push` are those of `publish` alone, `inlets` and `trigger_rule` those of `split`, and
            `deferrable` is that of `infer`: a shard that waits for its answers counts as one at work.

    Raises:
        BadInput: an argument cannot work.
    """
    for name, instead in INSTEAD.items():
        if name in arguments:
            raise BadInput(name, "a group of tasks has no such argument", instead)
    check_counts(shards=shards, shards_at_once=shards_at_once, least_rows=least_rows)
    group = TaskGroup(group_id, tooltip="One dataset, asked in shards", **_of_the_group(arguments))
    common = {
        **{name: value for name, value in arguments.items() if name not in (*OF_ONE_TASK, "task_group")},
        "retries": _retries(group, arguments) if retries is None else retries,
        "retry_delay": retry_delay,
    }
    with group:
        split = SplitShardsOperator(
            task_id=SPLIT, shards=shards, least_rows=least_rows, **common, **_of_task(SPLIT, arguments)
        )
        infer = InferShardOperator.partial(
            task_id=INFER,
            shards_at_once=shards_at_once,
            max_active_tis_per_dagrun=shards_at_once,
            **common,
            **{"map_index_template": LABEL, **_of_task(INFER, arguments)},
        ).expand(shard=split.output)
        publish = PublishShardsOperator(
            task_id=PUBLISH, shards=split.output, **common, **_of_task(PUBLISH, arguments)
        )
        infer >> publish
    return group


def _of_the_group(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Where the group belongs, if that is not the DAG or the group around it."""
    places = {"dag": arguments.get("dag"), "parent_group": arguments.get("task_group")}
    return {name: place for name, place in places.items() if place is not None}


def _of_task(task: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that this task alone gets, and what it gets in the place of those that another task alone gets."""
    own = {name: value for name, value in arguments.items() if OF_ONE_TASK.get(name) == task}
    return {name: value for name, value in OF_THE_OTHERS.items() if OF_ONE_TASK[name] != task} | own


def _retries(group: TaskGroup, arguments: Mapping[str, Any]) -> int:
    """As many as the tasks would inherit, but enough in any case."""
    given = arguments.get("default_args") or {}
    inherited = {**(group.dag.default_args or {}), **group.default_args, **given}
    return max(LEAST_RETRIES, inherited.get("retries") or 0)
