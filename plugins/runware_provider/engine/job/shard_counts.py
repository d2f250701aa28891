"""Into how many shards a source is cut. Pure, and light: DAG files import it."""

from __future__ import annotations

from typing import Final

from runware_provider.engine.errors import BadInput

SHARDS: Final = 16
"""Into which a source is cut by default, at most."""
LEAST_ROWS: Final = 50_000
"""Rows that are worth a worker of their own."""


def number_of_shards(rows: int, most: int, least_rows: int = LEAST_ROWS) -> int:
    """Into how many shards so many rows are cut; at least one.

    Args:
        rows: of the source.
        most: shards that are wished, at most.
        least_rows: of a shard, about.
    """
    return max(1, min(most, -(-rows // least_rows)))


def check_counts(**counts: object) -> None:
    """Refuse what is no whole number, or less than 1.

    Args:
        counts: by the names of their arguments.

    Raises:
        BadInput: names the argument.
    """
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise BadInput(name, f"it is {count!r:.40}", "Give a whole number, 1 or more")
