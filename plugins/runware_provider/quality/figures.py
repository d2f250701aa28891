"""A published dataset in figures: what its manifest says, and what the struct `inference` of its rows adds up to. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from runware_provider.engine.money import cost_of_answers, of_1000
from runware_provider.quality.counting import Spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIELDS = (
    "outcome",
    "error_code",
    "error_message",
    "attempts",
    "reasks",
    "sample",
    "finish_reason",
    "latency_s",
    "mends",
)
"""Of the struct `inference`, what is read; older datasets have no `reasks`."""
LATENCIES_HELD = 262_144
MESSAGES_READ = 100_000
PROBLEMS_HELD = 10_000
EXAMPLES = 3
"""Rows that are named for each mend."""

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


@dataclass(frozen=True)
class Rows:
    """Rows that follow each other, column by column."""

    keys: pa.Array
    """Of the column that was asked for; without one, the rows' numbers."""
    names: pa.Array
    """What rows are called: by their key, and by their sample where a record has several."""
    results: pa.Array
    """Null where there is none; of a flattened dataset, structs of which none is null."""
    succeeded: pa.BooleanArray
    inference: pa.Table
    """The fields that are counted."""
    first: int = 0
    """The number of the first of them in the dataset, from 0."""


class Problems:
    """What did not fit, by JSON path and message."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        """Invalid rows by path, with `[*]` for an index, and message, with `…` for a value."""
        self.examples: dict[tuple[str, str], str] = {}
        """A message as it was."""
        self.read = 0
        """Rows whose message was looked at."""

    def add(self, message: str) -> None:
        """Count the problems that a row's message lists, each once for the row."""
        self.read += 1
        texts: dict[tuple[str, str], str] = {}
        for path, text in _listed(message):
            texts.setdefault((_INDEX.sub("[*]", path), _QUOTED_VALUE.sub("…", text)), text)
        self.counts.update(texts.keys())
        for problem, text in texts.items():
            self.examples.setdefault(problem, text)
        if len(self.counts) > 2 * PROBLEMS_HELD:
            self.counts = Counter(dict(self.counts.most_common(PROBLEMS_HELD)))
            self.examples = {key: self.examples[key] for key in self.counts}


def _listed(message: str) -> Iterator[tuple[str, str]]:
    for part in _NEXT_PROBLEM.split(message):
        problem = _PROBLEM.fullmatch(part)
        if problem is not None:
            yield problem[1], problem[2]
        elif not re.fullmatch(r"and \d+ more", part):
            yield "", part


class Figures:
    """What a manifest says and its rows add up to.

    Args:
        manifest: of the publish.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self.manifest = manifest
        self.rows = 0
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        """Rows by outcome and error code."""
        self.attempts: Counter[int] = Counter()
        """Rows by how often they were asked."""
        self.output_retries: Counter[int] = Counter()
        """Rows by how many output retries they had; the column is called `reasks`."""
        self.mended_by_model = 0
        """Rows that succeeded after that."""
        self.mends: Counter[str] = Counter()
        """Rows by what was mended in their answer."""
        self.mended_rows: dict[str, list[Any]] = {}
        """The first of these rows, by what they are called."""
        self.finishes: Counter[str] = Counter()
        """Rows by the API's finish reason."""
        self.problems = Problems()
        self.latency = Spread(LATENCIES_HELD)

    def add(self, inference: pa.Table, names: pa.Array | None = None) -> None:
        """Count these rows.

        Args:
            inference: the columns named in `FIELDS`, as they stand in `inference`, with or without `reasks`.
            names: what these rows are called, where examples are wished for.
        """
        self.rows += inference.num_rows
        codes = inference.group_by(["outcome", "error_code"], use_threads=False).aggregate(
            [([], "count_all")]
        )
        for row in codes.to_pylist():
            self.outcomes[row["outcome"]] += row["count_all"]
            if row["error_code"] is not None:
                self.reasons[row["outcome"], row["error_code"]] += row["count_all"]
        self.attempts.update(_counts(inference["attempts"]))
        if "reasks" in inference.column_names:
            self.output_retries.update(_counts(inference["reasks"]))
            succeeded = inference.filter(pc.equal(inference["outcome"], "succeeded"))
            self.mended_by_model += pc.sum(pc.greater(succeeded["reasks"], 0)).as_py() or 0
        self.finishes.update(_counts(inference["finish_reason"]))
        self._add_mends(inference["mends"].combine_chunks(), names)
        self.latency.add(inference["latency_s"].combine_chunks())
        invalid = inference.filter(pc.equal(inference["outcome"], "invalid"))["error_message"].drop_null()
        for message in invalid.slice(0, MESSAGES_READ - self.problems.read).to_pylist():
            self.problems.add(message)

    def _add_mends(self, mends: pa.Array, names: pa.Array | None) -> None:
        each = pc.list_flatten(mends)
        self.mends.update(_counts(pa.chunked_array([each])))
        if names is None:
            return
        mended = names.take(pc.list_parent_indices(mends))
        for mend in each.unique().to_pylist():
            examples = self.mended_rows.setdefault(mend, [])
            if len(examples) < EXAMPLES:
                examples += mended.filter(pc.equal(each, mend))[: EXAMPLES - len(examples)].to_pylist()

    def text(self, key: str) -> str:
        """A text of the manifest; empty where an older one has none."""
        return str(self.manifest.get(key, ""))

    def number(self, key: str) -> float:
        """A number of the manifest; 0 where an older one has none."""
        return self.manifest.get(key) or 0

    @property
    def records(self) -> int:
        """Records in; rows are records times samples."""
        return int(self.manifest.get("records", self.rows))

    @property
    def succeeded(self) -> int:
        """Rows that succeeded."""
        return self.outcomes["succeeded"]

    @property
    def asked_again(self) -> int:
        """Rows that took more than one attempt."""
        return sum(count for attempts, count in self.attempts.items() if attempts > 1)

    @property
    def output_retried(self) -> int:
        """Rows that had output retries."""
        return sum(count for times, count in self.output_retries.items() if times > 0)

    @property
    def cost_usd(self) -> float:
        """USD for the answers that the rows show, whoever paid for them."""
        return cost_of_answers(self.manifest)

    def cost_per_thousand(self, rows: int) -> float | None:
        """USD for the answers of 1,000 of so many rows, whoever paid for them; None where there are none."""
        return of_1000(self.cost_usd, rows)

    def main_reasons(self, outcome: str, most: int = 3) -> list[tuple[str, int]]:
        """The most frequent error codes of an outcome."""
        ours = [(code, rows) for (name, code), rows in self.reasons.items() if name == outcome]
        return sorted(ours, key=lambda reason: (-reason[1], reason[0]))[:most]


def _counts(values: pa.ChunkedArray) -> dict[Any, int]:
    return {pair["values"]: pair["counts"] for pair in pc.value_counts(values.drop_null()).to_pylist()}
