"""A comparison as Markdown: which of two datasets is better, what changed and what each cost. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.quality.parts import Words
from runware_provider.quality.report_figures import figures_table, made_by
from runware_provider.quality.report_remarks import BAD
from runware_provider.quality.room import Room, first_of, more_fields
from runware_provider.quality.sameness import rule
from runware_provider.quality.wording import (
    apart,
    code,
    count,
    counted,
    named,
    percentage,
    seconds,
    table,
    usd,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.quality.comparison import Comparison, Duel, FieldChanges
    from runware_provider.quality.parts import Part

BASIS: Final = (
    "Over the records with expected values that at least one of both was asked about; no result counts as wrong."
    " A field is called better when so uneven a split would be chance in less than 5 of 100 cases"
    " (McNemar's exact test, corrected by Holm for the number of fields)."
)
NOTICEABLE = 0.01


def comparison_parts(found: Comparison, room: Room) -> list[Part]:
    """The comparison as the one part that it is."""
    return [Words(comparison_document(found, room).split("\n"))]


def comparison_document(found: Comparison, room: Room) -> str:
    """The comparison, deterministic."""
    lines = ["# Side by side", ""]
    for letter, side in zip("AB", found.figures, strict=True):
        lines += [f"**{letter}** {code(side.text('destination'), 200)}: {made_by(side)}", ""]
    lines += [*(f"- {remark}" for remark in _remarks(found)), "", *figures_table(found.figures)]
    if found.duels is not None:
        lines += ["## Which is right more often", "", *_duels(found.duels, found, room)]
    if found.joined:
        joined = code(found.key) if found.key is not None else "their order"
        lines += ["## What became of the same records", "", *_outcomes(found)]
        lines += [f"{counted(found.joined, 'row')}, joined by {joined}.", ""]
    if found.fields:
        lines += ["## What changed", "", *_changes(found, room)]
    return "\n".join(lines)


# what a reader takes home


def _remarks(found: Comparison) -> Iterator[str]:
    if not found.joined:
        yield f"{BAD}The two have no record in common."
        return
    yield from _remarks_on_rightness(found)
    yield from _remarks_on_outcomes(found)
    yield from _remarks_on_changes(found)
    yield from _remarks_on_price(found)
    if any(found.unmet):
        unmet = f"{counted(found.unmet[0], 'row')} of A and {count(found.unmet[1])} of B"
        yield f"{unmet} have no counterpart and were left out of the comparison."


def _remarks_on_rightness(found: Comparison) -> Iterator[str]:
    if found.duels is None:
        yield "Without expected values it cannot be said which one is right."
        return
    if not found.expected_rows:
        yield f"{BAD}No record in both has expected values: check the key."
        return
    won = {letter: [duel.path for duel in found.duels if duel.winner == letter] for letter in "AB"}
    for letter, paths in won.items():
        if paths:
            yield f"{letter} is right more often in {named(paths)}."
    if not any(won.values()):
        yield f"On {counted(found.expected_rows, 'record')} neither is clearly right more often."


def _remarks_on_outcomes(found: Comparison) -> Iterator[str]:
    moved = {pair: rows for pair, rows in found.outcomes.items() if pair[0] != pair[1]}
    only_first = sum(rows for (first, _), rows in moved.items() if first == "succeeded")
    only_second = sum(rows for (_, second), rows in moved.items() if second == "succeeded")
    if not moved:
        yield "Every record has the same outcome in both."
    elif only_first or only_second:
        of_all = f"{count(only_second)} in B only, of {count(found.joined)}"
        yield f"{counted(only_first, 'record')} succeeded in A only, {of_all}."
    else:
        yield "The same records succeeded in both."


def _remarks_on_changes(found: Comparison) -> Iterator[str]:
    compared = [one for one in found.fields if one.of]
    most = max(compared, key=lambda one: one.different / one.of, default=None)
    if most is not None and most.different:
        differ = f"{percentage(most.different, most.of)} of {count(most.of)} rows"
        yield f"They differ most in {code(most.path)}: in {differ}."
    elif most is not None:
        what = "All values that can be compared" if found.incomparable else "All values"
        yield f"{what} are the same in the {counted(found.both_succeeded, 'row')} that succeeded in both."
    if found.incomparable and not compared and found.both_succeeded:
        yield f"{BAD}No field could be compared: {named(found.incomparable)}."
    elif found.incomparable:
        yield f"{BAD}Not compared: {named(found.incomparable)}."


def _remarks_on_price(found: Comparison) -> Iterator[str]:
    a, b = (side.cost_per_thousand(side.rows) for side in found.figures)
    if a and b:
        change = 100 * (b / a - 1)
        than = f"B is {abs(change):.0f} % {'dearer' if change > 0 else 'cheaper'}"
        against = than if abs(change) >= 100 * NOTICEABLE else "about the same"
        yield f"1,000 rows cost {usd(a)} with A and {usd(b)} with B: {against}."
    usual = [median for side in found.figures for median in side.latency.percentiles(0.5)]
    if len(usual) > 1:
        yield f"Half of the answers came within {seconds(usual[0])} from A and {seconds(usual[1])} from B."


# tables


def _duels(duels: list[Duel], found: Comparison, room: Room) -> list[str]:
    headers = ["field", "A right", "B right", "only A right", "only B right", "verdict"]
    rows = [
        [
            code(duel.path),
            percentage(duel.first, duel.of),
            percentage(duel.second, duel.of),
            count(duel.only_first),
            count(duel.only_second),
            verdict(duel),
        ]
        for duel in duels[: room.rates]
    ]
    note = f"{counted(found.expected_rows, 'record')} compared. {BASIS} {rule(found.tolerance)}"
    return [*table(headers, rows, right=[1, 2, 3, 4]), note + more_fields(len(duels), room.rates), ""]


def verdict(duel: Duel) -> str:
    """What a field's hits say."""
    chance = "p < 0.001" if duel.chance < 0.001 else f"p = {duel.chance:.3f}"
    if duel.winner:
        return f"{duel.winner} is better ({chance})"
    if not duel.only_first + duel.only_second:
        return "no difference"
    return f"no clear difference ({chance})"


def _outcomes(found: Comparison) -> list[str]:
    crossed = sorted(found.outcomes.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = [[first, second, count(n), percentage(n, found.joined)] for (first, second), n in crossed]
    return table(["in A", "in B", "rows", "share"], rows, right=[2, 3])


def _changes(found: Comparison, room: Room) -> list[str]:
    headers = ["field", "same in", "same", "changed", "only in A", "only in B"]
    rows = [
        [
            code(one.path),
            percentage(one.same, one.of),
            *map(count, (one.same, one.changed, one.only_first, one.only_second)),
        ]
        for one in found.fields[: room.fields]
    ]
    note = f"Over the {counted(found.both_succeeded, 'row')} that succeeded in both."
    if found.duels is None:
        note += f" {rule(found.tolerance)}"
    if found.incomparable:
        note += f" Not compared: {named(found.incomparable, room.listed)}."
    lines = [*table(headers, rows, right=range(1, 6)), note + more_fields(len(found.fields), room.fields), ""]
    for one in sorted(found.fields, key=lambda one: -one.different)[: room.missed]:
        if one.different:
            lines += _differences(one, room)
    return lines


def _differences(field: FieldChanges, room: Room) -> list[str]:
    """A field's first differences under a heading of their own, which the page can fold."""
    heading = f"### {code(field.path)}: {first_of(room.misses, field.different)}{counted(field.different, 'difference')}"
    rows = [
        [code(value, room.chars) for value in (key, *apart(left, right, room.chars))]
        for key, left, right in field.examples[: room.misses]
    ]
    return [heading, "", *table(["record", "A", "B"], rows)]
