"""How often each value occurs, in bounded memory: exact for so many different values, then within a stated error."""

from __future__ import annotations

import zlib
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

VALUES_HELD = 50_000
BYTES_HELD = 16_000_000
"""Of values that are remembered for one field; beyond either, the rare ones are forgotten."""

_MIX = pa.scalar(0x9E3779B97F4A7C15, pa.uint64())
_REMIX = pa.scalar(0xD6E8FEB86659FD93, pa.uint64())
_HASHES = 1 << 64


class ValueCounts:
    """Counts values batch by batch.

    When there are too many different ones, those that were seen least are forgotten, and every count from then
    on is at most `error` too low. How many different ones there are is then estimated from the smallest hashes
    (k minimum values: Bar-Yossef et al., 2002), within about 3 %.

    Args:
        values_held: different values that are remembered.
        bytes_held: of these together.
    """

    def __init__(self, values_held: int = VALUES_HELD, bytes_held: int = BYTES_HELD) -> None:
        self._values_held = values_held
        self._bytes_held = bytes_held
        self._table: pa.Table | None = None
        self._hashes: _SmallestHashes | None = None
        self.error = 0
        """By how much a count may be too low; 0 while every value is remembered."""

    def add(self, values: pa.Array) -> None:
        """Count these values, none of which is null."""
        counted = pc.value_counts(values)
        table = pa.table([counted.field("values"), counted.field("counts")], names=["value", "count"])
        if self._hashes is not None:
            self._hashes.add(table["value"])
        if self._table is not None:
            both = pa.concat_tables([self._table, table])
            table = both.group_by("value", use_threads=False).aggregate([("count", "sum")])
            table = table.rename_columns(["value", "count"])
        self._table = self._forget(table)

    def _forget(self, table: pa.Table) -> pa.Table:
        if table.num_rows <= self._values_held and table.nbytes <= self._bytes_held:
            return table
        if self._hashes is None:
            self._hashes = _SmallestHashes()
            self._hashes.add(table["value"])
        ranked = table.take(_ranking(table))
        kept = min(table.num_rows, self._values_held) // 2
        while kept and ranked.slice(0, kept).nbytes > self._bytes_held // 2:
            kept //= 2
        self.error += ranked["count"][kept].as_py()
        return ranked.slice(0, kept).combine_chunks()

    @property
    def distinct(self) -> int:
        """How many different values there were; about so many, when `is_exact` is false."""
        if self._hashes is not None:
            return self._hashes.estimate()
        return self._table.num_rows if self._table is not None else 0

    @property
    def is_exact(self) -> bool:
        """Whether all values were remembered."""
        return self._hashes is None

    def top(self, number: int) -> list[tuple[Any, int]]:
        """The most frequent values with their counts; ties in the values' own order.

        Values that may owe their place to the error alone are left out.
        """
        if self._table is None:
            return []
        few = self._table.filter(pc.greater(self._table["count"], self.error))
        few = few.take(_ranking(few)[:number])
        return list(zip(few["value"].to_pylist(), few["count"].to_pylist(), strict=True))


def _ranking(table: pa.Table) -> pa.Array:
    return pc.sort_indices(table, sort_keys=[("count", "descending"), ("value", "ascending")])


class _SmallestHashes:
    """An estimate of how many different values there were, from the smallest of their hashes."""

    HELD = 2048

    def __init__(self) -> None:
        self._held = pa.array([], pa.uint64())

    def add(self, values: pa.ChunkedArray) -> None:
        every = pa.chunked_array([self._held, _hashes(values)]).unique()
        self._held = every.take(pc.sort_indices(every)[: self.HELD])

    def estimate(self) -> int:
        held = len(self._held)
        if held < self.HELD:
            return held
        largest: int = self._held[-1].as_py()
        return round((held - 1) * _HASHES / largest)


def _hashes(values: pa.ChunkedArray) -> pa.Array:
    """Of each value, 64 bits that no process start changes, unlike Python's own."""
    kind = values.type
    texts = values.cast(pa.int64()) if pa.types.is_temporal(kind) and kind.bit_width == 64 else values
    encoded = map(str.encode, texts.cast(pa.large_string()).to_pylist())
    mixed = pc.multiply(pa.array(map(zlib.crc32, encoded), pa.uint64()), _MIX)
    mixed = pc.bit_wise_xor(mixed, pc.shift_right(mixed, pa.scalar(29, pa.uint64())))
    mixed = pc.multiply(mixed, _REMIX)
    return pc.bit_wise_xor(mixed, pc.shift_right(mixed, pa.scalar(32, pa.uint64())))
