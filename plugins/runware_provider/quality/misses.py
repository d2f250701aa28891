"""Values that are not what was expected: the first of each field to be shown, more of them for a file. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runware_provider.quality.input_text import InputText

SHOWN: Final = 20
"""Of each field, in the report."""
KEPT_OF_A_FIELD: Final = 2_000
KEPT: Final = 20_000
"""Of all fields, in the file."""
KEPT_BYTES: Final = 32_000_000
"""Of their values, and as many again of the input beside them."""
EXACT: Final = 1e15
"""Below it every whole number is a float of its own."""
AT_A_TIME: Final = 20
"""Values that are taken out of Arrow at once: they may be long."""


@dataclass
class Miss:
    """A value that is not what was expected."""

    row: int
    """The number of its row in the dataset, from 0."""
    record: Any
    """What the report calls the record."""
    got: Any
    expected: Any
    text: InputText | None = None
    """What the record was read from."""


class KeptMisses:
    """Misses for the file: of each field the first, as long as there is room."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, str, str, str, str]] = []
        self._of_field: Counter[str] = Counter()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    def room(self, path: str) -> int:
        """How many more of a field there is room for; for those that are shown there is room among all."""
        held = self._of_field[path]
        if self._bytes >= KEPT_BYTES:
            return 0
        return max(SHOWN - held, min(KEPT_OF_A_FIELD - held, KEPT - len(self)), 0)

    def add(self, path: str, misses: Iterable[Miss]) -> None:
        """Keep these, which there was room for, until their values are too long."""
        for miss in misses:
            got, expected = json_text(miss.got), json_text(miss.expected)
            size = len(got) + len(expected)
            if self._bytes + size <= KEPT_BYTES:
                self._bytes += size
                self._of_field[path] += 1
                self._lines.append((miss.row, str(miss.record), path, got, expected))

    def rows(self) -> list[int]:
        """The numbers of the rows that they are in, in order and each once."""
        return sorted({line[0] for line in self._lines})

    def table(self, rows: Sequence[int], beside: pa.Table) -> pa.Table:
        """One row for each miss, in the order of the dataset.

        Args:
            rows: the numbers of the rows that `beside` has, in order; misses of others are left out.
            beside: `sample` and `task_uuid`, and `input` where the dataset keeps columns of the input.
        """
        places = {row: place for place, row in enumerate(rows)}
        lines = sorted((line for line in self._lines if line[0] in places), key=lambda line: line[0])
        columns = list(zip(*lines, strict=True)) or [()] * 5
        taken = beside.take(pa.array([places[row] for row in columns[0]], pa.int64()))
        table = pa.table(
            {
                name: pa.array(columns[1 + place], pa.string())
                for place, name in enumerate(("record", "field", "got", "expected"))
            }
        )
        table = table.add_column(1, "sample", taken["sample"]).append_column("task_uuid", taken["task_uuid"])
        return table.append_column("input", taken["input"]) if "input" in taken.column_names else table


def as_parquet(table: pa.Table) -> bytes:
    """The table as a file that any reader of Parquet understands, to the letter the same each time."""
    sink = pa.BufferOutputStream()
    # Arrow's own notes on types would give readers types that they do not have.
    pq.write_table(table, sink, compression="zstd", store_schema=False)
    return bytes(sink.getvalue())


def slices(rows: pa.Array, *columns: pa.Array) -> Iterator[tuple[Any, ...]]:
    """Chosen rows of some columns as Python's values, a few at a time."""
    for begin in range(0, len(rows), AT_A_TIME):
        some = rows[begin : begin + AT_A_TIME]
        yield from zip(*(column.take(some).to_pylist() for column in columns), strict=True)


def first_of(chosen: pa.BooleanArray, most: int) -> pa.Array:
    """The numbers of the first rows that are chosen."""
    return pc.indices_nonzero(chosen)[:most]


def json_text(value: Any) -> str:
    """A value as JSON."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(name): _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case Decimal():
            return _number(value)
        case float():
            return _finite(value)
        case None | bool() | int() | str():
            return value
    return told(value)


def told(value: Any) -> str:
    """A value of which JSON has no kind."""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _finite(value: float) -> int | float | str:
    """A number as it compares, so that 4.00 is 4 on both sides."""
    if not math.isfinite(value):
        return str(value)
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def _number(value: Decimal) -> int | float | str:
    """A number where one says the same; else its digits."""
    if not value.is_finite():
        return str(value)
    if value == int(value):
        return int(value)
    return float(value) if Decimal(repr(float(value))) == value else str(value)
