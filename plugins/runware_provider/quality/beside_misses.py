"""What the dataset keeps beside a miss: the record's input, and the names of the inference. Reads the rows with misses once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.quality.input_text import text_beside
from runware_provider.quality.misses import KEPT_BYTES, as_parquet
from runware_provider.quality.profile import ValueKind, kind_of
from runware_provider.quality.published import INFERENCE

if TYPE_CHECKING:
    from runware_provider.quality.expected import Hits
    from runware_provider.quality.misses import Miss
    from runware_provider.quality.published import Published

TEXTS_SHOWN: Final = 1_000
"""In all fields together, so that a page of hundreds of fields still opens."""
_NAMES: Final = {"sample": pa.int32(), "task_uuid": pa.string()}


def note_inputs(hits: Hits, published: Published) -> bytes | None:
    """Give the misses that are shown the text that they were read from; returns the file of misses, None where there is none."""
    rows = hits.kept.rows()
    if not rows:
        return None
    shown = _shown_by_row(hits)
    known = {field.name for field in published.schema.field(INFERENCE).type}
    names = [name for name in _NAMES if name in known]
    inputs = published.input_columns
    kept: list[pa.Table] = []
    size = done = 0
    for table in published.rows_at(rows, [*inputs, *(f"{INFERENCE}.{name}" for name in names)]):
        beside = _beside(table, inputs, names)
        _give_texts(beside, rows[done : done + len(beside)], shown, hits.expected.key)
        done += len(beside)
        # Of what comes behind the bound only the texts are taken.
        fitting = min(1.0, (KEPT_BYTES - size) / max(1, beside.nbytes))
        kept += [beside.slice(0, int(len(beside) * fitting))] if fitting > 0 else []
        size += beside.nbytes
    table = pa.concat_tables(kept, promote_options="permissive")
    return as_parquet(hits.kept.table(rows[: len(table)], table))


def _shown_by_row(hits: Hits) -> dict[int, list[Miss]]:
    by_row: dict[int, list[Miss]] = {}
    shown = [miss for field in hits.fields for miss in field.misses]
    for miss in shown[:TEXTS_SHOWN]:
        by_row.setdefault(miss.row, []).append(miss)
    return by_row


def _beside(table: pa.Table, inputs: list[str], names: list[str]) -> pa.Table:
    """`sample`, `task_uuid`, and the input as one struct."""
    inference = pa.Table.from_struct_array(table[INFERENCE].combine_chunks()) if names else None
    columns: dict[str, Any] = {
        name: inference[name] if inference is not None and name in names else pa.nulls(len(table), kind)
        for name, kind in _NAMES.items()
    }
    if inputs:
        arrays = [table[name].combine_chunks() for name in inputs]
        columns["input"] = pa.StructArray.from_arrays(arrays, names=inputs)
    return pa.table(columns)


def _give_texts(beside: pa.Table, rows: list[int], shown: dict[int, list[Miss]], key: str) -> None:
    if "input" not in beside.column_names:
        return
    inputs = beside["input"].combine_chunks()
    # Nothing but texts becomes a value of Python's: a moment may be finer than it can say, and an image long.
    texts = [
        (field.name, pc.struct_field(inputs, [place]))
        for place, field in enumerate(inputs.type)
        if kind_of(field.type) is ValueKind.TEXT
    ]
    for place, row in enumerate(rows):
        for miss in shown.get(row, ()):
            of_record = {name: column[place].as_py() for name, column in texts}
            miss.text = text_beside(of_record, miss.got, miss.expected, key=key)
