"""What the ledger says, merged by rank and looked up fast: a temporary SQLite file.

Memory does not grow with the number of records. Of two entries of one attempt the higher kind holds; of two of the
same kind, the one that says more, cost first. So the order in which entries come means nothing. A copy of another
partition's answer is an attempt beside the own one of the same number: it has another UUID, and is on another bill.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from runware_provider.engine.attempt import Attempt, History, Key, Kind
from runware_provider.engine.memory.segments import PICO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Of: TypeAlias = Literal["used", "fresh", "all"]
ASKED_AT_ONCE = 400
"""Lookups in one query: two variables each, and SQLite allowed 999 of them once."""
ANY_GENERATION = 1 << 62


@dataclass(frozen=True)
class Totals:
    """Sums over distinct task UUIDs of this job; what was copied from other partitions is in `reused` only."""

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
    reused: int = 0
    """Inferences of other partitions, whose bill they are on."""
    reused_cost: float = 0.0
    """USD that other partitions paid for those."""


@dataclass(frozen=True)
class Statistics:
    """Of the answers in the ledger; None where nothing is known."""

    answered: int
    mean_prompt_tokens: float | None
    mean_completion_tokens: float | None
    sd_completion_tokens: float | None
    """Of the population, in tokens."""
    mean_cost: float | None
    """USD."""


class Row(NamedTuple):
    """What the index takes of one entry."""

    fingerprint: bytes
    sample: int
    generation: int
    attempt: int
    kind: int
    family: str | None
    was: str | None
    """Of a forgotten attempt: `answered`, `error`, `lost` or `spent`."""
    cost: int | None
    """Pico-USD."""
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    copied: bool
    segment: int
    row: int
    fresh: bool


_CREATE = """
    PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -32000;
    CREATE TABLE entry (
        fingerprint BLOB, sample INT, generation INT, attempt INT, kind INT, family TEXT, was TEXT, cost INT,
        prompt_tokens INT, cached_tokens INT, completion_tokens INT, copied INT, segment INT, row INT,
        fresh INT, used INT DEFAULT 0,
        PRIMARY KEY (fingerprint, sample, generation, attempt, copied)
    ) WITHOUT ROWID;
    CREATE TABLE seen (fingerprint BLOB, sample INT, PRIMARY KEY (fingerprint, sample)) WITHOUT ROWID;
"""
# In the order of weight. What a forgotten attempt was weighs first, as its kind did; the family last, since among
# equals it only makes the choice the same everywhere.
_SAYS = """
    CASE {0}.was WHEN 'answered' THEN 4 WHEN 'error' THEN 3 WHEN 'lost' THEN 3 WHEN 'spent' THEN 2 ELSE 1 END,
    coalesce({0}.cost, -1), coalesce({0}.completion_tokens, -1), coalesce({0}.prompt_tokens, -1),
    coalesce({0}.cached_tokens, -1),
    {0}.was IS 'lost' OR coalesce({0}.family, '') IN ('lost', 'timeout'), coalesce({0}.family, '')
"""
_UPSERT = f"""
    INSERT INTO entry VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,0)
    ON CONFLICT DO UPDATE SET kind = excluded.kind, family = excluded.family, was = excluded.was,
        cost = excluded.cost, prompt_tokens = excluded.prompt_tokens, cached_tokens = excluded.cached_tokens,
        completion_tokens = excluded.completion_tokens, segment = excluded.segment, row = excluded.row,
        fresh = excluded.fresh
    WHERE excluded.kind > entry.kind
        OR (excluded.kind = entry.kind AND ({_SAYS.format("excluded")}) > ({_SAYS.format("entry")}))
"""  # noqa: S608 - made of the names above

# What a forgotten attempt was goes on counting: the bill does not change because an answer was erased.
_WAS_INFERENCE = "(kind >= :error OR was IN ('answered', 'error', 'lost'))"
_WAS_ANSWERED = "(kind = :answered OR was = 'answered')"
_WAS_LOST = "((kind = :error AND family IN ('lost', 'timeout')) OR was = 'lost')"
_WAS_SPENT = "((kind = :spent AND was IS NULL) OR was = 'spent')"
# An own answer is what the rows show, not a copy of the same attempt or of a later one; an own answer with a higher
# number was asked for because the copies before it did not fit, and they stay. Of an own attempt that nobody knows the end
# of, all that can be said when a run is over is that it may have been billed, whoever asked for it. While a run is under
# way, that is true only beside a copy that took its place: else it is about to be collected.
_BESIDE = """EXISTS (SELECT 1 FROM entry AS beside WHERE beside.fingerprint = entry.fingerprint
    AND beside.sample = entry.sample AND beside.generation = entry.generation AND {}
    AND beside.kind = :answered)"""
_SHOWN_COPY = f"(copied AND NOT {_BESIDE.format('NOT beside.copied AND beside.attempt <= entry.attempt')})"
_REPLACED = "beside.copied AND beside.attempt >= entry.attempt"
_IN_DOUBT = "(kind IN (:intent, :sent_again) AND NOT copied)"
_LEFT_BEHIND = f"({_IN_DOUBT} AND {_BESIDE.format(_REPLACED)})"
_LEFT = {"used": _IN_DOUBT, "fresh": _LEFT_BEHIND, "all": _LEFT_BEHIND}
_MINE: dict[str, str] = {"used": f"(used = 1 OR {_IN_DOUBT})", "fresh": "fresh = 1", "all": "1"}
_TOTALS = {
    of: f"""
    SELECT coalesce(sum({_WAS_INFERENCE} AND NOT copied), 0), coalesce(sum({_WAS_ANSWERED} AND NOT copied), 0),
        coalesce(sum(iif(copied, 0, prompt_tokens)), 0), coalesce(sum(iif(copied, 0, cached_tokens)), 0),
        coalesce(sum(iif(copied, 0, completion_tokens)), 0), coalesce(sum(iif(copied, 0, cost)), 0),
        coalesce(sum({_WAS_ANSWERED} AND cost IS NULL AND NOT copied), 0),
        coalesce(sum(({_WAS_SPENT} OR ({_WAS_LOST} AND cost IS NULL) OR {_LEFT[of]}) AND NOT copied), 0),
        coalesce(sum({_WAS_INFERENCE} AND {_SHOWN_COPY}), 0), coalesce(sum(iif({_SHOWN_COPY}, cost, 0)), 0)
    FROM entry WHERE (kind >= :spent OR {_LEFT[of]}) AND {mine}
    """  # noqa: S608 - made of the words above
    for of, mine in _MINE.items()
}
_UNPRICED = {
    of: f"""
    SELECT fingerprint, sample, generation, attempt FROM entry
    WHERE cost IS NULL AND NOT copied AND was IS NULL AND {mine}
        AND (kind IN (:answered, :spent) OR (kind = :error AND family IN ('lost', 'timeout')) OR {_LEFT[of]})
    ORDER BY fingerprint, sample, generation, attempt
    """  # noqa: S608 - made of the words above
    for of, mine in _MINE.items()
}
_UNSETTLED = {
    of: f"""
    SELECT fingerprint, sample, generation, attempt FROM entry WHERE {_IN_DOUBT} AND {mine}
    ORDER BY fingerprint, sample, generation, attempt
    """  # noqa: S608 - made of the words above
    for of, mine in {"fresh": "fresh = 1", "all": "1"}.items()
}
_UNPRICED_TOKENS = {
    of: f"""
    SELECT prompt_tokens, completion_tokens FROM entry
    WHERE cost IS NULL AND NOT copied AND {mine}
        AND ({_WAS_ANSWERED} OR {_WAS_LOST} OR (kind = :spent AND family = 'conflict'))
    """  # noqa: S608 - made of the words above
    for of, mine in _MINE.items()
}
_KINDS = {
    "intent": int(Kind.INTENT),
    "sent_again": int(Kind.SENT_AGAIN),
    "spent": int(Kind.SPENT),
    "error": int(Kind.ERROR),
    "answered": int(Kind.ANSWERED),
}
_KIND_OF = {int(kind): kind for kind in Kind}
"""Looked up several times faster than `Kind` makes it."""
_STATISTICS = """
    SELECT count(*), avg(prompt_tokens), avg(completion_tokens),
        avg(1.0 * completion_tokens * completion_tokens), avg(cost)
    FROM entry WHERE kind = ?
"""


class LedgerIndex:
    """Not thread-safe."""

    def __init__(self) -> None:
        self._held = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._held.executescript(_CREATE)

    def close(self) -> None:
        """Drop it."""
        self._held.close()

    def clear(self) -> None:
        """Forget everything that was inserted."""
        self._held.execute("DROP INDEX IF EXISTS by_segment")
        self._held.execute("DELETE FROM entry")

    def insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Merge entries with what is there; each is a `Row`, or a tuple like one."""
        self._held.execute("BEGIN")
        self._held.executemany(_UPSERT, rows)
        self._held.execute("COMMIT")

    def histories(
        self, asked: Sequence[tuple[bytes, int]], at_least: int, below: int | None = None
    ) -> list[History | None]:
        """For each fingerprint and sample the attempts of its newest generation.

        Args:
            asked: fingerprints and samples.
            at_least: older generations do not count.
            below: nor does this one, nor a newer one.
        """
        found: list[History | None] = []
        for start in range(0, len(asked), ASKED_AT_ONCE):
            some = asked[start : start + ASKED_AT_ONCE]
            rows: list[list[tuple[Any, ...]]] = [[] for _ in some]
            for place, *rest in self._lookup(some, at_least, ANY_GENERATION if below is None else below):
                rows[place].append(tuple(rest))
            found.extend(map(_history, rows))
        return found

    def _lookup(
        self, asked: Sequence[tuple[bytes, int]], at_least: int, below: int
    ) -> Iterator[tuple[Any, ...]]:
        places = ",".join(f"({place},?,?)" for place in range(len(asked)))
        # CROSS JOIN keeps the order of the tables, so that each that is asked for is looked up by the key.
        query = (
            f"WITH asked(place, fingerprint, sample) AS (VALUES {places})"  # noqa: S608 - numbers only
            " SELECT place, generation, attempt, copied, kind, family, segment, row FROM asked CROSS JOIN entry"
            " ON entry.fingerprint = asked.fingerprint AND entry.sample = asked.sample AND generation >= ? AND generation < ?"
        )
        values = [value for one in asked for value in one]
        yield from self._held.execute(query, [*values, at_least, below])

    def mark_used(self, keys: Iterable[Key]) -> None:
        """Count these inferences into the totals of the dataset."""
        self._held.execute("BEGIN")
        self._held.executemany(
            "UPDATE entry SET used = 1 WHERE fingerprint = ? AND sample = ? AND generation = ?",
            [(key.fingerprint, key.sample, key.generation) for key in keys],
        )
        self._held.execute("COMMIT")

    def is_used(self, key: Key) -> bool:
        """Whether this inference was marked."""
        row = self._held.execute(
            "SELECT max(used) FROM entry WHERE fingerprint = ? AND sample = ? AND generation = ?",
            (key.fingerprint, key.sample, key.generation),
        ).fetchone()
        return bool(row[0])

    def has_verdict(self, key: Key, attempt: int) -> bool:
        """Whether this job's own attempt has ended."""
        row = self._held.execute(
            "SELECT max(kind) FROM entry"
            " WHERE fingerprint = ? AND sample = ? AND generation = ? AND attempt = ? AND NOT copied",
            (key.fingerprint, key.sample, key.generation, attempt),
        ).fetchone()
        return row[0] is not None and row[0] >= Kind.SPENT

    def first_seen(self, key: Key) -> bool:
        """Whether this is asked for the first time since the index was made."""
        done = self._held.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key.fingerprint, key.sample))
        return done.rowcount == 1

    def totals(self, of: Of) -> Totals:
        """Sums over what is used, what is fresh, or everything."""
        row = self._held.execute(_TOTALS[of], _KINDS).fetchone()
        inferences, answered, prompt, cached, completion, pico, unreported, maybe, reused, reused_pico = row
        return Totals(
            inferences,
            answered,
            prompt,
            cached,
            completion,
            pico / PICO,
            unreported,
            maybe,
            reused,
            reused_pico / PICO,
        )

    def unpriced(self, of: Of) -> list[tuple[Key, int]]:
        """Attempts without a reported cost that were or may have been billed, in order."""
        return self._attempts(_UNPRICED[of])

    def unsettled(self, of: Literal["fresh", "all"]) -> list[tuple[Key, int]]:
        """Attempts that may have been sent, and of which nothing is known since, in order."""
        return self._attempts(_UNSETTLED[of])

    def _attempts(self, query: str) -> list[tuple[Key, int]]:
        return [
            (Key(fingerprint, sample, generation), attempt)
            for fingerprint, sample, generation, attempt in self._held.execute(query, _KINDS)
        ]

    def unpriced_tokens(self, of: Of) -> list[tuple[int | None, int | None]]:
        """Tokens of the prompts and answers of attempts that may be charged at a cost that was not reported.

        Unlike those that are `unpriced`, they may well be charged: what was refused and never run is not among them.
        """
        return list(self._held.execute(_UNPRICED_TOKENS[of], _KINDS))

    def statistics(self) -> Statistics:
        """Means and deviations of the answers."""
        count, prompt, tokens, tokens_squared, cost = self._held.execute(
            _STATISTICS, (int(Kind.ANSWERED),)
        ).fetchone()
        return Statistics(
            count,
            prompt,
            tokens,
            _deviation(tokens, tokens_squared),
            None if cost is None else cost / PICO,
        )

    def arrange(self) -> None:
        """Make `rows_of` fast, once it is about to be asked for many segments."""
        self._held.execute("CREATE INDEX IF NOT EXISTS by_segment ON entry (segment, row)")

    def rows_of(self, segment: int) -> list[int]:
        """The rows of a segment that hold, in order: no other entry overrules them."""
        found = self._held.execute("SELECT row FROM entry WHERE segment = ? ORDER BY row", (segment,))
        return [row for (row,) in found]


def _history(rows: list[tuple[Any, ...]]) -> History | None:
    if not rows:
        return None
    if len(rows) > 1:
        rows = _counting(rows)
    return History(
        rows[0][0],
        tuple(
            Attempt(number, _KIND_OF[kind], family, segment, row)
            for _, number, _, kind, family, segment, row in rows
        ),
    )


def _counting(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Of the newest generation, in order; without copies where an own answer has their place.

    What was paid for here goes before what others paid for, if it is not what followed it.
    """
    newest = max(row[0] for row in rows)
    rows = sorted((row for row in rows if row[0] == newest), key=lambda row: row[1:3])
    answers = (number for _, number, copied, kind, *_ in rows if kind == Kind.ANSWERED and not copied)
    own = min(answers, default=None)
    return rows if own is None else [row for row in rows if not row[2] or row[1] < own]


def _deviation(mean: float | None, mean_of_squares: float | None) -> float | None:
    if mean is None or mean_of_squares is None:
        return None
    return float(max(mean_of_squares - mean * mean, 0.0) ** 0.5)
