"""What the tasks of a group say of a shard: to each other, and to a person. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

from runware_provider.engine.money import digits
from runware_provider.engine.plain_text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME_CHARS: Final = 60
"""Of a destination in a label; Airflow keeps 250 characters of the whole."""


class ShardArgument(TypedDict):
    """What a mapped task is told: which shard of which split, and what its label needs. Airflow stores it in clear."""

    split: str
    shard: int
    """Its number, from 0."""
    of: int
    rows: int
    """Of the source."""


def arguments_of(shards: Sequence[Mapping[str, Any]]) -> list[ShardArgument]:
    """What each mapped task is told.

    Args:
        shards: as `split_shards` returns them.
    """
    return [
        ShardArgument(split=shard["split"], shard=shard["shard"], of=len(shards), rows=shard["rows"])
        for shard in shards
    ]


def shard_label(
    destination: str, shard: Mapping[str, Any], *, rows: int | None = None, usd: float | None = None
) -> str:
    """What a person sees of a shard, such as `invoices 3 of 16 · 5,000 rows · $0.41`.

    Args:
        destination: whose last part is the name.
        shard: as `arguments_of` gives it.
        rows: that it has written; those of the source, while None.
        usd: what its run has paid for it; nothing is said while None.
    """
    name = destination.rstrip("/").rpartition("/")[2]
    parts = [
        f"{name:.{NAME_CHARS}} {shard['shard'] + 1:,} of {shard['of']:,}",
        f"{shard['rows'] if rows is None else rows:,} rows",
    ]
    if usd is not None:
        parts.append(f"${digits(usd)}")
    return printable(" · ".join(parts))
