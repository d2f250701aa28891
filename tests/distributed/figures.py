"""What each shard of a run did and paid, and the table that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.distributed.cluster import Cluster

LEG = "::group::Pre Execute"
"""What Airflow writes into a task's log when a leg begins."""


@dataclass(frozen=True)
class ShardFigures:
    """One mapped task.

    Args:
        number: from 0.
        tries: that Airflow made.
        legs: of the last of them.
        paid: inferences.
        usd: what they cost.
        label: what a person sees.
        seconds: from the beginning of the last try to its end.
    """

    number: int
    tries: int
    legs: int
    paid: int
    usd: float
    label: str
    seconds: float


def figures_of(cluster: Cluster, run: str) -> list[ShardFigures]:
    """Of each shard, in order."""
    mapped = [instance for instance in cluster.instances(run) if instance["map_index"] >= 0]
    return [_of_shard(cluster, run, instance) for instance in sorted(mapped, key=lambda i: i["map_index"])]


def _of_shard(cluster: Cluster, run: str, instance: dict[str, Any]) -> ShardFigures:
    number = instance["map_index"]
    path = f"{run}/taskInstances/{quote(instance['task_id'])}/xcomEntries/return_value?map_index={number}"
    told = cluster.api(f"{path}&deserialize=true")["value"]
    logs = (cluster.home / "logs").rglob(f"map_index={number}/attempt={instance['try_number']}.log")
    begun, ended = (datetime.fromisoformat(instance[name]) for name in ("start_date", "end_date"))
    return ShardFigures(
        number,
        instance["try_number"],
        sum(path.read_text(encoding="utf-8").count(LEG) for path in logs),
        told["paid_inferences"],
        told["paid_usd"],
        instance["rendered_map_index"],
        (ended - begun).total_seconds(),
    )


def table(shards: Sequence[ShardFigures], manifest: dict[str, Any], bill: dict[str, Any]) -> Iterator[str]:
    """The lines of it."""
    yield "shard  tries  legs  seconds    paid        usd   label"
    for shard in shards:
        yield (
            f"{shard.number:5} {shard.tries:6} {shard.legs:5} {shard.seconds:8.0f} {shard.paid:7,} {shard.usd:10.6f}"
            f"   {shard.label}"
        )
    yield f"{'shards':24} {sum(shard.paid for shard in shards):8,} {sum(shard.usd for shard in shards):10.6f}"
    yield f"{'manifest':24} {manifest['paid_inferences']:8,} {manifest['paid_usd']:10.6f}   {manifest['rows']:,} rows"
    yield (
        f"{'bill':24} {bill['charged']:8,} {bill['cost_usd']:10.6f}   {bill['executed']:,} executed,"
        f" {bill['requests_executed_again']:,} of them again"
    )
