"""One segment of the ledger: a Parquet file, written once, whose rows are entries (docs/decisions/0006, 0009).

A segment of format 3 has a seal. One of format 2 has none, and one of format 1 has no `run` and `origin` either.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.dataset.footer_soundness import check_columns, end_of
from runware_provider.engine.errors import StateUnreadable
from runware_provider.engine.identity import Key
from runware_provider.engine.memory.plain_arrays import any_bytes, fixed_bytes, numbers, texts
from runware_provider.engine.memory.segment_seal import SealBroken, is_sealed, sealed
from runware_provider.engine.spending.picodollars import PICO, pico
from runware_provider.engine.state_records import refuse_newer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from runware_provider.engine.storage.stores import Storage

FORMAT = 3
_SEALED_SINCE = 3
_FORMAT_KEY = b"runware.ledger.format"
_KIND_OF = {int(kind): kind for kind in Kind}
"""Looked up several times faster than `Kind` makes it."""
Found = TypeVar("Found")
_SINCE_2 = {"run", "origin"}

SCHEMA = pa.schema(
    [
        ("kind", pa.int8()),
        ("fingerprint", pa.binary(16)),
        ("sample", pa.int32()),
        ("generation", pa.int32()),
        ("attempt", pa.int32()),
        ("at", pa.timestamp("ms", tz="UTC")),
        ("family", pa.string()),
        ("code", pa.string()),
        ("message", pa.string()),
        ("cost_pico_usd", pa.int64()),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("latency_s", pa.float32()),
        ("item", pa.large_binary()),
        ("run", pa.string()),
        ("origin", pa.binary(16)),
    ],
    metadata={_FORMAT_KEY: str(FORMAT)},
)
_OF_EACH_ENTRY: Final[Mapping[str, tuple[Callable[..., pa.Array], Callable[[Entry], Any]]]] = {
    "kind": (numbers, attrgetter("kind")),
    "fingerprint": (fixed_bytes, attrgetter("key.fingerprint")),
    "sample": (numbers, attrgetter("key.sample")),
    "generation": (numbers, attrgetter("key.generation")),
    "attempt": (numbers, attrgetter("attempt")),
    "family": (texts, attrgetter("family")),
    "code": (texts, attrgetter("code")),
    "message": (texts, attrgetter("message")),
    "cost_pico_usd": (numbers, lambda entry: pico(entry.cost)),
    "prompt_tokens": (numbers, attrgetter("prompt_tokens")),
    "cached_tokens": (numbers, attrgetter("cached_tokens")),
    "completion_tokens": (numbers, attrgetter("completion_tokens")),
    "latency_s": (numbers, attrgetter("latency_s")),
    "item": (any_bytes, attrgetter("item")),
    "origin": (fixed_bytes, attrgetter("origin")),
}
"""By column: what makes an array of its values, and where an entry has its value."""
_OF_AN_ENTRY = [name for name in SCHEMA.names if name not in {"at", "run"}]


class SegmentGone(StateUnreadable):
    """There is no such segment; perhaps it was merged into another since its name was read."""


def encoded(entries: Sequence[Entry], at_ms: int, runs: Sequence[str | None]) -> bytes:
    """A segment of entries.

    Args:
        entries: at least one.
        at_ms: when they were made, in milliseconds since the epoch.
        runs: of each, the run that it counts for.
    """
    arrays = {
        name: array_of([value_of(entry) for entry in entries], SCHEMA.field(name).type)
        for name, (array_of, value_of) in _OF_EACH_ENTRY.items()
    }
    arrays["at"] = numbers([at_ms] * len(entries), SCHEMA.field("at").type)
    arrays["run"] = texts(runs, SCHEMA.field("run").type)
    sink = pa.BufferOutputStream()
    with writer(sink) as file:
        file.write_table(pa.Table.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA))
    return sealed(bytes(sink.getvalue()))


def writer(sink: pa.NativeFile) -> pq.ParquetWriter:
    """A writer of a segment; its tables have `SCHEMA`."""
    return pq.ParquetWriter(sink, SCHEMA, compression="zstd", write_page_checksum=True)


def columns(storage: Storage, path: str, names: Sequence[str]) -> pa.Table:
    """Some columns of all rows, as of `SCHEMA`.

    Raises:
        SegmentGone: there is no such segment.
        StateUnreadable: it cannot be read, is none of ours, or has a newer format.
    """
    return _read(storage, path, lambda file: _columns(file, names, None))


def row_groups(storage: Storage, path: str, names: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """All rows, a row group at a time; raises like `columns`.

    The file is opened for each row group, so that none stays open while the caller works.
    """
    chosen = SCHEMA.names if names is None else names
    count, first = _read(storage, path, lambda file: _first_group(file, chosen))
    yield first
    for group in range(1, count):
        yield row_group(storage, path, group, chosen)


def row_group(storage: Storage, path: str, group: int, names: Sequence[str] | None = None) -> pa.Table:
    """The rows of one row group; raises like `columns`."""
    chosen = SCHEMA.names if names is None else names
    return _read(storage, path, lambda file: _columns(file, chosen, [group]))


def entries_at(storage: Storage, path: str, rows: Sequence[int]) -> list[Entry]:
    """The entries in these rows, in this order; only their row groups are read. Raises like `columns`."""
    return _read(storage, path, lambda file: _entries_at(file, rows))


def _read(storage: Storage, path: str, use: Callable[[pq.ParquetFile], Found]) -> Found:
    try:
        with storage.open(path) as source:
            has_seal = is_sealed(source)
            source.seek(0)
            file = pq.ParquetFile(source, page_checksum_verification=True)
            _check_format(path, file.schema_arrow, has_seal=has_seal)
            if not has_seal:
                check_columns(end_of(source), source.size())
                _check_counts(file.metadata)
            return use(file)
    except FileNotFoundError as error:
        raise SegmentGone(
            f"the ledger segment {path} is gone; if nothing else rewrites this ledger, restore it from a backup,"
            " else run again"
        ) from error
    # Whatever a damaged file makes of the readers; RecursionError comes of nested types.
    except (
        OSError,
        pa.ArrowException,
        ValueError,
        OverflowError,
        KeyError,
        IndexError,
        RecursionError,
    ) as error:
        reason = str(error) if isinstance(error, SealBroken) else type(error).__name__
        raise StateUnreadable(
            f"the ledger segment {path} cannot be read ({reason}); it may hold paid answers,"
            " so nothing is sent. Restore it, or make it readable, then run again"
        ) from error


def _check_counts(metadata: Any) -> None:
    """See that footer, row groups and columns of a file agree on how many rows there are.

    Raises:
        SealBroken: they do not.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    if sum(group.num_rows for group in groups) != metadata.num_rows:
        raise SealBroken("its footer and its row groups count rows differently")
    for group in groups:
        for column in range(group.num_columns):
            if group.column(column).num_values != group.num_rows:
                raise SealBroken("its row groups and their columns count rows differently")


def _check_format(path: str, schema: pa.Schema, *, has_seal: bool) -> None:
    written = (schema.metadata or {}).get(_FORMAT_KEY, b"0").decode(errors="replace")
    if not written.isdigit() or int(written) < 1:
        raise StateUnreadable(
            f"{path} is no ledger segment of this product; remove it, or restore it from a backup"
        )
    refuse_newer(f"the ledger segment {path}", int(written), FORMAT)
    if int(written) >= _SEALED_SINCE and not has_seal:
        raise SealBroken("its seal is missing")
    needed = set(SCHEMA.names) - (_SINCE_2 if int(written) == 1 else set())
    if not needed <= set(schema.names):
        raise StateUnreadable(f"the ledger segment {path} lacks columns; restore it from a backup")


def _first_group(file: pq.ParquetFile, names: Sequence[str]) -> tuple[int, pa.Table]:
    return file.num_row_groups, _columns(file, names, [0] if file.num_row_groups else [])


def _columns(file: pq.ParquetFile, names: Sequence[str], groups: Sequence[int] | None) -> pa.Table:
    held = set(file.schema_arrow.names)
    there = [name for name in names if name in held]
    # A thread for each column costs more than it brings: segments are small, and several are read at once.
    if groups is None:
        table = file.read(there, use_threads=False)
    else:
        table = file.read_row_groups(groups, there, use_threads=False)
    arrays = [
        table.column(name) if name in held else pa.nulls(table.num_rows, SCHEMA.field(name).type)
        for name in names
    ]
    return pa.table(arrays, schema=pa.schema([SCHEMA.field(name) for name in names]))


def _entries_at(file: pq.ParquetFile, rows: Sequence[int]) -> list[Entry]:
    sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    ends = list(accumulate(sizes))
    found: dict[int, Entry] = {}
    by_group: dict[int, list[int]] = {}
    for row in sorted(set(rows)):
        by_group.setdefault(bisect_right(ends, row), []).append(row)
    for group, held in by_group.items():
        start = ends[group] - sizes[group]
        table = _columns(file, _OF_AN_ENTRY, [group]).take([row - start for row in held])
        values = [column.to_pylist() for column in table.columns]
        found.update(zip(held, map(_entry, zip(*values, strict=True)), strict=True))
    return [found[row] for row in rows]


def _entry(row: tuple[Any, ...]) -> Entry:
    kind, fingerprint, sample, generation, attempt, family, code, message, cost, *rest = row
    prompt_tokens, cached_tokens, completion_tokens, latency_s, item, origin = rest
    return Entry(
        key=Key(fingerprint, sample, generation),
        attempt=attempt,
        kind=_KIND_OF[kind],
        family=family,
        code=code,
        message=message,
        cost=None if cost is None else cost / PICO,
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
        completion_tokens=completion_tokens,
        latency_s=latency_s,
        item=item,
        origin=origin,
    )
