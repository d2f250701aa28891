"""The report on a dataset, from what stands out to the single miss, in parts of which a page and Markdown are made. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.quality.against_before import before_and_now
from runware_provider.quality.parts import OutcomeBar, Words, markdown_of
from runware_provider.quality.report_charts import chart_parts
from runware_provider.quality.report_fields import fields_table
from runware_provider.quality.report_figures import head
from runware_provider.quality.report_hits import hits_parts, rates_table
from runware_provider.quality.report_money import money_table, tells_money
from runware_provider.quality.report_problems import (
    attempts_table,
    dropped_table,
    has_losses,
    problems_table,
)
from runware_provider.quality.room import BRIEF, WHOLE, Room
from runware_provider.quality.wording import code, count, counted, percentage, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.quality.figures import Figures
    from runware_provider.quality.parts import Part
    from runware_provider.quality.report_remarks import Findings

__all__ = ["BRIEF", "WHOLE", "Room", "report_document", "report_parts", "short_report"]


def report_document(findings: Findings, room: Room) -> str:
    """The report as Markdown, deterministic: it names no time but those of publishes."""
    return markdown_of(report_parts(findings, room))


def report_parts(findings: Findings, room: Room) -> list[Part]:
    """The same as parts."""
    return list(_sections(findings, room))


def short_report(findings: Findings) -> str:
    """What stands out, the figures and the hit rates: for a terminal, at most 50 lines."""
    lines = head(findings)
    if findings.hits is not None:
        compared = counted(findings.hits.compared, "row")
        lines += [f"Against expected values, {compared} compared:", "", *rates_table(findings.hits, BRIEF)]
    return "\n".join(lines)


def _sections(findings: Findings, room: Room) -> Iterator[Part]:
    """Each only where it has something to say."""
    figures = findings.figures
    yield Words(head(findings))
    yield from _outcomes(figures)
    if tells_money(figures):
        yield Words(["## Money", "", *money_table(figures)])
    if findings.before is not None:
        yield Words(["## Against the publish before", "", *before_and_now(findings, findings.before)])
    if findings.hits is not None:
        yield from hits_parts(findings, findings.hits, room)
    if findings.fields:
        yield Words(["## Fields", "", *fields_table(findings.fields, room)])
    yield from chart_parts(figures, findings.fields, room)
    yield from _troubles(figures, room)


def _troubles(figures: Figures, room: Room) -> Iterator[Part]:
    if figures.problems.counts:
        yield Words(["## Why answers were invalid", "", *problems_table(figures, room)])
    if has_losses(figures):
        yield Words(["## What was dropped from answers", "", *dropped_table(figures)])
    if figures.mends or figures.asked_again:
        yield Words(["## Mends and attempts", "", *attempts_table(figures, room)])


def _outcomes(figures: Figures) -> Iterator[Part]:
    yield Words(["## Outcomes", ""])
    yield OutcomeBar(dict(figures.outcomes.most_common()), figures.rows)
    rows = []
    for outcome, number_of_rows in figures.outcomes.most_common():
        reasons = (f"{code(reason)} {count(times)}" for reason, times in figures.main_reasons(outcome))
        rows.append(
            [outcome, count(number_of_rows), percentage(number_of_rows, figures.rows), ", ".join(reasons)]
        )
    if rows:
        yield Words(table(["outcome", "rows", "share", "mostly"], rows, right=[1, 2]))
