"""Amounts of money, as a person reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runware_provider.engine.money import MOST_DECIMALS, digits, usd


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (0, "0 USD"),
        (12_345.678, "12,345.68 USD"),
        (10.006, "10.01 USD"),
        (4.9731, "4.9731 USD"),
        (1, "1.00 USD"),
        (0.5, "0.50 USD"),
        (0.99996, "1.00 USD"),
        (0.147065, "0.1471 USD"),
        (0.01, "0.01 USD"),
        (0.000257, "0.000257 USD"),
        (0.0000012345, "0.000001234 USD"),
        (1e-12, "0.000000000001 USD"),
        (1e-15, "less than 0.000000000001 USD"),
    ],
)
def test_an_amount_has_as_many_digits_as_tell_it_from_others(amount: float, shown: str) -> None:
    assert usd(amount) == shown


@given(st.floats(10.0**-MOST_DECIMALS, 1e9))
def test_no_amount_that_is_something_reads_as_nothing(amount: float) -> None:
    shown = float(digits(amount).replace(",", ""))
    assert shown == pytest.approx(amount, rel=0.006, abs=10.0**-MOST_DECIMALS)
    assert shown > 0
