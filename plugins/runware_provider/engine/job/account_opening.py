"""How a budget's account is opened: with what the ledger knows of prices, of lengths, and of what this run paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runware_provider.engine.errors import BadInput, Unreachable
from runware_provider.engine.spending.budget import Account, Prices, Spend
from runware_provider.engine.spending.pricing import ASSUMED_COMPLETION_TOKENS, KnownPrices, prices_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.attempt import Attempt
    from runware_provider.engine.memory.ledger import Ledger
    from runware_provider.engine.spec import Budget, Spec

ASSUMED_SPREAD = 1.0
"""Standard deviation of an answer's length, as a share of its mean, until the ledger knows answers of the job."""


def price_of(
    spec: Spec,
    listed: Mapping[str, tuple[float, float]] | None,
    ledger: Ledger,
    answers: Sequence[Attempt],
    *,
    same_model: bool,
) -> KnownPrices | None:
    """What a token of the job's model costs; nothing where nobody knows.

    Without a price list it is what was charged for a token before, prompts and answers alike: of some answers to
    the very requests that this run asks, or else of all, if the last publish was of the same model.

    Args:
        spec: the job.
        listed: USD per token in and out, by model, as the API lists them; None where it did not answer.
        ledger: of the job.
        answers: some of those in the ledger that are known to be of this model.
        same_model: whether what was published last was of this model.

    Raises:
        StateUnreadable: a segment of the ledger cannot be read.
    """
    known = prices_of(spec.model, spec.budget, listed or {})
    if known is not None:
        return known
    each = _charged_for_a_token(ledger, answers)
    if each is None and same_model:
        each = _charged_for_any_token(ledger)
    return KnownPrices(Prices(each, each), "the answers of this job") if each else None


def _charged_for_a_token(ledger: Ledger, answers: Sequence[Attempt]) -> float | None:
    usd, tokens = 0.0, 0
    for entry in ledger.entries(answers).values():
        if entry.cost is not None and entry.prompt_tokens is not None and entry.completion_tokens is not None:
            usd += entry.cost
            tokens += entry.prompt_tokens + entry.completion_tokens
    return usd / tokens if tokens else None


def _charged_for_any_token(ledger: Ledger) -> float | None:
    known = ledger.statistics()
    tokens = (known.mean_prompt_tokens or 0.0) + (known.mean_completion_tokens or 0.0)
    return known.mean_cost / tokens if known.mean_cost is not None and tokens else None


def unpriced(model: str, listed: Mapping[str, tuple[float, float]] | None) -> BadInput | Unreachable:
    """What to say of a budget in USD, where nobody knows what the model costs.

    Args:
        model: the API's name of it.
        listed: what the API lists; None where it did not answer, which may be better in a moment.
    """
    if listed is None:
        return Unreachable(
            f"the API did not tell its prices, and without that of {model!r} the budget cannot be kept"
        )
    return BadInput(
        "budget.usd",
        f"the API names no price for {model!r}, so the budget could not be kept",
        "Give the price with budget.usd_per_million=(in, out), or a budget in tokens",
    )


def open_account(  # noqa: PLR0913 - each a fact of its own
    budget: Budget,
    price: KnownPrices | None,
    ledger: Ledger,
    prompt_tokens: int,
    *,
    in_doubt: int = 0,
    output_retries: int = 0,
) -> Account:
    """The account of a run, charged with what the same run has paid already, and may have paid.

    An attempt that was or may have been billed at a cost that nobody reported counts as expected, as it does while
    the run goes on.

    Args:
        budget: the run's.
        price: of the model; nothing where nobody knows.
        ledger: of the job.
        prompt_tokens: of a prompt, by estimate, where an attempt left no word of its own.
        in_doubt: attempts of the same run that may be billed, and are none of what it still asks.
        output_retries: of one question, at most.
    """
    known, paid, unpriced = ledger.statistics(), ledger.totals("fresh"), ledger.unpriced_tokens()
    mean = known.mean_completion_tokens
    mean = ASSUMED_COMPLETION_TOKENS if mean is None else mean
    spread = known.sd_completion_tokens
    priced_tokens = (
        paid.prompt_tokens + paid.completion_tokens - sum((p or 0) + (c or 0) for p, c in unpriced)
    )
    account = Account(
        budget,
        price.prices if price is not None else None,
        Spend(paid.cost, priced_tokens),
        mean,
        ASSUMED_SPREAD * mean if spread is None else spread,
        output_retries=output_retries,
    )
    for prompt, completion in unpriced:
        account.paid(prompt_tokens if prompt is None else 0, None, prompt, completion)
    for _ in range(in_doubt):
        account.paid(prompt_tokens or round(known.mean_prompt_tokens or 0.0), None, None, None)
    return account
