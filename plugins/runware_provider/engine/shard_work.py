"""A shard while it is worked on: what each of its records asked, and what is still awaited."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.attempt import Key
from runware_provider.engine.flight import Inference, Phase, Standing, standing
from runware_provider.engine.prompt import Skip
from runware_provider.engine.wire import task_uuid

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from runware_provider.engine.attempt import Attempt, Entry
    from runware_provider.engine.dataset import Shard
    from runware_provider.engine.ledger import Ledger
    from runware_provider.engine.prompt import Prompt
    from runware_provider.engine.wire import RequestTemplate

RECORDS_AT_ONCE = 200
TASK_OVERHEAD = 200
"""Bytes of a task beside its prompt and what all tasks share."""


@dataclass
class ShardWork:
    """One shard in memory."""

    shard: Shard
    kept: pa.Table = field(repr=False)
    slots: list[list[Key | Skip]] = field(default_factory=list, repr=False)
    awaited: set[Key] = field(default_factory=set, repr=False)
    settled: dict[Key, tuple[Entry, int]] = field(default_factory=dict, repr=False)
    """Last words with the number of attempts behind them."""
    before: dict[Key, tuple[Attempt, int]] = field(default_factory=dict, repr=False)
    """Last words that the ledger held already."""

    finishing: bool = False


@dataclass(frozen=True)
class Question:
    """What one sample of a record asks, and where that stands."""

    key: Key
    prompt: str = field(repr=False)
    standing: Standing


@dataclass
class Questioner:
    """Turns records into questions.

    Args:
        at_least: answers of older generations do not count; 0 where the user did not ask anew.
        generation: in which new questions are asked.
    """

    prompt: Prompt
    template: RequestTemplate
    ledger: Ledger
    samples: int
    attempts: int
    at_least: int
    generation: int

    def ask(self, record: Mapping[str, Any] | Skip) -> list[Question | Skip]:
        """One question per sample, or why there is none."""
        text = record if isinstance(record, Skip) else self.prompt.render(record)
        if isinstance(text, Skip):
            return [text] * self.samples
        return [self._question(text, sample) for sample in range(self.samples)]

    def _question(self, text: str, sample: int) -> Question:
        fingerprint = self.template.fingerprint(text, sample)
        history = self.ledger.history(fingerprint, sample, self.at_least)
        generation = history.generation if history is not None else self.generation
        return Question(Key(fingerprint, sample, generation), text, standing(history, self.attempts))


def records_of(table: pa.Table, columns: Sequence[str]) -> Iterator[list[dict[str, Any] | Skip]]:
    """The rows of a table as Python values, some at a time; columns that no template names stay untouched.

    A row with a value that Python cannot hold (text that is no UTF-8, a date after the year 9999) is skipped.
    """
    chosen = table.select(list(columns))
    for start in range(0, table.num_rows, RECORDS_AT_ONCE):
        piece = chosen.slice(start, RECORDS_AT_ONCE)
        if columns:
            yield _values(piece)
        else:
            yield [{} for _ in range(min(RECORDS_AT_ONCE, table.num_rows - start))]


def _values(piece: pa.Table) -> list[dict[str, Any] | Skip]:
    try:
        return list(piece.to_pylist())
    except (ValueError, OverflowError):
        return [_value(piece.slice(row, 1)) for row in range(piece.num_rows)]


def _value(row: pa.Table) -> dict[str, Any] | Skip:
    held: dict[str, Any] = {}
    for name in row.column_names:
        try:
            held[name] = row.column(name)[0].as_py()
        except (ValueError, OverflowError) as error:
            kind = type(error).__name__
            return Skip("prompt_error", f"column {name!r} holds a value that cannot be read ({kind})")
    return held


def inference_of(question: Question, job_id: bytes, shared_bytes: int, now: float) -> Inference:
    """A question on its way: to be sent, or to be asked for first where an earlier process may have sent it."""
    key, known = question.key, question.standing
    perhaps_sent = known.fate_unknown and (known.sent_again or not known.rejected)
    return Inference(
        key=key,
        prompt=question.prompt,
        size=len(question.prompt.encode(errors="replace")) + TASK_OVERHEAD + shared_bytes,
        attempt=known.attempt,
        counted=known.counted,
        spent=known.spent,
        task_uuid=task_uuid(job_id, key.fingerprint, key.sample, key.generation, known.attempt),
        phase=Phase.ASK if known.fate_unknown else Phase.READY,
        rejected=known.rejected,
        intended=perhaps_sent,
        doubted_at=now if perhaps_sent else None,
    )
