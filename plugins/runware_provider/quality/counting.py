"""How often values occur and how numbers are spread, batch by batch, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

VALUES_HELD = 50_000
BYTES_HELD = 16_000_000
"""Of values that are remembered for one field; beyond either, the rare ones are forgotten."""
NUMBERS_HELD = 65_536
BARS = 16
NARROW = 0.3
"""Where the middle 98 % take less than this share of the range, only they are drawn."""


class ValueCounts:
    """Counts values; once there are too many different ones, those that were seen least are forgotten.

    Args:
        values_held: different values that are remembered.
        bytes_held: of these together.
    """

    def __init__(self, values_held: int = VALUES_HELD, bytes_held: int = BYTES_HELD) -> None:
        self._values_held = values_held
        self._bytes_held = bytes_held
        self._table: pa.Table | None = None
        self.distinct = 0
        """Different values; at least so many once some were forgotten."""
        self.error = 0
        """By how much a count may be too low; 0 while every value is remembered."""

    def add(self, values: pa.Array) -> None:
        """Count these values, none of which is null."""
        if pa.types.is_floating(values.type):
            values = pc.add(values, 0.0)  # minus zero is zero
        counted = pc.value_counts(values)
        table = pa.table({"value": counted.field("values"), "count": counted.field("counts")})
        if self._table is not None:
            both = pa.concat_tables([self._table, table])
            table = both.group_by("value", use_threads=False).aggregate([("count", "sum")])
            table = table.rename_columns(["value", "count"])
        self.distinct = max(self.distinct, table.num_rows)
        self._table = self._remembered(table)

    def _remembered(self, table: pa.Table) -> pa.Table:
        if table.num_rows <= self._values_held and table.nbytes <= self._bytes_held:
            return table
        ranked = table.take(_ranking(table))
        kept = min(table.num_rows, self._values_held) // 2
        while kept and ranked.slice(0, kept).nbytes > self._bytes_held // 2:
            kept //= 2
        self.error += ranked["count"][kept].as_py()
        return ranked.slice(0, kept).combine_chunks()

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


@dataclass(frozen=True)
class Histogram:
    """How many numbers fall into each of equally wide bins."""

    lowest: float
    """Where the first bin begins."""
    highest: float
    """Where the last bin ends."""
    bars: tuple[int, ...]
    is_whole: bool
    """Whether no number lies below the first bin or above the last."""


class Spread:
    """Collects numbers, every one until they are too many, from then on every second, fourth and so on.

    Args:
        numbers_held: how many are kept at most.
    """

    def __init__(self, numbers_held: int = NUMBERS_HELD) -> None:
        self._numbers_held = numbers_held
        self._held = pa.array([], pa.float64())
        self._step = 1
        self._seen = 0
        self.highest: float | None = None

    def add(self, numbers: pa.Array) -> None:
        """Add numbers; null and what is not finite is passed over."""
        finite = numbers.filter(pc.is_finite(numbers)).drop_null().cast(pa.float64(), safe=False)
        if not len(finite):
            return
        highest = pc.max(finite).as_py()
        self.highest = highest if self.highest is None else max(self.highest, highest)
        self._held = pa.concat_arrays([self._held, finite[-self._seen % self._step :: self._step]])
        self._seen += len(finite)
        while len(self._held) > self._numbers_held:
            self._held = self._held[::2]
            self._step *= 2

    @property
    def is_exact(self) -> bool:
        """Whether all numbers were kept."""
        return self._step == 1

    def percentiles(self, *shares: float) -> list[float]:
        """The numbers below which these shares lie (0.5 is the median); none without numbers."""
        return pc.quantile(self._held, list(shares)).to_pylist() if len(self._held) else []

    def log_histogram(self) -> Histogram | None:
        """The same in bins each of which is as many times as wide as the one before; the ends are logarithms (base 10).

        Numbers that are not above zero are left out; None where all the others are the same, or there are none.
        """
        above = self._held.filter(pc.greater(self._held, 0.0))
        logarithms = Spread(self._numbers_held)
        logarithms._held = pc.log10(above)
        return logarithms.histogram(narrowed=False)

    def histogram(self, *, whole: bool = False, narrowed: bool = True) -> Histogram | None:
        """The histogram of what was kept; None where all numbers are the same, or there are none.

        Args:
            whole: the numbers are whole ones, so that a bin should not end between two of them.
            narrowed: draw only the middle 98 % where they take a small part of the range.
        """
        if not len(self._held):
            return None
        least, low, high, most = pc.quantile(self._held, [0, 0.01, 0.99, 1]).to_pylist()
        is_narrow = narrowed and 0 < high - low < NARROW * (most - least)
        lowest, highest = (low, high) if is_narrow else (least, most)
        if lowest == highest:
            return None
        if whole and highest - lowest < BARS:
            lowest, highest = round(lowest) - 0.5, round(highest) + 0.5
        bars = round(highest - lowest) if whole and highest - lowest <= BARS else BARS
        width = highest / bars - lowest / bars
        if not width > 0:
            return None
        inside = pc.and_(pc.greater_equal(self._held, lowest), pc.less_equal(self._held, highest))
        places = pc.floor(pc.subtract(pc.divide(self._held.filter(inside), width), lowest / width))
        clamped = pc.min_element_wise(pc.max_element_wise(places, 0.0), float(bars - 1))
        counts = {int(bin_["values"]): bin_["counts"] for bin_ in pc.value_counts(clamped).to_pylist()}
        heights = tuple(counts.get(place, 0) for place in range(bars))
        return Histogram(lowest, highest, heights, is_whole=lowest <= least and most <= highest)
