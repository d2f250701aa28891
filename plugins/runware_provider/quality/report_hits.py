"""Results against expected values: rates, how sure the model is where it is right, and the misses. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.quality.chance import SIGNIFICANT, fisher, wilson
from runware_provider.quality.charts import Charts, RateAt, RateChart
from runware_provider.quality.confidence import BINS
from runware_provider.quality.miss_list import MissList
from runware_provider.quality.parts import Words
from runware_provider.quality.room import Room, first_of, more_fields
from runware_provider.quality.sameness import rule
from runware_provider.quality.spec import FOLDER, MISSES
from runware_provider.quality.wording import (
    NOTHING,
    code,
    count,
    counted,
    interval,
    named,
    percentage,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.quality.confidence import Sureness
    from runware_provider.quality.expected import FieldHits, Hits
    from runware_provider.quality.parts import Part
    from runware_provider.quality.report_remarks import Findings

APART = 0.1
"""By so much what is said and what is so may differ before it is told."""


def hits_parts(findings: Findings, hits: Hits, room: Room) -> Iterator[Part]:
    """All about expected values."""
    yield Words(
        [
            "## Against expected values",
            "",
            *rates_table(hits, room),
            _note(hits, room) + more_fields(len(hits.fields), room.rates),
            "",
            *_file_of(findings, hits),
        ]
    )
    if sure := hits.sureness.fields()[: room.charts]:
        yield Charts([_rate_chart(sureness) for sureness in sure])
    missed = sorted((field for field in hits.fields if field.missed), key=lambda field: field.hits / field.of)
    for field in missed[: room.missed]:
        yield _miss_list(field, hits.tolerance, room)


def rates_table(hits: Hits, room: Room) -> list[str]:
    """How often each field is as expected."""
    headers = ["field", "as expected", "95 % interval", "hits", "of"]
    rows = [_rate(field) for field in hits.fields[: room.rates]]
    return table(headers, rows, right=[1, 2, 3, 4])


def _rate(field: FieldHits) -> list[str]:
    likely = interval(*field.interval) if field.of else NOTHING
    return [code(field.path), percentage(field.hits, field.of), likely, count(field.hits), count(field.of)]


def _note(hits: Hits, room: Room) -> str:
    note = (
        f"{counted(hits.compared, 'row')} with a result compared; {counted(hits.expected.records, 'record')} with expected"
        f" values. {rule(hits.tolerance)}"
    )
    if hits.without_result:
        is_one = hits.without_result == 1
        have = "has no result and is" if is_one else "have no result and are"
        note += f" {counted(hits.without_result, 'row')} with expected values {have} in no rate."
    if hits.expected.left_out:
        note += f" Not compared: {named(hits.expected.left_out, room.listed)}."
    return note


def _file_of(findings: Findings, hits: Hits) -> list[str]:
    """Where the misses are to be opened elsewhere."""
    if findings.misses is None:
        return []
    missed = sum(field.missed for field in hits.fields)
    which = "all" if len(hits.kept) >= missed else f"the first {count(len(hits.kept))} of"
    told = f"{which} {counted(missed, 'value')} that {'is' if missed == 1 else 'are'} not as expected"
    return [
        f"To open elsewhere: {told}, in `{FOLDER}/{MISSES}` in the state folder, with the input and the task's UUID.",
        "",
    ]


# how sure


def _rate_chart(sureness: Sureness) -> RateChart:
    about = code(sureness.of) if sureness.of else "every field with an expected value"
    title = f"{code(sureness.path)}: how often {about} is as expected, where it says so"
    return RateChart(title, list(_rates_at(sureness)), _in_words(sureness))


def _rates_at(sureness: Sureness) -> Iterator[RateAt]:
    for place, bin_ in enumerate(sureness.bins):
        if bin_.rows:
            name = f"{place / BINS:g} to {(place + 1) / BINS:g}"
            likely = wilson(bin_.right, bin_.rows)
            yield RateAt(bin_.total / bin_.rows, name, bin_.right, bin_.rows, likely)


def _in_words(sureness: Sureness) -> str:
    """Whether the model is as sure as it is right, and whether it is surer where it is right."""
    said, rate = sureness.mean, sureness.right / sureness.rows
    low, high = wilson(sureness.right, sureness.rows)
    told = f"On average it says {said:.2f}, and {percentage(sureness.right, sureness.rows)} are as expected"
    if not low <= said <= high and abs(said - rate) >= APART:
        told += f": it is {'surer than' if said > rate else 'less sure than'} it is right"
    return f"{told}. {_told_apart(sureness)}"


def _told_apart(sureness: Sureness) -> str:
    less, more = sureness.halves()
    if not 0 < sureness.right < sureness.rows:
        return "There is nothing to tell apart."
    if not less.rows or not more.rows:
        return "It says about the same everywhere."
    rates = f"{percentage(more.right, more.rows)} of the surer half, {percentage(less.right, less.rows)} of the other"
    if fisher(more.right, more.rows, less.right, less.rows) >= SIGNIFICANT:
        return f"It does not tell right from wrong: {rates}."
    is_so = more.right * less.rows > less.right * more.rows
    return f"{rates} are as expected{'' if is_so else ', so that it says the contrary of what is so'}."


# misses


def _miss_list(field: FieldHits, tolerance: float, room: Room) -> MissList:
    shown = field.misses[: room.misses]
    noun = "miss" if field.missed == 1 else "misses"
    title = f"{code(field.path)}: {first_of(len(shown), field.missed)}{count(field.missed)} {noun}"
    return MissList(title, shown, room.chars, _mixups(field, room), tolerance)


def _mixups(hits: FieldHits, room: Room) -> str:
    mixups = [
        f"{code(got, room.chars)} instead of {code(wanted, room.chars)} ({count(times)})"
        for got, wanted, times in hits.mixups
    ]
    return f"Most often: {', '.join(mixups)}." if mixups else ""
