"""From a finished batch to its parts: the one of the dataset, and the one of its failures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.outcome.rows import (
    INFERENCE,
    Counts,
    Outcome,
    assemble,
    output_schema_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.dataset.publish import Stage, StagedPart
    from runware_provider.engine.identity import Key
    from runware_provider.engine.outcome.flattening import ResultColumns
    from runware_provider.engine.outcome.rows import Judge, Judgement
    from runware_provider.engine.templates.prompt import Skip

SHOWN = 5
"""First rows that a preview shows."""
NO_FAILURES = pa.array([Outcome.SUCCEEDED.value, Outcome.SKIPPED.value])


@dataclass
class PartWriter:
    """Writes parts; `write` may be called from many threads.

    Args:
        stage: for the parts of the dataset.
        failures: for the parts of the rows that neither succeeded nor were skipped, where the user wants them.
        judge: of the job.
        kept: the input's columns that the output keeps.
        results: the columns of the results.
    """

    stage: Stage
    failures: Stage | None
    judge: Judge
    kept: pa.Schema
    results: ResultColumns
    parts: list[StagedPart] = field(default_factory=list)
    failed_parts: list[StagedPart] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    _first: list[tuple[tuple[int, int], dict[str, Any]]] = field(default_factory=list, repr=False)

    @property
    def first_rows(self) -> list[dict[str, Any]]:
        """The results and `inference` of the first rows."""
        return [row for _, row in self._first]

    def write(
        self,
        number: int,
        kept: pa.Table,
        slots: Sequence[Sequence[Key | Skip]],
        judged: Mapping[Key, Judgement],
    ) -> None:
        """Stage the parts of a batch."""
        table, counts = assemble(kept, slots, judged, self.judge, self.results)
        part = self.stage.write(number, [table], table.schema)
        failed = self._failed_part(number, table)
        shown = table.select([*self.results.names, INFERENCE]).slice(0, SHOWN).to_pylist()
        first = [((number, index), row) for index, row in enumerate(shown)]
        self.parts.append(part)
        self.failed_parts += failed
        self.counts.add(counts)
        self._first = sorted([*self._first, *first], key=lambda row: row[0])[:SHOWN]

    def finish(self) -> None:
        """Put the parts in order; a dataset without rows gets one typed part."""
        schema = output_schema_of(self.kept, self.results)
        if not self.parts:
            self.parts.append(self.stage.write(0, [schema.empty_table()], schema))
        self.parts.sort(key=lambda part: part.number)
        if self.failures is not None and not self.failed_parts:
            empty = schema.empty_table().drop_columns(self.results.names)
            self.failed_parts.append(self.failures.write(0, [empty], empty.schema))
        self.failed_parts.sort(key=lambda part: part.number)

    @property
    def staged(self) -> list[StagedPart]:
        """All parts, of both datasets."""
        return [*self.parts, *self.failed_parts]

    def _failed_part(self, number: int, table: pa.Table) -> list[StagedPart]:
        if self.failures is None:
            return []
        outcome = pc.struct_field(table.column(INFERENCE), "outcome")
        rows = table.filter(pc.invert(pc.is_in(outcome, value_set=NO_FAILURES))).drop_columns(
            self.results.names
        )
        return [self.failures.write(number, [rows], rows.schema)] if rows.num_rows else []
