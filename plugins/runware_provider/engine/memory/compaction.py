"""Merges the many small segments of a ledger into few large ones, for those who open it next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from runware_provider.engine.memory import segments
from runware_provider.engine.memory.segment_catalogue import (
    Base,
    Held,
    Superseded,
    left_over,
    listing,
    remove,
    swap_base,
)
from runware_provider.engine.memory.segment_rewriting import SEGMENT_BYTES, Rewriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runware_provider.engine.memory.ledger import Ledger

KEPT_S = 24 * 3600.0
"""How long merged segments stay for whoever is reading them."""


def compact(ledger: Ledger, *, segment_bytes: int = SEGMENT_BYTES) -> bool:
    """Merge small segments, the whole tail included; what a higher rank overrules is left out.

    Entries keep what they say. The merged segments are swapped in as a whole, so a death leaves the old ledger or
    the new one. The old segments stay for a day, then the next compaction removes them.

    Args:
        ledger: open, outside `writing()`; to be closed afterwards, as its totals of what is used may be gone.
        segment_bytes: about as large as a merged segment becomes; also what it takes in memory, a few times.

    Returns:
        False if there was nothing to merge, or if somebody else rewrote the ledger meanwhile.

    Raises:
        OSError: the store could not write; the ledger is as before.
        StateUnreadable: a segment cannot be read; the ledger is as before.
    """
    if not ledger.catch_up():
        ledger.reload()
    small = ledger.small()
    if len(small) < 2:
        return False
    now = int(ledger.clock())
    gone = [one for one in ledger.base.superseded if one.erase or now - one.at >= KEPT_S]
    seen = listing(ledger.storage, ledger.folder)
    rewriter = Rewriter(ledger.storage, ledger.folder, segment_bytes)
    with rewriter.undone_on_failure():
        merged = _merged(ledger, small, rewriter)
    if not swap_base(
        ledger.storage, ledger.folder, _after(ledger, small, merged, gone, now), ledger.version, now
    ):
        rewriter.discard()
        return False
    old = [name for one in gone for name in one.names]
    remove(ledger.storage, ledger.folder, [*old, *left_over(ledger.base, seen)])
    return True


def _merged(ledger: Ledger, small: Sequence[tuple[int, str]], rewriter: Rewriter) -> list[Held]:
    for place, name in small:
        wanted = iter(ledger.index.rows_of(place))
        row = next(wanted, None)
        end = 0
        for table in segments.row_groups(ledger.storage, ledger.storage.join(ledger.folder, name)):
            start, end = end, end + table.num_rows
            kept = []
            while row is not None and row < end:
                kept.append(row - start)
                row = next(wanted, None)
            if kept:
                rewriter.add(table.take(pa.array(kept, pa.int64())))
    return rewriter.take()


def _after(
    ledger: Ledger,
    small: Sequence[tuple[int, str]],
    merged: Sequence[Held],
    gone: Sequence[Superseded],
    now: int,
) -> Base:
    names = {name for _, name in small}
    large = [held for held in ledger.base.segments if held.name not in names]
    staying = [one for one in ledger.base.superseded if one not in gone]
    return Base(
        through=ledger.last,
        segments=(*large, *merged),
        superseded=(*staying, Superseded(now, tuple(name for _, name in small))),
    )
