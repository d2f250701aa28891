"""The most that a run may come to, as a person approves it: nothing in it is reckoned too low."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runware_provider.engine.job.account_opening import open_account
from runware_provider.engine.outcome.follow_up import ceiling
from runware_provider.engine.spec import Budget

if TYPE_CHECKING:
    from runware_provider.engine.job.plan_counts import PlanCounts
    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.memory.ledger_sums import Totals
    from runware_provider.engine.outcome.follow_up import Policy
    from runware_provider.engine.spending.pricing import KnownPrices

_OF_BOTH_KINDS: Final = Budget(usd=1, tokens=1)
"""An account tells of a kind of limit only what its budget has."""


def upper_bound_of(
    counts: PlanCounts, price: KnownPrices | None, ledger: Ledger, policy: Policy, of_shards: Totals
) -> dict[str, Any]:
    """What the run has spent so far, and what the rest may come to at most.

    The rest is at least what a budget has to have free for all of it at once: a run whose budget is the two together
    is never refused for the margins that a budget keeps.

    Args:
        counts: of everything that the run asks.
        price: of the model; None where nobody knows.
        ledger: of the place.
        policy: what may be asked again.
        of_shards: what the same run has paid with the ledgers of shards.

    Returns:
        `spent_usd`, `spent_tokens`, `usd` (None where nobody knows the price) and `tokens`.

    Raises:
        StateUnreadable: a segment of the ledger cannot be read.
    """
    account = open_account(
        _OF_BOTH_KINDS, price, ledger, counts.prompt_tokens_each, output_retries=policy.further_answers
    )
    inferences, prompt_tokens = counts.chargeable
    most, kept_free = ceiling(policy, inferences, prompt_tokens), account.reserve(prompt_tokens, inferences)
    usd = None
    if price is not None:
        usd = max(price.prices.of(most.prompt_tokens, most.completion_tokens), kept_free.usd)
    return {
        "spent_usd": account.spent.usd + of_shards.cost,
        "spent_tokens": account.spent.tokens + of_shards.prompt_tokens + of_shards.completion_tokens,
        "usd": usd,
        "tokens": max(most.prompt_tokens + most.completion_tokens, kept_free.tokens),
    }
