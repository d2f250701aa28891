"""Numbers of JSON that remember how they were written, since a double holds some 15 of their digits."""

from __future__ import annotations

_SURE_DIGITS = 15


class WrittenFloat(float):
    """A double, for whoever calculates, and the digits that it was read from."""

    __slots__ = ("text",)
    text: str


def read_float(text: str) -> float:
    """A fraction of JSON; one of which a double may not hold all digits keeps them.

    Args:
        text: as JSON writes numbers; what is beyond a double's range becomes infinite.
    """
    if len(text) <= _SURE_DIGITS:
        return float(text)
    number = WrittenFloat(text)
    number.text = text
    return number
