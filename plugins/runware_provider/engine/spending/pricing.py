"""What a token of a model costs: as the user says, as the API says, or as it was last seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runware_provider.engine.spending.budget import Prices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.spec import Budget

LAST_SEEN = {"deepseek-v4-pro": (0.961, 1.922)}
"""USD per million tokens in and out, as the vendor's price list had it when this version was made."""
ASSUMED_COMPLETION_TOKENS = 250.0
"""Of an answer, until the ledger knows answers of the job."""
MILLION = 1e6


@dataclass(frozen=True)
class KnownPrices:
    """USD per token, and who says so."""

    prices: Prices
    said_by: str


def prices_of(
    model: str, budget: Budget | None, listed: Mapping[str, tuple[float, float]]
) -> KnownPrices | None:
    """What a token of this model costs; nothing where nobody knows.

    Args:
        model: the API's name of it.
        budget: with the user's own prices, perhaps.
        listed: USD per token in and out, by model, as the API lists them now.
    """
    if budget is not None and budget.usd_per_million is not None:
        prompt, completion = budget.usd_per_million
        return KnownPrices(Prices(prompt / MILLION, completion / MILLION), "the budget")
    if model in listed:
        return KnownPrices(Prices(*listed[model]), "the API's price list")
    if model in LAST_SEEN:
        prompt, completion = LAST_SEEN[model]
        return KnownPrices(
            Prices(prompt / MILLION, completion / MILLION), "the price list as this version knows it"
        )
    return None
