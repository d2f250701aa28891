"""A comparison as Markdown: for a log or a pull request, at most 150 lines. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.quality.markdown import code, table
from runware_provider.engine.quality.report_markdown import beside, facts
from runware_provider.engine.quality.sameness import rule
from runware_provider.engine.quality.verdicts import BASIS, in_short, reading
from runware_provider.engine.quality.wording import count, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.quality.findings import Differences, Duel, FieldChanges

FIELDS_SHOWN = 28
DUELS_SHOWN = 24
CROSSED_SHOWN = 12
EXAMPLES_SHOWN = 12


def markdown_of(found: Differences) -> str:
    """The comparison, deterministic."""
    lines = ["# Side by side", ""]
    for letter, run in (("A", found.first), ("B", found.second)):
        lines.append(
            f"- **{letter}** {code(run.destination)}: model {code(run.model)}, published {code(run.finished_at)} UTC,"
            f" publish {code(run.publish_id)}"
        )
    lines += ["", "**In short**", "", *(f"- {one.told(code)}" for one in in_short(found)), ""]
    lines += facts([found.first, found.second])
    if found.duels is not None:
        lines += ["", "## Which is right more often", "", *_duels(found.duels, rule(found.tolerance))]
    if found.joined:
        lines += ["", "## Outcomes", "", *_outcomes(found)]
    if found.fields:
        lines += ["", "## What changed", "", *_fields(found)]
    return "\n".join(lines) + "\n"


def _duels(duels: Sequence[Duel], same: str) -> list[str]:
    rows = [
        [
            code(one.path, 60),
            share(one.first, one.of),
            share(one.second, one.of),
            count(one.only_first),
            count(one.only_second),
            reading(one),
        ]
        for one in duels[:DUELS_SHOWN]
    ]
    headers = ["field", "A right", "B right", "only A right", "only B right", "verdict"]
    more = _more(len(duels), DUELS_SHOWN)
    return [*table(headers, rows, right=[1, 2, 3, 4]), "", f"{BASIS} {same}{more}"]


def _outcomes(found: Differences) -> list[str]:
    crossed = sorted(found.outcomes.items(), key=lambda one: (-one[1], one[0]))
    rows = [[a, b, count(n), share(n, found.joined)] for (a, b), n in crossed[:CROSSED_SHOWN]]
    return table(["in A", "in B", "rows", "share"], rows, right=[2, 3])


def _fields(found: Differences) -> list[str]:
    headers = ["field", "same", "changed", "only in A", "only in B", "same in"]
    rows = [
        [
            code(one.path, 60),
            *map(count, (one.same, one.changed, one.only_first, one.only_second)),
            share(one.same, one.of),
        ]
        for one in found.fields[:FIELDS_SHOWN]
    ]
    note = f"Over the {count(found.both_succeeded)} rows that succeeded in both."
    if found.duels is None:
        note += f" {rule(found.tolerance)}"
    if found.incomparable:
        note += f" Not compared: {', '.join(map(code, found.incomparable[:8]))}."
    note += _more(len(found.fields), FIELDS_SHOWN)
    return [*table(headers, rows, right=range(1, 6)), "", note, *_examples(found.fields)]


def _examples(fields: Sequence[FieldChanges]) -> list[str]:
    differ = [one for one in fields if one.examples]
    each = max(1, EXAMPLES_SHOWN // max(1, len(differ)))
    rows = [
        [code(one.path, 60), *beside(change.key, change.first, change.second)]
        for one in differ
        for change in one.examples[:each]
    ]
    return ["", *table(["field", "record", "A", "B"], rows[:EXAMPLES_SHOWN])] if rows else []


def _more(number: int, shown: int) -> str:
    return f" {count(number - shown)} more fields are in the HTML page." if number > shown else ""
