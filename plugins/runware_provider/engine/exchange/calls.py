"""What may be expected of the vendor's calls, so that answers are asked for only where none comes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NONE_COME_FROM: Final = 5
"""Answers in a row that were there and had not been brought, while no call came: as many as the canary has."""


@dataclass
class Calls:
    """Whether the vendor brings the answers of this process, as far as anybody can tell.

    Args:
        overdue_s: seconds after which an answer that was not brought is asked for, at least.
        verify: whether what a call brings is fetched once more, and that taken.
    """

    overdue_s: float
    verify: bool = False
    have_address: bool = True
    """Whether tasks say where to call; not where the receiver was found to be out of reach."""
    inbox_is_readable: bool = True
    """Whether what was brought can be collected."""

    brought: int = 0
    """Calls that said what became of an attempt."""
    fetched: int = 0
    """Answers that were overdue, and there when they were asked for."""
    fetched_since_a_call: int = 0

    def was_brought(self) -> None:
        """A call said what became of an attempt."""
        self.brought += 1
        self.fetched_since_a_call = 0

    def was_fetched(self) -> None:
        """An answer was there when it was asked for."""
        self.fetched += 1
        self.fetched_since_a_call += 1

    @property
    def none_come(self) -> bool:
        """Whether the vendor does not call, or no longer, as far as one can tell: he may not reach the receiver."""
        # What a call has only announced is fetched, too, and says nothing.
        if self.verify and self.brought:
            return False
        return self.fetched_since_a_call >= NONE_COME_FROM

    @property
    def are_expected(self) -> bool:
        """Whether an answer is worth waiting for without asking."""
        return self.have_address and self.inbox_is_readable and not self.none_come
