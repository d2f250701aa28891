"""Values that somebody knows to be right, and how often the results say the same. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.errors import BadInput
from runware_provider.engine.quality.chance import wilson
from runware_provider.engine.quality.profile import Kind, kind_of
from runware_provider.engine.quality.sameness import comparable, pairs, same

if TYPE_CHECKING:
    from collections.abc import Mapping

MISSES_SHOWN = 20
MIXUPS_SHOWN = 5
MIXUPS_HELD = 10_000
MIXUP_BYTES = 200
_CONFUSED = (Kind.TEXT, Kind.FLAG)
_READ_FROM_TEXT = (Kind.NUMBER, Kind.WHOLE, Kind.DATE, Kind.MOMENT, Kind.FLAG)


@dataclass(frozen=True)
class Miss:
    """A value that is not the expected one."""

    key: Any = field(repr=False)
    """With its sample, where there are several."""
    got: Any = field(repr=False)
    wanted: Any = field(repr=False)


@dataclass
class FieldHits:
    """How often a field held what was expected."""

    path: str
    hits: int = 0
    of: int = 0
    misses: list[Miss] = field(default_factory=list)
    """The first ones."""
    confused: Counter[tuple[Any, Any]] = field(default_factory=Counter)
    """How often which value stood in the place of which, of texts and yes/no."""

    @property
    def mixups(self) -> list[tuple[Any, Any, int]]:
        """The most frequent ones that are no single misses: the value got, the value expected, how often."""
        ordered = sorted(self.confused.items(), key=lambda one: (-one[1], str(one[0])))
        return [(got, wanted, times) for (got, wanted), times in ordered[:MIXUPS_SHOWN] if times > 1]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the rate."""
        return wilson(self.hits, self.of)


class Expected:
    """Expected values by key.

    Args:
        table: a key column, and columns named like fields of the result; others are left alone.
        key: the name of the key column, in both tables.
        schema: of the dataset that will be compared.
        result: its results' type, as a struct.

    Raises:
        BadInput: the key is missing, null or there twice, or a column's type has nothing to do with the field's.
    """

    def __init__(self, table: pa.Table, key: str, schema: pa.Schema, result: pa.StructType) -> None:
        self.key = key
        if key not in table.column_names:
            raise BadInput(
                "key",
                f"the expected values have no column {key!r}",
                f"They have: {', '.join(table.column_names)}",
            )
        if key not in schema.names:
            raise BadInput("key", f"the dataset has no column {key!r}", f"It has: {', '.join(schema.names)}")
        if not table.num_rows:
            raise BadInput(
                "expected", "it holds no row, so nothing can be compared", "Fill it, or leave it out"
            )
        self._keys = _key_column(table[key], schema.field(key).type)
        names = [result.field(index).name for index in range(result.num_fields)]
        self.fields = [name for name in table.column_names if name in names]
        if not self.fields:
            raise BadInput(
                "expected",
                f"none of its columns is named like a field of the result ({', '.join(names)})",
                "Rename them",
            )
        self.left_out = [name for name in table.column_names if name != key and name not in names]
        columns = [_readable(name, table[name], result.field(name).type) for name in self.fields]
        self._values = pa.StructArray.from_arrays(columns, names=self.fields)

    @property
    def rows(self) -> int:
        """How many records have expected values."""
        return len(self._keys)

    def find(self, keys: pa.Array) -> tuple[pa.Array, pa.StructArray]:
        """Which of these keys have expected values, as positions among `keys`, and these values."""
        places = pc.index_in(keys, value_set=self._keys, skip_nulls=True)
        known = pc.is_valid(places)
        return pc.indices_nonzero(known), self._values.take(places.filter(known))


class HitCounter:
    """Compares results with expected values, table by table.

    Args:
        expected: the values.
        tolerance: how far numbers may be apart.
    """

    def __init__(self, expected: Expected, tolerance: float = 0.0) -> None:
        self._expected = expected
        self._tolerance = tolerance
        self._fields: dict[str, FieldHits] = {}
        self.compared = 0
        """Rows with a result and expected values."""
        self.without_result = 0
        """Rows with expected values and no result."""

    def add(
        self,
        keys: pa.Array,
        results: pa.StructArray,
        answered: pa.BooleanArray,
        names: pa.Array | None = None,
    ) -> None:
        """Compare these rows; those that are not `answered` are only counted.

        Args:
            keys: of the rows.
            results: as many.
            answered: which of them are results.
            names: what misses are called; by default the keys.
        """
        found, _ = self._expected.find(keys.filter(pc.invert(answered)))
        self.without_result += len(found)
        names = (keys if names is None else names).filter(answered)
        keys, results = keys.filter(answered), results.filter(answered)
        found, wanted = self._expected.find(keys)
        self.compared += len(found)
        for pair in pairs(results.take(found), wanted, names.take(found), elements=True):
            hits = self._fields.setdefault(pair.path, FieldHits(pair.path))
            held = same(pair.first, pair.second, self._tolerance)
            hits.hits += held.true_count
            hits.of += len(held)
            missing = pc.indices_nonzero(pc.invert(held))[: MISSES_SHOWN - len(hits.misses)]
            shown = (array.take(missing).to_pylist() for array in (pair.keys, pair.first, pair.second))
            hits.misses += [Miss(*one) for one in zip(*shown, strict=True)]
            if kind_of(pair.first.type) in _CONFUSED and len(hits.confused) < MIXUPS_HELD:
                hits.confused.update(_mixups(pair.first, pair.second, pc.invert(held)))

    def fields(self) -> tuple[FieldHits, ...]:
        """What was found, in the order of the result's fields."""
        return tuple(self._fields.values())


def _mixups(got: pa.Array, wanted: pa.Array, differ: pa.BooleanArray) -> dict[tuple[Any, Any], int]:
    if kind_of(got.type) is Kind.TEXT:
        differ = pc.and_(differ, pc.and_(_is_short(got), _is_short(wanted)))
    sides = pa.table({"got": got, "wanted": wanted}).filter(differ)
    counted = sides.group_by(["got", "wanted"], use_threads=False).aggregate([([], "count_all")])
    return {
        (one["got"], one["wanted"]): one["count_all"] for one in counted.slice(0, MIXUPS_HELD).to_pylist()
    }


def _is_short(texts: pa.Array) -> pa.BooleanArray:
    """Long texts are hardly ever the same twice, and would fill the memory."""
    return pc.fill_null(pc.less_equal(pc.binary_length(texts), MIXUP_BYTES), fill_value=True)


def table_of(rows: Mapping[str, Any] | pa.Table) -> pa.Table:
    """Expected values as a table, also from a dict of columns."""
    return rows if isinstance(rows, pa.Table) else pa.table(dict(rows))


def _key_column(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    if column.null_count:
        raise BadInput("expected", f"{column.null_count} rows have no key", "Remove them")
    try:
        keys = pa.chunked_array(column.cast(kind)).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise BadInput(
            "expected",
            f"its keys are {column.type}, and not all of them can be the dataset's {kind}",
            "Convert them",
        ) from None
    counts = pc.value_counts(keys)
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        rows = pc.indices_nonzero(pc.equal(keys, twice[0]["values"]))
        raise BadInput(
            "expected",
            f"rows {rows[0].as_py()} and {rows[1].as_py()} (from 0) have the same key",
            "Keep one row for each key",
        )
    return keys


def _first_odd(column: pa.ChunkedArray, target: pa.DataType) -> int:
    """Where the text stands that cannot be read; not the text, since messages go into logs."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            column.slice(low, middle - low).cast(target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
        else:
            low = middle
    return low


def _readable(name: str, column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """The column, read from text where the field is none: expected values often come out of a CSV file."""
    if kind_of(column.type) is Kind.TEXT and kind_of(kind) in _READ_FROM_TEXT:
        target = pa.float64() if kind_of(kind) is Kind.NUMBER else kind
        try:
            column = column.cast(target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            problem = f"{name} holds text that is no {kind_of(kind)}, first in row {_first_odd(column, target)} (from 0)"
            raise BadInput("expected", problem, "Mend it") from None
    if not comparable(column.type, kind):
        raise BadInput(
            "expected",
            f"{name} is {column.type}, but the field of the result is {kind}",
            "Convert the column",
        )
    return column.combine_chunks()
