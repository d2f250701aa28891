"""What was told in short lines, as the sentences that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def said(lines: Iterable[str]) -> str:
    """Return lines of a log or a terminal as one, with single blanks."""
    return " ".join(" ".join(lines).split())
