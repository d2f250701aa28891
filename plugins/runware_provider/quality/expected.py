"""Values that somebody knows to be right, and how often the results say the same. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.errors import BadInput
from runware_provider.quality import misses
from runware_provider.quality.chance import wilson
from runware_provider.quality.confidence import SurenessByField
from runware_provider.quality.keys import comparable_keys, type_of_keys
from runware_provider.quality.misses import KeptMisses, Miss
from runware_provider.quality.profile import ValueKind, as_structs, kind_of, names_of, struct_type_of
from runware_provider.quality.sameness import Pair, comparable, pairs, same

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runware_provider.quality.figures import Rows

MISSES_SHOWN = misses.SHOWN
MIXUPS_SHOWN = 5
MIXUPS_HELD = 10_000
MIXUP_BYTES = 200
_CONFUSED = (ValueKind.TEXT, ValueKind.FLAG)
_READ_FROM_TEXT = (ValueKind.NUMBER, ValueKind.WHOLE, ValueKind.DATE, ValueKind.MOMENT, ValueKind.FLAG)


class Expected:
    """Expected values by key.

    Args:
        table: a key column, and columns named like fields of the result; others are left alone.
        key: the name of the key column, in both tables.
        columns: the schema of the dataset that will be compared, at least its key column.
        result: its results' type.

    Raises:
        BadInput: the key is missing, null or there twice, or a column's type has nothing to do with the field's.
    """

    def __init__(
        self, table: pa.Table | Mapping[str, Any], key: str | None, columns: pa.Schema, result: pa.DataType
    ) -> None:
        table = _decoded(table if isinstance(table, pa.Table) else pa.table(dict(table)))
        self.key = _checked_key(key, table, columns)
        self._keys = _key_column(table[self.key], type_of_keys(columns.field(self.key).type))
        struct = struct_type_of(result)
        names = names_of(struct)
        self.fields = [name for name in table.column_names if name in names]
        if not self.fields:
            known = f"none of its columns is named like a field of the result ({', '.join(names)})"
            raise BadInput("expected", known, "Rename them")
        self.left_out = [name for name in table.column_names if name != key and name not in names]
        arrays = [_readable(name, table[name], struct.field(name).type) for name in self.fields]
        self._values = pa.StructArray.from_arrays(arrays, names=self.fields)

    @property
    def records(self) -> int:
        """How many records have expected values."""
        return len(self._keys)

    def find(self, keys: pa.Array) -> tuple[pa.Array, pa.StructArray]:
        """Which of these keys have expected values, as positions among `keys`, and these values."""
        places = pc.index_in(keys.cast(self._keys.type), value_set=self._keys, skip_nulls=True)
        known = pc.is_valid(places)
        return pc.indices_nonzero(known), self._values.take(places.filter(known))


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
    def missed(self) -> int:
        """Rows that hold something else."""
        return self.of - self.hits

    @property
    def mixups(self) -> list[tuple[Any, Any, int]]:
        """The most frequent ones that are no single misses: the value got, the value expected, how often."""
        ordered = sorted(self.confused.items(), key=lambda mixup: (-mixup[1], str(mixup[0])))
        return [(got, wanted, times) for (got, wanted), times in ordered[:MIXUPS_SHOWN] if times > 1]

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the rate."""
        return wilson(self.hits, self.of)


class Hits:
    """Results against expected values, table by table.

    Args:
        expected: the values.
        tolerance: how far numbers may be apart.
    """

    def __init__(self, expected: Expected, tolerance: float = 0.0) -> None:
        self.expected = expected
        self.tolerance = tolerance
        self._fields: dict[str, FieldHits] = {}
        self.compared = 0
        """Rows with a result and expected values."""
        self.without_result = 0
        """Rows with expected values and no result; they are in no rate."""
        self.kept = KeptMisses()
        """For a file."""
        self.sureness = SurenessByField()

    @property
    def fields(self) -> tuple[FieldHits, ...]:
        """What was found, in the order of the result's fields."""
        return tuple(self._fields.values())

    def add(self, rows: Rows) -> None:
        """Compare these rows; those that did not succeed are only counted."""
        places, _ = self.expected.find(rows.keys.filter(pc.invert(rows.succeeded)))
        self.without_result += len(places)
        answered = pc.indices_nonzero(rows.succeeded)
        results = as_structs(rows.results.take(answered))
        places, wanted = self.expected.find(rows.keys.take(answered))
        self.compared += len(places)
        results, compared = results.take(places), answered.take(places)
        right_by_field: dict[str, pa.BooleanArray] = {}
        for pair in pairs(results, wanted, compared, elements=True):
            right = same(pair.first, pair.second, self.tolerance)
            self._count(pair, right, rows)
            if "[]" not in pair.path:
                right_by_field[pair.path] = right
        self.sureness.add(results, right_by_field)

    def _count(self, pair: Pair, right: pa.BooleanArray, rows: Rows) -> None:
        """Count a field of some rows, which are named by their places among these."""
        hits = self._fields.setdefault(pair.path, FieldHits(pair.path))
        hits.hits += right.true_count
        hits.of += len(right)
        self._keep(hits, _misses_of(pair, right, rows, self.kept.room(pair.path)))
        if kind_of(pair.first.type) in _CONFUSED and len(hits.confused) < MIXUPS_HELD:
            hits.confused.update(_mixups(pair.first, pair.second, pc.invert(right)))

    def _keep(self, hits: FieldHits, found: Iterator[Miss]) -> None:
        for miss in found:
            if len(hits.misses) < MISSES_SHOWN:
                hits.misses.append(miss)
            self.kept.add(hits.path, [miss])


def _misses_of(pair: Pair, right: pa.BooleanArray, rows: Rows, most: int) -> Iterator[Miss]:
    chosen = misses.first_of(pc.invert(right), most)
    records = rows.names.take(pair.keys)
    for place, record, got, wanted in misses.slices(chosen, pair.keys, records, pair.first, pair.second):
        yield Miss(rows.first + place, record, got, wanted)


def _mixups(got: pa.Array, wanted: pa.Array, differ: pa.BooleanArray) -> dict[tuple[Any, Any], int]:
    if kind_of(got.type) is ValueKind.TEXT:
        differ = pc.and_(differ, pc.and_(_is_short(got), _is_short(wanted)))
    sides = pa.table({"got": got, "wanted": wanted}).filter(differ)
    counted = sides.group_by(["got", "wanted"], use_threads=False).aggregate([([], "count_all")])
    rows = counted.slice(0, MIXUPS_HELD).to_pylist()
    return {(row["got"], row["wanted"]): row["count_all"] for row in rows}


def _is_short(texts: pa.Array) -> pa.BooleanArray:
    """Long texts are hardly ever the same twice, and would fill the memory."""
    return pc.fill_null(pc.less_equal(pc.binary_length(texts), MIXUP_BYTES), fill_value=True)


def _decoded(table: pa.Table) -> pa.Table:
    """The table with plain values in the place of dictionaries, which pandas writes of its categories, and of views."""
    return pa.table({name: comparable_keys(table[name]) for name in table.column_names})


def _checked_key(key: str | None, table: pa.Table, columns: pa.Schema) -> str:
    if key is None:
        shared = ", ".join(name for name in table.column_names if name in columns.names)
        raise BadInput(
            "key",
            "expected values need the column that tells which record they belong to",
            f"Name it; both have: {shared or 'no column of the same name'}",
        )
    for who, names in (("the expected values have", table.column_names), ("the dataset has", columns.names)):
        if key not in names:
            raise BadInput("key", f"{who} no column {key!r}", f"There are: {', '.join(names)}")
    if not table.num_rows:
        raise BadInput("expected", "it holds no row, so nothing can be compared", "Fill it, or leave it out")
    return key


def _key_column(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    if column.null_count:
        raise BadInput("expected", f"{column.null_count} rows have no key", "Remove them")
    try:
        keys = pa.chunked_array(column.cast(kind)).combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        problem = f"its keys are {column.type}, and not all of them can be the dataset's {kind}"
        raise BadInput("expected", problem, "Convert them") from None
    counts = pc.value_counts(keys)
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        rows = pc.indices_nonzero(pc.equal(keys, twice[0]["values"]))
        problem = f"rows {rows[0].as_py()} and {rows[1].as_py()} (from 0) have the same key"
        raise BadInput("expected", problem, "Keep one row for each key")
    return keys


def _readable(name: str, column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """The column, read from text where the field is none: expected values often come out of a CSV file."""
    if kind_of(column.type) is ValueKind.TEXT and kind_of(kind) in _READ_FROM_TEXT:
        target = pa.float64() if kind_of(kind) is ValueKind.NUMBER else kind
        try:
            column = column.cast(target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            row = _first_odd(column, target)
            problem = f"{name} holds text that is no {kind_of(kind)}, first in row {row} (from 0)"
            raise BadInput("expected", problem, "Mend it") from None
    if not comparable(column.type, kind):
        problem = f"{name} is {column.type}, but the field of the result is {kind}"
        raise BadInput("expected", problem, "Convert the column")
    return column.combine_chunks()


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
