"""Whether two values are the same to a reader. Pure, over whole Arrow arrays.

- Texts: after every run of white space became one space and the ends were trimmed.
- Whole numbers: equal. Other numbers: apart by at most a billionth (1e-9) of the larger one, since amounts come as
  binary fractions here and as decimals there (where one side is a float32, both are rounded to one first); and by the
  tolerance besides, where the user gives one.
- Dates, times, yes/no: equal; a date equals midnight, a time without zone counts as UTC.
- Lists: as long, and every element the same. Structs: every field that both have.
- Null equals null and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.quality.profile import Kind, below, is_list, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BILLIONTH = 1e-9

_SPACE = r"[\s\v\p{Z}\x{1c}-\x{1f}\x{85}]+"
_FAMILIES = (
    {Kind.TEXT},
    {Kind.NUMBER, Kind.WHOLE},
    {Kind.FLAG},
    {Kind.DATE, Kind.MOMENT},
    {Kind.TIME},
)


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
        one, other = (pc.struct_field(array, [array.type.get_field_index(name)]) for array in (first, second))
        here = below(path, name)
        if pa.types.is_struct(one.type) and pa.types.is_struct(other.type):
            yield from pairs(one, other, keys, path=here, elements=elements)
        elif comparable(one.type, other.type):
            yield Pair(here, one, other, keys)
            if elements and is_list(one.type) and pa.types.is_struct(one.type.value_type):
                yield from _elements(Pair(f"{here}[]", one, other, keys))


def _elements(lists: Pair) -> Iterator[Pair]:
    as_long = _as_long(lists.first, lists.second)
    one, other = lists.first.filter(as_long), lists.second.filter(as_long)
    keys = lists.keys.filter(as_long).take(pc.list_parent_indices(one))
    yield from pairs(pc.list_flatten(one), pc.list_flatten(other), keys, path=lists.path, elements=True)


def common(first: pa.StructType, second: pa.StructType) -> list[str]:
    """The names of the fields that both have, in the order of the first."""
    theirs = {second.field(index).name for index in range(second.num_fields)}
    ours = [first.field(index).name for index in range(first.num_fields)]
    return [name for name in ours if name in theirs]


def comparable(first: pa.DataType, second: pa.DataType) -> bool:
    """Whether values of these types can be the same at all."""
    if pa.types.is_null(first) or pa.types.is_null(second):
        return True
    if is_list(first) and is_list(second):
        return comparable(first.value_type, second.value_type)
    if pa.types.is_struct(first) and pa.types.is_struct(second):
        names = common(first, second)
        return bool(names) and all(comparable(first.field(n).type, second.field(n).type) for n in names)
    return first == second or _family(first) == _family(second) is not None


def uncompared(first: pa.StructType, second: pa.StructType, path: str = "") -> list[str]:
    """What `pairs` and `same` leave out, with the reason: fields of one side only, and those of unlike types.

    Args:
        first: A's type.
        second: B's.
        path: of both.
    """
    both = common(first, second)
    told = []
    for letter, kind in (("A", first), ("B", second)):
        names = (kind.field(index).name for index in range(kind.num_fields))
        told += [f"{below(path, name)} (only in {letter})" for name in names if name not in both]
    for name in both:
        told += _uncompared(first.field(name).type, second.field(name).type, below(path, name))
    return told


def _uncompared(first: pa.DataType, second: pa.DataType, path: str) -> list[str]:
    if pa.types.is_struct(first) and pa.types.is_struct(second):
        return uncompared(first, second, path)
    if not comparable(first, second):
        return [f"{path} ({first} in A, {second} in B)"]
    if is_list(first) and is_list(second):
        return _uncompared(first.value_type, second.value_type, f"{path}[]")
    return []


def same(first: pa.Array, second: pa.Array, tolerance: float = 0.0) -> pa.BooleanArray:
    """Where two arrays of comparable types hold the same; never null.

    Args:
        first: values.
        second: as many.
        tolerance: how far numbers may be apart, in their own unit; whole numbers may not.
    """
    both_null = pc.and_(pc.is_null(first), pc.is_null(second))
    return pc.or_(both_null, pc.fill_null(_equal(first, second, tolerance), fill_value=False))


def _equal(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    """Null or false where one of both is null."""
    if pa.types.is_null(first.type) or pa.types.is_null(second.type):
        return pa.array([False] * len(first), pa.bool_())
    kind = kind_of(first.type)
    if kind in _EQUAL_WITHIN:
        return _EQUAL_WITHIN[kind](first, second, tolerance)
    return _EQUAL.get(kind, pc.equal)(first, second)


def _equal_texts(first: pa.Array, second: pa.Array) -> pa.BooleanArray:
    return pc.equal(_tidy(first), _tidy(second))


def _equal_moments(first: pa.Array, second: pa.Array) -> pa.BooleanArray:
    return pc.equal(_moment(first), _moment(second))


def _equal_times(first: pa.Array, second: pa.Array) -> pa.BooleanArray:
    return pc.equal(first.cast(pa.time64("us"), safe=False), second.cast(pa.time64("us"), safe=False))


def _close(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    if pa.types.is_integer(first.type) and pa.types.is_integer(second.type):
        return pc.equal(first, second)
    one, other = (array.cast(pa.float64(), safe=False) for array in (first, second))
    if pa.float32() in (first.type, second.type):  # which cannot say 0.1 to a billionth
        one, other = (array.cast(pa.float32(), safe=False).cast(pa.float64()) for array in (one, other))
    apart = pc.abs(pc.subtract(one, other))
    larger = pc.max_element_wise(pc.abs(one), pc.abs(other), skip_nulls=False)
    return pc.less_equal(apart, pc.add(pc.multiply(larger, BILLIONTH), tolerance))


def _equal_lists(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    as_long = _as_long(first, second)
    rows = pc.indices_nonzero(as_long)
    one, other = first.filter(as_long), second.filter(as_long)
    differ = pc.invert(same(pc.list_flatten(one), pc.list_flatten(other), tolerance))
    parents = pc.list_parent_indices(one).filter(differ)
    wrong = rows.take(parents)
    every = pa.array(range(len(first)), pa.uint64())
    return pc.and_(as_long, pc.invert(pc.is_in(every, value_set=wrong)))


def _equal_structs(first: pa.Array, second: pa.Array, tolerance: float) -> pa.BooleanArray:
    equal = pc.and_(pc.is_valid(first), pc.is_valid(second))
    for name in common(first.type, second.type):
        one, other = (pc.struct_field(array, [array.type.get_field_index(name)]) for array in (first, second))
        equal = pc.and_(equal, same(one, other, tolerance))
    return equal


def _as_long(first: pa.Array, second: pa.Array) -> pa.BooleanArray:
    return pc.fill_null(pc.equal(pc.list_value_length(first), pc.list_value_length(second)), fill_value=False)


def _tidy(texts: pa.Array) -> pa.Array:
    large = texts.cast(pa.large_string())
    return pc.utf8_trim(pc.replace_substring_regex(large, _SPACE, " "), " ")


def _moment(values: pa.Array) -> pa.Array:
    zone = values.type.tz if pa.types.is_timestamp(values.type) else None
    if zone is None:
        values = values.cast(pa.timestamp("us"), safe=False)
    return values.cast(pa.timestamp("us", "UTC"), safe=False)


def _family(kind: pa.DataType) -> int | None:
    held = kind_of(kind)
    return next((number for number, kinds in enumerate(_FAMILIES) if held in kinds), None)


_EQUAL = {
    Kind.TEXT: _equal_texts,
    Kind.DATE: _equal_moments,
    Kind.MOMENT: _equal_moments,
    Kind.TIME: _equal_times,
}
_EQUAL_WITHIN = {
    Kind.NUMBER: _close,
    Kind.WHOLE: _close,
    Kind.LIST: _equal_lists,
    Kind.GROUP: _equal_structs,
}
