"""Published datasets looked at: one at a glance, or two side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.errors import BadInput, StateUnreadable
from runware_provider.engine.job.run_records import read_history
from runware_provider.quality.against_before import published_before
from runware_provider.quality.beside_misses import note_inputs
from runware_provider.quality.comparison import Comparison, join_key
from runware_provider.quality.expected import Expected, Hits
from runware_provider.quality.figures import Figures
from runware_provider.quality.profile import Profiler
from runware_provider.quality.published import INFERENCE, Place, Published, reading
from runware_provider.quality.report_remarks import Findings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.job.run_record import PastRun


def look_at(
    place: Place,
    *,
    expected: pa.Table | Mapping[str, Any] | None = None,
    key: str | None = None,
    tolerance: float = 0.0,
) -> Findings:
    """Look at the current publish of a dataset.

    Args:
        place: from `place_of`.
        expected: values known to be right: a key column, and columns named like fields of the result.
        key: the column that the dataset and `expected` share.
        tolerance: how far a number may be from the expected one, in its own unit; whole numbers may not.

    Raises:
        BadInput: nothing is published there, `expected` does not go with it, or there is a key for nothing.
        StateUnreadable: the manifest or a file is damaged.
        PublishConflict: the dataset was replaced again and again meanwhile.
    """
    if key is not None and expected is None:
        problem = "a key is of use only with the expected values whose key it is"
        raise BadInput("expected", problem, "Give them, too, or leave the key out")

    def look(datasets: Sequence[Published]) -> Findings:
        (published,) = datasets
        hits = None
        if expected is not None:
            wanted = Expected(expected, key, published.schema, published.result_type)
            hits = Hits(wanted, tolerance)
        figures, profiler = Figures(published.manifest), Profiler()
        for rows in published.batches(key if hits is not None else None):
            figures.add(rows.inference, rows.names)
            profiler.add(rows.results.filter(rows.succeeded))
            if hits is not None:
                hits.add(rows)
        fields = profiler.fields() if figures.succeeded else ()
        misses = note_inputs(hits, published) if hits is not None else None
        return Findings(figures, fields, hits, misses, _before(published))

    return reading([place], look)


def _before(published: Published) -> PastRun | None:
    """The run that published before; a history that cannot be read costs a table, and no report."""
    place = published.place
    try:
        history = read_history(place.storage, place.state_folder)
    except (StateUnreadable, OSError):
        return None
    return published_before(history, published.manifest["publish_id"])


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
    if expected is not None and key is None:
        raise BadInput("key", "expected values need a key column", "Name the column, or leave them out")

    def look(datasets: Sequence[Published]) -> Comparison:
        a, b = datasets
        if key is not None:
            _check_key(a, key, "A")
            _check_key(b, key, "B")
        elif a.rows != b.rows:
            problem = f"A has {a.rows} rows and B {b.rows}, so that their order tells nothing"
            raise BadInput("key", problem, "Name a column that tells which rows belong together")
        wanted = []
        if expected is not None:
            wanted = [Expected(expected, key, side.schema, side.result_type) for side in datasets]
        manifests, types = (a.manifest, b.manifest), (a.result_type, b.result_type)
        comparison = Comparison(manifests, types, key, wanted, tolerance)
        comparison.read(a.batches(key), b.batches(key))
        return comparison

    return reading([first, second], look)


def _check_key(side: Published, key: str, letter: str) -> None:
    """Refuse a key that does not tell the rows apart."""
    if key not in side.schema.names:
        others = [name for name in side.schema.names if name not in {*side.result_columns, INFERENCE}]
        raise BadInput("key", f"{letter} has no column {key!r}", f"It has: {', '.join(others)}")
    keys = []
    for table in side.tables([key, f"{INFERENCE}.sample"]):
        if table[key].null_count:
            raise BadInput("key", f"{key!r} is null in {letter}", "Choose a column that names every record")
        sample = pc.struct_field(table[INFERENCE].combine_chunks(), "sample")
        keys.append(join_key(table[key].combine_chunks(), sample))
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
