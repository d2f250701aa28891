"""What replies about key, account, models and money say of the assumptions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runware_provider.engine.api.account import balance_in, listed_models
from runware_provider.engine.money import usd
from runware_provider.engine.service_check.findings import differs, holds, judged, unseen

if TYPE_CHECKING:
    from runware_provider.engine.service_check.findings import Finding
    from runware_provider.engine.service_check.heard import Heard

LEAST_SHARE: Final = 0.05
"""Of tokens times price that an answer costs at least: a beginning that was cached costs a twelfth."""
MOST_SHARE: Final = 1.05
EXACT_USD: Final = 2e-6
"""What two sums of money may be apart by rounding."""


def judge_key(heard: Heard) -> Finding:
    """The reply to the free check of a key that is good."""
    reply = heard.submission
    refused = not reply.readable or heard.status >= 400 or bool(reply.unnamed or reply.failures)
    return judged("key-check", heard.told if refused else None, heard.told, heard.shape)


def judge_balance(heard: Heard) -> Finding:
    """The reply to accountManagement."""
    if balance_in(heard.body) is None:
        return differs("balance", f"no balance in it: {heard.told}", heard.shape)
    return holds("balance", f"{heard.told}, with a balance", heard.shape)


def judge_models(heard: Heard, model: str) -> Finding:
    """The reply to `GET /models`."""
    models = listed_models(heard.body)
    entry = next((entry for entry in models if entry.id == model), None)
    shape = heard.shape
    if not models:
        return differs("models-list", f"no list of models: HTTP {heard.status}", shape)
    if entry is None:
        return differs("models-list", f"{len(models)} models, and {model} is not among them", shape)
    if entry.usd_per_token is None:
        return differs("models-list", "the model is listed without a price that can be read", shape)
    return holds("models-list", f"{len(models)} models, this one with a price", shape)


def judge_price(
    tokens: tuple[int, int] | None, cost: float | None, price: tuple[float, float] | None
) -> Finding:
    """What an answer cost, beside its tokens and the listed price.

    Args:
        tokens: in and out, as reported.
        cost: USD, as reported.
        price: USD per token in and out, as listed.
    """
    if tokens is None or cost is None or price is None:
        return unseen("price-unit", "it takes an answer's cost and tokens, and a listed price")
    full = tokens[0] * price[0] + tokens[1] * price[1]
    told = f"{usd(cost)} for {tokens[0]} and {tokens[1]} tokens, by the list {usd(full)}"
    fits = LEAST_SHARE * full <= cost <= MOST_SHARE * full + EXACT_USD
    return judged("price-unit", None if fits else told, told)


def judge_refusals(before: float | None, after: float | None, *, refused: bool) -> Finding:
    """The balance before and after tasks that were refused.

    Args:
        before: USD; None where it was not told.
        after: the same.
        refused: whether all of them were refused.
    """
    name = "refused-unpaid"
    if not refused:
        return unseen(name, "nothing was refused that was to be")
    if before is None or after is None:
        return unseen(name, "the balance was not told")
    fell = before - after
    if fell > EXACT_USD:
        return differs(name, f"the balance fell by {usd(fell)}")
    return holds(name, "the balance is the same after two refusals")


def judge_bill(before: float | None, after: float | None, reported: float, at_most: float) -> Finding:
    """The balance before and after everything, beside the costs that were reported.

    Args:
        before: USD; None where it was not told.
        after: the same.
        reported: USD, summed up.
        at_most: USD; more than reported where answers told no cost, or were not seen.
    """
    if before is None or after is None:
        return unseen("bill", "the balance was not told")
    fell = before - after
    told = f"it fell by {usd(max(fell, 0.0))}, reported are {usd(reported)}"
    if fell > at_most + EXACT_USD:
        return differs("bill", told)
    if abs(fell - reported) <= EXACT_USD:
        return holds("bill", told)
    # Not everything has told its cost, or the balance lags behind, or was topped up.
    return unseen("bill", told)
