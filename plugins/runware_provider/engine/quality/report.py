"""A published dataset at a glance: what came out, what it cost, and how much of it is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.errors import BadInput
from runware_provider.engine.outcome.rows import INFERENCE, Outcome
from runware_provider.engine.quality.expected import Expected, HitCounter, table_of
from runware_provider.engine.quality.findings import Findings, Hits, Run
from runware_provider.engine.quality.profile import PLAIN, Profiler, as_struct
from runware_provider.engine.quality.published import place_of, reading
from runware_provider.engine.quality.report_html import html_of
from runware_provider.engine.quality.report_markdown import markdown_of, short_markdown_of
from runware_provider.engine.quality.tally import FIELDS, Tally

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.quality.published import Published
    from runware_provider.engine.storage.stores import Storage


@dataclass(frozen=True)
class Report(Findings):
    """A dataset at a glance; the same dataset gives the same report, to the letter."""

    state_folder: str
    """Of the dataset or its partition: where `save` keeps the page."""

    @property
    def name(self) -> str:
        """The page's name: the same for every publish, so that none outlives the rows that it is about."""
        return "report"

    def to_markdown(self) -> str:
        """For a log or a pull request: GitHub's tables, at most 150 lines."""
        return markdown_of(self)

    def to_short_markdown(self) -> str:
        """What stands out, the figures and the hit rates: for a terminal, at most 50 lines."""
        return short_markdown_of(self)

    def to_html(self) -> str:
        """One page without scripts and without anything to load."""
        return html_of(self)


def report(  # noqa: PLR0913 - a dataset's place and what it is held against
    storage: Storage,
    destination: str,
    partition: Mapping[str, str] | None = None,
    *,
    state: str | None = None,
    expected: pa.Table | Mapping[str, Any] | None = None,
    key: str | None = None,
    tolerance: float = 0.0,
) -> Report:
    """Look at the current publish of a dataset.

    Args:
        storage: where the dataset lies.
        destination: its root.
        partition: one hive partition of it.
        state: its state folder; by default the root's sibling.
        expected: values known to be right: a key column, and columns named like fields of the result.
        key: the column that the dataset and `expected` share.
        tolerance: how far a number may be from the expected one, in its own unit; whole numbers may not.

    Raises:
        BadInput: nothing is published there, or `expected` does not go with it.
        StateUnreadable: the manifest or a file is damaged.
        PublishConflict: the dataset was replaced again and again meanwhile.
    """
    place = place_of(storage, destination, partition, state)
    wanted = table_of(expected) if expected is not None else None

    def look(published: Sequence[Published]) -> Report:
        return _look(published[0], wanted, key, tolerance)

    return reading([place], look)


def expected_for(published: Published, table: pa.Table, key: str | None) -> Expected:
    """Expected values, made ready for a dataset.

    Raises:
        BadInput: there is no key, or they do not go with the dataset.
    """
    if key is None:
        shared = [name for name in table.column_names if name in published.schema.names]
        raise BadInput(
            "key",
            "expected values need the column that tells which record they belong to",
            f"Name it; both have: {', '.join(shared) or 'no column of the same name'}",
        )
    result = published.result_type
    struct = result if pa.types.is_struct(result) else pa.struct([(PLAIN, result)])
    return Expected(table, key, published.schema, struct)


def _look(published: Published, wanted: pa.Table | None, key: str | None, tolerance: float) -> Report:
    expected = expected_for(published, wanted, key) if wanted is not None else None
    counter = HitCounter(expected, tolerance) if expected is not None else None
    tally, profiler = Tally(), Profiler()
    about = published.about((*FIELDS, "sample"))
    columns = [*published.result_columns, *about, *([expected.key] if expected else [])]
    for table in published.tables(columns):
        inference = table[INFERENCE].combine_chunks()
        tally.add(pa.Table.from_struct_array(inference))
        results = published.results(table)
        answered = pc.equal(pc.struct_field(inference, "outcome"), Outcome.SUCCEEDED.value)
        profiler.add(results.filter(answered))
        if counter is not None and expected is not None:
            keys = table[expected.key].combine_chunks()
            names = published.names(keys, pc.struct_field(inference, "sample"))
            counter.add(keys, as_struct(results), answered, names)
    hits = None
    if counter is not None and expected is not None:
        left_out = tuple(expected.left_out)
        hits = Hits(
            counter.fields(), counter.compared, counter.without_result, expected.rows, left_out, tolerance
        )
    run = Run(published.manifest, tally)
    return Report(run, profiler.fields() if tally.answered else (), hits, published.place.state_folder)
