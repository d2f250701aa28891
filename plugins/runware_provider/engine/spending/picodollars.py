"""Money as whole pico-dollars: integers add up exactly, in whatever order, and a token costs at least thousands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PICO = 10**12
"""Pico-dollars in a dollar."""


def pico(usd: float | None) -> int | None:
    """Return an amount in USD as pico-dollars; None for what is not known."""
    return None if usd is None else round(usd * PICO)


def as_kept(usd: float | None) -> float | None:
    """Return an amount in USD as exact as the ledger keeps it; None for what is not known."""
    return None if usd is None else round(usd * PICO) / PICO


def sum_of_known(amounts: Iterable[float | None]) -> float | None:
    """Return the sum of the amounts in USD that are known; None where none is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(round(amount * PICO) for amount in known) / PICO if known else None
