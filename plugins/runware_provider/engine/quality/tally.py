"""What the struct `inference` of the rows adds up to: outcomes, reasons, problems, mends, attempts, latency. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from runware_provider.engine.quality.spread import Spread

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

FIELDS = (
    "outcome",
    "error_code",
    "error_message",
    "attempts",
    "reasks",
    "finish_reason",
    "latency_s",
    "mends",
)
"""Of the struct `inference`, what is read; older datasets have no `reasks`."""
LATENCIES_HELD = 262_144
MESSAGES_READ = 100_000
PROBLEMS_HELD = 10_000

# `error_message` strings problems together as `$.path: message; $.path: message; and 3 more`.
_NEXT_PROBLEM = re.compile(r"; (?=\$(?:[.\[]|: )|and \d+ more$)")
_PROBLEM = re.compile(r"(\$(?:\.[^:\s]+|\[[^\]]*\])*): (.*)", re.DOTALL)
_INDEX = re.compile(r"\[\d+\]")
# jsonschema begins many of its messages with the value, which would make each of them one of a kind.
_QUOTED_VALUE = re.compile(
    r"^.+?(?= (?:is not (?:of type|one of|a multiple of|a '|valid under)|does not (?:match|contain)|is (?:less|greater) than"
    r"|is too (?:short|long)|should (?:not )?be|was expected|has (?:non-unique|too many|too few))\b)",
    re.DOTALL,
)


@dataclass
class Problems:
    """What did not fit, by JSON path and message."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Invalid rows by path, with `[*]` for an index, and message, with `…` for a value."""
    examples: dict[tuple[str, str], str] = field(default_factory=dict)
    """A message as it was."""
    read: int = 0
    """Rows whose message was looked at."""

    def add(self, message: str) -> None:
        """Count the problems that a row's message lists, each once for the row."""
        self.read += 1
        named: set[tuple[str, str]] = set()
        for path, text in _listed(message):
            key = (_INDEX.sub("[*]", path), _QUOTED_VALUE.sub("…", text))
            if key not in named:
                named.add(key)
                self.counts[key] += 1
                self.examples.setdefault(key, text)
        if len(self.counts) > 2 * PROBLEMS_HELD:
            self.counts = Counter(dict(self.counts.most_common(PROBLEMS_HELD)))
            self.examples = {key: self.examples[key] for key in self.counts}


@dataclass
class Tally:
    """What was counted over the rows."""

    rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by outcome and error code."""
    attempts: Counter[int] = field(default_factory=Counter)
    """Rows by how often they were asked."""
    reasks: Counter[int] = field(default_factory=Counter)
    """Rows by how often the model was shown what did not fit in its answer."""
    mended_by_model: int = 0
    """Rows that succeeded after that."""
    mends: Counter[str] = field(default_factory=Counter)
    """Rows by what was mended in their answer."""
    finishes: Counter[str] = field(default_factory=Counter)
    """Rows by the API's finish reason."""
    problems: Problems = field(default_factory=Problems)
    latency: Spread = field(default_factory=lambda: Spread(LATENCIES_HELD))

    def add(self, rows: pa.Table) -> None:
        """Count these rows.

        Args:
            rows: the columns named in `FIELDS`, as they stand in `inference`, with or without `reasks`.
        """
        self.rows += rows.num_rows
        counted = rows.group_by(["outcome", "error_code"], use_threads=False).aggregate([([], "count_all")])
        for row in counted.to_pylist():
            self.outcomes[row["outcome"]] += row["count_all"]
            if row["error_code"] is not None:
                self.reasons[row["outcome"], row["error_code"]] += row["count_all"]
        _count(self.attempts, rows["attempts"])
        if "reasks" in rows.column_names:
            _count(self.reasks, rows["reasks"])
            asked = pc.greater(rows["reasks"], 0)
            won = pc.and_(asked, pc.equal(rows["outcome"], "succeeded"))
            self.mended_by_model += pc.sum(won).as_py() or 0
        _count(self.finishes, rows["finish_reason"])
        _count(self.mends, pc.list_flatten(rows["mends"]))
        self.latency.add(rows["latency_s"].combine_chunks())
        self._read_problems(rows)

    def _read_problems(self, rows: pa.Table) -> None:
        left = MESSAGES_READ - self.problems.read
        invalid = rows.filter(pc.equal(rows["outcome"], "invalid"))["error_message"].drop_null()
        for message in invalid.slice(0, max(0, left)).to_pylist():
            self.problems.add(message)

    @property
    def answered(self) -> int:
        """Rows that succeeded."""
        return self.outcomes["succeeded"]

    @property
    def asked_again(self) -> int:
        """Rows that took more than one attempt."""
        return sum(count for attempts, count in self.attempts.items() if attempts > 1)

    @property
    def reasked(self) -> int:
        """Rows whose model was shown what did not fit."""
        return sum(count for times, count in self.reasks.items() if times > 0)


def _count(counter: Counter[object] | Counter[str] | Counter[int], values: pa.ChunkedArray) -> None:
    for one in pc.value_counts(values.drop_null()).to_pylist():
        counter[one["values"]] += one["counts"]


def _listed(message: str) -> Iterator[tuple[str, str]]:
    for part in _NEXT_PROBLEM.split(message):
        found = _PROBLEM.fullmatch(part)
        if found is not None:
            yield found[1], found[2]
        elif not re.fullmatch(r"and \d+ more", part):
            yield "", part
