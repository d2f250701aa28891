"""The durable memory of a job: what was meant to be sent, and what became of it.

The ledger is a folder of immutable segments, Parquet inside, each written once by one process. Entries of one
attempt merge by rank (`Kind`), so segments can be read in any order, twice, and from twins of the same job.
A temporary SQLite file indexes them, so that memory does not grow with the number of records.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from runware_provider.engine.attempt import Attempt, Entry, History, Key, Kind
from runware_provider.engine.errors import StateUnreadable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from runware_provider.engine.storage import Storage

FORMAT = "1"
LINGER_S = 0.5
ENTRIES_PER_SEGMENT = 2_000
PICO = 10**12


@dataclass(frozen=True)
class Totals:
    """Sums over distinct task UUIDs."""

    inferences: int
    answered: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    cost: float
    """USD."""
    cost_unreported: int
    """Answers whose cost the API did not say."""
    maybe_billed: int
    """Attempts that never showed up again and may have been billed."""


_SCHEMA = pa.schema(
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
    ],
    metadata={"runware.ledger.format": FORMAT},
)
_INDEXED = [
    "fingerprint",
    "sample",
    "generation",
    "attempt",
    "kind",
    "family",
    "cost_pico_usd",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
]
_CREATE = """
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -32000;
    CREATE TABLE entry (
        fingerprint BLOB, sample INT, generation INT, attempt INT, kind INT, family TEXT, cost INT,
        prompt_tokens INT, cached_tokens INT, completion_tokens INT, segment INT, row INT,
        fresh INT DEFAULT 0, used INT DEFAULT 0,
        PRIMARY KEY (fingerprint, sample, generation, attempt)
    ) WITHOUT ROWID;
    CREATE TABLE seen (fingerprint BLOB, sample INT, PRIMARY KEY (fingerprint, sample)) WITHOUT ROWID;
"""
_UPSERT = """
    INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)
    ON CONFLICT DO UPDATE SET kind = excluded.kind, family = excluded.family, cost = excluded.cost,
        prompt_tokens = excluded.prompt_tokens, cached_tokens = excluded.cached_tokens,
        completion_tokens = excluded.completion_tokens, segment = excluded.segment, row = excluded.row,
        fresh = excluded.fresh
    WHERE excluded.kind > entry.kind
"""

_TOTALS = """
    SELECT coalesce(sum(kind >= :error), 0), coalesce(sum(kind = :answered), 0), coalesce(sum(prompt_tokens), 0),
        coalesce(sum(cached_tokens), 0), coalesce(sum(completion_tokens), 0), coalesce(sum(cost), 0),
        coalesce(sum(kind = :answered AND cost IS NULL), 0),
        coalesce(sum(kind = :spent OR (kind = :error AND family IN ('lost', 'timeout') AND cost IS NULL)), 0)
    FROM entry WHERE kind >= :spent AND """
_KINDS = {"spent": int(Kind.SPENT), "error": int(Kind.ERROR), "answered": int(Kind.ANSWERED)}
_TOTALS_OF = {"used": _TOTALS + "used = 1", "fresh": _TOTALS + "fresh = 1", "all": _TOTALS + "1"}


class Ledger:
    """Opened by reading every segment's index columns; written only inside `writing()`.

    Not thread-safe: one event loop, or one thread, at a time.

    Raises:
        StateUnreadable: a segment cannot be read, or has a newer format.
    """

    def __init__(self, storage: Storage, folder: str, *, clock: Callable[[], float] = time.time) -> None:
        self._storage = storage
        self._folder = folder
        self._clock = clock
        self._writer = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(clock()))}-{secrets.token_hex(6)}"
        self._sequence = 0
        self._segments: list[str] = []
        self.paid = 0.0
        """USD of the answers that this process added, as far as they were priced."""
        self._pending: list[Entry] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._some = asyncio.Event()
        self._now = asyncio.Event()
        self._closing = False
        self._index = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._index.executescript(_CREATE)
        try:
            for entry in storage.list(folder):
                if entry.path.endswith(".segment"):
                    self._load(entry.path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the index; the segments stay."""
        self._index.close()

    # reading

    def history(self, fingerprint: bytes, sample: int, at_least: int) -> History | None:
        """The attempts of an inference in its newest generation, if that is at least the given one."""
        rows = self._index.execute(
            "SELECT generation, attempt, kind, family, segment, row FROM entry"
            " WHERE fingerprint = ? AND sample = ? AND generation >= ? ORDER BY generation, attempt",
            (fingerprint, sample, at_least),
        ).fetchall()
        if not rows:
            return None
        newest = rows[-1][0]
        attempts = tuple(Attempt(row[1], Kind(row[2]), *row[3:]) for row in rows if row[0] == newest)
        return History(newest, attempts)

    def entries(self, attempts: Iterable[Attempt]) -> dict[Attempt, Entry]:
        """The whole entries behind these attempts; each segment is read once."""
        by_segment: dict[int, list[Attempt]] = {}
        for one in attempts:
            by_segment.setdefault(one.segment, []).append(one)
        found: dict[Attempt, Entry] = {}
        for segment, held in by_segment.items():
            table = self._read_segment(self._segments[segment], None).drop_columns(["at"])
            rows = table.take([one.row for one in held]).to_pylist()
            found.update({one: _entry(row) for one, row in zip(held, rows, strict=True)})
        return found

    def mark_used(self, keys: Iterable[Key]) -> None:
        """Count these inferences into the totals of the dataset."""
        self._index.executemany(
            "UPDATE entry SET used = 1 WHERE fingerprint = ? AND sample = ? AND generation = ?",
            [(key.fingerprint, key.sample, key.generation) for key in keys],
        )

    def totals(self, of: Literal["used", "fresh", "all"] = "used") -> Totals:
        """Sums over the inferences marked as used, over what this process itself added, or over everything."""
        row = self._index.execute(_TOTALS_OF[of], _KINDS).fetchone()
        inferences, answered, prompt, cached, completion, pico, unreported, maybe = row
        return Totals(inferences, answered, prompt, cached, completion, pico / PICO, unreported, maybe)

    def first_seen(self, key: Key) -> bool:
        """Whether this is asked for the first time since the ledger was opened; for counting without sending."""
        done = self._index.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key.fingerprint, key.sample))
        return done.rowcount == 1

    def mean_completion_tokens(self) -> float | None:
        """What an answer had on average so far, to estimate the rest."""
        row = self._index.execute(
            "SELECT avg(completion_tokens) FROM entry WHERE kind = ?", (int(Kind.ANSWERED),)
        ).fetchone()
        return float(row[0]) if row[0] is not None else None

    # writing

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Run the group commit; at the end, what is pending is written."""
        writer = asyncio.create_task(self._write_groups())
        try:
            yield
        finally:
            self._closing = True
            self._some.set()
            self._now.set()
            await writer
            self._closing = False

    async def commit(self, entries: Sequence[Entry], *, at_once: bool = False) -> None:
        """Return when the entries are durable; without `at_once` they wait for company for half a second.

        Raises:
            OSError: the store could not write; nothing may be taken for durable.
        """
        if not entries:
            return
        done = asyncio.get_running_loop().create_future()
        self._pending.extend(entries)
        self._waiting.append(done)
        self._some.set()
        if at_once or len(self._pending) >= ENTRIES_PER_SEGMENT:
            self._now.set()
        await done

    def hurry(self) -> None:
        """Write what is pending without waiting for company."""
        if self._pending:
            self._now.set()

    async def _write_groups(self) -> None:
        while self._pending or not self._closing:
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._now.wait(), LINGER_S)
            entries, self._pending = self._pending, []
            waiting, self._waiting = self._waiting, []
            self._some.clear()
            self._now.clear()
            if not entries:
                continue
            failure: Exception | None = None
            try:
                self._remember(await asyncio.to_thread(self._write, entries), entries)
            except Exception as error:  # noqa: BLE001 - every waiter is told; none may believe in durability
                failure = error
            for one in waiting:
                if one.done():
                    continue
                if failure is None:
                    one.set_result(None)
                else:
                    one.set_exception(failure)

    def _write(self, entries: Sequence[Entry]) -> str:
        data = _segment(entries, int(self._clock() * 1000))
        while True:
            self._sequence += 1
            path: str = self._storage.join(self._folder, f"{self._writer}-{self._sequence:06d}.segment")
            if self._storage.create_new(path, data):
                return path

    def _remember(self, path: str, entries: Sequence[Entry]) -> None:
        number = len(self._segments)
        self._segments.append(path)
        self.paid += sum(entry.cost or 0.0 for entry in entries)
        self._insert(
            (
                entry.key.fingerprint,
                entry.key.sample,
                entry.key.generation,
                entry.attempt,
                int(entry.kind),
                entry.family,
                _pico(entry.cost),
                entry.prompt_tokens,
                entry.cached_tokens,
                entry.completion_tokens,
                number,
                row,
                int(entry.kind >= Kind.SPENT),
                0,
            )
            for row, entry in enumerate(entries)
        )

    def _load(self, path: str) -> None:
        number = len(self._segments)
        self._segments.append(path)
        table = self._read_segment(path, _INDEXED)
        columns = [table.column(name).to_pylist() for name in _INDEXED]
        rows = zip(*columns, strict=True)
        self._insert((*row, number, position, 0, 0) for position, row in enumerate(rows))

    def _insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._index.execute("BEGIN")
        self._index.executemany(_UPSERT, rows)
        self._index.execute("COMMIT")

    def _read_segment(self, path: str, columns: list[str] | None) -> pa.Table:
        try:
            with self._storage.open(path) as source:
                file = pq.ParquetFile(source, page_checksum_verification=True)
                _check_format(path, file.schema_arrow)
                return file.read(columns)
        except (OSError, pa.ArrowException) as error:
            raise StateUnreadable(
                f"the ledger segment {path} cannot be read ({type(error).__name__}); it may hold paid answers,"
                " so nothing is sent. Restore it, or make it readable, then run again"
            ) from error


def _check_format(path: str, schema: pa.Schema) -> None:
    written = (schema.metadata or {}).get(b"runware.ledger.format", b"0").decode(errors="replace")
    if not written.isdigit() or int(written) < 1:
        raise StateUnreadable(
            f"{path} is no ledger segment of this product; remove it, or restore it from a backup"
        )
    if int(written) > int(FORMAT):
        raise StateUnreadable(
            f"the ledger segment {path} has format {written}, this version reads {FORMAT}; upgrade runware_provider"
        )
    if not set(_SCHEMA.names) <= set(schema.names):
        raise StateUnreadable(f"the ledger segment {path} lacks columns; restore it from a backup")


def _entry(row: dict[str, Any]) -> Entry:
    cost = row["cost_pico_usd"]
    return Entry(
        key=Key(row["fingerprint"], row["sample"], row["generation"]),
        attempt=row["attempt"],
        kind=Kind(row["kind"]),
        family=row["family"],
        code=row["code"],
        message=row["message"],
        cost=None if cost is None else cost / PICO,
        prompt_tokens=row["prompt_tokens"],
        cached_tokens=row["cached_tokens"],
        completion_tokens=row["completion_tokens"],
        latency_s=row["latency_s"],
        item=row["item"],
    )


def _segment(entries: Sequence[Entry], at_ms: int) -> bytes:
    columns = [
        [int(entry.kind) for entry in entries],
        [entry.key.fingerprint for entry in entries],
        [entry.key.sample for entry in entries],
        [entry.key.generation for entry in entries],
        [entry.attempt for entry in entries],
        [at_ms] * len(entries),
        [entry.family for entry in entries],
        [entry.code for entry in entries],
        [entry.message for entry in entries],
        [_pico(entry.cost) for entry in entries],
        [entry.prompt_tokens for entry in entries],
        [entry.cached_tokens for entry in entries],
        [entry.completion_tokens for entry in entries],
        [entry.latency_s for entry in entries],
        [entry.item for entry in entries],
    ]
    arrays = [pa.array(values, kind) for values, kind in zip(columns, _SCHEMA.types, strict=True)]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(arrays, schema=_SCHEMA), sink, compression="zstd", write_page_checksum=True
    )
    return bytes(sink.getvalue())


def _pico(cost: float | None) -> int | None:
    """Whole pico-dollars: integers add up exactly."""
    return None if cost is None else round(cost * PICO)
