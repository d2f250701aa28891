"""What a job would ask and cost: every prompt rendered, every question looked up, nothing sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Kind
from runware_provider.engine.dataset import read_shards
from runware_provider.engine.prompt import Skip
from runware_provider.engine.questions import Questioner, Shared
from runware_provider.engine.shard_work import records_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.ledger import Ledger
    from runware_provider.engine.prepare import Prepared
    from runware_provider.engine.questions import Request


@dataclass
class Survey:
    """Counts of distinct questions."""

    records: int = 0
    """Chosen records."""
    left_out: int = 0
    """Records that `where` did not choose."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Rows that are never sent, by reason."""
    answered: int = 0
    failed: int = 0
    """Settled without an answer."""
    unknown: int = 0
    """Sent before, by a run that never learnt what became of it."""
    to_pay: int = 0
    prompt_tokens: int = 0
    """Of what is to be paid, by estimate."""
    shard_tokens: list[int] = field(default_factory=list)
    """The same for each shard, in their order."""


def questioner_of(
    prepared: Prepared, ledger: Ledger, *, at_least: int, generation: int, retry_failed: bool
) -> Questioner:
    """What turns this job's records into questions."""
    spec = prepared.spec
    return Questioner(
        prompt=prepared.prompt,
        where=prepared.where,
        template=prepared.template,
        ledger=ledger,
        samples=spec.samples,
        limits=spec.limits,
        at_least=at_least,
        generation=generation,
        retry_failed=retry_failed,
        max_input_tokens=spec.max_input_tokens,
        shared=Shared.of(prepared.template, spec.delivery),
    )


def survey(prepared: Prepared, questioner: Questioner, ledger: Ledger) -> Survey:
    """Go through the source once; the records that a limit leaves out are not counted."""
    found = Survey()
    where = prepared.where.columns if prepared.where is not None else ()
    columns = list(dict.fromkeys([*prepared.prompt.columns, *where]))
    most = prepared.spec.limit
    for _, table in read_shards(prepared.source, prepared.dataset, prepared.shards, columns):
        before = found.prompt_tokens
        for records in records_of(table, columns):
            asked = [questioner.ask(record) for record in records]
            chosen = [one for one in asked if one is not None]
            room = len(chosen) if most is None else most - found.records
            found.left_out += len(asked) - len(chosen)
            found.records += min(room, len(chosen))
            _tally(found, questioner, ledger, list(islice(chosen, max(0, room))))
        found.shard_tokens.append(found.prompt_tokens - before)
        if most is not None and found.records >= most:
            break
    return found


def _tally(found: Survey, questioner: Questioner, ledger: Ledger, chosen: list[list[Request | Skip]]) -> None:
    slots = [one for samples in chosen for one in samples]
    found.skipped.update(one.code for one in slots if isinstance(one, Skip))
    for question in questioner.questions([one for one in slots if not isinstance(one, Skip)]):
        if not ledger.first_seen(question.key):
            continue
        known = question.standing
        if known.settled is not None and not (
            questioner.asks_again(question) and known.settled.kind is not Kind.ANSWERED
        ):
            answered = known.settled.kind is Kind.ANSWERED
            found.answered += answered
            found.failed += not answered
        elif known.fate_unknown:
            found.unknown += 1
        else:
            found.to_pay += 1
            found.prompt_tokens += question.request.tokens


def changed(prepared: Prepared, published: Mapping[str, object]) -> list[str]:
    """Which parts of the request differ from those of the last publish."""
    before = published.get("request")
    held = before if isinstance(before, dict) else {}
    return [name for name, digest in prepared.digests.items() if name in held and held[name] != digest]
