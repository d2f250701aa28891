"""The last runs of a dataset: a line each, and their cost as it went. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.engine.money import of_1000
from runware_provider.pages.job_state import DONE, is_partly_done
from runware_provider.pages.page_bits import (
    NONE,
    Dot,
    Metered,
    Moment,
    Name,
    Said,
    Several,
    Spark,
    dollars,
)
from runware_provider.pages.page_parts import Column, Grid, Heading, Row, Sentence
from runware_provider.quality.wording import count, percentage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.job.run_record import PastRun
    from runware_provider.pages.page_bits import Bit
    from runware_provider.quality.parts import Part

MOST: Final = 12
"""Lines of a page."""
WORST_FIELDS: Final = 2
"""Fields with expected values that a line names."""


def past_parts(past: Sequence[PastRun], *, run: str) -> list[Part]:
    """A table of them.

    Args:
        past: the newest first.
        run: the name of the run that the page shows.
    """
    if not past:
        return []
    with_hits = any(line.hits for line in past)
    columns = [
        Column("ended"),
        Column("state"),
        Column("rows", is_number=True),
        Column("succeeded", is_number=True),
    ]
    columns += [Column("paid", is_number=True), Column("per 1,000 rows", is_number=True)]
    columns += [Column("worst fields")] if with_hits else []
    dearest = max((cost for cost in map(cost_of_1000, past) if cost is not None), default=0.0)
    rows = [_row(line, dearest, with_hits=with_hits, is_this=line.run == run) for line in past[:MOST]]
    return [Heading("Last runs"), *_costs(past), Grid("The last runs of this dataset", columns, rows)]


def cost_of_1000(past: PastRun) -> float | None:
    """USD for the answers of a thousand rows, whoever paid for them; None where none were published."""
    return of_1000(past.cost_usd, past.rows)


def cost_spark(past: Sequence[PastRun]) -> Spark:
    """The cost of 1,000 rows, run by run.

    Args:
        past: the newest first.
    """
    return Spark([cost_of_1000(line) for line in reversed(past[:MOST])], "cost of 1,000 rows, run by run")


def _costs(past: Sequence[PastRun]) -> list[Part]:
    costs = [cost_of_1000(line) for line in past]
    return [Sentence([Said("Cost of 1,000 rows, run by run:"), cost_spark(past)])] if any(costs) else []


def _row(past: PastRun, dearest: float, *, with_hits: bool, is_this: bool) -> Row:
    rows = max(past.rows, sum(past.outcomes.values()))
    cells: list[Bit] = [
        Moment(past.finished_at),
        Dot(_colour(past), past.state),
        Said(count(past.rows)),
        Said(percentage(past.outcomes.get("succeeded", 0), rows)),
        Said(dollars(past.paid_usd)),
        _cost(past, dearest),
    ]
    cells += [_hits(past)] if with_hits else []
    return Row(cells, "this" if is_this else "")


def _colour(past: PastRun) -> str:
    """Red for what stopped, amber for what brought little."""
    if past.state not in DONE:
        return "stopped"
    return "partly" if is_partly_done(past.outcomes, {}) else "done"


def _cost(past: PastRun, dearest: float) -> Bit:
    cost = cost_of_1000(past)
    return NONE if cost is None else Metered(Said(dollars(cost)), cost / dearest if dearest else 0.0)


def _hits(past: PastRun) -> Bit:
    ranked = sorted(past.hits.items(), key=lambda field: _rate(field[1]))[:WORST_FIELDS]
    if not ranked:
        return NONE
    return Several([bit for name, counts in ranked for bit in (Name(name), Said(_shown(counts)))])


def _shown(counts: dict[str, int]) -> str:
    return percentage(counts.get("hits", 0), counts.get("of", 0))


def _rate(counts: dict[str, int]) -> float:
    return counts.get("hits", 0) / max(1, counts.get("of", 0))
