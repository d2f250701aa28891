"""An amount of money as a person reads it. Pure; everything that shows an amount to a person asks `usd`."""

from __future__ import annotations

import math
from typing import Final

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


def _decimals(amount: float) -> int:
    if abs(amount) >= 10:
        return 2
    if abs(amount) >= 1:
        return TELLING_DIGITS
    before_the_first_digit = -math.floor(math.log10(abs(amount))) - 1
    return min(MOST_DECIMALS, before_the_first_digit + TELLING_DIGITS)
