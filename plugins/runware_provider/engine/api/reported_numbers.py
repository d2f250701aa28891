"""Numbers as the API writes them: as numbers or as texts, and never believed beyond what can be. Pure.

The vendor's price list is known to hold texts, so a text is read wherever a number may stand, as long as nothing has to be
guessed: what JSON calls a number, with blanks around it, a plus, or no digit before the point. A comma may be a thousand
or a decimal point, a sign of a currency may be any dollar's: such a text is no number, and what it says is not reported.
"""

from __future__ import annotations

import re
from typing import Final

MOST_COST_USD: Final = 1_000
"""Of one inference: a million tokens of the dearest models cost less."""
MOST_TOKENS: Final = 1_000_000_000
"""Of one inference: a thousand times the longest context."""
MOST_PRICE_USD: Final = 100_000
"""Per million tokens, or per token: which of the two, no source says."""
_MOST_CHARS: Final = 400
"""A double that is written out in full has some 330 digits; what is longer is no number of anybody's."""
_NUMBER: Final = re.compile(r"[ \t\r\n]*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?[ \t\r\n]*", re.ASCII)


def number_in(value: object, most: float) -> float | None:
    """Return the number that a value is or spells, from 0 to the most; None for everything else.

    Args:
        value: whatever stands where a number should.
        most: above it, nothing is believed.
    """
    number: float
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        if len(value) > _MOST_CHARS or not _NUMBER.fullmatch(value):
            return None
        number = float(value)
    elif isinstance(value, int | float):
        number = value
    else:
        return None
    # Not a number, and both infinities, are outside of all bounds. An integer may have any number of digits, so it is
    # compared before it is converted.
    if not 0 <= number <= most:
        return None
    return float(number) + 0.0  # which makes plain zero of minus zero


def whole_number_in(value: object, most: int) -> int | None:
    """Return the whole number that a value is or spells, also as a fraction like 212.0; None for everything else."""
    number = number_in(value, most)
    return int(number) if number is not None and number.is_integer() else None
