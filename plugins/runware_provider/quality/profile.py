"""What the results hold, field by field: filled, null, distinct, range, most frequent values. Pure.

Fields of structs have dotted paths. A list counts by its length, and its elements are a field of their own,
`lines[]`, whose fields are `lines[].amount` and so on.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.quality.counting import NUMBERS_HELD, Spread, ValueCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLAIN = "result"
"""The name of a result that is no struct."""
LENGTHS_HELD = 8_192
"""Of the texts of a field: there may be hundreds of such fields."""
ROWS_TO_WONDER = 20
"""From so many equal values on, a field is called constant."""


class ValueKind(StrEnum):
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


_TYPES = pa.types
_KINDS: tuple[tuple[ValueKind, tuple[Callable[[pa.DataType], bool], ...]], ...] = (
    (ValueKind.TEXT, (_TYPES.is_string, _TYPES.is_large_string, _TYPES.is_string_view)),
    (ValueKind.WHOLE, (_TYPES.is_integer,)),
    (ValueKind.NUMBER, (_TYPES.is_floating, _TYPES.is_decimal)),
    (ValueKind.FLAG, (_TYPES.is_boolean,)),
    (ValueKind.DATE, (_TYPES.is_date,)),
    (ValueKind.MOMENT, (_TYPES.is_timestamp,)),
    (ValueKind.TIME, (_TYPES.is_time,)),
    (ValueKind.LIST, (_TYPES.is_list, _TYPES.is_large_list, _TYPES.is_fixed_size_list)),
    (ValueKind.GROUP, (_TYPES.is_struct,)),
)


def kind_of(arrow_type: pa.DataType) -> ValueKind:
    """What values of an Arrow type are to a reader."""
    return next(
        (kind for kind, checks in _KINDS if any(holds(arrow_type) for holds in checks)), ValueKind.OTHER
    )


def struct_type_of(result: pa.DataType) -> pa.StructType:
    """The type of the results as structs: texts and lists become the only field."""
    return result if pa.types.is_struct(result) else pa.struct([(PLAIN, result)])


def as_structs(results: pa.Array) -> pa.StructArray:
    """The results as structs of `struct_type_of` their type."""
    if pa.types.is_struct(results.type):
        return results
    return pa.StructArray.from_arrays([results], names=[PLAIN])


def names_of(struct: pa.StructType) -> list[str]:
    """The names of a struct's fields."""
    return [struct.field(index).name for index in range(struct.num_fields)]


def below(path: str, name: str) -> str:
    """The path of a field of a struct."""
    return f"{path}.{name}" if path else name


class Profiler:
    """Looks at results, table by table."""

    def __init__(self) -> None:
        self._fields: dict[str, FieldProfile] = {}

    def add(self, results: pa.Array) -> None:
        """Count these results, none of which is null."""
        for path, values in _walk("", as_structs(results)):
            if path not in self._fields:
                self._fields[path] = FieldProfile(path, kind_of(values.type))
            self._fields[path].add(values)

    def fields(self) -> tuple[FieldProfile, ...]:
        """What was found, in the order of the fields."""
        return tuple(self._fields.values())


def _walk(path: str, values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    kind = kind_of(values.type)
    if path and not (kind is ValueKind.GROUP and path.endswith("[]")):
        yield path, values
    if kind is ValueKind.GROUP:
        for index, name in enumerate(names_of(values.type)):
            yield from _walk(below(path, name), pc.struct_field(values, [index]))
    elif kind is ValueKind.LIST:
        yield from _walk(f"{path}[]", pc.list_flatten(values))


class FieldProfile:
    """One field of the results.

    Args:
        path: with dots, and `[]` for the elements of a list.
        kind: of its values.
    """

    def __init__(self, path: str, kind: ValueKind) -> None:
        self.path = path
        self.kind = kind
        self.seen = 0
        """Rows with a result, or, below a list, elements."""
        self.null = 0
        self.blank = 0
        """Texts of nothing but white space, lists without elements."""
        self.lowest: Any = None
        """The smallest number, the first date; of texts and lists the shortest length."""
        self.highest: Any = None
        self.example: Any = None
        """The first value."""
        self.counts = ValueCounts()
        """Nothing is counted of lists, groups and what cannot be compared."""
        self.spread = Spread(LENGTHS_HELD if kind is ValueKind.TEXT else NUMBERS_HELD)
        """Of numbers, dates and the lengths of lists and texts."""

    @property
    def filled(self) -> int:
        """Values that say something."""
        return self.seen - self.null - self.blank

    @property
    def is_constant(self) -> bool:
        """Whether every row says the same, and there are rows enough to wonder."""
        return self.counts.distinct == 1 and self.null == 0 and self.seen >= ROWS_TO_WONDER

    @property
    def is_number(self) -> bool:
        """Whether its spread is one of numbers or lengths, and no dates."""
        return self.kind in {ValueKind.NUMBER, ValueKind.WHOLE, ValueKind.LIST}

    @property
    def is_whole(self) -> bool:
        """Whether nothing lies between two of its numbers."""
        return self.kind in {ValueKind.WHOLE, ValueKind.LIST}

    def add(self, values: pa.Array) -> None:
        """Count these values."""
        self.seen += len(values)
        self.null += values.null_count
        values = values.drop_null()
        if not len(values) or self.kind in {ValueKind.GROUP, ValueKind.OTHER}:
            return
        if self.example is None:
            self.example = values[0].as_py()
        measured = self._measured(values)
        ends = pc.min_max(measured)
        self._widen(ends["min"].as_py(), ends["max"].as_py())
        if self.kind is not ValueKind.LIST:
            self.counts.add(values)
        if self.is_number or self.kind is ValueKind.TEXT:
            self.spread.add(measured)
        elif self.kind in {ValueKind.DATE, ValueKind.MOMENT, ValueKind.TIME}:
            self.spread.add(_as_number(values))

    def _measured(self, values: pa.Array) -> pa.Array:
        """What the range is of: the values, or their lengths."""
        if self.kind is ValueKind.TEXT:
            trimmed = pc.utf8_length(pc.utf8_trim_whitespace(values))
            self.blank += pc.equal(trimmed, 0).true_count
            return pc.utf8_length(values)
        if self.kind is ValueKind.LIST:
            lengths = pc.list_value_length(values)
            self.blank += pc.equal(lengths, 0).true_count
            return lengths
        return values

    def _widen(self, lowest: Any, highest: Any) -> None:
        if lowest is None:  # nothing but NaN
            return
        self.lowest = lowest if self.lowest is None else min(self.lowest, lowest)
        self.highest = highest if self.highest is None else max(self.highest, highest)


def _as_number(values: pa.Array) -> pa.Array:
    """Dates and times as numbers that lie as far apart as they do."""
    whole = pa.int32() if values.type.bit_width == 32 else pa.int64()
    return values.cast(whole).cast(pa.float64(), safe=False)
