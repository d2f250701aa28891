"""What stands out in a dataset, in sentences. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.quality.losses import LOSSES
from runware_provider.quality.profile import FieldProfile, ValueKind
from runware_provider.quality.wording import code, count, counted, interval, named, percentage, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runware_provider.engine.job.run_record import PastRun
    from runware_provider.quality.expected import Hits
    from runware_provider.quality.figures import Figures

REMARKS = 8
OFTEN = 0.05
"""Of the rows: what happens to so many stands out."""
RARELY_FILLED = 0.05
RIGHT_ENOUGH = 0.8
STRAGGLER = 5
"""So many times the median stands out, from this many seconds on:"""
LATENCY_WORTH_SAYING_S = 10.0
BAD, GOOD = "⚠ ", "✓ "


@dataclass(frozen=True)
class Findings:
    """What a report is about."""

    figures: Figures
    fields: Sequence[FieldProfile]
    """Of the rows that succeeded; none where none did."""
    hits: Hits | None
    """None without expected values."""
    misses: bytes | None = None
    """The file of misses; None without expected values, or without a miss."""
    before: PastRun | None = None
    """The run that published before; None where there is none, or nobody knows."""


def remarks(findings: Findings) -> list[str]:
    """What stands out in sentences of Markdown, the worst first, at most eight."""
    found = _remarks(findings)
    ranked = sorted(found, key=lambda remark: (not remark.startswith(BAD), remark.startswith(GOOD)))
    return ranked[:REMARKS]


def _remarks(findings: Findings) -> Iterator[str]:
    if not findings.figures.rows:
        yield "The dataset has no rows."
        return
    yield from _remarks_on_outcomes(findings.figures)
    if findings.hits is not None:
        yield from _remarks_on_hits(findings.hits)
    yield from _remarks_on_fields(
        [field for field in findings.fields if field.kind is not ValueKind.GROUP and field.seen]
    )
    yield from _remarks_on_answers(findings.figures)


def _remarks_on_outcomes(figures: Figures) -> Iterator[str]:
    if figures.succeeded == figures.rows:
        yield f"{GOOD}Every row succeeded: {count(figures.rows)} of {count(figures.rows)}."
    if not figures.succeeded:
        yield f"{BAD}Not a single row succeeded."
    for outcome in ("invalid", "failed", "refused", "skipped"):
        if figures.outcomes[outcome]:
            yield _remark_on_outcome(figures, outcome)
    lost, unreported = int(figures.number("maybe_billed")), int(figures.number("cost_unreported"))
    if lost:
        yield f"{BAD}{counted(lost, 'attempt')} may have been billed without an answer."
    if unreported:
        yield f"The API reported no cost for {counted(unreported, 'answer')}: the bill will be higher."


def _remark_on_outcome(figures: Figures, outcome: str) -> str:
    """How many rows ended like this, and mostly why."""
    rows = figures.outcomes[outcome]
    is_bad = outcome != "skipped" and rows >= OFTEN * figures.rows
    reasons = [f"mostly {code(reason)}" for reason, _ in figures.main_reasons(outcome, 1)]
    if outcome == "invalid":
        reasons += _main_problem(figures)
    why = f": {', '.join(reasons)}" if reasons else ""
    return f"{BAD if is_bad else ''}{percentage(rows, figures.rows)} {outcome} ({counted(rows, 'row')}){why}."


def _main_problem(figures: Figures) -> Iterator[str]:
    """What is wrong most often with answers that do not fit, if that is known."""
    for (path, problem), _ in figures.problems.counts.most_common(1):
        where = f"{path}: {problem}" if path else problem
        yield f"above all {code(where)}"


def _remarks_on_hits(hits: Hits) -> Iterator[str]:
    if not hits.compared:
        yield f"{BAD}No row with a result has expected values: check the key."
    compared = [field for field in hits.fields if field.of]
    worst = min(compared, key=lambda field: (field.hits / field.of, field.path), default=None)
    if worst is None:
        return
    if not worst.missed:
        yield f"{GOOD}Every field is as expected wherever there are expected values."
        return
    weight = BAD if worst.hits < RIGHT_ENOUGH * worst.of else ""
    rate = (
        f"{percentage(worst.hits, worst.of)} of {count(worst.of)} (95 % interval {interval(*worst.interval)})"
    )
    yield f"{weight}Least often as expected: {code(worst.path)}, {rate}."


def _remarks_on_fields(fields: Sequence[FieldProfile]) -> Iterator[str]:
    never = [field.path for field in fields if not field.filled]
    seldom = [field.path for field in fields if 0 < field.filled < RARELY_FILLED * field.seen]
    constant = [field.path for field in fields if field.is_constant]
    if never:
        yield f"{BAD}Never filled: {named(never)}."
    if seldom:
        yield f"Filled in less than {100 * RARELY_FILLED:.0f} % of the rows: {named(seldom)}."
    if constant:
        yield f"The same in every row: {named(constant)}."


def _remarks_on_answers(figures: Figures) -> Iterator[str]:
    if figures.output_retried >= OFTEN * figures.rows:
        asked = f"{percentage(figures.output_retried, figures.rows)} of the rows were asked again because the answer did not fit"
        yield f"{asked}; that helped {percentage(figures.mended_by_model, figures.output_retried)} of them."
    elif figures.asked_again >= OFTEN * figures.rows:
        yield f"{percentage(figures.asked_again, figures.rows)} of the rows took more than one attempt."
    for mend, lost in LOSSES.items():
        if figures.mends[mend]:
            yield f"{counted(figures.mends[mend], 'row')} lost {lost}: mend `{mend}`."
    for mend, rows in sorted(figures.mends.items()):
        if mend not in LOSSES and rows >= OFTEN * figures.rows:
            yield f"{percentage(rows, figures.rows)} of the rows had their answer mended: {code(mend)}."
    cut = figures.finishes["length"]
    if cut:
        yield f"{counted(cut, 'answer')} stopped at the limit of tokens (finish `length`)."
    usual, slow = figures.latency.percentiles(0.5, 0.99) or (0.0, 0.0)
    if slow > max(LATENCY_WORTH_SAYING_S, STRAGGLER * usual):
        yield f"One answer in a hundred took longer than {seconds(slow)}; the usual one took {seconds(usual)}."
