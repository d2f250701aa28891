"""What the local API server knows in tests whose documents say it themselves: `Total: 12.50 EUR`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

TOTAL = re.compile(r"Total: (-?[\d.]+)")


def total_of(task: Mapping[str, Any]) -> dict[str, float] | None:
    """The total that the document in a task's first turn says; None where it says none."""
    said = TOTAL.search(task["messages"][0]["content"])
    return None if said is None else {"total": float(said[1])}
