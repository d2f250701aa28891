"""Two datasets side by side, on the same records: what changed, which one is right more often, and what each cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.errors import BadInput
from runware_provider.engine.outcome.rows import INFERENCE, Outcome
from runware_provider.engine.quality.comparison_html import html_of
from runware_provider.engine.quality.comparison_markdown import markdown_of
from runware_provider.engine.quality.expected import Expected, table_of
from runware_provider.engine.quality.findings import (
    Change,
    Differences,
    Duel,
    FieldChanges,
    Run,
    judged,
)
from runware_provider.engine.quality.profile import PLAIN, as_struct
from runware_provider.engine.quality.published import Place, reading
from runware_provider.engine.quality.sameness import pairs, same, uncompared
from runware_provider.engine.quality.tally import FIELDS, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runware_provider.engine.quality.published import Published

EXAMPLES = 10
_JOIN, _KEY, _NAME, _RESULT, _OUTCOME = "join", "key", "name", "result", "outcome"


@dataclass(frozen=True)
class Comparison(Differences):
    """Two datasets side by side; the same datasets give the same comparison, to the letter."""

    state_folder: str
    """Of the second dataset: where `save` keeps the page."""

    @property
    def name(self) -> str:
        """The page's name: both publishes' ids."""
        return f"{self.first.publish_id}-and-{self.second.publish_id}"

    def to_markdown(self) -> str:
        """For a log or a pull request: GitHub's tables, at most 150 lines."""
        return markdown_of(self)

    def to_html(self) -> str:
        """One page without scripts and without anything to load."""
        return html_of(self)


def compare(
    first: Place,
    second: Place,
    *,
    key: str | None,
    expected: pa.Table | Mapping[str, Any] | None = None,
    tolerance: float = 0.0,
) -> Comparison:
    """Compare the current publishes of two datasets.

    Memory holds the key of every row, and the rows whose counterpart was not met yet: few, if both came from the
    same source in the same order.

    Args:
        first: A, from `place_of`.
        second: B.
        key: the column that tells which rows belong together; an explicit None joins by the order of the rows.
        expected: values known to be right: the key column, and columns named like fields of the results.
        tolerance: how far two numbers may be apart to count as the same, in their own unit; whole numbers may not.

    Raises:
        BadInput: the key is no column of both, null, or there twice; the numbers of rows differ and there is no
            key; or `expected` does not go with a dataset.
        StateUnreadable: a manifest or a file is damaged.
        PublishConflict: a dataset was replaced again and again meanwhile.
    """
    wanted = table_of(expected) if expected is not None else None
    if wanted is not None and key is None:
        raise BadInput("key", "expected values need a key column", "Name the column, or leave them out")

    def look(published: Sequence[Published]) -> Comparison:
        return _Look(published[0], published[1], key, wanted, tolerance).run()

    return reading([first, second], look)


@dataclass
class _Changes:
    path: str
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[Change] = field(default_factory=list)

    def told(self) -> FieldChanges:
        return FieldChanges(self.path, examples=tuple(self.examples), **self.counts)


class _Look:
    """One pass over both datasets."""

    def __init__(
        self,
        first: Published,
        second: Published,
        key: str | None,
        wanted: pa.Table | None,
        tolerance: float,
    ) -> None:
        self._sides = (first, second)
        self._tolerance = tolerance
        self._key = key
        self._tallies = (Tally(), Tally())
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._changes: dict[str, _Changes] = {}
        self._duels: dict[str, Counter[tuple[bool, bool]]] = {}
        self._joined = self._both = self._expected_rows = 0
        for letter, side in zip("AB", self._sides, strict=True):
            _check_key(side, key, letter)
        if key is None:
            _check_as_many(first, second)
        self._expected: tuple[Expected, Expected] | None = None
        if wanted is not None and key is not None:
            a, b = (Expected(wanted, key, side.schema, _struct_of(side)) for side in self._sides)
            self._expected = (a, b)

    def run(self) -> Comparison:
        left = self._join()
        types = tuple(_struct_of(side) for side in self._sides)
        return Comparison(
            first=Run(self._sides[0].manifest, self._tallies[0]),
            second=Run(self._sides[1].manifest, self._tallies[1]),
            key=self._key,
            joined=self._joined,
            only_first=left[0],
            only_second=left[1],
            outcomes=dict(self._outcomes),
            both_succeeded=self._both,
            fields=tuple(one.told() for one in self._changes.values()),
            incomparable=tuple(uncompared(*types)),
            duels=judged([_duel(path, counts) for path, counts in self._duels.items()])
            if self._expected is not None
            else None,
            expected=self._expected_rows,
            tolerance=self._tolerance,
            state_folder=self._sides[1].place.state_folder,
        )

    def _join(self) -> tuple[int, int]:
        """Meet the rows of both; returns how many met none."""
        streams = tuple(
            self._rows(side, tally) for side, tally in zip(self._sides, self._tallies, strict=True)
        )
        waiting: list[pa.Table | None] = [None, None]
        while True:
            fresh = [next(stream, None) for stream in streams]
            if fresh == [None, None]:
                break
            waiting = [_together(old, new) for old, new in zip(waiting, fresh, strict=True)]
            if waiting[0] is not None and waiting[1] is not None:
                waiting = list(self._meet(waiting[0], waiting[1]))
        counts = [table.num_rows if table is not None else 0 for table in waiting]
        return counts[0], counts[1]

    def _meet(self, first: pa.Table, second: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Compare the rows that both have; returns the others."""
        places = pc.index_in(first[_JOIN], value_set=second[_JOIN].combine_chunks()).combine_chunks()
        met = pc.is_valid(places)
        places = places.drop_null()
        self._look(first.filter(met).combine_chunks(), second.take(places).combine_chunks())
        alone = pc.invert(pc.is_in(pa.array(range(second.num_rows), pa.int32()), value_set=places))
        return first.filter(pc.invert(met)).combine_chunks(), second.filter(alone).combine_chunks()

    def _rows(self, side: Published, tally: Tally) -> Iterator[pa.Table]:
        """Tables of join key, shown key, result and outcome; the rest is counted on the way."""
        columns = [*side.result_columns, *side.about((*FIELDS, "sample"))]
        number = 0
        for table in side.tables([*columns, *([self._key] if self._key else [])]):
            inference = pa.Table.from_struct_array(table[INFERENCE].combine_chunks())
            tally.add(inference)
            shown = (
                table[self._key]
                if self._key
                else pa.array(range(number, number + table.num_rows), pa.int64())
            )
            number += table.num_rows
            yield pa.table(
                {
                    _JOIN: _join_key(shown, inference["sample"]) if self._key else shown,
                    _KEY: shown,
                    _NAME: side.names(_array(shown), _array(inference["sample"])),
                    _RESULT: as_struct(side.results(table)),
                    _OUTCOME: inference["outcome"],
                }
            )

    def _look(self, first: pa.Table, second: pa.Table) -> None:
        self._joined += first.num_rows
        sides = pa.table({"a": first[_OUTCOME], "b": second[_OUTCOME]})
        counted = sides.group_by(["a", "b"], use_threads=False).aggregate([([], "count_all")]).to_pylist()
        self._outcomes.update({(one["a"], one["b"]): one["count_all"] for one in counted})
        answered = [pc.equal(table[_OUTCOME], Outcome.SUCCEEDED.value) for table in (first, second)]
        both = pc.and_(*answered)
        self._count_changes(first.filter(both).combine_chunks(), second.filter(both).combine_chunks())
        if self._expected is not None:
            self._count_hits(first, second, self._expected)

    def _count_changes(self, first: pa.Table, second: pa.Table) -> None:
        self._both += first.num_rows
        columns = (_array(first[_RESULT]), _array(second[_RESULT]), _array(first[_NAME]))
        for pair in pairs(*columns):
            changes = self._changes.setdefault(pair.path, _Changes(pair.path))
            held = same(pair.first, pair.second, self._tolerance)
            here, there = pc.is_valid(pair.first), pc.is_valid(pair.second)
            differ = pc.and_(pc.and_(here, there), pc.invert(held))
            changes.counts.update(
                same=held.true_count,
                changed=differ.true_count,
                only_first=pc.and_not(here, there).true_count,
                only_second=pc.and_not(there, here).true_count,
            )
            some = pc.indices_nonzero(pc.invert(held))[: EXAMPLES - len(changes.examples)]
            shown = (array.take(some).to_pylist() for array in (pair.keys, pair.first, pair.second))
            changes.examples += [Change(*one) for one in zip(*shown, strict=True)]

    def _count_hits(self, first: pa.Table, second: pa.Table, expected: tuple[Expected, Expected]) -> None:
        sent = pc.or_(*(pc.not_equal(table[_OUTCOME], Outcome.SKIPPED.value) for table in (first, second)))
        first, second = first.filter(sent).combine_chunks(), second.filter(sent).combine_chunks()
        right = [
            _hits(table, one, self._tolerance) for table, one in zip((first, second), expected, strict=True)
        ]
        self._expected_rows += right[0].rows
        for path, held in right[0].by_path.items():
            other = right[1].by_path.get(path)
            if other is not None:
                sides = pa.table({"a": held, "b": other})
                counted = sides.group_by(["a", "b"], use_threads=False).aggregate([([], "count_all")])
                counter = self._duels.setdefault(path, Counter())
                counter.update({(one["a"], one["b"]): one["count_all"] for one in counted.to_pylist()})


@dataclass(frozen=True)
class _Right:
    rows: int
    by_path: Mapping[str, pa.BooleanArray]


def _hits(table: pa.Table, expected: Expected, tolerance: float) -> _Right:
    """Where a field is as expected, over the rows that have expected values; without a result it is not."""
    found, wanted = expected.find(_array(table[_KEY]))
    rows = table.take(found).combine_chunks()
    answered = _array(pc.equal(rows[_OUTCOME], Outcome.SUCCEEDED.value))
    compared = pairs(_array(rows[_RESULT]), wanted, _array(rows[_KEY]))
    right = {pair.path: pc.and_(answered, same(pair.first, pair.second, tolerance)) for pair in compared}
    return _Right(len(found), right)


def _duel(path: str, counts: Counter[tuple[bool, bool]]) -> Duel:
    return Duel(path, counts[True, True], counts[True, False], counts[False, True], counts[False, False])


def _struct_of(side: Published) -> pa.StructType:
    held = side.result_type
    return held if pa.types.is_struct(held) else pa.struct([(PLAIN, held)])


def _check_key(side: Published, key: str | None, letter: str) -> None:
    """Refuse a key that does not tell the rows apart."""
    if key is None:
        return
    if key not in side.schema.names:
        ours = {*side.result_columns, INFERENCE}
        others = [name for name in side.schema.names if name not in ours]
        raise BadInput("key", f"{letter} has no column {key!r}", f"It has: {', '.join(others)}")
    keys = []
    for table in side.tables([key, f"{INFERENCE}.sample"]):
        if table[key].null_count:
            raise BadInput("key", f"{key!r} is null in {letter}", "Choose a column that names every record")
        sample = pc.struct_field(table[INFERENCE].combine_chunks(), "sample")
        keys.append(_array(_join_key(table[key], sample)))
    counts = pc.value_counts(pa.chunked_array(keys, pa.large_string()))
    twice = counts.filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        name = twice[0]["values"].as_py().rpartition("\x00")[0]
        raise BadInput(
            "key",
            f"{len(twice)} values of {key!r} are in {letter} more than once, for example {name[:60]!r}"
            f" {twice[0]['counts'].as_py()} times",
            "Choose a column that names every record once",
        )


def _check_as_many(first: Published, second: Published) -> None:
    a, b = (sum(file["rows"] for file in side.manifest["files"]) for side in (first, second))
    if a != b:
        raise BadInput(
            "key",
            f"A has {a} rows and B {b}, so that their order tells nothing",
            "Name a column that tells which rows belong together",
        )


def _join_key(keys: Any, samples: Any) -> Any:
    """Text, so that a key joins even where one dataset has it in a wider type; with the sample's number."""
    texts = (column.cast(pa.large_string()) for column in (keys, samples))
    return pc.binary_join_element_wise(*texts, pa.scalar("\x00", pa.large_string()))


def _together(first: pa.Table | None, second: pa.Table | None) -> pa.Table | None:
    if first is None or second is None:
        return first if second is None else second
    return pa.concat_tables([first, second], promote_options="permissive").combine_chunks()


def _array(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
