"""From a finished batch to its rows, staged for the dataset and for that of its failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runware_provider.engine.dataset.arrow_memory import give_back
from runware_provider.engine.dataset.arrow_types import empty_table, rows_where
from runware_provider.engine.outcome.rows import (
    INFERENCE,
    Counts,
    Outcome,
    assemble,
    output_schema_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.dataset.staged_batch import StagedBatch
    from runware_provider.engine.dataset.staging import Stage
    from runware_provider.engine.identity import Key
    from runware_provider.engine.outcome.flattening import ResultColumns
    from runware_provider.engine.outcome.rows import Judge, Judgement
    from runware_provider.engine.templates.prompt import Skip

SHOWN = 5
"""First rows that a preview shows."""
NO_FAILURES = (Outcome.SUCCEEDED.value, Outcome.SKIPPED.value)


@dataclass
class BatchWriter:
    """Stages what parts are made of; `write` may be called from many threads.

    Args:
        stage: for the rows of the dataset.
        failures: for the rows that neither succeeded nor were skipped, where the user wants them.
        judge: of the job.
        kept: the input's columns that the output keeps.
        results: the columns of the results.
        shows_inputs: whether the input of the first rows is to be shown beside them, as a preview does.
    """

    stage: Stage
    failures: Stage | None
    judge: Judge
    kept: pa.Schema
    results: ResultColumns
    shows_inputs: bool = False
    batches: list[StagedBatch] = field(default_factory=list)
    """Of the dataset, in order, once all are written."""
    failed_batches: list[StagedBatch] = field(default_factory=list)
    """Of its failures."""
    counts: Counts = field(default_factory=Counts)
    _first: list[tuple[tuple[int, int], dict[str, Any], dict[str, Any]]] = field(
        default_factory=list, repr=False
    )

    @property
    def first_rows(self) -> list[dict[str, Any]]:
        """The results and `inference` of the first rows."""
        return [row for _, row, _ in self._first]

    @property
    def first_inputs(self) -> list[dict[str, Any]]:
        """The columns of the input that the output keeps, of the same rows; empty dicts where they are not shown."""
        return [shown for _, _, shown in self._first]

    def write(
        self,
        number: int,
        kept: pa.Table,
        slots: Sequence[Sequence[Key | Skip]],
        judged: Mapping[Key, Judgement],
    ) -> None:
        """Stage the rows of a batch."""
        table, counts = assemble(kept, slots, judged, self.judge, self.results)
        self.stage.add(number, table)
        self._add_failed(number, table)
        rows = table.select([*self.results.names, INFERENCE]).slice(0, SHOWN).to_pylist()
        inputs = [self._shown(table, index) for index in range(len(rows))]
        first = [((number, index), row, inputs[index]) for index, row in enumerate(rows)]
        self.counts.add(counts)
        self._first = sorted([*self._first, *first], key=lambda row: row[0])[:SHOWN]
        give_back()

    def _shown(self, table: pa.Table, index: int) -> dict[str, Any]:
        """The columns of the input in one row; None in the place of what Python cannot hold."""
        shown: dict[str, Any] = {}
        for name in self.kept.names if self.shows_inputs else ():
            try:
                shown[name] = table.column(name)[index].as_py()
            except (ValueError, OverflowError, NotImplementedError):
                shown[name] = None
        return shown

    def finish(self) -> None:
        """See that all is durable; a dataset without rows gets a batch without rows, which has its types."""
        schema = output_schema_of(self.kept, self.results)
        self.batches = _finished(self.stage, schema)
        if self.failures is not None:
            self.failed_batches = _finished(self.failures, _without(schema, self.results.names))

    def discard(self) -> None:
        """Remove what is staged, of both datasets."""
        self.stage.discard()
        if self.failures is not None:
            self.failures.discard()

    def _add_failed(self, number: int, table: pa.Table) -> None:
        if self.failures is None:
            return
        import pyarrow.compute as pc  # noqa: PLC0415 - heavy, and no question waits for it here

        outcome = pc.struct_field(table.column(INFERENCE), "outcome")
        failed = rows_where(pc.invert(pc.is_in(outcome, value_set=pa.array(NO_FAILURES))), table)
        if failed.num_rows:
            self.failures.add(number, failed.drop_columns(self.results.names))


def _finished(stage: Stage, schema: pa.Schema) -> list[StagedBatch]:
    batches = stage.finish()
    if batches:
        return batches
    stage.add(0, empty_table(schema))
    return stage.finish()


def _without(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    return pa.schema([field for field in schema if field.name not in names])
