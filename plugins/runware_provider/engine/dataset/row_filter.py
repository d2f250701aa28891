"""Chooses rows by `filters`, whole tables at a time, and tells which row groups need not be read for that.

The meaning is Arrow's, which is SQL's: a null matches no comparison, neither `!=` nor `not in`, and only `is null`
finds it. A NaN in the data equals nothing and has no order, so that only `!=` and `not in` match it.
"""

from __future__ import annotations

import difflib
import operator
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.dataset.arrow_types import rows_where
from runware_provider.engine.dataset.filter_values import cast_value, compared_as, is_comparable
from runware_provider.engine.errors import BadInput
from runware_provider.engine.filters import FIELD, MEMBERSHIPS, NULL_TESTS

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


@dataclass(frozen=True)
class Condition:
    """One filter with its value, cast to the type of its column."""

    column: str
    operator: str
    value: pa.Scalar | pa.Array | None
    """None for the operators that ask for nulls, an array for those that look into a list."""
    column_type: pa.DataType
    compared_as: pa.DataType
    """The type without what is only a way to store values."""

    def told_by(self, file_schema: pa.Schema) -> bool:
        """Whether statistics of a file's row group can tell that no row of it passes."""
        if self.operator in _TRUE_OF_NAN or not is_comparable(self.column_type):
            return False
        if self.operator == "in" and pa.types.is_floating(self.column_type):
            return False  # Arrow tells -0.0 from 0.0 in lists, and Parquet writes a least of 0.0 as -0.0
        if self.column not in file_schema.names or self.compared_as != self.column_type:
            return False
        return bool(file_schema.field(self.column).type == self.column_type)

    def passes(self, table: pa.Table) -> pa.ChunkedArray:
        """Return whether rows pass: true, false or null for each."""
        return self.of(table.column(self.column).cast(self.compared_as))

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
        alternatives: a row is chosen if all conditions of one of these pass; at least one, none of them empty.
    """

    alternatives: tuple[tuple[Condition, ...], ...]

    @classmethod
    def of(cls, filters: Filters, schema: pa.Schema) -> RowFilter | None:
        """Return the filters as conditions on columns of this schema; None where there are no filters.

        Raises:
            BadInput: a column is unknown, or cannot be compared with its value.
        """
        if not filters:
            return None
        return cls(tuple(tuple(_condition(one, schema) for one in alternative) for alternative in filters))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are looked at, each once."""
        return tuple(
            dict.fromkeys(condition.column for conditions in self.alternatives for condition in conditions)
        )

    def choose(self, table: pa.Table) -> pa.Table:
        """Return the rows that pass, in their order.

        Args:
            table: has the schema's types; further columns do not matter.
        """
        passed = [
            reduce(pc.and_kleene, [condition.passes(table) for condition in conditions])
            for conditions in self.alternatives
        ]
        return rows_where(reduce(pc.or_kleene, passed), table)

    def within(self, partition: Mapping[str, str | None]) -> RowFilter | None:
        """Return what is left to look at in one hive partition; None where no row of it can pass.

        Args:
            partition: the values of the columns that only the path has.
        """
        row = pa.table({name: pa.array([value], pa.string()) for name, value in partition.items()})
        left = []
        for conditions in self.alternatives:
            of_path = tuple(condition for condition in conditions if condition.column in partition)
            if not of_path or RowFilter((of_path,)).choose(row).num_rows:
                left.append(conditions)
        return RowFilter(tuple(left)) if left else None

    def expression(self, file_schema: pa.Schema) -> pc.Expression | None:
        """Return what rows of a file must fulfil to pass, as far as its statistics may tell; None for nothing.

        A condition on a column that the file does not have, or has in another type, is left out.
        """
        told = []
        for conditions in self.alternatives:
            telling = [condition for condition in conditions if condition.told_by(file_schema)]
            told.append([condition.of(pc.field(condition.column)) for condition in telling])
        if not all(told):  # of an alternative nothing is told: any row may pass
            return None
        return reduce(operator.or_, [reduce(operator.and_, conditions) for conditions in told])


def _condition(written: Filter, schema: pa.Schema) -> Condition:
    column, sign, *values = written
    if column not in schema.names:
        raise _unknown(column, schema.names)
    kind = schema.field(column).type
    if sign in NULL_TESTS:
        return Condition(column, sign, None, kind, kind)
    if pa.types.is_null(kind):  # of nothing but nulls no comparison holds, and "is not null" does not either
        return Condition(column, "is not null", None, kind, kind)
    plain = compared_as(kind)
    if sign in MEMBERSHIPS:
        members = [cast_value(written, member, kind) for member in values[0]]
        return Condition(column, sign, _value_set(members, plain), kind, plain)
    return Condition(column, sign, cast_value(written, values[0], kind), kind, plain)


def _value_set(members: list[pa.Scalar], kind: pa.DataType) -> pa.Array:
    """Return the values of a list, a zero with both signs: Arrow tells -0.0 from 0.0 in lists alone."""
    values = pa.array(members, kind)
    if pa.types.is_floating(kind) and pc.any(pc.equal(values, 0.0)).as_py():
        return pa.concat_arrays([values, pa.array([0.0, -0.0], kind)])
    return values


def _unknown(column: str, columns: list[str]) -> BadInput:
    problem = f"column {column!r} is not in the data; the data has: {', '.join(columns) or 'no columns'}"
    if column.partition(".")[0] in columns:
        return BadInput(FIELD, problem, "Make the field a column of its own, with a query before this task")
    close = difflib.get_close_matches(column, columns, 1)
    if close:
        return BadInput(FIELD, problem, f"Did you mean {close[0]!r}?")
    return BadInput(FIELD, problem, "Name a column of the data")
