"""Chooses rows by `filters`, whole tables at a time, and tells which row groups need not be read for that.

The meaning is Arrow's, which is SQL's: a null matches no comparison, neither `!=` nor `not in`, and only `is null`
finds it. A NaN in the data equals nothing and has no order, so that only `!=` and `not in` match it.
"""

from __future__ import annotations

import difflib
import math
import operator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import FIELD, MEMBERSHIPS, NULL_TESTS, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runware_provider.engine.filters import Filter, Filters

_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_TRUE_OF_NAN: Final = ("!=", "not in")
"""What a NaN matches; statistics know nothing of NaNs."""
_NUMBERS: Final = (int, float, Decimal)
_KINDS: Final[tuple[tuple[Callable[[pa.DataType], bool], tuple[type, ...], str], ...]] = (
    (pa.types.is_boolean, (bool,), "True or False"),
    (pa.types.is_integer, (int,), "a whole number in its range"),
    (pa.types.is_floating, _NUMBERS, "a number in its range"),
    (pa.types.is_decimal, _NUMBERS, "a number with no more digits than the type has"),
    (lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind), (str,), "a text"),
    (
        lambda kind: (
            pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
        ),
        (bytes,),
        "bytes of its length, or a text that stands for its UTF-8",
    ),
    (pa.types.is_date, (date,), "a date, like '2026-01-31'"),
    (
        lambda kind: pa.types.is_timestamp(kind) and kind.tz is None,
        (date,),
        "a time without an offset and no finer than the type, like '2026-01-31' or '2026-01-31T12:00:00'",
    ),
    (
        pa.types.is_timestamp,
        (date,),
        "a time with its offset and no finer than the type, like '2026-01-31T12:00:00+00:00'",
    ),
    (pa.types.is_time, (time,), "a time of day no finer than the type, like '12:30:00'"),
    (pa.types.is_duration, (timedelta,), "a timedelta no finer than the type"),
)
"""For each kind of column the Python types of values that it is compared with, beside texts, and what to write."""


@dataclass(frozen=True)
class Test:
    """One filter, its value cast to the type of its column."""

    column: str
    operator: str
    value: pa.Scalar | pa.Array | None
    """None for the operators that ask for nulls, an array for those that look into a list."""
    column_type: pa.DataType
    compared_as: pa.DataType
    """The type without what is only a way to store values."""

    @property
    def prunes(self) -> bool:
        """Whether statistics of a row group can tell that no row of it passes."""
        plain = self.compared_as == self.column_type and not pa.types.is_nested(self.column_type)
        return plain and self.operator not in _TRUE_OF_NAN

    def of(self, values: Any) -> Any:
        """Return whether values pass: true, false or null for each.

        Args:
            values: an array or expression of the type `compared_as`.
        """
        if self.operator == "is null":
            return pc.is_null(values)
        if self.operator == "is not null":
            return pc.is_valid(values)
        if self.operator == "in":
            return pc.is_in(values, value_set=self.value)
        if self.operator == "not in":
            return pc.and_(pc.is_valid(values), pc.invert(pc.is_in(values, value_set=self.value)))
        return _COMPARE[self.operator](values, self.value)


@dataclass(frozen=True)
class RowFilter:
    """Filters that fit the data.

    Args:
        alternatives: a row is chosen if all tests of one of these pass; at least one, none of them empty.
    """

    alternatives: tuple[tuple[Test, ...], ...]

    @classmethod
    def of(cls, filters: Filters, schema: pa.Schema) -> RowFilter | None:
        """Return the filters as tests on columns of this schema; None where there are no filters.

        Raises:
            BadInput: a column is unknown, or cannot be compared with its value.
        """
        if not filters:
            return None
        return cls(tuple(tuple(_test(one, schema) for one in alternative) for alternative in filters))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are looked at, each once."""
        return tuple(dict.fromkeys(test.column for tests in self.alternatives for test in tests))

    def choose(self, table: pa.Table) -> pa.Table:
        """Return the rows that pass, in their order.

        Args:
            table: has the schema's types; further columns do not matter.
        """
        passed = [
            reduce(
                pc.and_kleene, [test.of(table.column(test.column).cast(test.compared_as)) for test in tests]
            )
            for tests in self.alternatives
        ]
        return _rows_where(reduce(pc.or_kleene, passed), table)

    def within(self, partition: Mapping[str, str | None]) -> RowFilter | None:
        """Return what is left to test in one hive partition; None where no row of it can pass.

        Args:
            partition: the values of the columns that only the path has.
        """
        row = pa.table({name: pa.array([value], pa.string()) for name, value in partition.items()})
        left = []
        for tests in self.alternatives:
            of_path = tuple(test for test in tests if test.column in partition)
            if not of_path or RowFilter((of_path,)).choose(row).num_rows:
                left.append(tests)
        return RowFilter(tuple(left)) if left else None

    def expression(self, file_schema: pa.Schema) -> pc.Expression | None:
        """Return what rows of a file must fulfil to pass, as far as its statistics may tell; None for nothing.

        A test on a column that the file does not have, or has in another type, is left out.
        """
        told = [
            [test.of(pc.field(test.column)) for test in tests if test.prunes and _has(file_schema, test)]
            for tests in self.alternatives
        ]
        if not all(told):  # of an alternative nothing is told: any row may pass
            return None
        return reduce(operator.or_, [reduce(operator.and_, tests) for tests in told])


def _rows_where(passed: pa.ChunkedArray, table: pa.Table) -> pa.Table:
    """Return the rows of which a mask is true; where it is null, the row is not chosen."""
    try:
        return table.filter(passed)
    except pa.ArrowNotImplementedError:  # of views, at any depth, Arrow can take slices only
        places = pc.indices_nonzero(passed).to_pylist()
        slices = [table.slice(place, 1) for place in places] or [table.slice(0, 0)]
        return pa.concat_tables(slices).combine_chunks()


def _has(schema: pa.Schema, test: Test) -> bool:
    return test.column in schema.names and schema.field(test.column).type == test.column_type


def _test(written: Filter, schema: pa.Schema) -> Test:
    column, sign, *values = written
    if column not in schema.names:
        raise _unknown(column, schema.names)
    kind = schema.field(column).type
    if sign in NULL_TESTS:
        return Test(column, sign, None, kind, kind)
    if pa.types.is_null(kind):  # of nothing but nulls no comparison holds, and "is not null" does not either
        return Test(column, "is not null", None, kind, kind)
    plain = _plain(kind)
    if sign in MEMBERSHIPS:
        members = [_cast(written, member, plain) for member in values[0]]
        return Test(column, sign, pa.array(members, plain), kind, plain)
    return Test(column, sign, _cast(written, values[0], plain), kind, plain)


def _unknown(column: str, columns: list[str]) -> BadInput:
    problem = f"column {column!r} is not in the data; the data has: {', '.join(columns) or 'no columns'}"
    if column.partition(".")[0] in columns:
        return BadInput(FIELD, problem, "Make the field a column of its own, with a query before this task")
    close = difflib.get_close_matches(column, columns, 1)
    if close:
        return BadInput(FIELD, problem, f"Did you mean {close[0]!r}?")
    return BadInput(FIELD, problem, "Name a column of the data")


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type in which Arrow compares values: without dictionary, view and the shortest numbers."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_decimal(kind) and kind.bit_width < 128:
        return pa.decimal128(kind.precision, kind.scale)
    return kind


def _cast(written: Filter, value: Any, kind: pa.DataType) -> pa.Scalar:
    """Return a value in the type of its column, exactly, save for floats, which are the nearest ones.

    Raises:
        BadInput: the value is of an unlike kind, or cannot be cast.
    """
    types, wanted = next(
        ((types, wanted) for fits, types, wanted in _KINDS if fits(kind)),
        ((), None),
    )
    if wanted is None:
        raise BadInput(
            FIELD,
            f"{shown(written)}: column {written[0]!r} is {kind}, which is compared with nothing",
            "Ask whether it `is null` or `is not null`, or make what it holds a column with a query before this task",
        )
    problem = f"{shown(written)}: {value!r:.60} is no {kind}, which column {written[0]!r} is"
    refused = BadInput(FIELD, problem, f"Give {wanted}")
    if not isinstance(value, (*types, str)) or (isinstance(value, bool) and bool not in types):
        raise refused
    try:
        cast = _exact(value, kind)
    except (pa.ArrowException, ValueError, OverflowError):
        raise refused from None
    if pa.types.is_floating(kind) and not math.isfinite(cast.as_py()) and str(value) not in {"inf", "-inf"}:
        raise refused
    return cast


def _exact(value: Any, kind: pa.DataType) -> pa.Scalar:
    """Return a value as Arrow reads its text, which is stricter than its cast of Python's values."""
    if isinstance(value, bytes):
        return pa.scalar(bytes(value), pa.binary()).cast(kind)
    if isinstance(value, timedelta):
        return pa.scalar(value, pa.duration("us")).cast(kind)
    if pa.types.is_duration(kind):
        raise ValueError("Arrow reads no duration from a text")
    if isinstance(value, time) or pa.types.is_time(kind):
        return _time_of_day(value).cast(kind)
    return pa.scalar(_text(value), pa.string()).cast(kind)


def _time_of_day(value: str | time) -> pa.Scalar:
    moment = time.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is not None:
        raise ValueError("a column of times of day has no offsets")
    return pa.scalar(moment, pa.time64("us"))


def _text(value: Any) -> str:
    """Return what Arrow reads as this value, whatever a subclass prints."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return format(Decimal(float.__repr__(value)), "f") if math.isfinite(value) else float.__repr__(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return format(value, "f")
