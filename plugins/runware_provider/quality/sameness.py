"""Whether two values are the same to a reader. Pure, over whole Arrow arrays.

- Texts: after every run of white space became one space and the ends were trimmed.
- Whole numbers, which are those of a first side of an integer type: equal, whatever numbers the second side holds.
- Other numbers: apart by at most a billionth (1e-9) of the larger one, since amounts come as binary fractions here and
  as decimals there (where one side is a float32, both are rounded to one first); and by the tolerance besides, where
  the user gives one. An infinite number equals only itself, NaN nothing.
- Dates, times, yes/no: equal; a date equals midnight, a time without zone counts as UTC.
- Lists: as long, and every element the same. Structs: every field that both have.
- Null equals null and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.quality.profile import ValueKind, below, kind_of, names_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BILLIONTH = 1e-9

_SPACE = r"[\s\v\p{Z}\x{1c}-\x{1f}\x{85}]+"
_ALIKE = (
    {ValueKind.TEXT},
    {ValueKind.NUMBER, ValueKind.WHOLE},
    {ValueKind.FLAG},
    {ValueKind.DATE, ValueKind.MOMENT},
    {ValueKind.TIME},
)
"""Kinds whose values can be compared with each other."""


def rule(tolerance: float) -> str:
    """What counts as the same, for a reader.

    Args:
        tolerance: as for `same`.
    """
    given = f" and {tolerance:g} besides" if tolerance else ""
    return (
        f"Texts are compared without regard to white space, numbers to a billionth of their size{given},"
        " whole numbers and dates exactly; null equals null."
    )


@dataclass(frozen=True)
class Pair:
    """A field of two structs, value beside value."""

    path: str
    first: pa.Array
    second: pa.Array
    keys: pa.Array
    """Whose values these are."""

    def examples(self, where: pa.BooleanArray, most: int) -> list[tuple[Any, Any, Any]]:
        """The first of the rows that are chosen: key, first and second value."""
        rows = pc.indices_nonzero(where)[:most]
        columns = (array.take(rows).to_pylist() for array in (self.keys, self.first, self.second))
        return list(zip(*columns, strict=True))


def pairs(
    first: pa.Array, second: pa.Array, keys: pa.Array, *, path: str = "", elements: bool = False
) -> Iterator[Pair]:
    """The fields that two arrays of structs have in common and that can be compared.

    Args:
        first: structs.
        second: structs, as many.
        keys: as many names for them.
        path: of the structs.
        elements: whether fields of the elements of lists count, too, where both lists are as long.
    """
    for name in common(first.type, second.type):
        left, right = _field(first, name), _field(second, name)
        pair = Pair(below(path, name), left, right, keys)
        if pa.types.is_struct(left.type) and pa.types.is_struct(right.type):
            yield from pairs(left, right, keys, path=pair.path, elements=elements)
        elif comparable(left.type, right.type):
            yield pair
            if elements and kind_of(left.type) is ValueKind.LIST and pa.types.is_struct(left.type.value_type):
                yield from _pairs_of_elements(pair)


def _pairs_of_elements(lists: Pair) -> Iterator[Pair]:
    as_long = _as_long(lists.first, lists.second)
    left, right = lists.first.filter(as_long), lists.second.filter(as_long)
    keys = lists.keys.filter(as_long).take(pc.list_parent_indices(left))
    path = f"{lists.path}[]"
    yield from pairs(pc.list_flatten(left), pc.list_flatten(right), keys, path=path, elements=True)


def _field(structs: pa.Array, name: str) -> pa.Array:
    return pc.struct_field(structs, [structs.type.get_field_index(name)])


def common(first: pa.StructType, second: pa.StructType) -> list[str]:
    """The names of the fields that both have, in the order of the first."""
    theirs = set(names_of(second))
    return [name for name in names_of(first) if name in theirs]


def comparable(first: pa.DataType, second: pa.DataType) -> bool:
    """Whether values of these types can be the same at all."""
    if pa.types.is_null(first) or pa.types.is_null(second) or first == second:
        return True
    kinds = {kind_of(first), kind_of(second)}
    if kinds == {ValueKind.LIST}:
        return comparable(first.value_type, second.value_type)
    if kinds == {ValueKind.GROUP}:
        names = common(first, second)
        return bool(names) and all(comparable(first.field(n).type, second.field(n).type) for n in names)
    return any(kinds <= alike for alike in _ALIKE)


def uncompared(first: pa.DataType, second: pa.DataType, path: str = "") -> list[str]:
    """What `pairs` and `same` leave out, with the reason: fields of one side only, and those of unlike types.

    Args:
        first: A's type.
        second: B's.
        path: of both.
    """
    kinds = {kind_of(first), kind_of(second)}
    if kinds == {ValueKind.GROUP}:
        both = common(first, second)
        told = [f"{below(path, name)} (only in A)" for name in names_of(first) if name not in both]
        told += [f"{below(path, name)} (only in B)" for name in names_of(second) if name not in both]
        for name in both:
            told += uncompared(first.field(name).type, second.field(name).type, below(path, name))
        return told
    if not comparable(first, second):
        return [f"{path} ({first} in A, {second} in B)"]
    if kinds == {ValueKind.LIST}:
        return uncompared(first.value_type, second.value_type, f"{path}[]")
    return []


def same(first: pa.Array, second: pa.Array, tolerance: float = 0.0) -> pa.BooleanArray:
    """Where two arrays of comparable types hold the same; never null.

    Args:
        first: values.
        second: as many.
        tolerance: how far numbers may be apart, in their own unit; whole numbers (a `first` of an integer type) may not.
    """
    both_null = pc.and_(pc.is_null(first), pc.is_null(second))
    return pc.or_(both_null, pc.fill_null(_equal(first, second, tolerance), fill_value=False))


def _equal(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    """Null or false where one of both is null."""
    if pa.types.is_null(first.type) or pa.types.is_null(second.type):
        return pa.array([False] * len(first), pa.bool_())
    if pa.types.is_map(first.type) and pa.types.is_map(second.type):
        return _equal_maps(first, second, tolerance)
    kind = kind_of(first.type)
    if kind in _EQUAL_IN_PARTS:
        return _EQUAL_IN_PARTS[kind](first, second, tolerance)
    if kind in _AS_COMPARED:
        first, second = map(_AS_COMPARED[kind], (first, second))
    return pc.equal(first, second)


def _equal_whole_numbers(first: pa.Array, second: pa.Array, _tolerance: float) -> pa.BooleanArray:
    if pa.types.is_integer(second.type) and pa.uint64() not in (first.type, second.type):
        return pc.equal(first, second)
    if pa.types.is_float16(second.type):  # of which Arrow makes numbers of numpy's
        second = second.cast(pa.float64())
    # Python compares unlike numbers exactly; Arrow would round one of them, or fail where it does not fit.
    sides = zip(first.to_pylist(), second.to_pylist(), strict=True)
    return pa.array([number == other for number, other in sides], pa.bool_())


def _close(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    left, right = (array.cast(pa.float64(), safe=False) for array in (first, second))
    if pa.float32() in (first.type, second.type):  # which cannot say 0.1 to a billionth
        left, right = (array.cast(pa.float32(), safe=False).cast(pa.float64()) for array in (left, right))
    larger = pc.max_element_wise(pc.abs(left), pc.abs(right), skip_nulls=False)
    allowed = pc.add(pc.multiply(larger, BILLIONTH), tolerance)
    near = pc.less_equal(pc.abs(pc.subtract(left, right)), allowed)
    # A billionth of the infinite would allow everything.
    both_finite = pc.and_(pc.is_finite(left), pc.is_finite(right))
    return pc.or_(pc.equal(left, right), pc.and_(both_finite, near))


def _equal_lists(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    as_long = _as_long(first, second)
    left, right = first.filter(as_long), second.filter(as_long)
    differ = pc.invert(same(pc.list_flatten(left), pc.list_flatten(right), tolerance))
    lists_that_differ = pc.indices_nonzero(as_long).take(pc.list_parent_indices(left).filter(differ))
    every = pa.array(range(len(first)), pa.uint64())
    return pc.and_(as_long, pc.invert(pc.is_in(every, value_set=lists_that_differ)))


def _equal_structs(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    equal = pc.and_(pc.is_valid(first), pc.is_valid(second))
    for name in common(first.type, second.type):
        equal = pc.and_(equal, same(_field(first, name), _field(second, name), tolerance))
    return equal


def _equal_maps(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    """Whether they have the same names with the same values, in whatever order."""
    left: list[Any] = []
    right: list[Any] = []
    rows: list[int] = []
    equal: list[bool | None] = []
    for row, (one, other) in enumerate(zip(first.to_pylist(), second.to_pylist(), strict=True)):
        if one is None or other is None:
            equal.append(None)
            continue
        ours, theirs = dict(one), dict(other)
        equal.append(ours.keys() == theirs.keys())
        if equal[-1]:
            left += ours.values()
            right += [theirs[name] for name in ours]
            rows += [row] * len(ours)
    values = same(pa.array(left, first.type.item_type), pa.array(right, second.type.item_type), tolerance)
    for row, is_same in zip(rows, values.to_pylist(), strict=True):
        equal[row] = equal[row] and is_same
    return pa.array(equal, pa.bool_())


def _as_long(first: pa.Array, second: pa.Array) -> pa.BooleanArray:
    return pc.fill_null(pc.equal(pc.list_value_length(first), pc.list_value_length(second)), fill_value=False)


def _tidy(texts: pa.Array) -> pa.Array:
    large = texts.cast(pa.large_string())
    return pc.utf8_trim(pc.replace_substring_regex(large, _SPACE, " "), " ")


def _moment(values: pa.Array) -> pa.Array:
    if not (pa.types.is_timestamp(values.type) and values.type.tz):
        values = values.cast(pa.timestamp("us"), safe=False)
    return values.cast(pa.timestamp("us", "UTC"), safe=False)


def _time(values: pa.Array) -> pa.Array:
    return values.cast(pa.time64("us"), safe=False)


_AS_COMPARED = {
    ValueKind.TEXT: _tidy,
    ValueKind.DATE: _moment,
    ValueKind.MOMENT: _moment,
    ValueKind.TIME: _time,
}
_EQUAL_IN_PARTS = {
    ValueKind.NUMBER: _close,
    ValueKind.WHOLE: _equal_whole_numbers,
    ValueKind.LIST: _equal_lists,
    ValueKind.GROUP: _equal_structs,
}
