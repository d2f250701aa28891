"""The page in the navigation: the datasets that this Airflow writes, the newest first. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

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
from runware_provider.pages.run_view import name_of_dataset
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
OF_INTEREST: Final[tuple[Kind, ...]] = ("running", "waiting", "asking", "stopped", "silent")
"""What the line above the table counts."""
TOLD_ONCE_FROM: Final = 2
"""So many datasets with the same trouble are told it once."""


def list_parts(datasets: Sequence[DatasetView], *, left_out: int, read_at: str = "") -> list[Part]:
    """A table of them.

    Args:
        datasets: in any order.
        left_out: how many more there are.
        read_at: when they were read, in UTC (ISO 8601).
    """
    if not datasets:
        nothing = "No task of this Airflow that you may see has written a dataset with Runware yet."
        return [Title(Said("Datasets")), Sentence([Said(nothing)])]
    ranked = sorted(datasets, key=_newest, reverse=True)
    common = [trouble for trouble, times in _troubles(ranked).items() if times >= TOLD_ONCE_FROM]
    rows = [_row(dataset, common, read_at) for dataset in ranked]
    return [
        Title(Said("Datasets"), [Said(_summary(ranked, left_out, read_at))]),
        *(Notice(Told(trouble)) for trouble in common),
        Grid("Datasets, the newest first", COLUMNS, rows),
        *_left_out(left_out),
    ]


def _newest(dataset: DatasetView) -> float:
    """Seconds, of the last run's beginning."""
    moment = utc_moment(_when(dataset))
    return moment.timestamp() if moment is not None else 0.0


def _when(dataset: DatasetView) -> str:
    if dataset.record is not None:
        return dataset.record.started_at
    return dataset.past[0].started_at if dataset.past else ""


def _troubles(datasets: Sequence[DatasetView]) -> Counter[str]:
    return Counter(dataset.trouble for dataset in datasets if dataset.trouble)


def _summary(datasets: Sequence[DatasetView], left_out: int, read_at: str) -> str:
    kinds = Counter(kind_of(dataset.record, task_state=None, read_at=read_at) for dataset in datasets)
    told = [f"{count(kinds[kind])} {WORDS[kind]}" for kind in OF_INTEREST if kinds[kind]]
    return ", ".join([counted(len(datasets) + left_out, "dataset"), *told])


def _left_out(left_out: int) -> list[Part]:
    if not left_out:
        return []
    return [Sentence([Said(f"{count(left_out)} more, which ran longer ago, are not shown.")])]


def _row(dataset: DatasetView, common: Sequence[str], read_at: str) -> Row:
    name = name_of_dataset(dataset.output) or dataset.at.task_id
    task = Several([Name(dataset.at.dag_id), Said("·"), Name(dataset.at.task_id)])
    folder = Beside(Name(dataset.output.removesuffix(name)))
    where = Several([Way(Name(name), ON_LIST.to(dataset.at)), Beside(task), folder])
    kind = kind_of(dataset.record, task_state=None, read_at=read_at)
    record = dataset.record
    if record is None:
        why = Told(dataset.trouble) if dataset.trouble and dataset.trouble not in common else NONE
        return Row([where, Dot(kind, "not known"), why, NONE, NONE, NONE, _cost(dataset)])
    return Row(
        [
            where,
            Dot(kind, WORDS[kind]),
            Moment(record.started_at),
            Said(count(record.rows)),
            Share(record.outcomes.get("succeeded", 0), record.rows_done),
            Said(dollars(record.paid_usd)),
            _cost(dataset),
        ]
    )


def _cost(dataset: DatasetView) -> Bit:
    """Of the newest run that published, and how it went before."""
    costs = [cost for cost in map(cost_of_1000, dataset.past) if cost is not None]
    return Several([cost_spark(dataset.past), Said(dollars(costs[0]))]) if costs else NONE
