"""How numbers are spread: percentiles and a small histogram, from all of them or from an even sample."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

NUMBERS_HELD = 65_536
BARS = 16
NARROW = 0.3
"""Where the middle 98 % take less than this share of the range, only they are drawn."""


@dataclass(frozen=True)
class Histogram:
    """How many numbers fall into each of equally wide bins."""

    lowest: float
    """Where the first bin begins."""
    highest: float
    """Where the last bin ends."""
    bars: tuple[int, ...]
    below: int = 0
    """Numbers under the first bin."""
    above: int = 0
    """Numbers over the last bin."""


class Spread:
    """Collects numbers, every one until they are too many, from then on every second, fourth and so on.

    Args:
        numbers_held: how many are kept at most.
    """

    def __init__(self, numbers_held: int = NUMBERS_HELD) -> None:
        self._numbers_held = numbers_held
        self._held = pa.array([], pa.float64())
        self._step = 1
        self.seen = 0
        self.lowest: float | None = None
        self.highest: float | None = None

    def add(self, numbers: pa.Array) -> None:
        """Add numbers; null and what is not finite is passed over."""
        finite = numbers.filter(pc.is_finite(numbers)).drop_null().cast(pa.float64(), safe=False)
        if not len(finite):
            return
        ends = pc.min_max(finite).as_py()
        self.lowest = ends["min"] if self.lowest is None else min(self.lowest, ends["min"])
        self.highest = ends["max"] if self.highest is None else max(self.highest, ends["max"])
        taken = _every(finite, -self.seen % self._step, self._step)
        self.seen += len(finite)
        self._held = pa.concat_arrays([self._held, taken])
        while len(self._held) > self._numbers_held:
            self._held = _every(self._held, 0, 2)
            self._step *= 2

    @property
    def is_exact(self) -> bool:
        """Whether all numbers were kept."""
        return self._step == 1

    def percentiles(self, *shares: float) -> list[float] | None:
        """The numbers below which these shares lie (0.5 is the median); None without numbers."""
        return pc.quantile(self._held, list(shares)).to_pylist() if len(self._held) else None

    def histogram(self, *, whole: bool = False) -> Histogram | None:
        """The histogram; None where all numbers are the same, or there are none.

        Args:
            whole: the numbers are whole ones, so that a bin should not end between two of them.
        """
        if self.lowest is None or self.highest is None or not self.lowest < self.highest:
            return None
        lowest, highest = self.lowest, self.highest
        middle = pc.quantile(self._held, [0.01, 0.99]).to_pylist()
        if middle[0] < middle[1] and middle[1] - middle[0] < NARROW * (highest - lowest):
            lowest, highest = middle
        if whole and highest - lowest < BARS:
            lowest, highest = round(lowest) - 0.5, round(highest) + 0.5
        bars = round(highest - lowest) if whole and highest - lowest <= BARS else BARS
        width = highest / bars - lowest / bars
        return self._counted(lowest, highest, bars, width) if width > 0 else None

    def _counted(self, lowest: float, highest: float, bars: int, width: float) -> Histogram:
        below = pc.sum(pc.less(self._held, lowest)).as_py()
        above = pc.sum(pc.greater(self._held, highest)).as_py()
        inside = self._held.filter(
            pc.and_(pc.greater_equal(self._held, lowest), pc.less_equal(self._held, highest))
        )
        places = pc.floor(pc.subtract(pc.divide(inside, width), lowest / width))
        clamped = pc.min_element_wise(pc.max_element_wise(places, 0.0), float(bars - 1))
        counts = [0] * bars
        for one in pc.value_counts(clamped).to_pylist():
            counts[int(one["values"])] = one["counts"] * self._step
        return Histogram(lowest, highest, tuple(counts), below * self._step, above * self._step)


def _every(array: pa.Array, first: int, step: int) -> pa.Array:
    return array if step == 1 else array.take(pa.array(range(first, len(array), step), pa.int64()))
