"""The page in the navigation: the datasets that this Airflow writes, the newest first. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from runware_provider.pages.group_sum import whole_of
from runware_provider.pages.job_state import WORDS, kind_of
from runware_provider.pages.links_between import ON_LIST
from runware_provider.pages.moments import utc_moment
from runware_provider.pages.page_bits import (
    NONE,
    Beside,
    Dot,
    Moment,
    Name,
    Said,
    Several,
    Share,
    Told,
    Way,
    dollars,
)
from runware_provider.pages.page_parts import Column, Grid, Notice, Row, Sentence, Title
from runware_provider.pages.past_parts import cost_of_1000, cost_spark
from runware_provider.pages.run_view import NOTHING_YET, name_of_dataset
from runware_provider.quality.wording import count, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.pages.job_state import Kind
    from runware_provider.pages.page_bits import Bit
    from runware_provider.pages.run_view import DatasetView
    from runware_provider.quality.parts import Part

COLUMNS: Final = (
    Column("dataset"),
    Column("state"),
    Column("last run"),
    Column("rows", is_number=True),
    Column("succeeded", is_number=True),
    Column("paid", is_number=True),
    Column("per 1,000 rows", is_number=True),
)
OF_INTEREST: Final[tuple[Kind, ...]] = ("running", "waiting", "asking", "partly", "stopped", "silent")
"""What the line above the table counts."""
TOLD_ONCE_FROM: Final = 2
"""So many datasets with the same trouble are told it once."""


def list_parts(datasets: Sequence[DatasetView], *, left_out: int, read_at: str = "") -> list[Part]:
    """A table of them.

    Args:
        datasets: those whose tasks told of them last come first.
        left_out: how many more there are.
        read_at: when they were read, in UTC (ISO 8601).
    """
    if not datasets:
        nothing = "No task of this Airflow that you may see has written a dataset with Runware yet."
        return [Title(Said("Datasets")), Sentence([Said(nothing)])]
    ranked = _ranked([_summed(dataset) for dataset in datasets])
    common = [trouble for trouble, times in _troubles(ranked).items() if times >= TOLD_ONCE_FROM]
    rows = [_row(dataset, common, read_at) for dataset in ranked]
    return [
        Title(Said("Datasets"), [Said(_summary(ranked, left_out, read_at))]),
        *(Notice(Told(trouble)) for trouble in common),
        Grid("Datasets, the newest first", COLUMNS, rows),
        *_left_out(left_out),
    ]


def _summed(dataset: DatasetView) -> DatasetView:
    """With the record of all shards together, where those were read."""
    if not dataset.shards:
        return dataset
    return replace(dataset, record=whole_of(dataset.record, [shard.record for shard in dataset.shards]))


def _ranked(datasets: Sequence[DatasetView]) -> list[DatasetView]:
    """By when the last run began; a run that noted nothing stays before the one that it was told before."""
    moments: list[float] = []
    newest = 0.0
    for dataset in reversed(datasets):
        newest = _began(dataset, newest)
        moments.append(newest)
    ranked = sorted(zip(reversed(moments), datasets, strict=True), key=lambda each: -each[0])
    return [dataset for _, dataset in ranked]


def _began(dataset: DatasetView, otherwise: float) -> float:
    """Seconds, of the last run's beginning."""
    moment = utc_moment(dataset.record.started_at) if dataset.record is not None else None
    return moment.timestamp() if moment is not None else otherwise


def _troubles(datasets: Sequence[DatasetView]) -> Counter[str]:
    """Those of the server and its stores: what concerns one run is told in its line."""
    troubles = (dataset.trouble for dataset in datasets)
    return Counter(trouble for trouble in troubles if trouble not in {"", NOTHING_YET})


def _summary(datasets: Sequence[DatasetView], left_out: int, read_at: str) -> str:
    kinds = Counter(_kind(dataset, read_at) for dataset in datasets)
    told = [f"{count(kinds[kind])} {WORDS[kind]}" for kind in OF_INTEREST if kinds[kind]]
    return ", ".join([counted(len(datasets) + left_out, "dataset"), *told])


def _kind(dataset: DatasetView, read_at: str) -> Kind:
    # What is recorded of the whole grows old while its shards work.
    if dataset.is_in_shards:
        return "running"
    return kind_of(dataset.record, task_state=dataset.task_state, read_at=read_at)


def _left_out(left_out: int) -> list[Part]:
    if not left_out:
        return []
    return [Sentence([Said(f"{count(left_out)} more, which ran longer ago, are not shown.")])]


def _row(dataset: DatasetView, common: Sequence[str], read_at: str) -> Row:
    name = name_of_dataset(dataset.output) or dataset.at.task_id
    task = Several([Name(dataset.at.dag_id), Said("·"), Name(dataset.at.task_id)])
    folder = Beside(Name(dataset.output.removesuffix(name)))
    where = Several([Way(Name(name), ON_LIST.to(dataset.at)), Beside(task), folder])
    kind = _kind(dataset, read_at)
    record = dataset.record
    if dataset.is_in_shards:
        when = Moment(record.started_at) if record is not None else NONE
        return Row([where, Dot("running", "in shards"), when, NONE, NONE, NONE, _cost(dataset)])
    if record is None:
        why = Told(dataset.trouble) if dataset.trouble and dataset.trouble not in common else NONE
        return Row([where, Dot(kind, "not known"), why, NONE, NONE, NONE, _cost(dataset)])
    return Row(
        [
            where,
            Dot(kind, WORDS[kind]),
            Moment(record.started_at),
            Said(count(record.rows)),
            # Of all rows: of those that are done, a share says little of a run that goes on or broke off.
            Share(record.outcomes.get("succeeded", 0), max(record.rows, record.rows_done)),
            Said(dollars(record.paid_usd)),
            _cost(dataset),
        ]
    )


def _cost(dataset: DatasetView) -> Bit:
    """Of the newest run that published, and how it went before."""
    costs = [cost for cost in map(cost_of_1000, dataset.past) if cost is not None]
    return Several([cost_spark(dataset.past), Said(dollars(costs[0]))]) if costs else NONE
