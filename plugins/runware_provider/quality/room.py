"""How much of everything a report has room for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Room:
    """How much of everything is written down; None is all of it."""

    fields: int | None
    rates: int | None
    missed: int | None
    """Fields whose differences are shown."""
    misses: int
    listed: int
    top: int
    chars: int
    """Of values that differ."""
    charts: int
    """Of each kind."""


BRIEF: Final = Room(fields=20, rates=14, missed=4, misses=3, listed=5, top=3, chars=48, charts=2)
"""For a log or a pull request: at most 150 lines."""
WHOLE: Final = Room(fields=None, rates=None, missed=None, misses=20, listed=20, top=5, chars=160, charts=12)
"""For the page."""


def more_fields(fields: int, shown: int | None) -> str:
    """How many fields there was no room for."""
    if shown is None or fields <= shown:
        return ""
    return f" {fields - shown:,} more fields are in the page."


def first_of(shown: int, of: int) -> str:
    """That only the first of so many are shown, where it is so."""
    return f"the first {shown} of " if shown < of else ""
