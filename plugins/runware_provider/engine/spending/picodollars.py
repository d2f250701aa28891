"""Money as whole pico-dollars: integers add up exactly, in whatever order, and a token costs at least thousands."""

from __future__ import annotations

PICO = 10**12
"""Pico-dollars in a dollar."""


def pico(usd: float | None) -> int | None:
    """Return an amount in USD as pico-dollars; None for what is not known."""
    return None if usd is None else round(usd * PICO)
