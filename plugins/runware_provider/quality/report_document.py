"""A report as Markdown, from what stands out to the single miss. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from runware_provider.quality.profile import FieldProfile, ValueKind
from runware_provider.quality.report_remarks import Findings, remarks
from runware_provider.quality.sameness import rule
from runware_provider.quality.wording import (
    NOTHING,
    apart,
    code,
    count,
    counted,
    interval,
    named,
    number,
    percentage,
    seconds,
    table,
    usd,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runware_provider.quality.counting import Histogram
    from runware_provider.quality.expected import FieldHits, Hits
    from runware_provider.quality.figures import Figures

NEARLY = 0.9
RARE = 0.01
SPARKS: Final = "▁▂▃▄▅▆▇█"
"""The bars of a histogram; the lowest is of a bin without numbers."""


@dataclass(frozen=True)
class Room:
    """How much of everything is written down; None is all of it."""

    fields: int | None
    rates: int | None
    missed: int | None
    """Fields whose differences are shown."""
    misses: int
    listed: int
    top: int
    chars: int
    """Of values that differ."""


BRIEF: Final = Room(fields=22, rates=14, missed=4, misses=3, listed=5, top=3, chars=48)
"""For a log or a pull request: at most 150 lines."""
WHOLE: Final = Room(fields=None, rates=None, missed=None, misses=20, listed=20, top=5, chars=160)
"""For the page."""


def report_document(findings: Findings, room: Room) -> str:
    """The report, deterministic: it names no time but that of the publish."""
    figures = findings.figures
    lines = [*_head(findings), "## Outcomes", "", *_outcomes(figures)]
    if findings.hits is not None:
        lines += ["## Against expected values", "", *_hits(findings.hits, room)]
    if findings.fields:
        lines += ["## Fields", "", *_fields(findings.fields, room)]
    if figures.problems.counts:
        lines += ["## Why answers were invalid", "", *_problems(figures, room)]
    if figures.mends or figures.asked_again:
        lines += ["## Mends and attempts", "", *_attempts(figures, room)]
    return "\n".join(lines)


def short_report(findings: Findings) -> str:
    """What stands out, the figures and the hit rates: for a terminal, at most 50 lines."""
    lines = _head(findings)
    if findings.hits is not None:
        compared = counted(findings.hits.compared, "row")
        lines += [f"Against expected values, {compared} compared:", "", *_rates(findings.hits, BRIEF)]
    return "\n".join(lines)


def _head(findings: Findings) -> list[str]:
    figures = findings.figures
    return [
        f"# Quality of {code(figures.text('destination'), 200)}",
        "",
        made_by(figures),
        "",
        *(f"- {remark}" for remark in remarks(findings)),
        "",
        *figures_table([figures]),
    ]


def made_by(figures: Figures) -> str:
    """The model and the publish."""
    finished = figures.text("finished_at")[:16].replace("T", " ")
    return f"Model {code(figures.text('model'))}, published {code(finished)} UTC, publish {code(figures.text('publish_id'))}."


# figures


def figures_table(sides: Sequence[Figures]) -> list[str]:
    """Rows, bill and times, a column for each dataset."""
    headers = ["", "A", "B"] if len(sides) > 1 else ["", ""]
    rows: dict[str, Iterable[str]] = {
        "rows": map(_rows, sides),
        "succeeded": (percentage(side.succeeded, side.rows) for side in sides),
        "cost": (usd(side.number("cost_usd")) for side in sides),
        "cost per 1,000 rows": (usd(side.cost_per_thousand(side.rows)) for side in sides),
        "cost per 1,000 that succeeded": (usd(side.cost_per_thousand(side.succeeded)) for side in sides),
        "inferences": (count(side.number("inferences")) for side in sides),
        "tokens in (of them cached)": map(_tokens, sides),
        "tokens out": (count(side.number("completion_tokens")) for side in sides),
        "latency p50 / p90 / p99 / max": map(_latencies, sides),
        "asked more than once": (percentage(side.asked_again, side.rows) for side in sides),
    }
    if len(sides) > 1:
        for outcome in sorted({name for side in sides for name in side.outcomes} - {"succeeded"}):
            rows[outcome] = [percentage(side.outcomes[outcome], side.rows) for side in sides]
    if any(side.output_retries for side in sides):
        rows["output retried, as the answer did not fit"] = map(_output_retried, sides)
    return table(headers, [[name, *cells] for name, cells in rows.items()], right=range(1, len(headers)))


def _rows(figures: Figures) -> str:
    of_records = "" if figures.rows == figures.records else f" of {count(figures.records)} records"
    return count(figures.rows) + of_records


def _tokens(figures: Figures) -> str:
    tokens, cached = figures.number("prompt_tokens"), figures.number("cached_tokens")
    return f"{count(tokens)} ({percentage(cached, tokens)})"


def _latencies(figures: Figures) -> str:
    if figures.latency.highest is None:
        return NOTHING
    times = [*figures.latency.percentiles(0.5, 0.9, 0.99), figures.latency.highest]
    return ("" if figures.latency.is_exact else "about ") + " / ".join(map(seconds, times))


def _output_retried(figures: Figures) -> str:
    """How many rows, and how many of them succeeded then."""
    told = percentage(figures.output_retried, figures.rows) if figures.output_retries else NOTHING
    mended = (
        f" ({percentage(figures.mended_by_model, figures.output_retried)} mended)"
        if figures.output_retried
        else ""
    )
    return told + mended


def _outcomes(figures: Figures) -> list[str]:
    rows = []
    for outcome, number_of_rows in figures.outcomes.most_common():
        reasons = (f"{code(reason)} {count(times)}" for reason, times in figures.main_reasons(outcome))
        rows.append(
            [outcome, count(number_of_rows), percentage(number_of_rows, figures.rows), ", ".join(reasons)]
        )
    return table(["outcome", "rows", "share", "mostly"], rows, right=[1, 2]) if rows else ["No rows.", ""]


# hits


def _rates(hits: Hits, room: Room) -> list[str]:
    headers = ["field", "as expected", "95 % interval", "hits", "of"]
    rows = [
        [
            code(one.path),
            percentage(one.hits, one.of),
            interval(*one.interval) if one.of else NOTHING,
            count(one.hits),
            count(one.of),
        ]
        for one in hits.fields[: room.rates]
    ]
    return table(headers, rows, right=[1, 2, 3, 4])


def _hits(hits: Hits, room: Room) -> list[str]:
    note = (
        f"{counted(hits.compared, 'row')} with a result compared; {counted(hits.expected.records, 'record')} with expected"
        f" values. {rule(hits.tolerance)}"
    )
    if hits.without_result:
        note += f" {count(hits.without_result)} rows with expected values have no result and are in no rate."
    if hits.expected.left_out:
        note += f" Not compared: {named(hits.expected.left_out, room.listed)}."
    lines = [*_rates(hits, room), note + more_fields(len(hits.fields), room.rates), ""]
    missed = sorted((one for one in hits.fields if one.missed), key=lambda one: one.hits / one.of)
    for one in missed[: room.missed]:
        lines += differences(one.path, one.missed, "miss", one.misses, sides=("got", "expected"), room=room)
        lines += _mixups(one, room)
    return lines


def differences(  # noqa: PLR0913 - a table and all that its heading says
    path: str,
    times: int,
    noun: str,
    examples: Sequence[tuple[Any, Any, Any]],
    *,
    sides: tuple[str, str],
    room: Room,
) -> list[str]:
    """A field's first differences under a heading of their own, which the page can fold."""
    shown = examples[: room.misses]
    first = f"the first {len(shown)} of " if len(shown) < times else ""
    plural = "" if times == 1 else "es" if noun.endswith("s") else "s"
    rows = [
        [code(value, room.chars) for value in (key, *apart(left, right, room.chars))]
        for key, left, right in shown
    ]
    heading = f"### {code(path)}: {first}{count(times)} {noun}{plural}"
    return [heading, "", *table(["record", *sides], rows)]


def _mixups(hits: FieldHits, room: Room) -> list[str]:
    mixups = [
        f"{code(got, room.chars)} instead of {code(wanted, room.chars)} ({count(times)})"
        for got, wanted, times in hits.mixups
    ]
    return [f"Most often: {', '.join(mixups)}.", ""] if mixups else []


def more_fields(fields: int, shown: int | None) -> str:
    """How many fields there was no room for."""
    if shown is None or fields <= shown:
        return ""
    return f" {count(fields - shown)} more fields are in the page."


# fields


def _fields(fields: Sequence[FieldProfile], room: Room) -> list[str]:
    headers = ["field", "type", "filled", "null", "distinct", "range", "median", "spread", "most frequent"]
    rows = [
        [
            code(one.path),
            str(one.kind),
            percentage(one.filled, one.seen),
            count(one.null) + (f", {count(one.blank)} empty" if one.blank else ""),
            _distinct(one),
            _range(one),
            _median(one),
            _spread(one),
            _most_frequent(one, room),
        ]
        for one in fields[: room.fields]
    ]
    note = (
        "Over rows that succeeded; below `[]`, over the elements of lists. The range of a text is its length."
    )
    if any(one.counts.error for one in fields):
        note += " Where there are too many different values, the rare ones are not counted."
    return [*table(headers, rows, right=[2, 3, 4, 6]), note + more_fields(len(fields), room.fields), ""]


def _median(profile: FieldProfile) -> str:
    return ", ".join(map(number, profile.spread.percentiles(0.5))) if profile.is_number else ""


def _distinct(profile: FieldProfile) -> str:
    different = profile.counts.distinct
    if not different:
        return NOTHING
    rounded = different - different % 10 ** max(0, len(str(different)) - 2)
    return f"over {count(rounded)}" if profile.counts.error else count(different)


def _range(profile: FieldProfile) -> str:
    """From where to where the values, or the lengths of texts and lists, go."""
    low, high = profile.lowest, profile.highest
    if low is None or profile.kind is ValueKind.FLAG:
        return NOTHING
    ends = _end(low) if low == high else f"{_end(low)} to {_end(high)}"
    unit = {ValueKind.TEXT: " character", ValueKind.LIST: " element"}.get(profile.kind, "")
    return f"{ends}{unit}{'s' if unit and high != 1 else ''}"


def _end(value: Any) -> str:
    if isinstance(value, datetime):
        value = value.replace(microsecond=0, tzinfo=None)
    if not isinstance(value, int | float | Decimal):
        return str(value)
    end = float(value)
    is_whole = abs(end) < 1e15 and (end.is_integer() or abs(end) >= 1e6)
    return f"{end:,.0f}" if is_whole else f"{end:,.6g}"


def _spread(profile: FieldProfile) -> str:
    histogram = profile.spread.histogram(whole=profile.is_whole)
    if histogram is None:
        return ""
    bars = _sparks(histogram)
    if histogram.is_whole:
        return bars
    if not profile.is_number:
        return f"{bars} middle 98 %"
    return f"{bars} {number(histogram.lowest)} to {number(histogram.highest)}"


def _sparks(histogram: Histogram) -> str:
    tallest = max(histogram.bars)
    return "".join(SPARKS[max(1, round(7 * bar / tallest)) if bar else 0] for bar in histogram.bars)


def _most_frequent(profile: FieldProfile, room: Room) -> str:
    top = profile.counts.top(room.top)
    if not profile.counts.distinct or not profile.filled:
        return ""
    different = _variety(profile, top[0][1] if top else 0)
    if different:
        example = code(top[0][0] if top else profile.example, room.chars // 2)
        return f"{different} different, such as {example}"
    at_least = "≥ " if profile.counts.error else ""
    return ", ".join(f"{code(value, room.chars // 2)} {at_least}{count(times)}" for value, times in top)


def _variety(profile: FieldProfile, most_often: int) -> str:
    """How many values are different, where hardly one is there twice, so that none is frequent; else nothing."""
    if profile.counts.error:
        return _distinct(profile) if most_often <= RARE * profile.filled else ""
    if most_often == 1 and profile.counts.distinct > 1:
        return "all"
    nearly_all = profile.counts.distinct >= NEARLY * profile.filled
    return "nearly all" if nearly_all and most_often <= RARE * profile.filled else ""


# what went wrong


def _problems(figures: Figures, room: Room) -> list[str]:
    problems = figures.problems
    rows = [
        [
            count(times),
            code(path) if path else NOTHING,
            code(what),
            _example(problems.examples[path, what], what),
        ]
        for (path, what), times in problems.counts.most_common(room.listed)
    ]
    lines = table(["rows", "where", "what", "for example"], rows, right=[0])
    if problems.read < figures.outcomes["invalid"]:
        lines += [f"Counted over the first {count(problems.read)} invalid rows.", ""]
    return lines


def _example(message: str, what: str) -> str:
    return "" if message == what else code(message)


def _attempts(figures: Figures, room: Room) -> list[str]:
    rows = {f"mended: {code(name)}": rows for name, rows in figures.mends.most_common(room.listed)}
    for times, retried in sorted(figures.output_retries.items())[: room.listed]:
        if times:
            rows[f"output retried {counted(times, 'time')}, as the answer did not fit"] = retried
    for times, asked in sorted(figures.attempts.items())[: room.listed]:
        rows[f"asked {counted(times, 'time')}"] = asked
    cells = [[what, count(times), percentage(times, figures.rows)] for what, times in rows.items()]
    return table(["what", "rows", "share"], cells, right=[1, 2])
