"""A publish against the one before, as far as the history of its place tells. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.money import of_1000
from runware_provider.quality.chance import SIGNIFICANT, fisher, holm
from runware_provider.quality.wording import NOTHING, code, count, percentage, table, usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.job.run_record import PastRun
    from runware_provider.quality.report_remarks import Findings

NAME_CHARS = 32
NOTE = (
    "A rate that differs more than chance would do so in less than 5 of 100 cases if nothing had changed (Fisher's exact"
    " test, corrected by Holm for the number of rates). What differs may be the records as well as the answers."
)


def published_before(history: Sequence[PastRun], publish_id: str) -> PastRun | None:
    """The run that published before this publish.

    Args:
        history: of the place, the newest first.
        publish_id: of the publish that is looked at; a history that was written before it ended does not have it yet.
    """
    earlier = list(history)
    for place, past in enumerate(history):
        if past.publish_id == publish_id and past.state in {"published", "unchanged"}:
            earlier = list(history[place + 1 :])
    others = (past for past in earlier if past.state == "published" and past.publish_id != publish_id)
    return next((past for past in others if past.publish_id is not None), None)


@dataclass(frozen=True)
class _Rate:
    name: str
    """Markdown of ours."""
    before: tuple[int, int]
    """Hits, and of how many."""
    now: tuple[int, int]

    @property
    def chance(self) -> float:
        return fisher(*self.now, *self.before)


def before_and_now(findings: Findings, before: PastRun) -> list[str]:
    """The lines of a table, and what is meant by chance."""
    figures = findings.figures
    paid = figures.manifest.get("paid_usd")
    rows = [
        ["rows", count(before.rows), count(figures.rows), ""],
        *_if_changed("model", before.model, figures.text("model")),
        ["paid by the run", usd(before.paid_usd), usd(paid), _apart(before.paid_usd, paid)],
        ["cost per 1,000 rows, whoever paid", *_costs(findings, before)],
        *_rates(findings, before),
    ]
    when = before.finished_at[:16].replace("T", " ")
    return [
        f"Before: published {code(when)} UTC, publish {code(before.publish_id or '', NAME_CHARS)}.",
        "",
        *table(["", "before", "now", "difference"], rows, right=[1, 2]),
        NOTE,
        "",
    ]


def _if_changed(name: str, before: str, now: str) -> list[list[str]]:
    return [[name, code(before, NAME_CHARS), code(now, NAME_CHARS), "another one"]] if before != now else []


def _costs(findings: Findings, before: PastRun) -> list[str]:
    now = findings.figures.cost_per_thousand(findings.figures.rows)
    then = of_1000(before.cost_usd, before.rows)
    return [usd(then), usd(now), _apart(then, now)]


def _apart(before: float | None, now: float | None) -> str:
    """By how much an amount has changed."""
    if not before or not now:
        return NOTHING if before is None or now is None or before != now else "the same"
    change = 100 * (now / before - 1)
    return "about the same" if abs(change) < 1 else f"{abs(change):,.0f} % {'more' if change > 0 else 'less'}"


def _rates(findings: Findings, before: PastRun) -> list[list[str]]:
    figures = findings.figures
    rates = [
        _Rate(
            "succeeded", (before.outcomes.get("succeeded", 0), before.rows), (figures.succeeded, figures.rows)
        )
    ]
    for field in findings.hits.fields if findings.hits is not None else ():
        then = before.hits.get(field.path)
        if then is not None:
            name = f"{code(field.path)} as expected"
            rates.append(_Rate(name, (then.get("hits", 0), then.get("of", 0)), (field.hits, field.of)))
    chances = holm([rate.chance for rate in rates])
    return [
        [rate.name, percentage(*rate.before), percentage(*rate.now), _verdict(rate, chance)]
        for rate, chance in zip(rates, chances, strict=True)
    ]


def _verdict(rate: _Rate, chance: float) -> str:
    (then, of_then), (now, of_now) = rate.before, rate.now
    if not of_then or not of_now:
        return NOTHING
    if then * of_now == now * of_then:
        return "the same"
    which = "better" if now * of_then > then * of_now else "worse"
    told = "p < 0.001" if chance < 0.001 else f"p = {chance:.3f}"
    return f"{which}, more than chance ({told})" if chance < SIGNIFICANT else f"may be chance ({told})"
