"""What a job would ask and cost: every prompt rendered, every question looked up, nothing sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runware_provider.engine.attempt import Kind
from runware_provider.engine.job.batch_work import records_of
from runware_provider.engine.job.chosen_records import chosen_records
from runware_provider.engine.job.prepare import NO_REASKS, REASKS, digest_of
from runware_provider.engine.job.questions import Questioner, Shared
from runware_provider.engine.outcome.follow_up import last_word, next_step
from runware_provider.engine.outcome.rows import FAILED, Judge
from runware_provider.engine.templates.prompt import Skip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runware_provider.engine.attempt import Attempt
    from runware_provider.engine.identity import Key
    from runware_provider.engine.job.prepare import Prepared
    from runware_provider.engine.job.questions import Question, Request
    from runware_provider.engine.memory.ledger import Ledger

JUDGED_AT_ONCE = 2_000
"""As many as a row group of the ledger has."""
MOST_ANSWERS = 200
NOBODY = bytes(16)
"""A job_id: the UUIDs in these judgements are not looked at."""


@dataclass
class Survey:
    """Counts of distinct questions."""

    records: int = 0
    """Chosen records."""
    left_out: int = 0
    """Records of the source that are not chosen."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Rows that are never sent, by reason."""
    answered: int = 0
    failed: int = 0
    """Settled without an answer."""
    unknown: int = 0
    """Sent before, by a run that never learnt what became of it."""
    to_pay: int = 0
    to_reask: int = 0
    """How many of `to_pay` are answers that do not fit and are shown to the model, or were cut off and get more room."""
    prompt_tokens: int = 0
    """Estimated tokens of the prompts of `to_pay`."""
    doubted: set[Key] = field(default_factory=set, repr=False)
    """The questions that `unknown` counts."""
    unknown_tokens: int = 0
    """Estimated tokens of their prompts."""
    batches: list[tuple[int, int]] = field(default_factory=list)
    """`chargeable` of each batch alone, in the batches' order."""
    answers: list[Attempt] = field(default_factory=list)
    """Some of what was answered: all of them are of the model that is asked."""

    @property
    def chargeable(self) -> tuple[int, int]:
        """How many inferences a budget may be charged with, and the tokens of their prompts.

        What was sent before is either collected, and paid for now, or sent again.
        """
        return self.to_pay + self.unknown, self.prompt_tokens + self.unknown_tokens

    @property
    def prompt_tokens_each(self) -> int:
        """Estimated tokens of one prompt of `chargeable`, on average; 0 where there is none."""
        inferences, tokens = self.chargeable
        return round(tokens / inferences) if inferences else 0


def questioner_of(prepared: Prepared, ledger: Ledger, generation: int) -> Questioner:
    """What turns this job's records into questions.

    Args:
        prepared: the job.
        ledger: where earlier answers are found.
        generation: the one to ask in, that of the user's wish to ask anew if there is one.
    """
    spec = prepared.spec
    return Questioner(
        prompt=prepared.prompt,
        template=prepared.template,
        ledger=ledger,
        samples=spec.samples,
        limits=spec.limits,
        at_least=generation if spec.refresh is not None else 0,
        generation=generation,
        retry_failed=spec.retry_failed is not None,
        max_input_tokens=spec.max_input_tokens,
        shared=Shared.of(prepared.template, spec.delivery),
    )


def survey(prepared: Prepared, questioner: Questioner, ledger: Ledger) -> Survey:
    """Go through the chosen records once."""
    found = Survey()
    doubtful: list[Question] = []
    columns = prepared.prompt.columns
    for chosen in chosen_records(prepared, columns):
        before = found.chargeable
        found.records += chosen.records.num_rows
        found.left_out += chosen.left_out
        for records in records_of(chosen.records, columns):
            asked = [questioner.ask(record) for record in records]
            doubtful += _tally(found, prepared, questioner, ledger, asked)
            if len(doubtful) >= JUDGED_AT_ONCE:
                _judge(found, prepared, questioner, ledger, doubtful)
        _judge(found, prepared, questioner, ledger, doubtful)
        after = found.chargeable
        found.batches.append((after[0] - before[0], after[1] - before[1]))
    found.batches += [(0, 0)] * (len(prepared.batches) - len(found.batches))
    return found


def _tally(
    found: Survey,
    prepared: Prepared,
    questioner: Questioner,
    ledger: Ledger,
    asked: list[list[Request | Skip]],
) -> list[Question]:
    """Count what some records ask; returns what was answered and is asked again, or further, if it does not fit."""
    slots = [one for samples in asked for one in samples]
    found.skipped.update(one.code for one in slots if isinstance(one, Skip))
    doubtful = []
    questions = questioner.questions([one for one in slots if not isinstance(one, Skip)])
    first_seen = ledger.first_seen([question.key for question in questions])
    for question, is_new in zip(questions, first_seen, strict=True):
        if not is_new:
            continue
        known = question.standing
        if known.settled is not None:
            answered = known.settled.kind is Kind.ANSWERED
            if answered and len(found.answers) < MOST_ANSWERS:
                found.answers.append(known.settled)
            further = known.over is None and not prepared.follow_ups.asks_nothing
            if not questioner.asks_again(question) and not (answered and further):
                found.answered += answered
                found.failed += not answered
            elif answered:
                doubtful.append(question)
            else:
                _anew(found, questioner, question)
        elif known.fate_unknown:
            _doubt(found, question)
        else:
            _pay(found, question)
    return doubtful


def _pay(found: Survey, question: Question) -> None:
    found.to_pay += 1
    found.prompt_tokens += question.request.tokens


def _doubt(found: Survey, question: Question) -> None:
    found.unknown += 1
    found.doubted.add(question.key)
    found.unknown_tokens += question.request.tokens


def _anew(found: Survey, questioner: Questioner, question: Question) -> None:
    again = questioner.anew(question)
    (_doubt if again.standing.fate_unknown else _pay)(found, again)


def _judge(
    found: Survey, prepared: Prepared, questioner: Questioner, ledger: Ledger, doubtful: list[Question]
) -> None:
    """Read the answers and tell which are to be asked again, or further; the list is empty afterwards."""
    judge = Judge(prepared.forced, prepared.check, model=prepared.spec.model, job_id=NOBODY, keep_raw=False)
    for start in range(0, len(doubtful), JUDGED_AT_ONCE):
        some = doubtful[start : start + JUDGED_AT_ONCE]
        entries = ledger.entries([attempt for one in some for attempt in one.standing.answers])
        for question in some:
            known = question.standing
            answers = [judge.judge(entries[one], 1) for one in known.answers]
            if last_word(answers, known.counted).outcome in FAILED and questioner.asks_again(question):
                _anew(found, questioner, question)
            elif known.over is not None or next_step(answers, prepared.follow_ups) is None:
                found.answered += 1
            elif known.fate_unknown:
                _doubt(found, question)
            else:
                found.to_reask += 1
                _pay(found, question)
                found.prompt_tokens += entries[known.answers[-1]].completion_tokens or 0  # it is shown
    doubtful.clear()


def changed(prepared: Prepared, published: Mapping[str, object]) -> list[str]:
    """Which parts of the request differ from those of the last publish."""
    before = published.get("request")
    held = before if isinstance(before, dict) else {}
    if held:  # what was published before there were re-asks had none
        held = {REASKS: digest_of(NO_REASKS), **held}
    return [name for name, digest in prepared.digests.items() if name in held and held[name] != digest]
