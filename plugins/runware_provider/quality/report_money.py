"""What a dataset cost: this run, its rows, and ever, told apart so that nobody adds up what overlaps. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.money import of_1000
from runware_provider.quality.wording import NOTHING, count, counted, digits, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runware_provider.quality.figures import Figures

NOTE = (
    "These overlap, so they do not add up: what this run paid is in what was ever paid, and so are the rows' answers,"
    " which earlier runs may have paid for. What was used again from other partitions was paid there."
)


def tells_money(figures: Figures) -> bool:
    """Whether the manifest tells what a run paid; older ones do not."""
    return "paid_usd" in figures.manifest


def money_table(figures: Figures) -> list[str]:
    """The sums beside each other, and what they leave out."""
    headers = ["", "inferences", "USD", "USD for 1,000 rows"]
    lines = table(headers, list(_sums(figures)), right=[1, 2, 3])
    return [*lines, " ".join([NOTE, *_left_out(figures)]), ""]


def _sums(figures: Figures) -> Iterator[list[str]]:
    """Each sum with its inferences: of this run those that were answered, else those, too, that ended without an answer."""
    paid, answered = figures.number("paid_usd"), figures.number("paid_inferences")
    yield ["**this run** paid", count(answered), digits(paid), _each(figures, paid)]
    cost, reused = figures.cost_usd, figures.number("reused_inferences")
    whole = count(figures.number("inferences") + reused)
    yield ["**these rows** cost, whoever paid", whole, digits(cost), _each(figures, cost)]
    if reused:
        amount = figures.number("reused_usd")
        name = "of this, used again from other partitions"
        yield [name, count(reused), digits(amount), _each(figures, amount)]
    if "cost_usd_ever" in figures.manifest:
        # It has no share of a row: most of it may be of rows that are no longer there.
        yield [
            "**ever** paid here, also for older prompts and models",
            NOTHING,
            digits(figures.number("cost_usd_ever")),
            NOTHING,
        ]


def _each(figures: Figures, amount: float) -> str:
    each = of_1000(amount, figures.rows)
    return NOTHING if each is None else digits(each)


def _left_out(figures: Figures) -> Iterator[str]:
    # Of these the API counts what it refused and what failed there: nobody pays for that.
    if any(figures.outcomes[outcome] for outcome in ("failed", "refused")):
        yield "Inferences of rows that failed or were refused count with the rows, and not with what this run paid."
    if unreported := int(figures.number("cost_unreported")):
        yield f"In none of them: {counted(unreported, 'answer')} without a reported cost."
    if lost := int(figures.number("maybe_billed")):
        yield f"Perhaps billed besides: {counted(lost, 'attempt')} without an answer."
