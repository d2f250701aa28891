"""A report as Markdown: for a log or a pull request, at most 150 lines. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.quality.markdown import bar, code, table
from runware_provider.engine.quality.profile import Kind
from runware_provider.engine.quality.sameness import rule
from runware_provider.engine.quality.standout import remarks
from runware_provider.engine.quality.wording import (
    NOTHING,
    apart,
    count,
    counted,
    distinct,
    extent,
    interval,
    median,
    reasons,
    seconds,
    share,
    usd,
    value,
    variety,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.quality.expected import FieldHits
    from runware_provider.engine.quality.findings import Findings, Hits, Run
    from runware_provider.engine.quality.profile import FieldProfile

FIELDS_SHOWN = 30
HITS_SHOWN = 20
MISSES_SHOWN = 12
MIXUPS_SHOWN = 5
LISTED = 8
REASKS_SHOWN = 5
TOP_SHOWN = 3
TOP_CHARS = 24
DIFFERENCE_CHARS = 48
WEIGHTS = {"good": "✓ ", "note": "", "bad": "⚠ "}


def markdown_of(findings: Findings) -> str:
    """The report, deterministic: it names no time but that of the publish."""
    run = findings.run
    lines = [f"# Quality of {code(run.destination)}", "", _head(run), "", "**What stands out**", ""]
    lines += [f"- {WEIGHTS[one.weight]}{one.told(code)}" for one in remarks(findings)]
    lines += ["", *facts([run]), "", "## Outcomes", "", *_outcomes(run)]
    if findings.fields:
        lines += ["", "## Fields", "", *_fields(findings.fields)]
    if findings.hits is not None:
        lines += ["", "## Against expected values", "", *_hits(findings.hits)]
    lines += _answers(run)
    return "\n".join(lines) + "\n"


def short_markdown_of(findings: Findings) -> str:
    """What stands out, the figures and the hit rates, for a terminal."""
    run = findings.run
    lines = [f"# Quality of {code(run.destination)}", "", _head(run), ""]
    lines += [f"- {WEIGHTS[one.weight]}{one.told(code)}" for one in remarks(findings)]
    lines += ["", *facts([run])]
    if findings.hits is not None:
        lines += ["", f"Against expected values, {counted(findings.hits.compared, 'row')} compared:"]
        lines += ["", *_rates(findings.hits)]
    return "\n".join(lines) + "\n"


def _head(run: Run) -> str:
    return f"Model {code(run.model)}, published {code(run.finished_at)} UTC, publish {code(run.publish_id)}."


def facts(runs: Sequence[Run]) -> list[str]:
    """Rows, bill and times, a column for each run."""
    names = ["", "A", "B"] if len(runs) > 1 else ["", ""]
    latencies = [[seconds(one) for one in run.latencies or [None] * 4] for run in runs]
    about = ["" if run.tally.latency.is_exact else "about " for run in runs]
    rows = [
        ["rows", *(_rows(run) for run in runs)],
        ["succeeded", *(share(run.tally.answered, run.rows) for run in runs)],
        ["cost", *(usd(run.number("cost_usd")) for run in runs)],
        ["cost per 1,000 rows", *(usd(run.cost_per_thousand) for run in runs)],
        ["cost per 1,000 that succeeded", *(usd(run.cost_per_thousand_succeeded) for run in runs)],
        ["inferences", *(count(run.number("inferences")) for run in runs)],
        ["tokens in (of them cached)", *(_tokens(run) for run in runs)],
        ["tokens out", *(count(run.number("completion_tokens")) for run in runs)],
        ["latency p50 / p90 / p99 / max", *map(_latencies, about, latencies)],
        ["asked more than once", *(share(run.tally.asked_again, run.rows) for run in runs)],
    ]
    if any(run.tally.reasks for run in runs):
        rows.append(["re-asked, as the answer did not fit", *(_reasked(run) for run in runs)])
    return table(names, rows, right=range(1, len(names)))


def _rows(run: Run) -> str:
    return (
        count(run.rows) if run.rows == run.records else f"{count(run.rows)} of {count(run.records)} records"
    )


def _tokens(run: Run) -> str:
    tokens, cached = run.number("prompt_tokens"), run.number("cached_tokens")
    return f"{count(tokens)} ({share(cached, tokens)})"


def _latencies(about: str, shown: Sequence[str]) -> str:
    return NOTHING if shown[0] == NOTHING else about + " / ".join(shown)


def _reasked(run: Run) -> str:
    """How many rows, and how many of them succeeded then."""
    tally = run.tally
    if not tally.reasks:
        return NOTHING
    told = share(tally.reasked, run.rows)
    return f"{told} ({share(tally.mended_by_model, tally.reasked)} mended)" if tally.reasked else told


def _outcomes(run: Run) -> list[str]:
    tally = run.tally
    rows = [
        [
            outcome,
            count(rows),
            share(rows, run.rows),
            bar(rows, run.rows),
            ", ".join(f"{code(name)} {count(n)}" for name, n in reasons(tally.reasons, outcome)),
        ]
        for outcome, rows in tally.outcomes.most_common()
    ]
    return table(["outcome", "rows", "share", "", "mostly"], rows, right=[1, 2]) if rows else ["No rows."]


def _fields(fields: Sequence[FieldProfile]) -> list[str]:
    headers = ["field", "type", "filled", "null", "distinct", "range", "median", "most frequent"]
    rows = [
        [
            code(one.path, 60),
            str(one.kind),
            share(one.filled, one.seen),
            count(one.null),
            distinct(one),
            code(extent(one)) if one.lowest is not None and one.kind is not Kind.FLAG else NOTHING,
            median(one),
            top(one),
        ]
        for one in fields[:FIELDS_SHOWN]
    ]
    lines = table(headers, rows, right=[2, 3, 4, 6])
    notes = "Over rows that succeeded; below `[]`, over the elements of lists."
    if any(not one.distinct_is_exact for one in fields):
        notes += " Where there are too many different values, their number is estimated (within about 3 %)."
    return [*lines, "", notes + _more(len(fields), FIELDS_SHOWN, "fields")]


def top(profile: FieldProfile) -> str:
    """The most frequent values in one cell."""
    differ = variety(profile)
    if differ:
        example = profile.top[0][0] if profile.top else profile.example
        return f"{differ}, such as {code(value(example, TOP_CHARS))}"
    at_least = "≥ " if profile.top_error else ""
    shown = profile.top[:TOP_SHOWN]
    return ", ".join(f"{code(value(held, TOP_CHARS))} {at_least}{count(number)}" for held, number in shown)


def _rates(hits: Hits) -> list[str]:
    headers = ["field", "as expected", "of", "rate", "95 % interval"]
    rows = [
        [
            code(one.path, 60),
            count(one.hits),
            count(one.of),
            share(one.hits, one.of),
            interval(*one.interval) if one.of else NOTHING,
        ]
        for one in hits.fields[:HITS_SHOWN]
    ]
    return table(headers, rows, right=[1, 2, 3, 4])


def _hits(hits: Hits) -> list[str]:
    lines = [*_rates(hits), "", rule(hits.tolerance) + _more(len(hits.fields), HITS_SHOWN, "fields")]
    if hits.without_result:
        lines[-1] += (
            f" {count(hits.without_result)} rows with expected values have no result and are in no rate."
        )
    if hits.left_out:
        lines[-1] += f" Not compared: {', '.join(map(code, hits.left_out[:LISTED]))}."
    return [*lines, *_misses(hits.fields)]


def _misses(fields: Sequence[FieldHits]) -> list[str]:
    """A few of each field, in turn, until there is no room."""
    missed = [one for one in fields if one.misses]
    each = max(1, MISSES_SHOWN // max(1, len(missed)))
    rows = [
        [code(one.path, 60), *beside(miss.key, miss.got, miss.wanted)]
        for one in missed
        for miss in one.misses[:each]
    ]
    mixed = [(one.path, mixup) for one in missed for mixup in one.mixups]
    often = sorted(mixed, key=lambda one: -one[1][2])[:MIXUPS_SHOWN]
    lines = ["", *table(["field", "record", "got", "expected"], rows[:MISSES_SHOWN])] if rows else []
    if often:
        lines += [
            "",
            f"Taken for another most often: {', '.join(_mixup(path, *mixup) for path, mixup in often)}.",
        ]
    return lines


def _mixup(path: str, got: object, wanted: object, times: int) -> str:
    shown = (code(value(held, TOP_CHARS)) for held in (got, wanted))
    return f"{code(path, 60)} {' instead of '.join(shown)} ({count(times)})"


def beside(key: object, first: object, second: object) -> list[str]:
    """The cells for a record whose values differ."""
    return [code(value(held, DIFFERENCE_CHARS)) for held in (key, *apart(first, second, DIFFERENCE_CHARS))]


def _answers(run: Run) -> list[str]:
    tally, lines = run.tally, []
    if tally.problems.counts:
        found = tally.problems.counts.most_common(LISTED)
        rows = [[count(n), code(path) if path else NOTHING, code(message)] for (path, message), n in found]
        lines += ["", "## Why answers were invalid", ""]
        lines += table(["rows", "where", "what"], rows, right=[0])
        if tally.problems.read < tally.outcomes["invalid"]:
            lines += ["", f"Counted over the first {count(tally.problems.read)} invalid rows."]
    if tally.mends or tally.asked_again:
        lines += ["", "## Mends and attempts", ""]
        rows = [[f"mended: {code(name)}", count(n)] for name, n in tally.mends.most_common(LISTED)]
        asked = sorted(tally.attempts.items())[:LISTED]
        rows += [[f"asked {counted(n, 'time')}", count(rows_)] for n, rows_ in asked]
        again = sorted((n, rows_) for n, rows_ in tally.reasks.items() if n)[:REASKS_SHOWN]
        rows += [
            [f"re-asked {counted(n, 'time')}, as the answer did not fit", count(rows_)] for n, rows_ in again
        ]
        lines += table(["", "rows"], rows, right=[1])
    return lines


def _more(number: int, shown: int, noun: str) -> str:
    return f" {count(number - shown)} more {noun} are in the HTML page." if number > shown else ""
