"""Two datasets side by side, on the same records: what changed, and which one is right more often. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.quality.chance import SIGNIFICANT, holm, mcnemar
from runware_provider.quality.figures import Figures
from runware_provider.quality.profile import as_structs
from runware_provider.quality.sameness import pairs, same, uncompared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runware_provider.quality.expected import Expected
    from runware_provider.quality.figures import Rows

EXAMPLES = 10
_JOIN, _KEY, _NAME, _RESULT, _OUTCOME, _SUCCEEDED = "join", "key", "name", "result", "outcome", "succeeded"


@dataclass
class FieldChanges:
    """A field in two datasets, over the rows that succeeded in both."""

    path: str
    same: int = 0
    """Both null included."""
    changed: int = 0
    only_first: int = 0
    """Null in the second."""
    only_second: int = 0
    """Null in the first."""
    examples: list[tuple[Any, Any, Any]] = field(default_factory=list)
    """The first ones that differ: the record's key, the first value, the second one."""

    @property
    def different(self) -> int:
        """Rows that do not hold the same."""
        return self.changed + self.only_first + self.only_second

    @property
    def of(self) -> int:
        """Rows compared."""
        return self.same + self.different


@dataclass
class Duel:
    """A field's hits in two datasets, on the same records; no result counts as wrong."""

    path: str
    both: int = 0
    only_first: int = 0
    only_second: int = 0
    neither: int = 0
    chance: float = 1.0
    """How likely so uneven a split is when neither is better, corrected for the number of fields."""

    @property
    def of(self) -> int:
        """Records compared."""
        return self.both + self.only_first + self.only_second + self.neither

    @property
    def first(self) -> int:
        """Hits of the first."""
        return self.both + self.only_first

    @property
    def second(self) -> int:
        """Hits of the second."""
        return self.both + self.only_second

    @property
    def winner(self) -> str:
        """`A`, `B`, or nothing where chance explains the difference."""
        if self.chance >= SIGNIFICANT:
            return ""
        return "A" if self.only_first > self.only_second else "B"


class Comparison:
    """Two datasets side by side, A and B.

    Args:
        manifests: of both.
        results: the types of their results.
        key: the column that joins them; None for the order of the rows.
        expected: values known to be right, made ready for each; empty where there are none.
        tolerance: how far numbers may be apart.
    """

    def __init__(
        self,
        manifests: tuple[Mapping[str, Any], Mapping[str, Any]],
        results: tuple[pa.DataType, pa.DataType],
        key: str | None,
        expected: Sequence[Expected],
        tolerance: float,
    ) -> None:
        self.key = key
        self.tolerance = tolerance
        self.figures = [Figures(manifest) for manifest in manifests]
        self.incomparable = uncompared(*results)
        """Fields of one dataset only, or of unlike types."""
        self.joined = 0
        """Rows in both."""
        self.unmet = [0, 0]
        """Rows of each without a counterpart."""
        self.outcomes: Counter[tuple[str, str]] = Counter()
        """Rows by outcome in the first and in the second."""
        self.both_succeeded = 0
        self.expected_rows = 0
        """Rows with expected values that were compared."""
        self._expected = expected
        self._changes: dict[str, FieldChanges] = {}
        self._duels: dict[str, Duel] = {}

    @property
    def name(self) -> str:
        """Both publishes' ids."""
        return "-and-".join(side.text("publish_id") for side in self.figures)

    @property
    def fields(self) -> list[FieldChanges]:
        """What changed, in the order of the first one's fields."""
        return list(self._changes.values())

    @property
    def duels(self) -> list[Duel] | None:
        """Which is right more often, field by field; None without expected values."""
        return list(self._duels.values()) if self._expected else None

    def read(self, first: Iterator[Rows], second: Iterator[Rows]) -> None:
        """Read both to their ends, meeting the rows of one with those of the other."""
        streams = [self._joinable(*pair) for pair in zip((first, second), self.figures, strict=True)]
        waiting: list[pa.Table | None] = [None, None]
        while (fresh := [next(stream, None) for stream in streams]) != [None, None]:
            waiting = [_together(*tables) for tables in zip(waiting, fresh, strict=True)]
            if waiting[0] is not None and waiting[1] is not None:
                waiting = [*self._meet(waiting[0], waiting[1])]
        self.unmet = [table.num_rows if table is not None else 0 for table in waiting]
        duels = self.duels or []
        chances = holm([mcnemar(duel.only_first, duel.only_second) for duel in duels])
        for duel, chance in zip(duels, chances, strict=True):
            duel.chance = chance

    def _joinable(self, side: Iterator[Rows], figures: Figures) -> Iterator[pa.Table]:
        """Rows with what joins them; their figures are counted on the way."""
        for rows in side:
            figures.add(rows.inference)
            yield pa.table(
                {
                    _JOIN: join_key(rows.keys, rows.inference["sample"]) if self.key else rows.keys,
                    _KEY: rows.keys,
                    _NAME: rows.names,
                    _RESULT: as_structs(rows.results),
                    _OUTCOME: rows.inference["outcome"],
                    _SUCCEEDED: rows.succeeded,
                }
            )

    def _meet(self, first: pa.Table, second: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Compare the rows that both have; returns the others."""
        places = pc.index_in(first[_JOIN], value_set=second[_JOIN].combine_chunks()).combine_chunks()
        met = pc.is_valid(places)
        places = places.drop_null()
        self._compare(first.filter(met).combine_chunks(), second.take(places).combine_chunks())
        alone = pc.invert(pc.is_in(pa.array(range(second.num_rows), pa.int32()), value_set=places))
        return first.filter(pc.invert(met)).combine_chunks(), second.filter(alone).combine_chunks()

    def _compare(self, first: pa.Table, second: pa.Table) -> None:
        self.joined += first.num_rows
        self.outcomes.update(_crossed(first[_OUTCOME], second[_OUTCOME]))
        both = pc.and_(first[_SUCCEEDED], second[_SUCCEEDED])
        self._count_changes(first.filter(both).combine_chunks(), second.filter(both).combine_chunks())
        if self._expected:
            self._count_hits(first, second)

    def _count_changes(self, first: pa.Table, second: pa.Table) -> None:
        self.both_succeeded += first.num_rows
        for pair in pairs(_array(first[_RESULT]), _array(second[_RESULT]), _array(first[_NAME])):
            changes = self._changes.setdefault(pair.path, FieldChanges(pair.path))
            equal = same(pair.first, pair.second, self.tolerance)
            differ = pc.invert(equal)
            in_first, in_second = pc.is_valid(pair.first), pc.is_valid(pair.second)
            changes.same += equal.true_count
            changes.changed += pc.and_(differ, pc.and_(in_first, in_second)).true_count
            changes.only_first += pc.and_not(in_first, in_second).true_count
            changes.only_second += pc.and_not(in_second, in_first).true_count
            changes.examples += pair.examples(differ, EXAMPLES - len(changes.examples))

    def _count_hits(self, first: pa.Table, second: pa.Table) -> None:
        # A record that neither was asked about says nothing of either.
        asked = pc.or_(*(pc.not_equal(side[_OUTCOME], "skipped") for side in (first, second)))
        sides = zip((first, second), self._expected, strict=True)
        left, right = (self._right(side.filter(asked).combine_chunks(), expected) for side, expected in sides)
        self.expected_rows += left.num_rows
        for path in left.column_names:
            if path in right.column_names:
                crossed = _crossed(left[path], right[path])
                duel = self._duels.setdefault(path, Duel(path))
                duel.both += crossed[True, True]
                duel.only_first += crossed[True, False]
                duel.only_second += crossed[False, True]
                duel.neither += crossed[False, False]

    def _right(self, rows: pa.Table, expected: Expected) -> pa.Table:
        """By field whether it is as expected, of the rows with expected values; without a result it is not."""
        places, wanted = expected.find(_array(rows[_KEY]))
        known = rows.take(places).combine_chunks()
        succeeded = _array(known[_SUCCEEDED])
        compared = pairs(_array(known[_RESULT]), wanted, _array(known[_KEY]))
        return pa.table(
            {
                pair.path: pc.and_(succeeded, same(pair.first, pair.second, self.tolerance))
                for pair in compared
            }
        )


def join_key(keys: Any, samples: Any) -> Any:
    """Text, so that a key joins even where one dataset has it in a wider type; with the sample's number."""
    texts = (column.cast(pa.large_string()) for column in (keys, samples))
    return pc.binary_join_element_wise(*texts, pa.scalar("\x00", pa.large_string()))


def _crossed(first: Any, second: Any) -> Counter[tuple[Any, Any]]:
    """How often which value stands beside which."""
    counted = pa.table({"a": first, "b": second}).group_by(["a", "b"], use_threads=False)
    rows = counted.aggregate([([], "count_all")]).to_pylist()
    return Counter({(row["a"], row["b"]): row["count_all"] for row in rows})


def _together(first: pa.Table | None, second: pa.Table | None) -> pa.Table | None:
    if first is None or second is None:
        return first if second is None else second
    return pa.concat_tables([first, second], promote_options="permissive").combine_chunks()


def _array(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
