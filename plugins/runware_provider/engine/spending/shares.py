"""A budget dealt out, to the last token and pico-dollar. Pure."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from runware_provider.engine.spending.picodollars import PICO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.spec import Budget


def shares(budget: Budget, weights: Sequence[float]) -> list[Budget | None]:
    """Deal a budget out in proportion to weights, such as the estimated tokens of each batch.

    Tokens are dealt out whole, USD in whole pico-dollars, so that the shares sum up to the budget (USD as exactly
    as a double holds them: to the pico-dollar up to 8000 USD). What remains after rounding down goes to the largest
    remainders. A greater weight never gets less.

    Returns:
        One budget for each weight; None is no budget but nothing to spend: the weight is 0, or so small that
        nothing of a limit is left for it.

    Raises:
        ValueError: a weight is negative or not finite.
    """
    if not all(0 <= weight < math.inf for weight in weights):
        raise ValueError("a weight is negative or not finite")
    exact = [Fraction(weight) for weight in weights]
    changes: list[dict[str, float]] = [{} for _ in exact]
    if budget.usd is not None:
        for change, picos in zip(changes, _dealt(int(Fraction(repr(budget.usd)) * PICO), exact), strict=True):
            change["usd"] = picos / PICO
    if budget.tokens is not None:
        for change, tokens in zip(changes, _dealt(budget.tokens, exact), strict=True):
            change["tokens"] = tokens
    return [budget.model_copy(update=change) if all(change.values()) else None for change in changes]


def _dealt(whole: int, weights: Sequence[Fraction]) -> list[int]:
    """By largest remainder; of equal ones the first."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    exact = [whole * weight / total for weight in weights]
    dealt = [math.floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: dealt[index] - exact[index])
    for index in by_remainder[: whole - sum(dealt)]:
        dealt[index] += 1
    return dealt
