"""An amount of money as a person reads it, and what its words mean. Pure; everything that shows an amount to a person asks `usd`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_DECIMALS: Final = 12
"""A pico-dollar: the ledger counts in these."""
TELLING_DIGITS: Final = 4
"""Of an amount below ten dollars, behind its point or its zeros."""


def usd(amount: float) -> str:
    """An amount in USD: to the cent from ten dollars on, else with as many digits as tell it from others."""
    return f"{digits(amount)} USD"


def digits(amount: float) -> str:
    """The same without its unit, for an amount beside another one."""
    if amount == 0:
        return "0"
    least = 10**-MOST_DECIMALS
    if abs(amount) < least:
        return f"less than {least:.{MOST_DECIMALS}f}"
    whole, _, fraction = f"{amount:,.{_decimals(amount)}f}".partition(".")
    # Two decimals at least: it is money.
    return f"{whole}.{fraction.rstrip('0'):0<2}"


def cost_of_answers(manifest: Mapping[str, Any]) -> float:
    """USD for the answers that the rows of a dataset show, whoever paid for them: a run of it, or one of another partition."""
    return float((manifest.get("cost_usd") or 0.0) + (manifest.get("reused_usd") or 0.0))


def of_1000(amount: float | None, rows: int) -> float | None:
    """USD for 1,000 of so many rows that come to an amount; None where there are none, or the amount is not known."""
    return None if amount is None or rows <= 0 else 1000 * amount / rows


def _decimals(amount: float) -> int:
    if abs(amount) >= 10:
        return 2
    if abs(amount) >= 1:
        return TELLING_DIGITS
    before_the_first_digit = -math.floor(math.log10(abs(amount))) - 1
    return min(MOST_DECIMALS, before_the_first_digit + TELLING_DIGITS)
