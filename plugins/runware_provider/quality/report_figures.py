"""Rows, bill and times of datasets, in a table, and how a document about one begins. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.quality.report_remarks import Findings, remarks
from runware_provider.quality.wording import NOTHING, code, count, percentage, seconds, table, usd

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runware_provider.quality.figures import Figures


def head(findings: Findings) -> list[str]:
    """The title, what stands out, and the figures."""
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


def figures_table(sides: Sequence[Figures]) -> list[str]:
    """Rows, bill and times, a column for each dataset."""
    headers = ["", "A", "B"] if len(sides) > 1 else ["", ""]
    told = {**_OF_ALL, **_of_outcomes(sides), **_of_output_retries(sides)}
    rows = [[name, *map(cell, sides)] for name, cell in told.items()]
    return table(headers, rows, right=range(1, len(headers)))


def _succeeded(figures: Figures) -> str:
    return percentage(figures.succeeded, figures.rows)


def _cost(figures: Figures) -> str:
    return usd(figures.cost_usd)


def _cost_of_rows(figures: Figures) -> str:
    return usd(figures.cost_per_thousand(figures.rows))


def _cost_of_successes(figures: Figures) -> str:
    return usd(figures.cost_per_thousand(figures.succeeded))


def _inferences(figures: Figures) -> str:
    return count(figures.number("inferences"))


def _tokens_out(figures: Figures) -> str:
    return count(figures.number("completion_tokens"))


def _asked_again(figures: Figures) -> str:
    return percentage(figures.asked_again, figures.rows)


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


_OF_ALL: Mapping[str, Callable[[Figures], str]] = {
    "rows": _rows,
    "succeeded": _succeeded,
    "cost, whoever paid": _cost,
    "cost per 1,000 rows": _cost_of_rows,
    "cost per 1,000 that succeeded": _cost_of_successes,
    "inferences": _inferences,
    "tokens in (of them cached)": _tokens,
    "tokens out": _tokens_out,
    "latency p50 / p90 / p99 / max": _latencies,
    "asked more than once": _asked_again,
}


def _of_outcomes(sides: Sequence[Figures]) -> dict[str, Callable[[Figures], str]]:
    """What did not succeed, where two are set side by side."""
    if len(sides) == 1:
        return {}
    outcomes = sorted({name for side in sides for name in side.outcomes} - {"succeeded"})
    return {name: _share_of(name) for name in outcomes}


def _share_of(outcome: str) -> Callable[[Figures], str]:
    return lambda figures: percentage(figures.outcomes[outcome], figures.rows)


def _of_output_retries(sides: Sequence[Figures]) -> dict[str, Callable[[Figures], str]]:
    has_some = any(side.output_retries for side in sides)
    return {"output retried, as the answer did not fit": _output_retried} if has_some else {}
