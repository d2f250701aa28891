"""The first rows of a run that did not succeed, few and small enough to lie beside its record. Pure."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from runware_provider.engine.dataset.arrow_types import taken
from runware_provider.engine.outcome.rows import FAILED, row_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runware_provider.engine.identity import Key
    from runware_provider.engine.outcome.flattening import ResultColumns
    from runware_provider.engine.outcome.rows import Judge, Judgement
    from runware_provider.engine.templates.prompt import Skip

log = logging.getLogger(__name__)

MOST: Final = 200
"""Rows that are kept."""
MOST_OF_A_CODE: Final = 20
"""Of these with the same error code."""
MOST_BYTES: Final = 4_000_000
"""Of all of them together, in memory."""
MOST_CHARS: Final = 100_000
"""Characters, bytes and elements of one value that are kept."""
CLIPPED: Final = " … [clipped: {:,} more characters]"
"""What stands at the end of a text that is kept in part."""
METADATA: Final = b"runware_clipped"
"""Key in the Parquet file: which values are kept in part, as JSON: `[[row, column], ...]`."""
INPUT: Final = b"runware_input"
"""Key in the Parquet file: how many of the first columns are the input's, as a decimal number."""


@dataclass
class Examples:
    """Collects them as the rows of a run get their last words.

    Args:
        judge: of the job.
        results: the columns of the results.
    """

    judge: Judge
    results: ResultColumns
    changes: int = 0
    """How often something was added."""
    is_whole: bool = False
    """Whether every row of the run has had its last word."""
    _rows: dict[tuple[int, int, int], _Kept] = field(default_factory=dict, repr=False)
    """By batch, record in it, and sample."""
    _of_a_code: dict[str, int] = field(default_factory=dict, repr=False)
    _bytes: int = 0
    _is_full: bool = False
    """Whether a row was too large for what is left of the room: to build others in vain would hold up the job."""
    _is_broken: bool = False

    def saw(
        self,
        batch: int,
        kept: pa.Table,
        slots: Sequence[Sequence[Key | Skip]],
        key: Key,
        judgement: Judgement,
    ) -> None:
        """A question of some rows of a batch has its last word; never raises.

        Args:
            batch: its number.
            kept: its records, with the columns that the output keeps.
            slots: for each record, what each of its samples asked.
            key: the question.
            judgement: the last word on it.
        """
        if self._is_broken or judgement.outcome not in FAILED or not self._has_room(judgement):
            return
        try:
            self._keep(batch, kept, slots, key, judgement)
        # An example less is no reason to lose a job; whatever a column holds, the next one may hold it, too.
        except Exception:
            self._is_broken = True
            log.debug("no more rows that failed are kept to be looked at", exc_info=True)

    def table(self) -> pa.Table | None:
        """The rows in the input's order, with the dataset's columns; None where there is none. Safe to call from another thread."""
        in_order = [row for _, row in sorted(dict(self._rows).items(), key=lambda item: item[0])]
        if not in_order:
            return None
        clipped = [[number, name] for number, row in enumerate(in_order) for name in row.clipped]
        table = pa.concat_tables([row.table for row in in_order]).combine_chunks()
        inputs = table.num_columns - len(self.results.names) - 1  # the last one is `inference`
        return table.replace_schema_metadata(
            {METADATA: json.dumps(clipped).encode(), INPUT: str(inputs).encode()}
        )

    def _has_room(self, judgement: Judgement) -> bool:
        full = self._is_full or len(self._rows) >= MOST
        return not full and self._of_a_code.get(_code(judgement), 0) < MOST_OF_A_CODE

    def _keep(
        self,
        batch: int,
        kept: pa.Table,
        slots: Sequence[Sequence[Key | Skip]],
        key: Key,
        judgement: Judgement,
    ) -> None:
        place = _place_of(key, slots)
        # Its batch was in memory before, and is read for the second time.
        if place is None or (batch, *place) in self._rows:
            return
        record, sample = place
        copied = taken(kept.slice(record, 1), pa.array([0], pa.int64()))
        row = _clipped(row_of(copied, sample, judgement, self.judge, self.results))
        size = row.table.get_total_buffer_size()
        if self._bytes + size > MOST_BYTES:
            self._is_full = True
            return
        self._rows[batch, record, sample] = row
        self._of_a_code[_code(judgement)] = self._of_a_code.get(_code(judgement), 0) + 1
        self._bytes += size
        self.changes += 1


@dataclass(frozen=True)
class _Kept:
    table: pa.Table = field(repr=False)
    """One row."""
    clipped: tuple[str, ...]
    """Columns that hold only a part of their value."""


def _code(judgement: Judgement) -> str:
    return str(judgement.facts.get("error_code"))


def _place_of(key: Key, slots: Sequence[Sequence[Key | Skip]]) -> tuple[int, int] | None:
    """The first record that asked this, and which of its samples; None where its slot is still to be written down."""
    for record, samples in enumerate(slots):
        if key in samples:
            return record, list(samples).index(key)
    return None


def _clipped(row: pa.Table) -> _Kept:
    """The row with long texts cut."""
    columns, clipped = [], []
    for name, column in zip(row.column_names, row.columns, strict=True):
        if column.get_total_buffer_size() <= MOST_CHARS:
            columns.append(column)
            continue
        shorter, is_clipped = _shorter_column(column)
        columns.append(shorter)
        clipped += [name] if is_clipped else []
    return _Kept(pa.Table.from_arrays(columns, schema=row.schema), tuple(clipped))


def _shorter_column(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, bool]:
    """One value, cut; null where a part of it cannot stand for it."""
    room = _Room(MOST_CHARS)
    try:
        value = room.cut(column[0].as_py())
        return pa.chunked_array([pa.array([value], column.type)]), room.has_cut
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return pa.chunked_array([pa.nulls(1, column.type)]), True


@dataclass
class _Room:
    """What is left of the characters of one value."""

    left: int
    has_cut: bool = False

    def cut(self, value: Any) -> Any:
        """The value, as far as there is room for it."""
        if isinstance(value, str):
            return self._cut_text(value)
        if isinstance(value, bytes):
            return self._take(value)
        if isinstance(value, list):
            return self._cut_list(value)
        if isinstance(value, dict):
            return self._cut_struct(value)
        self.left -= 1
        return value

    def _cut_text(self, text: str) -> str:
        part: str = self._take(text)
        return part if len(part) == len(text) else part + CLIPPED.format(len(text) - len(part))

    def _cut_list(self, values: list[Any]) -> list[Any]:
        parts: list[Any] = []
        for value in values:
            if self.left <= 0:
                self.has_cut = True
                break
            parts.append(self.cut(value))
        return parts

    def _cut_struct(self, struct: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.cut(value) for name, value in struct.items()}

    def _take(self, value: Any) -> Any:
        part = value[: max(0, self.left)]
        self.left -= len(part)
        self.has_cut = self.has_cut or len(part) < len(value)
        return part
