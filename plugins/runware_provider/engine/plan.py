"""What a run would do and cost, without sending anything."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runware_provider.engine.attempt import Kind
from runware_provider.engine.dataset import read_shards
from runware_provider.engine.ledger import Ledger
from runware_provider.engine.prepare import check_empty, check_published, prepare
from runware_provider.engine.prompt import Skip
from runware_provider.engine.shard_work import Question, Questioner, records_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.prepare import Prepared
    from runware_provider.engine.spec import Spec

CHARS_PER_TOKEN = 4
"""A rule of thumb for Latin scripts; the API counts for itself."""
ASSUMED_COMPLETION_TOKENS = 250
"""Of an answer, until the ledger knows answers of this job."""


@dataclass
class _Tally:
    skipped: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    failed: int = 0
    unknown: int = 0
    to_pay: int = 0
    chars: int = 0


def plan(spec: Spec, prices: Mapping[str, tuple[float, float]] | None = None) -> dict[str, Any]:
    """Read the source, render every prompt, look every question up in the ledger; send nothing.

    Args:
        spec: the job.
        prices: USD per token in and out, by model, as the API lists them.

    Raises:
        BadInput: what `run` would refuse before paying.
        StateUnreadable: the state folder cannot be read.
    """
    prepared = prepare(spec)
    storage, folder = prepared.storage, prepared.state_folder
    check_empty(prepared)
    published = check_published(prepared)
    ledger = Ledger(storage, storage.join(folder, "ledger"))
    try:
        tally = _count(prepared, ledger)
        mean = ledger.mean_completion_tokens()
    finally:
        ledger.close()
    per_answer = mean if mean is not None else float(ASSUMED_COMPLETION_TOKENS)
    prompt_tokens = tally.chars // CHARS_PER_TOKEN
    completion_tokens = round(per_answer * tally.to_pay)
    price = (prices or {}).get(spec.model)
    return {
        "source": spec.source,
        "destination": prepared.folder,
        "state": folder,
        "model": spec.model,
        "files": len(prepared.dataset.files),
        "shards": len(prepared.shards),
        "records": prepared.records,
        "skipped": dict(tally.skipped),
        "answered_before": tally.answered,
        "failed_before": tally.failed,
        "fate_unknown": tally.unknown,
        "to_pay": tally.to_pay,
        "changed": _changed(prepared, published[0] if published else {}),
        "estimate": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "completion_tokens_each": round(per_answer),
            "based_on": "taken from the answers of this job"
            if mean is not None
            else "an assumption, not a measurement",
            "cost_usd": round(prompt_tokens * price[0] + completion_tokens * price[1], 6) if price else None,
        },
        "warnings": list(prepared.warnings),
    }


def _count(prepared: Prepared, ledger: Ledger) -> _Tally:
    spec = prepared.spec
    # A wish to ask anew counts every answer as missing; the generation itself is only opened by a run.
    at_least = 1 << 30 if spec.refresh is not None else 0
    questioner = Questioner(
        prepared.prompt, prepared.template, ledger, spec.samples, spec.limits.attempts, at_least, 0
    )
    tally = _Tally()
    shared = len(prepared.template.task("", 0, "", spec.delivery))
    columns = prepared.prompt.columns
    for _, table in read_shards(prepared.source, prepared.dataset, prepared.shards, columns):
        for records in records_of(table, columns):
            for record in records:
                for one in questioner.ask(record):
                    _tally(tally, one, ledger, shared)
    return tally


def _tally(tally: _Tally, one: Question | Skip, ledger: Ledger, shared: int) -> None:
    if isinstance(one, Skip):
        tally.skipped[one.code] += 1
    elif not ledger.first_seen(one.key):
        return
    elif one.standing.settled is not None:
        answered = one.standing.settled.kind is Kind.ANSWERED
        tally.answered += answered
        tally.failed += not answered
    elif one.standing.fate_unknown:
        tally.unknown += 1
    else:
        tally.to_pay += 1
        tally.chars += len(one.prompt) + shared


def _changed(prepared: Prepared, published: Mapping[str, Any]) -> list[str]:
    """Which parts of the request differ from those of the last publish."""
    before = published.get("request", {})
    return [name for name, digest in prepared.digests.items() if name in before and before[name] != digest]
