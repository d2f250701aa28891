"""What the results hold, field by field: filled, null, distinct, range, most frequent values. Pure.

Fields of structs have dotted paths. A list counts by its length, and its elements are a field of their own,
`lines[]`, whose fields are `lines[].amount` and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.quality.spread import Histogram, Spread
from runware_provider.engine.quality.value_counts import ValueCounts

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = 5
PLAIN = "result"
"""The name of a result that is no struct."""


class Kind(StrEnum):
    """What a field is to a reader."""

    TEXT = "text"
    NUMBER = "number"
    WHOLE = "whole number"
    FLAG = "yes/no"
    DATE = "date"
    MOMENT = "date and time"
    TIME = "time"
    LIST = "list"
    GROUP = "group"
    """A struct, which has fields of its own."""
    OTHER = "other"


@dataclass(frozen=True)
class FieldProfile:
    """One field of the results."""

    path: str
    kind: Kind
    seen: int
    """Rows with a result, or, below a list, elements."""
    null: int
    blank: int
    """Texts of nothing but white space, lists without elements."""
    distinct: int | None
    """How many different values; None for lists, groups and what cannot be compared."""
    distinct_is_exact: bool
    lowest: Any
    """The smallest number, the first date; of texts and lists the shortest length."""
    highest: Any
    example: Any
    """The first value."""
    top: tuple[tuple[Any, int], ...]
    """The most frequent values with their counts."""
    top_error: int
    """By how much these counts may be too low."""
    median: float | None
    histogram: Histogram | None

    @property
    def filled(self) -> int:
        """Values that say something."""
        return self.seen - self.null - self.blank

    @property
    def is_constant(self) -> bool:
        """Whether every row says the same, and there are rows enough to wonder."""
        return self.distinct == 1 and self.null == 0 and self.seen >= 20


class Profiler:
    """Looks at results, table by table."""

    def __init__(self) -> None:
        self._fields: dict[str, _Field] = {}

    def add(self, results: pa.Array) -> None:
        """Count these results, none of which is null."""
        for path, values in _walk("", as_struct(results)):
            if path not in self._fields:
                self._fields[path] = _Field(path, kind_of(values.type))
            self._fields[path].add(values)

    def fields(self) -> tuple[FieldProfile, ...]:
        """What was found, in the order of the fields."""
        return tuple(one.profile() for one in self._fields.values())


def as_struct(results: pa.Array) -> pa.StructArray:
    """The results as structs: texts and lists become the only field."""
    if pa.types.is_struct(results.type):
        return results
    return pa.StructArray.from_arrays([results], names=[PLAIN])


def kind_of(kind: pa.DataType) -> Kind:
    """What values of an Arrow type are to a reader."""
    types = pa.types
    checks = (
        (Kind.TEXT, is_text(kind)),
        (Kind.WHOLE, types.is_integer(kind)),
        (Kind.NUMBER, types.is_floating(kind) or types.is_decimal(kind)),
        (Kind.FLAG, types.is_boolean(kind)),
        (Kind.DATE, types.is_date(kind)),
        (Kind.MOMENT, types.is_timestamp(kind)),
        (Kind.TIME, types.is_time(kind)),
        (Kind.LIST, is_list(kind)),
        (Kind.GROUP, types.is_struct(kind)),
    )
    return next((name for name, holds in checks if holds), Kind.OTHER)


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def below(path: str, name: str) -> str:
    """The path of a field of a struct."""
    return f"{path}.{name}" if path else name


def _walk(path: str, values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    kind = kind_of(values.type)
    if path and not (kind is Kind.GROUP and path.endswith("[]")):
        yield path, values
    if kind is Kind.GROUP:
        for index in range(values.type.num_fields):
            name = values.type.field(index).name
            yield from _walk(below(path, name), pc.struct_field(values, [index]))
    elif kind is Kind.LIST:
        yield from _walk(f"{path}[]", pc.list_flatten(values))


@dataclass
class _Field:
    path: str
    kind: Kind
    seen: int = 0
    null: int = 0
    blank: int = 0
    lowest: Any = None
    highest: Any = None
    example: Any = None
    counts: ValueCounts = field(default_factory=ValueCounts)
    spread: Spread = field(default_factory=Spread)

    def add(self, values: pa.Array) -> None:
        self.seen += len(values)
        self.null += values.null_count
        values = values.drop_null()
        if not len(values) or self.kind in {Kind.GROUP, Kind.OTHER}:
            return
        if self.example is None:
            self.example = values[0].as_py()
        measured = self._measured(values)
        self._widen(measured)
        if self.kind is not Kind.LIST:
            self.counts.add(values)
        if self.kind in {Kind.NUMBER, Kind.WHOLE, Kind.LIST}:
            self.spread.add(measured)
        elif self.kind in {Kind.DATE, Kind.MOMENT, Kind.TIME}:
            self.spread.add(as_number(values))

    def _measured(self, values: pa.Array) -> pa.Array:
        """What the range is of: the values, or their lengths."""
        if self.kind is Kind.TEXT:
            self.blank += len(values) - pc.sum(pc.greater(pc.utf8_length(_trimmed(values)), 0)).as_py()
            return pc.utf8_length(values)
        if self.kind is Kind.LIST:
            lengths = pc.list_value_length(values)
            self.blank += pc.sum(pc.equal(lengths, 0)).as_py()
            return lengths
        return values

    def _widen(self, measured: pa.Array) -> None:
        ends = pc.min_max(measured)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is not None and high is not None:
            self.lowest = low if self.lowest is None else min(self.lowest, low)
            self.highest = high if self.highest is None else max(self.highest, high)

    def profile(self) -> FieldProfile:
        counted = self.kind not in {Kind.LIST, Kind.GROUP, Kind.OTHER}
        median = self.spread.percentiles(0.5) if self.kind in {Kind.NUMBER, Kind.WHOLE, Kind.LIST} else None
        return FieldProfile(
            path=self.path,
            kind=self.kind,
            seen=self.seen,
            null=self.null,
            blank=self.blank,
            distinct=self.counts.distinct if counted else None,
            distinct_is_exact=self.counts.is_exact,
            lowest=self.lowest,
            highest=self.highest,
            example=self.example,
            top=tuple(self.counts.top(TOP)),
            top_error=self.counts.error,
            median=median[0] if median else None,
            histogram=self.spread.histogram(whole=self.kind in {Kind.WHOLE, Kind.LIST}),
        )


def as_number(values: pa.Array) -> pa.Array:
    """Dates and times as numbers that lie as far apart as they do."""
    whole = pa.int32() if values.type.bit_width == 32 else pa.int64()
    return values.cast(whole).cast(pa.float64(), safe=False)


def _trimmed(values: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(values)
