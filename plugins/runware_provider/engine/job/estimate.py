"""What the questions of a run will probably cost, and what they may cost at most, as `plan` tells it. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runware_provider.engine.outcome.follow_up import ceiling
from runware_provider.engine.spending.pricing import ASSUMED_COMPLETION_TOKENS

if TYPE_CHECKING:
    from runware_provider.engine.job.plan_counts import PlanCounts
    from runware_provider.engine.memory.ledger_sums import Statistics
    from runware_provider.engine.outcome.follow_up import Policy
    from runware_provider.engine.spending.pricing import KnownPrices


def estimate_of(
    counts: PlanCounts, known: Statistics, price: KnownPrices | None, policy: Policy
) -> dict[str, Any]:
    """What it will probably cost, and what it may cost at most."""
    each = known.mean_completion_tokens
    if each is None:
        mean = min(ASSUMED_COMPLETION_TOKENS, policy.max_tokens)
    else:
        mean = min(each, policy.most_tokens or policy.max_tokens)
    completion_tokens = round(mean * counts.to_pay)
    most = ceiling(policy, *counts.chargeable)
    return {
        "prompt_tokens": counts.prompt_tokens,
        "completion_tokens": completion_tokens,
        "completion_tokens_each": round(mean),
        "based_on": "an assumption, not a measurement"
        if each is None
        else "taken from the answers of this job",
        "cost_usd": _cost(price, counts.prompt_tokens, completion_tokens),
        "priced_by": price.said_by if price is not None else None,
        "at_most": {
            **asdict(most),
            "max_tokens_each": policy.most_tokens or policy.max_tokens,
            "cost_usd": _cost(price, most.prompt_tokens, most.completion_tokens),
        },
    }


def _cost(price: KnownPrices | None, prompt_tokens: int, completion_tokens: int) -> float | None:
    return round(price.prices.of(prompt_tokens, completion_tokens), 6) if price is not None else None
