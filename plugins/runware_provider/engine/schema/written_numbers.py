"""Numbers of JSON that remember how they were written, since a double holds some 15 of their digits."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any

SURE_DIGITS = 15
"""Of a decimal fraction, those that a double always holds."""
_MOST_WHOLE = 2.0**64
"""Larger numbers fit no integer column, and may have any number of digits."""


class WrittenFloat(float):
    """A double, for whoever calculates, and the digits that it was read from."""

    __slots__ = ("text",)
    text: str


def read_float(text: str) -> float:
    """A fraction of JSON; one of which a double may not hold all digits keeps them.

    Args:
        text: as JSON writes numbers; what is beyond a double's range becomes infinite.
    """
    if len(text) <= SURE_DIGITS and "e" not in text and "E" not in text:
        return float(text)
    number = WrittenFloat(text)
    number.text = text
    return number


def as_whole(number: WrittenFloat) -> int | WrittenFloat:
    """The integer that was written as a fraction, like `9007199254740993.0`, with all its digits; else the number."""
    if not number.is_integer() or abs(number) > _MOST_WHOLE:
        return number
    exact = Decimal(number.text)
    return int(exact) if exact == exact.to_integral_value(context=_exact(number)) else number


def written_text(number: WrittenFloat) -> str:
    """The number as JSON, with the digits that a double does not hold; equal numbers are equal texts."""
    if Decimal(number.text) == Decimal(float.__repr__(number)):
        return float.__repr__(number)
    return str(Decimal(number.text).normalize(_exact(number)))


def as_doubles(value: Any) -> Any:
    """The JSON value without numbers that remember how they were written."""
    if isinstance(value, dict):
        return {name: as_doubles(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [as_doubles(inner) for inner in value]
    return float(value) if isinstance(value, WrittenFloat) else value


def _exact(number: WrittenFloat) -> Context:
    return Context(prec=len(number.text))
