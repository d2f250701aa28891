"""What became of each record: answers read, checked and typed, one output row per record and sample. Pure."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from runware_provider.engine.api.error_families import Family
from runware_provider.engine.api.replies import decode
from runware_provider.engine.api.results import Result, read_result
from runware_provider.engine.attempt import Entry, Kind
from runware_provider.engine.dataset.arrow_types import taken
from runware_provider.engine.identity import Key, task_uuid
from runware_provider.engine.outcome.answer import read_text
from runware_provider.engine.outcome.result_reading import ResultReader
from runware_provider.engine.plain_text import printable
from runware_provider.engine.schema.label_answers import LabelSchema
from runware_provider.engine.schema.problems import Fit, Problem
from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runware_provider.engine.api.output_mode import Forced
    from runware_provider.engine.outcome.answer import Answer
    from runware_provider.engine.outcome.flattening import ResultColumns

INFERENCE = "inference"
MAX_BYTES = 8_000_000
"""Of an answer as it came; longer ones are kept, and not read."""
MESSAGE_CHARS = 2_000
PROBLEMS_SHOWN = 10
AROUND_A_LABEL = " \t\r\n`'\"*."
"""What models put around a word: quotes, code fences, emphasis, a full stop."""


class Outcome(StrEnum):
    """What became of a record, exactly one of these."""

    SUCCEEDED = "succeeded"
    INVALID = "invalid"
    """Answered, but the answer does not fit."""
    REFUSED = "refused"
    """For safety, by the API or the model."""
    FAILED = "failed"
    """Ended with an error."""
    SKIPPED = "skipped"
    """Never sent."""


FAILED = frozenset({Outcome.INVALID, Outcome.REFUSED, Outcome.FAILED})
"""What `failures.most` counts, `failures.dataset` holds and `retry_failed` asks again."""

INFERENCE_TYPE = pa.struct(
    [
        ("outcome", pa.string()),
        ("error_code", pa.string()),
        ("error_message", pa.string()),
        ("attempts", pa.int32()),
        ("reasks", pa.int32()),
        ("task_uuid", pa.string()),
        ("sample", pa.int32()),
        ("model", pa.string()),
        ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("cost_usd", pa.float64()),
        ("latency_s", pa.float64()),
        ("mends", pa.list_(pa.string())),
        ("raw", pa.string()),
    ]
)


class Check(Protocol):
    """What an answer is checked against: a schema, or the schemas of the user's tools."""

    @property
    def arrow_type(self) -> pa.DataType:
        """The type of a checked value."""

    @property
    def described(self) -> frozenset[str]:
        """The keys of an answer's outermost object that are described; none of calls."""

    @property
    def parameters(self) -> Mapping[str, frozenset[str]]:
        """What each of the user's tools can be given, by its name."""

    def fit(self, value: Any) -> Fit:
        """A value as Arrow takes it, or what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """An inference's last word, read: what its rows have in common."""

    outcome: Outcome
    result: Any = field(default=None, repr=False)
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Fields of the `inference` struct."""
    answered: bool = False
    """Whether the model said something, fit or not."""
    cut: bool = False
    """Whether it was cut off, so that room for more tokens may help."""
    doubt: str | None = field(default=None, repr=False)
    """Why an answer that fits is shown to the model all the same, which may say it again."""

    @property
    def sent(self) -> bool:
        """Whether the record was asked at all."""
        return self.outcome is not Outcome.SKIPPED


class Judge:
    """Reads verdicts.

    Args:
        forced: where the answer stands.
        check: what it must fit; nothing for free text.
        model: named in every row.
        job_id: from which task UUIDs are derived, but for answers that another partition paid for.
        keep_raw: whether to keep the raw answer of every row.
    """

    def __init__(
        self, forced: Forced, check: Check | None, *, model: str, job_id: bytes, keep_raw: bool
    ) -> None:
        self._forced = forced
        self._check = check
        described = check.described if check is not None else frozenset()
        parameters = check.parameters if check is not None else {}
        self._reader = ResultReader(forced, described, parameters)
        self._model = model
        self._job_id = job_id
        self._keep_raw = keep_raw
        self.result_type: pa.DataType = check.arrow_type if check is not None else pa.string()

    def judge(self, entry: Entry, attempts: int, *, errors_usd: float | None = None) -> Judgement:
        """The judgement on an inference, by its last verdict.

        Args:
            entry: the verdict.
            attempts: how many there were.
            errors_usd: where the verdict is an error, what all attempts that ended in one cost, this one included; None
                for what this one cost.
        """
        facts: dict[str, Any] = {
            "attempts": attempts,
            "reasks": 0,
            "task_uuid": task_uuid(entry.origin or self._job_id, entry.key, entry.attempt),
            "model": self._model,
            "prompt_tokens": entry.prompt_tokens,
            "cached_tokens": entry.cached_tokens,
            "completion_tokens": entry.completion_tokens,
            "cost_usd": entry.cost if errors_usd is None else errors_usd,
            "latency_s": entry.latency_s,
            "mends": [],
        }
        if entry.kind is Kind.ANSWERED:
            return self._answered(entry, facts)
        facts["error_code"] = entry.code
        facts["error_message"] = entry.message
        if entry.item is not None and (self._keep_raw or entry.family != Family.LOST):
            facts["raw"] = _text(entry.item)
        return Judgement(Outcome.REFUSED if entry.family == Family.SAFETY else Outcome.FAILED, None, facts)

    def skipped(self, skip: Skip) -> Judgement:
        """The judgement on a record that was never sent."""
        return self.never_sent(skip.code, skip.message)

    def never_sent(self, code: str, message: str) -> Judgement:
        """The same for what this process meant to send, and did not; `skipped` names the codes of records."""
        facts = {"error_code": code, "error_message": message, "attempts": 0, "model": self._model}
        return Judgement(Outcome.SKIPPED, None, {**facts, "reasks": 0, "mends": []})

    def given_up(
        self, attempts: int, doubted: str | None = None, *, errors_usd: float | None = None
    ) -> Judgement:
        """The judgement on a record that the budget did not reach for.

        Args:
            attempts: how often it was tried without an answer.
            doubted: the UUID under which it was sent, or may have been, without anybody knowing of it since.
            errors_usd: what those attempts cost; None where no cost was reported.
        """
        if attempts == 0 and doubted is None:
            return self.never_sent("budget", "the budget was used up before this record was asked")
        told = "its attempts failed, and the budget was used up before the next one"
        if doubted is not None:
            told = "it may have been sent, and billed; nobody knows of it, and the budget was used up before it was sent again"
        facts = {
            "error_code": "budget",
            "error_message": told,
            "attempts": attempts,
            "task_uuid": doubted,
            "reasks": 0,
            "model": self._model,
            "cost_usd": errors_usd,
            "mends": [],
        }
        return Judgement(Outcome.FAILED, None, facts)

    def _answered(self, entry: Entry, facts: dict[str, Any]) -> Judgement:
        # It is larger than is taken, and nothing of it was kept.
        if entry.item is None and entry.code is not None:
            facts.update(error_code=entry.code, error_message=entry.message)
            return Judgement(Outcome.INVALID, None, facts)
        raw = entry.item or b"{}"
        # Nothing of a stranger's text is looked at without a bound.
        if len(raw) > MAX_BYTES:
            told = f"the answer has {len(raw)} bytes; at most {MAX_BYTES} are read"
            facts.update(error_code="unreadable", error_message=told, raw=_text(raw))
            return Judgement(Outcome.INVALID, None, facts, answered=True)
        item = decode(raw)
        result = read_result(item if isinstance(item, dict) else {})
        facts["finish_reason"] = result.finish_reason
        answer = self._reader.read(result)
        facts["mends"] = list(answer.mends)
        if self._keep_raw:
            facts["raw"] = _text(raw)
        # The row is given up: the vendor kept the answer back for safety, and that was paid for.
        if result.finish_reason == "content_filter":
            told = "the model's answer was filtered"
            facts.update(error_code="content_filter", error_message=told, raw=_text(raw))
            return Judgement(Outcome.REFUSED, None, facts, answered=True)
        fit, code = self._fitted(answer, result)
        facts["mends"] += [mend for mend in fit.mends if mend not in facts["mends"]]
        reached_most_tokens = result.finish_reason == "length"
        if not fit.problems:
            return self._succeeded(fit, raw, facts, reached_most_tokens=reached_most_tokens)
        # The row is given up, unless an output retry brings an answer that fits.
        told = printable(_listed(fit.problems)[:MESSAGE_CHARS])
        if reached_most_tokens:
            code = "truncated"
        facts.update(error_code=code, error_message=told, raw=_text(raw))
        cut = reached_most_tokens or answer.truncated
        return Judgement(Outcome.INVALID, None, facts, answered=True, cut=cut)

    def _succeeded(
        self, fit: Fit, raw: bytes, facts: dict[str, Any], *, reached_most_tokens: bool
    ) -> Judgement:
        """The judgement on an answer that fits."""
        reads_calls = self._forced.reading == "calls"
        has_no_calls = reads_calls and not fit.value
        # The model answered in words instead, or with nothing at all, and that was paid for.
        if fit.doubt is not None or has_no_calls:
            facts["raw"] = _text(raw)
        # What was checked as a whole is whole; a text, or a list of calls, may lack its end.
        is_unchecked = self._check is None or reads_calls
        cut = is_unchecked and reached_most_tokens
        return Judgement(Outcome.SUCCEEDED, fit.value, facts, answered=True, cut=cut, doubt=fit.doubt)

    def _fitted(self, answer: Answer, result: Result) -> tuple[Fit, str]:
        """The value as Arrow takes it, or what is wrong with it, and the code for that."""
        if answer.problem is not None:
            label = self._label_in_words(result)
            if label is not None:
                return label, ""
            return Fit(None, [Problem("", answer.problem)]), "unreadable"
        if self._check is None:
            return Fit(answer.value, []), ""
        return self._check.fit(answer.value), "schema"

    def _label_in_words(self, result: Result) -> Fit | None:
        """The label that a text consists of, though it is no JSON, or that it ends with; of labels alone."""
        if not isinstance(self._check, LabelSchema):
            return None
        words = str(read_text(result.text).value or "")
        fits = (self._check.fit(words.strip(around)) for around in (None, AROUND_A_LABEL))
        alone = next((fit for fit in fits if not fit.problems), None)
        return alone or self._check.fit_in_prose(words)


@dataclass
class Counts:
    """What a number of rows add up to."""

    records: int = 0
    rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    """Rows that did not succeed, by error code."""
    mends: Counter[str] = field(default_factory=Counter)
    reasks: int = 0
    """Output retries, of all rows together; called as the manifest and the column have it."""

    def saw(self, judgement: Judgement, rows: int = 1) -> None:
        """Count rows with this judgement."""
        self.rows += rows
        self.outcomes[judgement.outcome.value] += rows
        code = judgement.facts.get("error_code")
        if code is not None:
            self.reasons[str(code)] += rows
        self.reasks += rows * judgement.facts.get("reasks", 0)
        for mend in judgement.facts["mends"]:
            self.mends[mend] += rows

    def add(self, other: Counts) -> None:
        """Count what the other counted, too."""
        self.records += other.records
        self.rows += other.rows
        self.outcomes.update(other.outcomes)
        self.reasons.update(other.reasons)
        self.mends.update(other.mends)
        self.reasks += other.reasks


def output_schema_of(kept: pa.Schema, results: ResultColumns) -> pa.Schema:
    """The columns of the output: those of the input that are kept, those of the results, then `inference`."""
    return pa.schema([*kept, *results.fields, pa.field(INFERENCE, INFERENCE_TYPE)])


def assemble(
    kept: pa.Table,
    slots: Sequence[Sequence[Key | Skip]],
    judgements: Mapping[Key, Judgement],
    judge: Judge,
    columns: ResultColumns,
) -> tuple[pa.Table, Counts]:
    """The output rows of a batch, in the input's order, the samples of a record side by side.

    Args:
        kept: the batch's rows with the columns that the output keeps.
        slots: for each record, what each of its samples asked, or why it was not sent.
        judgements: the last words.
        judge: for the records that were not sent.
        columns: where the results stand.
    """
    results: list[Any] = []
    inferences: list[dict[str, Any]] = []
    indices: list[int] = []
    counts = Counts(records=len(slots))
    for index, samples in enumerate(slots):
        for sample, slot in enumerate(samples):
            judgement = judge.skipped(slot) if isinstance(slot, Skip) else judgements[slot]
            results.append(judgement.result)
            inferences.append(_inference(judgement, sample))
            indices.append(index)
            counts.saw(judgement)
    if len(indices) != kept.num_rows:
        kept = taken(kept, pa.array(indices, pa.int64()))
    return _with_results(kept, results, inferences, judge, columns), counts


def row_of(
    kept: pa.Table, sample: int, judgement: Judgement, judge: Judge, columns: ResultColumns
) -> pa.Table:
    """One row of the output.

    Args:
        kept: one record, with the columns that the output keeps.
        sample: which of its samples.
        judgement: the last word on it.
        judge: of the job.
        columns: where the results stand.
    """
    return _with_results(kept, [judgement.result], [_inference(judgement, sample)], judge, columns)


def _inference(judgement: Judgement, sample: int) -> dict[str, Any]:
    return {"outcome": judgement.outcome.value, "sample": sample, **judgement.facts}


def _with_results(
    kept: pa.Table,
    results: Sequence[Any],
    inferences: Sequence[Mapping[str, Any]],
    judge: Judge,
    columns: ResultColumns,
) -> pa.Table:
    arrays = [
        *kept.columns,
        *columns.arrays(pa.array(results, judge.result_type)),
        pa.array(inferences, INFERENCE_TYPE),
    ]
    return pa.Table.from_arrays(arrays, schema=output_schema_of(kept.schema, columns))


def _listed(problems: Iterable[Problem]) -> str:
    held = list(problems)
    lines = [f"{one.path}: {one.message}" if one.path else one.message for one in held[:PROBLEMS_SHOWN]]
    if len(held) > PROBLEMS_SHOWN:
        lines.append(f"and {len(held) - PROBLEMS_SHOWN} more")
    return "; ".join(lines)


def _text(raw: bytes) -> str:
    """Raw JSON as text; escaped where UTF-8 cannot hold it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return json.dumps(raw.decode(errors="replace"))
